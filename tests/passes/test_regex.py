"""Patterns against Python's re where the two syntaxes agree, against RE2's rules where they do not, and against their own size."""

from __future__ import annotations

import random
import re

import pytest
from intaglio.passes.regex import Automaton, PatternError, Simulation, automaton, compile_pattern, syntax


def matches(found: Automaton | Simulation, text: str | bytes) -> bool:
    data = text.encode() if isinstance(text, str) else text
    if isinstance(found, Automaton):
        state = 1
        for byte in data:
            state = int(found.steps[state, found.classes[byte]])
        return bool(found.accepts[state])
    states, before = {0}, 0
    for byte in data:
        after = int(found.kinds[byte])
        rows = [(4 * before + after) * found.states + s for s in states]
        edges = [found.edges[e] for row in rows for e in range(found.rows[row], found.rows[row + 1])]
        states, before = {int(target) for low, high, target in edges if low <= byte <= high}, after
    return any(found.accepts[before * found.states + s] for s in states)


def both(pattern: str) -> tuple[Automaton | Simulation, Simulation]:
    """What the pattern becomes, and its simulation."""
    return compile_pattern(pattern), automaton._simulation(automaton._Graph(syntax.parse(pattern)))


ATOMS = r"a b c \d \w \W \s . [a-c] [^a] [\d.-] \. (?i:k) \x41 \n (?s:.) []a] [^]a]".split()  # noqa: SIM905
PLACES = ["^", r"\b", r"\A", "(?m:^)", "(?m:$)"]


def made(rng: random.Random, depth: int) -> str:
    """A pattern that Python and RE2 read alike, in ASCII."""
    kind = rng.random()
    if depth == 0 or kind < 0.3:
        return rng.choice(ATOMS)
    if kind < 0.4:
        return rng.choice(PLACES)
    if kind < 0.65:
        return made(rng, depth - 1) + made(rng, depth - 1)
    if kind < 0.75:
        return f"({made(rng, depth - 1)}|{made(rng, depth - 1)})"
    return f"(?:{made(rng, depth - 1)}){rng.choice(['*', '+', '?', '{2}', '{1,3}', '{0,2}', '{2,}', '*?', '+?', '??', '{1,2}?'])}"


def test_patterns_agree_with_python():
    rng = random.Random(0)
    for _ in range(300):
        pattern = made(rng, 4)
        expected = re.compile(pattern, re.ASCII)
        found, simulated = both(pattern)
        for _ in range(20):
            text = "".join(rng.choice("aabbccA01. -_\nkK") for _ in range(rng.randint(0, 7)))
            wanted = expected.fullmatch(text) is not None
            assert matches(found, text) == wanted == matches(simulated, text), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("", [""], ["a"]),
        ("a|", ["", "a"], ["b"]),
        # $ is the end of the text, not also the place before a last line's end.
        ("a$\n?", ["a"], ["a\n"]),
        (r"a\z", ["a"], ["a\n"]),
        (r"(?m)a$\nb", ["a\nb"], ["ab"]),
        # \d, \w, \s and \b know ASCII only; \s leaves out the vertical tab.
        (r"\d", ["7"], ["٣"]),
        (r"\w+", ["az_9"], ["é"]),
        (r"\s", [" ", "\t"], ["\v", "\xa0"]),
        (r"é\b\w", ["éa"], ["éé"]),
        # A dot is a code point, whatever bytes spell it.
        ("...", ["aé☺", "日本語", "a\U0001f600b"], ["é", "a\nb"]),
        (r"\C\C", ["é", "ab"], ["a", "☺"]),
        ("[à-ÿ☺]+", ["éè☺"], ["e"]),
        ("[^a]", ["é", "\n", "\U0010ffff"], ["a", "éé"]),
        (r"[[:alpha:][:digit:]]+", ["a1Z"], ["a-", "é"]),
        (r"[[:^alpha:]]", ["1", "é"], ["a"]),
        (r"[^[:space:]\d]", ["a"], ["1", " "]),
        (r"\pL+", ["aéЖ日"], ["a1"]),
        (r"\p{Lu}\p{^Lu}\PL", ["Aa1", "ÉЖ1"[0] + "ж-"], ["aa1", "AA1"]),
        (r"(?i)straße", ["STRAßE", "ſTRAẞE"], ["strasse"]),
        (r"(?i)[k]", ["k", "K", "\u212a"], ["c"]),
        (r"(?i:a)b", ["ab", "Ab"], ["aB"]),
        (r"(?i)a(?-i)b", ["Ab"], ["aB"]),
        (r"(?U)a+", ["aaa"], [""]),
        (r"(?P<name>a)(?<other>b)", ["ab"], ["a"]),
        (r"\Qa.b*\E+", ["a.b**"], ["a.b", "aab*"]),
        (r"\Qa.b", ["a.b"], ["aab"]),
        (r"\101\x41\x{1F600}\07", ["AA\U0001f600\x07"], ["AA"]),
        ("a{,3}", ["a{,3}"], ["aa"]),
        ("x{2}{", ["xx{"], ["x"]),
        (r"[a-c-e]", ["-", "e", "b"], ["d"]),
        (r"(\W|^)[\w.\-]{0,25}@(yahoo|gmail)\.com(\W|$)", ["account@gmail.com"], ["account@hotmail.com"]),
        (r"www\.[\w.-]+\.\bcom\b", ["www.google.com"], ["www.bbc.co.uk"]),
    ],
)
def test_what_matches_as_in_re2(pattern: str, yes: list[str], no: list[str]):
    for found in both(pattern):
        for text, wanted in [*((t, True) for t in yes), *((t, False) for t in no)]:
            assert matches(found, text) == wanted, (pattern, text)


REFUSED = r"""
( ) a) (? (?P< (?P<a (?P<>a) (?=a) (?<=a) (?!a) (?#a) (?i (?) (?-) * a** a+* a{2}{3} (?i)* a{1001} a{2,1} [ [a [] [b-a] [[:alfa:]]
[a-\d] \ \1 \Z \_ \é \8 \pX \p{Greek} \p \x \x1 \x{110000} \x{} ((((a{1,1000}){1,1000})) (a{0,1000}){0,1000}
""".split()  # noqa: SIM905


@pytest.mark.parametrize("pattern", [*REFUSED, "(" * 300 + ")" * 300])
def test_what_is_no_pattern_is_refused(pattern: str):
    with pytest.raises(PatternError):
        compile_pattern(pattern)


def test_patterns_with_many_states_are_simulated():
    found = compile_pattern("[ab]*a[ab]{16}")
    assert isinstance(found, Simulation)
    assert matches(found, "ba" + "b" * 16) and not matches(found, "bb" + "b" * 16)


def test_bytes_that_spell_nothing_match_no_code_point():
    assert not matches(compile_pattern("."), b"\xff")
    assert not matches(compile_pattern("(?s).*"), b"\xc3")


def test_equal_states_are_joined():
    assert len(compile_pattern("(a|b|c)*|[a-c]*").steps) <= 3
