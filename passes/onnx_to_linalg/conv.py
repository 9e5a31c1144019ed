"""Convolution of any rank and grouping on ONNX's own layout; two-dimensional ones mostly run blocked (blocked.py) instead."""

from __future__ import annotations

from typing import Any

from ...dialects.onnx.conv import ConvOp
from ...dialects.onnx.dims import Shape, floordiv
from ...dialects.onnx.types import ElementType
from ...dialects.onnx.windows import Windows
from ..scalar import INDEX
from .builder import Lowering, Tensor, element_type
from .contraction import ACCUMULATORS
from .planar import is_planar, is_planar_depthwise, planar, planar_depthwise
from .registry import lower
from .windows import padded


@lower(ConvOp)
def lower_conv(b: Lowering, op: ConvOp, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """y[n, m, o] = bias[m] + sum over c, k of x[n, c, o * stride + k * dilation - pad] * w[m, c, k]."""
    windows = op.windows(b.shapes)
    shape = b.shapes.of(op.y)
    type = element_type(op.y)
    accumulator = ACCUMULATORS[type.name]
    if is_planar_depthwise(x, w, windows, op.attr("group"), shape):
        return add_bias(b, planar_depthwise(b, x, w, windows, shape), bias, type)
    if is_planar(x, w, windows, shape):
        return add_bias(b, planar(b, x, w, windows, op.attr("group"), shape), bias, type)
    total = convolve(b, padded(b, op, x, windows, 0), w, windows, op.attr("group"), shape, accumulator)
    return add_bias(b, total, bias, type)


def convolve(b: Lowering, x: Tensor, w: Tensor, windows: Windows, group: int, shape: Shape, accumulator: ElementType) -> Tensor:
    """The sum alone, in the accumulator's type, of an input with its padding in place; `shape` is the result's."""
    per_group = floordiv(shape[1], group)
    channels = w.shape[1]
    grouped = (shape[0], group, per_group, *shape[2:])

    def element(i: tuple[Any, ...], r: tuple[Any, ...]) -> Any:
        n, g, m, *out = i
        c, *taps = r
        at = [o * s + k * d for o, k, s, d in zip(out, taps, windows.strides, windows.dilations, strict=True)]
        channel = c + g * channels if isinstance(channels, int) else b.s.operand(g, INDEX) * b.index(channels) + c
        filter = g * per_group + m if isinstance(per_group, int) else b.s.operand(g, INDEX) * b.index(per_group) + m
        return b.s.cast(x[(n, channel, *at)], accumulator) * b.s.cast(w[(filter, c, *taps)], accumulator)

    total = b.reduce(grouped, (channels, *windows.kernel), accumulator, element, lambda a, v: a + v, 0)
    return b.reshape(total, shape)


def add_bias(b: Lowering, total: Tensor, bias: Tensor | None, type: ElementType) -> Tensor:
    """A sum plus one bias per channel (axis 1), as elements of `type`."""
    if bias is None:
        return b.cast(total, type)
    return b.compute(total.shape, type, lambda *i: b.s.cast(total[i] + b.s.cast(bias[i[1]], total.type), type))
