"""The strategy for depthwise convolutions on ONNX's own layout: a register tile is a few rows of vectors along the last axis.

Each vector of the image is loaded once and serves all rows of the tile that it is a tap of. Padding is never stored: vectors that reach
over a row's ends are loaded from inside and moved into place, with zeros behind them; rows above and below the image are left out.
Where that is so is known where the code of a tile is made; the tiles that lie inside have one code, and a loop.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.dialects import memref, vector
from xdsl.dialects.builtin import DenseArrayBase, i64
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from ..dispatch.structure import Size
from .body import broadcast, widen
from .contraction import FMA, Contraction, Tiling
from .kernel import View
from .planar import best_lanes
from .split import body_cost, parallel

MOST_STEPS = 400
"""Multiply-adds of a tile, which is written out whole, where it has more than one row and vector."""

STRIDES = (1, 2)
"""Distances of neighbouring results on a row that two loads can serve."""


@dataclass(frozen=True)
class _Line:
    """Places of an axis that tiles of `step` cover: those where tiles begin that have all they read, and the others."""

    inside: range
    edges: tuple[int, ...]


def _line(extent: int, step: int, is_inside: Callable[[int], bool]) -> _Line:
    regular = range(0, extent - step + 1, step)
    inside = [x for x in regular if is_inside(x)]
    middle = range(inside[0], inside[-1] + step, step) if inside else range(0)
    return _Line(middle, tuple(x for x in dict.fromkeys([*regular, extent - step]) if x not in middle))


class PlanarDepthwise(Contraction):
    """Emits one dispatch.contract of kind "planar depthwise", whose planes are known."""

    def emit(self) -> None:
        if 0 in self.out.dims:
            return
        k = self.k
        batch, channels, self.height, self.width = cast("tuple[int, ...]", self.out.dims)
        self.image = cast("tuple[int, int]", self.lhs.dims[2:])
        self.taps = cast("tuple[int, int]", self.rhs.dims[1:])
        self.stride_y, self.stride_x, self.dilation_y, self.dilation_x, self.top, self.left = (int(w) for w in self.op.window.get_values())
        most = max(1, min(self.tiling.rows, MOST_STEPS // (self.taps[0] * self.taps[1])))
        self.tiling = Tiling(self.tiling.rows, best_lanes(self.width, self.tiling.lanes))
        lanes = self.tiling.lanes
        across = min(-(-self.width // lanes), most)
        down = -(-self.height // -(-self.height // min(max(1, most // across), self.height)))
        self.offsets = [min(j * lanes, max(0, self.width - lanes)) for j in range(across)]
        self.rows_of_tile = down
        self.input, self.results = self._input_view(), self._result_views(4, [2, 3])
        self.filters = k.view(self.rhs, AffineMap.identity(3), range(3), self.rhs.dims)
        lines = _line(self.height, down, lambda y: self._row_is_inside(y) and self._row_is_inside(y + down - 1))
        columns = _line(self.width, min(self.width, across * lanes), self._columns_are_inside)

        def channel(at: list[SSAValue]) -> None:
            weights = self._weights(at[1])

            def row(y: Size) -> None:
                for x in columns.edges:
                    self._tile(at, y, x, weights)
                if columns.inside:
                    inside = columns.inside
                    k.loop(inside.start, inside.stop, inside.step, lambda x: self._tile(at, y, x, weights))

            for y in lines.edges:
                row(y)
            if lines.inside:
                k.loop(lines.inside.start, lines.inside.stop, lines.inside.step, row)

        pixel = FMA * self.taps[0] * self.taps[1] + body_cost(self.op.epilogue.block)
        parallel(k, [batch, channels], (self.height * -(-self.width // lanes) * pixel, ()), channel, tiles=True)

    def _input_view(self) -> View:
        """The input over (n, channel, y, x, y and x of the tile)."""
        d = [AffineExpr.dimension(i) for i in range(6)]
        map = AffineMap(6, 0, (d[0], d[1], d[2] + d[4], d[3] + d[5]))
        return self.k.view(self.lhs, map, range(6), [*self.lhs.dims, *self.image])

    def _weights(self, channel: SSAValue) -> list[list[SSAValue]]:
        """A channel's filter, each tap in all lanes."""
        k, (down, across) = self.k, self.taps

        def tap(y: int, x: int) -> SSAValue:
            return broadcast(k, k.emit(memref.LoadOp.get(self.filters.memref, [channel, k.const(y), k.const(x)])), self.tiling.lanes)

        return [[tap(y, x) for x in range(across)] for y in range(down)]

    # -- where a tile reads

    def _row_is_inside(self, y: int) -> bool:
        first = y * self.stride_y - self.top
        return first >= 0 and first + (self.taps[0] - 1) * self.dilation_y < self.image[0]

    def _columns_are_inside(self, x: int) -> bool:
        """Whether all loads of a tile from column x on lie in a row. At a stride of two the last of them reads one element more."""
        first = x * self.stride_x - self.left
        end = first + self.offsets[-1] * self.stride_x + (self.taps[1] - 1) * self.dilation_x + self.stride_x * self.tiling.lanes
        return first >= 0 and end <= self.image[1]

    # -- a register tile

    def _tile(self, at: Sequence[SSAValue], y: Size, x: Size, weights: list[list[SSAValue]]) -> None:
        """The tile of results from row y and column x on, which are numbers where it may reach over the image."""
        k, across = self.k, len(self.offsets)
        first, start = k.sub(k.mul(y, self.stride_y), self.top), k.sub(k.mul(x, self.stride_x), self.left)
        sums = [self._zero()] * (self.rows_of_tile * across)
        reach = (self.rows_of_tile - 1) * self.stride_y + (self.taps[0] - 1) * self.dilation_y + 1
        for line in range(reach):
            served = self._served(line)
            if not served or (isinstance(first, int) and not 0 <= first + line < self.image[0]):
                continue
            for tap_x, (j, offset) in itertools.product(range(self.taps[1]), enumerate(self.offsets)):
                value = self._pixels(at, (first, line), start, offset, tap_x)
                if value is None:
                    continue
                for tap_y, row in served:
                    sums[row * across + j] = k.emit(vector.FMAOp(value, weights[tap_y][tap_x], sums[row * across + j]))
        mask = self._mask(self.width) if self.width < self.tiling.lanes else None
        for n, value in enumerate(sums):
            row, j = divmod(n, across)
            self._finish(value, self.results, [*at, k.index(y), k.index(x), k.const(row), k.const(self.offsets[j])], mask)

    def _served(self, line: int) -> list[tuple[int, int]]:
        """(row of the filter, row of the tile) for all that read a line of the image, counted from the tile's first."""
        lines = [(tap, line - tap * self.dilation_y) for tap in range(self.taps[0])]
        return [(tap, d // self.stride_y) for tap, d in lines if d % self.stride_y == 0 and 0 <= d < self.rows_of_tile * self.stride_y]

    def _pixels(self, at: Sequence[SSAValue], line: tuple[Size, int], start: Size, offset: int, tap: int) -> SSAValue | None:
        """The elements of a row that one tap takes for a vector of results; None where all of them are padding.

        start: where on the row the tile's first tap lies; offset: columns between the tile and this vector of it.
        """
        lanes, stride = self.tiling.lanes, self.stride_x
        distance = tap * self.dilation_x
        phase = distance % stride  # taps of one pair of vectors, so that these are loaded once
        first = start if not isinstance(start, int) else start + offset * stride + distance - phase
        wanted = [phase + stride * lane for lane in range(lanes)]
        if not isinstance(first, int):
            loaded = [self._row(at, line, start, offset * stride + distance - phase + n * lanes) for n in range(stride)]
            return self._picked(loaded, wanted)
        width = self.image[1]
        places = [first + n if 0 <= first + n < width else None for n in wanted]
        if all(p is None for p in places):
            return None
        begin = min(max(first, 0), max(0, width - stride * lanes))
        starts = [begin] if stride == 1 or width <= lanes else [begin, min(begin + lanes, width - lanes)]
        loaded = [self._row(at, line, 0, start) for start in starts]
        held = [start + lane for start in starts for lane in range(lanes)]
        return self._picked(loaded, [None if p is None else held.index(p) for p in places])

    def _row(self, at: Sequence[SSAValue], line: tuple[Size, int], x: Size, offset: int) -> SSAValue:
        """A vector of the image; of a row shorter than it, with zeros behind."""
        k, lanes = self.k, self.tiling.lanes
        y, below = line
        rows = (0, y + below) if isinstance(y, int) else (y, below)
        where = [*at, k.index(rows[0]), k.index(x), k.const(rows[1]), k.const(offset)]
        width = self.image[1]
        return self._image(where, self._mask(width) if width < lanes else None)

    def _image(self, where: Sequence[SSAValue], mask: SSAValue | None) -> SSAValue:
        if mask is None:
            return self.k.emit(vector.LoadOp(self.input.memref, list(where), widen(self.accumulator, self.tiling.lanes)))
        return self.k.emit(vector.MaskedLoadOp(self.input.memref, list(where), mask, self._zero()))

    def _picked(self, loaded: Sequence[SSAValue], wanted: Sequence[int | None]) -> SSAValue:
        """Lanes of one or two vectors, counted through both; zero for None."""
        lanes = self.tiling.lanes
        if list(wanted) == list(range(lanes)):
            return loaded[0]
        used = {w // lanes for w in wanted if w is not None}
        if len(loaded) == 2 and len(used) == 2:
            both = self._shuffled(loaded[0], loaded[1], [-1 if w is None else w for w in wanted])
            if None not in wanted:
                return both
            return self._shuffled(both, self._zero(), [lanes if w is None else n for n, w in enumerate(wanted)])
        (one,) = used
        return self._shuffled(loaded[one], self._zero(), [lanes if w is None else w % lanes for w in wanted])

    def _shuffled(self, a: SSAValue, b: SSAValue, lanes: Sequence[int]) -> SSAValue:
        mask = DenseArrayBase.from_list(i64, list(lanes))
        return self.k.emit(vector.ShuffleOp(a, b, mask, result_type=widen(self.accumulator, self.tiling.lanes)))
