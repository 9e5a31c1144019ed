"""Holds docs/errors.md against the sources: every code that can be raised is there with its meaning, and none that cannot."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("backends", "compiler", "dialects", "passes", "proto")
# The ends of the range that a run's status can say, which dialects/hal.py names.
NO_CODES = {"ITG0001", "ITG9999"}


def test_page_is_complete() -> None:
    files = [*ROOT.glob("*.py"), *(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py"))]
    raised = {code for path in files for code in re.findall(r"ITG\d{4}", path.read_text(encoding="utf-8"))} - NO_CODES
    rows = re.findall(r"^\| (ITG\d{4}) \| (\S.*?) \|$", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), re.MULTILINE)
    listed = [code for code, _ in rows]
    assert listed == sorted(set(listed)), "the page is in order, each code once"
    assert sorted(raised - set(listed)) == [], "codes without a row in docs/errors.md"
    assert sorted(set(listed) - raised) == [], "rows of docs/errors.md without a source"
