"""Depthwise convolutions against ONNX's reference: padding on every side, rows shorter and longer than a register tile, every width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from intaglio.compiler.lowering import level_text  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

Pair = tuple[int, int]


def model(
    channels: int, plane: Any, kernel: Pair, batch: int | str = 1, bias: bool = True, blocked: bool = False, **window: Any
) -> onnx.ModelProto:
    """blocked: a pool, which is worth blocks of channels, follows; alone, the convolution stays on ONNX's own layout."""
    draw = np.random.default_rng(0)
    arrays = {"w": draw.uniform(-1, 1, (channels, 1, *kernel)), "b": draw.uniform(-1, 1, channels)}
    weights = [numpy_helper.from_array(arrays[n].astype(np.float32), n) for n in ("w", "b")[: 1 + bias]]
    conv = helper.make_node("Conv", ["x", "w", "b"][: 2 + bias], ["c"], group=channels, **window)
    nodes = [conv, helper.make_node("Sigmoid", ["c"], ["s"]), helper.make_node("Mul", ["c", "s"], ["m" if blocked else "y"])]
    if blocked:
        nodes.append(helper.make_node("MaxPool", ["m"], ["y"], kernel_shape=[1, 1]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, channels, *plane])
    graph = helper.make_graph(nodes, "g", [x], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


CASES: dict[str, dict[str, Any]] = {
    "same": {"plane": (14, 14), "kernel": (3, 3), "pads": [1, 1, 1, 1]},
    "a row of one tile": {"plane": (7, 7), "kernel": (5, 5), "pads": [2, 2, 2, 2]},
    "stride, odd": {"plane": (15, 37), "kernel": (5, 5), "strides": [2, 2], "pads": [2, 2, 2, 2], "batch": "n"},
    "uneven": {"plane": (20, 31), "kernel": (3, 5), "strides": [1, 3], "pads": [0, 4, 2, 1], "dilations": [2, 2]},
    "a filter beyond the image": {"plane": (3, 3), "kernel": (7, 7), "pads": [3, 3, 3, 3]},
    "no padding": {"plane": (3, 40), "kernel": (3, 3), "strides": [2, 2]},
    "a column": {"plane": (30, 1), "kernel": (3, 3), "pads": [1, 1, 1, 1], "bias": False},
    "more padding than image": {"plane": (1, 2), "kernel": (3, 3), "pads": [4, 4, 4, 4]},
    "padding of whole tiles": {"plane": (5, 60), "kernel": (3, 3), "pads": [1, 9, 1, 30]},
    "a long row of taps": {"plane": (5, 60), "kernel": (3, 15), "pads": [1, 7, 1, 7]},
    "more taps than are unrolled": {"plane": (2, 60), "kernel": (1, 17), "pads": [0, 8, 0, 8]},
    "rows of many tiles": {"plane": (5, 300), "kernel": (3, 3), "pads": [1, 1, 1, 1]},
    "rows of many tiles, stride": {"plane": (6, 521), "kernel": (3, 3), "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "a plane in parts": {"plane": (43, 31), "kernel": (3, 3), "pads": [1, 1, 1, 1]},
    "open plane": {"plane": ("h", "w"), "kernel": (3, 3), "pads": [1, 1, 1, 1], "size": (9, 21)},
}


@pytest.mark.parametrize("blocked", [True, False], ids=["blocked", "planar"])
@pytest.mark.parametrize("cpu", ["host", "x86-64-v3", "x86-64"])
@pytest.mark.parametrize("case", CASES)
def test_as_the_reference_says(case: str, cpu: str, blocked: bool) -> None:
    given = dict(CASES[case])
    plane = given.pop("size", given["plane"])
    for channels in (40,) if cpu == "host" else (16,):
        built = model(channels, blocked=blocked, **given)
        x = np.random.default_rng(1).uniform(-1, 1, (2 if given.get("batch") else 1, channels, *plane)).astype(np.float32)
        (wanted,) = ReferenceEvaluator(built).run(None, {"x": x})
        (found,) = intaglio.compile(built, cpu=cpu, opt_level=0).session().run(None, {"x": x})
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_it_is_one_dispatch_with_its_epilogue() -> None:
    built = [model(32, (14, 14), (3, 3), pads=[1, 1, 1, 1], blocked=blocked) for blocked in (True, False)]
    blocked, planar = (level_text(one.SerializeToString(), Options(), "dispatch") for one in built)
    assert blocked.count("dispatch.call") == 4  # pack, convolve, pool, unpack
    assert 'kind = "depthwise"' in blocked and "window = array<i64: 1, 1, 1, 1, 1, 1>" in blocked
    assert planar.count("dispatch.call") == 1 and 'kind = "planar_depthwise"' in planar


def test_a_plane_of_nothing() -> None:
    built = model(16, (4, 4), (3, 3), batch="n")
    assert intaglio.compile(built, opt_level=0).session().run(None, {"x": np.zeros((0, 16, 4, 4), np.float32)})[0].shape == (0, 16, 2, 2)
