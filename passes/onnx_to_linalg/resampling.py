"""Resampling along single axes by tables: for each output position the input positions it reads and their weights. Resize uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from ...dialects.onnx.dims import Dim
from ...dialects.onnx.types import ElementType
from ..scalar import DOUBLE, INDEX, INT64, Scalar
from .builder import Lowering, Tensor

UNROLLED = 8
"""Up to this many taps are added in one expression, so that loops over the other axes stay innermost."""


@dataclass(frozen=True)
class Axis:
    """How one axis is resampled. `scale` is a float, or a rank-0 tensor of doubles; start and end of the region of interest too."""

    axis: int
    size: Dim
    resized: Dim
    scale: float | Tensor
    start: float | Tensor = 0.0
    end: float | Tensor = 1.0


@dataclass(frozen=True)
class Rules:
    """The attributes of Resize that say how positions and weights are made."""

    mode: str
    coordinates: str
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


def number(b: Lowering, x: float | Tensor) -> Scalar:
    """A parameter as a double inside a body."""
    return x[()] if isinstance(x, Tensor) else b.s.const(x, DOUBLE)


def real(b: Lowering, i: Any) -> Scalar:
    """An index or dimension as a double."""
    return b.s.cast(b.s.operand(i, INDEX), DOUBLE)


def source(b: Lowering, rules: Rules, a: Axis, o: Any) -> Scalar:
    """The real position in the input that output position o stands for."""
    x, scale, size = real(b, o), number(b, a.scale), real(b, b.index(a.size))
    if rules.coordinates == "asymmetric":
        return x / scale
    if rules.coordinates == "half_pixel":
        return (x + 0.5) / scale - 0.5
    width = scale * size
    if rules.coordinates == "pytorch_half_pixel":
        return b.s.select(b.s.operand(b.index(a.resized), INDEX).equals(1), -0.5, (x + 0.5) / scale - 0.5)
    if rules.coordinates == "half_pixel_symmetric":
        centre = size * 0.5
        return centre * (1.0 - real(b, b.index(a.resized)) / width) + (x + 0.5) / scale - 0.5
    if rules.coordinates == "align_corners":
        return b.s.select(width.equals(1), 0.0, x * (size - 1.0) / (width - 1.0))
    start, extent = number(b, a.start), number(b, a.end) - number(b, a.start)
    single = b.s.operand(b.index(a.resized), INDEX).equals(1)
    last = real(b, b.index(a.resized)) - 1.0
    inner = b.s.select(single, extent * (size - 1.0) * 0.5, x * extent * (size - 1.0) / b.s.select(single, 1.0, last))
    return inner + start * (size - 1.0)


def nearest_positions(b: Lowering, rules: Rules, a: Axis) -> Tensor:
    """The input position for each output position, in range; int64."""

    def position(o: Any) -> Scalar:
        x = source(b, rules, a, o)
        if rules.nearest == "round_prefer_floor":
            x = b.s.ceil(x - 0.5)
        elif rules.nearest == "round_prefer_ceil":
            x = b.s.floor(x + 0.5)
        else:
            x = b.s.floor(x) if rules.nearest == "floor" else b.s.ceil(x)
        return _clamped(b, b.s.cast(x, INT64), a.size)

    return b.compute((a.resized,), INT64, position, doc="positions")


def _clamped(b: Lowering, position: Scalar, size: Dim) -> Scalar:
    """The position within 0 and size - 1."""
    last = b.s.cast(b.s.operand(b.index(size), INDEX), INT64) - 1
    return b.s.max(b.s.min(position, last), 0)


def resample(b: Lowering, rules: Rules, a: Axis, x: Tensor, type: ElementType) -> Tensor:
    """x with one axis resampled linearly or cubically; elements and weights are of `type`."""
    half = _half_taps(b, rules, a)
    taps, first = half * 2, 1 - half

    def base(o: Any) -> Scalar:
        """The position left of the source, so that the distance to it is in (0, 1]."""
        return b.s.ceil(source(b, rules, a, o)) - 1.0

    def weight(o: Any, t: Any) -> Scalar:
        at = base(o) + real(b, t) + real(b, b.index(first))
        distance = at - source(b, rules, a, o)
        if rules.antialias:
            distance = distance * b.s.min(number(b, a.scale), 1.0)
        value = kernel_weight(b, rules, distance)
        if not rules.exclude_outside:
            return value
        return b.s.select((at >= 0.0) & (at < real(b, b.index(a.size))), value, 0)

    weights = b.compute((a.resized, taps), DOUBLE, weight, doc="weights")
    if rules.exclude_outside or rules.antialias:
        total = b.reduce((a.resized,), (taps,), DOUBLE, lambda i, r: weights[(*i, *r)], lambda s, v: s + v, 0.0)
        weights = b.compute(weights.shape, type, lambda o, t: b.s.cast(weights[(o, t)] / total[o], type))
    weights = b.cast(weights, type)

    def position(o: Any, t: Any) -> Scalar:
        return _clamped(b, b.s.cast(base(o) + real(b, t) + real(b, b.index(first)), INT64), a.size)

    positions = b.compute((a.resized, taps), INT64, position, doc="positions")
    shape = (*x.shape[: a.axis], a.resized, *x.shape[a.axis + 1 :])

    def term(i: Sequence[Any], t: Any) -> Scalar:
        o = i[a.axis]
        return weights[(o, t)] * b.s.cast(x[(*i[: a.axis], positions[(o, t)], *i[a.axis + 1 :])], type)

    if not isinstance(taps, int) or taps > UNROLLED:
        return b.reduce(shape, (taps,), type, lambda i, r: term(i, r[0]), lambda s, v: s + v, 0.0)

    def unrolled(*i: Any) -> Scalar:
        total = term(i, 0)
        for t in range(1, taps):
            total = total + term(i, t)
        return total

    return b.compute(shape, type, unrolled)


def _half_taps(b: Lowering, rules: Rules, a: Axis) -> Dim:
    """How many taps stand on either side of the source: the kernel's radius, which antialiasing widens by what it shrinks."""
    radius = 1 if rules.mode == "linear" else 2
    if not rules.antialias:
        return radius
    if not isinstance(a.scale, Tensor):
        return ceil(radius / min(a.scale, 1.0))
    count = b.compute((1,), INT64, lambda _: b.s.cast(b.s.ceil(radius / b.s.min(number(b, a.scale), 1.0)), INT64))
    return b.new_dim(b.host_scalar(count).value)


def kernel_weight(b: Lowering, rules: Rules, distance: Scalar) -> Scalar:
    """The weight of a tap at a distance, in taps, from the source position."""
    d = b.s.abs(distance)
    if rules.mode == "linear":
        return b.s.max(1.0 - d, 0.0)
    return cubic_weight(b, d, rules.cubic)


def cubic_weight(b: Lowering, d: Scalar, a: float) -> Scalar:
    """Keys' cubic convolution kernel at a distance of 0 or more. https://doi.org/10.1109/TASSP.1981.1163711"""
    near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    far = ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
    return b.s.select(d <= 1.0, near, b.s.select(d < 2.0, far, 0))


