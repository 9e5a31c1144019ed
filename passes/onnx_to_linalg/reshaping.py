"""Operators that ask for a tensor's shape or give its elements another one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...dialects.onnx import reshaping as ops
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.checks import show
from ...dialects.onnx.dims import Dim, Shape, equal, less, select
from .builder import Lowering, Tensor
from .guards import require_axes, require_broadcast, require_equal, require_not_one, require_same_count, require_sizes
from .registry import lower


@lower(ops.FlattenOp)
def flatten(b: Lowering, op: ops.FlattenOp, x: Tensor) -> Tensor:
    return b.reshape(x, b.shapes.of(op.y))


@lower(ops.ReshapeOp)
def reshape(b: Lowering, op: ops.ReshapeOp, x: Tensor, _: Tensor) -> Tensor:
    shape = b.shapes.of(op.reshaped)
    require_sizes(b, shape, "a dimension of the target shape")
    return _view(b, x, shape)


def _view(b: Lowering, x: Tensor, shape: Shape) -> Tensor:
    require_same_count(b, x.shape, shape)
    return b.reshape(x, shape)


@lower(ops.SqueezeOp)
def squeeze(b: Lowering, op: ops.SqueezeOp, x: Tensor, axes: Tensor | None) -> Tensor:
    shape = b.shapes.of(op.squeezed)
    by_run = b.shapes.ints(op.axes) is None if axes is not None else len(shape) < sum(d != 1 for d in x.shape)
    if by_run:
        gone = [equal(d, 1) for d in x.shape] if op.axes is None else _named(b, b.shapes.elements(op.axes), x.rank)
        require_equal(b, _sum(gone), x.rank - len(shape), f"the number of dimensions of 1 in {show(x.shape)}")
        for k in range(len(shape)):
            here = [(1 - g) * equal(i - _sum(gone[:i]), k) for i, g in enumerate(gone)]
            b.define_result_dim(op.squeezed, k, b.dim(_sum(h * d for h, d in zip(here, x.shape, strict=True))))
        return _view(b, x, shape)
    if axes is None:
        require_not_one(b, shape)
    return b.reshape(x, shape)


@lower(ops.UnsqueezeOp)
def unsqueeze(b: Lowering, op: ops.UnsqueezeOp, x: Tensor, axes: Tensor) -> Tensor:
    shape = b.shapes.of(op.expanded)
    if b.shapes.ints(op.axes) is None:
        new = _named(b, b.shapes.elements(op.axes), len(shape))
        for k, here in enumerate(new):
            old = _sum(equal(k - _sum(new[:k]), i) * d for i, d in enumerate(x.shape))
            b.define_result_dim(op.expanded, k, b.dim(select(here, 1, old)))
        return _view(b, x, shape)
    return b.reshape(x, shape)


def _named(b: Lowering, axes: Sequence[Dim], rank: int) -> list[Dim]:
    """For each axis of a tensor whether axes that the run reads name it: 1, else 0."""
    require_axes(b, axes, len(axes), rank)
    return [_sum(equal(select(less(a, 0), a + rank, a), k) for a in axes) for k in range(rank)]


def _sum(dims: Iterable[Dim]) -> Dim:
    total: Dim = 0
    for d in dims:
        total = total + d
    return total


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
    wanted = op.wanted(b.shapes)
    require_sizes(b, wanted, "a dimension to expand to")
    require_broadcast(b, wanted, b.shapes.of(op.y))
    return b.broadcast_to(x, b.shapes.of(op.y))
