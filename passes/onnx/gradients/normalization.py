"""Derivatives of normalisations, from their formulas, and of Dropout, which keeps the mask that it drew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....dialects.onnx import conv
from ....dialects.onnx import normalization as ops
from ....dialects.onnx.types import BY_IR
from .builder import Gradients, Term
from .registry import expansion, gradient


@expansion(ops.BatchNormalizationOp)
def _(g: Gradients, op: ops.BatchNormalizationOp) -> Any:
    x = g.term(op.x)
    scale, bias, mean, variance = (_over_channels(g, g.cast_like(t, x), x) for t in g.terms(op.scale, op.b, op.input_mean, op.input_var))
    if not op.attr("training_mode"):
        return ((x - mean) / g.sqrt(variance + op.attr("epsilon")) * scale + bias,)
    standard, *_ = _standardised(g, x, (0, *range(2, x.rank)), op.attr("epsilon"))
    return standard * scale + bias, None, None


@expansion(ops.InstanceNormalizationOp)
def _(g: Gradients, op: ops.InstanceNormalizationOp) -> Any:
    x, scale, bias = g.terms(op.input, op.scale, op.b)
    standard, *_ = _standardised(g, x, range(2, x.rank), op.attr("epsilon"))
    return (standard * _over_channels(g, scale, x) + _over_channels(g, bias, x),)


@expansion(ops.GroupNormalizationOp)
def _(g: Gradients, op: ops.GroupNormalizationOp) -> Any:
    x, scale, bias = g.terms(op.x, op.scale, op.bias)
    groups = g.reshape(x, g.sizes(x, 0, 1), op.attr("num_groups"), -1)
    standard, *_ = _standardised(g, groups, (2,), op.attr("epsilon"))
    return (g.reshape_like(standard, x) * _over_channels(g, scale, x) + _over_channels(g, bias, x),)


@expansion(ops.LayerNormalizationOp)
def _(g: Gradients, op: ops.LayerNormalizationOp) -> Any:
    x, scale, bias, mean_result, inverse_result = g.terms(op.x, op.scale, op.b, op.mean, op.inv_std_dev)
    standard, mean, inverse = _standardised(g, x, range(op.attr("axis") % x.rank, x.rank), op.attr("epsilon"))
    y = standard * scale if bias is None else standard * scale + bias
    return (
        y,
        None if mean_result is None else g.cast_like(mean, mean_result),
        None if inverse_result is None else g.cast_like(inverse, inverse_result),
    )


@expansion(ops.RMSNormalizationOp)
def _(g: Gradients, op: ops.RMSNormalizationOp) -> Any:
    x, scale = g.terms(op.x, op.scale)
    square = g.mean(x * x, *range(op.attr("axis") % x.rank, x.rank))
    return (g.cast_like(x / g.sqrt(square + op.attr("epsilon")), scale) * scale,)


@expansion(ops.LRNOp)
def _(g: Gradients, op: ops.LRNOp) -> Any:
    """The sum over neighbouring channels is a convolution with ones along them."""
    x, size = g.term(op.x), op.attr("size")
    planes = g.reshape(x * x, g.sizes(x, 0, 1), 1, g.sizes(x, 1, 2), -1)
    ones = g.array(np.ones((1, 1, size, 1), BY_IR[x.element].numpy))
    total = g.reshape_like(g.call(conv.ConvOp, planes, ones, pads=[(size - 1) // 2, 0, size // 2, 0]), x)
    return (x / (total * (op.attr("alpha") / size) + op.attr("bias")) ** op.attr("beta"),)


def _standardised(g: Gradients, x: Term, axes: Sequence[int], epsilon: float) -> tuple[Term, Term, Term]:
    """x less its mean, over its deviation; the mean; one over the deviation."""
    mean = g.mean(x, *axes)
    centred = x - mean
    inverse = 1 / g.sqrt(g.mean(centred * centred, *axes) + epsilon)
    return centred * inverse, mean, inverse


def _over_channels(g: Gradients, vector: Term, x: Term) -> Term:
    """A value a channel, so that it broadcasts to x."""
    return g.unsqueeze(vector, *range(1, x.rank - 1))


@gradient(ops.DropoutOp)
def _(g: Gradients, op: ops.DropoutOp, dy: Term, *_: Any) -> Any:
    if op.training_mode is None:
        return (dy,)
    ratio, training = g.terms(op.ratio, op.training_mode)
    rate = g.const(0.5, dy) if ratio is None else g.cast_like(ratio, dy)
    return (g.only(g.term(_mask(g, op)), dy / (1 - g.only(training, rate))),)


def _mask(g: Gradients, op: ops.DropoutOp) -> Any:
    """The mask of the run; a Dropout that does not give it is replaced by one that does, since it cannot be drawn again."""
    if op.mask is not None:
        return op.mask
    given = {name: value for name, value in op.properties.items() if not name.endswith("SegmentSizes")}
    optional = [[] if v is None else [v] for v in (op.ratio, op.training_mode)]
    masked = ops.DropoutOp.build(operands=[op.data, *optional], result_types=[op.output.type, [op.output.type]], properties=given)
    masked.location = op.location
    block = op.parent
    assert block is not None
    block.insert_op_before(masked, op)
    g.shapes.infer_op(masked)
    masked.output.name_hint = op.output.name_hint
    op.output.replace_all_uses_with(masked.output)
    return masked.mask
