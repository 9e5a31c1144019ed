"""Derivatives of operators that pick elements, wherever from: the gradient of each goes back to where the element was.

Most of these need no rule of their own: the operator applied to the positions of its operand's elements tells where each came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....dialects.onnx import indexing, slicing, tensor
from ....dialects.onnx.base import OnnxOp
from ....dialects.onnx.dims import product
from .builder import Gradients, Term
from .registry import gradient


@gradient(
    slicing.SliceOp, slicing.TileOp, slicing.DepthToSpaceOp, slicing.SpaceToDepthOp, slicing.ReverseSequenceOp,
    indexing.GatherElementsOp, indexing.GatherNDOp, indexing.CompressOp,
)  # fmt: skip
def _(g: Gradients, op: OnnxOp, dy: Term) -> Any:
    x = g.term(op.operands[0])
    return (put_back(g, x, picked(g, op, _positions(g, x)), dy),)


def picked(g: Gradients, op: OnnxOp, data: Term, **attributes: Any) -> Term:
    """The operator on another first operand."""
    fields = [getattr(op, name) for name, *_ in op.operand_defs()]
    rest = g.terms(*fields[1:])
    given = {name: value for name, value in op.properties.items() if not name.endswith("SegmentSizes")}
    return g.call(type(op), data, *rest, **{**given, **attributes})


def _positions(g: Gradients, x: Term) -> Term:
    """The flat position of every element, in a tensor of x's shape."""
    count = product(x.shape)
    if isinstance(count, int):
        flat = g.array(np.arange(count))
    else:
        start, step = g.array(np.array(0)), g.array(np.array(1))
        flat = g.call(tensor.RangeOp, start, _count(g, x), step)
    return g.reshape_like(flat, x)


def _count(g: Gradients, x: Term) -> Term:
    from ....dialects.onnx.reshaping import SizeOp

    return g.call(SizeOp, x)


def put_back(g: Gradients, x: Term, positions: Term, dy: Term) -> Term:
    """Zeros of x's shape, to which dy is added at flat positions."""
    zeros = g.flat(g.full(x, 0))
    put = g.call(indexing.ScatterElementsOp, zeros, g.flat(positions), g.flat(dy), axis=0, reduction="add")
    return g.reshape_like(put, x)


@gradient(indexing.GatherOp)
def _(g: Gradients, op: indexing.GatherOp, dy: Term) -> Any:
    """Whole slices go back to the leading axis at once: an embedding's table is large, what is read of it is not."""
    x, indices = g.terms(op.data, op.indices)
    axis = op.attr("axis") % x.rank
    if axis:
        return (put_back(g, x, picked(g, op, _positions(g, x)), dy),)
    at = g.unsqueeze(indices, indices.rank)
    return (g.call(indexing.ScatterNDOp, g.full(x, 0), at, dy, reduction="add"),)


@gradient(slicing.PadOp)
def _(g: Gradients, op: slicing.PadOp, dy: Term) -> Any:
    """Modes that repeat elements give every copy's gradient back; what a constant filled in goes to a place that is cut off."""
    x = g.term(op.data)
    if op.attr("mode") != "constant":
        return (put_back(g, x, picked(g, op, _positions(g, x)), dy),)
    count = _count(g, x)
    fields = g.terms(op.data, op.pads, op.axes)
    sources = g.call(slicing.PadOp, _positions(g, x), fields[1], count, fields[2])
    one_more = g.call(slicing.PadOp, g.flat(g.full(x, 0)), g.ints(0, 1))
    put = g.call(indexing.ScatterElementsOp, one_more, g.flat(sources), g.flat(dy), axis=0, reduction="add")
    kept = g.reshape_like(g.call(slicing.SliceOp, put, g.ints(0), g.ints(-1)), x)
    if op.constant_value is None:
        return (kept,)
    filled = g.call(slicing.SliceOp, put, g.ints(-1), g.ints(np.iinfo(np.int64).max))
    return kept, None, g.reshape_like(filled, g.term(op.constant_value))


@gradient(slicing.TriluOp)
def _(g: Gradients, op: slicing.TriluOp, dy: Term) -> Any:
    return (picked(g, op, dy),)


@gradient(slicing.ConcatOp)
def _(g: Gradients, op: slicing.ConcatOp, dy: Term) -> Any:
    axis = op.attr("axis") % dy.rank
    inputs = g.terms(*op.inputs)
    if len(inputs) == 1:
        return ([dy],)
    sizes = g.call(slicing.ConcatOp, [g.sizes(x, axis, axis + 1) for x in inputs], axis=0)
    parts = g.call_many(slicing.SplitOp, len(inputs), dy, sizes, axis=axis)
    return ([g.reshape_like(part, x) for part, x in zip(parts, inputs, strict=True)],)


@gradient(slicing.SplitOp)
def _(g: Gradients, op: slicing.SplitOp, *dys: Term | None) -> Any:
    x = g.term(op.x)
    parts = [g.full(g.term(part), 0) if dy is None else dy for part, dy in zip(op.outputs, dys, strict=True)]
    return (g.reshape_like(g.call(slicing.ConcatOp, parts, axis=op.attr("axis")), x),)


@gradient(indexing.TopKOp)
def _(g: Gradients, op: indexing.TopKOp, dy: Term, *_: Any) -> Any:
    x, indices = g.terms(op.x, op.indices)
    return (g.call(indexing.ScatterElementsOp, g.full(x, 0), indices, dy, axis=op.attr("axis"), reduction="add"),)


@gradient(indexing.ScatterElementsOp)
def _(g: Gradients, op: indexing.ScatterElementsOp, dy: Term) -> Any:
    indices, axis = g.term(op.indices), op.attr("axis")
    updates = g.call(indexing.GatherElementsOp, dy, indices, axis=axis)
    return _scattered(g, op, dy, updates, lambda data, zeros: g.call(indexing.ScatterElementsOp, data, indices, zeros, axis=axis))


@gradient(indexing.ScatterNDOp)
def _(g: Gradients, op: indexing.ScatterNDOp, dy: Term) -> Any:
    indices = g.term(op.indices)
    updates = g.call(indexing.GatherNDOp, dy, indices)
    return _scattered(g, op, dy, updates, lambda data, zeros: g.call(indexing.ScatterNDOp, data, indices, zeros))


def _scattered(g: Gradients, op: Any, dy: Term, updates: Term, erase: Any) -> Sequence[Any]:
    """Added updates leave the data its gradient; those that replace it take it away."""
    reduction = op.attr("reduction")
    if reduction == "add":
        return dy, None, updates
    if reduction not in (None, "none"):
        raise g.refused(op, f'reduction "{reduction}"')
    return erase(dy, g.full(updates, 0)), None, updates
