"""The strategy for depthwise convolutions: a register tile is a run of pixels of a row, whose filter row is loaded once for them all.

Padding is never stored: the filter rows that lie on the image are a loop's bounds, and tiles at a row's ends leave out the taps that
fall off, which is known where their code is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from ..dispatch.structure import Size
from .body import widen
from .contraction import FMA, Contraction
from .kernel import View
from .split import body_cost, parallel_rows


class Depthwise(Contraction):
    """Emits one dispatch.contract of kind "depthwise", whose rows and columns are known."""

    def emit(self) -> None:
        if 0 in self.out.dims:
            return
        k = self.k
        batch, blocks, height, width, lane = self.out.dims
        assert isinstance(width, int) and isinstance(lane, int)
        self.stride_y, self.stride_x, self.dilation_y, self.dilation_x, self.top, self.left = (int(w) for w in self.op.window.get_values())
        self.taps_y, self.taps_x = (cast(int, d) for d in self.rhs.dims[1:3])
        self.parts = lane // self.tiling.lanes
        self.input = self._input_view()
        self.filters = k.view(self.rhs, AffineMap.identity(4), range(4), self.rhs.dims)
        self.results = self._result_views(5, [3, 4])
        columns = self.schedule.across

        def row(at: list[SSAValue]) -> None:
            taps = self._rows_on_image(at[2])
            middle = self._whole_tiles(width, columns)
            tiles = dict.fromkeys([*range(0, width - columns + 1, columns), width - columns])
            for x in (x for x in tiles if x not in middle):
                self._tile(columns, at, x, taps)
            if middle:
                k.loop(middle.start, middle.stop, columns, lambda x: self._tile(columns, at, x, taps))

        stretch = self.schedule.part
        rounds = [-(-cast(int, height) // stretch), blocks, stretch] if stretch else [blocks, height]

        def rows(outer: list[SSAValue], lower: Size, upper: Size) -> None:
            n, *part, block = outer
            if part:
                first = k.mul(part[0], stretch)
                lower, upper = k.add(first, lower), k.minimum(k.add(first, upper), height)
            k.loop(lower, upper, 1, lambda y: row([n, block, y]))

        pixel = FMA * self.taps_y * self.taps_x + body_cost(self.op.epilogue.block)
        parallel_rows(k, [batch, *rounds], (width * self.parts * pixel, ()), rows, tiles=True)

    def _input_view(self) -> View:
        """The input over (n, block, y, x, x of the tile, lane)."""
        d = [AffineExpr.dimension(i) for i in range(6)]
        batch, blocks, height, width, lane = self.lhs.dims
        map = AffineMap(6, 0, (d[0], d[1], d[2], d[3] + d[4], d[5]))
        return self.k.view(self.lhs, map, range(6), [batch, blocks, height, width, width, lane])

    def _rows_on_image(self, y: SSAValue) -> tuple[Size, Size, SSAValue]:
        """The filter's rows that lie on the image for row y of the result, and where on the image its first would lie."""
        k, height = self.k, cast(int, self.lhs.dims[2])
        first = k.index(k.sub(k.mul(y, self.stride_y), self.top))
        reach = (cast(int, self.out.dims[2]) - 1) * self.stride_y - self.top + (self.taps_y - 1) * self.dilation_y
        if not self.top and reach < height:
            return 0, self.taps_y, first
        zero, step = k.const(0), k.const(self.dilation_y)
        above = k.emit(arith.CeilDivSIOp(k.emit(arith.SubiOp(zero, first)), step))
        below = k.emit(arith.CeilDivSIOp(k.emit(arith.SubiOp(k.const(height), first)), step))
        begin = k.emit(arith.MaxSIOp(above, zero))
        end = k.emit(arith.MinSIOp(below, k.const(self.taps_y)))
        return begin, end, first

    def _whole_tiles(self, width: int, columns: int) -> range:
        """The tiles, by where they begin, that have all their taps on the image: one loop's worth of them."""
        ends = [(i, t) for i in (0, columns - 1) for t in (0, self.taps_x - 1)]
        starts = [x for x in range(0, width - columns + 1, columns) if all(self._on_image(x + i, t) for i, t in ends)]
        return range(starts[0], starts[-1] + columns, columns) if starts else range(0)

    def _on_image(self, x: int, tap: int) -> bool:
        return 0 <= x * self.stride_x - self.left + tap * self.dilation_x < cast(int, self.lhs.dims[3])

    def _tile(self, columns: int, row: Sequence[SSAValue], x: SSAValue | int, taps: tuple[Size, Size, SSAValue]) -> None:
        """The pixels of a row from x on, as many as `columns`; where x is a number, taps beside the image are left out."""
        k, lanes = self.k, self.tiling.lanes
        n, block, y = row
        begin, end, first = taps
        start = self._start(x)

        def filter_row(t: SSAValue, *acc: SSAValue) -> list[SSAValue]:
            sums = list(acc)
            line = k.emit(arith.AddiOp(first, k.index(k.mul(t, self.dilation_y))))
            for tap in range(self.taps_x):
                valid = [i for i in range(columns) if not isinstance(x, int) or self._on_image(x + i, tap)]
                for part in range(self.parts if valid else 0):
                    offset = k.const(part * lanes)
                    weight = k.emit(vector.LoadOp(self.filters.memref, [block, t, k.const(tap), offset], widen(self.accumulator, lanes)))
                    for i in valid:
                        where = [n, block, line, *self._column(start, self._place(i, tap)), offset]
                        pixel = k.emit(vector.LoadOp(self.input.memref, where, widen(self.accumulator, lanes)))
                        at = i * self.parts + part
                        sums[at] = k.emit(vector.FMAOp(pixel, weight, sums[at]))
            return sums

        found = k.loop(begin, end, 1, filter_row, [self._zero()] * (columns * self.parts), no_unroll=UnitAttr())
        for i in range(columns):
            for part in range(self.parts):
                where = [n, block, y, k.index(x), k.const(0), k.const(i), k.const(part * lanes)]
                self._finish(found[i * self.parts + part], self.results, where, None)

    def _place(self, i: int, tap: int) -> int:
        """How far a tap of a tile's pixel lies behind the first of the first one."""
        return i * self.stride_x + tap * self.dilation_x

    def _start(self, x: SSAValue | int) -> Size:
        """Where on the image the first tap of pixel x lies, which may be before its begin."""
        return self.k.sub(self.k.mul(x, self.stride_x), self.left)

    def _column(self, start: Size, place: int) -> list[SSAValue]:
        """(x, x of the tile) of a tap, which together lie on the image."""
        k = self.k
        return [k.const(0), k.const(start + place)] if isinstance(start, int) else [k.index(start), k.const(place)]
