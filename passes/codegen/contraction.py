"""The strategy for contractions: one batch-reduce GEMM micro-kernel, C[rows, panel] += sum over taps and channel blocks of A * B,
for matmul and convolution alike, with the epilogue applied to the accumulators before they are stored once.

Tiles at the edge overlap their neighbour instead of being cut: an output computed twice gets the same value twice, since nothing
that is read aliases the result. So two threads may store one, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from xdsl.dialects import arith, memref, vector
from xdsl.dialects.builtin import FixedBitwidthType, FloatAttr, IntegerType, UnitAttr, VectorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from ...dialects.dispatch import BLOCK, GROUP, ContractOp, DotOp, PrefetchOp
from ..dispatch.structure import Size, logical_dims, substitute_dims
from .body import broadcast, clone_body, splat, widen
from .expand_math import EXPANSIONS
from .kernel import Buffer, Factors, KernelBuilder, View, factors, times, unroll
from .schedules import AHEAD, is_of_bytes, most_rows, panel_width, plane_of, registers_for, schedule_of
from .split import parallel_rows

MANY = 20
"""Operations of an epilogue with functions that goes by the rows: GELU, of 35, takes a third less so, the sigmoid's product more."""

LINE = 64
"""Bytes of a cache line."""

FMA, FETCH = 300, 700
"""Picoseconds of a vector's multiply-add, and of fetching a vector of the right operand, which few rows do not hide."""


@dataclass(frozen=True)
class Tiling:
    """Register tile limits: rows of the result held at once, and lanes of a vector of the accumulator type."""

    rows: int
    lanes: int


_Place = Callable[[Size, int], "list[SSAValue]"]
"""Where the vector of a row and a number in it lies, as indices into views of results."""

_Tile = Callable[[tuple[int, int], Size, Size], None]
"""Emits a register tile of (rows, columns) at a place (y, x)."""


@dataclass(frozen=True)
class _Plane:
    """How register tiles of `pixels` cover a plane: `outer` rounds of `inner` tiles; `tiles` emits the rounds from one to another."""

    pixels: int
    outer: Size
    inner: Factors
    tiles: Callable[[Size, Size, _Tile], None]


class Contraction:
    """Emits one dispatch.contract."""

    def __init__(self, k: KernelBuilder, op: ContractOp, buffers: dict[SSAValue, Buffer], rows: int, lanes32: int) -> None:
        self.k, self.op, self.buffers = k, op, buffers
        self.lhs, self.rhs, self.out = buffers[op.lhs], buffers[op.rhs], buffers[op.result]
        self.shape = logical_dims(op)
        self.accumulator = op.epilogue.block.args[0].type
        registers = registers_for(op, rows, lanes32)
        self.tiling = Tiling(rows, registers.lanes)
        lhs_packed, rhs_packed, block, _ = (int(n) for n in op.layout.get_values())
        self.lhs_packed, self.rhs_packed = bool(lhs_packed), bool(rhs_packed)
        self.group = GROUP if is_of_bytes(op) else 1
        if self.group > 1:  # seen as [.., c, w]: a group of c begins where its first element would
            *lead, groups, columns, _ = self.rhs.dims
            self.rhs = Buffer(self.rhs.memref, (*lead, cast(int, groups) * self.group, columns), self.rhs.element)
        self.block = block or cast(int, self.rhs.dims[-2])
        self.width = panel_width(op)
        self.vectors = self.width // self.tiling.lanes
        self.schedule = schedule_of(op, registers)
        self.rows = most_rows(op, registers)

    def emit(self) -> None:
        if 0 in self.out.dims:
            return
        if self.op.kind.data == "matmul":
            self._emit_matmul()
        else:
            self._emit_conv()

    # -- matmul: result dims (batch.., rows.., n), the rows taken as one dimension m

    def _emit_matmul(self) -> None:
        k = self.k
        count = self.op.batch.value.data
        batch, rows, n = self.shape[:count], self.shape[count:-1], self.shape[-1]
        m = k.product(product_of(rows))
        reduce_blocks, rest = self._reduction()
        a = self._lhs_view(count)
        b = self._rhs_view(count)
        outs = self._matmul_results(count, m)
        panels = k.ceildiv(n, self.width)
        full = k.floordiv(n, self.width)
        rows_of_tile, stretch = self.schedule.across, self.schedule.part
        tiles = k.ceildiv(m, rows_of_tile)
        load = self._load_ahead if self.rhs_packed and self.schedule.ahead else self._load

        def panel(at: list[SSAValue], p: Size, lower: Size, upper: Size, vectors: int, masked: bool) -> None:
            column = k.mul(p, self.width)

            lane = [[k.const(c) for c in divmod(j * self.tiling.lanes, BLOCK)] for j in range(vectors)]
            masks = [self._mask(k.sub(n, k.add(column, j * self.tiling.lanes))) if masked else None for j in range(vectors)]
            loaded = masks if not self.rhs_packed else [None] * vectors

            def tile(rows: int, row: Size) -> None:
                def lhs(i: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                    return self._load_lhs(a.memref, [*at, taps[0], k.index(row), c, k.const(i)])

                def rhs(j: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                    return load(b.memref, [*at, k.index(p), taps[0], c, k.const(j * self.tiling.lanes * self.group)], loaded[j])

                def place(i: Size, j: int) -> list[SSAValue]:
                    return [*at, k.index(row), k.index(p), k.index(i), *lane[j]]

                self._fetch(outs[0], rows, vectors, place)
                acc = self._micro(rows, vectors, [reduce_blocks], lhs, rhs, rest)
                self._finish_tile(acc, outs, place, masks)

            self._row_tiles(m, rows_of_tile, lower, upper, tile, even=self.schedule.even)

        def body(outer: list[SSAValue], lower: Size, upper: Size) -> None:
            *at, p = outer
            if stretch:
                *at, s, p = outer
                first = k.mul(s, stretch)
                lower, upper = k.add(first, lower), k.minimum(k.add(first, upper), tiles)
            left = n % self.width if isinstance(n, int) else None

            def whole() -> None:
                panel(at, p, lower, upper, self.vectors, False)

            def last() -> None:
                if left is not None:
                    panel(at, full, lower, upper, -(-left // self.tiling.lanes), bool(left % self.tiling.lanes))
                else:
                    panel(at, p, lower, upper, self.vectors, True)

            if left == 0:
                whole()
            elif full == 0:
                last()
            else:
                k.if_(k.emit(arith.CmpiOp(p, k.index(full), "slt")), whole, last)

        rounds = [k.ceildiv(tiles, stretch), panels, stretch] if stretch else [panels, tiles]
        parallel_rows(k, [*batch, *rounds], self._tile_cost(rows_of_tile, [reduce_blocks]), body, tiles=True)

    def _tile_cost(self, rows: int, taps: Sequence[Size]) -> Factors:
        """Picoseconds of a register tile: the reduction's blocks over all taps."""
        return times((self.block // self.group * self.vectors * (FMA * rows + FETCH), ()), product_of(taps))

    def _matmul_results(self, batch: int, m: Size) -> tuple[View, list[View]]:
        """Views over (batch.., m, panel, place in m, block in the panel, place in the block): row dimensions are one, since each view is
        contiguous or constant in them. The last of them that is more than one element says how far rows are apart."""
        k, op = self.k, self.op
        rank = len(self.shape)
        rows = [d for d in range(batch, rank - 1) if self.shape[d] != 1]
        extents = [*self.shape[:batch], m, k.ceildiv(self.shape[-1], self.width), m, -(-self.width // BLOCK), BLOCK]

        def view(buffer: Buffer, map: AffineMap) -> View:
            per_dim = k.view(buffer, map, range(rank), self.shape)
            row = per_dim.strides[rows[-1]] if rows else (0, ())
            column = per_dim.strides[-1]
            columns = [times((n, ()), column) for n in (self.width, BLOCK, 1)]
            return k.strided(buffer, 0, [*per_dim.strides[:batch], row, columns[0], row, *columns[1:]], extents)

        extras = [view(self.buffers[v], map.data) for v, map in zip(op.extras, op.extra_maps.data, strict=True)]
        if op.place is None:
            return view(self.out, AffineMap.identity(rank)), extras
        own = [AffineExpr.dimension(batch + x) for x in range(5)]
        dims = [*(AffineExpr.dimension(d) for d in range(batch)), own[0] + own[2], own[1] * (self.width // BLOCK) + own[3], own[4]]
        placed = AffineMap(batch + 5, 0, tuple(substitute_dims(e, dims) for e in op.place.data.results))
        return k.view(self.out, placed, range(batch + 5), extents), extras

    def _reduction(self) -> tuple[Size, Size]:
        """(whole blocks, elements left over) of the reduced dimension; packed operands have whole blocks only."""
        k = self.k
        if self.lhs_packed and self.rhs_packed:
            return self.lhs.dims[-3], 0
        size = self.rhs.dims[-2] if not self.rhs_packed else self.lhs.dims[-1]
        whole = k.floordiv(size, self.block)
        return whole, k.sub(size, k.mul(whole, self.block))

    def _lhs_view(self, batch: int) -> View:
        """(batch.., block of k, m, place in the block, place in the tile)."""
        own = [AffineExpr.dimension(batch + x) for x in range(4)]
        row = own[1] + own[3]
        exprs = [own[0], row, own[2]] if self.lhs_packed else [row, own[0] * self.block + own[2]]
        return self._operand_view(self.lhs, batch, exprs, 4)

    def _rhs_view(self, batch: int) -> View:
        """(batch.., panel, block of k, place in the block, place in the panel)."""
        own = [AffineExpr.dimension(batch + x) for x in range(4)]
        raw = [own[1] * self.block + own[2], own[0] * self.width + own[3]]
        return self._operand_view(self.rhs, batch, own if self.rhs_packed else raw, 4)

    def _operand_view(self, buffer: Buffer, batch: int, exprs: list[AffineExpr], own: int) -> View:
        """An operand over (batch.., own loops); batch axes that it lacks or that are 1 repeat. Loop extents are only nominal."""
        lead = len(buffer.dims) - len(exprs)
        first = [AffineExpr.dimension(batch - lead + x) if buffer.dims[x] != 1 else AffineExpr.constant(0) for x in range(lead)]
        map = AffineMap(batch + own, 0, (*first, *exprs))
        return self.k.view(buffer, map, range(batch + own), [*self.shape[:batch], *([1] * own)])

    def _row_tiles(self, m: Size, most: int, lower: Size, upper: Size, tile: Callable[[int, Size], None], *, even: int = 0) -> None:
        """The register tiles of `most` rows from `lower` to `upper` of those that cover m rows; even: see `Schedule`."""
        k = self.k
        if isinstance(m, int):
            if m <= most:
                tile(m, 0)
            elif m % most == 0:
                k.loop(lower, upper, 1, lambda t: tile(most, k.mul(t, most)))
            else:
                self._uneven_tiles(m, most, lower, upper, tile, even)
            return
        enough = k.emit(arith.CmpiOp(m, k.const(most), "sge"))

        def small() -> None:
            fours = k.mul(k.floordiv(m, 4), 4)
            k.loop(0, fours, 4, lambda i: tile(4, i))
            k.loop(fours, m, 1, lambda i: tile(1, i))

        k.if_(enough, lambda: self._uneven_tiles(m, most, lower, upper, tile, even), small)

    def _uneven_tiles(self, m: Size, most: int, lower: Size, upper: Size, tile: Callable[[int, Size], None], even: int) -> None:
        """Tiles of `most` rows, of which the last may overlap its neighbour; where they are to be even and m has enough for that, as many
        as are needed of one row less come behind them."""
        k = self.k

        def longer(t: SSAValue) -> None:
            tile(most, k.minimum(k.mul(t, most), k.sub(m, most)))

        if not even:
            k.loop(lower, upper, 1, longer)
            return
        count = k.ceildiv(m, most)
        left = k.sub(m, k.mul(count, most - 1))
        if isinstance(left, int):
            long = left if left >= 0 else count
        else:
            long = k.emit(arith.SelectOp(k.emit(arith.CmpiOp(left, k.const(0), "sge")), left, k.index(count)))
        k.loop(lower, k.minimum(upper, long), 1, longer)
        k.loop(k.maximum(lower, long), upper, 1, lambda t: tile(most - 1, k.add(k.mul(t, most - 1), long)))

    # -- convolution: result dims (n, block, oh, ow, lane)

    def _emit_conv(self) -> None:
        k = self.k
        batch, blocks, height, width, lane = self.out.dims
        assert isinstance(lane, int) and isinstance(blocks, int)
        sh, sw, dh, dw, channels = (int(w) for w in self.op.window.get_values())
        panels, channel_blocks, taps_h, taps_w = (cast(int, d) for d in self.rhs.dims[:4])
        d = [AffineExpr.dimension(x) for x in range(9)]
        # (n, cb, kh, kw, c, oh, ow, place in the tile y, x) -> lhs[n, cb, (oh+y)*sh + kh*dh, (ow+x)*sw + kw*dw, c]
        a_map = AffineMap(9, 0, (d[0], d[1], (d[5] + d[7]) * sh + d[2] * dh, (d[6] + d[8]) * sw + d[3] * dw, d[4]))
        most = self.schedule.rows
        a = k.view(self.lhs, a_map, range(9), [batch, channel_blocks, taps_h, taps_w, self.lhs.dims[4], height, width, most, most])
        b = k.view(self.rhs, AffineMap.identity(6), range(6), self.rhs.dims)
        outs = self._result_views(5, [1, 2, 3, 4])
        if self.schedule.down == 1:
            height, row = plane_of(self.op)
            width = k.product(row)
        per_block = lane // self.tiling.lanes
        plane = self._plane(height, width)
        load = self._load_ahead if self.schedule.ahead else self._load

        def panel(n: SSAValue, p: Size, lower: Size, upper: Size, vectors: int) -> None:
            def tile(shape: tuple[int, int], y: Size, x: Size) -> None:
                rows = shape[0] * shape[1]

                def lhs(i: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                    place = [k.const(i // shape[1]), k.const(i % shape[1])]
                    return self._load_lhs(a.memref, [n, *taps, c, k.index(y), k.index(x), *place])

                def rhs(j: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                    return load(b.memref, [k.index(p), *taps, c, k.const(j * self.tiling.lanes * self.group)])

                first = k.mul(p, self.width // lane) if self.width >= lane else p

                def place(i: Size, j: int) -> list[SSAValue]:
                    (block, offset), down = divmod(j, per_block), k.floordiv(i, shape[1])
                    inside = [block, down, k.sub(i, k.mul(down, shape[1])), offset * self.tiling.lanes]
                    return [n, k.index(first), k.index(y), k.index(x), k.const(0), *(k.index(c) for c in inside)]

                self._fetch(outs[0], rows, vectors, place)
                acc = self._micro(rows, vectors, [channels // self.block, taps_h, taps_w], lhs, rhs, channels % self.block)
                self._finish_tile(acc, outs, place, [None] * vectors)

            plane.tiles(lower, upper, tile)

        whole = blocks * lane // self.width
        left = (blocks * lane - whole * self.width) // self.tiling.lanes

        stretch = self.schedule.part
        rounds = [k.ceildiv(plane.outer, stretch), panels, stretch] if stretch else [panels, plane.outer]

        def body(outer: list[SSAValue], lower: Size, upper: Size) -> None:
            n, *part, p = outer
            if part:
                first = k.mul(part[0], stretch)
                lower, upper = k.add(first, lower), k.minimum(k.add(first, upper), plane.outer)
            if panels == whole:
                panel(n, p, lower, upper, self.vectors)
            elif not whole:
                panel(n, 0, lower, upper, left)
            else:
                inner = k.emit(arith.CmpiOp(p, k.const(whole), "slt"))
                k.if_(inner, lambda: panel(n, p, lower, upper, self.vectors), lambda: panel(n, whole, lower, upper, left))

        cost = times(self._tile_cost(plane.pixels, [channel_blocks, taps_h, taps_w]), plane.inner)
        parallel_rows(k, [batch, *rounds], cost, body, tiles=True)

    def _plane(self, height: Size, width: Size) -> _Plane:
        """How register tiles cover a plane."""
        if isinstance(height, int) and isinstance(width, int):
            return self._static_plane(height, width)
        rows = self.schedule.across
        count = self.k.ceildiv(width, rows)
        if height == 1:
            return _Plane(rows, count, (1, ()), lambda lower, upper, tile: self._line(0, width, lower, upper, tile))

        def lines(lower: Size, upper: Size, tile: _Tile) -> None:
            self.k.loop(lower, upper, 1, lambda y: self._line(y, width, 0, count, tile))

        return _Plane(rows, height, factors(count), lines)

    def _line(self, y: Size, width: Size, lower: Size, upper: Size, tile: _Tile) -> None:
        self._row_tiles(width, self.schedule.across, lower, upper, lambda rows, x: tile((1, rows), y, x), even=self.schedule.even)

    def _static_plane(self, height: int, width: int) -> _Plane:
        k = self.k
        if not height or not width:
            return _Plane(0, 0, (0, ()), lambda lower, upper, tile: None)
        th, tw = self.schedule.down, self.schedule.across
        down, across = -(-height // th), -(-width // tw)

        def starts(extent: int, step: int, lower: Size, upper: Size, body: Callable[[Size], None]) -> None:
            if extent <= step:
                body(0)
            elif extent % step == 0:
                k.loop(lower, upper, 1, lambda t: body(k.mul(t, step)))
            else:
                k.loop(lower, upper, 1, lambda t: body(k.minimum(k.mul(t, step), extent - step)))

        def tiles(lower: Size, upper: Size, tile: _Tile) -> None:
            if height == 1:
                self._line(0, width, lower, upper, tile)
            elif down == 1:
                starts(width, tw, lower, upper, lambda x: tile((th, tw), 0, x))
            else:
                starts(height, th, lower, upper, lambda y: starts(width, tw, 0, across, lambda x: tile((th, tw), y, x)))

        return _Plane(th * tw, across if down == 1 else down, (1 if down == 1 else across, ()), tiles)

    # -- the micro-kernel

    def _micro(
        self,
        rows: int,
        vectors: int,
        taps: Sequence[Size],
        lhs: Callable[[int, Sequence[SSAValue], SSAValue], SSAValue],
        rhs: Callable[[int, Sequence[SSAValue], SSAValue], SSAValue],
        rest: Size = 0,
        start: Sequence[SSAValue] = (),
        block: int = 0,
        before: Callable[[Sequence[SSAValue]], None] = lambda taps: None,
    ) -> list[SSAValue]:
        """rows x vectors accumulators over all taps and the reduction block; then over `rest` elements of the block after the last.

        start: what they begin with if not zeros; block: the block's elements if not the contraction's own; before: emits what goes before
        each block. The first taps are the blocks.
        """
        k = self.k

        def step(at: Sequence[SSAValue], c: SSAValue, acc: Sequence[SSAValue]) -> list[SSAValue]:
            b = [rhs(j, at, c) for j in range(vectors)]
            result: list[SSAValue] = []
            for i in range(rows):
                a = self._in_lanes(lhs(i, at, c))
                result += [self._multiply_add(a, b[j], acc[i * vectors + j]) for j in range(vectors)]
            return result

        def nest(at: list[SSAValue], acc: Sequence[SSAValue], steps: Size, hint: dict[str, Attribute]) -> list[SSAValue]:
            depth = len(at)
            if depth < len(taps):
                if taps[depth] == 1:
                    return nest([*at, k.const(0)], acc, steps, hint)
                return k.loop(0, taps[depth], 1, lambda t, *c: nest([*at, t], c, steps, hint), acc, no_unroll=UnitAttr())
            before(at)
            return k.loop(0, steps, self.group, lambda c, *inner: step(at, c, inner), acc, **hint)

        begin = list(start) or [self._zero()] * (rows * vectors)
        whole = begin if taps[0] == 0 else nest([], begin, block or self.block, unroll(self.schedule.unroll))
        if rest == 0:
            return whole
        few: dict[str, Attribute] = unroll(self.schedule.unroll) if isinstance(rest, int) else {"no_unroll": UnitAttr()}
        return nest([k.index(taps[0])], whole, rest, few)

    def _load_lhs(self, source: SSAValue, at: Sequence[SSAValue]) -> SSAValue:
        """What a row of a step has of the left operand: an element, or a group of bytes."""
        if self.group == 1:
            return self.k.emit(memref.LoadOp.get(source, at))
        return self.k.emit(vector.LoadOp(source, list(at), widen(self.lhs.element, self.group)))

    def _in_lanes(self, a: SSAValue) -> SSAValue:
        """An element in every lane of a vector; a dot product spreads a group of bytes itself."""
        return a if self.group > 1 else broadcast(self.k, self._widened(a), self.tiling.lanes)

    def _multiply_add(self, a: SSAValue, b: SSAValue, acc: SSAValue) -> SSAValue:
        if self.group > 1:
            return self.k.emit(DotOp(acc, a, b, signed=self.op.signed is not None))
        return self.k.emit(vector.FMAOp(a, b, acc))

    def _widened(self, value: SSAValue) -> SSAValue:
        """An element (or vector of elements) of an operand in the accumulator's type."""
        type = value.type
        element = type.element_type if isinstance(type, VectorType) else type
        if element == self.accumulator:
            return value
        wide = VectorType(self.accumulator, type.get_shape()) if isinstance(type, VectorType) else self.accumulator
        return self.k.emit(arith.ExtFOp(value, wide))  # type: ignore[arg-type]

    def _zero(self) -> SSAValue:
        with self.k.inside(self.k.entry):
            return self.k.emit(splat(self.accumulator, self.tiling.lanes, 0 if isinstance(self.accumulator, IntegerType) else 0.0))

    def _load(self, source: SSAValue, at: Sequence[SSAValue], mask: SSAValue | None = None) -> SSAValue:
        type = widen(self.rhs.element, self.tiling.lanes * self.group)
        if mask is None:
            loaded = self.k.emit(vector.LoadOp(source, list(at), type))
            return loaded if self.group > 1 else self._widened(loaded)
        nothing = broadcast(self.k, self._scalar_zero(self.rhs.element), self.tiling.lanes)
        return self._widened(self.k.emit(vector.MaskedLoadOp(source, list(at), mask, nothing)))

    def _load_ahead(self, source: SSAValue, at: Sequence[SSAValue], mask: SSAValue | None = None) -> SSAValue:
        """The same of packed operands, which lie in the order of the steps; what comes later is fetched meanwhile."""
        self.k.emit(PrefetchOp(source, at, self.schedule.ahead or AHEAD))
        return self._load(source, at, mask)

    def _mask(self, left: Size) -> SSAValue:
        """A mask of the first `left` lanes."""
        return self.k.emit(vector.CreateMaskOp([self.k.index(left)], VectorType(_i1(), [self.tiling.lanes])))

    # -- the epilogue

    def _result_views(self, rank: int, tiled: Sequence[int]) -> tuple[View, list[View]]:
        """Views of the result and the extras over the result's dims and, for each axis in `tiled`, a place added to it: places are
        constants, so one base address serves a whole register tile."""
        dims = [AffineExpr.dimension(x) for x in range(rank)]
        for n, axis in enumerate(tiled):
            dims[axis] = dims[axis] + AffineExpr.dimension(rank + n)
        total = rank + len(tiled)
        return self._views_of_results(dims, total, [*self.out.dims, *(self.out.dims[axis] for axis in tiled)])

    def _views_of_results(self, dims: list[AffineExpr], total: int, extents: Sequence[Size]) -> tuple[View, list[View]]:
        """Views of the result and the extras over `total` loops; `dims` says what each of the result's dimensions is in them."""
        op = self.op

        def view(buffer: Buffer, map: AffineMap) -> View:
            placed = AffineMap(total, 0, tuple(substitute_dims(e, dims) for e in map.results))
            return self.k.view(buffer, placed, range(total), extents)

        extras = [view(self.buffers[v], m.data) for v, m in zip(op.extras, op.extra_maps.data, strict=True)]
        return view(self.out, AffineMap.identity(len(dims))), extras

    def _fetch(self, out: View, rows: int, vectors: int, place: _Place) -> None:
        """Has the lines that a register tile will store fetched while it is computed, one vector a line: else its stores wait for them, and
        the next tile for the stores. 1500x384x1536 took 17.1 ms without it, 16.0 with it."""
        step = max(1, LINE // (self.tiling.lanes * cast(FixedBitwidthType, self.out.element).size))
        for n in range(0, rows * vectors, step):
            self.k.emit(PrefetchOp(out.memref, place(*divmod(n, vectors)), write=True))

    def _finish_tile(self, acc: Sequence[SSAValue], outs: tuple[View, list[View]], place: _Place, masks: Sequence[SSAValue | None]) -> None:
        """Applies the epilogue to a register tile, and stores it. One of functions with many coefficients goes by the rows from memory:
        beside a whole tile, registers have no room for coefficients, and each would be loaded for each vector."""
        k, vectors = self.k, len(masks)
        rows = len(acc) // vectors
        ops = list(self.op.epilogue.block.ops)
        if rows == 1 or len(ops) < MANY or not any(type(op) in EXPANSIONS for op in ops):
            for n, value in enumerate(acc):
                self._finish(value, outs, place(*divmod(n, vectors)), masks[n % vectors])
            return
        lane = [k.const(j * self.tiling.lanes) for j in range(vectors)]
        for n, value in enumerate(acc):
            k.emit(vector.StoreOp(value, self._parked, [k.const(n // vectors), lane[n % vectors]]))

        def row(i: SSAValue) -> None:
            for j, mask in enumerate(masks):
                value = k.emit(vector.LoadOp(self._parked, [i, lane[j]], widen(self.accumulator, self.tiling.lanes)))
                self._finish(value, outs, place(i, j), mask)

        k.loop(0, rows, 1, row, no_unroll=UnitAttr())

    @cached_property
    def _parked(self) -> SSAValue:
        """Room for a register tile on the stack."""
        return self.k.scratch([max(self.rows, self.schedule.rows), self.width], self.accumulator)

    def _finish(self, acc: SSAValue, views: tuple[View, list[View]], at: list[SSAValue], mask: SSAValue | None) -> None:
        k, lanes = self.k, self.tiling.lanes
        out, extras = views
        block = self.op.epilogue.block
        mapping: dict[SSAValue, SSAValue] = {block.args[0]: acc}
        for argument, view in zip(block.args[1:], extras, strict=True):
            mapping[argument] = self._extra(view, at, argument.type, mask)
        (value,) = clone_body(k, block, mapping, indices=[], tensors={}, width=lanes)
        value = broadcast(k, value, lanes)
        if mask is None:
            k.emit(vector.StoreOp(value, out.memref, at))
        else:
            k.emit(vector.MaskedStoreOp(out.memref, at, mask, value))

    def _extra(self, view: View, at: list[SSAValue], type: Attribute, mask: SSAValue | None) -> SSAValue:
        """A vector of an epilogue's operand, or one element of it in every lane."""
        k, lanes = self.k, self.tiling.lanes
        if view.strides[-1] == (0, ()):
            return broadcast(k, k.emit(memref.LoadOp.get(view.memref, at)), lanes)
        if mask is None:
            return k.emit(vector.LoadOp(view.memref, at, widen(type, lanes)))
        return k.emit(vector.MaskedLoadOp(view.memref, at, mask, broadcast(k, self._scalar_zero(type), lanes)))

    def _scalar_zero(self, type: object) -> SSAValue:
        from xdsl.dialects.builtin import AnyFloat, IntegerAttr

        attr = FloatAttr(0.0, type) if isinstance(type, AnyFloat) else IntegerAttr(0, type)  # type: ignore[arg-type, call-overload]
        return self.k.emit(arith.ConstantOp(attr))


def product_of(sizes: Sequence[Size]) -> Factors:
    total: Factors = (1, ())
    for size in sizes:
        total = times(total, factors(size))
    return total


def _i1():
    from xdsl.dialects.builtin import i1

    return i1
