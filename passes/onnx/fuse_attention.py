"""Recognises attention as exporters spell it out, softmax(scale q k + biases) v with masks, and makes it one operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, TensorType, f32, i64
from xdsl.ir import Block, Operation, SSAValue

from ...dialects import fused, locations
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.dims import Dim, Shape, product
from ...dialects.onnx.elementwise import AddOp, DivOp, MulOp
from ...dialects.onnx.logical import IsNaNOp, NotOp, WhereOp
from ...dialects.onnx.matmul import MatMulOp
from ...dialects.onnx.reduction import SoftmaxOp
from ...dialects.onnx.reshaping import ReshapeOp
from ...dialects.onnx.shapes import Shapes
from ...dialects.onnx.tensor import CastOp
from ...dialects.onnx.types import BY_IR
from .analysis import OnnxPass
from .scaling import scaled
from .weights import Weights


class FuseAttention(OnnxPass):
    """Fuses a product, a scale, biases, a softmax and a product."""

    name = "fuse-attention"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return fuse_attention(block, shapes, weights)


@dataclass(frozen=True)
class _Bias:
    """What is added to scores, and the batch axes of the scores where it is; or what says whether they stay, and what else they become."""

    value: SSAValue
    batch: Shape
    fill: SSAValue | None = None
    inverted: bool = False


@dataclass(frozen=True)
class _Scores:
    """Scores as scale times product plus biases, masked between these; the batch axes that they have on the way, and the operators that
    make them, the last one first."""

    product: MatMulOp
    scale: float
    biases: tuple[_Bias, ...]
    batches: tuple[Shape, ...]
    made_by: tuple[Operation, ...]


def fuse_attention(block: Block, shapes: Shapes, weights: Weights) -> bool:
    """Rewrites a block; whether anything changed."""
    changed = False
    for op in list(block.ops):
        if isinstance(op, MatMulOp) and op.y.type.element_type == f32:  # type: ignore[union-attr]
            changed |= _Fusion(op, block, shapes, weights).fuse()
    return changed


class _Fusion:
    """The fusion of what a product of weights and values ends."""

    def __init__(self, last: MatMulOp, block: Block, shapes: Shapes, weights: Weights) -> None:
        self.last, self.block, self.shapes, self.weights = last, block, shapes, weights

    def fuse(self) -> bool:
        last, shapes = self.last, self.shapes
        weights, cleaning = _uncleaned(last.a, shapes)
        softmax = weights.owner
        if not isinstance(softmax, SoftmaxOp) or softmax.attr("axis") not in (-1, shapes.rank(weights) - 1):
            return False
        if not cleaning and not _only_for(weights, last):
            return False
        scores = _scores(softmax.operands[0], softmax, shapes)
        if scores is None:
            return False
        batch = max(scores.batches, key=len)
        (q, of_queries), (k, of_keys) = (scaled(x, shapes) for x in (scores.product.a, scores.product.b))
        operands = self._operands(scores, q, k, batch)
        if operands is None:
            return False
        gone = [last, *cleaning, softmax, *scores.made_by]
        scale = FloatAttr(scores.scale * of_queries * of_keys, f32)
        properties = {"scale": scale, "cleaned": IntegerAttr(int(bool(cleaning)), i64)}
        fills = {n: bias.fill for n, bias in enumerate(scores.biases) if bias.fill is not None}
        masks = DenseArrayBase.from_list(i64, list(fills))
        new = fused.AttentionOp.build(
            operands=[*operands[:3], operands[3:], list(fills.values())],
            result_types=[TensorType(f32, [])],
            properties={**properties, "masks": masks},
        )
        self._place(new, gone)
        result = new.y if len(batch) == len(shapes.of(last.y)) - 2 else self._reshaped(new.y, shapes.of(last.y))
        result.name_hint = last.y.name_hint
        last.y.replace_all_uses_with(result)
        for op in gone:
            op.detach()
            op.erase()
        return True

    def _operands(self, scores: _Scores, q: SSAValue, k: SSAValue, batch: Shape) -> list[SSAValue] | None:
        """Queries, keys, values and biases over the batch axes; None where these are not all axes of them all, or of size 1."""
        of = self.shapes.of
        own, top = scores.batches[-1], scores.batches[0]
        v = self.last.b
        if any(split_axes(b, b, batch) is None for b in scores.batches) or len(of(v)) != len(top) + 2 or len(of(k)) != len(own) + 2:
            return None
        wanted: list[tuple[SSAValue, Shape]] = []
        m, n = of(q)[-2], of(k)[-1]
        if of(q)[:-2] != own:
            return None
        for value, whole in ((q, own), (k, own), (v, top), *((bias.value, bias.batch) for bias in scores.biases)):
            shape = (*[1] * (len(whole) + 2 - len(of(value))), *of(value))
            lead = split_axes(shape[:-2], whole, batch) if len(shape) == len(whole) + 2 else None
            if lead is None or (value not in (q, k, v) and not _repeats(shape[-2:], (m, n))):
                return None
            wanted.append((value, of(value) if len(whole) == len(batch) else (*lead, *shape[-2:])))
        if not all(shape == of(value) or _can_be_named(shape) for value, shape in wanted):
            return None
        values = [q, k, v, *(bias.value if bias.fill is None else self._as_number(bias) for bias in scores.biases)]
        return [
            value if shape == of(given) else self._reshaped(value, shape) for value, (given, shape) in zip(values, wanted, strict=True)
        ]

    def _as_number(self, mask: _Bias) -> SSAValue:
        """0 where scores become something else, else 1."""
        value = mask.value
        if mask.inverted:
            negation = NotOp.build(operands=[value], result_types=[value.type])
            self._place(negation, [self.last])
            value = negation.y
        properties = {"to": IntegerAttr(BY_IR[f32].number, i64)}
        cast = CastOp.build(operands=[value], result_types=[TensorType(f32, [])], properties=properties)
        self._place(cast, [self.last])
        return cast.y

    def _reshaped(self, value: SSAValue, shape: Shape) -> SSAValue:
        """The same elements in another shape, before the last product."""
        named = self.weights.constant(np.array([d if isinstance(d, int) else -1 for d in shape], np.int64), "shape")
        reshape = ReshapeOp.build(operands=[value, named.output], result_types=[TensorType(f32, [])])
        self._place(named, [self.last])
        self._place(reshape, [self.last])
        return reshape.reshaped

    def _place(self, op: OnnxOp, instead_of: Sequence[Operation]) -> None:
        op.location = locations.fused(*(o.location for o in instead_of))
        self.block.insert_op_before(op, self.last)
        self.shapes.infer_op(op)


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
    """The scores that only `user` reads, biases being added last of all. Views may split or join batch axes: a mask of windows has an
    axis that the scores have not."""
    op = value.owner
    if not isinstance(op, Operation) or not _only_for(value, user):
        return None
    shape = shapes.of(value)
    if isinstance(op, MatMulOp):
        return _Scores(op, 1.0, (), (shape[:-2],), (op,))
    if isinstance(op, ReshapeOp):
        found = _scores(op.data, op, shapes)
        same = found is not None and len(shape) >= 2 and shape[-2:] == shapes.of(op.data)[-2:]
        return replace(found, batches=(shape[:-2], *found.batches), made_by=(op, *found.made_by)) if found and same else None
    if isinstance(op, AddOp):
        for own, bias in ((op.a, op.b), (op.b, op.a)):
            found = _scores(own, op, shapes)
            if found is not None and shapes.of(own) == shape:
                return replace(found, biases=(*found.biases, _Bias(bias, shape[:-2])), made_by=(op, *found.made_by))
        return None
    if isinstance(op, WhereOp):
        for own, fill in ((op.x, op.y), (op.y, op.x)):
            number = shapes.constant(fill)
            found = _scores(own, op, shapes) if number is not None and number.size == 1 else None
            if found is not None and shapes.of(own) == shape:
                mask = _Bias(op.condition, shape[:-2], fill, own is op.y)
                return replace(found, biases=(*found.biases, mask), made_by=(op, *found.made_by))
        return None
    if not isinstance(op, MulOp | DivOp):
        return None
    own, factor = scaled(value, shapes)
    found = _scores(own, op, shapes) if own is not value else None
    if found is None or found.biases:
        return None
    return replace(found, scale=float(np.float32(found.scale * factor)), made_by=(op, *found.made_by))


def split_axes(own: Shape, whole: Shape, fine: Shape) -> Shape | None:
    """The axes `own`, those of `whole` or 1, where each axis of `whole` is split into the next ones of `fine`; None where it is not."""
    split: list[Dim] = []
    at = 0
    for size, full in zip(own, whole, strict=True):
        start = at
        while at == start or (at < len(fine) and product(fine[start:at]) != full):
            at += 1
        if product(fine[start:at]) != full or at > len(fine) or size not in (1, full):
            return None
        split += fine[start:at] if size == full else [1] * (at - start)
    return (*split, *[1] * (len(fine) - at)) if all(d == 1 for d in fine[at:]) else None


def _can_be_named(shape: Shape) -> bool:
    """Whether a constant can list the shape for a Reshape: with one open size at most, which is left over then."""
    return sum(not isinstance(d, int) for d in shape) <= 1 and 0 not in shape


def _repeats(own: Shape, whole: Shape) -> bool:
    """Whether a shape broadcasts to another by axes of 1 alone, as far as is known."""
    return len(own) <= len(whole) and all(d in (1, w) for d, w in zip(own, whole[len(whole) - len(own) :], strict=True))
