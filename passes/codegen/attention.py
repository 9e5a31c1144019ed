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

from ...dialects.dispatch import ContractOp
from ..dispatch.structure import Size, substitute_dims
from .body import APPROXIMATE, REASSOCIATE, broadcast, clone_body, splat, widen
from .contraction import FMA, Contraction
from .kernel import Buffer, KernelBuilder, View, factors, times
from .polynomials.builder import FLOAT_PREDICATES, NO_FLAGS
from .split import FUNCTION, parallel_rows

KEYS = 256
"""Keys in a block: 14 rows of their scores take 15 KiB, half of L1, and a panel of keys or values fits beside them."""

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
        self.depth, self.features = cast(int, self.lhs.dims[-1]), cast(int, self.out.dims[-1])
        self.queries, self.keys = self.out.dims[-2], self.values.dims[-2]
        self.single = isinstance(self.keys, int) and self.keys <= KEYS  # then nothing is ever scaled down

    def emit(self) -> None:
        k, count, most = self.k, self.count, self.rows
        if 0 in self.out.dims:
            return
        self.q, self.turned = self._lhs_view(count), self._rhs_view(count)
        own = [AffineExpr.dimension(count + x) for x in range(4)]
        self.v = self._operand_view(self.values, count, [own[0] * STEP + own[1], own[2] + own[3]], 4)
        self.target = self._placed(self.out, AffineMap.identity(count + 2), self.features)
        self.biases = [
            self._placed(self.buffers[v], map.data, self.keys) for v, map in zip(self.op.extras, self.op.extra_maps.data, strict=True)
        ]
        self.scores = k.scratch([most, KEYS // STEP + 1, STEP], f32)
        self.sums = k.scratch([most, -(-self.features // self.lanes) * self.lanes], f32)
        self.tops, self.totals = k.scratch([most], f32), k.scratch([most], f32)
        tiles, rows = self._row_tile_count(self.queries)
        each = rows * (FMA * (self.depth + self.features) + 10 * FUNCTION) // self.lanes

        def body(outer: list[SSAValue], lower: Size, upper: Size) -> None:
            self._row_tiles(self.queries, lower, upper, lambda rows, row: self._tile(outer, rows, row))

        parallel_rows(k, [*self.out.dims[:count], tiles], times((each, ()), factors(self.keys)), body)

    def _placed(self, buffer: Buffer, map: AffineMap, columns: Size) -> View:
        """A view over (batch.., row, column, place in rows, place in columns)."""
        count = self.count
        dims = [AffineExpr.dimension(d) for d in range(count + 2)]
        dims[count:] = [dims[count] + AffineExpr.dimension(count + 2), dims[count + 1] + AffineExpr.dimension(count + 3)]
        placed = AffineMap(count + 4, 0, tuple(substitute_dims(e, dims) for e in map.results))
        extents = [*self.out.dims[:count], self.queries, columns, self.queries, columns]
        return self.k.view(buffer, placed, range(count + 4), extents)

    def _tile(self, at: list[SSAValue], rows: int, row: Size) -> None:
        k = self.k
        lowest, zero = self._number(float("-inf")), self._number(0.0)

        def start(i: SSAValue) -> None:
            k.emit(memref.StoreOp.get(lowest, self.tops, [i]))
            k.emit(memref.StoreOp.get(zero, self.totals, [i]))
            self._for_features(lambda f, mask: self._put(self._splat(0.0), self.sums, [i, f]))

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
            return self._load(self.turned.memref, [*at, panel, taps[0], c, lane[j]])

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
        self._for_features(lambda f, mask: self._put(k.emit(arith.MulfOp(self._vector(self.sums, [i, f]), wide)), self.sums, [i, f]))
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

        def store(f: SSAValue, mask: SSAValue | None) -> None:
            value = k.emit(arith.MulfOp(self._vector(self.sums, [i, f]), scale))
            if known is not None:
                value = k.emit(arith.SelectOp(broadcast(k, known, self.lanes), value, self._splat(0.0)))
            where = [*at, k.index(row), k.const(0), i, f]
            if mask is None:
                self._put(value, self.target.memref, where)
            else:
                k.emit(vector.MaskedStoreOp(self.target.memref, where, mask, value))

        self._for_features(store)

    # -- small words

    def _for_features(self, body) -> None:
        """`body(first feature, mask)` for every vector of a row of results; the last may be a part of one."""
        for f in range(0, self.features, self.lanes):
            body(self.k.const(f), None if f + self.lanes <= self.features else self._mask(self.features - f))

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
