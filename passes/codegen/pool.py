"""The strategy for pools on blocks of channels: a register tile is a run of pixels of a row, the columns under its windows folded first.

A column is read once for all windows that it lies under; those are folded when all rows are. Padding is left out as in depthwise
convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import SSAValue

from ..dispatch.structure import Size
from .body import CONTRACT, fold_freely, splat, widen
from .depthwise import Depthwise


class Pool(Depthwise):
    """Emits one dispatch.contract of kind "max_pool" or "sum_pool", whose rows and columns are known."""

    @override
    def _tile(self, columns: int, row: Sequence[SSAValue], x: SSAValue | int, taps: tuple[Size, Size, SSAValue]) -> None:
        k, lanes = self.k, self.tiling.lanes
        n, block, y = row
        begin, end, first = taps
        start = self._start(x)
        under = [self._under(x, i) for i in range(columns)]
        places = sorted({place for window in under for place in window})

        def window_row(t: SSAValue, *acc: SSAValue) -> list[SSAValue]:
            line = k.emit(arith.AddiOp(first, k.index(k.mul(t, self.dilation_y))))
            folded: list[SSAValue] = []
            for held, (place, part) in zip(acc, self._pairs(places), strict=True):
                where = [n, block, line, *self._column(start, place), k.const(part * lanes)]
                folded.append(self._combined(held, k.emit(vector.LoadOp(self.input.memref, where, widen(self.accumulator, lanes)))))
            return folded

        neutral = self._neutral()
        found = k.loop(begin, end, 1, window_row, [neutral] * (len(places) * self.parts), no_unroll=UnitAttr())
        by_place = dict(zip(self._pairs(places), found, strict=True))
        for i, window in enumerate(under):
            for part in range(self.parts):
                total, *others = [by_place[place, part] for place in window] or [neutral]
                for value in others:
                    total = self._combined(total, value)
                self._finish(total, self.results, [n, block, y, k.index(x), k.const(0), k.const(i), k.const(part * lanes)], None)

    def _under(self, x: SSAValue | int, i: int) -> list[int]:
        """The places under the window of a tile's pixel that are on the image."""
        return [self._place(i, t) for t in range(self.taps_x) if not isinstance(x, int) or self._on_image(x + i, t)]

    def _pairs(self, places: Sequence[int]) -> list[tuple[int, int]]:
        return [(place, part) for place in places for part in range(self.parts)]

    def _combined(self, a: SSAValue, b: SSAValue) -> SSAValue:
        if self.op.kind.data == "sum_pool":
            return self.k.emit(arith.AddfOp(a, b, CONTRACT))
        largest = arith.MaximumfOp(a, b)
        fold_freely(largest)
        return self.k.emit(largest)

    def _neutral(self) -> SSAValue:
        with self.k.inside(self.k.entry):
            return self.k.emit(splat(self.accumulator, self.tiling.lanes, 0.0 if self.op.kind.data == "sum_pool" else float("-inf")))
