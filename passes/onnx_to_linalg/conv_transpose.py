"""Convolutions beyond the plain one: transposed, deformable, causal with state, and Col2Im."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...dialects.onnx import conv as ops
from ...dialects.onnx.dims import Dim, Shape, floordiv, product
from ...dialects.onnx.types import ElementType
from ...dialects.onnx.windows import Windows
from ..scalar import INDEX, Scalar
from .builder import Lowering, Tensor, element_type
from .contraction import ACCUMULATORS, weight_id
from .conv import add_bias, convolve
from .planar import is_planar, planar, planar_with_pitch
from .registry import lower
from .windows import require_elements, within


def ranged_sum(b: Lowering, parts: Sequence[tuple[Any, int | Dim]]) -> Any:
    """The sum of index * factor."""
    total: Any = b.s.const(0, INDEX)
    for index, factor in parts:
        total = total + b.s.operand(index, INDEX) * b.index(factor)
    return total


@lower(ops.ConvTransposeOp)
def conv_transpose(b: Lowering, op: ops.ConvTransposeOp, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
    """A convolution of stride 1 with the mirrored kernel, over x with its elements moved apart by the stride.

    Output o receives x[i] w[k] where o = i * stride + k * dilation - pad. With tap t = K - 1 - k, it reads position
    j = o + t * dilation of the spread input, which holds x[i] where j + pad - (K - 1) * dilation = i * stride, else 0.
    """
    found, group = op.windows(b.shapes), op.attr("group")
    shape, accumulator = b.shapes.of(op.y), ACCUMULATORS[x.type.name]
    if is_planar(x, w, found, shape) and 0 not in shape[1:]:
        return add_bias(b, _by_phases(b, x, w, found, group, shape), bias, element_type(op.y))
    plain = replace(found, strides=(1,) * len(found.strides))
    offsets = [begin - (k - 1) * d for begin, k, d in zip(found.pads_begin, found.kernel, found.dilations, strict=True)]
    reach = [o + (k - 1) * d for o, k, d in zip(found.output, found.kernel, found.dilations, strict=True)]

    def spread(*i: Any) -> Scalar:
        places, inside = [], []
        for j, offset, stride, size in zip(i[2:], offsets, found.strides, x.shape[2:], strict=True):
            scaled = b.s.operand(j, INDEX) + b.index(offset)
            place = scaled // stride
            inside += [*within(b, place, size), *([(scaled % stride).equals(0)] if stride > 1 else [])]
            places.append(place)
        held = b.s.all(inside)
        return b.s.select(held, x[(*i[:2], *(b.s.select(held, p, 0) for p in places))], 0)

    require_elements(b, x, range(2, x.rank))
    data = b.compute((*x.shape[:2], *reach), x.type, spread, doc="spread")
    weight = _mirrored(b, w, group)
    return add_bias(b, convolve(b, data, weight, plain, group, shape, accumulator), bias, element_type(op.y))


def _by_phases(b: Lowering, x: Tensor, w: Tensor, found: Windows, group: int, shape: Shape) -> Tensor:
    """A convolution of stride 1 for each phase of the output, all of them in one, whose results then alternate.

    Output o is of phase r where o + pad = q * stride + r. It receives x[q - j] from tap r + j * stride, for each j there is.
    """
    begins, sizes, strides = [int(p) for p in found.pads_begin], [int(d) for d in shape[2:]], found.strides  # type: ignore[arg-type]
    first = [p // s for p, s in zip(begins, strides, strict=True)]
    count = [(o - 1 + p) // s + 1 - f for o, p, s, f in zip(sizes, begins, strides, first, strict=True)]
    filters = _filters_of_phases(b, w, found, group)
    taps, ones = filters.shape[2:], (1,) * len(strides)
    before = [int(j) - 1 - f for j, f in zip(taps, first, strict=True)]  # type: ignore[arg-type]
    windows = Windows(tuple(taps), ones, ones, tuple(before), (0,) * len(strides), tuple(count))
    if len(strides) == 2:
        phases = planar_with_pitch(b, x, filters, windows, group)
    else:
        phases = planar(b, x, filters, windows, group, (x.shape[0], filters.shape[0], *count))
    apart = b.reshape(phases, (*shape[:2], *strides, *phases.shape[2:]))
    alternating = [d for pair in zip(count, strides, strict=True) for d in pair]
    together = b.compute((*shape[:2], *alternating), x.type, lambda n, m, *i: apart[(n, m, *i[1::2], *i[::2])], doc="alternate")
    together = b.reshape(together, (*shape[:2], *(c * s for c, s in zip(count, strides, strict=True))))
    cut = [p % s for p, s in zip(begins, strides, strict=True)]
    if tuple(together.shape) == tuple(shape):
        return together
    return b.compute(shape, x.type, lambda n, m, *o: together[(n, m, *(i + c for i, c in zip(o, cut, strict=True)))], doc="cut")


def _filters_of_phases(b: Lowering, w: Tensor, found: Windows, group: int) -> Tensor:
    """The constant w (C, M/group, k..) as filters (M * phases, C/group, taps of a phase..), at compile time."""
    weight = weight_id(w)
    assert weight is not None
    id = f"{weight}:phases{group}:{'x'.join(map(str, (*found.strides, *found.dilations)))}"
    if id not in b.weights:
        channels, outputs, *kernel = (int(d) for d in w.shape)  # type: ignore[arg-type]
        array = b.weights[weight].reshape(group, channels // group, outputs, *kernel)
        taps = [-(-((k - 1) * d + 1) // s) for k, d, s in zip(kernel, found.dilations, found.strides, strict=True)]
        spread = np.zeros((*array.shape[:3], *(t * s for t, s in zip(taps, found.strides, strict=True))), array.dtype)
        spread[(..., *(slice(0, (k - 1) * d + 1, d) for k, d in zip(kernel, found.dilations, strict=True)))] = array
        split = spread.reshape(*array.shape[:3], *(n for pair in zip(taps, found.strides, strict=True) for n in pair))
        axes = range(len(kernel))
        split = split.transpose(0, 2, *(4 + 2 * i for i in axes), 1, *(3 + 2 * i for i in axes))
        mirrored = np.flip(split, tuple(range(-len(kernel), 0)))
        b.weights[id] = np.ascontiguousarray(mirrored.reshape(-1, channels // group, *taps))
    return b.constant(b.weights[id], w.type, id)


def _mirrored(b: Lowering, w: Tensor, group: int) -> Tensor:
    """The weight (C, M/group, k..) of a transposed convolution as that of a plain one, (M, C/group, k..), every axis mirrored."""
    inputs, outputs = floordiv(w.shape[0], group), w.shape[1]

    def element(*i: Any) -> Scalar:
        m, c, *taps = i
        m = b.s.operand(m, INDEX)
        channel = c if group == 1 else (m // b.index(outputs)) * b.index(inputs) + b.s.operand(c, INDEX)
        row = m % b.index(outputs) if group > 1 else m
        mirrored = [b.index(k) - 1 - b.s.operand(t, INDEX) for k, t in zip(w.shape[2:], taps, strict=True)]
        return w[(channel, row, *mirrored)]

    return b.compute((outputs * group, inputs, *w.shape[2:]), w.type, element, doc="mirror")


@lower(ops.DeformConvOp)
def deform_conv(
    b: Lowering, op: ops.DeformConvOp, x: Tensor, w: Tensor, offset: Tensor, bias: Tensor | None, mask: Tensor | None
) -> Tensor:
    """Samples x once for each channel, tap and output position, then multiplies as a convolution over those samples does."""
    found, group, offset_groups = op.windows(b.shapes), op.attr("group"), op.attr("offset_group")
    shape, wide = b.shapes.of(op.y), ACCUMULATORS[x.type.name]
    axes, taps = len(found.kernel), product(found.kernel)
    per_offset = floordiv(x.shape[1], offset_groups)
    inner = [product(found.kernel[k + 1 :]) for k in range(axes)]
    require_elements(b, x, range(2, x.rank))

    def sample(*i: Any) -> Scalar:
        n, c, *rest = i
        tap, out = rest[:axes], rest[axes:]
        position = (b.s.operand(c, INDEX) // b.index(per_offset)) * b.index(taps) + ranged_sum(b, list(zip(tap, inner, strict=True)))
        places = []
        for k, (o, t) in enumerate(zip(out, tap, strict=True)):
            base = b.s.cast(o * found.strides[k] + t * found.dilations[k] - b.index(found.pads_begin[k]), wide)
            places.append(base + b.s.cast(offset[(n, position * axes + k, *out)], wide))
        value = interpolated(b, places, x.shape[2:], wide, lambda at: b.s.cast(x[(n, c, *at)], wide))
        return value if mask is None else value * b.s.cast(mask[(n, position, *out)], wide)

    columns = b.compute((x.shape[0], x.shape[1], *found.kernel, *found.output), wide, sample, doc="sample")
    per_group, channels = floordiv(shape[1], group), w.shape[1]

    def term(i: Sequence[Any], r: Sequence[Any]) -> Scalar:
        n, g, m, *out = i
        c, *tap = r
        filter = ranged_sum(b, [(g, per_group), (m, 1)])
        channel = ranged_sum(b, [(g, channels), (c, 1)])
        return columns[(n, channel, *tap, *out)] * b.s.cast(w[(filter, c, *tap)], wide)

    grouped = (shape[0], group, per_group, *shape[2:])
    total = b.reduce(grouped, (channels, *found.kernel), wide, term, lambda a, v: a + v, 0.0)
    return add_bias(b, b.reshape(total, shape), bias, element_type(op.y))


def interpolated(b: Lowering, places: Sequence[Scalar], sizes: Shape, type: ElementType, read: Callable[[list[Scalar]], Scalar]) -> Scalar:
    """Linear interpolation at real positions, elements outside counting as 0; `read` gives the element at indices in range."""
    floors = [b.s.floor(p) for p in places]
    starts = [b.s.cast(f, INDEX) for f in floors]
    total: Scalar | None = None
    for corner in itertools.product((0, 1), repeat=len(places)):
        weight: Any = None
        inside: list[Scalar] = []
        at: list[Scalar] = []
        for place, low, start, side, size in zip(places, floors, starts, corner, sizes, strict=True):
            part = place - low if side else 1.0 - (place - low)
            weight = part if weight is None else weight * part
            index = start + side
            inside += [*within(b, index, size), place > -1.0, place < b.s.cast(b.s.operand(b.index(size), INDEX), type)]
            at.append(b.s.max(b.s.min(index, b.index(size) - 1), 0))
        value = b.s.select(b.s.all(inside), read(at) * weight, 0)
        total = value if total is None else total + value
    assert total is not None
    return total


@lower(ops.Col2ImOp)
def col2im(b: Lowering, op: ops.Col2ImOp, x: Tensor, image_shape: Tensor, block_shape: Tensor) -> Tensor:
    """Every image element sums the columns whose blocks cover it."""
    if x.type.name not in ACCUMULATORS and not x.type.is_integer:
        raise b.unsupported(f"sums of {x.type.name} cannot be compiled")
    found, shape = op.windows(b.shapes), b.shapes.of(op.output)
    wide = ACCUMULATORS.get(x.type.name, x.type)
    inner = [product(found.kernel[k + 1 :]) for k in range(len(found.kernel))]
    steps = [product(found.output[k + 1 :]) for k in range(len(found.output))]
    taps = product(found.kernel)
    require_elements(b, x, (2,))

    def term(i: Sequence[Any], r: Sequence[Any]) -> Scalar:
        n, c, *image = i
        places, inside = [], []
        for k, (p, t) in enumerate(zip(image, r, strict=True)):
            distance = b.s.operand(p - t * found.dilations[k] + b.index(found.pads_begin[k]), INDEX)
            place = distance // found.strides[k]
            inside += [*within(b, place, found.output[k]), (place * found.strides[k]).equals(distance)]
            places.append(place)
        held = b.s.all(inside)
        row = ranged_sum(b, [(c, taps), *zip(r, inner, strict=True)])
        column = b.s.select(held, ranged_sum(b, list(zip(places, steps, strict=True))), 0)
        return b.s.select(held, b.s.cast(x[(n, row, column)], wide), 0)

    total = b.reduce(shape, found.kernel, wide, term, lambda a, v: a + v, 0)
    return b.cast(total, x.type)


@lower(ops.CausalConvWithStateOp)
def causal_conv(
    b: Lowering, op: ops.CausalConvWithStateOp, x: Tensor, w: Tensor, bias: Tensor | None, past: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Position j of past and input together; the output at l sums taps j = l .. l + k - 1."""
    kept = w.shape[2] - 1
    wide = ACCUMULATORS[x.type.name]
    silu = op.attr("activation") != "none"

    def joined(*i: Any) -> Scalar:
        n, c, j = i
        place = b.s.operand(j, INDEX) - b.index(kept)
        now = place >= 0
        if x.shape[2] == 0:
            current = b.s.const(0, x.type)
        else:
            current = x[(n, c, b.s.select(now, place, 0))]
        if past is None or kept == 0:
            return b.s.select(now, current, 0)
        return b.s.select(now, current, past[(n, c, b.s.select(now, b.s.const(0, INDEX), b.s.operand(j, INDEX)))])

    every = b.compute((*x.shape[:2], x.shape[2] + kept), x.type, joined, doc="join")

    def term(i: Sequence[Any], r: Sequence[Any]) -> Scalar:
        return b.s.cast(every[(i[0], i[1], i[2] + r[0])], wide) * b.s.cast(w[(i[1], 0, r[0])], wide)

    total = b.reduce(x.shape, (w.shape[2],), wide, term, lambda a, v: a + v, 0.0)

    def finished(*i: Any) -> Scalar:
        value = total[i] if bias is None else total[i] + b.s.cast(bias[i[1]], wide)
        return b.s.cast(value * b.s.sigmoid(value) if silu else value, x.type)

    def last(n: Any, c: Any, j: Any) -> Scalar:
        return b.s.const(0, x.type) if kept == 0 else every[(n, c, j + b.index(x.shape[2]))]

    state = b.compute((*x.shape[:2], kept), x.type, last)
    return b.compute(x.shape, x.type, finished), state
