"""Pools: folds over windows and planes, argmax, MaxUnpool, and pools over regions of interest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dialects.kernel import Array, Out, Size, cast, ceil, check, f32, floor, inline, kernel, lowest, parallel
from ...dialects.onnx import pooling as ops
from ...dialects.onnx.dims import Dim, Shape, product
from ...dialects.onnx.types import ElementType
from ...dialects.onnx.windows import Windows
from ..scalar import FLOAT, INDEX, INT64, Scalar
from .builder import Lowering, Tensor
from .registry import lower
from .windows import padded, tap_counter, within

WIDE = {"float16": FLOAT, "bfloat16": FLOAT}
"""Types whose sums are kept in another one."""


def accumulator(type: ElementType) -> ElementType:
    """The type in which sums of this type are kept."""
    return WIDE.get(type.name, type)


def least(type: ElementType) -> float | int:
    """The value below all others: what a maximum starts from."""
    if type.is_float:
        return float("-inf")
    return -(1 << (type.ir.width.data - 1)) if type.is_signed else 0  # type: ignore[union-attr]


def fold_windows(
    b: Lowering, x: Tensor, found: Windows, type: ElementType, element: Callable[[Scalar], Scalar], combine: Any, init: float | int
) -> Tensor:
    """Folds `element` of every tap of every window of an input already padded."""

    def tap(i: Sequence[Any], r: Sequence[Any]) -> Scalar:
        places = [o * s + t * d for o, t, s, d in zip(i[2:], r, found.strides, found.dilations, strict=True)]
        return element(x[(i[0], i[1], *places)])

    return b.reduce((*x.shape[:2], *found.output), found.kernel, type, tap, combine, init)


# -- windows


@lower(ops.MaxPoolOp)
def max_pool(b: Lowering, op: ops.MaxPoolOp, x: Tensor) -> Any:
    found = op.windows(b.shapes)
    if op.indices is not None:
        return _max_pool_indices(b, op, x, found)
    start = least(x.type)
    return fold_windows(b, padded(b, op, x, found, start), found, x.type, lambda v: v, lambda a, v: b.s.max(a, v), start), None


def _max_pool_indices(b: Lowering, op: ops.MaxPoolOp, x: Tensor, found: Windows) -> tuple[Tensor, Tensor]:
    """Folds positions instead of elements: the flat spatial position of the largest element so far, -1 before the first."""
    spatial = x.shape[2:]
    plane = b.reshape(x, (*x.shape[:2], product(spatial)))
    inner = [product(spatial[k + 1 :]) for k in range(len(spatial))]
    lead: list[tuple[Any, ...]] = []

    def tap(i: Sequence[Any], r: Sequence[Any]) -> Scalar:
        lead[:] = [tuple(i[:2])]
        places = [
            o * s + t * d - b.index(p) for o, t, s, d, p in zip(i[2:], r, found.strides, found.dilations, found.pads_begin, strict=True)
        ]
        inside = b.s.all([c for p, size in zip(places, spatial, strict=True) for c in within(b, p, size)])
        return b.s.select(inside, b.s.cast(_flat(b, places, inner), INT64), -1)

    def better(best: Scalar, position: Scalar) -> Scalar:
        first = plane[(*lead[0], b.s.max(best, 0))]
        other = plane[(*lead[0], b.s.max(position, 0))]
        wins = (other > first) | (other.equals(first) & (position < best)) | (best < 0)
        if x.type.is_float:
            wins = wins | (b.s.isnan(other) & ~b.s.isnan(first))
        return b.s.select((position >= 0) & wins, position, best)

    best = b.reduce((*x.shape[:2], *found.output), found.kernel, INT64, tap, better, -1, doc="argmax")
    start = least(x.type)

    def value(*i: Any) -> Scalar:
        return b.s.select(best[i] < 0, start, plane[(i[0], i[1], b.s.max(best[i], 0))])

    outer = [product(spatial[:k]) for k in range(len(spatial))]

    def position(*i: Any) -> Scalar:
        rest = b.s.cast(b.s.max(best[i], 0), INDEX)
        offset = (b.s.operand(i[0], INDEX) * b.index(x.shape[1]) + i[1]) * b.index(product(spatial))
        if not op.attr("storage_order"):
            return b.s.cast(offset + rest, INT64)
        places = []
        for size in inner:
            places.append(rest // b.index(size))
            rest = rest % b.index(size)
        return b.s.cast(offset + _flat(b, places, outer), INT64)

    return b.compute(best.shape, x.type, value), b.compute(best.shape, INT64, position)


def _flat(b: Lowering, places: Sequence[Any], strides: Sequence[Dim]) -> Any:
    total: Any = b.s.const(0, INDEX)
    for place, stride in zip(places, strides, strict=True):
        total = total + b.s.operand(place, INDEX) * b.index(stride)
    return total


@lower(ops.AveragePoolOp)
def average_pool(b: Lowering, op: ops.AveragePoolOp, x: Tensor) -> Tensor:
    found, wide = op.windows(b.shapes), accumulator(x.type)
    total = fold_windows(b, padded(b, op, x, found, 0.0), found, wide, lambda v: b.s.cast(v, wide), lambda a, v: a + v, 0.0)
    count = _tap_counter(b, op, found, x.shape[2:], wide)
    return b.compute(total.shape, x.type, lambda *i: b.s.cast(total[i] / count(i[2:]), x.type))


def _tap_counter(b: Lowering, op: ops.AveragePoolOp, found: Windows, spatial: Shape, type: ElementType) -> Callable[[Sequence[Any]], Any]:
    """How many taps of the window at some output position count: those inside the input, or inside its pads too."""
    include = bool(op.attr("count_include_pad"))
    ceil_mode = bool(op.attr("ceil_mode"))
    unpadded = all(p == 0 for p in (*found.pads_begin, *found.pads_end))
    if not ceil_mode and (unpadded or include):
        return lambda places: b.s.cast(b.s.operand(b.index(product(found.kernel)), INDEX), type)
    axes = zip(spatial, found.kernel, found.strides, found.dilations, found.pads_begin, found.pads_end, found.output, strict=True)
    along: list[Callable[[Any], Scalar]] = []
    for size, taps, stride, step, begin, end, output in axes:
        low, high = (-begin, size + end) if include else (0, size)
        along.append(tap_counter(b, output, (low, high), taps, stride, step, begin, type))
    return lambda places: math.prod((count(o) for count, o in zip(along, places, strict=True)), start=b.s.const(1, type))


@lower(ops.LpPoolOp)
def lp_pool(b: Lowering, op: ops.LpPoolOp, x: Tensor) -> Tensor:
    found, wide = op.windows(b.shapes), accumulator(x.type)
    power, root = _norm(b, op.attr("p"))
    total = fold_windows(b, padded(b, op, x, found, 0.0), found, wide, lambda v: power(b.s.cast(v, wide)), lambda a, v: a + v, 0.0)
    return b.compute(total.shape, x.type, lambda *i: b.s.cast(root(total[i]), x.type))


def _norm(b: Lowering, p: int) -> tuple[Callable[[Scalar], Scalar], Callable[[Scalar], Scalar]]:
    """|x|^p, and the p-th root of a sum of those."""
    if p == 1:
        return lambda x: b.s.abs(x), lambda x: x
    if p == 2:
        return lambda x: x * x, lambda x: b.s.sqrt(x)
    return lambda x: b.s.pow(b.s.abs(x), b.s.const(p, x.type)), lambda x: b.s.pow(x, b.s.const(1.0 / p, x.type))


# -- whole planes


def _fold_planes(b: Lowering, x: Tensor, type: ElementType, element: Any, combine: Any, init: float) -> Tensor:
    keep = (0, 1, *([None] * (x.rank - 2)))
    return b.reduce(x.shape[:2], x.shape[2:], type, lambda i, r: element(x[(*i, *r)]), combine, init, out_axes=keep)


@lower(ops.GlobalMaxPoolOp)
def global_max_pool(b: Lowering, op: ops.GlobalMaxPoolOp, x: Tensor) -> Tensor:
    return _fold_planes(b, x, x.type, lambda v: v, lambda a, v: b.s.max(a, v), float("-inf"))


@lower(ops.GlobalAveragePoolOp)
def global_average_pool(b: Lowering, op: ops.GlobalAveragePoolOp, x: Tensor) -> Tensor:
    wide = accumulator(x.type)
    total = _fold_planes(b, x, wide, lambda v: b.s.cast(v, wide), lambda a, v: a + v, 0.0)
    size = product(x.shape[2:])
    return b.compute(total.shape, x.type, lambda *i: b.s.cast(total[i] / b.s.cast(b.s.operand(b.index(size), INDEX), wide), x.type))


@lower(ops.GlobalLpPoolOp)
def global_lp_pool(b: Lowering, op: ops.GlobalLpPoolOp, x: Tensor) -> Tensor:
    wide = accumulator(x.type)
    power, root = _norm(b, op.attr("p"))
    total = _fold_planes(b, x, wide, lambda v: power(b.s.cast(v, wide)), lambda a, v: a + v, 0.0)
    return b.compute(total.shape, x.type, lambda *i: b.s.cast(root(total[i]), x.type))


# -- MaxUnpool


@kernel
def max_unpool(x: Array, indices: Array, y: Out):
    """Elements back at their flat indices, zeros elsewhere."""
    for i in range(y.size):
        y.flat[i] = 0
    for i in range(x.size):
        at = indices.flat[i]
        inside = at >= 0 and at < y.size
        check(inside, "ITG5001", "index {} is outside of [0, {})", at, y.size)
        if inside:
            y.flat[at] = x.flat[i]


@lower(ops.MaxUnpoolOp)
def lower_max_unpool(b: Lowering, op: ops.MaxUnpoolOp, x: Tensor, indices: Tensor, output_shape: Tensor | None) -> Tensor:
    """Indices count in the output that the window attributes give; a larger asked-for one holds it in its first corner."""
    own = (*x.shape[:2], *op.unpooled(x.shape[2:]))
    (full,) = b.kernel(max_unpool, {"x": x, "indices": indices, "y": (own, x.type)})
    shape = b.shapes.of(op.output)
    if shape == own:
        return full

    def element(*i: Any) -> Scalar:
        inside = b.s.all([p < b.index(size) for p, size in zip(i, own, strict=True)])
        safe = tuple(b.s.select(inside, b.s.operand(p, INDEX), 0) for p in i)
        return b.s.select(inside, full[safe], 0)

    return b.compute(shape, x.type, element)


# -- regions of interest


@inline
def bilinear(x, n, c, y, x_at, largest):
    """The image sampled at (y, x_at), 0 more than one pixel outside; with `largest`, the largest of the four weighed corners."""
    height, width = x.shape[2], x.shape[3]
    zero = cast(0, y)
    if y < -1.0 or y > cast(height, y) or x_at < -1.0 or x_at > cast(width, y) or height == 0 or width == 0:
        return zero
    row, column = max(y, 0.0), max(x_at, 0.0)
    top, left = min(int(row), height - 1), min(int(column), width - 1)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    if top == height - 1:
        row = cast(top, y)
    if left == width - 1:
        column = cast(left, y)
    low_y, low_x = row - cast(top, y), column - cast(left, y)
    high_y, high_x = 1.0 - low_y, 1.0 - low_x
    a = high_y * high_x * cast(x[n, c, top, left], y)
    b = high_y * low_x * cast(x[n, c, top, right], y)
    d = low_y * high_x * cast(x[n, c, bottom, left], y)
    e = low_y * low_x * cast(x[n, c, bottom, right], y)
    return max(max(a, b), max(d, e)) if largest else a + b + d + e


@kernel
def check_images(batch: Array, images: Out, count: Size):
    """The image of each region, -1 where there is none: what checks its data runs on one thread, and pooling then does not."""
    for r in range(batch.size):
        known = batch[r] >= 0 and batch[r] < count
        check(known, "ITG5001", "the image {} of a region is outside of [0, {})", batch[r], count)
        images[r] = int(batch[r]) if known else -1


SAMPLE = 5000
"""Picoseconds that a sample takes."""


@kernel
def roi_align(x: Array, rois: Array, images: Array, scale: Array, y: Out, half_pixel: bool, largest: bool, sampling: int):
    """Every output element: a grid of samples of its bin, averaged or the largest of them. `scale` carries the computing type."""
    samples = max(sampling, 1) * max(sampling, 1)
    for r in parallel(y.shape[0], y.shape[1] * y.shape[2] * y.shape[3] * (samples * SAMPLE)):
        one = scale[0] / scale[0]
        half = one * 0.5 if half_pixel else one * 0.0
        known = images[r] >= 0
        n = max(images[r], 0)
        start_x, start_y = cast(rois[r, 0], one) * scale[0] - half, cast(rois[r, 1], one) * scale[0] - half
        width, height = cast(rois[r, 2], one) * scale[0] - half - start_x, cast(rois[r, 3], one) * scale[0] - half - start_y
        if not half_pixel:
            width, height = max(width, 1.0), max(height, 1.0)
        step_y, step_x = height / cast(y.shape[2], one), width / cast(y.shape[3], one)
        grid_y = sampling if sampling > 0 else int(ceil(step_y))
        grid_x = sampling if sampling > 0 else int(ceil(step_x))
        for c in range(y.shape[1]):
            for i in range(y.shape[2]):
                for j in range(y.shape[3]):
                    total = lowest(one) if largest else one * 0.0
                    for u in range(grid_y):
                        at_y = start_y + cast(i, one) * step_y + (cast(u, one) + 0.5) * step_y / cast(grid_y, one)
                        for v in range(grid_x):
                            at_x = start_x + cast(j, one) * step_x + (cast(v, one) + 0.5) * step_x / cast(grid_x, one)
                            sample = cast(0, one)
                            if known:
                                sample = bilinear(x, n, c, at_y, at_x, largest)
                            total = max(total, sample) if largest else total + sample
                    if largest:
                        total = total if grid_y * grid_x > 0 else one * 0.0
                    else:
                        total = total / cast(max(grid_y * grid_x, 1), one)
                    y[r, c, i, j] = cast(total, y)


@lower(ops.RoiAlignOp)
def lower_roi_align(b: Lowering, op: ops.RoiAlignOp, x: Tensor, rois: Tensor, batch: Tensor) -> Tensor:
    wide = accumulator(x.type)
    scale = b.constant(np.asarray([op.attr("spatial_scale")], wide.numpy), wide)
    attrs = {
        "half_pixel": op.attr("coordinate_transformation_mode") == "half_pixel",
        "largest": op.attr("mode") == "max",
        "sampling": op.attr("sampling_ratio"),
    }
    (images,) = b.kernel(check_images, {"batch": batch, "images": (batch.shape, INT64)}, sizes=[x.shape[0]])
    arrays = {"x": x, "rois": rois, "images": images, "scale": scale, "y": (b.shapes.of(op.y), x.type)}
    return b.kernel(roi_align, arrays, attrs)[0]


@inline
def nearest(v):
    """Half away from zero, as C's round."""
    return int(floor(v + 0.5)) if v >= 0.0 else int(ceil(v - 0.5))


@kernel
def max_roi_pool(x: Array, rois: Array, y: Out, scale: float):
    """The largest element of each bin of each region; 0 for a bin that holds none."""
    for r in range(y.shape[0]):
        n = int(f32(rois[r, 0]))
        known = n >= 0 and n < x.shape[0]
        check(known, "ITG5001", "the image {} of a region is outside of [0, {})", n, x.shape[0])
        left, top = nearest(f32(rois[r, 1]) * scale), nearest(f32(rois[r, 2]) * scale)
        width = max(nearest(f32(rois[r, 3]) * scale) - left + 1, 1)
        height = max(nearest(f32(rois[r, 4]) * scale) - top + 1, 1)
        bin_y, bin_x = f32(height) / f32(y.shape[2]), f32(width) / f32(y.shape[3])
        for c in range(y.shape[1]):
            for i in range(y.shape[2]):
                first_y = min(max(int(floor(f32(i) * bin_y)) + top, 0), x.shape[2])
                last_y = min(max(int(ceil(f32(i + 1) * bin_y)) + top, 0), x.shape[2])
                for j in range(y.shape[3]):
                    first_x = min(max(int(floor(f32(j) * bin_x)) + left, 0), x.shape[3])
                    last_x = min(max(int(ceil(f32(j + 1) * bin_x)) + left, 0), x.shape[3])
                    best = lowest(x)
                    if not known or last_y <= first_y or last_x <= first_x:
                        best = cast(0, x)
                    else:
                        for v in range(first_y, last_y):
                            for u in range(first_x, last_x):
                                best = max(best, x[n, c, v, u])
                    y[r, c, i, j] = best


@lower(ops.MaxRoiPoolOp)
def lower_max_roi_pool(b: Lowering, op: ops.MaxRoiPoolOp, x: Tensor, rois: Tensor) -> Tensor:
    return b.kernel(max_roi_pool, {"x": x, "rois": rois, "y": (b.shapes.of(op.y), x.type)}, {"scale": op.attr("spatial_scale")})[0]
