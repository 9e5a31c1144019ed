"""Derivatives of other views of the same elements, and of repeating them."""

from __future__ import annotations

from typing import Any

from ....dialects.onnx import reshaping as ops
from .builder import Gradients, Term
from .registry import gradient


@gradient(ops.ReshapeOp, ops.FlattenOp, ops.SqueezeOp, ops.UnsqueezeOp)
def _(g: Gradients, op: ops.ReshapeOp, dy: Term) -> Any:
    return (g.reshape_like(dy, g.term(op.operands[0])),)


@gradient(ops.TransposeOp)
def _(g: Gradients, op: ops.TransposeOp, dy: Term) -> Any:
    order = op.order(dy.rank)
    return (g.transpose(dy, *(order.index(k) for k in range(dy.rank))),)


@gradient(ops.ExpandOp)
def _(g: Gradients, op: ops.ExpandOp, dy: Term) -> Any:
    return (g.sum_to(dy, g.term(op.x)),)
