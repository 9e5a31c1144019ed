"""Generated pages of docs/ are up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("script", ["generate_operators.py", "generate_versions.py"])
def test_page(script: str) -> None:
    check = [sys.executable, str(ROOT / "docs" / script), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
