"""Quantisation: by tensor, axis and block."""

from __future__ import annotations

import numpy as np

from ..draw import Draw
from ..schemas import FLOAT, dtype, types
from .registry import recipe


def _scales(d: Draw, shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The shape of the scales; one may set a block size."""
    form = d.between(0, 2) if shape else 0
    if form == 0 or 0 in shape:
        return ()
    if form == 1:
        return (shape[axis],)
    block = d.attribute("block_size", d.between(1, shape[axis]))
    blocked = list(shape)
    blocked[axis] = -(-shape[axis] // block)
    return tuple(blocked)


def _axis(d: Draw, rank: int) -> int:
    if rank < 2:
        return d.attribute("axis", d.axis(rank)) if rank else 0
    return d.maybe("axis", lambda: d.axis(rank))


@recipe("QuantizeLinear")
def quantize(d: Draw) -> None:
    d.plain()
    shape = d.shape(0, 4)
    scales = _scales(d, shape, _axis(d, len(shape)))
    kind, scale = d.type("T1"), d.type("T2", only=types(d.operator, "T1"))
    d.data(kind, shape)
    lowest = 0 if dtype(scale).kind == "i" else -2
    d.given(np.exp2(d.choices.rng().integers(lowest, 3, scales)), type=scale)
    form = d.between(0, 2)
    if form:
        target = d.type("T3")
        if form == 1:
            narrow = dtype(target).name.startswith("float")
            d.given(np.zeros(scales), type=target) if narrow else d.data(target, scales, 0, 3)
        else:
            d.attribute("output_dtype", target)
        if dtype(target).name.startswith("float8"):
            d.maybe("saturate", lambda: d.between(0, 1))


@recipe("DequantizeLinear")
def dequantize(d: Draw) -> None:
    shape = d.shape(0, 4)
    scales = _scales(d, shape, _axis(d, len(shape)))
    kind = d.type("T1")
    d.data(kind, shape)
    d.given(np.exp2(d.choices.rng().integers(-2, 3, scales)), type=d.type("T2", only=types(d.operator, "T3")))
    if d.flag():
        if dtype(kind).name.startswith("float") or dtype(kind) == np.int32:
            d.given(np.zeros(scales), type=kind)
        else:
            d.data(kind, scales, 0, 3)


@recipe("DynamicQuantizeLinear")
def dynamic_quantize(d: Draw) -> None:
    d.style = "plain" if d.extreme else d.style
    d.data(FLOAT, d.shape(1, 3))
    d.wanted = [True] * 3
