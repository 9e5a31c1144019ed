"""Convolutions on ONNX's own layout as contractions (codegen/planar.py): with constant filters, on planes of known size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import IntegerAttr, i64

from ...dialects import dispatch
from ...dialects.onnx.dims import Shape
from ...dialects.onnx.windows import Windows
from ..codegen.planar_depthwise import STRIDES
from ..codegen.tiles import best_rows
from ..scalar import FLOAT, INDEX
from .builder import Lowering, Tensor
from .contraction import BLOCK, weight_id
from .windows import pad_axes, within

DEFAULT_ROWS = 14

MOST_TAPS = 49
"""Taps of a depthwise filter that its strategy writes out."""


def is_planar(x: Tensor, w: Tensor, windows: Windows, shape: Shape) -> bool:
    """Whether a convolution from x to `shape` has what the strategy asks for."""
    sizes = (*x.shape[1:], *shape[1:], *windows.pads_begin, *windows.kernel)
    return x.type is FLOAT and weight_id(w) is not None and all(isinstance(d, int) for d in sizes) and 0 not in (*w.shape, *x.shape[1:])


def planar(b: Lowering, x: Tensor, w: Tensor, windows: Windows, group: int, shape: Shape) -> Tensor:
    """The convolution of x (n, C, D..) with constant filters w (M, C/group, k..), of the result's `shape` (n, M, O..)."""
    return _contracted(b, _by_phases(b, x, windows), w, windows, group, shape)


def planar_with_pitch(b: Lowering, x: Tensor, w: Tensor, windows: Windows, group: int) -> Tensor:
    """A convolution of stride 1 on two axes, with rows as long as those of the padded input: (n, M, O1, at least O2); what is behind O2 in
    each is of no use. So the whole plane is one row, unless rows fill vectors as well without."""
    (high, wide), (down, across) = _known(windows.output), _known(windows.extent)
    pitch = wide + across - 1
    if vectors(high * pitch) >= high * vectors(wide):
        return planar(b, x, w, windows, group, (x.shape[0], w.shape[0], high, wide))
    begins, sizes = _known(windows.pads_begin), (high + down - 1 + bool(across > 1), pitch)  # the last row reads on beyond its end
    ends = [size - d - p for size, d, p in zip(sizes, _known(x.shape[2:]), begins, strict=True)]
    held = pad_axes(b, x, (2, 3), begins, ends, 0.0)
    lhs = b.reshape(held, (*x.shape[:2], 1, sizes[0], 1, sizes[1]))
    return _contracted(b, lhs, w, windows, group, (x.shape[0], w.shape[0], high, pitch))


def _contracted(b: Lowering, lhs: Tensor, w: Tensor, windows: Windows, group: int, shape: Shape) -> Tensor:
    rows = best_rows(int(w.shape[0]) // group, b.target.mr if b.target is not None else DEFAULT_ROWS)  # type: ignore[arg-type]
    packed = _packed_filters(b, w, group, rows)
    window = (*windows.strides, *windows.dilations)
    contract = dispatch.ContractOp("planar", lhs.value, packed.value, b.tensor_type(shape, FLOAT), b.dims(shape), window=window)
    contract.properties["products"] = IntegerAttr(math.prod(w.shape), i64)  # type: ignore[type-var]  # of constants
    b.emit(contract)
    return Tensor(b, contract.result, tuple(shape), FLOAT)


def is_planar_depthwise(x: Tensor, w: Tensor, windows: Windows, group: int, shape: Shape) -> bool:
    """Whether it is a depthwise convolution that its own strategy takes (codegen/planar_depthwise.py)."""
    if not is_planar(x, w, windows, shape) or x.rank != 4 or not group == x.shape[1] == w.shape[0]:
        return False
    return windows.strides[1] in STRIDES and math.prod(_known(windows.kernel)) <= MOST_TAPS


def planar_depthwise(b: Lowering, x: Tensor, w: Tensor, windows: Windows, shape: Shape) -> Tensor:
    """The convolution of each channel of x (n, C, H, W) with its own filter of w (C, 1, kh, kw), constant."""
    filters = b.reshape(w, (w.shape[0], *w.shape[2:]))
    window = (*windows.strides, *windows.dilations, *_known(windows.pads_begin))
    contract = dispatch.ContractOp("planar_depthwise", x.value, filters.value, b.tensor_type(shape, FLOAT), b.dims(shape), window=window)
    contract.properties["products"] = IntegerAttr(math.prod(w.shape), i64)  # type: ignore[type-var]  # of constants
    b.emit(contract)
    return Tensor(b, contract.result, tuple(shape), FLOAT)


def vectors(lanes: int) -> int:
    """Vectors of a channel block's width that hold so many lanes."""
    return -(-lanes // BLOCK)


def _by_phases(b: Lowering, x: Tensor, windows: Windows) -> Tensor:
    """x (n, C, D..) as (n, C, s1, D1', s2, D2', ..), zero beyond its bounds: position p of an axis at (p mod s, p div s)."""
    axes, sizes = range(len(windows.kernel)), _known(x.shape[2:])
    reach = [(k - 1) * d for k, d in zip(_known(windows.kernel), windows.dilations, strict=True)]
    phases = [s if r else 1 for s, r in zip(windows.strides, reach, strict=True)]
    places = [o + r // s for o, r, s in zip(_known(windows.output), reach, windows.strides, strict=True)]
    begins = _known(windows.pads_begin)
    split = [d for pair in zip(phases, places, strict=True) for d in pair]
    if not any(begins) and all(s == 1 for s in windows.strides) and places == sizes:
        return b.reshape(x, (*x.shape[:2], *split))

    def element(n: Any, c: Any, *at: Any) -> Any:
        where, inside = [], []
        for i in axes:
            stride, begin, size = windows.strides[i], begins[i], sizes[i]
            position = at[2 * i + 1] * stride + at[2 * i] - begin
            last = (places[i] - 1) * stride + phases[i] - 1 - begin
            if begin > 0 or last >= size:
                position = b.s.operand(position, INDEX)
                inside += within(b, position, size)
                position = b.s.max(b.s.min(position, size - 1), 0)
            where.append(position)
        value = x[(n, c, *where)]
        return b.s.select(b.s.all(inside), value, 0) if inside else value

    return b.compute((*x.shape[:2], *split), FLOAT, element, doc="pad")


def _known(sizes: Shape) -> list[int]:
    """Sizes that `is_planar` found to be numbers."""
    return [int(d) for d in sizes]  # type: ignore[arg-type]


def _packed_filters(b: Lowering, w: Tensor, group: int, rows: int) -> Tensor:
    """w (M, C/group, k..) as (group, tiles, k.., C/group, rows), at compile time; the last tile overlaps the one before."""
    weight = weight_id(w)
    assert weight is not None
    id = f"{weight}:planar{group}x{rows}:{'x'.join(map(str, w.shape))}"
    if id not in b.weights:
        filters, channels, *taps = (int(d) for d in w.shape)  # type: ignore[arg-type]
        array = b.weights[weight].reshape(group, filters // group, channels, *taps)
        tiles = [array[:, start : start + rows] for start in _starts(filters // group, rows)]
        b.weights[id] = np.ascontiguousarray(np.moveaxis(np.stack(tiles, 1), (2, 3), (-1, -2)))
    return b.constant(b.weights[id], FLOAT, id)


def _starts(filters: int, rows: int) -> Sequence[int]:
    return [min(start, filters - rows) for start in range(0, filters, rows)]
