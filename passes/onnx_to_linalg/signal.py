"""Signals: Fourier transforms of any length, window functions, and the mel filter bank."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

from ...dialects.kernel import Array, Out, Size, cast, inline, kernel, parallel
from ...dialects.onnx import signal as ops
from ...dialects.onnx.dims import Dim, maximum, minimum
from ..scalar import DOUBLE, INDEX, Scalar
from .builder import Lowering, Tensor, element_type
from .registry import lower


@inline
def least_factor(n, start):
    """The least prime factor of n that is at least `start`, for an n without smaller ones."""
    found = start
    while found * found <= n and n % found != 0:
        found += 1
    return found if found * found <= n else n


@inline
def stage(work, turns, n, rest, stride, factor, inverse, here):
    """One pass of a self-sorting transform: `factor` parts of every run of `rest` elements, from one of two halves, `here`, to the other.

    rest is what is left to transform, stride how much is done: n = rest * stride. turns[k] = exp(-2 pi i k / n).
    """
    part, there = rest // factor, here ^ 1
    for i in range(part):
        for k in range(factor):
            for q in range(stride):
                re, im = cast(0, work), cast(0, work)
                for r in range(factor):
                    turn = ((r * k) % factor * (n // factor) + i * k * stride) % n
                    c, s = turns[turn, 0], turns[turn, 1]
                    if inverse:
                        s = -s
                    x, y = work[here, q + stride * (i + part * r), 0], work[here, q + stride * (i + part * r), 1]
                    re += x * c - y * s
                    im += x * s + y * c
                work[there, q + stride * (factor * i + k), 0] = re
                work[there, q + stride * (factor * i + k), 1] = im


UNITS = 16
"""Transforms are made in so many groups at most, each with memory of its own."""

ELEMENT = 10_000
"""Picoseconds that an element of a transform takes, roughly."""


@kernel
def fourier(x: Array, turns: Array, y: Out, work: Out, length: Size, inverse: bool, onesided: bool):
    """Transforms x (outer, taken, inner, 1 or 2), cut or padded with zeros to `length`, into y (outer, given, inner, 1 or 2).

    Decimation in frequency over the prime factors of the length (Stockham's order: no bit reversal). work: (2 * units, length, 2).
    Of a one-sided inverse, the missing half of x is the conjugate of the other one.
    """
    n, outer, units = length, x.shape[0], work.shape[0] // 2
    for u in parallel(units, (outer // max(units, 1) + 1) * x.shape[2] * n * ELEMENT):
        for row in range(u * outer // units * x.shape[2], (u + 1) * outer // units * x.shape[2]):
            o, j = row // x.shape[2], row % x.shape[2]
            for i in range(n):
                at, mirrored = i, False
                if inverse and onesided and i > n // 2:
                    at, mirrored = n - i, True
                re, im = cast(0, work), cast(0, work)
                if at < x.shape[1]:
                    re = cast(x[o, at, j, 0], work)
                    if x.shape[3] == 2:
                        im = cast(x[o, at, j, 1], work)
                work[2 * u, i, 0] = re
                work[2 * u, i, 1] = -im if mirrored else im
            here, rest, stride, factor = 2 * u, n, 1, 2
            while rest > 1:
                factor = least_factor(rest, factor)
                stage(work, turns, n, rest, stride, factor, inverse, here)
                here, rest, stride = here ^ 1, rest // factor, stride * factor
            scale = cast(1, work)
            if inverse:
                scale = scale / cast(n, work)
            for i in range(y.shape[1]):
                y[o, i, j, 0] = cast(work[here, i, 0] * scale, y)
                if y.shape[3] == 2:
                    y[o, i, j, 1] = cast(work[here, i, 1] * scale, y)


def transform(b: Lowering, x: Tensor, length: Dim, given: Dim, parts: int, *, inverse: bool, onesided: bool) -> Tensor:
    """The discrete Fourier transforms of x (outer, taken, inner, 1 or 2): (outer, given, inner, parts). Computed in doubles."""

    def turn(k: Any, part: Any) -> Scalar:
        angle = b.s.cast(k.to_scalar(), DOUBLE) * (-2.0 * pi) / b.s.cast(b.s.operand(b.index(length), INDEX), DOUBLE)
        return b.s.select(part.equals(0), b.s.cos(angle), b.s.sin(angle))

    arrays = {
        "x": x,
        "turns": b.compute((length, 2), DOUBLE, turn, doc="turns"),
        "y": ((x.shape[0], given, x.shape[2], parts), x.type),
        "work": ((minimum(x.shape[0], UNITS) * 2, maximum(length, 1), 2), DOUBLE),
    }
    return b.kernel(fourier, arrays, {"inverse": inverse, "onesided": onesided}, [length])[0]


@lower(ops.DFTOp)
def dft(b: Lowering, op: ops.DFTOp, x: Tensor, length: Tensor | None, axis: Tensor | None) -> Tensor:
    before, size, after = op.split(b.shapes)
    flat = b.reshape(x, (before, size, after, x.shape[-1]))
    given, parts = op.given(b.shapes)
    inverse, onesided = bool(op.attr("inverse")), bool(op.attr("onesided"))
    y = transform(b, flat, op.length(b.shapes), given, parts, inverse=inverse, onesided=onesided)
    return b.reshape(y, b.shapes.of(op.output))


@lower(ops.STFTOp)
def stft(b: Lowering, op: ops.STFTOp, x: Tensor, step: Tensor, window: Tensor | None, frame_length: Tensor | None) -> Tensor:
    """Frames times window, then one transform each."""
    length, shape = op.length(b.shapes), b.shapes.of(op.output)
    (hop,) = b.shapes.elements(op.frame_step)

    def sample(n: Any, frame: Any, t: Any, part: Any) -> Scalar:
        at = frame * hop + t if isinstance(hop, int) else frame * b.index(hop) + t
        value = x[(n, at, part)]
        return value if window is None else value * window[t]

    frames = b.compute((x.shape[0], shape[1], length, x.shape[2]), x.type, sample, doc="frames")
    flat = b.reshape(frames, (x.shape[0] * shape[1], length, 1, x.shape[2]))
    y = transform(b, flat, length, shape[2], 2, inverse=False, onesided=bool(op.attr("onesided")))
    return b.reshape(y, shape)


# -- windows


def _window(b: Lowering, op: ops.WindowFunctionOp, value: Callable[[Scalar], Scalar]) -> Tensor:
    """`value` of the angle, from 0 to 2 pi over the window (a symmetric one reaches it with its last element)."""
    (size,) = b.shapes.of(op.results[0])
    type = element_type(op.results[0])

    def element(i: Any) -> Scalar:
        n = b.s.cast(b.s.operand(b.index(size), INDEX), DOUBLE)
        count = n if op.attr("periodic") else b.s.max(n - 1.0, 1.0)
        return b.s.cast(value(b.s.cast(i.to_scalar(), DOUBLE) * (2.0 * pi) / count), type)

    return b.compute((size,), type, element)


@lower(ops.HannWindowOp)
def hann(b: Lowering, op: ops.HannWindowOp, size: Tensor) -> Tensor:
    return _window(b, op, lambda angle: 0.5 - b.s.cos(angle) * 0.5)


@lower(ops.HammingWindowOp)
def hamming(b: Lowering, op: ops.HammingWindowOp, size: Tensor) -> Tensor:
    return _window(b, op, lambda angle: 25.0 / 46.0 - b.s.cos(angle) * (21.0 / 46.0))


@lower(ops.BlackmanWindowOp)
def blackman(b: Lowering, op: ops.BlackmanWindowOp, size: Tensor) -> Tensor:
    return _window(b, op, lambda angle: 0.42 - b.s.cos(angle) * 0.5 + b.s.cos(angle * 2.0) * 0.08)


@lower(ops.MelWeightMatrixOp)
def mel_weights(
    b: Lowering, op: ops.MelWeightMatrixOp, bins: Tensor, length: Tensor, rate: Tensor, lower_edge: Tensor, upper_edge: Tensor
) -> Tensor:
    """Triangles over the spectrum whose corners stand evenly on the mel scale, each rounded down to a bin of the spectrum."""
    shape, type = b.shapes.of(op.output), element_type(op.output)

    def to_mel(hertz: Scalar) -> Scalar:
        return b.s.log1p(hertz / 700.0) * (2595.0 / 2.302585092994046)

    def corner(m: Any) -> Scalar:
        low = to_mel(b.s.cast(lower_edge.scalar(), DOUBLE))
        step = (to_mel(b.s.cast(upper_edge.scalar(), DOUBLE)) - low) / b.s.cast(b.s.operand(b.index(shape[1] + 2), INDEX), DOUBLE)
        mel = low + b.s.cast(m.to_scalar(), DOUBLE) * step
        hertz = b.s.expm1(mel * (2.302585092994046 / 2595.0)) * 700.0
        return b.s.floor((b.s.cast(length.scalar(), DOUBLE) + 1.0) * hertz / b.s.cast(rate.scalar(), DOUBLE))

    corners = b.compute((shape[1] + 2,), DOUBLE, corner, doc="corners")

    def element(i: Any, m: Any) -> Scalar:
        at = b.s.cast(i.to_scalar(), DOUBLE)
        low, centre, high = corners[m], corners[m + 1], corners[m + 2]
        rising, falling = centre - low, high - centre
        up = b.s.select((at >= low) & (at <= centre) & rising.differs(0), (at - low) / b.s.select(rising.equals(0), 1.0, rising), 0)
        up = b.s.select(rising.equals(0) & at.equals(centre), 1.0, up)
        down = (high - at) / b.s.select(falling.equals(0), 1.0, falling)
        return b.s.cast(b.s.select((at >= centre) & (at < high), b.s.select(at.equals(centre), up, down), up), type)

    return b.compute(shape, type, element)
