"""Reductions over windows: each result folds a few elements near to one another, and its neighbour those one to four further on.

Pools on ONNX's own layout are of that kind, and sums over a short last axis. Element by element, vectors would have to be gathered.
Here the rows of all windows of a few vectors of results are folded first, in whole vectors as they lie in memory; the row that is left
is taken apart into one stream for each place within a stride, of which every tap is a vector of neighbours. `nest` asks here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from xdsl.dialects import arith, memref, vector
from xdsl.dialects.builtin import AnyFloat, DenseArrayBase, FixedBitwidthType, IntegerType, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Operation, SSAValue

from .body import broadcast, can_widen, clone_body, fold_freely, widen
from .kernel import UNROLL_FULL, Factors, View
from .planar import NARROW
from .split import element_cost, parallel

if TYPE_CHECKING:
    from .nest import Member, Nest

UNIT: Factors = (1, ())
REPEATED: Factors = (0, ())

STRIDES = range(1, 5)
"""Elements between neighbouring results: as many loads and shuffles make a vector."""

MOST_TAPS = 64
"""Elements that a result folds at most, and how far the last tap of a row lies from the first: their code is written out."""

MOST_VECTORS = 4
"""Vectors of results side by side: at a stride of two, the rows of their windows fit the registers of AVX2, too."""

LEAST_LANES = 4

NEUTRAL: dict[type[Operation], tuple[float, ...]] = {
    arith.AddfOp: (0.0,),
    arith.AddiOp: (0,),
    arith.MulfOp: (1.0,),
    arith.MuliOp: (1,),
    arith.MaximumfOp: (),
    arith.MinimumfOp: (),
    arith.MaxSIOp: (),
    arith.MaxUIOp: (),
    arith.MinSIOp: (),
    arith.MinUIOp: (),
}
"""What may fold in any order, and what it has to start from, since that is combined more than once; extremes start from anything."""


@dataclass(frozen=True)
class _Line:
    """Vectors of the elements of a line, each from the place that `starts` says."""

    starts: list[int]
    vectors: list[SSAValue]


def _starts(length: int, lanes: int) -> list[int]:
    """Where vectors begin that cover a line: one after the other, the last one where it ends with the line."""
    return [min(start, length - lanes) for start in range(0, length, lanes)]


class Windows:
    """A generic that reduces windows along the last parallel loop, and elementwise ones that go on with its results."""

    def __init__(self, nest: Nest, members: Sequence[Member]) -> None:
        self.nest, self.k = nest, nest.k
        self.m, *self.followers = members
        self.block = self.m.op.body.block
        outer, inner = self.m.space.outer, self.m.space.inner
        self.outer, self.last, self.deepest = outer, len(outer) - 1, len(outer) + len(inner) - 1
        self.rows = inner
        self.taps, self.dilation = 1, 0
        self.windowed = [n for n, v in self.m.reads.items() if outer and v.strides[self.last] != REPEATED]
        strides = {self.m.reads[n].strides[self.last] for n in self.windowed}
        self.stride = strides.pop()[0] if strides and len(strides) == 1 else 0
        if inner and isinstance(inner[-1], int) and self._is_row(inner[-1]):
            self.rows, self.taps = inner[:-1], inner[-1]
            self.dilation = self.m.reads[self.windowed[0]].strides[self.deepest][0]
        self.lanes = self._lanes()

    def _is_row(self, taps: int) -> bool:
        """Whether the last reduced loop steps along the line of the results' windows, and nothing else changes with it."""
        steps = {self.m.reads[n].strides[self.deepest] for n in self.windowed}
        others = (v for n, v in self.m.reads.items() if n not in self.windowed)
        if len(steps) != 1 or any(v.strides[self.deepest] != REPEATED for v in others):
            return False
        ((step, values),) = steps
        return not values and step > 0 and (taps - 1) * step < MOST_TAPS

    def _lanes(self) -> int:
        """Lanes of the vectors, no more than a row has results: few are left over. 0 for types that vectors do not compute on here."""
        members = (self.m, *self.followers)
        types = {cast(Attribute, a.type) for m in members for a in m.op.body.block.args}
        width = self.outer[-1] if self.outer else None
        if len(types) != 1 or not isinstance(width, int):
            return 0
        (type,) = types
        if not isinstance(type, AnyFloat | IntegerType) or type.bitwidth < (32 if isinstance(type, AnyFloat) else 8):
            return 0
        most = self.nest.lanes * 32 // cast(FixedBitwidthType, type).bitwidth
        choices = [n for shift in range(5) if LEAST_LANES <= (n := most >> shift) <= width]
        return min(choices, key=lambda n: -(-width // n) * n * NARROW ** math.log2(most / n), default=0)

    @property
    def fits(self) -> bool:
        """Whether the members are of that kind."""
        inner = self.m.space.inner
        if not inner or not self.lanes or self.stride not in STRIDES or not all(isinstance(e, int) for e in inner):
            return False
        if math.prod(cast("tuple[int, ...]", inner)) > MOST_TAPS or not can_widen(self.block) or not self._is_fold():
            return False
        if any(v.strides[self.last][1] for v in self.m.reads.values()) or not self._all_read(self.m):
            return False
        return all(self._follows(m) for m in self.followers) and all(v.strides[self.last] == UNIT for v in self.m.writes.values())

    def _is_fold(self) -> bool:
        """Whether the body combines one function of the inputs with what was folded so far, in any order."""
        last = self.block.last_op
        if last is None or len(last.operands) != 1 or len(self.m.op.outputs) != 1:
            return False
        self.combine, folded = cast(Operation, last.operands[0].owner), self.block.args[-1]
        if type(self.combine) not in NEUTRAL or [u.operation for u in folded.uses] != [self.combine]:
            return False
        neutral = NEUTRAL[type(self.combine)]
        return not neutral or self._starts_from() in neutral

    def _starts_from(self) -> float | None:
        fill = self.m.op.outputs[0].owner
        constant = fill.inputs[0].owner if isinstance(fill, linalg.FillOp) else None
        return constant.value.value.data if isinstance(constant, arith.ConstantOp) else None  # type: ignore[union-attr]

    def _all_read(self, m: Member) -> bool:
        return all(n in m.reads or not a.uses for n, a in enumerate(m.op.body.block.args[: len(m.op.inputs)]))

    def _follows(self, m: Member) -> bool:
        """Whether a member takes a row of results as it is."""
        if m.space.inner or len(m.loops) != len(self.outer) or not can_widen(m.op.body.block):
            return False
        reads = all(v.strides[self.last] in (UNIT, REPEATED) for v in m.reads.values())
        return reads and all(v.strides[self.last] == UNIT for v in m.writes.values())

    def emit(self) -> None:
        k, lanes = self.k, self.lanes
        width = cast(int, self.outer[-1])
        vectors = -(-width // lanes)
        tiles = -(-vectors // max(1, min(MOST_VECTORS, MOST_TAPS // self.taps)))
        covered = min(-(-vectors // tiles) * lanes, width)
        self.nest.outer, self.nest.width = len(self.outer), lanes
        self.views = {n: self._line_view(n) for n in self.m.reads}

        def tile(at: list[SSAValue]) -> None:
            *row, number = at
            x = k.minimum(k.mul(number, covered), width - covered) if tiles > 1 else 0
            self._tile(row, k.index(x), covered)

        inner = math.prod(cast("tuple[int, ...]", self.m.space.inner))
        cost = element_cost(self.m.op, vector=True) * inner + sum(element_cost(m.op, vector=True) for m in self.followers)
        parallel(k, [*self.outer[:-1], tiles], (cost * -(-covered // lanes), ()), tile, tiles=True)

    def _line_view(self, n: int) -> View:
        """An input over its loops and an offset in elements."""
        nest, view = self.nest, self.m.reads[n]
        return nest.again(view, self.m.op.inputs[n], [*view.strides, UNIT], [*self.m.space.all, 1])

    def _tile(self, row: list[SSAValue], x: SSAValue, covered: int) -> None:
        """`covered` results from the one at x on."""
        k, nest, op = self.k, self.nest, self.m.op
        lanes, reach = self.lanes, (covered - 1) * self.stride + (self.taps - 1) * self.dilation + 1
        starts = _starts(reach, lanes)
        line = _Line(starts, self._folded_rows([*row, x], starts))
        streams = {p: self._stream(line, p, reach) for p in {t * self.dilation % self.stride for t in range(self.taps)}}
        for offset in _starts(covered, lanes):
            distances = [divmod(t * self.dilation, self.stride) for t in range(self.taps)]
            total, *others = (self._picked(streams[phase], range(offset + whole, offset + whole + lanes)) for whole, phase in distances)
            for value in others:
                total = self._combined(total, value)
            here = [*row, k.index(k.add(x, offset))]
            nest.rows[op.results[0]] = total
            nest.store_row(self.m, here)
            for m in self.followers:
                nest.element(m, here, {}, {})

    def _folded_rows(self, at: list[SSAValue], starts: Sequence[int]) -> list[SSAValue]:
        """The vectors of a line at these places, folded over all reduced loops but the one along it."""
        k = self.k
        first = [k.const(0)] if self.taps > 1 else []

        def level(n: int, carried: Sequence[SSAValue], indices: list[SSAValue]) -> list[SSAValue]:
            if n < len(self.rows):
                return k.loop(0, self.rows[n], 1, lambda i, *c: level(n + 1, c, [*indices, i]), carried, **UNROLL_FULL)
            return [self._step([*at, *indices, *first, k.const(s)], c) for s, c in zip(starts, carried, strict=True)]

        (start,) = self.nest.starts(self.m)
        return level(0, [start] * len(starts), [])

    def _step(self, at: list[SSAValue], carried: SSAValue) -> SSAValue:
        """A vector of each input, combined with what was folded so far."""
        k, block = self.k, self.block
        mapping: dict[SSAValue, SSAValue] = {block.args[-1]: carried}
        for n, view in self.views.items():
            type = block.args[n].type
            if n in self.windowed:
                mapping[block.args[n]] = k.emit(vector.LoadOp(view.memref, at, widen(type, self.lanes)))
            else:
                where = [*at[:-1], k.const(0)]
                mapping[block.args[n]] = broadcast(k, k.emit(memref.LoadOp.get(view.memref, where)), self.lanes)
        return clone_body(k, block, mapping, indices=[], tensors={}, accumulators=[block.args[-1]], width=self.lanes)[0]

    def _combined(self, a: SSAValue, b: SSAValue) -> SSAValue:
        op = type(self.combine).create(operands=[a, b], result_types=[a.type], properties=dict(self.combine.properties))
        fold_freely(op)
        return self.k.emit(op)

    # -- along a line

    def _stream(self, line: _Line, phase: int, reach: int) -> _Line:
        """Every element of a line that stands at `phase` within a stride."""
        if self.stride == 1:
            return line
        places = range(phase, reach, self.stride)
        starts = _starts(len(places), self.lanes)
        return _Line(starts, [self._picked(line, places[start : start + self.lanes]) for start in starts])

    def _picked(self, line: _Line, places: range) -> SSAValue:
        """The elements of a line at these places, ascending: a vector of it, or lanes of some."""
        lanes, picked = self.lanes, None
        chosen: list[int] = []  # lanes of `picked`
        while len(chosen) < lanes:
            n = max(n for n, start in enumerate(line.starts) if start <= places[len(chosen)])
            start, value = line.starts[n], line.vectors[n]
            held = [p - start for p in places[len(chosen) :] if p < start + lanes]
            if picked is None:
                picked, chosen = value, held
                continue
            picked = self._shuffled(picked, value, [*chosen, *(lanes + lane for lane in held)])
            chosen = list(range(len(chosen) + len(held)))
        assert picked is not None
        return picked

    def _shuffled(self, a: SSAValue, b: SSAValue, chosen: list[int]) -> SSAValue:
        """A vector that begins with these lanes of two, counted through both."""
        mask = DenseArrayBase.from_list(i64, [*chosen, *([-1] * (self.lanes - len(chosen)))])
        return self.k.emit(vector.ShuffleOp.create(operands=[a, b], result_types=[a.type], properties={"mask": mask}))
