"""Derivatives of pools: means spread their gradient over the window, maxima give it to the element that they took."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from ....dialects.onnx import conv, indexing, reduction
from ....dialects.onnx import pooling as ops
from ....dialects.onnx.types import BY_IR
from ....dialects.onnx.windows import Windows
from .builder import Gradients, Term
from .conv import known_pads, spread
from .registry import expansion, gradient


@gradient(ops.AveragePoolOp)
def _(g: Gradients, op: ops.AveragePoolOp, dy: Term) -> Any:
    windows = op.windows(g.shapes)
    begin, end = known_pads(g, op, windows)
    share = dy / _counts(g, op, windows, begin, end, dy)
    x = g.term(op.x)
    planes, pooled = (g.reshape(t, -1, 1, g.sizes(t, 2)) for t in (x, share))
    return (g.reshape_like(spread(g, pooled, _ones(g, windows, dy), windows, begin, planes, 1), x),)


def _counts(g: Gradients, op: ops.AveragePoolOp, windows: Windows, begin: list[int], end: list[int], like: Term) -> Term:
    """How many elements each window counts: those inside of the input, or of the padded input."""
    counts: list[np.ndarray] = []
    padded, whole = bool(op.attr("count_include_pad")), not op.attr("ceil_mode")
    for k, size in enumerate(g.term(op.x).shape[2:]):
        taps, stride, dilation = int(windows.kernel[k]), windows.strides[k], windows.dilations[k]  # type: ignore[arg-type]
        if whole and (padded or (begin[k], end[k]) == (0, 0)):
            counts.append(np.full(1, taps))
            continue
        if not isinstance(size, int):
            raise g.refused(op, "windows over the border of an axis whose size only the run knows")
        starts = np.arange(int(windows.output[k])) * stride - begin[k]  # type: ignore[arg-type]
        at = starts[:, None] + np.arange(taps) * dilation
        low, high = (-begin[k], size + end[k]) if padded else (0, size)
        counts.append(((at >= low) & (at < high)).sum(axis=1))
    return g.array(np.asarray(reduce(np.multiply.outer, counts), BY_IR[like.element].numpy))


def _ones(g: Gradients, windows: Windows, like: Term) -> Term:
    return g.array(np.ones((1, 1, *map(int, windows.kernel)),  # pyright: ignore[reportArgumentType]
        BY_IR[like.element].numpy))


@gradient(ops.MaxPoolOp)
def _(g: Gradients, op: ops.MaxPoolOp, dy: Term, *_: Any) -> Any:
    x = g.term(op.x)
    windows = {name: op.attr(name) for name in ("kernel_shape", "strides", "dilations", "pads", "auto_pad", "ceil_mode")}
    taken = g.call_many(ops.MaxPoolOp, 2, x, **windows)[1]
    return (_put_back(g, x, taken, dy),)


def _put_back(g: Gradients, x: Term, taken: Term, dy: Term) -> Term:
    """Zeros of x's shape, to which dy is added at flat indices."""
    zeros = g.flat(g.full(x, 0))
    put = g.call(indexing.ScatterElementsOp, zeros, g.flat(taken), g.flat(dy), axis=0, reduction="add")
    return g.reshape_like(put, x)


@gradient(ops.MaxUnpoolOp)
def _(g: Gradients, op: ops.MaxUnpoolOp, dy: Term) -> Any:
    if op.output_shape is not None:
        raise g.refused(op, "an output_shape, by which indices are counted anew")
    indices = g.term(op.indices)
    return (g.reshape_like(g.call(indexing.GatherOp, g.flat(dy), g.flat(indices)), indices),)


@expansion(ops.LpPoolOp)
def _(g: Gradients, op: ops.LpPoolOp) -> Any:
    """The sum over a window is a convolution with ones."""
    x, p, windows = g.term(op.x), op.attr("p"), op.windows(g.shapes)
    begin, end = known_pads(g, op, windows)
    if op.attr("ceil_mode"):
        raise g.refused(op, "ceil_mode")
    planes = g.reshape(_power(g, x, p), -1, 1, g.sizes(x, 2))
    total = g.call(
        conv.ConvOp, planes, _ones(g, windows, x), strides=windows.strides, dilations=windows.dilations, pads=[*begin, *end]
    )
    y = g.term(op.y)
    return (g.reshape_like(total, y) ** (1 / p),)


@expansion(ops.GlobalLpPoolOp)
def _(g: Gradients, op: ops.GlobalLpPoolOp) -> Any:
    x, p = g.term(op.x), op.attr("p")
    return (g.sum(_power(g, x, p), *range(2, x.rank)) ** (1 / p),)


def _power(g: Gradients, x: Term, p: int) -> Term:
    return g.abs(x) if p == 1 else x * x if p == 2 else g.abs(x) ** p


@expansion(ops.GlobalAveragePoolOp)
def _(g: Gradients, op: ops.GlobalAveragePoolOp) -> Any:
    x = g.term(op.x)
    return (g.mean(x, *range(2, x.rank)),)


@expansion(ops.GlobalMaxPoolOp)
def _(g: Gradients, op: ops.GlobalMaxPoolOp) -> Any:
    x = g.term(op.x)
    return (g.call(reduction.ReduceMaxOp, x, g.ints(*range(2, x.rank)), keepdims=1) if x.rank > 2 else x,)
