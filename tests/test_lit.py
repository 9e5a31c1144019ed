"""Runs lit_tests/ file by file, so that `pytest` is the whole of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lit")
ROOT = Path(__file__).parents[1] / "lit_tests"
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.mlir"))


@pytest.fixture(scope="module")
def report() -> str:
    """One run over all files, which loads faster than one a file; lit runs them side by side."""
    command = [sys.executable, "-c", "from lit.main import main; main()", "-v", str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


@pytest.mark.parametrize("file", FILES, ids=str)
def test_lit(file: Path, report: str) -> None:
    assert f"PASS: Intaglio :: {file.as_posix()} " in report, report[-20000:]
