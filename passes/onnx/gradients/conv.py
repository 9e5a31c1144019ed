"""Derivatives of convolutions, each by the other kind of convolution; pools take `spread` from here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.onnx import conv as ops
from ....dialects.onnx import slicing
from ....dialects.onnx.base import OnnxOp
from ....dialects.onnx.windows import Windows
from .builder import Gradients, Term
from .registry import gradient


@gradient(ops.ConvOp)
def _(g: Gradients, op: ops.ConvOp, dy: Term) -> Any:
    x, w, bias = g.terms(op.x, op.w, op.b)
    windows, group = op.windows(g.shapes), op.attr("group")
    begin, end = known_pads(g, op, windows)
    dx = spread(g, dy, w, windows, begin, x, group)
    dw = _correlated(g, x, dy, windows, [*begin, *end], w, group)
    return dx, dw, None if bias is None else _over_channels(g, dy)


@gradient(ops.ConvTransposeOp)
def _(g: Gradients, op: ops.ConvTransposeOp, dy: Term) -> Any:
    """x is spread over the result, so its gradient is the convolution of the result's with the same filters."""
    x, w, bias = g.terms(op.x, op.w, op.b)
    windows, group = op.windows(g.shapes), op.attr("group")
    begin, end = known_pads(g, op, windows)
    pads = [*begin, *end]
    gathered = g.call(ops.ConvOp, dy, w, group=group, strides=windows.strides, dilations=windows.dilations, pads=pads)
    dx = fitted(g, gathered, x, [0] * len(begin))
    dw = _correlated(g, dy, x, windows, pads, w, group)
    return dx, dw, None if bias is None else _over_channels(g, dy)


def spread(g: Gradients, dy: Term, w: Term, windows: Windows, begin: Sequence[int], x: Term, group: int) -> Term:
    """Adds every element of dy, times the filters, to the window of x that it came from."""
    full = g.call(ops.ConvTransposeOp, dy, w, group=group, strides=windows.strides, dilations=windows.dilations)
    return fitted(g, full, x, begin)


def fitted(g: Gradients, full: Term, x: Term, begin: Sequence[int]) -> Term:
    """The spatial part of `full` that begins at `begin` and is as large as x's, filled up with zeros at the end.

    Where strides step over the end of a padded input, its last elements are in no window.
    """
    if full.shape[2:] == x.shape[2:] and not any(begin):
        return full
    here = g.ints(*begin)
    end = g.sizes(x, 2) + here - g.sizes(full, 2)
    pads = g.call(slicing.ConcatOp, [g.ints(0, 0, *(-b for b in begin), 0, 0), end], axis=0)
    return g.call(slicing.PadOp, full, pads)


def known_pads(g: Gradients, op: OnnxOp, windows: Windows) -> tuple[list[int], list[int]]:
    """The pads as numbers, as attributes of other operators take them."""
    pads = (*windows.pads_begin, *windows.pads_end)
    if not all(isinstance(p, int) for p in pads):
        raise g.refused(op, "pads that only the run knows")
    return [int(p) for p in windows.pads_begin], [int(p) for p in windows.pads_end]  # type: ignore[arg-type]


def _correlated(g: Gradients, x: Term, dy: Term, windows: Windows, pads: Sequence[int], w: Term, group: int) -> Term:
    """The gradient of filters: for every tap the sum of x times dy, a convolution in which batch and channels change places."""
    rest = range(2, x.rank)
    if group == 1:
        images = g.transpose(x, 1, 0, *rest)
    else:
        # (N, G C, ..) to (C, G N, ..): the images of one group stand together, as channels.
        grouped = g.reshape(x, g.sizes(x, 0, 1), group, -1, g.sizes(x, 2))
        moved = g.transpose(grouped, 2, 1, 0, *range(3, x.rank + 1))
        images = g.reshape(moved, g.sizes(moved, 0, 1), -1, g.sizes(x, 2))
    filters = g.transpose(dy, 1, 0, *rest)
    taps = g.call(ops.ConvOp, images, filters, group=group, strides=windows.dilations, dilations=windows.strides, pads=pads)
    return fitted(g, g.transpose(taps, 1, 0, *rest), w, [0] * len(rest))


def _over_channels(g: Gradients, dy: Term) -> Term:
    return g.sum(dy, 0, *range(2, dy.rank), keepdims=False)
