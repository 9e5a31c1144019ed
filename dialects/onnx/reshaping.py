"""Operators that ask for a tensor's shape or give its elements another one: Shape, Reshape, Transpose, Expand and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import override
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, opt_operand_def, result_def

from .base import OnnxOp, int_attr, ints_attr, operator, tensor
from .checks import axes_in, listed, listed_as, of_rank, show
from .contents import moved, object_array, small
from .dims import Dim, Shape, equal, exact_div, floordiv, maximum, mod, non_negative, product, select
from .shapes import Shapes
from .tensor import sizes
from .types import ALL_IR13, ALL_TENSOR_BF16, I64


class _ViewOp(OnnxOp):
    """An operator whose result has its first operand's elements in the same order."""

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        shape = small(shapes.of(self.results[0]))
        return () if shape is None else moved(shapes, self.operands[0], lambda contents: contents.reshape(shape))


@operator(since=25)
class ShapeOp(OnnxOp):
    """The dimensions start..end of the operand's shape, as int64; out of range, the bounds are clamped.

    https://onnx.ai/onnx/operators/onnx__Shape.html
    """

    name = "onnx.Shape"
    data = operand_def(tensor("T", ALL_IR13))
    shape = result_def(tensor("T1", I64))
    start = int_attr(0)
    end = int_attr()

    def selected(self, shapes: Shapes) -> Shape:
        """The dimensions that the result lists."""
        return shapes.of(self.data)[self.attr("start") : self.attr("end")]

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return ((len(self.selected(shapes)),),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        dims = self.selected(shapes)
        return (object_array(dims, (len(dims),)),)


@operator(since=25)
class SizeOp(OnnxOp):
    """The number of elements, as an int64 scalar. https://onnx.ai/onnx/operators/onnx__Size.html"""

    name = "onnx.Size"
    data = operand_def(tensor("T", ALL_IR13))
    size = result_def(tensor("T1", I64))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shapes.of(self.data)
        return ((),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return (object_array([product(shapes.of(self.data))], ()),)


@operator(since=25)
class ReshapeOp(_ViewOp):
    """The same elements in the shape that the second operand lists.

    https://onnx.ai/onnx/operators/onnx__Reshape.html
    There, 0 takes the operand's dimension (an empty one with allowzero), and at most one -1 what is left over.
    """

    name = "onnx.Reshape"
    data = operand_def(tensor("T", ALL_IR13))
    shape = operand_def(tensor("", I64))
    reshaped = result_def(tensor("T", ALL_IR13))
    allowzero = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        data = shapes.of(self.data)
        wanted = listed_as(self, shapes, self.shape, shapes.declared_rank(self.reshaped), "the shape operand")
        if any(isinstance(d, int) and d < -1 for d in wanted) or wanted.count(-1) > 1:
            raise self.fail("ITG2152", f"the target shape {show(wanted)} needs dimensions of 0 or more, and at most one -1")
        if self.attr("allowzero") and 0 in wanted and -1 in wanted:
            raise self.fail("ITG2152", f"the target shape {show(wanted)} has 0 and -1, which allowzero forbids together")
        named = tuple(self._named_dim(d, i, data) for i, d in enumerate(wanted))
        if -1 in wanted:
            return (self._with_left_over(shapes, data, named, wanted),)
        if all(non_negative(d) for d in wanted):
            self._require_same_count(shapes, data, named, wanted)
            return (named,)
        return (self._with_any_left_over(data, named, wanted),)

    def _named_dim(self, dim: Dim, index: int, data: Shape) -> Dim:
        """The dimension with 0 replaced by the operand's; -1 stays."""
        if self.attr("allowzero") or (not isinstance(dim, int) and (non_negative(dim) or index >= len(data))):
            return dim
        if dim == 0 and index >= len(data):
            raise self.fail("ITG2152", f"0 at position {index} of the target shape takes a dimension that {show(data)} does not have")
        return select(equal(dim, 0), data[index], dim) if index < len(data) else dim

    def _with_left_over(self, shapes: Shapes, data: Shape, named: Shape, wanted: Shape) -> Shape:
        """The target shape where the one -1 stands at a known place."""
        place = wanted.index(-1)
        total, rest = product(data), product(d for i, d in enumerate(named) if i != place)
        if rest == 0:
            raise self.fail("ITG2150", f"cannot tell what -1 stands for when {show(data)} is viewed as {show(wanted)} without elements")
        found = exact_div(total, rest)
        if found is None and isinstance(total, int) and isinstance(rest, int):
            raise self._mismatch(data, total, wanted)
        if found is None:
            shapes.require_equal(self, mod(total, rest), 0, f"the elements left over when {show(data)} is viewed as {show(wanted)} and 0")
            found = floordiv(total, rest)
        return (*named[:place], found, *named[place + 1 :])

    @staticmethod
    def _with_any_left_over(data: Shape, named: Shape, wanted: Shape) -> Shape:
        """The target shape where each dimension that only the run knows may turn out to be the -1."""
        total = product(data)
        return tuple(
            d if non_negative(w) else select(equal(w, -1), floordiv(total, product(named[:i] + named[i + 1 :])), d)
            for i, (d, w) in enumerate(zip(named, wanted, strict=True))
        )

    def _require_same_count(self, shapes: Shapes, data: Shape, named: Shape, wanted: Shape) -> None:
        total, found = product(data), product(named)
        if isinstance(total, int) and isinstance(found, int) and total != found:
            raise self._mismatch(data, total, wanted)
        shapes.require_equal(self, total, found, f"the element counts of {show(data)} and of its view as {show(wanted)}")

    def _mismatch(self, data: Shape, total: Dim, wanted: Shape) -> Exception:
        return self.fail("ITG2150", f"cannot view {show(data)} ({total} elements) as {show(wanted)}")


@operator(since=25)
class FlattenOp(_ViewOp):
    """A matrix whose rows are the dimensions before `axis` and whose columns are the others.

    https://onnx.ai/onnx/operators/onnx__Flatten.html
    """

    name = "onnx.Flatten"
    x = operand_def(tensor("T", ALL_IR13))
    y = result_def(tensor("T", ALL_IR13))
    axis = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        axis, rank = self.attr("axis"), len(shape)
        if not -rank <= axis <= rank:
            raise self.fail("ITG2141", f"axis {axis} is out of range for rank {rank}")
        axis += rank if axis < 0 else 0
        return ((product(shape[:axis]), product(shape[axis:])),)


@operator(since=25)
class SqueezeOp(_ViewOp):
    """The operand without the dimensions that `axes` names, or without all that are 1; what the run decides leaves the shape open.

    Without axes, a dimension that only the run knows stays, since the result must have one rank, and a run in which it is 1 is refused;
    or the result's declared rank tells how many turn out to be 1.

    https://onnx.ai/onnx/operators/onnx__Squeeze.html
    """

    name = "onnx.Squeeze"
    data = operand_def(tensor("T", ALL_IR13))
    axes = opt_operand_def(tensor("", I64))
    squeezed = result_def(tensor("T", ALL_IR13))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.data)
        rank = shapes.declared_rank(self.squeezed)
        if self.axes is None:
            kept = tuple(d for d in shape if d != 1)
            if rank is not None and sum(isinstance(d, int) for d in kept) <= rank < len(kept):
                return (tuple(shapes.result_symbol(self.squeezed, i) for i in range(rank)),)
            return (kept,)
        count = axes_count(self, shapes, self.axes, None if rank is None else len(shape) - rank)
        if shapes.ints(self.axes) is None and count <= len(shape):
            return (tuple(shapes.result_symbol(self.squeezed, i) for i in range(len(shape) - count)),)
        axes = constant_axes(self, shapes, self.axes, len(shape))
        for axis in axes:
            shapes.require_equal(self, shape[axis], 1, f"the squeezed dimension {axis} and 1")
        return (tuple(d for i, d in enumerate(shape) if i not in axes),)


@operator(since=25)
class UnsqueezeOp(_ViewOp):
    """The operand with dimensions of 1 inserted, where `axes` says that they are in the result; the run may read them.

    https://onnx.ai/onnx/operators/onnx__Unsqueeze.html
    """

    name = "onnx.Unsqueeze"
    data = operand_def(tensor("T", ALL_IR13))
    axes = operand_def(tensor("", I64))
    expanded = result_def(tensor("T", ALL_IR13))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.data)
        rank = shapes.declared_rank(self.expanded)
        count = axes_count(self, shapes, self.axes, None if rank is None else rank - len(shape))
        if shapes.ints(self.axes) is None:
            return (tuple(shapes.result_symbol(self.expanded, i) for i in range(len(shape) + count)),)
        axes = constant_axes(self, shapes, self.axes, len(shape) + count)
        left = iter(shape)
        return (tuple(1 if i in axes else next(left) for i in range(len(shape) + count)),)


def axes_count(op: OnnxOp, shapes: Shapes, axes: SSAValue, taken: int | None = None) -> int:
    """How many axes an axes operand lists; `taken`, where it is at least 0 and only the run knows their number.

    Raises ITG2101 where only the run knows and nothing is taken.
    """
    (count,) = of_rank(op, shapes, axes, "axes", 0, 1) or (1,)
    if not isinstance(count, int) and taken is not None and taken >= 0:
        return len(listed(op, shapes, axes, taken, "axes"))
    return op.require(count if isinstance(count, int) else None, "the number of axes")


def constant_axes(op: OnnxOp, shapes: Shapes, axes: SSAValue, rank: int) -> tuple[int, ...]:
    """The distinct axes of an axes operand, counted from the front. Raises where they are not known or out of range."""
    count = axes_count(op, shapes, axes)
    if count > rank:
        raise op.fail("ITG2141", f"{count} axes are given for a tensor of rank {rank}")
    return axes_in(op, op.require(shapes.ints(axes), "axes"), rank)


# -- more than a view --------------------------------------------------------------------------------------------------------


@operator(since=25)
class TransposeOp(OnnxOp):
    """The operand with its axes in the order `perm`, by default reversed.

    https://onnx.ai/onnx/operators/onnx__Transpose.html
    """

    name = "onnx.Transpose"
    data = operand_def(tensor("T", ALL_IR13))
    transposed = result_def(tensor("T", ALL_IR13))
    perm = ints_attr()

    def order(self, rank: int) -> tuple[int, ...]:
        """The operand's axis of each axis of the result. Raises ITG2142 where `perm` is no permutation."""
        if self.perm is None:
            return tuple(reversed(range(rank)))
        perm = self.attr("perm")
        if sorted(perm) != list(range(rank)):
            raise self.fail("ITG2142", f"perm [{', '.join(map(str, perm))}] is no permutation of the axes of a tensor of rank {rank}")
        return perm

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.data)
        return (tuple(shape[i] for i in self.order(len(shape))),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return moved(shapes, self.data, lambda contents: contents.transpose(self.order(contents.ndim)))


@operator(since=13)
class ExpandOp(OnnxOp):
    """The operand broadcast against the shape that the second operand lists; either may have dimensions of 1.

    https://onnx.ai/onnx/operators/onnx__Expand.html
    """

    name = "onnx.Expand"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    shape = operand_def(tensor("", I64))
    y = result_def(tensor("T", ALL_TENSOR_BF16))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.broadcast(self, shapes.of(self.x), sizes(self, self.wanted(shapes))),)

    def wanted(self, shapes: Shapes) -> tuple[Dim, ...]:
        """The dimensions to broadcast to; where only the run knows how many, the declared rank tells, with ones before fewer."""
        (length,) = of_rank(self, shapes, self.shape, "the shape operand", 1)
        rank = shapes.declared_rank(self.y)
        if isinstance(length, int) or rank is None:
            return shapes.elements(self.shape)
        if rank > shapes.rank(self.x):
            return listed(self, shapes, self.shape, rank, "the shape operand")
        shapes.require_equal(self, maximum(length, rank), rank, "the number of dimensions to expand to, or the result's,")
        return tuple(shapes.element_or(self.shape, length - rank + i, 1) for i in range(rank))

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        shape = small(shapes.of(self.y))
        return () if shape is None else moved(shapes, self.x, lambda contents: np.broadcast_to(contents, shape))
