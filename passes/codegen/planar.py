"""The strategy for convolutions on ONNX's own layout: lanes run along the last axis of the plane, rows of a register tile are filters.

Nothing is packed at run time but the input's padding and strides (see `dispatch.ContractOp`), so a convolution that stands alone, or
whose groups are no whole blocks of channels, needs no other layout. The tiles at an edge overlap their neighbours, as everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.dialects import arith, memref
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from ..dispatch.structure import Size
from .contraction import FETCH, FMA, Contraction, Tiling
from .kernel import View, factors, times
from .split import parallel

NARROW = 1.2
"""What a lane of half a vector costs beside one of a whole: more values of filters are broadcast for the same work."""


@dataclass(frozen=True)
class Pixels:
    """A register tile's part of a plane: `down` rows of `across` vectors of `lanes`. The last tile of a row has `tail` vectors, 0 where it
    is as all others; `masked` lanes are used of a vector that is longer than the row, 0 where none is."""

    lanes: int
    down: int
    across: int
    tail: int
    masked: int


def pixels_of_tile(height: int, width: int, lanes: int, vectors: int) -> Pixels:
    """How to cover a plane by tiles of at most so many vectors of at most so many lanes."""
    lanes = best_lanes(width, lanes)
    row = -(-width // lanes)
    if row < vectors:
        most = min(vectors // row, height)
        down = -(-height // -(-height // most))
        return Pixels(lanes, down, row, 0, width if width < lanes else 0)
    tiles = -(-row // vectors)
    across = -(-row // tiles)
    return Pixels(lanes, 1, across, row % across, width if width < lanes else 0)


def best_lanes(width: int, most: int) -> int:
    """Lanes of a vector: whole vectors, unless shorter ones leave far fewer lanes of a row unused."""
    choices = [most >> shift for shift in range(3) if most >> shift >= 4] or [most]
    return min(choices, key=lambda n: -(-width // n) * n * NARROW ** math.log2(most / n))


class Planar(Contraction):
    """Emits one dispatch.contract of kind "planar", whose plane is known."""

    def emit(self) -> None:
        if 0 in self.out.dims:
            return
        k = self.k
        batch, channels, *plane = cast("tuple[int, ...]", self.out.dims)
        axes = len(plane)
        groups, tiles, *taps, self.depth, rows = cast("tuple[int, ...]", self.rhs.dims)
        window = [int(w) for w in self.op.window.get_values()]
        self.strides, self.dilations = window[:axes], window[axes:]
        self.per_group = channels // groups
        self.input = self._input_view(axes)
        self.filters = k.view(self.rhs, AffineMap.identity(axes + 4), range(axes + 4), self.rhs.dims)
        self.results = self._planar_results(axes, groups)
        if self._is_a_row(plane, taps):
            plane = [*([1] * (axes - 1)), math.prod(plane)]
        *lead, height, width = plane if axes > 1 else [1, *plane]
        pixels = pixels_of_tile(height, width, self.tiling.lanes, 2 * (self.tiling.rows + 1) // (rows + 1))
        self.tiling = Tiling(rows, pixels.lanes)
        self.block, self.row = self.depth, width
        step = pixels.across * pixels.lanes

        def tile(at: list[SSAValue], y: Size, x: Size, across: int) -> None:
            self._tile(at, [y, x] if axes > 1 else [x], taps, pixels, across)

        def body(indices: list[SSAValue]) -> None:
            n, g, *rest = indices
            (t, *place) = rest if filters_outside else (rest[-1], *rest[:-1])
            *before, row, column = place
            at = [n, g, t, *before]
            y = k.minimum(k.mul(row, pixels.down), height - pixels.down)
            if not pixels.tail:
                tile(at, y, k.minimum(k.mul(column, step), max(0, width - step)), pixels.across)
                return
            last = width - pixels.tail * pixels.lanes
            inside = k.emit(arith.CmpiOp(column, k.const(width // step), "slt"))
            k.if_(
                inside,
                lambda: tile(at, y, k.mul(column, step), pixels.across),
                lambda: tile(at, y, last, pixels.tail),
            )

        # The larger operand is gone through once; the smaller one comes from a nearer cache each time.
        filters_outside = tiles * rows * math.prod(taps) > math.prod(plane)
        covered = [*lead, -(-height // pixels.down), -(-width // step)]
        extents = [batch, groups, tiles, *covered] if filters_outside else [batch, groups, *covered, tiles]
        vectors = pixels.down * pixels.across
        cost = (FMA * rows + FETCH) * vectors * self.depth * math.prod(taps)
        parallel(k, extents, (cost, ()), body, tiles=True)

    # -- views

    def _input_view(self, axes: int) -> View:
        """The input over (n, group, channel of the group, (phase, place) of each axis, y and x of the tile)."""
        d = [AffineExpr.dimension(i) for i in range(2 * axes + 5)]
        places = [d[3 + i] for i in range(2 * axes)]
        places[-1] = places[-1] + d[-1]
        if axes > 1:
            places[-3] = places[-3] + d[-2]
        map = AffineMap(len(d), 0, (d[0], d[1] * self.depth + d[2], *places))
        batch, _, *spatial = self.lhs.dims
        return self.k.view(self.lhs, map, range(len(d)), [batch, self.out.dims[1], self.depth, *spatial, *self._tile_extents(axes)])

    def _tile_extents(self, axes: int) -> list[Size]:
        return [self.out.dims[-2] if axes > 1 else 1, self.out.dims[-1]]

    def _planar_results(self, axes: int, groups: int) -> tuple[View, list[View]]:
        """The result and the extras over (n, group, first row of the tile, the plane's axes, row, y and x of the tile)."""
        total = axes + 6
        d = [AffineExpr.dimension(i) for i in range(total)]
        channel = d[1] * self.per_group + d[2] + d[-3]
        places = d[3 : 3 + axes]
        places[-1] = places[-1] + d[-1]
        if axes > 1:
            places[-2] = places[-2] + d[-2]
        plane = list(self.out.dims[2:])
        extents = [self.out.dims[0], groups, self.per_group, *plane, self.per_group, *self._tile_extents(axes)]
        return self._views_of_results([d[0], channel, *places], total, extents)

    def _is_a_row(self, plane: Sequence[int], taps: Sequence[int]) -> bool:
        """Whether the plane is one row: all tensors are contiguous or constant over it, and what taps reach from its end is there."""
        phases, places = self.lhs.dims[2::2], cast("tuple[int, ...]", self.lhs.dims[3::2])
        reach = sum((t - 1) * d * math.prod(places[i + 1 :]) for i, (t, d) in enumerate(zip(taps, self.dilations, strict=True)))
        if set(phases) != {1} or places[1:] != tuple(plane[1:]) or math.prod(plane) + reach > math.prod(places):
            return False
        out, extras = self.results
        return all(
            view.strides[3 + i] == times(view.strides[4 + i], factors(plane[i + 1]))
            for view in (out, *extras)
            for i in range(len(plane) - 1)
        )

    # -- a register tile

    def _tile(self, at: Sequence[SSAValue], corner: Sequence[Size], taps: Sequence[int], pixels: Pixels, across: int) -> None:
        """A tile of filters and pixels. at: (n, group, tile of filters, leading axes of the plane); corner: its place on the others."""
        k, rows = self.k, self.tiling.rows
        n, group, tile, *before = at
        origin = [*before, *corner]
        mask = self._mask(pixels.masked) if pixels.masked else None
        last = max(0, self.row - pixels.lanes)
        spots = [(y, min(x * pixels.lanes, last)) for y in range(pixels.down) for x in range(across)]
        places: dict[tuple[SSAValue, ...], list[SSAValue]] = {}

        def of_tap(tap: Sequence[SSAValue]) -> list[SSAValue]:
            if (known := places.get(tuple(tap))) is None:
                known = places[tuple(tap)] = [v for i, (o, t) in enumerate(zip(origin, tap, strict=True)) for v in self._place(i, o, t)]
            return known

        def filter(i: int, tap: Sequence[SSAValue], c: SSAValue) -> SSAValue:
            return k.emit(memref.LoadOp.get(self.filters.memref, [group, tile, *tap, c, k.const(i)]))

        def plane(j: int, tap: Sequence[SSAValue], c: SSAValue) -> SSAValue:
            y, x = spots[j]
            return self._load(self.input.memref, [n, group, c, *of_tap(tap), k.const(y), k.const(x)], mask)

        acc = self._micro(rows, len(spots), list(taps), filter, plane)
        first = k.index(k.minimum(k.mul(tile, rows), self.per_group - rows))
        for i in range(rows):
            for j, (y, x) in enumerate(spots):
                where = [n, group, first, *map(k.index, origin), k.const(i), k.const(y), k.const(x)]
                self._finish(acc[i * len(spots) + j], self.results, where, mask)

    def _place(self, axis: int, origin: Size, tap: SSAValue) -> tuple[SSAValue, SSAValue]:
        """(phase, place) of a tap on an axis of the input."""
        k, stride = self.k, self.strides[axis]
        distance = k.mul(tap, self.dilations[axis])
        if stride == 1 or self.lhs.dims[2 + 2 * axis] == 1:
            return k.const(0), k.index(k.add(origin, distance))
        whole = k.floordiv(distance, stride)
        return k.index(k.sub(distance, k.mul(whole, stride))), k.index(k.add(origin, whole))
