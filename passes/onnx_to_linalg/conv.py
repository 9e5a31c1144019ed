"""Convolution of any rank and grouping on ONNX's own layout; two-dimensional ones mostly run blocked (blocked.py) instead."""

from __future__ import annotations

from typing import Any

from ...dialects.onnx.conv import ConvOp
from .builder import Lowering, Tensor, element_type
from .contraction import ACCUMULATORS
from .registry import lower
from .windows import pad_axes


@lower(ConvOp)
def lower_conv(b: Lowering, op: ConvOp, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """y[n, m, o] = bias[m] + sum over c, k of x[n, c, o * stride + k * dilation - pad] * w[m, c, k]."""
    windows = op.windows(b.shapes)
    group = op.attr("group")
    spatial = len(windows.output)
    axes = range(2, 2 + spatial)
    padded = pad_axes(b, x, axes, windows.pads_begin, windows.pads_end, 0)
    shape = b.shapes.of(op.y)
    type = element_type(op.y)
    accumulator = ACCUMULATORS[type.name]
    per_group = shape[1] // group
    channels = w.shape[1]
    grouped = (shape[0], group, per_group, *shape[2:])

    def element(i: tuple[Any, ...], r: tuple[Any, ...]) -> Any:
        n, g, m, *out = i
        c, *taps = r
        at = [o * s + k * d for o, k, s, d in zip(out, taps, windows.strides, windows.dilations, strict=True)]
        channel = c + g * channels if isinstance(channels, int) else b.s.operand(g, _index()) * b.index(channels) + c
        filter = g * per_group + m if isinstance(per_group, int) else b.s.operand(g, _index()) * b.index(per_group) + m
        return b.s.cast(padded[(n, channel, *at)], accumulator) * b.s.cast(w[(filter, c, *taps)], accumulator)

    total = b.reduce(grouped, (channels, *windows.kernel), accumulator, element, lambda a, v: a + v, 0.0)
    total = b.reshape(total, shape)
    if bias is None:
        return b.cast(total, type)
    return b.compute(shape, type, lambda *i: b.s.cast(total[i] + b.s.cast(bias[i[1]], accumulator), type))


def _index() -> Any:
    from ..scalar import INDEX

    return INDEX
