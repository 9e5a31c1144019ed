"""The strategy for convolutions by Winograd's algorithm: block by block of tiles, transform the inputs, multiply, transform the products.

A block's transformed inputs and products stay in scratch that fits the cache; the products of all tiles at one place of the transformed
plane are one matrix product, by the micro-kernel of contractions. Transforms are straight-line vectors over channels. A block at the end
overlaps its neighbour instead of being cut, as register tiles do. Results of tiles that reach over the plane's edge go through a patch on
the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from xdsl.dialects import arith, memref, vector
from xdsl.dialects.builtin import VectorType, f32, i1
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from ...dialects.dispatch import ContractOp
from ..dispatch.structure import Size
from ..winograd import Tile, transforms, unit
from .body import CONTRACT, splat, widen
from .contraction import FMA, Contraction
from .kernel import Buffer, KernelBuilder, View, factors, times
from .split import parallel_rows
from .tiles import best_rows

Read = Callable[[int, int], SSAValue]


@dataclass(frozen=True)
class _Place:
    """A tile of the plane: its image, and its place among the image's tiles."""

    image: SSAValue
    y: SSAValue
    x: SSAValue


class Winograd(Contraction):
    """Emits one dispatch.contract of kind "winograd"."""

    def __init__(self, k: KernelBuilder, op: ContractOp, buffers: dict[SSAValue, Buffer], rows: int, lanes32: int) -> None:
        super().__init__(k, op, buffers, rows, lanes32)
        *tile, self.tiles, self.top, self.left = (int(n) for n in op.window.get_values())
        self.tile = Tile.of(tile[:2], tile[2:4], tile[4:])
        self.lanes = self.tiling.lanes
        self.batch, _, height, width, self.lane = self.out.dims
        assert isinstance(height, int) and isinstance(width, int) and isinstance(self.lane, int)
        self.height, self.width_out = height, width
        self.down, self.across = -(-height // self.tile.down.outputs), -(-width // self.tile.across.outputs)
        self.blocks_in, self.blocks_out = cast(int, self.lhs.dims[1]), cast(int, self.out.dims[1])
        d = [AffineExpr.dimension(n) for n in range(6)]
        self.weights = k.view(self.rhs, AffineMap(6, 0, (*d[:4], d[4] + d[5])), range(6), [*self.rhs.dims, self.width])
        self.inputs, self.products = (self._scratch_view(buffers[v]) for v in op.scratch)
        self._splats: dict[float, SSAValue] = {}

    def emit(self) -> None:
        """Units are blocks of tiles by panels of filters; one and those after it that run with it use the scratch of its number."""
        k = self.k
        if 0 in self.out.dims:
            return
        images, batch = (1, self.batch) if isinstance(self.batch, int) else (self.batch, 1)
        total = self.down * self.across * batch
        blocks, panels = -(-total // self.tiles), cast(int, self.rhs.dims[0])
        of_blocks, of_panels = unit(blocks, panels)
        outs = self._result_views(5, [1, 2, 3, 4])

        def block(image: SSAValue, n: SSAValue, lower: Size, upper: Size) -> None:
            start = k.minimum(k.mul(n, self.tiles), total - self.tiles)
            self._transform_inputs(image, start)
            k.loop(lower, upper, 1, lambda p: self._panel(image, start, p, outs))

        def units(outer: list[SSAValue], lower: Size, upper: Size) -> None:
            (first,) = (k.mul(n, of_blocks) for n in outer)
            last = k.minimum(k.add(first, of_blocks), blocks)
            bounds = k.mul(lower, of_panels), k.minimum(k.mul(upper, of_panels), panels)
            k.loop(0, images, 1, lambda image: k.loop(first, last, 1, lambda n: block(image, n, *bounds)) and None)

        products = self.tile.places * self.tiles * self.blocks_in * self.block * self.vectors
        cost = times((products * of_blocks * of_panels * FMA, ()), factors(images))
        parallel_rows(k, [-(-blocks // of_blocks), -(-panels // of_panels)], cost, units, tiles=True)

    def _scratch_view(self, buffer: Buffer) -> View:
        """(unit, place in the transformed plane, block of channels, tile, channel, step in tile, step in channel)."""
        d = [AffineExpr.dimension(n) for n in range(7)]
        map = AffineMap(7, 0, (d[0], d[1], d[2] * self.tiles + d[3] + d[5], d[4] + d[6]))
        return self.k.view(buffer, map, range(7), [*buffer.dims[:3], self.tiles, self.block, self.tiles, self.block])

    def _for_tiles(self, image: SSAValue, start: Size, body: Callable[[SSAValue, _Place], None]) -> None:
        """`body(n, tile)` for every tile n of the block, whose first is tile `start` of the image (of all images where their number is
        known)."""
        k = self.k

        def one(n: SSAValue) -> None:
            at = k.index(k.add(start, n))
            row = k.emit(arith.DivUIOp(at, k.const(self.across)))
            x = k.emit(arith.RemUIOp(at, k.const(self.across)))
            y = row
            of = image
            if isinstance(self.batch, int) and self.batch > 1:
                of = k.emit(arith.DivUIOp(row, k.const(self.down)))
                y = k.emit(arith.RemUIOp(row, k.const(self.down)))
            body(n, _Place(of, y, x))

        k.loop(0, self.tiles, 1, one)

    def _for_lanes(self, body: Callable[[SSAValue], None]) -> None:
        """`body(lane)` for the first lane of every vector of a block of channels."""
        if self.lanes == self.block:
            body(self.k.const(0))
        else:
            self.k.loop(0, self.block, self.lanes, lambda lane: body(lane))

    def _below(self, place: SSAValue, limit: int) -> SSAValue:
        """Whether 0 <= place < limit: a negative index is a large one without its sign."""
        return self.k.emit(arith.CmpiOp(place, self.k.const(max(limit, 0)), "ult"))

    def _both(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.k.emit(arith.AndIOp(a, b))

    # -- inputs

    def _transform_inputs(self, image: SSAValue, start: Size) -> None:
        """B^T d B of every tile and block of channels; what a tile reads beyond the plane is zero."""
        k, down, across = self.k, self.tile.down, self.tile.across
        rows, columns = cast(int, self.lhs.dims[2]), cast(int, self.lhs.dims[3])
        d = [AffineExpr.dimension(n) for n in range(7)]
        map = AffineMap(7, 0, (d[0], d[1], d[2] + d[5], d[3] + d[6], d[4]))
        source = k.view(self.lhs, map, range(7), [*self.lhs.dims, down.size, across.size]).memref
        zero = k.const(0)

        def tile(block: SSAValue, n: SSAValue, at: _Place) -> None:
            y = k.index(k.sub(k.mul(at.y, down.step), self.top))
            x = k.index(k.sub(k.mul(at.x, across.step), self.left))
            inside = self._both(self._below(y, rows - down.size + 1), self._below(x, columns - across.size + 1))

            def transform(read: Callable[[SSAValue, int, int], SSAValue]) -> None:
                self._for_lanes(lambda lane: self._transform_input(lambda i, j: read(lane, i, j), [block, n, lane]))

            def direct() -> None:
                transform(lambda lane, i, j: self._vector(source, [at.image, block, y, x, lane, k.const(i), k.const(j)]))

            def edge() -> None:
                of_rows, of_columns = self._places(y, down.size, rows), self._places(x, across.size, columns)

                def read(lane: SSAValue, i: int, j: int) -> SSAValue:
                    (row, row_held), (column, column_held) = of_rows[i], of_columns[j]
                    value = self._vector(source, [at.image, block, row, column, lane, zero, zero])
                    return k.emit(arith.SelectOp(self._both(row_held, column_held), value, self._splat(0.0)))

                transform(read)

            k.if_(inside, lambda: direct(), lambda: edge())

        k.loop(0, self.blocks_in, 1, lambda block: self._for_tiles(image, start, lambda n, at: tile(block, n, at)))

    def _places(self, first: SSAValue, size: int, extent: int) -> list[tuple[SSAValue, SSAValue]]:
        """Of each of `size` rows (or columns) of a tile from `first`: one that is on the plane, and in every lane whether it is that one.

        Reading some row and putting zeros in its place takes no branches, so that tiles' reads overlap."""
        k = self.k
        places: list[tuple[SSAValue, SSAValue]] = []
        for i in range(size):
            place = k.emit(arith.AddiOp(first, k.const(i)))
            held = self._below(place, extent)
            lanes = k.emit(arith.SelectOp(held, k.const(self.lanes), k.const(0)))
            mask = k.emit(vector.CreateMaskOp([lanes], VectorType(i1, [self.lanes])))
            places.append((k.emit(arith.SelectOp(held, place, k.const(0))), mask))
        return places

    def _transform_input(self, read: Read, at: Sequence[SSAValue]) -> None:
        k, down, across = self.k, self.tile.down, self.tile.across
        block, n, lane = at
        columns = [self._points(transforms(down).input, [read(i, j) for i in range(down.size)]) for j in range(across.size)]
        for i in range(down.size):
            for j, value in enumerate(self._points(transforms(across).input, [column[i] for column in columns])):
                where = [k.begin, k.const(i * across.size + j), block, n, lane, k.const(0), k.const(0)]
                self._put(value, self.inputs.memref, where)

    # -- products

    def _panel(self, image: SSAValue, start: Size, p: SSAValue, outs: tuple[View, list[View]]) -> None:
        """The products of a panel of filters, then its results: so few products stay in the innermost caches."""
        k = self.k
        whole = self.blocks_out * self.block // self.width

        def part(p: Size, vectors: int) -> None:
            first = k.mul(p, self.width // self.block)
            k.loop(0, self.tile.places, 1, lambda place: self._multiply(place, p, vectors))
            blocks = vectors * self.lanes // self.block
            k.loop(0, blocks, 1, lambda b: self._transform_products(image, start, b, k.index(k.add(first, b)), outs))

        left = (self.blocks_out * self.block - whole * self.width) // self.lanes
        if not left:
            part(p, self.vectors)
        elif not whole:
            part(0, left)
        else:
            k.if_(k.emit(arith.CmpiOp(p, k.const(whole), "slt")), lambda: part(p, self.vectors), lambda: part(whole, left))

    def _multiply(self, place: SSAValue, p: Size, vectors: int) -> None:
        """At one place of the transformed plane, tiles x channels times channels x filters of a panel. There is little work for each vector
        of weights: 256 channels to 256 on 14x14 took 772 microseconds without fetching them ahead, 690 with it."""
        k = self.k
        per_block = self.block // self.lanes

        def tile(rows: int, row: Size) -> None:
            def lhs(i: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                return k.emit(memref.LoadOp.get(self.inputs.memref, [k.begin, place, taps[0], k.index(row), c, k.const(i), k.const(0)]))

            def rhs(j: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                return self._load_ahead(self.weights.memref, [k.index(p), place, taps[0], c, k.const(0), k.const(j * self.lanes)])

            acc = self._micro(rows, vectors, [self.blocks_in], lhs, rhs)
            for i in range(rows):
                for j in range(vectors):
                    block, offset = divmod(j, per_block)
                    where = [k.begin, place, k.const(block), k.index(row), k.const(0), k.const(i), k.const(offset * self.lanes)]
                    self._put(acc[i * vectors + j], self.products.memref, where)

        rows = best_rows(self.tiles, self.rows)
        k.loop(0, -(-self.tiles // rows), 1, lambda t: tile(rows, k.minimum(k.mul(t, rows), self.tiles - rows)))

    # -- results

    def _transform_products(self, image: SSAValue, start: Size, products: SSAValue, block: SSAValue, outs: tuple[View, list[View]]) -> None:
        """A^T M A of every tile, then the epilogue; a tile over the plane's edge stores what lies on the plane.

        products: which block of filters of the panel; block: which of all.
        """
        k, high, wide = self.k, self.tile.down.outputs, self.tile.across.outputs
        patch = k.scratch([high, wide, self.block], f32)
        zero = k.const(0)

        def tile(n: SSAValue, at: _Place) -> None:
            y, x = k.index(k.mul(at.y, high)), k.index(k.mul(at.x, wide))

            def place(lane: SSAValue, i: SSAValue, j: SSAValue) -> list[SSAValue]:
                return [at.image, block, y, x, lane, zero, i, j, zero]

            def whole() -> None:
                def write(lane: SSAValue, i: int, j: int, value: SSAValue) -> None:
                    self._finish(value, outs, place(lane, k.const(i), k.const(j)), None)

                self._for_lanes(lambda lane: self._transform_product([products, n, lane], lambda i, j, v: write(lane, i, j, v)))

            def edge() -> None:
                def keep(lane: SSAValue, i: int, j: int, value: SSAValue) -> None:
                    self._put(value, patch, [k.const(i), k.const(j), lane])

                def copy(i: SSAValue, j: SSAValue) -> None:
                    self._for_lanes(lambda lane: self._finish(self._vector(patch, [i, j, lane]), outs, place(lane, i, j), None))

                self._for_lanes(lambda lane: self._transform_product([products, n, lane], lambda i, j, v: keep(lane, i, j, v)))
                rows, columns = k.minimum(high, k.sub(self.height, y)), k.minimum(wide, k.sub(self.width_out, x))
                k.loop(0, rows, 1, lambda i: k.loop(0, columns, 1, lambda j: copy(i, j)) and None)

            if self.height % high == self.width_out % wide == 0:
                whole()
            else:
                k.if_(self._both(self._below(y, self.height - high + 1), self._below(x, self.width_out - wide + 1)), whole, edge)

        self._for_tiles(image, start, tile)

    def _transform_product(self, at: Sequence[SSAValue], write: Callable[[int, int, SSAValue], None]) -> None:
        k, down, across = self.k, self.tile.down, self.tile.across
        block, n, lane = at

        def read(i: int, j: int) -> SSAValue:
            return self._vector(self.products.memref, [k.begin, k.const(i * across.size + j), block, n, lane, k.const(0), k.const(0)])

        columns = [self._sums(transforms(down).output, [read(i, j) for i in range(down.size)]) for j in range(across.size)]
        for i in range(down.outputs):
            for j, value in enumerate(self._sums(transforms(across).output, [column[i] for column in columns])):
                write(i, j, value)

    # -- small matrices times vectors, without products by 0 and 1

    def _points(self, matrix: np.ndarray, values: list[SSAValue]) -> list[SSAValue]:
        """B^T times values. Rows of points of opposite sign are even + odd and even - odd parts."""
        result: list[SSAValue] = []
        for rows in _pairs(matrix):
            if len(rows) == 1:
                result.append(self._combination(rows[0], values))
                continue
            even, odd = (rows[0] + rows[1]) / 2, (rows[0] - rows[1]) / 2
            scale = float(odd[np.flatnonzero(odd)[-1]])
            base, step = self._combination(even, values), self._combination(odd / scale, values)
            result += [self._plus(base, scale, step), self._plus(base, -scale, step)]
        return result

    def _sums(self, matrix: np.ndarray, values: list[SSAValue]) -> list[SSAValue]:
        """A^T times values. Columns of points of opposite sign are alike but for signs: their values come as sums and differences."""
        terms: list[SSAValue] = []
        columns: list[np.ndarray] = []
        for pair in _pairs(matrix.T):
            value = values[n := len(terms)]
            if len(pair) == 1:
                terms.append(value)
                columns += pair
                continue
            terms += [self._plus(value, 1, values[n + 1]), self._plus(value, -1, values[n + 1])]
            columns += [(pair[0] + pair[1]) / 2, (pair[0] - pair[1]) / 2]
        return [self._combination(row, terms) for row in np.stack(columns, axis=1)]

    def _combination(self, coefficients: np.ndarray, values: list[SSAValue]) -> SSAValue:
        """The sum of coefficient times value, those with coefficient 1 first."""
        terms = sorted(((c, v) for c, v in zip(coefficients, values, strict=True) if c != 0), key=lambda term: term[0] != 1)
        (first, total), *rest = terms
        if first != 1:
            total = self._times(first, total)
        for c, value in rest:
            total = self._plus(total, c, value)
        return total

    def _plus(self, a: SSAValue, c: float, b: SSAValue) -> SSAValue:
        """a + c * b; one rounding where the target has a fused operation."""
        if abs(c) == 1:
            return self.k.emit((arith.AddfOp if c > 0 else arith.SubfOp)(a, b, CONTRACT))
        return self.k.emit(arith.AddfOp(a, self._times(c, b), CONTRACT))

    def _times(self, c: float, value: SSAValue) -> SSAValue:
        return self.k.emit(arith.MulfOp(self._splat(float(c)), value, CONTRACT))

    # -- memory

    def _vector(self, source: SSAValue, at: Sequence[SSAValue]) -> SSAValue:
        return self.k.emit(vector.LoadOp(source, list(at), widen(f32, self.lanes)))

    def _put(self, value: SSAValue, target: SSAValue, at: Sequence[SSAValue]) -> None:
        self.k.emit(vector.StoreOp(value, target, list(at)))

    def _splat(self, number: float) -> SSAValue:
        """A constant in every lane, at the top of the kernel."""
        if number not in self._splats:
            with self.k.inside(self.k.entry):
                self._splats[number] = self.k.emit(splat(f32, self.lanes, number))
        return self._splats[number]


def _pairs(rows: np.ndarray) -> list[list[np.ndarray]]:
    """Rows one by one, or by two where some of their elements are alike and the others opposite."""
    result: list[list[np.ndarray]] = []
    for row in rows:
        last = result[-1] if result else []
        if len(last) == 1 and (abs(last[0]) == abs(row)).all() and (last[0] + row).any() and (last[0] - row).any():
            last.append(row)
        else:
            result.append([row])
    return result
