"""Products with weights of four and eight bits, scaled by blocks, against float64: every type, both axes, few rows and many, open sizes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from intaglio.compiler.lowering import level_text  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

TYPES = {"uint4": ml_dtypes.uint4, "int4": ml_dtypes.int4, "uint8": np.uint8, "int8": np.int8}
DEPTH, COLUMNS = 96, 37


def weights(type: str, block: int, points: bool) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Codes (K, N), their scales and zero points; and what they stand for."""
    draw, (low, high) = np.random.default_rng(0), (0, 1 << int(type[-1])) if type[0] == "u" else (-(1 << int(type[-1]) - 1),) * 2
    high = high if type[0] == "u" else -low
    shape = (DEPTH // block, COLUMNS)
    codes, zeros = draw.integers(low, high, (DEPTH, COLUMNS)), draw.integers(low, high, shape) * points
    scales = draw.uniform(0.1, 1, shape).astype(np.float32)
    real = (codes - np.repeat(zeros, block, 0)) * np.repeat(scales.astype(np.float64), block, 0)
    arrays = {"w": codes.astype(TYPES[type]), "s": scales}
    return arrays | ({"z": zeros.astype(TYPES[type])} if points else {}), real


def model(arrays: dict[str, np.ndarray], block: int, rows: Any, turned: bool) -> Any:
    """max(x w + b, 0) by DequantizeLinear and MatMul; turned: of weights (N, K)."""
    constants = {name: np.ascontiguousarray(a.T) if turned else a for name, a in arrays.items()}
    constants["b"] = np.linspace(-9, 9, COLUMNS, dtype=np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", list(arrays), ["f"], axis=int(turned), block_size=block),
        *([helper.make_node("Transpose", ["f"], ["t"], perm=[1, 0])] if turned else []),
        helper.make_node("MatMul", ["x", "t" if turned else "f"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [*rows, DEPTH])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    kept = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def check(built: Any, real: np.ndarray, rows: tuple[int, ...], cpu: str = "host") -> None:
    x = np.random.default_rng(1).standard_normal((*rows, DEPTH)).astype(np.float32)
    (found,) = intaglio.compile(built, cpu=cpu, opt_level=1, cache=False).session().run(None, {"x": x})
    wanted = np.maximum(x.astype(np.float64) @ real + np.linspace(-9, 9, COLUMNS, dtype=np.float32), 0)
    scale = np.abs(x.astype(np.float64)) @ np.abs(real) + 9
    assert found.shape == wanted.shape and np.all(np.abs(found - wanted) <= 3e-6 * scale)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("points", [False, True])
@pytest.mark.parametrize("type", TYPES)
def test_types(type: str, points: bool, turned: bool) -> None:
    arrays, real = weights(type, 16, points)
    built = model(arrays, 16, (3,), turned)
    assert "few_bits" in level_text(built.SerializeToString(), Options(), "dispatch")
    check(built, real, (3,))


@pytest.mark.parametrize("cpu", ["host", "x86-64-v3", "x86-64"])
@pytest.mark.parametrize("rows", [(1,), (4,), (27,), (2, 0), (2, 1, 5)])
def test_rows(rows: tuple[int, ...], cpu: str) -> None:
    arrays, real = weights("uint4", 32, True)
    check(model(arrays, 32, rows, True), real, rows, cpu)


@pytest.mark.parametrize("rows", [0, 1, 6, 30])
def test_open_rows(rows: int) -> None:
    arrays, real = weights("int4", 32, False)
    check(model(arrays, 32, ("n",), False), real, (rows,))


def test_rows_that_evict_each_other_are_packed() -> None:
    draw = np.random.default_rng(0)
    x, codes = draw.standard_normal((30, 1024)).astype(np.float32), draw.integers(0, 16, (1024, 8)).astype(ml_dtypes.uint4)
    kept = [numpy_helper.from_array(codes, "w"), numpy_helper.from_array(np.full((16, 8), 0.5, np.float32), "s")]
    nodes = [helper.make_node("DequantizeLinear", ["w", "s"], ["f"], axis=0, block_size=64), helper.make_node("MatMul", ["x", "f"], ["y"])]
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    built = helper.make_model(helper.make_graph(nodes, "g", *values, kept), opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (found,) = intaglio.compile(built, opt_level=1, cache=False).session().run(None, {"x": x})
    np.testing.assert_allclose(found, x.astype(np.float64) @ codes.astype(np.float64) * 0.5, rtol=1e-4, atol=1e-3)


def test_other_products_stay_as_they_were() -> None:
    """Scales of columns, not of blocks along K, and blocks that are no whole words."""
    arrays, _ = weights("uint4", 16, False)
    for change in ({"axis": 1, "block_size": 0}, {"block_size": 4}):
        built = model(arrays, 16, (3,), False)
        node = built.graph.node[0]
        for attribute in node.attribute:
            attribute.i = change.get(attribute.name, attribute.i)
        scales = np.ones(COLUMNS if "axis" in change else (24, COLUMNS), np.float32)
        built.graph.initializer[1].CopyFrom(numpy_helper.from_array(scales, "s"))
        assert "few_bits" not in level_text(built.SerializeToString(), Options(), "dispatch")


@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_scale_for_all_blocks(shape: tuple[int, ...]) -> None:
    arrays, _ = weights("uint4", 16, False)
    arrays["s"] = np.full(shape, 0.5, np.float32)
    real = arrays["w"].astype(np.float64) * 0.5
    check(model(arrays, 16, (3,), False), real, (3,))


def test_an_open_depth_is_checked() -> None:
    arrays, real = weights("uint4", 16, False)
    built = model(arrays, 16, (3,), False)
    built.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "k"
    check(built, real, (3,))
    with pytest.raises(intaglio.IntaglioError, match="ITG5"):
        intaglio.compile(built, opt_level=1, cache=False).session().run(None, {"x": np.zeros((3, DEPTH - 16), np.float32)})
