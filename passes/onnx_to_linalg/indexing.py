"""Operators that read or write elements at indices; those that find indices are next door in selection.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import ComplexType

from ...dialects.kernel import Array, InOut, Out, check, inline, kernel, unroll
from ...dialects.onnx import indexing as ops
from ...dialects.onnx.dims import Dim, Shape, product
from ...errors import UnsupportedError
from ..scalar import BOOL
from .builder import Lowering, Tensor
from .guards import require_at_most, require_elements
from .registry import lower

SHORT_ROW = 4
"""Rows of fewer elements than this are gathered element by element, in the same pass as what reads them."""


def around(b: Lowering, x: Tensor, axis: int) -> Tensor:
    """x as (outer, size, inner): what stands before an axis, the axis, what stands behind it."""
    return b.reshape(x, (product(x.shape[:axis]), x.shape[axis], product(x.shape[axis + 1 :])))


@inline
def wrapped(index, size):
    """An index counted from the front, and whether it lies inside an axis of that size; the run ends with an error where it does not."""
    at = int(index)
    if at < 0:
        at += size
    inside = at >= 0 and at < size
    check(inside, "ITG5001", "index {} is outside of [{}, {})", int(index), -size, size)
    return at, inside


# -- reading


@kernel
def gather_rows(data: Array, indices: Array, y: Out):
    """y[o, k, :] = data[o, indices[k], :]"""
    for o in range(y.shape[0]):
        for k in range(y.shape[1]):
            at, inside = wrapped(indices[k], data.shape[1])
            if inside:
                for j in range(y.shape[2]):
                    y[o, k, j] = data[o, at, j]


@lower(ops.GatherOp)
def gather(b: Lowering, op: ops.GatherOp, data: Tensor, indices: Tensor) -> Tensor:
    axis, shape = op.attr("axis") % data.rank, b.shapes.of(op.output)
    known = b.shapes.constant(op.indices)
    steps = None if known is None else _steps(known, data.shape[axis])
    if known is not None and steps is not None:
        _require_inside(b, known, data.shape[axis])
        return _gather_steps(b, data, axis, known.shape, steps, shape)
    row = product(data.shape[axis + 1 :])
    if not isinstance(row, int) or row >= SHORT_ROW:
        flat = b.reshape(indices, (indices.size,))
        rows = (product(data.shape[:axis]), indices.size, row)
        (found,) = b.kernel(gather_rows, {"data": around(b, data, axis), "indices": flat, "y": (rows, data.type)})
        return b.reshape(found, shape)
    end = axis + indices.rank

    def element(*i: Any) -> Any:
        at = b.s.wrapped_index(indices[i[axis:end]], b.index(data.shape[axis]))
        return data[(*i[:axis], at, *i[end:])]

    _require_filled(b, data.shape[axis], shape)
    return b.compute(shape, data.type, element, doc="gather")


def _steps(indices: np.ndarray, size: Dim) -> tuple[Dim, int] | None:
    """First index and step where indices, in row-major order, go on by equal steps from the front; None where they do not."""
    flat = np.ravel(indices).astype(np.int64)
    if isinstance(size, int):
        flat = np.where(flat < 0, flat + size, flat)
    if flat.size == 0:
        return 0, 1
    step = int(flat[1] - flat[0]) if flat.size > 1 else 0
    if np.any(np.diff(flat) != step) or (flat.min() < 0 <= flat.max()):
        return None
    first = int(flat[0])
    return (first if first >= 0 else size + first), step


def _gather_steps(b: Lowering, data: Tensor, axis: int, dims: tuple[int, ...], steps: tuple[Dim, int], shape: Shape) -> Tensor:
    """Gathering at indices of that shape by equal steps: a slice, which what reads it can take in."""
    first, step = steps
    end = axis + len(dims)

    def element(*i: Any) -> Any:
        place: Any = b.index(first)
        stride = step
        for k in reversed(range(len(dims))):
            place = i[axis + k] * stride + place
            stride *= dims[k]
        return data[(*i[:axis], place, *i[end:])]

    return b.compute(shape, data.type, element, doc="slice")


def _require_inside(b: Lowering, indices: np.ndarray, size: Dim) -> None:
    if indices.size:
        require_at_most(b, max(int(indices.max()) + 1, -int(indices.min())), size, "what indices reach")


def _require_filled(b: Lowering, size: Dim, shape: Shape) -> None:
    require_elements(b, size, product(shape), "the axis that is indexed")


def _require_reach(b: Lowering, indices: Tensor, data: Tensor, axis: int) -> None:
    """Indices and data go side by side on the other axes."""
    for k in range(data.rank):
        if k != axis:
            require_at_most(b, indices.shape[k], data.shape[k], f"dimension {k} of indices")


@lower(ops.GatherElementsOp)
def gather_elements(b: Lowering, op: ops.GatherElementsOp, data: Tensor, indices: Tensor) -> Tensor:
    axis = op.attr("axis") % data.rank

    def element(*i: Any) -> Any:
        at = b.s.wrapped_index(indices[i], b.index(data.shape[axis]))
        return data[(*i[:axis], at, *i[axis + 1 :])]

    _require_reach(b, indices, data, axis)
    _require_filled(b, data.shape[axis], indices.shape)
    return b.compute(indices.shape, data.type, element, doc="gather")


@inline
def slice_at(data, indices, start, axes, first):
    """Which slice of data the index tuple at flat position `start` names, counted over `axes` axes from `first` on; is it there?"""
    at, there = 0, True
    for k in unroll(axes):
        place, inside = wrapped(indices.flat[start + k], data.shape[first + k])
        at = at * data.shape[first + k] + place
        there = there and inside
    return at, there


@kernel
def gather_slices(data: Array, indices: Array, y: Out, axes: int):
    """y[o, r, :] = data[o, indices[o, r, 0], .., indices[o, r, axes - 1], :]"""
    count = data.size // max(data.shape[0] * y.shape[2], 1)
    for o in range(y.shape[0]):
        for r in range(y.shape[1]):
            at, there = slice_at(data, indices, (o * y.shape[1] + r) * axes, axes, 1)
            if there:
                at = (o * count + at) * y.shape[2]
                for j in range(y.shape[2]):
                    y[o, r, j] = data.flat[at + j]


@lower(ops.GatherNDOp)
def gather_nd(b: Lowering, op: ops.GatherNDOp, data: Tensor, indices: Tensor) -> Tensor:
    batch, axes = op.attr("batch_dims"), op.depth(b.shapes)
    outer, inner = product(data.shape[:batch]), product(data.shape[batch + axes :])
    rows = product(indices.shape[batch:-1])
    arrays = {
        "data": b.reshape(data, (outer, *data.shape[batch : batch + axes], inner)),
        "indices": b.reshape(indices, (outer, rows, axes)),
        "y": ((outer, rows, inner), data.type),
    }
    return b.reshape(b.kernel(gather_slices, arrays, {"axes": axes})[0], b.shapes.of(op.output))


# -- writing


@inline
def reduced(old, new, reduction):
    """What stands in a place after an update."""
    if reduction == "add":
        return old + new
    if reduction == "mul":
        return old * new
    if reduction == "max":
        return max(old, new)
    if reduction == "min":
        return min(old, new)
    if reduction == "or":
        return old or new
    return old and new


@kernel
def scatter_elements(indices: Array, updates: Array, y: InOut, axis: int, reduction: str):
    """Puts each update where its index replaces its own position along the axis."""
    last = y.rank - 1
    for row in range(indices.size // max(indices.shape[last], 1)):
        begin, rest, base = row * indices.shape[last], row * indices.shape[last], 0
        for k in unroll(last):
            if k != axis:
                base += rest // indices.strides[k] * y.strides[k]
            rest = rest % indices.strides[k]
        for j in range(indices.shape[last]):
            place, there = wrapped(indices.flat[begin + j], y.shape[axis])
            at = base + place * y.strides[axis]
            if axis != last:
                at += j
            if there:
                if reduction == "none":
                    y.flat[at] = updates.flat[begin + j]
                else:
                    y.flat[at] = reduced(y.flat[at], updates.flat[begin + j], reduction)


_OF_TRUTH = {"none": "none", "add": "or", "max": "or", "mul": "and", "min": "and"}


def _reduction(op: Any, data: Tensor) -> str:
    reduction = op.attr("reduction") if hasattr(op, "reduction") else "none"
    if reduction != "none" and isinstance(data.type.ir, ComplexType):
        raise UnsupportedError("ITG3004", f"no reduction is there for {data.type.name}")
    return _OF_TRUTH[reduction] if data.type is BOOL else reduction


def _rows_along(b: Lowering, x: Tensor, axis: int) -> Tensor:
    """x as (outer, the axis, inner), without an inner dimension of 1: rows along the axis take no division an element."""
    rows = around(b, x, axis)
    return b.reshape(rows, rows.shape[:2]) if rows.shape[2] == 1 else rows


@lower(ops.ScatterOp, ops.ScatterElementsOp)
def lower_scatter_elements(b: Lowering, op: Any, data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    axis, shape = op.attr("axis") % data.rank, data.shape
    _require_reach(b, indices, data, axis)
    if all(i == d for k, (i, d) in enumerate(zip(indices.shape, data.shape, strict=True)) if k != axis):
        updates = b.reshape(updates, indices.shape)
        data, indices, updates = (_rows_along(b, t, axis) for t in (data, indices, updates))
        axis = 1
    arrays = {"indices": indices, "updates": updates, "y": data}
    (y,) = b.kernel(scatter_elements, arrays, {"axis": axis, "reduction": _reduction(op, data)})
    return b.reshape(y, shape)


@kernel
def scatter_slices(indices: Array, updates: Array, y: InOut, axes: int, reduction: str):
    """y[indices[r, 0], .., indices[r, axes - 1], :] = updates[r, :]"""
    for r in range(updates.shape[0]):
        at, there = slice_at(y, indices, r * axes, axes, 0)
        if there:
            at = at * updates.shape[1]
            for j in range(updates.shape[1]):
                if reduction == "none":
                    y.flat[at + j] = updates[r, j]
                else:
                    y.flat[at + j] = reduced(y.flat[at + j], updates[r, j], reduction)


@lower(ops.ScatterNDOp)
def scatter_nd(b: Lowering, op: ops.ScatterNDOp, data: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    axes = op.depth(b.shapes)
    rows, inner = product(indices.shape[:-1]), product(data.shape[axes:])
    arrays = {
        "indices": b.reshape(indices, (rows, axes)),
        "updates": b.reshape(updates, (rows, inner)),
        "y": b.reshape(data, (*data.shape[:axes], inner)),
    }
    return b.reshape(b.kernel(scatter_slices, arrays, {"axes": axes, "reduction": _reduction(op, data)})[0], data.shape)


@kernel
def write_positions(update: Array, starts: Array | None, cache: InOut, circular: bool):
    """Writes each sample's update to cache (batch, outer, positions, inner) from its start on."""
    size, steps = cache.shape[2], update.shape[2]
    for n in range(cache.shape[0]):
        start = 0
        if starts is not None:
            start = starts[n]
        fits = start >= 0 and (circular or start <= size - steps) and steps <= size
        check(fits, "ITG5001", "{} positions from {} on do not fit into {}", steps, start, size)
        if fits:
            for o in range(cache.shape[1]):
                for s in range(steps):
                    place = (start + s) % size if circular else start + s
                    for j in range(cache.shape[3]):
                        cache[n, o, place, j] = update[n, o, s, j]


@lower(ops.TensorScatterOp)
def tensor_scatter(b: Lowering, op: ops.TensorScatterOp, cache: Tensor, update: Tensor, starts: Tensor | None) -> Tensor:
    axis = op.attr("axis") % cache.rank
    batch, outer, inner = cache.shape[0], product(cache.shape[1:axis]), product(cache.shape[axis + 1 :])
    arrays = {
        "update": b.reshape(update, (batch, outer, update.shape[axis], inner)),
        "starts": starts,
        "cache": b.reshape(cache, (batch, outer, cache.shape[axis], inner)),
    }
    return b.reshape(b.kernel(write_positions, arrays, {"circular": op.attr("mode") == "circular"})[0], cache.shape)
