"""Fusion changes where values are computed, never what: random graphs of elementwise, moving and reducing operators against onnx."""

from __future__ import annotations

import random

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

SHAPES = ((4, 6), (6,), (4, 1), (1, 6))
UNARY = ("Tanh", "Neg", "Sigmoid", "Abs", "Relu")
BINARY = ("Add", "Mul", "Sub", "Max")


def random_model(seed: int, *, rows: int | str) -> onnx.ModelProto:
    """Twelve operators on tensors of up to 4x6, where `rows` may name the 4; the last value and two others are outputs."""
    draw = random.Random(seed)
    values: list[tuple[str, tuple[int, ...]]] = [(f"x{n}", s) for n, s in enumerate(SHAPES)]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [rows if d == 4 else d for d in s]) for n, s in values]
    constants = [numpy_helper.from_array(np.array([1], np.int64), "last"), numpy_helper.from_array(np.array([2], np.int64), "two")]
    constants.append(numpy_helper.from_array(np.array([5], np.int64), "five"))
    nodes = []
    for n in range(12):
        name, kind = f"v{n}", draw.choice(("unary", "unary", "binary", "binary", "there and back", "reduce", "slice and pad"))
        a, shape = draw.choice(values[-5:])
        if kind == "unary":
            nodes.append(helper.make_node(draw.choice(UNARY), [a], [name]))
        elif kind == "binary":
            b, other = draw.choice(values)
            nodes.append(helper.make_node(draw.choice(BINARY), [a, b], [name]))
            shape = np.broadcast_shapes(shape, other)
        elif kind == "there and back" and len(shape) == 2:
            steps = [("Transpose", a, "t"), (draw.choice(UNARY), "t", "u"), ("Transpose", "u", "")]
            names = [name + end for *_, end in steps]
            sources = [a, *names]
            nodes += [helper.make_node(op, [s], [d]) for (op, *_), s, d in zip(steps, sources, names, strict=False)]
        elif kind == "reduce" and len(shape) == 2:
            nodes.append(helper.make_node(draw.choice(("ReduceMax", "ReduceMean")), [a, "last"], [name], keepdims=1))
            shape = (shape[0], 1)
        elif kind == "slice and pad" and shape[-1] == 6:
            nodes.append(helper.make_node("Slice", [a, "two", "five", "axis" if len(shape) == 2 else "axis0"], [name + "s"]))
            nodes.append(helper.make_node("Concat", [name + "s", name + "s"], [name], axis=-1))
        else:
            nodes.append(helper.make_node("Exp", [a], [name + "e"]))
            nodes.append(helper.make_node("Tanh", [name + "e"], [name]))
        values.append((name, shape))
    for name, axis in (("axis", 1), ("axis0", 0)):
        constants.append(numpy_helper.from_array(np.array([axis], np.int64), name))
    named = {values[-1][0], *(n for n, _ in draw.sample(values[4:-1], 2))}
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in sorted(named)]
    graph = helper.make_graph(nodes, f"random{seed}", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs(seed: int) -> None:
    open_rows = seed % 2 == 1
    model = random_model(seed, rows="N" if open_rows else 4)
    session, reference = intaglio.InferenceSession(model, opt_level=0), ReferenceEvaluator(model)
    for rows in (4, 1, 9) if open_rows else (4,):
        draw = np.random.default_rng(rows)
        shapes = [tuple(rows if d == 4 else d for d in s) for s in SHAPES]
        feeds = {f"x{n}": draw.uniform(-2, 2, s).astype(np.float32) for n, s in enumerate(shapes)}
        before = {k: v.copy() for k, v in feeds.items()}
        expected, first = reference.run(None, feeds), session.run(None, feeds)
        kept = [v.copy() for v in first]
        again = session.run(None, {k: v * 0 for k, v in feeds.items()})
        assert len(again) == len(first)
        for got, copy, wanted in zip(first, kept, expected, strict=True):
            np.testing.assert_array_equal(got, copy)  # an output is the caller's: another run leaves it alone
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
        for name in feeds:
            np.testing.assert_array_equal(feeds[name], before[name])
