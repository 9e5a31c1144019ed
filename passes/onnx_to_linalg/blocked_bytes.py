"""Convolutions of bytes on channel-blocked activations: contractions by dot products, depthwise ones in float32, which is exact too."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import IntegerAttr, i64

from ...dialects import blocked, dispatch
from ..scalar import FLOAT, INT32, Scalar
from .blocked import BLOCK, depthwise, in_blocks, pad_to
from .builder import Lowering, Tensor, element_type
from .byte_products import GROUP, INT8, Operand, emit_signed, known_array, left_operand, right_operand
from .contraction import panel_width, weight_id
from .quantization import quantise, rescaling
from .registry import lower
from .windows import pad_axes


@lower(blocked.ConvIntegerOp)
def conv_integer(b: Lowering, op: blocked.ConvIntegerOp, x: Tensor, w: Tensor, x_zero: Tensor | None, w_zero: Tensor | None) -> Tensor:
    return _sums(b, op, x, x_zero, w, w_zero)


@lower(blocked.QLinearConvOp)
def qlinear_conv(
    b: Lowering,
    op: blocked.QLinearConvOp,
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor,
    w: Tensor,
    w_scale: Tensor,
    w_zero: Tensor,
    scale: Tensor,
    zero: Tensor,
    bias: Tensor | None,
) -> Tensor:
    """The bias is quantised with x_scale * w_scale, as the sums are."""
    total, type = _sums(b, op, x, x_zero, w, w_zero), element_type(op.y)
    term = None if bias is None else in_blocks(b, bias)
    factors = rescaling(b, x_scale, w_scale, scale)
    by_channel = in_blocks(b, factors) if factors.rank else None

    def element(*i: Any) -> Scalar:
        value = total[i] if term is None else total[i] + term[i[1], i[4]]
        factor = factors.scalar() if by_channel is None else by_channel[i[1], i[4]]
        return quantise(b, b.s.cast(value, FLOAT) * factor, zero.scalar(), type)

    return b.compute(total.shape, type, element)


def _sums(b: Lowering, op: blocked.ByteConvOp, x: Tensor, x_zero: Tensor | None, w: Tensor, w_zero: Tensor | None) -> Tensor:
    if op.attr("depthwise"):
        return _depthwise(b, op, x, x_zero, w, w_zero)
    left, right = left_operand(b, x, x_zero), right_operand(b, w, w_zero, 0)
    shape, block = b.shapes.of(op.results[0]), x.shape[4]
    assert isinstance(block, int)
    (top, begin, bottom, end), channels = op.attr("pads"), w.shape[1]
    padded = pad_axes(b, left.bytes, (2, 3), (top, begin), (bottom, end), _fill(b, left))
    width = max(BLOCK, panel_width(b, w.shape[0], 32))
    filters = _packed_filters(b, right.bytes, block, width)
    window = (*op.attr("strides"), *op.attr("dilations"), int(channels))  # type: ignore[arg-type]
    contract = dispatch.ContractOp("conv", padded.value, filters.value, b.tensor_type(shape, INT32), b.dims(shape), window=window)
    contract.properties["products"] = IntegerAttr(int(np.prod([int(d) for d in w.shape])), i64)  # type: ignore[type-var, arg-type]
    total = emit_signed(b, contract, left.bytes.type, shape)
    if left.is_plain and right.is_plain:
        return total
    of_filters = None if left.is_plain else _filter_sums(b, right.bytes)
    of_windows = None if right.is_plain else _window_sums(b, op, padded, channels)
    zeros = None if right.zero_point is None or right.zero_point.size == 1 else in_blocks(b, right.zero_point)
    depth = int(np.prod([int(d) for d in w.shape[1:]]))  # type: ignore[arg-type]

    def element(*i: Any) -> Scalar:
        value = total[i]
        p = None if of_filters is None else left.zero(b, lambda t: t.scalar())
        q = None if of_windows is None else right.zero(b, lambda t: t.scalar() if zeros is None else zeros[i[1], i[4]])
        if of_filters is not None and p is not None:
            value = value - p * of_filters[i[1], i[4]]
        if of_windows is not None and q is not None:
            value = value - q * of_windows[i[0], i[2], i[3]]
        if p is not None and q is not None:
            value = value + p * q * depth
        return value

    return b.compute(shape, INT32, element)


def _fill(b: Lowering, x: Operand) -> int | Tensor:
    """What pads stand for: x's zero point, as its bytes have it."""
    if x.zero_point is None:
        return x.offset
    known = known_array(b, x.zero_point)
    if known is not None:
        return int(known.reshape(-1)[0]) + x.offset
    if not x.offset:
        return x.zero_point
    return b.compute((), x.bytes.type, lambda: b.s.cast(x.zero(b, lambda t: t.scalar()), x.bytes.type))


def _packed_filters(b: Lowering, w: Tensor, block: int, width: int) -> Tensor:
    """w (M, C, kh, kw) as (M/width, C/block, kh, kw, block/4, width, 4), zero beyond M and C."""
    id = f"{weight_id(w)}:conv{block}x{width}"
    if id not in b.weights:
        m, c, kh, kw = (int(d) for d in w.shape)  # type: ignore[arg-type]
        array = pad_to(_weight(b, w).reshape(m, c, kh, kw), (width, block, 1, 1))
        split = array.reshape(array.shape[0] // width, width, array.shape[1] // block, block // GROUP, GROUP, kh, kw)
        b.weights[id] = np.ascontiguousarray(split.transpose(0, 2, 5, 6, 3, 1, 4))
    return b.constant(b.weights[id], INT8, id)


def _filter_sums(b: Lowering, w: Tensor) -> Tensor:
    sums = _weight(b, w).reshape(int(w.shape[0]), -1).sum(1, dtype=np.int32)  # type: ignore[arg-type]
    return in_blocks(b, b.constant(sums, INT32, f"{weight_id(w)}:sums"))


def _window_sums(b: Lowering, op: blocked.ByteConvOp, x: Tensor, channels: Any) -> Tensor:
    """Sums of the bytes (n, oh, ow) that each window covers."""
    (sh, sw), (dh, dw), block = op.attr("strides"), op.attr("dilations"), x.shape[4]
    n, _, height, width, _ = b.shapes.of(op.results[0])

    def element(i: tuple[Any, ...], r: tuple[Any, ...]) -> Scalar:
        at = (i[0], r[0] // block, i[1] * sh + r[1] * dh, i[2] * sw + r[2] * dw, r[0] % block)
        return b.s.cast(x[at], INT32)

    return b.reduce((n, height, width), (channels, *op.attr("kernel_shape")), INT32, element, lambda a, v: a + v, 0)


def _depthwise(b: Lowering, op: blocked.ByteConvOp, x: Tensor, x_zero: Tensor | None, w: Tensor, w_zero: Tensor | None) -> Tensor:
    """In float32: differences of bytes have 9 bits, and the layout pass leaves what has too many products for 24."""

    def centred(*i: Any) -> Scalar:
        value = b.s.cast(x[i], INT32)
        return b.s.cast(value if x_zero is None else value - b.s.cast(x_zero.scalar(), INT32), FLOAT)

    zeros = np.zeros(1, np.int32) if w_zero is None else known_array(b, w_zero)
    assert zeros is not None, "the layout pass only blocks depthwise convolutions of bytes whose zero points it knows"
    filters = _weight(b, w).reshape([int(d) for d in w.shape]).astype(np.float32) - zeros.reshape(-1, 1, 1, 1)  # type: ignore[arg-type]
    taps = b.constant(filters.astype(np.float32), FLOAT)
    return b.cast(depthwise(b, op, b.compute(x.shape, FLOAT, centred), taps), INT32)


def _weight(b: Lowering, w: Tensor) -> np.ndarray:
    known = known_array(b, w)
    assert known is not None, "the layout pass only blocks convolutions with constant weights"
    return known
