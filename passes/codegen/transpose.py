"""Elementwise generics that read along another axis than they write: square tiles, transposed in registers. `nest` asks here first.

Element by element, a transpose reads or writes a line of memory for each of its elements. A tile reads whole lines and writes whole lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from xdsl.dialects import memref, vector
from xdsl.dialects.builtin import AnyFloat, DenseArrayBase, FixedBitwidthType, i64
from xdsl.ir import Attribute, SSAValue

from ..dispatch.structure import Size
from .body import broadcast, can_widen, clone_body, widen
from .kernel import Factors, KernelBuilder, View, times
from .split import element_cost, parallel

if TYPE_CHECKING:
    from .nest import Member

UNIT: Factors = (1, ())
REPEATED: Factors = (0, ())

MOST_OPERATIONS = 8
"""Of a body that is written out for each row of a tile; more are rare between transposes, and make large kernels."""

STRIP = 4
"""Tiles side by side along the axis that is read: where lines and tiles do not begin together, each line is read by two tiles, which have
to be close for rows that are a power of two apart to be in the cache still. A 1024x1024 matrix takes a tenth less than with 1."""


class Transpose:
    """A lone elementwise generic in square tiles over the loop it writes along, the last one, and the one that it reads along."""

    def __init__(self, k: KernelBuilder, member: Member, lanes: int) -> None:
        self.k, self.m = k, member
        self.op = member.op
        self.extents: tuple[Size, ...] = member.space.outer
        self.last = len(self.extents) - 1
        self.turned = [n for n, v in member.reads.items() if v.strides[self.last] not in (UNIT, REPEATED)] if self.extents else []
        self.along = self._read_along()
        self.side = self._side(lanes)

    @property
    def fits(self) -> bool:
        """Whether the generic is of that kind, and its two axes at least as long as a tile."""
        body = self.op.body.block
        if self.along is None or not self.side or self.m.space.inner or not can_widen(body) or len(body.ops) > MOST_OPERATIONS:
            return False
        if any(v.strides[self.last] != UNIT for v in self.m.writes.values()) or any(a.uses for a in body.args[len(self.op.inputs) :]):
            return False
        return all(isinstance(e := self.extents[n], int) and e >= self.side for n in (self.along, self.last))

    def _read_along(self) -> int | None:
        """The loop along which all that is transposed lies side by side."""
        loops = {next((n for n, s in enumerate(self.m.reads[r].strides) if s == UNIT), None) for r in self.turned}
        return loops.pop() if len(loops) == 1 else None

    def _side(self, lanes: int) -> int:
        """Elements along a side of a tile: a vector of the widest; 0 for types that vectors do not hold or compute on here."""
        types = {cast(Attribute, a.type) for a in self.op.body.block.args}
        copies = len(self.op.body.block.ops) == 1
        widths = {t.bitwidth for t in types if isinstance(t, FixedBitwidthType)}
        computed = all(isinstance(t, AnyFloat) and t.bitwidth >= 32 for t in types)
        if not (copies or computed) or len(widths) != 1 or (width := widths.pop()) < 8 or len(types) != 1:
            return 0
        return lanes * 32 // max(32, width)

    def emit(self) -> None:
        k, side = self.k, self.side
        assert self.along is not None
        length, across = cast(int, self.extents[self.along]), cast(int, self.extents[self.last])
        strip = side * min(STRIP, -(-length // side))
        others = [n for n in range(self.last) if n != self.along]
        cost: Factors = times((element_cost(self.op), ()), (strip * across, ()))

        def tiles(at: list[SSAValue]) -> None:
            *outer, number = at
            start = k.mul(number, strip)

            def column(j: SSAValue) -> None:
                k.loop(start, k.minimum(k.add(start, strip), length), side, lambda i: one(outer, i, j))

            k.loop(0, across, side, column)

        def one(outer: Sequence[SSAValue], i: SSAValue, j: SSAValue) -> None:
            # What is left over at an end is part of a whole tile that reaches back, and is written twice.
            places = dict(zip(others, outer, strict=True))
            places[cast(int, self.along)] = i if length % side == 0 else k.index(k.minimum(i, length - side))
            places[self.last] = j if across % side == 0 else k.index(k.minimum(j, across - side))
            self._tile([places[n] for n in range(self.last + 1)])

        parallel(k, [*(self.extents[n] for n in others), -(-length // strip)], cost, tiles, tiles=True)

    def _tile(self, corner: list[SSAValue]) -> None:
        k, block = self.k, self.op.body.block
        assert self.along is not None
        rows = [self._moved(corner, self.along, r) for r in range(self.side)]
        turned = {n: self._transposed(self.m.reads[n], corner, block.args[n].type) for n in self.turned}
        for r, row in enumerate(rows):
            mapping: dict[SSAValue, SSAValue] = {}
            for n, argument in enumerate(block.args[: len(self.op.inputs)]):
                if argument.uses:
                    mapping[argument] = turned[n][r] if n in turned else self._row(self.m.reads[n], row, argument.type)
            results = clone_body(k, block, mapping, indices=[], tensors={}, width=self.side)
            for n, view in self.m.writes.items():
                k.emit(vector.StoreOp(broadcast(k, results[n], self.side), view.memref, row))

    def _row(self, view: View, at: list[SSAValue], type: Attribute) -> SSAValue:
        if view.strides[self.last] == UNIT:
            return self.k.emit(vector.LoadOp(view.memref, at, widen(type, self.side)))
        return broadcast(self.k, self.k.emit(memref.LoadOp.get(view.memref, at)), self.side)

    def _transposed(self, view: View, corner: list[SSAValue], type: Attribute) -> list[SSAValue]:
        """The tile's rows as they are written."""
        k, side = self.k, self.side
        places = (self._moved(corner, self.last, c) for c in range(side))
        return transposed(k, [k.emit(vector.LoadOp(view.memref, place, widen(type, side))) for place in places])

    def _moved(self, at: list[SSAValue], loop: int, by: int) -> list[SSAValue]:
        return [self.k.index(self.k.add(i, by)) if n == loop else i for n, i in enumerate(at)]


def transposed(k: KernelBuilder, rows: Sequence[SSAValue]) -> list[SSAValue]:
    """As many vectors as they have lanes, a power of two, turned. Each step exchanges one bit of an element's row with that of its lane."""
    vectors, side = list(rows), len(rows)
    bit = side // 2
    while bit:
        low = [lane if not lane & bit else side + lane - bit for lane in range(side)]
        high = [lane + bit if not lane & bit else side + lane for lane in range(side)]
        for r in (r for r in range(side) if not r & bit):
            a, b = vectors[r], vectors[r + bit]
            vectors[r], vectors[r + bit] = (_shuffle(k, a, b, mask) for mask in (low, high))
        bit //= 2
    return vectors


def _shuffle(k: KernelBuilder, a: SSAValue, b: SSAValue, mask: list[int]) -> SSAValue:
    properties = {"mask": DenseArrayBase.from_list(i64, mask)}
    return k.emit(vector.ShuffleOp.create(operands=[a, b], result_types=[a.type], properties=properties))
