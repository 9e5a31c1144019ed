"""Operators that cut tensors along axes, join, pad and repeat them, or rearrange blocks of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from xdsl.dialects import func

from ...dialects.kernel import Array, Out, check, inline, kernel, parallel, unroll
from ...dialects.onnx import slicing as ops
from ...dialects.onnx.checks import axes_in
from ...dialects.onnx.dims import Dim, Shape, floordiv, less, maximum, minimum, mod, product, select
from ..scalar import INDEX, INT64, ScalarBuilder
from .builder import Lowering, Tensor
from .guards import require_at_most, require_axes, require_elements, require_not_zero, require_sizes
from .registry import lower
from .rounds import as_shape, tied

# -- joining


@inline
def copy_row(x, i, y, start):
    """Puts a row of x into that of y, from column `start` on; returns where the next columns start."""
    for j in range(x.shape[1]):
        y[i, start + j] = x[i, j]
    return start + x.shape[1]


@kernel
def concat(
    x0: Array,
    x1: Array,
    x2: Array | None,
    x3: Array | None,
    x4: Array | None,
    x5: Array | None,
    x6: Array | None,
    x7: Array | None,
    y: Out,
):
    """Joins matrices side by side."""
    for i in parallel(y.shape[0], y.shape[1] * COPY):
        start = copy_row(x0, i, y, 0)
        start = copy_row(x1, i, y, start)
        if x2 is not None:
            start = copy_row(x2, i, y, start)
        if x3 is not None:
            start = copy_row(x3, i, y, start)
        if x4 is not None:
            start = copy_row(x4, i, y, start)
        if x5 is not None:
            start = copy_row(x5, i, y, start)
        if x6 is not None:
            start = copy_row(x6, i, y, start)
        if x7 is not None:
            start = copy_row(x7, i, y, start)


COPY = 200
"""Picoseconds that an element takes to be copied, roughly."""

WIDEST = 8
"""How many tensors one run of `concat` joins."""


@lower(ops.ConcatOp)
def lower_concat(b: Lowering, op: ops.ConcatOp, parts: list[Tensor]) -> Tensor:
    return join(b, parts, op.attr("axis") % parts[0].rank, b.shapes.of(op.output))


def join(b: Lowering, parts: Sequence[Tensor], axis: int, shape: Shape) -> Tensor:
    """Tensors joined along an axis (counted from the front) into one of this shape.

    Those that come one after another in memory may be made there; others are copied, once where they are few."""
    parts = [p for p in parts if p.shape[axis] != 0] or parts[:1]
    outer, inner = product(shape[:axis]), product(shape[axis + 1 :])
    if outer == 1 and len(parts) > 1:
        return b.join(parts, shape)
    level = [b.reshape(p, (outer, p.shape[axis] * inner)) for p in parts]
    while len(level) > 1:
        level = [_join_columns(b, level[k : k + WIDEST]) for k in range(0, len(level), WIDEST)]
    return b.reshape(level[0], shape)


def _join_columns(b: Lowering, parts: Sequence[Tensor]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    arrays: dict[str, Any] = {f"x{k}": parts[k] if k < len(parts) else None for k in range(WIDEST)}
    rows = parts[0].shape[0]
    columns = sum((p.shape[1] for p in parts[1:]), start=parts[0].shape[1])
    return b.kernel(concat, arrays | {"y": ((rows, columns), parts[0].type)})[0]


# -- cutting


@lower(ops.SplitOp)
def split(b: Lowering, op: ops.SplitOp, x: Tensor, _: Tensor | None) -> tuple[Tensor, ...]:
    axis = op.attr("axis") % x.rank
    sizes = op.parts(b.shapes)
    require_sizes(b, sizes, "a size to split into")
    results: list[Tensor] = []
    start: Dim = 0
    for result, size in zip(op.outputs, sizes, strict=True):
        results.append(cut(b, x, b.shapes.of(result), {axis: (start, 1)}))
        start = start + size
    return tuple(results)


def cut(b: Lowering, x: Tensor, shape: Shape, along: dict[int, tuple[Dim, Dim]]) -> Tensor:
    """The elements of x at start + i * step along the axes given; all of them must be there."""
    if tuple(shape) == tuple(x.shape) and all(start == 0 and step == 1 for start, step in along.values()):
        return x

    def element(*i: Any) -> Any:
        places = list(i)
        for axis, (start, step) in along.items():
            places[axis] = i[axis] * b.index(step) + b.index(start)
        return x[tuple(places)]

    return b.compute(shape, x.type, element, doc="slice")


@kernel
def plan_slice(x: Array, starts: Array, ends: Array, axes: Array | None, steps: Array | None, plan: Out):
    """What a slice takes along every axis of x: where it starts, by which step it goes on, how many positions it has."""
    for k in range(x.rank):
        plan[0, k] = 0
        plan[1, k] = 1
    for k in unroll(x.rank):
        plan[2, k] = x.shape[k]
    for n in range(starts.size):
        given = n
        if axes is not None:
            given = int(axes[n])
        axis = given + x.rank if given < 0 else given
        known = axis >= 0 and axis < x.rank
        check(known, "ITG5001", "axis {} is outside of [{}, {})", given, -x.rank, x.rank)
        step = 1
        if steps is not None:
            step = int(steps[n])
        check(step != 0, "ITG5004", "a step must not be 0")
        if known and step != 0:
            size = plan[2, axis]
            first, last = int(starts[n]), int(ends[n])
            if first < 0:
                first += size
            if last < 0:
                last += size
            count = 0
            if step > 0:
                first = min(max(first, 0), size)
                last = min(max(last, 0), size)
                count = (last - first + step - 1) // step if last > first else 0
            else:
                first = min(max(first, 0), size - 1)
                last = min(max(last, -1), size - 1)
                count = (first - last - step - 1) // -step if first > last else 0
            plan[0, axis] = first
            plan[1, axis] = step
            plan[2, axis] = count


@kernel
def take_slice(x: Array, plan: Array, y: Out):
    """The elements that a plan names."""
    for i in range(y.size):
        rest, at = i, 0
        for k in unroll(x.rank):
            at += (plan[0, k] + rest // y.strides[k] * plan[1, k]) * x.strides[k]
            rest = rest % y.strides[k]
        y.flat[i] = x.flat[at]


@lower(ops.SliceOp)
def slice_(b: Lowering, op: ops.SliceOp, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None, steps: Tensor | None) -> Tensor:
    shape = b.shapes.of(op.output)
    cuts = op.cuts(b.shapes)
    if cuts is not None:
        for c in cuts:
            require_not_zero(b, c.step, "a step")
        return cut(b, x, shape, {c.axis: (c.start, c.step) for c in cuts})
    arrays = {"x": x, "starts": starts, "ends": ends, "axes": axes, "steps": steps, "plan": ((3, x.rank), INT64)}
    (plan,) = b.kernel(plan_slice, arrays)
    for k in range(x.rank):
        b.define_result_dim(op.output, k, b.host_scalar(plan, 2 * x.rank + k).value)
    return b.kernel(take_slice, {"x": x, "plan": plan, "y": (shape, x.type)})[0]


# -- padding and repeating


@kernel
def pad_constant(x: Array, value: Array, begin: Array, y: Out):
    """x put into y from begin[k] on along each axis k, cut off where it does not fit, `value` around it."""
    last = x.rank - 1
    width = y.shape[last]
    filler = value.flat[0]
    low = min(max(begin[last], 0), width)
    high = max(min(begin[last] + x.shape[last], width), low)
    rows = 1
    for k in unroll(last):
        rows *= y.shape[k]
    for row in range(rows):
        rest, source, inside, reach = row, 0, True, rows
        for k in unroll(last):
            reach = reach // max(y.shape[k], 1)
            place = rest // reach - begin[k]
            rest = rest % reach
            inside = inside and place >= 0 and place < x.shape[k]
            source = source * x.shape[k] + place
        target = row * width
        if inside:
            source = source * x.shape[last] - begin[last]
            for j in range(low):
                y.flat[target + j] = filler
            for j in range(low, high):
                y.flat[target + j] = x.flat[source + j]
            for j in range(high, width):
                y.flat[target + j] = filler
        else:
            for j in range(width):
                y.flat[target + j] = filler


@lower(ops.PadOp)
def pad(b: Lowering, op: ops.PadOp, x: Tensor, pads: Tensor, value: Tensor | None, axes: Tensor | None) -> Tensor:
    amounts, shape, mode = op.amounts(b.shapes), b.shapes.of(op.output), op.attr("mode")
    if op.axes is not None and b.shapes.ints(op.axes) is None:
        require_axes(b, *op.read_axes(b.shapes), x.rank)
    require_sizes(b, shape, "a padded dimension")
    if all(amount == (0, 0) for amount in amounts):
        return x
    if mode == "constant":
        begin = [before for before, _ in amounts]
        if _may_be_nothing(amounts) and not any(isinstance(use.operation, func.ReturnOp) for use in op.output.uses):
            s = ScalarBuilder(b.block)
            open_amounts = [s.wrap(b.dim(amount), INDEX).equals(0) for pair in amounts for amount in pair if amount != 0]
            nothing = reduce(lambda all, one: all & one, open_amounts)
            (found,) = b.if_(nothing.value, lambda: [as_shape(b, x, shape)], lambda: [surrounded(b, x, shape, begin, value).value])
            return tied(b, found, shape, op.output)
        return surrounded(b, x, shape, begin, value)
    kept: list[Dim] = []
    for k, (size, (before, after)) in enumerate(zip(x.shape, amounts, strict=True)):
        kept.append(size + minimum(before, 0) + minimum(after, 0))
        require_elements(b, kept[k], shape[k], f"dimension {k}, which mode {mode} pads,")

    def element(*i: Any) -> Any:
        places = list(i)
        for k, (before, after) in enumerate(amounts):
            if not before == after == 0:
                place = i[k] - b.index(maximum(before, 0))
                places[k] = _PLACES[mode](b, place, kept[k]) - b.index(minimum(before, 0))
        return x[tuple(places)]

    return b.compute(shape, x.type, element, doc="pad")


def _may_be_nothing(amounts: Sequence[tuple[Dim, Dim]]) -> bool:
    """Whether all amounts may turn out 0, as where a cache is as long as it has to be: it is not copied then. An output is made anyway."""
    return not any(isinstance(amount, int) and amount for pair in amounts for amount in pair)


def surrounded(b: Lowering, x: Tensor, shape: Shape, begin: Sequence[Dim], value: Tensor | None = None) -> Tensor:
    """x in a tensor of this shape from `begin` on along each axis (which may be negative: x is cut off), around it `value`, else 0."""
    if x.rank == 0:
        return x
    value = value or b.compute((), x.type, lambda: b.s.const(0, x.type))
    starts = b.compute((x.rank,), INT64, lambda i: _chosen(b, i, begin), doc="sizes")
    return b.kernel(pad_constant, {"x": x, "value": value, "begin": starts, "y": (shape, x.type)})[0]


def _chosen(b: Lowering, i: Any, dims: Sequence[Dim]) -> Any:
    found = b.s.cast(b.s.operand(b.index(dims[-1]), INDEX), INT64)
    for k in reversed(range(len(dims) - 1)):
        found = b.s.select(i.equals(k), b.s.cast(b.s.operand(b.index(dims[k]), INDEX), INT64), found)
    return found


def _edge(b: Lowering, place: Any, size: Dim) -> Any:
    return b.s.max(b.s.min(place, b.s.operand(b.index(size - 1), INDEX)), 0)


def _reflect(b: Lowering, place: Any, size: Dim) -> Any:
    period = 2 * (size - 1)
    there = b.s.operand(place, INDEX) % b.index(maximum(period, 1))
    return b.s.min(there, b.s.operand(b.index(period), INDEX) - there)


def _wrap(b: Lowering, place: Any, size: Dim) -> Any:
    return b.s.operand(place, INDEX) % b.index(size)


_PLACES = {"edge": _edge, "reflect": _reflect, "wrap": _wrap}


@lower(ops.TileOp)
def tile(b: Lowering, op: ops.TileOp, x: Tensor, _: Tensor) -> Tensor:
    """Computed with an axis for the rounds before each axis that is repeated, so that no index needs a remainder."""
    repeats = b.shapes.elements(op.repeats)
    require_sizes(b, repeats, "a number of repeats")
    shape: list[Dim] = []
    own: list[int] = []
    for d, r in zip(x.shape, repeats, strict=True):
        shape += [d] if r == 1 else [r, d]
        own.append(len(shape) - 1)
    result = b.shapes.of(op.y)
    if len(shape) == x.rank:
        return b.reshape(x, result)
    tiled = b.compute(tuple(shape), x.type, lambda *i: x[tuple(i[k] for k in own)], doc="tile")
    return b.reshape(tiled, result)


@lower(ops.CenterCropPadOp)
def center_crop_pad(b: Lowering, op: ops.CenterCropPadOp, x: Tensor, _: Tensor) -> Tensor:
    shape = b.shapes.of(op.y)
    axes = range(x.rank) if op.axes is None else axes_in(op, op.attr("axes"), x.rank)
    require_sizes(b, [shape[a] for a in axes], "a dimension")
    begin: list[Dim] = [0] * x.rank
    for a in axes:
        size, wanted = x.shape[a], shape[a]
        begin[a] = select(less(size, wanted), floordiv(wanted - size, 2), -1 * floordiv(size - wanted, 2))
    if tuple(shape) == tuple(x.shape):
        return x
    return surrounded(b, x, shape, begin)


# -- rearranging


@lower(ops.TriluOp)
def trilu(b: Lowering, op: ops.TriluOp, x: Tensor, k: Tensor | None) -> Tensor:
    def element(*i: Any) -> Any:
        diagonal = i[-2] + (0 if k is None else b.s.cast(k.scalar(), INDEX))
        kept = i[-1] >= diagonal if op.attr("upper") else i[-1] <= diagonal
        return b.s.select(kept, x[i], 0)

    return b.compute(x.shape, x.type, element)


def _blocks(b: Lowering, x: Tensor, split: Shape, order: Sequence[int], result: Shape) -> Tensor:
    return b.reshape(b.transpose(b.reshape(x, split), order), result)


@lower(ops.DepthToSpaceOp)
def depth_to_space(b: Lowering, op: ops.DepthToSpaceOp, x: Tensor) -> Tensor:
    (n, _, h, w), block, result = x.shape, op.attr("blocksize"), b.shapes.of(op.y)
    _require_multiple(b, x.shape[1], block * block)
    if op.attr("mode") == "DCR":
        return _blocks(b, x, (n, block, block, result[1], h, w), (0, 3, 4, 1, 5, 2), result)
    return _blocks(b, x, (n, result[1], block, block, h, w), (0, 1, 4, 2, 5, 3), result)


@lower(ops.SpaceToDepthOp)
def space_to_depth(b: Lowering, op: ops.SpaceToDepthOp, x: Tensor) -> Tensor:
    (n, c, h, w), block, result = x.shape, op.attr("blocksize"), b.shapes.of(op.y)
    _require_multiple(b, h, block)
    _require_multiple(b, w, block)
    order = (0, 3, 5, 1, 2, 4) if op.attr("mode") == "DCR" else (0, 1, 3, 5, 2, 4)
    return _blocks(b, x, (n, c, result[2], block, result[3], block), order, result)


def _require_multiple(b: Lowering, size: Dim, of: int) -> None:
    require_at_most(b, mod(size, of), 0, f"what is left of {size} after division by {of}")


@lower(ops.ReverseSequenceOp)
def reverse_sequence(b: Lowering, op: ops.ReverseSequenceOp, x: Tensor, lengths: Tensor) -> Tensor:
    batch, time = op.attr("batch_axis"), op.attr("time_axis")

    def element(*i: Any) -> Any:
        length = b.s.cast(lengths[i[batch]], INDEX)
        fits = (length >= 0) & (length <= b.index(x.shape[time]))
        b.s.check(fits, "ITG5001", "a sequence of length {} on an axis of {}", length, b.index(x.shape[time]))
        turned = fits & (i[time] < length)
        places = list(i)
        places[time] = b.s.select(turned, length - 1 - i[time], b.s.operand(i[time], INDEX))
        return x[tuple(places)]

    return b.compute(x.shape, x.type, element)
