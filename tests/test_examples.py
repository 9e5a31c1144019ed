"""The example of the README gives the answer that it promises; the program in C is tested in tests/backends/cpu."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DIGITS = Path(__file__).parents[1] / "examples" / "digits"


@pytest.mark.parametrize("digit", range(10))
def test_digits_are_read(digit: int) -> None:
    command = [sys.executable, str(DIGITS / "run.py"), str(DIGITS / f"{digit}.png")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert f"this is a {digit} " in result.stdout
