"""Derivatives of reductions, scans along an axis, and softmax."""

from __future__ import annotations

from typing import Any

from ....dialects.onnx import reduction as ops
from .builder import Gradients, Term
from .registry import constant, expansion, gradient


def axes_of(g: Gradients, op: Any) -> tuple[int, ...]:
    """The axes that a reduction sums over, counted from the front."""
    x = g.term(op.data)
    axes = None if op.axes is None else g.shapes.ints(op.axes)
    if op.axes is not None and axes is None:
        raise g.refused(op, "axes that only the run knows")
    if not axes:
        return () if op.attr("noop_with_empty_axes") else tuple(range(x.rank))
    return tuple(sorted(a % x.rank for a in axes))


def kept(g: Gradients, op: Any, y: Term) -> Term:
    """A result of a reduction with its axes of size 1 in place."""
    axes = axes_of(g, op)
    return y if op.attr("keepdims") or not axes else g.unsqueeze(y, *axes)


def _summed(g: Gradients, op: Any, x: Term) -> Term:
    return g.sum(x, *axes_of(g, op), keepdims=bool(op.attr("keepdims")))


@gradient(ops.ReduceSumOp)
def _(g: Gradients, op: ops.ReduceSumOp, dy: Term) -> Any:
    return (g.expand(kept(g, op, dy), g.term(op.data)),)


@expansion(ops.ReduceMeanOp)
def _(g: Gradients, op: ops.ReduceMeanOp) -> Any:
    x = g.term(op.data)
    return (_summed(g, op, x) / g.size_as(x, axes_of(g, op), x),)


@expansion(ops.ReduceSumSquareOp)
def _(g: Gradients, op: ops.ReduceSumSquareOp) -> Any:
    x = g.term(op.data)
    return (_summed(g, op, x * x),)


@expansion(ops.ReduceL1Op)
def _(g: Gradients, op: ops.ReduceL1Op) -> Any:
    return (_summed(g, op, g.abs(g.term(op.data))),)


@gradient(ops.ReduceL2Op)
def _(g: Gradients, op: ops.ReduceL2Op, dy: Term) -> Any:
    """Where the norm is 0 there is no derivative; 0 is taken."""
    x, y = g.terms(op.data, op.reduced)
    zero = y.equals(0)
    return (x * kept(g, op, g.where(zero, 0, dy / g.where(zero, 1, y))),)


@expansion(ops.ReduceLogSumOp)
def _(g: Gradients, op: ops.ReduceLogSumOp) -> Any:
    return (g.log(_summed(g, op, g.term(op.data))),)


@gradient(ops.ReduceLogSumExpOp)
def _(g: Gradients, op: ops.ReduceLogSumExpOp, dy: Term) -> Any:
    x, y = g.terms(op.data, op.reduced)
    return (kept(g, op, dy) * g.exp(x - kept(g, op, y)),)


@gradient(ops.ReduceMaxOp, ops.ReduceMinOp)
def _(g: Gradients, op: ops.ReduceMaxOp, dy: Term) -> Any:
    """Elements that are equally extreme share the gradient."""
    x, y = g.terms(op.data, op.reduced)
    chosen = g.cast_like(x.equals(kept(g, op, y)), x)
    return (chosen * (kept(g, op, dy) / g.sum(chosen, *axes_of(g, op))),)


@gradient(ops.ReduceProdOp)
def _(g: Gradients, op: ops.ReduceProdOp, dy: Term) -> Any:
    """The product of the other elements: not y / x where an element is 0, which is all the product of the others then."""
    x, axes = g.term(op.data), axes_of(g, op)
    zero = x.equals(0)
    others = g.where(zero, 1, x)
    product = g.call(ops.ReduceProdOp, others, g.ints(*axes), keepdims=1) if axes else others
    zeros = g.sum(g.cast_like(zero, x), *axes)
    alone, none = zeros.equals(1), zeros.equals(0)
    return (kept(g, op, dy) * g.where(zero, g.where(alone, product, 0), g.where(none, product / others, 0)),)


@gradient(ops.CumSumOp)
def _(g: Gradients, op: ops.CumSumOp, dy: Term) -> Any:
    axis = g.term(op.axis)
    return (g.call(ops.CumSumOp, dy, axis, exclusive=op.attr("exclusive"), reverse=1 - op.attr("reverse")),)


# -- softmax


@gradient(ops.SoftmaxOp)
def _(g: Gradients, op: ops.SoftmaxOp, dy: Term) -> Any:
    y = g.term(op.y)
    axis = op.attr("axis") % y.rank
    return (y * (dy - g.sum(dy * y, axis)),)


@gradient(ops.LogSoftmaxOp)
def _(g: Gradients, op: ops.LogSoftmaxOp, dy: Term) -> Any:
    y = g.term(op.y)
    return (dy - g.exp(y) * g.sum(dy, op.attr("axis") % y.rank),)


constant(ops.HardmaxOp, ops.ArgMaxOp, ops.ArgMinOp)


# -- normalisations that are reductions


@expansion(ops.LpNormalizationOp)
def _(g: Gradients, op: ops.LpNormalizationOp) -> Any:
    x = g.term(op.x)
    axis = op.attr("axis") % x.rank
    norm = g.sum(g.abs(x), axis) if op.attr("p") == 1 else g.call(ops.ReduceL2Op, x, g.ints(axis), keepdims=1)
    return (x / g.where(norm.equals(0), 1, norm),)


@expansion(ops.MeanVarianceNormalizationOp)
def _(g: Gradients, op: ops.MeanVarianceNormalizationOp) -> Any:
    x = g.term(op.x)
    axes = [a % x.rank for a in op.attr("axes")]
    centred = x - g.mean(x, *axes)
    return (centred / (g.sqrt(g.mean(centred * centred, *axes)) + 1e-9),)


