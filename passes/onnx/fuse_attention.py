"""Recognises attention as exporters spell it out, softmax(scale q k + bias) v, and makes it one operator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, TensorType, f32, i64
from xdsl.ir import Block, Operation, SSAValue

from ...dialects import fused, locations
from ...dialects.onnx.dims import Shape
from ...dialects.onnx.elementwise import AddOp, DivOp, MulOp
from ...dialects.onnx.logical import IsNaNOp, WhereOp
from ...dialects.onnx.matmul import MatMulOp
from ...dialects.onnx.reduction import SoftmaxOp
from ...dialects.onnx.shapes import Shapes
from .analysis import OnnxPass
from .weights import Weights


class FuseAttention(OnnxPass):
    """Fuses a product, a scale, a bias, a softmax and a product."""

    name = "fuse-attention"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return fuse_attention(block, shapes)


@dataclass
class _Scores:
    """Scores as scale times product plus bias, and the operators that make them, the last one first."""

    product: MatMulOp
    scale: float
    bias: SSAValue | None
    made_by: list[Operation]


def fuse_attention(block: Block, shapes: Shapes) -> bool:
    """Rewrites a block; whether anything changed."""
    changed = False
    for op in list(block.ops):
        if isinstance(op, MatMulOp) and op.y.type.element_type == f32:  # type: ignore[union-attr]
            changed |= _fuse(op, block, shapes)
    return changed


def _fuse(last: MatMulOp, block: Block, shapes: Shapes) -> bool:
    weights, cleaning = _uncleaned(last.a, shapes)
    softmax = weights.owner
    if not isinstance(softmax, SoftmaxOp) or softmax.attr("axis") not in (-1, shapes.rank(weights) - 1):
        return False
    if not cleaning and not _only_for(weights, last):
        return False
    scores = _scores(softmax.operands[0], softmax, shapes)
    if scores is None or not _fits(scores, last.b, shapes):
        return False
    properties = {"scale": FloatAttr(scores.scale, f32), "cleaned": IntegerAttr(int(bool(cleaning)), i64)}
    operands = [scores.product.a, scores.product.b, last.b, [] if scores.bias is None else [scores.bias]]
    new = fused.AttentionOp.build(operands=operands, result_types=[TensorType(f32, [])], properties=properties)
    gone = [last, *cleaning, softmax, *scores.made_by]
    new.location = locations.fused(*(op.location for op in gone))
    block.insert_op_before(new, last)
    shapes.infer_op(new)
    new.y.name_hint = last.y.name_hint
    last.y.replace_all_uses_with(new.y)
    for op in gone:
        op.detach()
        op.erase()
    return True


def _uncleaned(weights: SSAValue, shapes: Shapes) -> tuple[SSAValue, list[Operation]]:
    """What the weights were before rows of NaN became zeros, and the operators that did so: `Where(IsNaN(w), 0, w)`."""
    where = weights.owner
    if not isinstance(where, WhereOp) or not isinstance(test := where.condition.owner, IsNaNOp):
        return weights, []
    zero, before = shapes.constant(where.x), where.y
    if zero is None or zero.size != 1 or zero.item() != 0 or test.operands[0] is not before:
        return weights, []
    single = len(list(weights.uses)) == len(list(where.condition.uses)) == 1 and len(list(before.uses)) == 2
    return (before, [where, test]) if single else (weights, [])


def _only_for(value: SSAValue, user: Operation) -> bool:
    return [use.operation for use in value.uses] == [user]


def _scores(value: SSAValue, user: Operation, shapes: Shapes) -> _Scores | None:
    """The scores that only `user` reads, a bias being added last of all."""
    op = value.owner
    if not isinstance(op, Operation) or not _only_for(value, user):
        return None
    if isinstance(op, MatMulOp):
        return _Scores(op, 1.0, None, [op])
    if isinstance(op, AddOp):
        for own, bias in ((op.a, op.b), (op.b, op.a)):
            found = _scores(own, op, shapes)
            if found is not None and found.bias is None:
                return _Scores(found.product, found.scale, bias, [op, *found.made_by])
        return None
    if not isinstance(op, MulOp | DivOp):
        return None
    for own, factor in ((op.a, op.b), (op.b, op.a))[: 1 if isinstance(op, DivOp) else 2]:
        number = shapes.constant(factor)
        found = _scores(own, op, shapes) if number is not None and number.size == 1 else None
        if number is not None and found is not None and found.bias is None and shapes.rank(factor) <= shapes.rank(own):
            scale = np.float32(number.item())
            scale = found.scale * float(scale) if isinstance(op, MulOp) else found.scale / float(scale or np.float32(np.nan))
            return _Scores(found.product, scale, None, [op, *found.made_by])
    return None


def _fits(scores: _Scores, values: SSAValue, shapes: Shapes) -> bool:
    """Whether batches are those of the queries, or axes of 1."""
    q, k, v = (shapes.of(x) for x in (scores.product.a, scores.product.b, values))
    if not 2 <= len(q) == len(k) == len(v) or not (_repeats(k[:-2], q[:-2]) and _repeats(v[:-2], q[:-2])):
        return False
    return scores.bias is None or _repeats(shapes.of(scores.bias), (*q[:-1], k[-1]))


def _repeats(own: Shape, whole: Shape) -> bool:
    """Whether a shape broadcasts to another by axes of 1 alone, as far as is known."""
    return len(own) <= len(whole) and all(d in (1, w) for d, w in zip(own, whole[len(whole) - len(own) :], strict=True))
