"""RegexFullMatch in compiled code: both kinds of automata, strings of every length, shapes that only the run knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from intaglio.errors import IntaglioError

Run = Callable[..., Any]
TEXTS = np.array([["", "a", "ab", "b" * 40], ["é日本", "a\nb", "ba" + "b" * 16, "bb" + "b" * 16]], object)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ab]*", [[1, 1, 1, 1], [0, 0, 1, 1]]),
        ("", [[1, 0, 0, 0], [0, 0, 0, 0]]),
        (r"\pL+", [[0, 1, 1, 1], [1, 0, 1, 1]]),
        (r"(?m)a$\n^b|.\b", [[0, 1, 0, 0], [0, 1, 0, 0]]),
        ("[ab]*a[ab]{16}", [[0, 0, 0, 0], [0, 0, 1, 0]]),
    ],
)
def test_patterns(run: Run, pattern: str, expected: list[list[int]]):
    found = run("RegexFullMatch", TEXTS, open_dims=True, pattern=pattern)
    np.testing.assert_array_equal(found, np.array(expected, bool))


def test_shapes(run: Run):
    assert run("RegexFullMatch", np.array("ab", object), pattern="a.") == np.True_
    assert run("RegexFullMatch", np.zeros((2, 0), object), open_dims=True, pattern="a").shape == (2, 0)
    assert run("RegexFullMatch", np.zeros((0,), object), open_dims=True, pattern="[ab]*a[ab]{16}").shape == (0,)


def test_a_pattern_that_is_none_is_refused(run: Run):
    with pytest.raises(IntaglioError, match=r"ITG2172 .*RE2 has no such group, at 2 of '\(\?=a\)'"):
        run("RegexFullMatch", TEXTS, pattern="(?=a)")
