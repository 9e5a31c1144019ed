"""Convolutions on ONNX's own layout against ONNX's reference: groups of no whole blocks, every number of axes, tiles that overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from intaglio.compiler.lowering import level_text  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from intaglio.passes.codegen.planar import pixels_of_tile  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402


def model(channels: int, filters: int, group: int, plane: Any, kernel: Any, batch: int | str = 1, bias: bool = True, **window: Any) -> Any:
    draw = np.random.default_rng(0)
    arrays = {"w": draw.uniform(-1, 1, (filters, channels // group, *kernel)), "b": draw.uniform(-1, 1, filters)}
    weights = [numpy_helper.from_array(arrays[n].astype(np.float32), n) for n in ("w", "b")[: 1 + bias]]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"][: 2 + bias], ["c"], group=group, **window),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Mul", ["c", "r"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, channels, *plane])
    graph = helper.make_graph(nodes, "g", [x], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


CASES: dict[str, dict[str, Any]] = {
    "one row of all pixels": {"channels": 12, "filters": 68, "group": 2, "plane": (7, 9), "kernel": (1, 1)},
    "few pixels": {"channels": 12, "filters": 6, "group": 3, "plane": (3, 1), "kernel": (1, 1), "batch": "n"},
    "padding": {"channels": 10, "filters": 34, "group": 2, "plane": (9, 28), "kernel": (3, 3), "pads": [1, 1, 1, 1]},
    "stride, odd": {"channels": 8, "filters": 8, "group": 2, "plane": (15, 37), "kernel": (5, 4), "strides": [2, 3], "pads": [2, 1, 0, 3]},
    "dilated": {"channels": 4, "filters": 20, "group": 2, "plane": (9, 11), "kernel": (3, 2), "dilations": [2, 3], "strides": [1, 2]},
    "a pixel of each few": {"channels": 6, "filters": 6, "group": 2, "plane": (9, 11), "kernel": (1, 1), "strides": [2, 3], "bias": False},
    "one axis": {"channels": 6, "filters": 10, "group": 2, "plane": (83,), "kernel": (3,), "pads": [1, 1]},
    "three axes": {"channels": 3, "filters": 7, "group": 1, "plane": (5, 6, 19), "kernel": (3, 2, 3), "pads": [1, 0, 1, 1, 1, 1]},
    "three axes, stride": {"channels": 3, "filters": 7, "group": 1, "plane": (5, 6, 9), "kernel": (3, 3, 3), "strides": [2, 1, 2]},
    "more filters than pixels": {"channels": 6, "filters": 120, "group": 3, "plane": (2, 17), "kernel": (2, 2)},
}


@pytest.mark.parametrize("cpu", ["host", "x86-64-v3", "x86-64"])
@pytest.mark.parametrize("case", CASES)
def test_as_the_reference_says(case: str, cpu: str) -> None:
    built = model(**CASES[case])
    sizes = (2 if CASES[case].get("batch") else 1, CASES[case]["channels"], *CASES[case]["plane"])
    x = np.random.default_rng(1).uniform(-1, 1, sizes).astype(np.float32)
    (wanted,) = ReferenceEvaluator(built).run(None, {"x": x})
    (found,) = intaglio.compile(built, cpu=cpu, opt_level=0).session().run(None, {"x": x})
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_it_is_one_dispatch_with_its_epilogue() -> None:
    text = level_text(model(12, 12, 2, (7, 7), (1, 1)).SerializeToString(), Options(), "dispatch")
    assert text.count("dispatch.call") == 1 and 'kind = "planar"' in text


@pytest.mark.parametrize("height", [1, 2, 7, 14])
@pytest.mark.parametrize("width", [1, 7, 14, 16, 20, 28, 49, 56, 196, 784])
@pytest.mark.parametrize("vectors", [1, 2, 3, 6])
def test_tiles_cover_the_plane(height: int, width: int, vectors: int) -> None:
    found = pixels_of_tile(height, width, 16, vectors)
    assert 0 < found.down * found.across <= vectors and found.down <= height
    step = found.across * found.lanes
    assert -(-width // step) == width // step + bool(width % step)
    assert found.tail in range(found.across) and (not found.tail or width % step <= found.tail * found.lanes)
    assert found.masked == (width if width < found.lanes else 0)
