"""Whole graphs that ONNX Runtime has optimised, which put its own operators in: they run as they did before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import intaglio
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)
WIDTH, HEADS = 16, 2


class Model:
    """Collects the nodes and weights of a small model."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, *shape: int) -> str:
        return self.array(rng.standard_normal(shape).astype(np.float32) * 0.3)

    def array(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def __call__(self, op: str, *inputs: str, **attributes: object) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def model(self, inputs: Sequence[onnx.ValueInfoProto], output: str) -> onnx.ModelProto:
        self("Identity", output)
        self.nodes[-1].output[0] = "y"
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", list(inputs), [result], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def transformer() -> onnx.ModelProto:
    """A layer with attention, residuals, layer normalisations and a GELU written out."""
    m = Model()

    def dense(x: str, width: int, out: int) -> str:
        return m("Add", m("MatMul", x, m.weight(width, out)), m.weight(out))

    def heads(x: str, order: list[int]) -> str:
        return m("Transpose", m("Reshape", x, m.array(np.array([0, 0, HEADS, WIDTH // HEADS]))), perm=order)

    q, k, v = (dense("x", WIDTH, WIDTH) for _ in range(3))
    scores = m("MatMul", heads(q, [0, 2, 1, 3]), heads(k, [0, 2, 3, 1]))
    weights = m("Softmax", m("Div", scores, m.array(np.float32(np.sqrt(WIDTH / HEADS)))), axis=-1)
    mixed = m("Transpose", m("MatMul", weights, heads(v, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
    joined = m("Reshape", mixed, m.array(np.array([0, 0, WIDTH])))
    y = m("LayerNormalization", m("Add", dense(joined, WIDTH, WIDTH), "x"), m.weight(WIDTH), m.weight(WIDTH))
    wide = dense(y, WIDTH, 2 * WIDTH)
    erf = m("Add", m("Erf", m("Div", wide, m.array(np.float32(np.sqrt(2))))), m.array(np.float32(1)))
    gelu = m("Mul", m("Mul", wide, erf), m.array(np.float32(0.5)))
    z = m("LayerNormalization", m("Add", dense(gelu, 2 * WIDTH, WIDTH), y), m.weight(WIDTH), m.weight(WIDTH))
    return m.model([helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", "s", WIDTH])], z)


def convolutions() -> onnx.ModelProto:
    """Convolutions with activations and a residual, and a product with what is fused into it."""
    m = Model()
    a = m("LeakyRelu", m("Conv", "x", m.weight(4, 3, 3, 3), m.weight(4), pads=[1, 1, 1, 1]), alpha=0.2)
    b = m("Relu", m("Add", m("Conv", a, m.weight(4, 4, 3, 3), m.weight(4), pads=[1, 1, 1, 1]), a))
    pooled = m("Flatten", m("GlobalAveragePool", b))
    product = m("MatMul", m("Transpose", pooled, perm=[1, 0]), pooled)
    out = m("Mul", product, m.array(np.float32(0.5)))
    return m.model([helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, 6, 5])], out)


def optimised(model: onnx.ModelProto, path: Path) -> set[str]:
    """Writes what ONNX Runtime makes of the model; the operators of com.microsoft in it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return {n.op_type for n in onnx.load(path).graph.node if n.domain == "com.microsoft"}


def check(model: onnx.ModelProto, path: Path, x: np.ndarray, tolerance: float) -> None:
    expected = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    (found,) = intaglio.InferenceSession(path, opt_level=0).run(None, {"x": x})
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_transformer(tmp_path: Path) -> None:
    path, model = tmp_path / "optimised.onnx", transformer()
    assert {"SkipLayerNormalization", "BiasGelu"} <= optimised(model, path)
    check(model, path, rng.standard_normal((2, 5, WIDTH)).astype(np.float32), 1e-4)


def test_convolutions(tmp_path: Path) -> None:
    path, model = tmp_path / "optimised.onnx", convolutions()
    assert {"FusedConv", "FusedMatMul"} <= optimised(model, path)
    check(model, path, rng.standard_normal((2, 3, 6, 5)).astype(np.float32), 1e-4)


def test_quantised_transformer(tmp_path: Path) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    source, quantised, path = (tmp_path / f"{name}.onnx" for name in ("source", "quantised", "optimised"))
    onnx.save(transformer(), source)
    quantization.quantize_dynamic(source, quantised, weight_type=quantization.QuantType.QUInt8)
    model = onnx.load(quantised)
    assert {"DynamicQuantizeMatMul"} & optimised(model, path)
    check(model, path, rng.standard_normal((2, 5, WIDTH)).astype(np.float32), 2e-2)
