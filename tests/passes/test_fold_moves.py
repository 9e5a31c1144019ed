"""Contractions that read and write where elements lie already: layers of attention and of products against their formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def session(nodes: list[onnx.NodeProto], x: tuple[int | str, ...], weights: dict[str, np.ndarray], cpu: str = "host"):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "layer", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    return intaglio.InferenceSession(proto, opt_level=1, cpu=cpu)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


JOINED = [
    ("MatMul", ["x", "w"], ["qkv"], {}),
    ("Reshape", ["qkv", "split"], ["parts"], {}),
    ("Transpose", ["parts"], ["heads"], {"perm": [2, 0, 3, 1, 4]}),
    ("Split", ["heads"], ["q1", "k1", "v1"], {"axis": 0, "num_outputs": 3}),
    *(("Squeeze", [f"{n}1", "first"], [n], {}) for n in "qkv"),
    ("Mul", ["q", "scale"], ["scaled"], {}),
    ("Transpose", ["k"], ["turned"], {"perm": [0, 1, 3, 2]}),
    ("MatMul", ["scaled", "turned"], ["scores"], {}),
    ("Softmax", ["scores"], ["weights"], {}),
    ("MatMul", ["weights", "v"], ["z"], {}),
    ("Transpose", ["z"], ["back"], {"perm": [0, 2, 1, 3]}),
    ("Reshape", ["back", "whole"], ["rows"], {}),
    ("MatMul", ["rows", "out"], ["y"], {}),
]
"""Attention whose queries, keys and values are one product."""


def nodes_of(rows: list[tuple]) -> list[onnx.NodeProto]:
    return [helper.make_node(op, inputs, outputs, **attributes) for op, inputs, outputs, attributes in rows]


def attention_layer(x: np.ndarray, w: np.ndarray, out: np.ndarray, heads: int, head: int) -> np.ndarray:
    b, s, _ = x.shape
    q, k, v = (x.astype(np.float64) @ w).reshape(b, s, 3, heads, head).transpose(2, 0, 3, 1, 4)
    z = softmax(q @ np.swapaxes(k, -1, -2) * 0.25) @ v
    return z.transpose(0, 2, 1, 3).reshape(b, s, heads * head) @ out


@pytest.mark.parametrize("cpu", ["host", "x86-64-v3", "x86-64"])
@pytest.mark.parametrize(("b", "s", "heads", "head"), [(2, 49, 3, 32), (1, 5, 2, 20), (2, 130, 1, 16), (1, 300, 2, 16)])
def test_heads(b: int, s: int, heads: int, head: int, cpu: str) -> None:
    """Keys turned by the kernel, by tiles and by elements, and more of them than it turns."""
    width = heads * head
    w, out, x = draw(24, 3 * width, scale=0.3), draw(width, 40, seed=1), draw(b, s, 24, seed=2)
    weights = {
        **{"w": w, "out": out, "scale": np.float32(0.25), "first": np.array([0])},
        **{"split": np.array([b, s, 3, heads, head]), "whole": np.array([b, s, width])},
    }
    (got,) = session(nodes_of(JOINED), x.shape, weights, cpu).run(None, {"x": x})
    np.testing.assert_allclose(got, attention_layer(x, w, out, heads, head), rtol=2e-4, atol=2e-4)


def test_heads_of_open_sizes() -> None:
    w, out = draw(24, 96, scale=0.3), draw(32, 40, seed=1)
    weights = {
        **{"w": w, "out": out, "scale": np.float32(0.25), "first": np.array([0])},
        **{"split": np.array([0, 0, 3, 2, 16]), "whole": np.array([0, 0, 32])},
    }
    run = session(nodes_of(JOINED), ("b", "s", 24), weights)
    for b, s in [(1, 1), (2, 7), (3, 40), (0, 5), (2, 0)]:
        x = draw(b, s, 24, seed=b + s)
        (got,) = run.run(None, {"x": x})
        expected = attention_layer(x, w, out, 2, 16) if b * s else np.zeros((b, s, 40))
        np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("cpu", ["host", "x86-64-v3", "x86-64"])
@pytest.mark.parametrize(("rows", "hidden"), [((30,), 512), ((2, 17), 256), ((1, 1, 3), 768), (("n", 5), 256), ((0, 4), 256)])
def test_products_in_a_row(rows: tuple[int | str, ...], hidden: int, cpu: str) -> None:
    """The first product is long enough in its rows that the second one takes it in blocks."""
    w, u, bias = draw(20, hidden), draw(hidden, 24, seed=1), draw(hidden, seed=2)
    names = [
        ("MatMul", ["x", "w"], ["h"], {}),
        ("Add", ["h", "bias"], ["s"], {}),
        ("Relu", ["s"], ["r"], {}),
        ("MatMul", ["r", "u"], ["y"], {}),
    ]
    run = session(nodes_of(names), (*rows, 20), {"w": w, "u": u, "bias": bias}, cpu)
    x = draw(*(3 if isinstance(d, str) else d for d in rows), 20, seed=3)
    (got,) = run.run(None, {"x": x})
    np.testing.assert_allclose(got, np.maximum(x.astype(np.float64) @ w + bias, 0) @ u, rtol=1e-4, atol=1e-3)
