"""The strategy for attention, softmax(q k' + bias) v: never more of the scores than one block of keys by one register tile of queries.

Blocks of keys go by with a running maximum and sum of each row, after FlashAttention-2 (https://arxiv.org/abs/2307.08691): where a
block raises a row's maximum, what was summed before is scaled down to it. Scores and results of a tile stay in L1, on the stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects import arith, math, memref, vector
from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, VectorType, f32, i1, i64
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap

from ...dialects.dispatch import ContractOp, column_block
from ..dispatch.structure import Size, substitute_dims
from .body import APPROXIMATE, REASSOCIATE, broadcast, clone_body, splat, widen
from .contraction import FMA, Contraction
from .kernel import Buffer, KernelBuilder, View, factors, times
from .polynomials.builder import FLOAT_PREDICATES, NO_FLAGS
from .split import FUNCTION, parallel_rows
from .tiles import best_rows
from .transpose import transposed

KEYS = 256
"""Keys in a block: 14 rows of their scores take 15 KiB, half of L1, and a panel of keys or values fits beside them."""

PART = 8
"""Tiles of queries for which a head's keys are turned once: that takes a thirtieth of the time of their products."""

STEP = 16
"""Keys between two places of a row of scores as the products with values count them; rows are one step longer than a block, so that
they do not fall on the same cache sets."""


class Attention(Contraction):
    """Emits one dispatch.contract of kind "attention"."""

    def __init__(self, k: KernelBuilder, op: ContractOp, buffers: dict[SSAValue, Buffer], rows: int, lanes32: int) -> None:
        super().__init__(k, op, buffers, rows, lanes32)
        assert op.values is not None
        self.values = buffers[op.values]
        self.count = op.batch.value.data
        self.zeros = int(op.window.get_values()[0])
        self.lanes = self.tiling.lanes
        *_, self.queries, self.keys, depth, features = self.shape
        self.depth, self.features = cast(int, depth), cast(int, features)
        self.single = isinstance(self.keys, int) and self.keys <= KEYS  # then nothing is ever scaled down

    def emit(self) -> None:
        k, count, most = self.k, self.count, self.rows
        if 0 in self.out.dims:
            return
        own = [AffineExpr.dimension(count + x) for x in range(4)]
        self.q = self._read(0, self.lhs, [own[1] + own[3], own[0] * self.block + own[2]])
        self.v = self._read(2, self.values, [own[0] * STEP + own[1], own[2] + own[3]])
        self.turned, self.raw = self._keys()
        self.target = self._target()
        self.biases = [self._bias(self.buffers[v], map.data) for v, map in zip(self.op.extras, self.op.extra_maps.data, strict=True)]
        self.scores = k.scratch([most, KEYS // STEP + 1, STEP], f32)
        self.sums = k.scratch([most, -(-self.features // self.lanes) * self.lanes], f32)
        self.tops, self.totals = k.scratch([most], f32), k.scratch([most], f32)
        rows = best_rows(self.queries, most) if isinstance(self.queries, int) else most
        tiles = k.ceildiv(self.queries, rows)
        each = rows * (FMA * (self.depth + self.features) + 10 * FUNCTION) // self.lanes

        def body(outer: list[SSAValue], lower: Size, upper: Size) -> None:
            self._row_tiles(self.queries, rows, lower, upper, lambda rows, row: self._tile(outer, rows, row))

        def part(outer: list[SSAValue], lower: Size, upper: Size) -> None:
            def tiles_of(n: SSAValue) -> None:
                self._turn_keys(outer)
                first = k.mul(n, PART)
                body(outer, first, k.minimum(k.add(first, PART), tiles))

            k.loop(lower, upper, 1, tiles_of)

        cost = times((each, ()), factors(self.keys))
        if self.raw is None:
            parallel_rows(k, [*self.shape[:count], tiles], cost, body, tiles=True)
        else:
            parallel_rows(k, [*self.shape[:count], k.ceildiv(tiles, PART)], times(cost, (PART, ())), part, tiles=True)

    def _read(self, operand: int, buffer: Buffer, own: list[AffineExpr]) -> View:
        """An operand over (batch.., four loops of its own), of which `own` are its row and its column."""
        assert self.op.reads is not None
        return self._seen(buffer, self.op.reads.data[operand].data, own, 4)

    def _seen(self, buffer: Buffer, map: AffineMap, own: list[AffineExpr], loops: int) -> View:
        """A buffer over (batch.., as many loops more), through a map whose dimensions after the batch are `own`; extents are nominal."""
        total = self.count + loops
        dims = [*(AffineExpr.dimension(d) for d in range(self.count)), *own]
        placed = AffineMap(total, 0, tuple(substitute_dims(e, dims) for e in map.results))
        return self.k.view(buffer, placed, range(total), [*self.shape[: self.count], *([1] * loops)])

    def _bias(self, buffer: Buffer, map: AffineMap) -> View:
        """(batch.., row, column, place in rows, place in columns)."""
        own = [AffineExpr.dimension(self.count + x) for x in range(4)]
        return self._seen(buffer, map, [own[0] + own[2], own[1] + own[3]], 4)

    def _target(self) -> View:
        """The result over (batch.., row, place in rows, block of columns, place in the block)."""
        own = [AffineExpr.dimension(self.count + x) for x in range(4)]
        row, width = own[0] + own[1], column_block(self.features)
        if self.op.place is None:
            return self._seen(self.out, AffineMap.identity(self.count + 2), [row, own[2] * width + own[3]], 4)
        return self._seen(self.out, self.op.place.data, [row, *own[2:]], 4)

    def _tile(self, at: list[SSAValue], rows: int, row: Size) -> None:
        k = self.k
        lowest, zero = self._number(float("-inf")), self._number(0.0)

        def start(i: SSAValue) -> None:
            k.emit(memref.StoreOp.get(lowest, self.tops, [i]))
            k.emit(memref.StoreOp.get(zero, self.totals, [i]))
            self._for_features(lambda f, mask: self._put(self._splat(0.0), self.sums, [i, k.const(f)]))

        def block(n: SSAValue) -> None:
            first = k.mul(n, KEYS)
            here = k.minimum(k.sub(self.keys, first), KEYS)
            panels = k.ceildiv(here, self.width)
            k.loop(0, panels, 1, lambda p: self._score_panel(at, rows, row, n, p))
            k.loop(0, rows, 1, lambda i: self._softmax_row(i, k.mul(panels, self.width)))
            self._multiply_values(at, rows, n, here)

        if self.single:
            block(k.const(0))
        else:
            k.loop(0, rows, 1, start)
            k.loop(0, k.ceildiv(self.keys, KEYS), 1, block)
        k.loop(0, rows, 1, lambda i: self._store_row(at, row, i))

    def _score_panel(self, at: list[SSAValue], rows: int, row: Size, n: SSAValue, p: SSAValue) -> None:
        """The scores of a panel of keys; those beyond the last key are minus infinity."""
        k = self.k
        within = k.mul(p, self.width)
        column = k.add(k.mul(n, KEYS), within)
        panel = k.index(k.add(k.mul(n, KEYS // self.width), p))
        lane = [k.const(j * self.lanes) for j in range(self.vectors)]
        whole = isinstance(self.keys, int) and self.keys % self.width == 0
        masks = [None if whole else self._mask(k.sub(self.keys, k.add(column, j * self.lanes))) for j in range(self.vectors)]

        def lhs(i: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
            return k.emit(memref.LoadOp.get(self.q.memref, [*at, taps[0], k.index(row), c, k.const(i)]))

        def rhs(j: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
            return self._load(self.turned, [*([] if self.raw else at), panel, taps[0], c, lane[j]])

        acc = self._micro(rows, self.vectors, [self.depth // self.block], lhs, rhs, self.depth % self.block)
        for i in range(rows):
            for j, mask in enumerate(masks):
                score = self._biased(acc[i * self.vectors + j], [*at, k.index(row), k.index(column), k.const(i), lane[j]], mask)
                if mask is not None:
                    score = k.emit(arith.SelectOp(mask, score, self._splat(float("-inf"))))
                self._put(score, self.scores, [k.const(i), k.const(0), k.index(k.add(within, j * self.lanes))])

    def _biased(self, score: SSAValue, at: list[SSAValue], mask: SSAValue | None) -> SSAValue:
        block = self.op.epilogue.block
        mapping: dict[SSAValue, SSAValue] = {block.args[0]: score}
        for argument, view in zip(block.args[1:], self.biases, strict=True):
            mapping[argument] = self._extra(view, at, argument.type, mask)
        (value,) = clone_body(self.k, block, mapping, indices=[], tensors={}, width=self.lanes)
        return broadcast(self.k, value, self.lanes)

    def _softmax_row(self, i: SSAValue, width: Size) -> None:
        """Powers of a row of scores in their place, below the row's maximum so far, to which its sums are scaled down.

        Comparisons let NaN pass by the maximum: it comes back with the powers. A row of nothing but minus infinity has the maximum 0.
        """
        k = self.k

        def each(body, carried: list[SSAValue]) -> list[SSAValue]:
            def step(c: SSAValue, *values: SSAValue) -> list[SSAValue]:
                where = [[i, k.const(0), k.index(k.add(c, j * self.lanes))] for j in range(self.vectors)]
                return [body(w, v) for w, v in zip(where, values, strict=True)]

            return k.loop(0, width, self.width, step, carried)

        def greatest(where: list[SSAValue], top: SSAValue) -> SSAValue:
            return self._larger(self._vector(self.scores, where), top)

        tops = each(greatest, [self._splat(float("-inf"))] * self.vectors)
        top = self._largest(self._joined(tops, self._larger))
        before = None if self.single else k.emit(memref.LoadOp.get(self.tops, [i]))
        if before is not None:
            top = self._larger(top, before)
            k.emit(memref.StoreOp.get(top, self.tops, [i]))
        nothing = k.emit(arith.CmpfOp(top, self._number(float("-inf")), "oeq"))
        level = k.emit(arith.SelectOp(nothing, self._number(0.0), top))
        wide = broadcast(k, level, self.lanes)

        def power(where: list[SSAValue], total: SSAValue) -> SSAValue:
            value = k.emit(math.ExpOp(k.emit(arith.SubfOp(self._vector(self.scores, where), wide)), APPROXIMATE))
            self._put(value, self.scores, where)
            return k.emit(arith.AddfOp(total, value))

        total = self._total(self._joined(each(power, [self._splat(0.0)] * self.vectors), lambda a, b: k.emit(arith.AddfOp(a, b))))
        if before is not None:
            total = self._scale_down(i, k.emit(math.ExpOp(k.emit(arith.SubfOp(before, level)))), total)
        k.emit(memref.StoreOp.get(total, self.totals, [i]))

    def _scale_down(self, i: SSAValue, factor: SSAValue, total: SSAValue) -> SSAValue:
        """Takes a row's sums so far down to its new maximum; the new total."""
        k, wide = self.k, broadcast(self.k, factor, self.lanes)

        def scale(f: int, mask: SSAValue | None) -> None:
            where = [i, k.const(f)]
            self._put(k.emit(arith.MulfOp(self._vector(self.sums, where), wide)), self.sums, where)

        self._for_features(scale)
        return k.emit(math.FmaOp(k.emit(memref.LoadOp.get(self.totals, [i])), factor, total))

    def _multiply_values(self, at: list[SSAValue], rows: int, n: SSAValue, here: Size) -> None:
        """Adds powers times values of a block of keys to the sums."""
        k, step = self.k, 2 * self.lanes
        before = k.mul(n, KEYS // STEP)

        def panel(f: Size, vectors: int, masks: list[SSAValue | None]) -> None:
            lane = [k.const(j * self.lanes) for j in range(vectors)]
            place = [[k.const(i), k.index(k.add(f, j * self.lanes))] for i in range(rows) for j in range(vectors)]

            def lhs(i: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                return k.emit(memref.LoadOp.get(self.scores, [k.const(i), taps[0], c]))

            def rhs(j: int, taps: Sequence[SSAValue], c: SSAValue) -> SSAValue:
                return self._load(self.v.memref, [*at, k.index(k.add(before, taps[0])), c, k.index(f), lane[j]], masks[j])

            start = [] if self.single else [self._vector(self.sums, where) for where in place]
            whole = k.floordiv(here, STEP)
            left = k.sub(here, k.mul(whole, STEP))
            for value, where in zip(self._micro(rows, vectors, [whole], lhs, rhs, left, start, STEP), place, strict=True):
                self._put(value, self.sums, where)

        whole = self.features // step * step
        if whole:
            k.loop(0, whole, step, lambda f: panel(f, 2, [None, None]))
        if left := self.features - whole:
            parts = [min(left - n, self.lanes) for n in range(0, left, self.lanes)]
            masks = [None if part == self.lanes else self._mask(part) for part in parts]
            panel(whole, len(masks), masks)

    def _store_row(self, at: list[SSAValue], row: Size, i: SSAValue) -> None:
        k = self.k
        total = k.emit(memref.LoadOp.get(self.totals, [i]))
        zero, one = self._number(0.0), self._number(1.0)
        if self.zeros:
            total = k.emit(arith.SelectOp(k.emit(arith.CmpfOp(total, zero, "oeq")), one, total))
        elif not isinstance(self.keys, int):
            # Of no keys at all, unlike of masked ones, there is a sum: nothing.
            total = k.emit(arith.SelectOp(k.emit(arith.CmpiOp(self.keys, k.const(0), "eq")), one, total))
        known = k.emit(arith.CmpfOp(total, total, "ord")) if self.zeros > 1 else None
        scale = broadcast(k, k.emit(arith.DivfOp(one, total)), self.lanes)

        block = column_block(self.features)

        def store(f: int, mask: SSAValue | None) -> None:
            value = k.emit(arith.MulfOp(self._vector(self.sums, [i, k.const(f)]), scale))
            if known is not None:
                value = k.emit(arith.SelectOp(broadcast(k, known, self.lanes), value, self._splat(0.0)))
            where = [*at, k.index(row), i, k.const(f // block), k.const(f % block)]
            if mask is None:
                self._put(value, self.target.memref, where)
            else:
                k.emit(vector.MaskedStoreOp(self.target.memref, where, mask, value))

        self._for_features(store)

    # -- keys

    def _keys(self) -> tuple[SSAValue, View | None]:
        """Keys by panels: (batch.., panel, block of features, feature, key) where they come so, else what takes those of a head as
        (panel, ..), and the keys as they lie: (batch.., key, feature, place in keys, place in features)."""
        if self.rhs_packed:
            return self._rhs_view(self.count).memref, None
        own = [AffineExpr.dimension(self.count + x) for x in range(4)]
        keys = cast(int, self.keys)
        turned = self.k.scratch([-(-keys // self.width), -(-self.depth // self.block), self.block, self.width], f32)
        return turned, self._read(1, self.rhs, [own[0] + own[2], own[1] + own[3]])

    def _turn_keys(self, at: list[SSAValue]) -> None:
        """Turns the keys of a head: tiles in registers where their features lie side by side. In place of keys beyond the last stands
        the last one."""
        k, view = self.k, self.raw
        keys = cast(int, self.keys)
        assert view is not None
        tiled = self.depth // self.lanes * self.lanes if view.strides[-1] == (1, ()) else 0

        def element(c: SSAValue, key: SSAValue) -> None:
            there = k.index(k.minimum(key, keys - 1))
            value = k.emit(memref.LoadOp.get(view.memref, [*at, there, c, k.const(0), k.const(0)]))
            panel, place = k.floordiv(key, self.width), k.emit(arith.RemUIOp(key, k.const(self.width)))
            block, step = k.floordiv(c, self.block), k.emit(arith.RemUIOp(c, k.const(self.block)))
            k.emit(memref.StoreOp.get(value, self.turned, [k.index(panel), k.index(block), step, place]))

        def tile(panel: SSAValue, first: Size, lane: int) -> None:
            there = [k.index(k.minimum(k.add(first, r), keys - 1)) for r in range(self.lanes)]
            for c in range(0, tiled, self.lanes):
                rows = [self._vector(view.memref, [*at, n, k.const(c), k.const(0), k.const(0)]) for n in there]
                for step, column in enumerate(transposed(k, rows)):
                    block, place = divmod(c + step, self.block)
                    self._put(column, self.turned, [panel, k.const(block), k.const(place), k.const(lane)])

        def panel(p: SSAValue) -> None:
            for lane in range(0, self.width, self.lanes):
                tile(p, k.add(k.mul(p, self.width), lane), lane)

        panels = -(-keys // self.width)
        if tiled:
            k.loop(0, panels, 1, panel)
        if tiled < self.depth:
            k.loop(tiled, self.depth, 1, lambda c: k.loop(0, panels * self.width, 1, lambda key: element(c, key)) and None)

    # -- small words

    def _for_features(self, body) -> None:
        """`body(first feature, mask)` for every vector of a row of results; the last may be a part of one."""
        for f in range(0, self.features, self.lanes):
            body(f, None if f + self.lanes <= self.features else self._mask(self.features - f))

    def _joined(self, values: list[SSAValue], join) -> SSAValue:
        first, *rest = values
        for value in rest:
            first = join(first, value)
        return first

    def _larger(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """The larger of two numbers or vectors, b where they do not compare."""
        truth = widen(i1, self.lanes) if isinstance(a.type, VectorType) else i1
        properties = {"predicate": IntegerAttr(FLOAT_PREDICATES[">"], 64), "fastmath": NO_FLAGS}
        holds = self.k.emit(arith.CmpfOp.create(operands=[a, b], result_types=[truth], properties=properties))
        return self.k.emit(arith.SelectOp(holds, a, b))

    def _largest(self, value: SSAValue) -> SSAValue:
        """The largest lane, by halves; LLVM's own reduction spends three instructions a step on NaN."""
        k, lanes = self.k, self.lanes
        while lanes > 1:
            lanes //= 2
            turned = DenseArrayBase.from_list(i64, [(n + lanes) % self.lanes for n in range(self.lanes)])
            value = self._larger(k.emit(vector.ShuffleOp(value, value, turned, result_type=widen(f32, self.lanes))), value)
        return k.emit(vector.ExtractOp(value, [0], f32))

    def _total(self, value: SSAValue) -> SSAValue:
        """The sum of all lanes, in any order."""
        properties = {"kind": vector.CombiningKindAttr(vector.CombiningKindFlag("add")), "fastmath": REASSOCIATE}
        return self.k.emit(vector.ReductionOp.build(operands=[value, []], result_types=[f32], properties=properties))

    def _vector(self, source: SSAValue, at: Sequence[SSAValue]) -> SSAValue:
        return self.k.emit(vector.LoadOp(source, list(at), widen(f32, self.lanes)))

    def _put(self, value: SSAValue, target: SSAValue, at: Sequence[SSAValue]) -> None:
        self.k.emit(vector.StoreOp(value, target, list(at)))

    def _number(self, number: float) -> SSAValue:
        with self.k.inside(self.k.entry):
            return self.k.emit(arith.ConstantOp(FloatAttr(number, f32)))

    def _splat(self, number: float) -> SSAValue:
        with self.k.inside(self.k.entry):
            return self.k.emit(splat(f32, self.lanes, number))
