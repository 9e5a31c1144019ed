"""Sets of code points as sorted ranges: the classes that patterns name, their letter cases, and the bytes of UTF-8 that spell them."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache

LAST = 0x10FFFF

Range = tuple[int, int]
Runes = tuple[Range, ...]
"""Ranges of code points, both ends included, in order and apart from each other."""

ALL: Runes = ((0, LAST),)


def union(ranges: Iterable[Range]) -> Runes:
    """The ranges in order, joined where they touch."""
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def negated(runes: Runes) -> Runes:
    """All other code points."""
    ends = [-1, *itertools.chain.from_iterable(runes), LAST + 1]
    return tuple((a + 1, b - 1) for a, b in zip(ends[::2], ends[1::2], strict=True) if a + 1 <= b - 1)


def of(text: str) -> Runes:
    """A set written as pairs of its ranges' ends, such as "09AZ"."""
    return union((ord(a), ord(b)) for a, b in zip(text[::2], text[1::2], strict=True))


PERL = {"d": of("09"), "s": of("\t\n\f\r  "), "w": of("09AZ__az")}
"""What \\d, \\s and \\w are: of ASCII only."""

POSIX = {
    "alnum": of("09AZaz"),
    "alpha": of("AZaz"),
    "ascii": of("\0\x7f"),
    "blank": of("\t\t  "),
    "cntrl": of("\0\x1f\x7f\x7f"),
    "digit": of("09"),
    "graph": of("!~"),
    "lower": of("az"),
    "print": of(" ~"),
    "punct": of("!/:@[`{~"),
    "space": of("\t\r  "),
    "upper": of("AZ"),
    "word": of("09AZ__az"),
    "xdigit": of("09AFaf"),
}


@cache
def category(name: str) -> Runes | None:
    """The code points of a general category of Unicode's, such as "Lu", or of a group of them, such as "L"; None if there is none."""
    if name == "Any":
        return ALL
    known = _categories()
    found = [ranges for key, ranges in known.items() if key == name or (len(name) == 1 and key[0] == name)]
    return union(itertools.chain.from_iterable(found)) if found else None


@cache
def _categories() -> dict[str, list[Range]]:
    found: dict[str, list[Range]] = {}
    for name, group in itertools.groupby(range(LAST + 1), lambda c: unicodedata.category(chr(c))):
        codes = list(group)
        found.setdefault(name, []).append((codes[0], codes[-1]))
    # Code points that nobody has given a meaning are in no class.
    found.pop("Cn", None)
    return found


def folded(runes: Runes) -> Runes:
    """The set with every letter in all its cases."""
    others: list[Range] = []
    for low, high in runes:
        others += [(c, c) for code in range(low, min(high, _LAST_CASED) + 1) for c in _cases().get(code, ())]
    return union((*runes, *others))


# No letter beyond has two cases.
_LAST_CASED = 0x1E943


@cache
def _cases() -> dict[int, tuple[int, ...]]:
    """For each letter that has cases, the code points that are the same letter (Unicode's simple case folding)."""
    same: dict[str, list[int]] = {}
    for code in range(_LAST_CASED + 1):
        letter = chr(code)
        if letter.lower() != letter or letter.upper() != letter or letter.casefold() != letter:
            same.setdefault(_folding(letter), []).append(code)
    return {code: tuple(codes) for codes in same.values() if len(codes) > 1 for code in codes}


def _folding(letter: str) -> str:
    """Foldings to several letters are not simple ones: such letters go by their small form."""
    for form in (letter.casefold(), letter.lower()):
        if len(form) == 1:
            return form
    return letter


Bytes = tuple[Range, ...]
"""A range of bytes for each place of a sequence."""


def spelt(runes: Runes) -> Iterator[Bytes]:
    """Sequences of byte ranges that together are the UTF-8 of the code points."""
    for low, high in runes:
        for first, last in ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, LAST)):
            a, b = max(low, first), min(high, last)
            if a <= b:
                yield from _split(chr(a).encode("utf-8", "surrogatepass"), chr(b).encode("utf-8", "surrogatepass"))


def _split(low: bytes, high: bytes) -> Iterator[Bytes]:
    """Cuts a range of sequences of one length where all that follows the first byte is not free."""
    if len(low) == 1:
        yield ((low[0], high[0]),)
        return
    if low[0] == high[0]:
        for rest in _split(low[1:], high[1:]):
            yield ((low[0], low[0]), *rest)
        return
    least, most = b"\x80" * (len(low) - 1), b"\xbf" * (len(low) - 1)
    first, last = low[0], high[0]
    if low[1:] != least:
        for rest in _split(low[1:], most):
            yield ((first, first), *rest)
        first += 1
    if high[1:] != most:
        for rest in _split(least, high[1:]):
            yield ((last, last), *rest)
        last -= 1
    if first <= last:
        yield ((first, last), *((0x80, 0xBF),) * (len(low) - 1))
