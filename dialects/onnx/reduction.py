"""Reductions, running sums, and the operators that normalise along axes: everything that reads a whole axis for each result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from operator import add
from typing import Any

from typing_extensions import override
from xdsl.irdl import operand_def, opt_operand_def, result_def

from .base import OnnxOp, element_of, int_attr, ints_attr, operator, tensor
from .checks import axes_in, axis_in, of_rank, one_of, require_scalar
from .contents import fitted, known, object_array, small
from .dims import Dim, Shape, equal, maximum, minimum, product, select
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_NUMERIC, BOOL, BY_NAME, I32, I64

_WIDE = (*ALL_FLOATS, *(BY_NAME[n].ir for n in ("int32", "int64", "uint32", "uint64")))
_ORDERED = (*_WIDE, BY_NAME["int8"].ir, BY_NAME["uint8"].ir, *BOOL)


class ReduceOp(OnnxOp):
    """One result for all elements along `axes`, which are kept with size 1 (keepdims) or dropped.

    No axes: all of them are reduced, or with noop_with_empty_axes none is. Subclasses declare `data`,
    `axes` and `reduced`.
    """

    keepdims = int_attr(1)
    noop_with_empty_axes = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.operands[0])
        axes = reduced_axes(self, shapes)
        keepdims = self.attr("keepdims") == 1
        if axes is not None:
            return (without_axes(shape, axes, keepdims),)
        return (self._shape_for_axes_of_the_run(shapes, shape, keepdims),)

    def _shape_for_axes_of_the_run(self, shapes: Shapes, shape: Shape, keepdims: bool) -> Shape:
        """The axes are read at run time: kept dimensions are 1 where an axis names them, dropped ones leave unknown sizes."""
        if keepdims:
            return tuple(select(flag, 1, d) for d, flag in zip(shape, self.flags(shapes), strict=True))
        (count,) = shapes.of(self.operands[1])
        left = len(shape) - count if isinstance(count, int) else shapes.declared_rank(self.results[0])
        if left is None:
            hint = "make axes an initialiser or a constant, or declare its length or the rank of the result"
            raise self.fail("ITG2101", "the number of axes must be known at compile time", hint)
        return tuple(shapes.result_symbol(self.results[0], k) for k in range(left))

    def flags(self, shapes: Shapes) -> list[Dim]:
        """For axes that the run reads: 1 for each axis of the operand that is reduced, 0 for the others."""
        rank, axes = shapes.rank(self.operands[0]), self.operands[1]
        (count,) = shapes.of(axes)
        if isinstance(count, int):
            return [_named(k, shapes.elements(axes), rank) for k in range(rank)]
        listed = [shapes.element_or(axes, i, rank) for i in range(rank)]
        return [select(equal(count, 0), self._of_none(1), _named(k, listed, rank)) for k in range(rank)]

    def reduced_count(self, shapes: Shapes) -> Dim:
        """How many axes are reduced where the run reads them: as many as it lists, which `flags` must add up to."""
        (count,) = shapes.of(self.operands[1])
        return count if isinstance(count, int) else select(equal(count, 0), self._of_none(shapes.rank(self.operands[0])), count)

    def _of_none(self, reduced: int) -> int:
        """What holds where no axes are listed, if `reduced` is what holds where all axes are."""
        return 0 if self.attr("noop_with_empty_axes") else reduced

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        axes = reduced_axes(self, shapes)
        contents = known(shapes, self.operands[0])
        shape = small(shapes.of(self.results[0]))
        if axes is None or contents is None or shape is None:
            return ()
        kept = [i for i in range(contents.ndim) if i not in axes]
        rows = contents.transpose(*kept, *axes).reshape(prod(shape), -1) if contents.size else [()] * prod(shape)
        folded = [x for x in (self.fold(tuple(row)) for row in rows) if x is not None]
        if len(folded) != len(rows):
            return ()
        result = fitted(object_array(folded, shape), element_of(self.operands[0]))
        return () if result is None else (result,)

    @staticmethod
    def fold(elements: Sequence[Dim], /) -> Dim | None:
        """The reduction of whole numbers, for shape arithmetic; None where the result is no whole number or not defined."""
        return None


def _named(k: int, axes: Sequence[Dim], rank: int) -> Dim:
    """1 if one of the axes is axis k, counted from the front or the end, else 0."""
    named: Dim = 0
    for axis in axes:
        named = select(equal(axis, k), 1, select(equal(axis, k - rank), 1, named))
    return named


def reduced_axes(op: ReduceOp, shapes: Shapes) -> tuple[int, ...] | None:
    """The axes a reduction reduces, counted from the front; None where they are read at run time."""
    data, *rest = op.operands
    rank = shapes.rank(data)
    count = 0
    for axes in rest:
        (length,) = of_rank(op, shapes, axes, "axes", 1)
        if not isinstance(length, int):
            return None
        count = length
    if count == 0:
        return () if op.attr("noop_with_empty_axes") else tuple(range(rank))
    if count > rank:
        raise op.fail("ITG2141", f"{count} axes are given for a tensor of rank {rank}")
    axes = shapes.ints(rest[0])
    return None if axes is None else axes_in(op, axes, rank)


def without_axes(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape with the axes kept as 1, or dropped."""
    if keepdims:
        return tuple(1 if i in axes else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in axes)


class WideReduceOp(ReduceOp):
    """A reduction of floats and 32- and 64-bit integers."""

    data = operand_def(tensor("T", _WIDE))
    axes = opt_operand_def(tensor("", I64))
    reduced = result_def(tensor("T", _WIDE))


class FloatReduceOp(ReduceOp):
    """A reduction of floats."""

    data = operand_def(tensor("T", ALL_FLOATS))
    axes = opt_operand_def(tensor("", I64))
    reduced = result_def(tensor("T", ALL_FLOATS))


class OrderReduceOp(ReduceOp):
    """A reduction to an extreme element."""

    data = operand_def(tensor("T", _ORDERED))
    axes = opt_operand_def(tensor("", I64))
    reduced = result_def(tensor("T", _ORDERED))


@operator(since=13)
class ReduceSumOp(WideReduceOp):
    """The sum, 0 of nothing. https://onnx.ai/onnx/operators/onnx__ReduceSum.html"""

    name = "onnx.ReduceSum"
    fold = staticmethod(lambda elements: reduce(add, elements, 0))


@operator(since=18)
class ReduceProdOp(WideReduceOp):
    """The product, 1 of nothing. https://onnx.ai/onnx/operators/onnx__ReduceProd.html"""

    name = "onnx.ReduceProd"
    fold = staticmethod(product)


@operator(since=20)
class ReduceMaxOp(OrderReduceOp):
    """The largest element, the type's lowest value of nothing. https://onnx.ai/onnx/operators/onnx__ReduceMax.html"""

    name = "onnx.ReduceMax"
    fold = staticmethod(lambda elements: reduce(maximum, elements) if elements else None)


@operator(since=20)
class ReduceMinOp(OrderReduceOp):
    """The smallest element, the type's highest value of nothing. https://onnx.ai/onnx/operators/onnx__ReduceMin.html"""

    name = "onnx.ReduceMin"
    fold = staticmethod(lambda elements: reduce(minimum, elements) if elements else None)


@operator(since=18)
class ReduceMeanOp(WideReduceOp):
    """The arithmetic mean. https://onnx.ai/onnx/operators/onnx__ReduceMean.html"""

    name = "onnx.ReduceMean"


@operator(since=18)
class ReduceL1Op(WideReduceOp):
    """The sum of magnitudes. https://onnx.ai/onnx/operators/onnx__ReduceL1.html"""

    name = "onnx.ReduceL1"


@operator(since=18)
class ReduceL2Op(WideReduceOp):
    """The square root of the sum of squares. https://onnx.ai/onnx/operators/onnx__ReduceL2.html"""

    name = "onnx.ReduceL2"


@operator(since=18)
class ReduceSumSquareOp(WideReduceOp):
    """The sum of squares. https://onnx.ai/onnx/operators/onnx__ReduceSumSquare.html"""

    name = "onnx.ReduceSumSquare"


@operator(since=28)
class ReduceLogSumOp(FloatReduceOp):
    """The logarithm of the sum. https://onnx.ai/onnx/operators/onnx__ReduceLogSum.html"""

    name = "onnx.ReduceLogSum"


@operator(since=28)
class ReduceLogSumExpOp(FloatReduceOp):
    """The logarithm of the sum of exponentials. https://onnx.ai/onnx/operators/onnx__ReduceLogSumExp.html"""

    name = "onnx.ReduceLogSumExp"


# -- one axis ----------------------------------------------------------------------------------------------------------------


class ArgOp(OnnxOp):
    """The int64 index along `axis` of an extreme element, the first or (select_last_index) the last one of equals."""

    data = operand_def(tensor("T", ALL_NUMERIC))
    reduced = result_def(tensor("", I64))
    axis = int_attr(0)
    keepdims = int_attr(1)
    select_last_index = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.data)
        axis = axis_in(self, self.attr("axis"), len(shape))
        if shape[axis] == 0:
            raise self.fail("ITG2144", f"dimension {axis} is 0 and has no element to choose")
        return (without_axes(shape, (axis,), self.attr("keepdims") == 1),)


@operator(since=13)
class ArgMaxOp(ArgOp):
    """The index of the largest element. https://onnx.ai/onnx/operators/onnx__ArgMax.html"""

    name = "onnx.ArgMax"


@operator(since=13)
class ArgMinOp(ArgOp):
    """The index of the smallest element. https://onnx.ai/onnx/operators/onnx__ArgMin.html"""

    name = "onnx.ArgMin"


class RunningOp(OnnxOp):
    """Combines along an axis all elements up to each one, without itself (exclusive) or from the end (reverse)."""

    x = operand_def(tensor("T", _WIDE))
    axis = operand_def(tensor("T2", (*I32, *I64)))
    y = result_def(tensor("T", _WIDE))
    exclusive = int_attr(0)
    reverse = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        require_scalar(self, shapes, self.axis, "axis")
        if axis := shapes.ints(self.axis):
            axis_in(self, axis[0], len(shape))
        return (shape,)


@operator(since=14)
class CumSumOp(RunningOp):
    """Running sums. https://onnx.ai/onnx/operators/onnx__CumSum.html"""

    name = "onnx.CumSum"


@operator(since=26)
class CumProdOp(RunningOp):
    """Running products. https://onnx.ai/onnx/operators/onnx__CumProd.html"""

    name = "onnx.CumProd"


class AlongAxisOp(OnnxOp):
    """Floats transformed along one axis, the shape kept."""

    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    axis = int_attr(-1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        axis_in(self, self.attr("axis"), len(shape))
        return (shape,)


@operator(since=13)
class SoftmaxOp(AlongAxisOp):
    """e^x divided by its sum along the axis. https://onnx.ai/onnx/operators/onnx__Softmax.html"""

    name = "onnx.Softmax"


@operator(since=13)
class LogSoftmaxOp(AlongAxisOp):
    """The logarithm of softmax. https://onnx.ai/onnx/operators/onnx__LogSoftmax.html"""

    name = "onnx.LogSoftmax"


@operator(since=13)
class HardmaxOp(AlongAxisOp):
    """1 at the first largest element along the axis, else 0. https://onnx.ai/onnx/operators/onnx__Hardmax.html"""

    name = "onnx.Hardmax"


@operator(since=22)
class LpNormalizationOp(AlongAxisOp):
    """x divided by its L1 or L2 norm along the axis. https://onnx.ai/onnx/operators/onnx__LpNormalization.html"""

    name = "onnx.LpNormalization"
    p = int_attr(2)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "p", 1, 2)
        return super().infer_shapes(shapes)


@operator(since=13)
class MeanVarianceNormalizationOp(OnnxOp):
    """(x - mean) / deviation over the axes. https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html"""

    name = "onnx.MeanVarianceNormalization"
    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    axes = ints_attr((0, 2, 3))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        axes_in(self, self.attr("axes"), len(shape))
        return (shape,)
