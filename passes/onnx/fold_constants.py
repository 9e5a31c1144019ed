"""Works out at compile time what follows from constants alone: whole numbers that shape inference knows, and arrays by numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from typing_extensions import override
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.guard import RequireOp
from ...dialects.onnx import elementwise, indexing, quantization, reshaping, slicing, tensor
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.control import YieldOp
from ...dialects.onnx.conv import ConvOp
from ...dialects.onnx.matmul import GemmOp, MatMulOp
from ...dialects.onnx.normalization import BatchNormalizationOp
from ...dialects.onnx.shapes import Shapes
from ...dialects.onnx.types import BY_IR, BY_NUMPY
from .analysis import OnnxPass
from .weights import Weights

MAX_GROWTH = 1 << 16
"""A fold may not make more than this many elements where its operands had fewer: a broadcast is cheaper computed than stored."""


class FoldConstants(OnnxPass):
    """Folds what follows from constants alone."""

    name = "fold-constants"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return fold_constants(block, shapes, weights)


def fold_constants(block: Block, shapes: Shapes, weights: Weights) -> bool:
    """Replaces operations of a block (and of nested blocks) whose results are known; whether anything changed."""
    changed = False
    for op in list(block.ops):
        for region in op.regions:
            for inner in region.blocks:
                changed |= fold_constants(inner, shapes, weights)
        if isinstance(op, OnnxOp) and not isinstance(op, tensor.ConstantOp | YieldOp) and _fold(op, shapes, weights):
            changed = True
    return changed | _erase_dead(block)


def _fold(op: OnnxOp, shapes: Shapes, weights: Weights) -> bool:
    """Whether the operation became constants."""
    if op.regions or not op.results:
        return False
    arrays = _known(op, shapes)
    if arrays is None:
        arrays = _filled(op, shapes) if isinstance(op, tensor.ConstantOfShapeOp) else _evaluate(op, shapes)
    if arrays is None:
        return False
    block = op.parent
    assert block is not None
    for result, array in zip(op.results, arrays, strict=True):
        constant = weights.constant(array, result.name_hint or "folded")
        constant.location = op.location
        block.insert_op_before(constant, op)
        shapes.infer_op(constant)
        constant.output.name_hint = result.name_hint
        result.replace_all_uses_with(constant.output)
    op.detach()
    op.erase()
    return True


def _known(op: OnnxOp, shapes: Shapes) -> list[np.ndarray] | None:
    """The results as shape inference knows them: contents of small integer tensors."""
    arrays = [shapes.constant(r) for r in op.results]
    return None if any(a is None for a in arrays) else [np.asarray(a) for a in arrays]


def _evaluate(op: OnnxOp, shapes: Shapes) -> list[np.ndarray] | None:
    folder = _FOLDERS.get(type(op))
    if folder is None:
        return None
    operands = [None if v is None else shapes.constant(v) for v in _fields(op)]
    if any(v is not None and a is None for v, a in zip(_fields(op), operands, strict=True)):
        return None
    (result,) = op.results
    shape = shapes.get(result)
    if shape is None or not all(isinstance(d, int) for d in shape):
        return None
    size = int(np.prod([int(d) for d in shape], dtype=np.int64))  # type: ignore[arg-type]
    if size > max(MAX_GROWTH, *(a.size for a in operands if a is not None), 0):
        return None
    array = np.asarray(folder(op, *operands))
    expected = BY_IR[result.type.element_type].numpy  # type: ignore[union-attr]
    if array.dtype != expected or array.shape != tuple(shape) or array.dtype not in BY_NUMPY:
        return None
    return [array]


def _filled(op: tensor.ConstantOfShapeOp, shapes: Shapes) -> list[np.ndarray] | None:
    """A view that repeats one element: if it is small, or where an operator that packs its weights reads it (light models say whole
    weights so)."""
    shape = shapes.of(op.output)
    if not all(isinstance(d, int) for d in shape):
        return None
    size = math.prod(int(d) for d in shape)  # type: ignore[arg-type]
    if size > MAX_GROWTH and not any(isinstance(u.operation, _WEIGHTED) for u in op.output.uses):
        return None
    return [np.broadcast_to(op.filler(shapes).reshape(()), [int(d) for d in shape])]  # type: ignore[arg-type]


def _fields(op: OnnxOp) -> list[SSAValue | None]:
    fields: list[SSAValue | None] = []
    for name, _, _, variadic in op.operand_defs():
        field = getattr(op, name)
        fields += list(field) if variadic else [field]
    return fields


def _reshaped(op: OnnxOp, x: np.ndarray, *_: Any) -> np.ndarray:
    (result,) = op.results
    return x.reshape(result.type.get_shape())  # type: ignore[union-attr]


def _cast(op: OnnxOp, x: np.ndarray, *_: Any) -> np.ndarray:
    """Float and integer conversions whose result numpy and ONNX agree on; others are left to compiled code."""
    to = BY_IR[op.results[0].type.element_type].numpy  # type: ignore[union-attr]
    safe = (
        x.dtype == to
        or (x.dtype.kind in "iub" and to.kind in "f")
        or (x.dtype.kind == "f" and to.kind == "f" and to.itemsize >= x.dtype.itemsize)
    )
    return x.astype(to) if safe else x[..., None]


def _dequantised(op: OnnxOp, x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray | None) -> np.ndarray:
    """Weights of integers with a scale for all or along an axis, as kernels that pack their weights want them; others stay small."""
    assert isinstance(op, quantization.DequantizeLinearOp)
    granularity, axis = op.granularity(x.shape, scale.shape)
    if granularity == "block" or x.dtype.kind not in "iu" or x.dtype.itemsize > 2 or scale.dtype != np.float32:
        return np.empty(0, np.object_)
    along = [-1 if n == axis else 1 for n in range(x.ndim)] if granularity == "axis" else [1] * x.ndim
    difference = x.astype(np.int32) - (0 if zero_point is None else zero_point.astype(np.int32).reshape(along))
    return difference.astype(np.float32) * scale.reshape(along)


def _gather(op: OnnxOp, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    axis = op.attr("axis")
    size = x.shape[axis]
    if indices.size and (indices.min() < -size or indices.max() >= size):
        return np.empty(0, np.object_)
    return np.take(x, indices, axis=axis)


def _expand(op: OnnxOp, x: np.ndarray, *_: Any) -> np.ndarray:
    (result,) = op.results
    return np.broadcast_to(x, result.type.get_shape())  # type: ignore[union-attr]


_WEIGHTED = (ConvOp, GemmOp, MatMulOp, BatchNormalizationOp)

_FOLDERS: Mapping[type[Operation], Callable[..., np.ndarray]] = {
    reshaping.ReshapeOp: _reshaped,
    reshaping.SqueezeOp: _reshaped,
    reshaping.UnsqueezeOp: _reshaped,
    reshaping.FlattenOp: _reshaped,
    reshaping.TransposeOp: lambda op, x: np.transpose(x, op.order(x.ndim)),
    reshaping.ExpandOp: _expand,
    tensor.IdentityOp: lambda op, x: x,
    tensor.CastOp: _cast,
    quantization.DequantizeLinearOp: _dequantised,
    slicing.ConcatOp: lambda op, *xs: np.concatenate(xs, axis=op.attr("axis")),
    indexing.GatherOp: _gather,
    elementwise.AddOp: lambda op, a, b: a + b,
    elementwise.SubOp: lambda op, a, b: a - b,
    elementwise.MulOp: lambda op, a, b: a * b,
    elementwise.NegOp: lambda op, x: -x,
}


def _erase_dead(block: Block) -> bool:
    """Removes operations whose results nobody uses; ONNX operators have no side effects."""
    changed = False
    for op in reversed(list(block.ops)):
        if isinstance(op, OnnxOp) and not isinstance(op, RequireOp) and not any(r.uses for r in op.results):
            op.detach()
            op.erase()
            changed = True
    return changed
