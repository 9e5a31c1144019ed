"""Updates of tensors where they lie: what is read later, or is the caller's, stays as it was; all else is not copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from intaglio.compiler.lowering import lower_model  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from intaglio.dialects import hal  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from xdsl.dialects import scf  # noqa: E402
from xdsl.dialects.builtin import ModuleOp  # noqa: E402

ROWS = "int64[2,1] i, float[2,3] u"
FEEDS = {
    "x": np.arange(12, dtype=np.float32).reshape(4, 3) / 7,
    "i": np.array([[2], [0]]),
    "u": np.full((2, 3), 9, np.float32),
    "n": np.array(3),
    "c": np.array(True),
    "on": np.array(True),
}


def model(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 24]> {text}')


def copies(proto: onnx.ModelProto) -> list[hal.CopyOp]:
    found: list[ModuleOp] = []
    lower_model(proto.SerializeToString(), Options(), observe=lambda level, m: found.append(m) if level == "loops" else None)
    return [op for op in found[0].walk() if isinstance(op, hal.CopyOp)]


def check(proto: onnx.ModelProto, count: int | None = None, **more: Any) -> None:
    """Holds results against the reference, and how often the host program copies where that is said."""
    assert count is None or len(copies(proto)) == count
    names = [i.name for i in proto.graph.input]
    feeds = {name: value for name, value in (FEEDS | more).items() if name in names}
    kept = {name: value.copy() for name, value in feeds.items()}
    session = intaglio.compile(proto).session()
    for _ in range(2):
        for found, expected in zip(session.run(None, feeds), ReferenceEvaluator(proto).run(None, feeds), strict=True):
            np.testing.assert_allclose(found.ravel(), expected.ravel(), rtol=1e-5)
    for name, value in feeds.items():
        np.testing.assert_array_equal(value, kept[name])


STRAIGHT = {
    "of what nothing else reads": (f"(float[4,3] x, {ROWS}) => (float[4,3] z) {{ a = Exp(x) y = ScatterND(a, i, u) z = Exp(y) }}", 0),
    "as an output": (f"(float[4,3] x, {ROWS}) => (float[4,3] y) {{ a = Exp(x) y = ScatterND(a, i, u) }}", 0),
    "in a row": (
        f"(float[4,3] x, {ROWS}) => (float[4,3] y) {{ a = Exp(x) b = ScatterND(a, i, u) v = Neg(u)"
        ' c = ScatterND <reduction = "add"> (b, i, v) y = ScatterND <reduction = "mul"> (c, i, u) }',
        0,
    ),
    "read by a kernel after": (
        f"(float[4,3] x, {ROWS}) => (float[4,3] z) {{ a = CumSum(x, k) y = ScatterND(a, i, u) b = CumSum(y, k) d = CumSum(a, k)"
        " z = Sub(b, d) }",
        1,
    ),
    "read before alone": (
        f"(float[4,3] x, {ROWS}) => (float[4,3] z) {{ a = CumSum(x, k) d = CumSum(a, k) v = Gather(d, j) y = ScatterND(a, i, v)"
        " z = Sub(d, y) }",
        0,
    ),
    "twice from one": (
        f"(float[4,3] x, {ROWS}) => (float[4,3] z) {{ a = CumSum(x, k) b = ScatterND(a, i, u) v = Neg(u) c = ScatterND(a, i, v)"
        " z = Sub(b, c) }",
        1,
    ),
    "of an operand that is one twice": (
        "(float[4,3] x, int64[4,3] e) => (float[4,3] y) { a = CumSum(x, k) y = ScatterElements <axis = 0> (a, e, a) }",
        1,
    ),
    "of an input": (f"(float[4,3] x, {ROWS}) => (float[4,3] y) {{ y = ScatterND(x, i, u) }}", 1),
    "of an output": (f"(float[4,3] x, {ROWS}) => (float[4,3] a, float[4,3] y) {{ a = CumSum(x, k) y = ScatterND(a, i, u) }}", 1),
    "of a constant": ("(float[2,3] u, int64[2,1] i) => (float[4,3] y) { y = ScatterND(w, i, u) }", 1),
    "through a view": (
        "(float[4,3] x, int64[2,1] i, float[2] v) => (float[4,3] y) { a = CumSum(x, k) f = Reshape(a, flat) g = ScatterND(f, i, v)"
        " y = Reshape(g, whole) }",
        0,
    ),
    "of a view, the whole read after": (
        "(float[4,3] x, int64[2,1] i, float[2] v) => (float[12] g, float[4,3] b) { a = CumSum(x, k) f = Reshape(a, flat)"
        " g = ScatterND(f, i, v) b = CumSum(a, k) }",
        1,
    ),
    "of a part that is joined after": (
        f"(float[4,3] x, {ROWS}) => (float[8,3] z) {{ a = CumSum(x, k) b = CumSum(a, k) y = ScatterND(a, i, u)"
        " z = Concat <axis = 0> (y, b) }",
        None,
    ),
    "of a part that is joined before": (
        f"(float[4,3] x, {ROWS}) => (float[8,3] z, float[4,3] y) {{ a = CumSum(x, k) b = CumSum(a, k) z = Concat <axis = 0> (a, b)"
        " y = ScatterND(a, i, u) }",
        None,
    ),
    "of a whole whose part is read after": (
        f"(float[4,3] x, {ROWS}) => (float[8,3] y, float[4,3] d) {{ a = CumSum(x, k) b = CumSum(a, k) z = Concat <axis = 0> (a, b)"
        " y = ScatterND(z, i, u) d = CumSum(a, k) }",
        None,
    ),
    "at places named twice": (
        '(float[4,3] x, int64[2,1] t, float[2,3] u) => (float[4,3] y) { a = Exp(x) y = ScatterND <reduction = "add"> (a, t, u) }',
        0,
    ),
    "of nothing": (
        "(float[0,3] o, int64[0,1] p, float[0,3] q) => (float[0,3] y) { a = Exp(o) y = ScatterND(a, p, q) }",
        0,
    ),
    "by nothing": ("(float[4,3] x, int64[0,1] p, float[0,3] q) => (float[4,3] y) { a = Exp(x) y = ScatterND(a, p, q) }", 0),
    "of open size": (f"(float[N,3] x, {ROWS}) => (float[N,3] y) {{ a = Exp(x) y = ScatterND(a, i, u) }}", 0),
    "of an input of open size": (f"(float[N,3] x, {ROWS}) => (float[N,3] y) {{ y = ScatterND(x, i, u) }}", 1),
    "in one of two branches": (
        f"(float[4,3] x, {ROWS}, bool c) => (float[4,3] z) {{ a = CumSum(x, k) y = If (c) <"
        " then_branch = t () => (float[4,3] p) { p = ScatterND(a, i, u) },"
        " else_branch = e () => (float[4,3] q) { q = CumSum(a, k) }> z = Exp(y) }",
        0,
    ),
    "in one of two branches, the other of which hands it on": (
        f"(float[4,3] x, {ROWS}, bool c) => (float[4,3] z) {{ a = CumSum(x, k) y = If (c) <"
        " then_branch = t () => (float[4,3] p) { p = ScatterND(a, i, u) },"
        " else_branch = e () => (float[4,3] q) { q = Identity(a) }> z = Exp(y) }",
        1,
    ),
    "in a branch, read behind it": (
        f"(float[4,3] x, {ROWS}, bool c) => (float[4,3] z) {{ a = CumSum(x, k) y = If (c) <"
        " then_branch = t () => (float[4,3] p) { p = ScatterND(a, i, u) },"
        " else_branch = e () => (float[4,3] q) { q = Identity(a) }> z = Sub(y, a) }",
        1,
    ),
}


@pytest.mark.parametrize("name", STRAIGHT)
def test_update(name: str) -> None:
    text, count = STRAIGHT[name]
    proto = model(f"m {text}")
    constants = {"k": np.array(0), "j": np.array([1, 3]), "flat": np.array([12]), "whole": np.array([4, 3]), "w": FEEDS["x"]}
    used = {name for node in proto.graph.node for name in node.input}
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants.items() if name in used)
    more = {
        "e": np.array([[2, 0, 1], [0, 1, 2], [1, 2, 3], [3, 3, 0]]),
        "v": np.array([5, 6], np.float32),
        "t": np.array([[2], [2]]),
        "o": np.empty((0, 3), np.float32),
        "p": np.empty((0, 1), np.int64),
        "q": np.empty((0, 3), np.float32),
    }
    for c in (True, False):
        check(proto, count, c=np.array(c), **more)


def in_loops(proto: onnx.ModelProto) -> int:
    """How many copies a round makes."""
    found = copies(proto)
    around = [parent for op in found if (parent := op.parent_op()) is not None]
    return sum(isinstance(parent, scf.WhileOp | scf.ForOp) for parent in around)


def looped(carried: str, body: str, results: str, outputs: str) -> onnx.ModelProto:
    """A Loop of n rounds that carries a, which begins as Exp(x), and perhaps b, which begins as Neg(x)."""
    initial = ", ".join({"a": "a0", "b": "b0"}[name.split()[-1]] for name in carried.split(", "))
    given = ", ".join(output.split()[-1] for output in outputs.split(", "))
    return model(
        f"m (float[4,3] x, {ROWS}, int64 n, bool on) => ({outputs}) {{ a0 = Exp(x) b0 = Neg(x) {given} = Loop (n, on, {initial})"
        f" <body = body (int64 r, bool k, {carried}) => (bool go, {results}) {{ go = Identity(k) {body} }}> }}"
    )


def test_a_loop_updates_what_it_carries_where_it_lies() -> None:
    one = looped("float[4,3] a", 'v = Add(u, u) y = ScatterND <reduction = "add"> (a, i, v)', "float[4,3] y", "float[4,3] z")
    check(one, 0)
    check(one, 0, n=np.array(0))
    held = looped(
        "float[4,3] a", "s = ReduceSum <keepdims = 0> (a) y = ScatterND(a, i, u)", "float[4,3] y, float s", "float[4,3] z, float[M] w"
    )
    assert in_loops(held) == 1  # the sum, behind those of rounds before
    check(held, 2)


def test_a_loop_copies_what_its_round_still_reads() -> None:
    read = looped("float[4,3] a", "p = ScatterND(a, i, u) y = Sub(p, a)", "float[4,3] y", "float[4,3] z")
    assert in_loops(read) >= 1
    check(read)
    kept = looped("float[4,3] a", "p = ScatterND(a, i, u) s = ReduceSum <keepdims = 0> (p) y = Identity(a)", "float[4,3] y, float s",
                  "float[4,3] z, float[M] w")  # fmt: skip
    check(kept)
    swapped = looped("float[4,3] a, float[4,3] b", "p = ScatterND(a, i, u)", "float[4,3] b, float[4,3] p", "float[4,3] z, float[4,3] w")
    for n in range(4):
        check(swapped, n=np.array(n))
    same = looped(
        "float[4,3] a, float[4,3] b", "p = ScatterND(a, i, u) s = Neg(b)", "float[4,3] p, float[4,3] p", "float[4,3] z, float[4,3] w"
    )
    check(same)


def test_two_carried_tensors_of_one_beginning_do_not_share_it() -> None:
    proto = looped(
        "float[4,3] a, float[4,3] b", "p = ScatterND(a, i, u) q = Neg(b)", "float[4,3] p, float[4,3] q", "float[4,3] z, float[4,3] w"
    )
    loop = next(node for node in proto.graph.node if node.op_type == "Loop")
    loop.input[3] = "a0"
    check(proto)


def test_a_loop_within_does_not_change_what_each_of_its_rounds_begins_with() -> None:
    proto = model(
        f"m (float[4,3] x, {ROWS}, int64 n, bool on) => (float[4,3] z) {{ z = Loop (n, on, x)"
        " <body = outer (int64 r, bool k, float[4,3] a) => (bool go, float[4,3] y) { go = Identity(k) b = Exp(a) y = Loop (n, on, a)"
        " <body = inner (int64 t, bool l, float[4,3] h) => (bool ok, float[4,3] g) { ok = Identity(l)"
        ' v = Cast <to = 1> (t) w = Add(u, v) e = ScatterND <reduction = "add"> (b, i, w)'
        " g = Sub(e, h) }> }> }"
    )
    for n in range(3):
        check(proto, n=np.array(n))


def test_a_scan_updates_its_state() -> None:
    proto = model(
        "m (float[4,3] x, int64[2,1] i, float[5,2,3] s) => (float[4,3] z, float[5] w) { a = Exp(x) z, w = Scan <num_scan_inputs = 1,"
        ' body = body (float[4,3] h, float[2,3] part) => (float[4,3] g, float t) { g = ScatterND <reduction = "add"> (h, i, part)'
        " t = ReduceSum <keepdims = 0> (part) }> (a, s) }"
    )
    check(proto, 1, s=np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32))


def test_a_refused_index_changes_nothing_of_inputs() -> None:
    proto = model(f"m (float[4,3] x, {ROWS}) => (float[4,3] y) {{ y = ScatterND(x, i, u) }}")
    session, x = intaglio.compile(proto).session(), FEEDS["x"].copy()
    with pytest.raises(intaglio.IntaglioError, match="ITG5001"):
        session.run(None, {"x": x, "u": FEEDS["u"], "i": np.array([[1], [4]])})
    np.testing.assert_array_equal(x, FEEDS["x"])
