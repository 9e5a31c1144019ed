"""Convolution and pooling on channel-blocked activations: contractions for the dense ones, vectors over the block for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import IntegerAttr, i64

from ...dialects import blocked, dispatch
from ...dialects.onnx.dims import Dim, Shape
from ..scalar import FLOAT, INDEX
from .builder import Lowering, Tensor
from .contraction import panel_width, weight_id
from .registry import lower
from .windows import pad_axes, tap_counter
from .winograd import winograd

BLOCK = blocked.BLOCK
MOST_TAPS = 16
"""Taps of a row of a depthwise filter, or of a window, that their strategies unroll."""


@lower(blocked.PackOp)
def lower_pack(b: Lowering, op: blocked.PackOp, x: Tensor) -> Tensor:
    block, channels = op.attr("block"), x.shape[1]
    assert isinstance(channels, int)

    def element(n: Any, cb: Any, h: Any, w: Any, c: Any) -> Any:
        if channels % block == 0:
            return x[n, cb * block + c, h, w]
        channel = b.s.operand(cb * block + c, INDEX)
        return b.s.select(channel < channels, x[n, b.s.min(channel, channels - 1), h, w], 0)

    return b.compute(b.shapes.of(op.y), x.type, element, doc="pack channels")


@lower(blocked.UnpackOp)
def lower_unpack(b: Lowering, op: blocked.UnpackOp, x: Tensor) -> Tensor:
    n, channels, h, w = b.shapes.of(op.y)
    assert isinstance(channels, int)
    block = x.shape[4]
    assert isinstance(block, int)
    if channels % block == 0:
        split = b.compute((n, channels // block, block, h, w), x.type, lambda n, cb, c, h, w: x[n, cb, h, w, c], doc="unpack channels")
        return b.reshape(split, (n, channels, h, w))
    return b.compute((n, channels, h, w), x.type, lambda n, c, h, w: x[n, c // block, h, w, c % block], doc="unpack channels")


@lower(blocked.ConvOp)
def lower_conv(b: Lowering, op: blocked.ConvOp, x: Tensor, w: Tensor, bias: Tensor | None, scale: Tensor | None) -> Tensor:
    if op.attr("winograd"):
        result = winograd(b, op, x, w)
    elif op.attr("depthwise"):
        result = depthwise(b, op, x, w)
    else:
        result = _dense(b, op, _padded(b, op, x, 0.0), w, scale)
    if bias is None:
        return result
    term = in_blocks(b, bias)
    return b.compute(result.shape, FLOAT, lambda *i: result[i] + term[i[1], i[4]])


def _padded(b: Lowering, op: Any, x: Tensor, value: float) -> Tensor:
    top, left, bottom, right = op.attr("pads")
    return pad_axes(b, x, (2, 3), (top, left), (bottom, right), value)


def _dense(b: Lowering, op: blocked.ConvOp, x: Tensor, w: Tensor, scale: Tensor | None) -> Tensor:
    """A contraction over taps and channel blocks."""
    shape = b.shapes.of(op.y)
    block = x.shape[4]
    assert isinstance(block, int)
    width = max(BLOCK, panel_width(b, w.shape[0], 32))
    panels = packed = _packed_weights(b, w, block, width)
    if scale is not None:
        panels = b.compute(packed.shape, FLOAT, lambda *i: packed[i] * scale[0, i[1], 0, 0, i[4]], doc="scale filters")
    return _contracted(b, "conv", x, panels, shape, (*op.attr("strides"), *op.attr("dilations"), int(w.shape[1])), w.size)  # type: ignore[arg-type]


def _contracted(b: Lowering, kind: str, x: Tensor, filters: Tensor, shape: Shape, window: Sequence[int], products: Dim) -> Tensor:
    """The contraction of x and packed filters; products: of the channels of one place, for profiles."""
    contract = dispatch.ContractOp(kind, x.value, filters.value, b.tensor_type(shape, FLOAT), b.dims(shape), window=window)
    assert isinstance(products, int), "weights are constants"
    contract.properties["products"] = IntegerAttr(products, i64)
    b.emit(contract)
    return Tensor(b, contract.result, tuple(shape), FLOAT)


def _packed_weights(b: Lowering, w: Tensor, block: int, width: int) -> Tensor:
    """w (M, C, kh, kw) as (M/width, C/block, kh, kw, block, width), zero beyond M and C, at compile time."""
    weight = weight_id(w)
    assert weight is not None, "the layout pass only blocks convolutions with constant weights"
    id = f"{weight}:conv{block}x{width}"
    if id not in b.weights:
        m, c, kh, kw = (int(d) for d in w.shape)  # type: ignore[arg-type]
        array = pad_to(b.weights[weight].reshape(m, c, kh, kw), (width, block, 1, 1))
        split = array.reshape(array.shape[0] // width, width, array.shape[1] // block, block, kh, kw)
        b.weights[id] = np.ascontiguousarray(split.transpose(0, 2, 4, 5, 3, 1))
    return b.constant(b.weights[id], FLOAT, id)


def depthwise(b: Lowering, op: Any, x: Tensor, w: Tensor) -> Tensor:
    weight = weight_id(w)
    assert weight is not None
    id = f"{weight}:depthwise"
    if id not in b.weights:
        m, _, kh, kw = (int(d) for d in w.shape)  # type: ignore[arg-type]
        array = pad_to(b.weights[weight].reshape(m, kh, kw), (BLOCK, 1, 1))
        b.weights[id] = np.ascontiguousarray(array.reshape(-1, BLOCK, kh, kw).transpose(0, 2, 3, 1))
    taps, shape = b.constant(b.weights[id], FLOAT, id), b.shapes.of(op.y)
    (sh, sw), (dh, dw) = op.attr("strides"), op.attr("dilations")
    if _is_known_plane(x.shape, shape) and op.attr("kernel_shape")[1] <= MOST_TAPS:
        return _contracted(b, "depthwise", x, taps, shape, (sh, sw, dh, dw, *op.attr("pads")[:2]), w.size)
    padded = _padded(b, op, x, 0.0)

    def element(i: tuple[Any, ...], r: tuple[Any, ...]) -> Any:
        n, cb, y, x_, c = i
        return padded[n, cb, y * sh + r[0] * dh, x_ * sw + r[1] * dw, c] * taps[cb, r[0], r[1], c]

    return b.reduce(shape, op.attr("kernel_shape"), FLOAT, element, lambda a, v: a + v, 0.0)


def _is_known_plane(*shapes: Shape) -> bool:
    return all(isinstance(d, int) for shape in shapes for d in shape[2:4])


def in_blocks(b: Lowering, values: Tensor) -> Tensor:
    """Constants (M) of the channels as (M/16, 16), zero beyond M."""
    weight = weight_id(values)
    assert weight is not None
    id = f"{weight}:blocked"
    if id not in b.weights:
        b.weights[id] = pad_to(b.weights[weight].reshape(-1), (BLOCK,)).reshape(-1, BLOCK)
    return b.constant(b.weights[id], values.type, id)


def pad_to(array: np.ndarray, multiples: Sequence[int]) -> np.ndarray:
    pads = [(0, -d % m) for d, m in zip(array.shape, multiples, strict=True)]
    return np.pad(array, pads) if any(p for _, p in pads) else array


@lower(blocked.PoolOp)
def lower_pool(b: Lowering, op: blocked.PoolOp, x: Tensor) -> Tensor:
    if op.attr("kind") == "max":
        return _folded(b, op, x, "max_pool")
    total = _folded(b, op, x, "sum_pool")
    rows, columns = (_counter(b, op, x, axis) for axis in (0, 1))
    return b.compute(total.shape, FLOAT, lambda *i: total[i] / (rows(i[2]) * columns(i[3])))


def _folded(b: Lowering, op: blocked.PoolOp, x: Tensor, kind: str) -> Tensor:
    """The largest or the sum of each window's elements; the plane's size is known."""
    shape, taps = b.shapes.of(op.y), op.attr("kernel_shape")
    (sh, sw), (dh, dw) = op.attr("strides"), op.attr("dilations")
    if taps[1] <= MOST_TAPS:
        windows = b.constant(np.ones((1, *taps, 1), np.float32), FLOAT, f"windows:{taps[0]}x{taps[1]}")
        return _contracted(b, kind, x, windows, shape, (sh, sw, dh, dw, *op.attr("pads")[:2]), 0)
    start = float("-inf") if kind == "max_pool" else 0.0
    padded = _padded(b, op, x, start)

    def element(i: tuple[Any, ...], r: tuple[Any, ...]) -> Any:
        n, cb, y, x_, c = i
        return padded[n, cb, y * sh + r[0] * dh, x_ * sw + r[1] * dw, c]

    return b.reduce(shape, taps, FLOAT, element, lambda a, v: b.s.max(a, v) if kind == "max_pool" else a + v, start)


def _counter(b: Lowering, op: blocked.PoolOp, x: Tensor, axis: int) -> Callable[[Any], Any]:
    """Taps of a window along an axis that an average counts: those on the input, or on declared padding too."""
    begin, end = op.attr("pads")[axis], op.attr("pads")[axis + 2]
    taps, stride, dilation = (op.attr(name)[axis] for name in ("kernel_shape", "strides", "dilations"))
    size = x.shape[2 + axis]
    between = (-begin, size + (end - op.attr("overhang")[axis])) if op.attr("count_include_pad") else (0, size)
    if begin == end == 0:
        return lambda place: b.s.const(taps, FLOAT)
    return tap_counter(b, b.shapes.of(op.y)[2 + axis], between, taps, stride, dilation, begin, FLOAT)
