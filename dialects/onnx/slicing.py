"""Operators that cut tensors along axes, join, pad and repeat them, or rearrange blocks of them: Slice, Concat, Pad, Tile and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from typing_extensions import override
from xdsl.irdl import operand_def, opt_operand_def, result_def, var_operand_def, var_result_def

from .base import OnnxOp, int_attr, ints_attr, operator, str_attr, tensor
from .checks import (
    at_least,
    axes_in,
    axis_in,
    divide,
    listed,
    of_rank,
    of_rank_at_least,
    one_of,
    require_scalar,
    require_vector,
    show,
)
from .contents import known, moved, small
from .dims import UNBOUNDED, Dim, Shape, ceildiv, equal, less, maximum, minimum, non_negative, select
from .reshaping import constant_axes
from .shapes import Shapes
from .tensor import sizes
from .types import ALL_IR13, ALL_TENSOR_BF16, I32, I64

# -- joining and cutting -----------------------------------------------------------------------------------------------------


@operator(since=13)
class ConcatOp(OnnxOp):
    """Joins tensors along one axis.

    inputs: one or more of shape (d0, .., a_i, .., dn); output: (d0, .., sum a_i, .., dn).
    https://onnx.ai/onnx/operators/onnx__Concat.html
    """

    name = "onnx.Concat"
    inputs = var_operand_def(tensor("T", ALL_TENSOR_BF16))
    output = result_def(tensor("T", ALL_TENSOR_BF16))
    axis = int_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        if not self.inputs:
            raise self.fail("ITG2143", "needs one input or more, but has none")
        result = list(shapes.of(self.inputs[0]))
        axis = axis_in(self, self.attr("axis"), len(result))
        for k, tensor_in in enumerate(self.inputs[1:], start=1):
            shape = of_rank(self, shapes, tensor_in, f"input {k}", len(result))
            for i, d in enumerate(shape):
                if i == axis:
                    result[i] = result[i] + d
                else:
                    result[i] = shapes.require_equal(self, result[i], d, f"dimensions {i} of inputs 0 and {k}")
        return (tuple(result),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        if small(shapes.of(self.output)) is None:
            return ()
        parts = [c for v in self.inputs if (c := known(shapes, v)) is not None]
        if len(parts) != len(self.inputs):
            return ()
        return (np.concatenate(parts, axis=self.attr("axis")),)


@operator(since=18)
class SplitOp(OnnxOp):
    """Cuts a tensor along one axis into parts of the sizes `split`, or into `num_outputs` equal ones, the last maybe smaller.

    https://onnx.ai/onnx/operators/onnx__Split.html
    """

    name = "onnx.Split"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    split = opt_operand_def(tensor("", I64))
    outputs = var_result_def(tensor("T", ALL_TENSOR_BF16))
    axis = int_attr(0)
    num_outputs = int_attr()

    def parts(self, shapes: Shapes) -> tuple[Dim, ...]:
        """The size along the axis of every output."""
        shape = shapes.of(self.x)
        whole = shape[axis_in(self, self.attr("axis"), len(shape))]
        count, given = len(self.outputs), self.attr("num_outputs")
        if (self.split is None) == (given is None):
            raise self.fail("ITG2147", "needs either the input split or the attribute num_outputs, and not both")
        if self.split is None:
            return self._equal_parts(whole, count, given)
        parts = sizes(self, listed(self, shapes, self.split, count, "split"))
        shapes.require_equal(self, sum(parts), whole, f"the sum of split ({show(parts)}) and the size it splits")
        return parts

    def _equal_parts(self, whole: Dim, count: int, given: int) -> tuple[Dim, ...]:
        if count != given:
            raise self.fail("ITG2143", f"num_outputs is {given}, but there are {count} outputs")
        part = ceildiv(whole, count)
        last = whole - part * (count - 1)
        if isinstance(last, int) and last < 0:
            raise self.fail("ITG2150", f"{whole} elements cannot be split into {count} parts of {part}, the last one smaller")
        return (part,) * (count - 1) + (last,)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        if not self.outputs:
            raise self.fail("ITG2143", "needs one output or more, but has none")
        axis = axis_in(self, self.attr("axis"), len(shape))
        return [(*shape[:axis], part, *shape[axis + 1 :]) for part in self.parts(shapes)]

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        contents = known(shapes, self.x)
        ends = np.cumsum([p for p in self.parts(shapes) if isinstance(p, int)])
        if contents is None or len(ends) != len(self.outputs):
            return ()
        return np.split(contents, ends[:-1], axis=self.attr("axis"))


@dataclass(frozen=True)
class Cut:
    """One axis of a Slice: `count` positions from `start`, counted from the front, on by `step`; without any, start means nothing."""

    axis: int
    start: Dim
    step: Dim
    count: Dim


@operator(since=13)
class SliceOp(OnnxOp):
    """Takes every step-th element from start up to end, which is left out, along each of the axes.

    https://onnx.ai/onnx/operators/onnx__Slice.html
    Negative positions count from the end, positions out of range are clamped, negative steps walk backwards.
    """

    name = "onnx.Slice"
    data = operand_def(tensor("T", ALL_TENSOR_BF16))
    starts = operand_def(tensor("Tind", (*I32, *I64)))
    ends = operand_def(tensor("Tind", (*I32, *I64)))
    axes = opt_operand_def(tensor("Tind", (*I32, *I64)))
    steps = opt_operand_def(tensor("Tind", (*I32, *I64)))
    output = result_def(tensor("T", ALL_TENSOR_BF16))

    def cuts(self, shapes: Shapes) -> tuple[Cut, ...] | None:
        """What is taken along each axis that is cut; None where the run reads the axes. The lowering asks here, too."""
        shape = shapes.of(self.data)
        count = self._count(shapes)
        if count is None:
            return None
        if count > len(shape):
            raise self.fail("ITG2143", f"{count} starts are given for a tensor of rank {len(shape)}")
        axes: tuple[int, ...] | None = tuple(range(count))
        if self.axes is not None:
            known_axes = shapes.ints(self.axes)
            axes = None if known_axes is None else axes_in(self, known_axes, len(shape))
        if axes is None:
            return None
        steps = (1,) * count if self.steps is None else shapes.elements(self.steps, count)
        if 0 in steps:
            raise self.fail("ITG2152", "a step is 0")
        starts, ends = shapes.elements(self.starts, count), shapes.elements(self.ends, count)
        return tuple(_cut(a, shape[a], s, e, step) for a, s, e, step in zip(axes, starts, ends, steps, strict=True))

    def _count(self, shapes: Shapes) -> int | None:
        """How many axes are cut; None where only the run knows."""
        (length,) = of_rank(self, shapes, self.starts, "starts", 1)
        lists = [(v, what) for v, what in ((self.ends, "ends"), (self.axes, "axes"), (self.steps, "steps")) if v is not None]
        for operand, what in lists:
            require_vector(self, shapes, operand, length, what)
        lengths = (length, *(shapes.of(operand)[0] for operand, _ in lists))
        return next((d for d in lengths if isinstance(d, int)), None)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        result = list(shapes.of(self.data))
        cuts = self.cuts(shapes)
        if cuts is None:
            return (tuple(shapes.result_symbol(self.output, i) for i in range(len(result))),)
        for cut in cuts:
            result[cut.axis] = cut.count
        return (tuple(result),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        contents = known(shapes, self.data)
        cuts = self.cuts(shapes)
        if contents is None or cuts is None:
            return ()
        for cut in cuts:
            start, step, count = cut.start, cut.step, cut.count
            if not (isinstance(start, int) and isinstance(step, int) and isinstance(count, int)):
                return ()
            contents = np.take(contents, [start + i * step for i in range(count)], axis=cut.axis)
        return (contents,)


def _cut(axis: int, size: Dim, start: Dim, end: Dim, step: Dim) -> Cut:
    if non_negative(step):
        return Cut(axis, _first(start, size), step, ceildiv(_forward(size, start, end), step))
    if non_negative(-step):
        return Cut(axis, _last(start, size), step, ceildiv(_backward(size, start, end), -step))
    forward, backward = ceildiv(_forward(size, start, end), step), ceildiv(_backward(size, start, end), -step)
    turned = less(step, 0)
    return Cut(axis, select(turned, _last(start, size), _first(start, size)), step, select(turned, backward, forward))


def _forward(size: Dim, start: Dim, end: Dim) -> Dim:
    """How many positions lie from start up to end: max(0, min(end, size) - max(start, 0)) of positions from the front.

    Taken apart into the least of differences, so that the last k of n elements are min(k, n) and not n - max(0, n - k).
    """
    low, high = _from_front(start, size), _from_front(end, size)
    if non_negative(low - high):
        return 0
    if isinstance(start, int) or isinstance(end, int) or non_negative(low) or non_negative(high):
        span = minimum(high - low, size - low)
    else:  # both may be as far out as integers go, where their difference overflows
        return maximum(0, minimum(maximum(0, high), size) - minimum(maximum(0, low), size))
    if not non_negative(low):
        span = minimum(span, minimum(high, size))
    return maximum(0, span)


def _backward(size: Dim, start: Dim, end: Dim) -> Dim:
    """How many positions lie from start down to end."""
    if isinstance(end, int) and end <= -UNBOUNDED:
        low: Dim = -1
    else:
        low = maximum(-1, minimum(_from_front(end, size), size - 1))
    return maximum(0, _last(start, size) - low)


def _first(start: Dim, size: Dim) -> Dim:
    """The position a forward slice starts from."""
    return minimum(maximum(0, _from_front(start, size)), size)


def _last(start: Dim, size: Dim) -> Dim:
    """The position a backward slice starts from; -1 of an empty axis."""
    return minimum(maximum(0, _from_front(start, size)), size - 1)


def _from_front(position: Dim, size: Dim) -> Dim:
    """A position counted from the front, whatever its sign says; not clamped, but the huge ones that mean "the end"."""
    if isinstance(position, int) and position >= UNBOUNDED:
        return size
    if isinstance(position, int) and position <= -UNBOUNDED:
        return -1
    return select(less(position, 0), position + size, position)


# -- padding and repeating ---------------------------------------------------------------------------------------------------


@operator(since=25)
class PadOp(OnnxOp):
    """Adds (or, where negative, cuts off) pads[i] elements before and pads[k + i] after each of the k axes.

    https://onnx.ai/onnx/operators/onnx__Pad.html
    Modes: "constant" (0 by default), "reflect" without the edge, "edge" repeats it, "wrap" goes on at the other end.
    """

    name = "onnx.Pad"
    data = operand_def(tensor("T", ALL_IR13))
    pads = operand_def(tensor("", I64))
    constant_value = opt_operand_def(tensor("T", ALL_IR13))
    axes = opt_operand_def(tensor("Tind", (*I32, *I64)))
    output = result_def(tensor("T", ALL_IR13))
    mode = str_attr("constant")

    def amounts(self, shapes: Shapes) -> tuple[tuple[Dim, Dim], ...]:
        """The elements added before and after every axis of the operand. The lowering asks here, too."""
        rank = shapes.rank(self.data)
        if self.axes is not None and shapes.ints(self.axes) is None:
            return self._amounts_at(shapes, *self.read_axes(shapes), rank)
        axes = tuple(range(rank)) if self.axes is None else constant_axes(self, shapes, self.axes, rank)
        pads = listed(self, shapes, self.pads, 2 * len(axes), "pads")
        by_axis = {a: (pads[i], pads[len(axes) + i]) for i, a in enumerate(axes)}
        return tuple(by_axis.get(i, (0, 0)) for i in range(rank))

    def read_axes(self, shapes: Shapes) -> tuple[tuple[Dim, ...], Dim]:
        """The axes where the run reads them, and how many there are; as many may be as the operand has, those beyond name none."""
        assert self.axes is not None
        rank, (count,) = shapes.rank(self.data), of_rank(self, shapes, self.axes, "axes", 1)
        if isinstance(count, int):
            return shapes.elements(self.axes), count
        return tuple(shapes.element_or(self.axes, i, rank) for i in range(rank)), count

    def _amounts_at(self, shapes: Shapes, axes: Sequence[Dim], count: Dim, rank: int) -> tuple[tuple[Dim, Dim], ...]:
        """The amounts where the run reads the axes: each axis takes the pads of those that turn out to name it."""
        require_vector(self, shapes, self.pads, 2 * count, "pads")
        befores = [shapes.element_or(self.pads, i, 0) for i in range(len(axes))]
        afters = [shapes.element_or(self.pads, count + i, 0) for i in range(len(axes))]
        named = [select(less(a, 0), a + rank, a) for a in axes]
        amounts: list[tuple[Dim, Dim]] = []
        for i in range(rank):
            before: Dim = 0
            after: Dim = 0
            for j, axis in enumerate(named):
                before = before + equal(axis, i) * befores[j]
                after = after + equal(axis, i) * afters[j]
            amounts.append((before, after))
        return tuple(amounts)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        mode = one_of(self, "mode", "constant", "reflect", "edge", "wrap")
        require_scalar(self, shapes, self.constant_value, "constant_value")
        return (tuple(self._padded(d, *pads, mode) for d, pads in zip(shapes.of(self.data), self.amounts(shapes), strict=True)),)

    def _padded(self, size: Dim, before: Dim, after: Dim, mode: str | int) -> Dim:
        padded = size + before + after
        if isinstance(padded, int) and padded < 0:
            raise self.fail("ITG2144", f"a dimension of {size} cannot be padded by {before} and {after}: {padded} would be left")
        if size == 0 and padded != 0 and mode != "constant":
            raise self.fail("ITG2144", f"an empty dimension has nothing to pad it with in mode {mode!r}")
        return padded


@operator(since=13)
class TileOp(OnnxOp):
    """Repeats the operand repeats[i] times along each axis i. https://onnx.ai/onnx/operators/onnx__Tile.html"""

    name = "onnx.Tile"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    repeats = operand_def(tensor("T1", I64))
    y = result_def(tensor("T", ALL_TENSOR_BF16))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        repeats = listed(self, shapes, self.repeats, len(shape), "repeats")
        if any(isinstance(r, int) and r < 0 for r in repeats):
            raise self.fail("ITG2152", f"repeats {show(repeats)} has a negative count")
        return (tuple(d * r for d, r in zip(shape, repeats, strict=True)),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        repeats = shapes.ints(self.repeats)
        if repeats is None or small(shapes.of(self.y)) is None:
            return ()
        return moved(shapes, self.x, lambda contents: np.tile(contents, repeats))


@operator(since=18)
class CenterCropPadOp(OnnxOp):
    """Crops the middle out of each of the axes, or pads it on both sides with zeros, to the sizes of `shape`.

    https://onnx.ai/onnx/operators/onnx__CenterCropPad.html
    """

    name = "onnx.CenterCropPad"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    shape = operand_def(tensor("Tind", (*I32, *I64)))
    y = result_def(tensor("T", ALL_TENSOR_BF16))
    axes = ints_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        result = list(shapes.of(self.x))
        axes = tuple(range(len(result))) if self.axes is None else axes_in(self, self.attr("axes"), len(result))
        wanted = listed(self, shapes, self.shape, len(axes), "shape")
        for axis, size in zip(axes, sizes(self, wanted), strict=True):
            result[axis] = size
        return (tuple(result),)


# -- rearranging -------------------------------------------------------------------------------------------------------------


@operator(since=14)
class TriluOp(OnnxOp):
    """The upper or lower triangle of each matrix, from its k-th diagonal on; zeros elsewhere.

    https://onnx.ai/onnx/operators/onnx__Trilu.html
    """

    name = "onnx.Trilu"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    k = opt_operand_def(tensor("", I64))
    y = result_def(tensor("T", ALL_TENSOR_BF16))
    upper = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_scalar(self, shapes, self.k, "k")
        return (of_rank_at_least(self, shapes, self.x, "the input", 2),)


@operator(since=28)
class DepthToSpaceOp(OnnxOp):
    """Moves blocks of channels into the plane: (N, C b b, H, W) to (N, C, H b, W b), b = blocksize.

    https://onnx.ai/onnx/operators/onnx__DepthToSpace.html
    The channel counts block row, block column, channel in mode "DCR", and channel, block row, block column in mode "CRD".
    """

    name = "onnx.DepthToSpace"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    y = result_def(tensor("T", ALL_TENSOR_BF16))
    blocksize = int_attr(required=True)
    mode = str_attr("DCR")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "mode", "DCR", "CRD")
        n, c, h, w = of_rank(self, shapes, self.x, "the input", 4)
        block = at_least(self, "blocksize", 1)
        return ((n, divide(self, c, block * block, "the number of channels"), h * block, w * block),)


@operator(since=28)
class SpaceToDepthOp(OnnxOp):
    """Moves blocks of the plane into channels: (N, C, H b, W b) to (N, C b b, H, W), b = blocksize.

    https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html
    The inverse of DepthToSpace in the same mode.
    """

    name = "onnx.SpaceToDepth"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    y = result_def(tensor("T", ALL_TENSOR_BF16))
    blocksize = int_attr(required=True)
    mode = str_attr("DCR")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "mode", "DCR", "CRD")
        n, c, h, w = of_rank(self, shapes, self.x, "the input", 4)
        block = at_least(self, "blocksize", 1)
        return ((n, c * block * block, divide(self, h, block, "the height"), divide(self, w, block, "the width")),)


@operator(since=28)
class ReverseSequenceOp(OnnxOp):
    """Reverses the first sequence_lens[i] steps of each batch i along the time axis; what follows stays.

    https://onnx.ai/onnx/operators/onnx__ReverseSequence.html
    The batch and time axes are the first two, in either order; sequence_lens: (batch,).
    """

    name = "onnx.ReverseSequence"
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    sequence_lens = operand_def(tensor("", I64))
    y = result_def(tensor("T", ALL_TENSOR_BF16))
    batch_axis = int_attr(1)
    time_axis = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = of_rank_at_least(self, shapes, self.x, "the input", 2)
        batch, time = one_of(self, "batch_axis", 0, 1), one_of(self, "time_axis", 0, 1)
        if batch == time:
            raise self.fail("ITG2147", f"batch_axis and time_axis are both {batch}")
        require_vector(self, shapes, self.sequence_lens, shape[int(batch)], "sequence_lens")
        for length in shapes.ints(self.sequence_lens) or ():
            self._check_length(length, shape[int(time)])
        return (shape,)

    def _check_length(self, length: int, steps: Dim) -> None:
        if length < 0 or (isinstance(steps, int) and length > steps):
            raise self.fail("ITG2144", f"a sequence of {length} steps does not fit into {steps}")
