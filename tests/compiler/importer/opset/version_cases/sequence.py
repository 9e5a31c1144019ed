"""Sequences and optionals, made of tensors and taken apart again."""

from __future__ import annotations

from .model import case, floats, ints, scalar

A, B = floats(2, 3), floats(1, 3)
MADE = "s = SequenceConstruct(a, b)"

case("SequenceConstruct SequenceAt", "11", f"{MADE} y = SequenceAt(s, i)", a=A, b=B, i=scalar(-1), held="i", want=lambda a, b, i: b)
case("SequenceLength", "11", f"{MADE} y = SequenceLength(s)", a=A, b=B)
case("SequenceEmpty SequenceInsert", "11", "e = SequenceEmpty() s = SequenceInsert(e, a) y = SequenceAt(s, i)", a=A, i=scalar(0), held="i")
case("SequenceErase", "11", f"{MADE} t = SequenceErase(s, i) y = SequenceAt(t, i)", a=A, b=B, i=scalar(0), held="i")
case("ConcatFromSequence", "11", f"{MADE} y = ConcatFromSequence <axis = 0> (s)", a=A, b=B)
case("SplitToSequence", "11-", "s = SplitToSequence <axis = 1> (a, n) y = SequenceAt(s, i)", a=A, n=ints(1, 2), i=scalar(1), held="n i")
BODY = "body = m (float[N, M] e) => (float[N, M] f) { f = Add(e, e) }"
case(
    "SequenceMap",
    "17",
    f"{MADE} t = SequenceMap <{BODY}> (s) y = SequenceAt(t, i)",
    a=A,
    b=B,
    i=scalar(0),
    held="i",
    want=lambda a, b, i: a + a,
)
case("Optional OptionalGetElement", "15-", "o = Optional(a) y = OptionalGetElement(o)", a=A, want=lambda a: a)
case("OptionalHasElement", "15-", "o = Optional(a) y = OptionalHasElement(o)", a=A, want=lambda a: scalar(True, bool))
case(
    "OptionalHasElement",
    "18-",
    "y = OptionalHasElement() z = OptionalHasElement(a)",
    a=A,
    want=lambda a: (scalar(False, bool), scalar(True, bool)),
)

# Sequences, and later optionals, also pass through what passes anything on, and through branches and loops.
case("Identity", "14-", f"{MADE} t = Identity(s) y = SequenceAt(t, i)", a=A, b=B, i=scalar(1), held="i")
case("Identity", "16-", "o = Optional(a) p = Identity(o) y = OptionalGetElement(p)", a=A, want=lambda a: a)
TAKEN = "then_branch = t () => (p) { p = SequenceConstruct(a, b) }, else_branch = e () => (q) { q = SequenceConstruct(b, b) }"
FEEDS = {"c": scalar(True, bool), "a": A, "b": B, "i": scalar(0)}
case("If", "13-", f"s = If <{TAKEN}> (c) y = SequenceAt(s, i)", **FEEDS, held="i", want=lambda c, a, b, i: a)
CHOSEN = "then_branch = t () => (p) { p = Optional(a) }, else_branch = e () => (q) { q = Optional(a) }"
case("If", "16-", f"o = If <{CHOSEN}> (c) y = OptionalHasElement(o)", c=scalar(True, bool), a=A, want=lambda c, a: scalar(True, bool))
ROUND = (
    "body = l (int64 k, bool go, seq(float[N, 3]) s) => (bool go2, seq(float[N, 3]) s2) { go2 = Identity(go) s2 = SequenceInsert(s, b) }"
)
GROWN = f"s0 = SequenceConstruct(a) s = Loop <{ROUND}> (n, , s0) y = SequenceLength(s) z = SequenceAt(s, i)"
case("Loop", "13-", GROWN, n=scalar(3), a=A, b=B, i=scalar(-1), held="i", want=lambda n, a, b, i: (scalar(4), b))
