"""Tokenizer against ONNX Runtime, whose patterns RE2 itself reads; where no string has a token and there is none, our own shapes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from intaglio.errors import IntaglioError

Codes = Callable[..., list[str]]
Same = Callable[..., None]
PATTERNS = [
    *("a|ab|abc", "(?m)^b", "b$", r"\b", "[^a ]+", "é+", "(a|b)*c", "x?", r"\s+", r"\w+é?", "a{2,3}", "(?m)$", "..", r"\Aa"),
    "(ab|a)(c|bcd)?",
]


@pytest.fixture
def same(agrees: Callable[..., Any]) -> Same:
    """Compares the tokens of words with those of ONNX Runtime, or with `expected`."""

    def run(words: Any, mark: int = 0, mincharnum: int = 1, sizes: Sequence[bool] = (True,), **given: Any) -> None:
        agrees("Tokenizer", np.array(words, object), mark=mark, mincharnum=mincharnum, pad_value="#", sizes=sizes, **given)

    return run


@pytest.mark.parametrize("mark", [0, 1])
@pytest.mark.parametrize("words", [["ab c", "déf", ""], ["", ""], [["日本", "x"], ["", "\ud7ff\U0001f600"]]], ids=["row", "empty", "rows"])
def test_characters(same: Same, words: Any, mark: int) -> None:
    same(words, mark, separators=[""])


@pytest.mark.parametrize(
    ("separators", "least"),
    [([" "], 1), ([" ", "b"], 1), (["X+", r"\s"], 2), (["X|XX", " *"], 1), (["b$", "^a"], 1), (["(?i)B"], 1), ([r"[\s,]+"], 3)],
)
def test_separators(same: Same, separators: list[str], least: int) -> None:
    words = [["ab c", "aXbXXc  d"], ["abcabc, déXf", ""]]
    same(words, separators=separators, mincharnum=least)
    same(words, 1, separators=separators, mincharnum=least, sizes=(False,))


@pytest.mark.parametrize("pattern", ["[a-z]+", r"\b[a-z]", "[a-z]*", "^.", r"\w\w\b|o.*$", "(h)(é)", r"(?i)\bW\w+\b", "(?s)d.."])
def test_what_a_pattern_matches(same: Same, pattern: str) -> None:
    same(["hello world 12", "hé wörld\n", ""], 1, tokenexp=pattern)


@pytest.mark.parametrize("seed", range(20))
def test_random_patterns(same: Same, seed: int) -> None:
    rng = random.Random(seed)
    words = ["".join(rng.choice("aab bcdé\nx") for _ in range(rng.randint(0, 9))) for _ in range(rng.randint(1, 4))]
    given: dict[str, Any] = {"mark": rng.randint(0, 1), "mincharnum": rng.choice([1, 1, 2, 3])}
    if rng.random() < 0.5:
        same(words, tokenexp=rng.choice(PATTERNS), **given)
    else:
        same(words, separators=rng.sample(PATTERNS, rng.randint(1, 3)), **given)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_no_strings(same: Same, shape: tuple[int, ...]) -> None:
    same(np.zeros(shape, object), 1, separators=[" "], expected=[np.zeros((*shape, 0), object)])


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "ITG2171 separators or tokenexp must be given"),
        ({"separators": ["b", ""]}, 'ITG2171 separators must be patterns, or "" alone for characters'),
        ({"separators": ["b"], "mincharnum": 0}, "ITG2171 mincharnum must be at least 1, and 1 for characters, but is 0"),
        ({"separators": [""], "mincharnum": 2}, "ITG2171 mincharnum must be at least 1, and 1 for characters, but is 2"),
    ],
)
def test_attributes_that_cannot_be(codes: Codes, attributes: dict[str, Any], message: str) -> None:
    given = {"mark": 0, "mincharnum": 1, "pad_value": "", **attributes}
    assert codes("Tokenizer", np.array(["a"], object), **given) == [message]


def test_a_rank_that_cannot_be(codes: Codes) -> None:
    (found,) = codes("Tokenizer", np.array([[["a"]]], object), mark=0, mincharnum=1, pad_value="", separators=[""])
    assert found == "ITG2170 X must have shape (c,) or (n, c), but has rank 3"


@pytest.mark.parametrize("pattern", ["(", "(?=a)", "[ab]*a[ab]{40}"])
def test_a_pattern_that_cannot_be(same: Same, pattern: str) -> None:
    with pytest.raises(IntaglioError, match="ITG2172"):
        same(["a"], tokenexp=pattern, expected=[])
