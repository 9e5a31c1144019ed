"""Operators that ask for a tensor's shape or give its elements another one."""

from __future__ import annotations

from typing import Any

from ...dialects.onnx import reshaping as ops
from ...dialects.onnx.base import OnnxOp
from .builder import Lowering, Tensor
from .guards import require_broadcast, require_same_count, require_sizes
from .registry import lower


@lower(ops.ReshapeOp, ops.FlattenOp, ops.SqueezeOp, ops.UnsqueezeOp)
def view(b: Lowering, op: OnnxOp, x: Tensor, *_: Tensor | None) -> Tensor:
    (result,) = op.results
    shape = b.shapes.of(result)
    if isinstance(op, ops.ReshapeOp):
        require_sizes(b, shape, "a dimension of the target shape")
        require_same_count(b, x.shape, shape)
    return b.reshape(x, shape)


@lower(ops.ShapeOp, ops.SizeOp)
def sizes(b: Lowering, op: OnnxOp, x: Tensor) -> Any:
    raise b.unsupported("a shape of this many dimensions")  # shorter ones are known to shape inference


@lower(ops.TransposeOp)
def transpose(b: Lowering, op: ops.TransposeOp, x: Tensor) -> Tensor:
    order = op.order(x.rank)
    moved = [a for a in order if x.shape[a] != 1]
    if moved == sorted(moved):
        return b.reshape(x, tuple(x.shape[a] for a in order))
    return b.transpose(x, order)


@lower(ops.ExpandOp)
def expand(b: Lowering, op: ops.ExpandOp, x: Tensor, _: Tensor) -> Tensor:
    wanted = b.shapes.elements(op.shape)
    require_sizes(b, wanted, "a dimension to expand to")
    require_broadcast(b, wanted, b.shapes.of(op.y))
    return b.broadcast_to(x, b.shapes.of(op.y))
