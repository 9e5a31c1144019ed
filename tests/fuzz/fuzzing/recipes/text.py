"""Operators on strings, and those of ai.onnx.ml on labels that are strings."""

from __future__ import annotations

import numpy as np

from ..draw import Draw
from ..schemas import FLOAT, STRING
from .elementwise import broadcast
from .registry import recipe

_PATTERNS = (r"a.*", r"[a-z]+", r"(a|b)b?", r"\w+ \w+", r"[^@]+@[a-z]+\.com", r"", r".", r"same")


def _words(d: Draw, words: list[str], shape: tuple[int, ...]) -> None:
    d.given(np.array(d.choices.rng().choice(words, shape), object).reshape(shape), type=STRING)


@recipe("StringConcat")
def string_concat(d: Draw) -> None:
    for shape in broadcast(d):
        d.data(STRING, shape)


@recipe("StringNormalizer")
def string_normalizer(d: Draw) -> None:
    count = d.size(1, 7)
    _words(d, ["Monday", "tuesday", "ÉTÉ", "a", "", "Monday"], (1, count) if d.flag() else (count,))
    d.maybe("case_change_action", lambda: d.pick(["NONE", "LOWER", "UPPER"]))
    d.maybe("is_case_sensitive", lambda: d.between(0, 1))
    d.maybe("stopwords", lambda: ["monday", "a"])


@recipe("StringSplit")
def string_split(d: Draw) -> None:
    _words(d, ["a,b", "one  two three", "", " lead", "a,,b,c", "é", "x,"], d.shape(0, 2, most=40))
    d.maybe("delimiter", lambda: d.pick([",", "", "tw"]))
    d.maybe("maxsplit", lambda: d.between(1, 3))
    d.wanted = [True, True]


@recipe("RegexFullMatch")
def regex_full_match(d: Draw) -> None:
    _words(d, ["a", "ab", "bb", "two words", "me@here.com", "", "same", "é"], d.shape(0, 2, most=40))
    d.attribute("pattern", d.pick(_PATTERNS))


@recipe("CategoryMapper")
def category_mapper(d: Draw) -> None:
    words, numbers = ["a", "b", "é", ""], [3, -1, 0, 7]
    d.attribute("cats_strings", words)
    d.attribute("cats_int64s", numbers)
    if d.type("T1", strings=True) == STRING:
        _words(d, [*words, "other"], d.shape(0, 2))
        d.maybe("default_int64", lambda: d.between(-5, 5))
    else:
        d.given(d.choices.rng().choice([*numbers, 99], d.shape(0, 2)), type="T1")
        d.maybe("default_string", lambda: "none")


@recipe("ZipMap")
def zip_map(d: Draw) -> None:
    count = d.between(1, 4)
    d.data(FLOAT, (d.size(1, 4), count))
    if d.flag():
        d.attribute("classlabels_strings", ["a", "b", "é", "d"][:count])
    else:
        d.attribute("classlabels_int64s", [5, 0, -2, 9][:count])
