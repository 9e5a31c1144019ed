"""Images: Resize and Upsample, sampling at the places of a grid, and the grids of affine maps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from ...dialects.kernel import Array, Out, f64, floor, kernel
from ...dialects.onnx import image as ops
from ...dialects.onnx.dims import Dim, Shape, product
from ...dialects.onnx.types import ElementType
from ..scalar import BOOL, DOUBLE, FLOAT, INDEX, INT64, Scalar
from .builder import Lowering, Tensor
from .registry import lower
from .resampling import Axis, Rules, cubic_weight, nearest_positions, resample, source
from .windows import require_elements, within


@lower(ops.ResizeOp)
def resize(b: Lowering, op: ops.ResizeOp, x: Tensor, roi: Tensor | None, scales: Tensor | None, sizes: Tensor | None) -> Tensor:
    axes = op.resized_axes(x.rank)
    by_scales = scales is not None and scales.shape != (0,)
    given = scales if by_scales else sizes
    assert given is not None
    _define_sizes(b, op, x, axes, roi, given)
    shape = b.shapes.of(op.y)
    rules = Rules(
        op.attr("mode"),
        op.attr("coordinate_transformation_mode"),
        op.attr("nearest_mode"),
        op.attr("cubic_coeff_a"),
        bool(op.attr("exclude_outside")),
        bool(op.attr("antialias")),
    )
    stretch = by_scales or op.attr("keep_aspect_ratio_policy") == "stretch"
    shared = None if stretch else _shared_scale(b, op, x, axes, given)
    plan = []
    for k, axis in enumerate(axes):
        scale = _element(b, given, k) if by_scales else shared if shared is not None else _ratio(b, x.shape[axis], shape[axis])
        start, end = (_element(b, roi, k), _element(b, roi, k + len(axes))) if roi is not None and op.coordinates_from_roi else (0.0, 1.0)
        plan.append(Axis(axis, x.shape[axis], shape[axis], scale, start, end))
    return _resized(b, x, rules, plan, op.attr("extrapolation_value") if op.coordinates_from_roi else None)


@lower(ops.UpsampleOp)
def upsample(b: Lowering, op: ops.UpsampleOp, x: Tensor, scales: Tensor) -> Tensor:
    _define_sizes(b, op, x, tuple(range(x.rank)), None, scales)
    rules = Rules(op.attr("mode"), "asymmetric", "floor")
    shape = b.shapes.of(op.y)
    plan = [Axis(k, x.shape[k], shape[k], _element(b, scales, k)) for k in range(x.rank)]
    return _resized(b, x, rules, plan, None)


def _resized(b: Lowering, x: Tensor, rules: Rules, plan: Sequence[Axis], extrapolation: float | None) -> Tensor:
    """Resamples axis after axis; places beyond the input take `extrapolation` if there is one."""
    plan = [a for a in plan if not _unchanged(a)]
    if not plan:
        return x
    planned = {a.axis for a in plan}
    others = product(d for k, d in enumerate(x.shape) if k not in planned)
    for a in plan:
        require_elements(b, x, [a.axis], a.resized * others)
    shape = list(x.shape)
    for a in plan:
        shape[a.axis] = a.resized
    if rules.mode == "nearest":
        tables = {a.axis: nearest_positions(b, rules, a) for a in plan}
        result = b.compute(tuple(shape), x.type, lambda *i: x[tuple(tables[k][p] if k in tables else p for k, p in enumerate(i))])
    else:
        if not (x.type.is_float or x.type.is_integer):
            raise b.unsupported(f"interpolation of {x.type.name} cannot be compiled")
        wide = DOUBLE if x.type is DOUBLE else FLOAT
        result = x
        for a in plan:
            result = resample(b, rules, a, result, wide)
        result = b.cast(result, x.type)
    if extrapolation is None:
        return result
    beyond = {a.axis: _beyond(b, rules, a) for a in plan}

    def element(*i: Any) -> Scalar:
        inside = b.s.all([~beyond[k][p] for k, p in enumerate(i) if k in beyond])
        return b.s.select(inside, result[i], extrapolation)

    return b.compute(tuple(shape), x.type, element)


def _beyond(b: Lowering, rules: Rules, a: Axis) -> Tensor:
    def outside(o: Any) -> Scalar:
        place = source(b, rules, a, o)
        return (place < 0.0) | (place > b.s.cast(b.s.operand(b.index(a.size), INDEX), DOUBLE) - 1.0)

    return b.compute((a.resized,), BOOL, outside)


def _unchanged(a: Axis) -> bool:
    whole = not isinstance(a.start, Tensor) and not isinstance(a.end, Tensor) and (a.start, a.end) == (0.0, 1.0)
    return whole and a.size == a.resized and not isinstance(a.scale, Tensor) and a.scale == 1.0


def _element(b: Lowering, t: Tensor, k: int) -> float | Tensor:
    """An element of a small float tensor: a number where it is known."""
    if t.constant is not None:
        return float(t.constant.reshape(-1)[k])
    return b.compute((), DOUBLE, lambda: b.s.cast(t[k], DOUBLE))


def _ratio(b: Lowering, size: Dim, resized: Dim) -> float | Tensor:
    if size == resized:
        return 1.0
    if isinstance(size, int) and isinstance(resized, int):
        return resized / size if size else 1.0

    def quotient() -> Scalar:
        return b.s.cast(b.s.operand(b.index(resized), INDEX), DOUBLE) / b.s.cast(b.s.operand(b.index(size), INDEX), DOUBLE)

    return b.compute((), DOUBLE, quotient)


def _shared_scale(b: Lowering, op: ops.ResizeOp, x: Tensor, axes: Sequence[int], sizes: Tensor) -> float | Tensor:
    """The one scale that keeps the aspect ratio."""
    larger = op.attr("keep_aspect_ratio_policy") == "not_smaller"
    dims = [x.shape[axis] for axis in axes]
    if sizes.constant is not None and all(isinstance(d, int) for d in dims):
        ratios = [Fraction(int(s), int(d)) for s, d in zip(sizes.constant.reshape(-1), dims, strict=True)]  # type: ignore[arg-type]
        return float(max(ratios) if larger else min(ratios))

    def scale() -> Scalar:
        found: Scalar | None = None
        for k, d in enumerate(dims):
            ratio = b.s.cast(sizes[k], DOUBLE) / b.s.cast(b.s.operand(b.index(d), INDEX), DOUBLE)
            found = ratio if found is None else (b.s.max if larger else b.s.min)(found, ratio)
        assert found is not None
        return found

    return b.compute((), DOUBLE, scale)


@kernel
def scaled_sizes(given: Array, roi: Array | None, sizes: Array, y: Out, policy: str):
    """The sizes of resized axes from scales (policy "scales") or from asked-for sizes under an aspect ratio policy."""
    n = sizes.size
    shared = f64(given[0]) / f64(max(sizes[0], 1))
    for k in range(n):
        ratio = f64(given[k]) / f64(max(sizes[k], 1))
        shared = min(shared, ratio) if policy == "not_larger" else max(shared, ratio)
    for k in range(n):
        if policy == "scales":
            factor = f64(given[k])
            if roi is not None:
                factor = factor * (f64(roi[n + k]) - f64(roi[k]))
            y[k] = int(floor(min(max(f64(sizes[k]) * factor, 0.0), 4.0e18)))
        else:
            y[k] = int(floor(min(max(f64(sizes[k]) * shared, 0.0), 4.0e18) + 0.5))


def _define_sizes(b: Lowering, op: Any, x: Tensor, axes: Sequence[int], roi: Tensor | None, given: Tensor) -> None:
    """Computes the sizes that shape inference left to the run."""
    open_axes = [k for k, axis in enumerate(axes) if b.shapes.sources.get(str(b.shapes.of(op.y)[axis])) in _result_sources(b, op, axis)]
    if not open_axes:
        return
    policy = "scales"
    if isinstance(op, ops.ResizeOp) and (given.type.is_integer):
        policy = op.attr("keep_aspect_ratio_policy")
    dims = [x.shape[axis] for axis in axes]

    def size(k: Any) -> Scalar:
        found: Any = b.s.const(0, INDEX)
        for n, d in enumerate(dims):
            found = b.s.select(k.equals(n), b.s.operand(b.index(d), INDEX), found)
        return b.s.cast(found, INT64)

    sizes = b.compute((len(dims),), INT64, size)
    cropped = roi if isinstance(op, ops.ResizeOp) and op.coordinates_from_roi else None
    arrays = {"given": given, "roi": cropped, "sizes": sizes, "y": ((len(dims),), INT64)}
    (found,) = b.kernel(scaled_sizes, arrays, {"policy": policy})
    for k in open_axes:
        b.define_result_dim(op.y, axes[k], b.host_scalar(found, k).value)


def _result_sources(b: Lowering, op: Any, axis: int) -> list[Any]:
    return [s for s in b.shapes.sources.values() if s.kind == "result" and s.value is op.y and s.index == axis]


# -- grids


@lower(ops.AffineGridOp)
def affine_grid(b: Lowering, op: ops.AffineGridOp, theta: Tensor, size: Tensor) -> Tensor:
    """Places run from -1 to 1 along each axis, at its corners or at the centres of its cells; coordinates innermost axis first."""
    shape = b.shapes.of(op.grid)
    spatial = shape[1:-1]
    align = bool(op.attr("align_corners"))

    def place(o: Any, d: Dim) -> Scalar:
        i, n = b.s.cast(b.s.operand(o, INDEX), DOUBLE), b.s.cast(b.s.operand(b.index(d), INDEX), DOUBLE)
        if not align:
            return (i * 2.0 + 1.0) / n - 1.0
        return b.s.select(n.equals(1), 0.0, i * 2.0 / b.s.select(n.equals(1), 1.0, n - 1.0) - 1.0)

    def element(*i: Any) -> Scalar:
        n, *out, k = i
        total = b.s.cast(theta[(n, k, len(spatial))], DOUBLE)
        for j, (o, d) in enumerate(zip(reversed(out), reversed(spatial), strict=True)):
            total = total + b.s.cast(theta[(n, k, j)], DOUBLE) * place(o, d)
        return b.s.cast(total, theta.type)

    return b.compute(shape, theta.type, element)


MANY_CHANNELS = 8
"""From so many on the channels of a place are sampled together."""

TAPS = {"nearest": 1, "linear": 2, "cubic": 4}
"""Taps along an axis."""

Tap: TypeAlias = "tuple[Scalar, Scalar, Scalar]"
"""(index in range, weight, whether it counts)"""


@lower(ops.GridSampleOp)
def grid_sample(b: Lowering, op: ops.GridSampleOp, x: Tensor, grid: Tensor) -> Tensor:
    """Each axis has its own taps and weights; the element is the sum over all combinations of taps."""
    mode, padding, align = op.attr("mode"), op.attr("padding_mode"), bool(op.attr("align_corners"))
    if mode != "nearest" and not (x.type.is_float or x.type.is_integer):
        raise b.unsupported(f"interpolation of {x.type.name} cannot be compiled")
    spatial = x.shape[2:]
    wide = DOUBLE if DOUBLE in (x.type, grid.type) else FLOAT
    require_elements(b, x, range(2, x.rank))

    def taps_at(n: Any, *out: Any) -> list[list[Tap]]:
        """The taps of a place along each axis."""
        places = [b.s.cast(grid[(n, *out, len(spatial) - 1 - axis)], wide) for axis in range(len(spatial))]
        return [_taps(b, place, size, wide, mode, padding, align) for place, size in zip(places, spatial, strict=True)]

    if mode != "nearest" and isinstance(x.shape[1], int) and x.shape[1] >= MANY_CHANNELS:
        return _sample_rows(b, x, taps_at, TAPS[mode] ** len(spatial), b.shapes.of(op.y), wide)

    def element(*i: Any) -> Scalar:
        n, c, *out = i
        taps = taps_at(n, *out)
        total: Any = None
        for corner in itertools.product(*taps):
            inside = b.s.all([held for _, _, held in corner])
            value = x[(n, c, *(index for index, _, _ in corner))]
            if mode == "nearest":
                return b.s.select(inside, value, 0)
            term = b.s.select(inside, b.s.cast(value, wide), 0)
            for _, weight, _ in corner:
                term = term * weight
            total = term if total is None else total + term
        return b.s.cast(total, x.type)

    return b.compute(b.shapes.of(op.y), x.type, element)


@kernel
def weigh_rows(x: Array, places: Array, weights: Array, y: Out):
    """y[n, o] = the sum over t of weights[n, o, t] x[n, places[n, o, t]], rows of channels all; places below 0 do not count."""
    for n in range(y.shape[0]):
        for o in range(y.shape[1]):
            for c in range(y.shape[2]):
                y[n, o, c] = 0
            for t in range(places.shape[2]):
                place, weight = places[n, o, t], weights[n, o, t]
                if place >= 0:
                    for c in range(y.shape[2]):
                        y[n, o, c] += weight * x[n, place, c]


def _sample_rows(b: Lowering, x: Tensor, taps_at: Callable[..., list[list[Tap]]], count: int, shape: Shape, type: ElementType) -> Tensor:
    """The samples of many channels: with these innermost every tap is a row of them, and all have one list of places and weights."""
    n, c, *out = shape
    spatial = x.shape[2:]

    def chosen(tap: Any, taps: list[list[Tap]]) -> list[Tap]:
        """Of each axis the tap that the digits of a number say, the last axis having the last digit."""
        found: list[Tap] = []
        rest = b.s.operand(tap, INDEX)
        for axis in reversed(taps):
            digit, rest = rest % len(axis), rest // len(axis)
            index, weight, held = axis[0]
            for k, (index_k, weight_k, held_k) in enumerate(axis[1:], 1):
                here = digit.equals(k)
                index, weight = b.s.select(here, index_k, index), b.s.select(here, weight_k, weight)
                held = b.s.select(here, held_k, held)
            found.insert(0, (index, weight, held))
        return found

    def place(*i: Any) -> Scalar:
        taps = chosen(i[-1], taps_at(*i[:-1]))
        flat: Any = b.s.const(0, INDEX)
        for (index, _, _), size in zip(taps, spatial, strict=True):
            flat = flat * b.index(size) + index
        return b.s.select(b.s.all([held for _, _, held in taps]), b.s.cast(flat, INT64), -1)

    def weight(*i: Any) -> Scalar:
        return math.prod((w for _, w, _ in chosen(i[-1], taps_at(*i[:-1]))), start=b.s.const(1, type))

    places = b.reshape(b.compute((n, *out, count), INT64, place, doc="positions"), (n, product(out), count))
    weights = b.reshape(b.compute((n, *out, count), type, weight, doc="weights"), (n, product(out), count))
    flat = b.reshape(x, (n, c, product(spatial)))
    rows = b.compute((n, product(spatial), c), type, lambda n, p, c: b.s.cast(flat[n, c, p], type))
    (sampled,) = b.kernel(weigh_rows, {"x": rows, "places": places, "weights": weights, "y": ((n, product(out), c), type)})
    planes = b.compute((n, c, product(out)), x.type, lambda n, c, o: b.s.cast(sampled[n, o, c], x.type))
    return b.reshape(planes, shape)


def _taps(b: Lowering, place: Scalar, size: Dim, type: ElementType, mode: str, padding: str, align: bool) -> list[Tap]:
    """The taps along one axis of a place from -1 to 1."""
    n = b.s.cast(b.s.operand(b.index(size), INDEX), type)
    x = (place + 1.0) * 0.5 * (n - 1.0) if align else ((place + 1.0) * n - 1.0) * 0.5
    low, high = (b.s.const(0, type), n - 1.0) if align else (b.s.const(-0.5, type), n - 0.5)
    if mode == "nearest":
        x = b.s.round_even(x)
    if padding == "border":
        # Within half a cell of the border a place stays where it is, which cubic weights can tell.
        x = b.s.select((x < low) | (x > high), b.s.min(b.s.max(x, 0.0), n - 1.0), x)
    elif padding == "reflection":
        x = _reflected(b, x, low, high)
    start = b.s.floor(x)
    one = b.s.const(1, type)
    if mode == "nearest":
        weighed = [(x, one)]
    elif mode == "linear":
        weighed = [(start, 1.0 - (x - start)), (start + 1.0, x - start)]
    else:
        weighed = [(start + float(k), cubic_weight(b, b.s.abs(x - start - float(k)), -0.75)) for k in (-1, 0, 1, 2)]
    taps = []
    for at, weight in weighed:
        if padding == "reflection":
            at = _reflected(b, at, low, high)
        index = b.s.cast(at, INDEX)
        held = b.s.all(within(b, index, size)) if padding == "zeros" else b.s.const(True, BOOL)
        taps.append((b.s.max(b.s.min(index, b.index(size) - 1), 0), weight, held))
    return taps


def _reflected(b: Lowering, x: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """x folded back into low .. high at both ends, as often as needed."""
    extent = high - low

    def folded(distance: Scalar) -> tuple[Scalar, Scalar]:
        turns = b.s.floor(distance / b.s.select(extent.equals(0), 1.0, extent))
        half = turns * 0.5
        return distance - turns * extent, b.s.floor(half).differs(half)

    below, odd_below = folded(low - x)
    above, odd_above = folded(x - high)
    left = b.s.select(odd_below, high - below, low + below)
    right = b.s.select(odd_above, low + above, high - above)
    return b.s.select(x < low, left, b.s.select(x > high, right, x))
