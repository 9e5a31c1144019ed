"""The strategy for products by Strassen's algorithm, one level deep: seven register tiles of sums make four of the result.

A pair of panels of weights is the right operand's quarters: their sums are made once for a stretch of register tiles, and stay in the
second cache. The quarters of the left operand are even and odd rows, and both halves of each: rows that mix in a sum stand side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import arith, memref, vector
from xdsl.dialects.builtin import UnitAttr, f32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from ...dialects.dispatch import BLOCK, ContractOp, PrefetchOp
from ..dispatch.structure import Size
from ..strassen import FEWEST_ROWS, PRODUCTS, RESULT, RIGHT, STEPS, STRETCH
from .body import CONTRACT, widen
from .contraction import FMA, Contraction, product_of
from .kernel import Buffer, KernelBuilder, factors, times
from .split import parallel_rows
from .tiles import best_rows

APART = 5 * BLOCK
"""Elements by which panels of sums are farther apart than they are long: an odd number of cache lines."""

FEW = (4, 8)
"""Rows of smaller register tiles, for what is left of an open number of rows."""


@dataclass(frozen=True)
class _Steps:
    """Blocks of a half of the reduced dimension that go by at a time, and which panels and blocks come next, to be fetched meanwhile."""

    begin: Size
    count: Size
    next_pair: Size
    next_begin: Size


@dataclass(frozen=True)
class _Tile:
    """A register tile: its pairs of rows, the first of them, which tile of the stretch it is, and where its products are kept."""

    rows: int
    row: Size
    number: Size
    place: SSAValue


class Strassen(Contraction):
    """Emits one dispatch.contract of kind "strassen"."""

    def __init__(self, k: KernelBuilder, op: ContractOp, buffers: dict[SSAValue, Buffer], rows: int, lanes32: int) -> None:
        super().__init__(k, op, buffers, rows, lanes32)
        assert op.values is not None
        blocks, panels = self.rhs.dims[1], self.rhs.dims[0]
        assert isinstance(blocks, int) and isinstance(panels, int)
        self.half, self.pairs = blocks // 2, panels // 2
        self.steps = -(-self.half // -(-self.half // STEPS))
        self.whole = self.steps == self.half  # then products are never begun and left
        d = [AffineExpr.dimension(n) for n in range(5)]  # product, block, row, place in the block, place in the tile
        self.sums = k.view(buffers[op.values], AffineMap(5, 0, (d[2] + d[4], d[0], d[1] * self.block + d[3])), range(5), [1] * 5)
        self.lanes = [k.const(j * self.tiling.lanes) for j in range(self.vectors)]

    def emit(self) -> None:
        k = self.k
        if 0 in self.out.dims:
            return
        self.m = k.product(product_of(self.shape[:-1]))
        self.outs = self._matmul_results(0, self.m)
        self.panels = self._rhs_view(0)
        self.pair_rows = k.ceildiv(self.m, 2)
        self.tile_rows = best_rows(self.pair_rows, self.rows) if isinstance(self.pair_rows, int) else self.rows
        tiles = k.ceildiv(self.pair_rows, self.tile_rows)
        self.most_tiles = max(1, STRETCH // self.tile_rows)
        stretches = k.ceildiv(tiles, self.most_tiles)
        each = k.ceildiv(tiles, k.maximum(stretches, 1))
        self.lines = -(-self.width // (PRODUCTS * each)) if isinstance(each, int) else 1
        self.weights = self._apart([PRODUCTS, self.steps, self.block, self.width])
        self.products = k.scratch([1 if self.whole else self.most_tiles, PRODUCTS, self.tile_rows, self.width], f32)

        def body(outer: list[SSAValue], lower: Size, upper: Size) -> None:
            first = k.mul(outer[0], each)
            last = k.minimum(k.add(first, each), tiles)

            def fast() -> None:
                k.loop(lower, upper, 1, lambda p: self._pair(p, first, last))

            def plain() -> None:
                k.loop(k.mul(lower, 2), k.mul(upper, 2), 1, self._plain_panel)

            if isinstance(self.m, int):
                fast()
            else:
                k.if_(k.emit(arith.CmpiOp(self.m, k.const(FEWEST_ROWS), "sge")), fast, plain)

        cost = times((PRODUCTS * self.half * self.block * self.vectors * FMA * self.tile_rows, ()), factors(each))
        parallel_rows(k, [stretches, self.pairs], cost, body, tiles=True)

    def _apart(self, shape: list[int]) -> SSAValue:
        """Scratch for so many panels that are written at a time: a multiple of 4 KiB apart, they would fall on the same cache sets."""
        panels, *own = shape
        apart = math.prod(own) + APART
        whole = Buffer(self.k.scratch([panels * apart], f32), (panels * apart,), f32)
        steps = [apart, *(math.prod(own[n + 1 :]) for n in range(len(own)))]
        return self.k.strided(whole, 0, [(n, ()) for n in steps], shape).memref

    def _pair(self, p: SSAValue, first: Size, last: Size) -> None:
        """A pair of panels by the register tiles from `first` to `last`."""
        k = self.k

        def multiply_all(steps: _Steps, tile: Callable[[_Tile], None]) -> None:
            self._sum_weights(p, steps)
            self._for_tiles(first, last, tile)

        if self.whole:
            once = _Steps(0, self.half, k.add(p, 1), 0)

            def tile(t: _Tile) -> None:
                self._multiply(t, once)
                self._finish_tiles(t, p)

            multiply_all(once, tile)
            return

        def some(n: SSAValue) -> None:
            begin, end = k.mul(n, self.steps), k.mul(k.add(n, 1), self.steps)
            over = k.emit(arith.CmpiOp(k.index(end), k.const(self.half), "sge"))
            after = [k.emit(arith.SelectOp(over, k.index(a), k.index(b))) for a, b in ((k.add(p, 1), p), (0, end))]
            steps = _Steps(begin, k.minimum(k.sub(self.half, begin), self.steps), *after)
            multiply_all(steps, lambda t: self._multiply(t, steps))

        self._for_tiles(first, last, self._clear)
        k.loop(0, -(-self.half // self.steps), 1, some)
        self._for_tiles(first, last, lambda t: self._finish_tiles(t, p))

    def _for_tiles(self, first: Size, last: Size, body: Callable[[_Tile], None]) -> None:
        """Register tiles by their number; the last overlaps its neighbour, and is a smaller one where the number of rows is open."""
        k, m, rows = self.k, self.pair_rows, self.tile_rows

        def tile(n: Size, rows: int, row: Size) -> None:
            number = k.sub(n, first)
            body(_Tile(rows, row, number, k.const(0) if self.whole else k.index(number)))

        if isinstance(m, int):
            k.loop(first, last, 1, lambda n: tile(n, rows, k.mul(n, rows) if m % rows == 0 else k.minimum(k.mul(n, rows), m - rows)))
            return
        full = k.floordiv(m, rows)
        left = k.sub(m, k.mul(full, rows))
        k.loop(first, k.minimum(last, full), 1, lambda n: tile(n, rows, k.mul(n, rows)))

        def rest(sizes: Sequence[int]) -> None:
            def one() -> None:
                tile(full, sizes[0], k.sub(m, sizes[0]))

            if len(sizes) == 1:
                one()
            else:
                k.if_(k.emit(arith.CmpiOp(k.index(left), k.const(sizes[0]), "sle")), one, lambda: rest(sizes[1:]))

        k.if_(k.emit(arith.CmpiOp(k.index(last), k.index(full), "sgt")), lambda: rest([*(n for n in FEW if n < rows), rows]))

    def _sum_weights(self, p: SSAValue, steps: _Steps) -> None:
        """The seven right operands of some blocks of a half, from two panels of that half and the other."""
        k = self.k
        panels = [k.index(n) for n in self._panels_of(p)]

        def step(n: SSAValue, c: SSAValue) -> None:
            here = k.add(n, steps.begin)
            blocks = [k.index(here), k.index(k.add(here, self.half))]
            for lane in self.lanes:
                quarters = [self._load(self.panels.memref, [panel, block, c, lane]) for block in blocks for panel in panels]
                for q, signs in enumerate(RIGHT):
                    self._put(self._signed(signs, quarters), self.weights, [k.const(q), n, c, lane])

        k.loop(0, steps.count, 1, lambda n: k.loop(0, self.block, 1, lambda c: step(n, c)) and None)

    def _panels_of(self, pair: Size) -> list[Size]:
        first = self.k.mul(pair, 2)
        return [first, self.k.add(first, 1)]

    def _clear(self, t: _Tile) -> None:
        k = self.k
        zero = self._zero()

        def row(q: SSAValue, i: SSAValue) -> None:
            for lane in self.lanes:
                self._put(zero, self.products, [t.place, q, i, lane])

        k.loop(0, PRODUCTS, 1, lambda q: k.loop(0, t.rows, 1, lambda i: row(q, i)) and None)

    def _multiply(self, t: _Tile, steps: _Steps) -> None:
        """The seven products of a register tile over some blocks, which are added to those of the blocks before."""
        k = self.k
        row = k.index(t.row)

        def product(q: SSAValue) -> None:
            done = k.mul(k.add(k.mul(t.number, PRODUCTS), q), self.steps)

            def lhs(i: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                return k.emit(memref.LoadOp.get(self.sums.memref, [q, k.index(k.add(taps[0], steps.begin)), row, c, k.const(i)]))

            def rhs(j: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                return self._vector(self.weights, [q, taps[0], c, self.lanes[j]])

            def fetch(taps: Sequence[SSAValue]) -> None:
                self._fetch_weights(steps, k.add(done, taps[0]))

            at = [[t.place, q, k.const(i), lane] for i in range(t.rows) for lane in self.lanes]
            start = [] if self.whole else [self._vector(self.products, where) for where in at]
            acc = self._micro(t.rows, self.vectors, [steps.count], lhs, rhs, 0, start, before=fetch)
            for value, where in zip(acc, at, strict=True):
                self._put(value, self.products, where)

        k.loop(0, PRODUCTS, 1, product, no_unroll=UnitAttr())

    def _fetch_weights(self, steps: _Steps, n: Size) -> None:
        """Has the n-th lines fetched of what is summed next of each panel and half, so that sums do not wait for memory: 256x768x3072
        took 10.06 ms without it, 9.84 with it."""
        k = self.k
        each = self.block * self.width
        for m in range(self.lines):
            line = k.minimum(k.add(k.mul(n, self.lines), m), self.steps * each // BLOCK - 1)
            for panel in self._panels_of(steps.next_pair):
                for half in (0, self.half):
                    block = k.add(k.mul(panel, 2 * self.half), k.add(steps.next_begin, half))
                    k.emit(PrefetchOp(self.rhs.memref, [k.index(k.add(k.mul(block, each), k.mul(line, BLOCK)))]))

    def _finish_tiles(self, t: _Tile, p: SSAValue) -> None:
        """Makes the four register tiles of results, applies the epilogue and stores them; after an odd number of rows, one is none."""
        k = self.k
        panels = [k.index(n) for n in self._panels_of(p)]
        zero = k.const(0)

        def row(i: SSAValue) -> None:
            products = [[self._vector(self.products, [t.place, k.const(q), i, lane]) for q in range(PRODUCTS)] for lane in self.lanes]
            first = k.mul(k.add(t.row, i), 2)

            def store(place: Size, quarters: np.ndarray) -> None:
                for panel, signs in zip(panels, quarters, strict=True):
                    for j, values in enumerate(products):
                        at = [k.index(place), panel, zero, *(k.const(n) for n in divmod(j * self.tiling.lanes, BLOCK))]
                        self._finish(self._signed(signs, values), self.outs, at, None)

            store(first, RESULT[:2])
            second = k.add(first, 1)
            if isinstance(self.m, int) and self.m % 2 == 0:
                store(second, RESULT[2:])
            else:
                within = k.emit(arith.CmpiOp(k.index(second), k.index(self.m), "slt"))
                k.if_(within, lambda: store(second, RESULT[2:]))

        k.loop(0, t.rows, 1, row, no_unroll=UnitAttr())

    def _plain_panel(self, p: SSAValue) -> None:
        """A panel of few rows, by the usual products."""
        k = self.k
        a = self._lhs_view(0)
        lane = [[k.const(n) for n in divmod(j * self.tiling.lanes, BLOCK)] for j in range(self.vectors)]

        def tile(rows: int, row: Size) -> None:
            def lhs(i: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                return self._load_lhs(a.memref, [taps[0], k.index(row), c, k.const(i)])

            def rhs(j: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                return self._load(self.panels.memref, [p, taps[0], c, self.lanes[j]])

            def place(i: Size, j: int) -> list[SSAValue]:
                return [k.index(row), p, k.index(i), *lane[j]]

            self._fetch(self.outs[0], rows, self.vectors, place)
            acc = self._micro(rows, self.vectors, [2 * self.half], lhs, rhs)
            self._finish_tile(acc, self.outs, place, [None] * self.vectors)

        self._row_tiles(self.m, self.rows, 0, k.ceildiv(self.m, self.rows), tile)

    # -- small words

    def _signed(self, signs: np.ndarray, values: Sequence[SSAValue]) -> SSAValue:
        """The sum of the values that have a sign, with it; one of them at least is a plus."""
        (_, total), *rest = sorted(((s, v) for s, v in zip(signs, values, strict=True) if s), key=lambda term: -term[0])
        for sign, value in rest:
            total = self.k.emit((arith.AddfOp if sign > 0 else arith.SubfOp)(total, value, CONTRACT))
        return total

    def _vector(self, source: SSAValue, at: Sequence[SSAValue]) -> SSAValue:
        return self.k.emit(vector.LoadOp(source, list(at), widen(f32, self.tiling.lanes)))

    def _put(self, value: SSAValue, target: SSAValue, at: Sequence[SSAValue]) -> None:
        self.k.emit(vector.StoreOp(value, target, list(at)))
