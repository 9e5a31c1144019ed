"""The examples give the answers that they promise; the program in C is tested in tests/backends/cpu."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
DIGITS = EXAMPLES / "digits"


@pytest.mark.parametrize("digit", range(10))
def test_digits_are_read(digit: int) -> None:
    command = [sys.executable, str(DIGITS / "run.py"), str(DIGITS / f"{digit}.png")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert f"this is a {digit} " in result.stdout


def test_custom_operators_run_here_and_in_a_library() -> None:
    command = [sys.executable, str(EXAMPLES / "custom" / "run.py")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert [line.split("is a ")[1].split(",")[0] for line in result.stdout.splitlines()[:-1]] == [
        "setosa", "versicolor", "virginica", "setosa",
    ]  # fmt: skip
    assert "says the same" in result.stdout
