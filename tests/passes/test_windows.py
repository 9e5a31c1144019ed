"""Reductions over windows as vectors: strides, dilations, pads, rows that no tile of vectors fits, element types, NaN, what follows."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from onnx import helper  # noqa: E402


def run(text: str, x: np.ndarray) -> list[np.ndarray]:
    """Outputs y0, y1, .. of nodes on an input x."""
    nodes = onnx.parser.parse_graph(f"g (float x) => (float y) {{ {text} }}").node
    given = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
    outputs = [onnx.ValueInfoProto(name=name) for node in nodes for name in node.output if name.startswith("y")]
    graph = helper.make_graph(nodes, "g", [given], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return intaglio.InferenceSession(model, opt_level=1).run(None, {"x": x})


def taps(x: np.ndarray, kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...], dilations: tuple[int, ...]) -> np.ndarray:
    """The elements of each window along a last axis, NaN where they are padding."""
    axes = len(kernel)
    padded = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *zip(pads[:axes], pads[axes:], strict=True)], constant_values=np.nan)
    reach = [(n - 1) * d + 1 for n, d in zip(kernel, dilations, strict=True)]
    found = np.lib.stride_tricks.sliding_window_view(padded, reach, tuple(range(2, 2 + axes)))
    steps = (slice(None), slice(None), *(slice(None, None, s) for s in strides), *(slice(None, None, d) for d in dilations))
    return found[steps].reshape(*found[steps].shape[: 2 + axes], -1)


@pytest.mark.parametrize(
    ("shape", "kernel", "strides", "pads", "dilations"),
    [
        ((1, 3, 9, 23), (3, 3), (2, 2), (1, 1, 1, 1), (1, 1)),
        ((2, 1, 7, 140), (2, 2), (2, 2), (0, 0, 0, 0), (1, 1)),
        ((1, 2, 6, 70), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
        ((1, 1, 9, 90), (5, 4), (3, 3), (2, 1, 1, 2), (1, 1)),
        ((1, 1, 5, 133), (2, 3), (4, 4), (0, 0, 0, 0), (1, 1)),
        ((1, 1, 9, 50), (3, 3), (1, 2), (1, 2, 1, 2), (2, 3)),
        ((3, 2, 130), (3,), (2,), (1, 1), (1,)),
        ((1, 1, 4, 5, 37), (2, 2, 1), (2, 1, 2), (0,) * 6, (1, 1, 1)),
        ((1, 1, 1, 200), (1, 50), (1, 1), (0,) * 4, (1, 1)),
    ],
)
def test_pools(
    shape: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...], dilations: tuple[int, ...]
) -> None:
    x = np.random.default_rng(1).integers(-100, 100, shape).astype(np.float32)
    names = {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": dilations}
    window = ", ".join(f"{name} = {list(values)}" for name, values in names.items())
    text = f"y0 = MaxPool <{window}> (x)  m = AveragePool <{window}> (x)  y1 = Relu (m)  y2 = LpPool <{window}, p = 2> (x)"
    more = f"y3 = AveragePool <{window}, count_include_pad = 1> (x)  b = Cast <to = 3> (x)  y4 = MaxPool <{window}> (b)"
    found = run(f"{text} {more}", x)
    held = taps(x, kernel, strides, pads, dilations)
    largest, total = np.nanmax(held, -1), np.nansum(held, -1)
    np.testing.assert_array_equal(found[0], largest)
    np.testing.assert_allclose(found[1], np.maximum(total / (~np.isnan(held)).sum(-1), 0), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found[2], np.sqrt(np.nansum(held**2, -1)), rtol=1e-5)
    np.testing.assert_allclose(found[3], total / held.shape[-1], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found[4], largest)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
@pytest.mark.parametrize("last", [2, 3, 4, 5])
def test_short_last_axes(dtype: type, last: int) -> None:
    x = np.random.default_rng(2).integers(1, 5, (37, last)).astype(dtype)
    text = "y0 = ReduceMax <keepdims = 0> (x, a)  y1 = ReduceMin <keepdims = 0> (x, a)"
    more = "  y2 = ReduceSum <keepdims = 0> (x, a)  y3 = ReduceProd <keepdims = 0> (x, a)" if dtype != np.uint8 else ""
    found = run(f"a = Constant <value_ints = [1]> ()  {text}{more}", x)
    for y, fold in zip(found, (np.max, np.min, np.sum, np.prod), strict=False):
        np.testing.assert_array_equal(y, fold(x, 1))


def test_nan_spreads() -> None:
    x = np.zeros((1, 1, 3, 40), np.float32)
    x[0, 0, 2, 11] = np.nan
    (y,) = run("y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x)", x)
    assert np.argwhere(np.isnan(y)).tolist() == [[0, 0, 1, 5], [0, 0, 1, 6]]
