"""The strategy for generics: outer loops, then passes over the row; explicit vectors where the innermost parallel loop is a
channel block, loops that LLVM vectorises elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from xdsl.dialects import memref, vector
from xdsl.dialects.builtin import AnyFloat, FixedBitwidthType, IntegerAttr, TensorType, UnitAttr, f32, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineExpr, AffineMap

from ..dispatch.groups import Group, Space
from ..dispatch.passes_over_rows import RowPass, rows_kept, split_passes
from ..dispatch.structure import Size, maps_of, substitute_dims
from .body import broadcast, can_widen, clone_body, widen
from .kernel import Buffer, Factors, KernelBuilder, View, factors, times
from .split import FUNCTION, body_cost, element_cost, parallel, parallel_rows
from .transpose import Transpose
from .windows import Windows

UNROLLED_REDUCTION = 64
"""Reductions of up to this many static steps inside a vector body are unrolled whole (a 7x7 window is 49)."""

SIDE_BY_SIDE = 16
"""Vectors side by side that a reduction keeps sums of at once, as one vector that LLVM takes apart: whole lines of memory are read in
order, and no sum waits for another. The mean of a thousand rows takes a sixth of the time that it takes vector by vector. Where functions
are computed too, registers would not suffice."""

KEPT: dict[str, Attribute] = {"no_unroll": UnitAttr()}
"""Loops over short rows: LLVM would write them out before it looks for vectors, and then gather those across rows."""

SHORT = 8
"""Vectors of a row that LLVM might write out."""

LONG = 64
"""Vectors of a row of which it hardly matters what two at a time leave over."""

IN_TURN: dict[str, Attribute] = {"interleave": IntegerAttr(2, i64)}
"""Functions are long chains, each operation waiting for the one before: of two vectors in turn exp takes 5 % less time, erf 10, pow 14."""

MOST_OF_BLOCK = 4
"""Vectors of a channel block at most, as on NEON."""


@dataclass(eq=False)
class Member:
    """One generic of the kernel: its loops as positions in the kernel's loop list, its views, its results' places."""

    op: linalg.GenericOp
    space: Space
    loops: tuple[int, ...]
    reads: dict[int, View] = field(default_factory=dict)
    writes: dict[int, View] = field(default_factory=dict)


class Nest:
    """Emits a group of generics whose loops line up."""

    def __init__(self, k: KernelBuilder, group: Group, buffers: dict[SSAValue, Buffer], lanes: int) -> None:
        self.k = k
        self.group = group
        self.buffers = buffers
        self.lanes = lanes
        self.extents: tuple[Size, ...] = (*group.outer, *group.inner)
        self.outer = len(group.outer)
        self.rows: dict[SSAValue, SSAValue] = {}
        self.scratch: dict[SSAValue, View] = {}
        self.tensors = _Captured(k, buffers)
        self.width = 0

    def emit(self) -> None:
        k, group = self.k, self.group
        members = {op: self._member(cast(linalg.GenericOp, op)) for op in group.members}
        self._collapse(list(members.values()))
        if len(members) == 1:
            (member,) = members.values()
            _Single(self, member).emit()
            return
        for kept in rows_kept(group):
            if kept not in self.buffers:
                shape = [cast(int, d) for d in self.extents[self.outer :]]
                buffer = k.scratch(shape, cast(TensorType, kept.type).element_type)
                self.scratch[kept] = View(buffer, ())
        self.width = self._row_lanes(list(members.values()))
        windows = Windows(self, list(members.values()))
        if not self.width and windows.fits:
            windows.emit()
            return
        passes = split_passes(group)

        def row(indices: list[SSAValue]) -> None:
            for one in passes:
                self._pass(one, members, indices)

        costs = [self._cost(m, vector=self.width > 1) for m in members.values()]
        dynamic = max((c[1] for c in costs), key=len)
        parallel(k, self.extents[: self.outer], (sum(c[0] for c in costs), dynamic), row, max(1, self.width))

    def _cost(self, m: Member, *, vector: bool) -> Factors:
        """Picoseconds of a member in one round of the outer loops."""
        total: Factors = (element_cost(m.op, vector=vector), ())
        for n in m.loops[self.outer :]:
            total = times(total, factors(self.extents[n]))
        return total

    def _row_lanes(self, members: list[Member]) -> int:
        """Lanes for rows that lie side by side, such as channels of a block whose plane is reduced: as many rows are computed at once.
        0 where rows are computed one by one."""
        last, unit, repeated = self.outer - 1, (1, ()), (0, ())
        extent = self.extents[last] if self.outer else None
        types = {a.type for m in members for a in m.op.body.block.args}
        if not isinstance(extent, int) or self.scratch or types != {f32} or extent % self.lanes:
            return 0
        if not all(can_widen(m.op.body.block) for m in members):
            return 0
        reads = [v for m in members for v in m.reads.values()]
        writes = [v for m in members for v in m.writes.values()]
        side_by_side = all(v.strides[last] in (unit, repeated) for v in reads) and all(v.strides[last] == unit for v in writes)
        if not side_by_side or not any(v.strides[last] == unit for v in reads):
            return 0
        return self.lanes * _side_by_side(extent // self.lanes, [m.op for m in members])

    def _member(self, op: linalg.GenericOp) -> Member:
        space = self.group.spaces[op]
        loops = tuple(range(len(space.all)))
        member = Member(op, space, loops)
        own = set(self.group.members)
        for n, (value, map) in enumerate(zip(op.operands, maps_of(op), strict=True)):
            is_out = n >= len(op.inputs)
            place = op.results[n - len(op.inputs)] if is_out else value
            if place.owner in own and not is_out and place not in self.buffers:
                continue
            if place in self.buffers and not _only_sizes(op, n):
                view = self.k.view(self.buffers[place], _on_loops(map, space), loops, space.all)
                (member.writes if is_out else member.reads)[n - len(op.inputs) if is_out else n] = view
        return member

    def _collapse(self, members: list[Member]) -> None:
        """Merges adjacent loops, both outer or both inner ones, over which all operands advance by one stride."""
        if any(isinstance(o, linalg.IndexOp) for m in members for o in m.op.body.block.ops):
            return
        groups: list[list[int]] = []
        for loop in range(len(self.extents)):
            inside = loop not in (0, self.outer) and not any(loop == len(m.space.outer) for m in members)
            if inside and self._mergeable(loop, members):
                groups[-1].append(loop)
            else:
                groups.append([loop])
        if len(groups) == len(self.extents):
            return
        extents = [self._extent([self.extents[n] for n in g]) for g in groups]
        self.extents, self.outer = tuple(extents), sum(g[0] < self.outer for g in groups)
        for m in members:
            outer = [n for n, g in enumerate(groups) if g[-1] < len(m.space.outer)]
            own = [n for n, g in enumerate(groups) if g[-1] < len(m.loops)]
            m.space = Space(tuple(extents[n] for n in outer), tuple(extents[n] for n in own[len(outer) :]), tuple(own))
            m.loops = tuple(own)
            for views, values in ((m.reads, m.op.inputs), (m.writes, m.op.results)):
                for n, view in views.items():
                    strides = [view.strides[groups[g][-1]] for g in own]
                    views[n] = self.again(view, values[n], strides, [extents[g] for g in own])

    def _mergeable(self, loop: int, members: list[Member]) -> bool:
        """Whether all operands advance over a loop and the one outside of it as over a single one."""
        views = [v for m in members if loop < len(m.loops) for v in (*m.reads.values(), *m.writes.values())]
        return all(v.strides[loop - 1] == times(v.strides[loop], factors(self.extents[loop])) for v in views)

    def _extent(self, sizes: list[Size]) -> Size:
        total: Factors = (1, ())
        for s in sizes:
            total = times(total, factors(s))
        return self.k.product(total)

    def again(self, view: View, value: SSAValue, strides: Sequence[Factors], extents: Sequence[Size]) -> View:
        """The view of a value over other loops."""
        owner = view.memref.owner
        assert isinstance(owner, memref.ReinterpretCastOp)
        offset: Size = owner.offsets[0] if owner.offsets else cast(int, owner.static_offsets.get_values()[0])
        return self.k.strided(self.buffers[value], offset, strides, extents)

    # -- one pass over a row

    def _pass(self, one: RowPass, members: dict[Operation, Member], row: list[SSAValue]) -> None:
        chosen = [members[op] for op in one.members]
        if not one.inner:
            for m in chosen:
                self.element(m, row, {}, {})
            return
        reducing = [m for m in chosen if m.space.inner]
        starts = [s for m in reducing for s in self.starts(m)]

        def at(indices: list[SSAValue], carried: list[SSAValue]) -> list[SSAValue]:
            values: dict[SSAValue, SSAValue] = {}
            accumulators: dict[Member, list[SSAValue]] = {}
            rest = list(carried)
            for m in reducing:
                count = len(m.op.results)
                accumulators[m], rest = rest[:count], rest[count:]
            updated: list[SSAValue] = []
            for m in chosen:
                results = self.element(m, [*row, *indices], values, accumulators)
                if m.space.inner:
                    updated += results
            return updated

        final = self._inner_loops(self.outer, [], starts, at)
        for m in reducing:
            for result in m.op.results:
                self.rows[result] = final.pop(0)
            self.store_row(m, row)

    def _inner_loops(self, first: int, indices: list[SSAValue], carried: list[SSAValue], at) -> list[SSAValue]:
        if first == len(self.extents):
            return at(indices, carried)

        def body(i: SSAValue, *c: SSAValue) -> list[SSAValue]:
            return self._inner_loops(first + 1, [*indices, i], list(c), at)

        return self.k.loop(0, self.extents[first], 1, body, carried, **self.row_hints())

    def row_hints(self) -> dict[str, Attribute]:
        """For loops over rows that LLVM is to make vectors of. Those of long ones are to be interleaved, too, which the hint forbids."""
        extent = self.extents[-1]
        return KEPT if not self.width and isinstance(extent, int) and self.lanes <= extent < SHORT * self.lanes else {}

    def starts(self, m: Member) -> list[SSAValue]:
        """The values that a reduction's accumulators start from."""
        return [self._wide(start_value(self.k, v)) for v in m.op.outputs]

    def _wide(self, value: SSAValue) -> SSAValue:
        return broadcast(self.k, value, self.width) if self.width else value

    def element(
        self, m: Member, indices: list[SSAValue], values: dict[SSAValue, SSAValue], accumulators: dict[Member, list[SSAValue]]
    ) -> list[SSAValue]:
        """One element of a member: loads, body, and stores unless it reduces. Row members store and remember their value."""
        op, k = m.op, self.k
        here = indices[: len(m.loops)]
        mapping: dict[SSAValue, SSAValue] = {}
        for n, argument in enumerate(op.body.block.args[: len(op.inputs)]):
            if not argument.uses:
                continue
            mapping[argument] = self._read(m, n, indices, values)
        outs = op.body.block.args[len(op.inputs) :]
        # A reduction over extents of 1 has no loop: it combines its starting value with the one element there is.
        carried = accumulators[m] if m in accumulators else [
            self._wide(start_value(k, v)) for v, a in zip(op.outputs, outs, strict=True) if a.uses
        ]
        for argument, value in zip(outs, carried, strict=False):
            mapping[argument] = value
        loop_of = self._loop_values(m, here)
        results = clone_body(k, op.body.block, mapping, indices=loop_of, tensors=self.tensors, accumulators=outs, width=self.width)
        if m.space.inner:
            return results
        row_value = len(m.loops) == self.outer
        for n, (result, value) in enumerate(zip(op.results, results, strict=True)):
            (self.rows if row_value else values)[result] = value
            if n in m.writes:
                self._store(value, m.writes[n], here)
            elif result in self.scratch:
                k.emit(memref.StoreOp.get(value, self.scratch[result].memref, here[self.outer :]))
        return results

    def _read(self, m: Member, n: int, indices: list[SSAValue], values: dict[SSAValue, SSAValue]) -> SSAValue:
        value = m.op.inputs[n]
        if value in values:
            return values[value]
        if value in self.rows:
            return self.rows[value]
        here = indices[: len(m.loops)]
        if n in m.reads:
            return self._load(m.reads[n], here, m.op.body.block.args[n].type)
        return self.k.emit(memref.LoadOp.get(self.scratch[value].memref, here[self.outer :]))

    def _loop_values(self, m: Member, here: list[SSAValue]) -> list[SSAValue]:
        """An index value for each of the generic's own loops; loops of extent 1 stand at 0."""
        by_loop = dict(zip(m.space.loops, here, strict=True))
        return [by_loop.get(n, self.k.const(0)) for n in range(len(m.op.iterator_types.data))]

    def store_row(self, m: Member, row: list[SSAValue]) -> None:
        for n, result in enumerate(m.op.results):
            if n in m.writes:
                inner = [self.k.const(0)] * (len(m.loops) - len(row))
                self._store(self.rows[result], m.writes[n], [*row, *inner])

    def _load(self, view: View, at: list[SSAValue], type: Attribute) -> SSAValue:
        if self.width and view.strides[self.outer - 1] == (1, ()):
            return self.k.emit(vector.LoadOp(view.memref, at, widen(type, self.width)))
        return self._wide(self.k.emit(memref.LoadOp.get(view.memref, at)))

    def _store(self, value: SSAValue, view: View, at: list[SSAValue]) -> None:
        self.k.emit(vector.StoreOp(self._wide(value), view.memref, at) if self.width else memref.StoreOp.get(value, view.memref, at))


class _Single:
    """A lone generic: loops collapsed where all operands are contiguous over them, vectors over a channel block, or a plain nest."""

    def __init__(self, nest: Nest, member: Member) -> None:
        self.nest, self.m, self.k = nest, member, nest.k

    def emit(self) -> None:
        m = self.m
        lanes = self._vector_lanes()
        transpose = Transpose(self.k, m, self.nest.lanes)
        if transpose.fits:
            transpose.emit()
        elif lanes:
            self._emit_vector(lanes)
        elif (windows := Windows(self.nest, [m])).fits:
            windows.emit()
        elif m.space.inner:
            self._emit_reduction()
        elif lanes := self._block_lanes():
            self._emit_vectors(lanes)
        else:
            self.nest.outer = len(m.space.outer)
            parallel(self.k, self.nest.extents, self._cost(), lambda i: self.nest.element(m, i, {}, {}), hints=self._hints())

    def _hints(self) -> dict[str, Attribute]:
        """For the vectors that LLVM makes of a long row."""
        extent = self.nest.extents[-1] if self.nest.extents else 0
        long = isinstance(extent, int) and extent >= LONG * self.nest.lanes
        return IN_TURN if long and body_cost(self.m.op.body.block) >= FUNCTION else {}

    def _cost(self, *, vector: bool = False) -> Factors:
        """Picoseconds of one round of the parallel loops."""
        total: Factors = (element_cost(self.m.op, vector=vector), ())
        for e in self.m.space.inner:
            total = times(total, factors(e))
        return total

    def _views(self) -> list[View]:
        return [*self.m.reads.values(), *self.m.writes.values()]

    # -- vectors over a channel block

    def _vector_lanes(self) -> int:
        """The number of lanes for explicit vectors, 0 where loops should be left to LLVM."""
        m = self.m
        body = m.op.body.block
        if not m.space.inner or not m.space.outer or not can_widen(body):
            return 0
        last = len(m.space.outer) - 1
        extent = m.space.outer[last]
        if not isinstance(extent, int):
            return 0
        types = {a.type for a in body.args if a.uses or a in body.args[len(m.op.inputs) :]}
        if len(types) != 1 or not isinstance(next(iter(types)), AnyFloat):
            return 0
        bits = cast(FixedBitwidthType, next(iter(types))).bitwidth
        lanes = self.nest.lanes * 32 // bits if bits >= 32 else 0
        if not lanes or extent % lanes or any(v.strides[last] not in ((0, ()), (1, ())) for v in self._views()):
            return 0
        if all(v.strides[last] == (0, ()) for v in m.reads.values()):
            return 0
        return lanes if self._unrolled() else lanes * _side_by_side(extent // lanes, [m.op])

    def _unrolled(self) -> bool:
        """Whether the reduced loops are few steps, to be unrolled whole."""
        inner = self.m.space.inner
        return all(isinstance(e, int) for e in inner) and math.prod(cast("tuple[int, ...]", inner)) <= UNROLLED_REDUCTION

    def _block_lanes(self) -> int:
        """Lanes for explicit vectors where nothing is reduced and the innermost loop is one channel block: too short for LLVM, which keeps
        what is constant along the plane in memory and counts through the lanes. 0 elsewhere."""
        m = self.m
        body, extents = m.op.body.block, m.space.outer
        outs = body.args[len(m.op.inputs) :]
        if len(extents) < 2 or not isinstance(extents[-1], int) or not can_widen(body) or any(a.uses for a in outs):
            return 0
        lanes, last = self.nest.lanes, len(extents) - 1
        if extents[-1] % lanes or extents[-1] > MOST_OF_BLOCK * lanes or {a.type for a in body.args} != {f32}:
            return 0
        unit, repeated = (1, ()), (0, ())
        side_by_side = all(v.strides[last] in (unit, repeated) for v in m.reads.values())
        return lanes if side_by_side and all(v.strides[last] == unit for v in m.writes.values()) else 0

    def _emit_vectors(self, lanes: int) -> None:
        m, k = self.m, self.k

        def at(indices: list[SSAValue]) -> None:
            results = self._vector_element(indices, [], lanes, len(indices) - 1)
            for n, view in m.writes.items():
                k.emit(vector.StoreOp(broadcast(k, results[n], lanes), view.memref, indices))

        self.nest.outer = len(m.space.outer)
        parallel(k, m.space.outer, self._cost(vector=True), at, lanes)

    def _emit_vector(self, lanes: int) -> None:
        m, k, nest = self.m, self.k, self.nest
        last = len(m.space.outer) - 1
        unroll = self._unrolled()

        def lane(outer: list[SSAValue]) -> None:
            starts = [broadcast(k, s, lanes) for s in nest.starts(m)]
            attributes: dict[str, Attribute] = {"unroll": UnitAttr()} if unroll else {}
            final = self._reduce_loops(0, outer, starts, lambda i, c: self._vector_element([*outer, *i], c, lanes, last), attributes)
            for n, view in m.writes.items():
                at = [*outer, *([k.const(0)] * len(m.space.inner))]
                k.emit(vector.StoreOp(final[n], view.memref, at))

        parallel(k, m.space.outer, self._cost(vector=True), lane, lanes)

    def _vector_element(self, indices: list[SSAValue], carried: list[SSAValue], lanes: int, last: int) -> list[SSAValue]:
        m, k = self.m, self.k
        mapping: dict[SSAValue, SSAValue] = {}
        block = m.op.body.block
        for n, argument in enumerate(block.args[: len(m.op.inputs)]):
            if not argument.uses:
                continue
            view = m.reads[n]
            if view.strides[last] == (0, ()):
                mapping[argument] = broadcast(k, k.emit(memref.LoadOp.get(view.memref, indices)), lanes)
            else:
                mapping[argument] = k.emit(vector.LoadOp(view.memref, indices, widen(argument.type, lanes)))
        outs = block.args[len(m.op.inputs) :]
        mapping.update(zip(outs, carried, strict=bool(carried)))
        return clone_body(k, block, mapping, indices=[], tensors={}, accumulators=outs, width=lanes)

    def _reduce_loops(
        self,
        n: int,
        outer: list[SSAValue],
        carried: list[SSAValue],
        at,
        attributes: dict[str, Attribute],
        indices: tuple[SSAValue, ...] = (),
    ) -> list[SSAValue]:
        if n == len(self.m.space.inner):
            return at(list(indices), carried)
        return self.k.loop(
            0,
            self.m.space.inner[n],
            1,
            lambda i, *c: self._reduce_loops(n + 1, outer, list(c), at, attributes, (*indices, i)),
            carried,
            **attributes,
        )

    # -- scalar reductions

    def _emit_reduction(self) -> None:
        """Accumulators in registers over the reduced loops; where only the last parallel loop is contiguous, rows are accumulated
        in the result instead, so that the innermost loop stays contiguous."""
        m, nest, k = self.m, self.nest, self.k
        if self._accumulate_rows():
            self._emit_row_accumulation()
            return

        def cell(indices: list[SSAValue]) -> None:
            def at(inner: list[SSAValue], carried: list[SSAValue]) -> list[SSAValue]:
                return nest.element(m, [*indices, *inner], {}, {m: carried})

            final = self._reduce_loops(0, indices, nest.starts(m), at, nest.row_hints())
            for n, view in m.writes.items():
                k.emit(memref.StoreOp.get(final[n], view.memref, [*indices, *([k.const(0)] * len(m.space.inner))]))

        nest.outer = len(m.space.outer)
        parallel(k, m.space.outer, self._cost(), cell)

    def _accumulate_rows(self) -> bool:
        m = self.m
        if not m.space.outer or len(m.op.results) != 1 or not m.reads:
            return False
        last, deepest = len(m.space.outer) - 1, len(m.loops) - 1
        extent = m.space.outer[last]
        wide = not isinstance(extent, int) or extent >= 8
        unit: Factors = (1, ())
        return (
            wide
            and all(v.strides[last] in (unit, (0, ())) for v in self._views())
            and any(v.strides[deepest] not in (unit, (0, ())) for v in m.reads.values())
        )

    def _emit_row_accumulation(self) -> None:
        m, nest, k = self.m, self.nest, self.k
        zeros = [k.const(0)] * len(m.space.inner)
        (start,) = nest.starts(m)
        write = m.writes[0]

        def rows(outer: list[SSAValue], lower: Size, upper: Size) -> None:
            k.loop(lower, upper, 1, lambda i: k.emit(memref.StoreOp.get(start, write.memref, [*outer, i, *zeros])) and None)

            def at(inner: list[SSAValue], carried: list[SSAValue]) -> list[SSAValue]:
                def one(i: SSAValue) -> None:
                    old = k.emit(memref.LoadOp.get(write.memref, [*outer, i, *zeros]))
                    (new,) = nest.element(m, [*outer, i, *inner], {}, {m: [old]})
                    k.emit(memref.StoreOp.get(new, write.memref, [*outer, i, *zeros]))

                k.loop(lower, upper, 1, one)
                return []

            self._reduce_loops(0, outer, [], at, {})

        parallel_rows(k, m.space.outer, self._cost(), rows)


class _Captured(dict[SSAValue, SSAValue]):
    """Captured tensors to N-d memrefs, made when first asked for."""

    def __init__(self, k: KernelBuilder, buffers: dict[SSAValue, Buffer]) -> None:
        super().__init__()
        self._k, self._buffers = k, buffers

    def __missing__(self, value: SSAValue) -> SSAValue:
        self[value] = self._k.whole(self._buffers[value])
        return self[value]


def _side_by_side(vectors: int, members: list[linalg.GenericOp]) -> int:
    """How many of a row's vectors are computed at once: a divisor, so that none are left over."""
    simple = all(body_cost(op.body.block) < FUNCTION for op in members)
    most = SIDE_BY_SIDE if simple else 1
    return next((n for n in range(min(most, vectors), 0, -1) if vectors % n == 0), 1)


def start_value(k: KernelBuilder, out: SSAValue) -> SSAValue:
    """The scalar that fills a reduction's starting tensor, as a constant of the kernel."""
    owner = out.owner
    assert isinstance(owner, linalg.FillOp), "a reduction starts from a fill"
    constant = owner.inputs[0].owner
    assert isinstance(constant, Operation)
    with k.inside(k.entry):
        clone = constant.clone()
        return k.emit(clone)


def _only_sizes(op: linalg.GenericOp, n: int) -> bool:
    """Whether an input is there for its dimensions alone: nothing reads its element."""
    return n < len(op.inputs) and not op.body.block.args[n].uses


def _on_loops(map: AffineMap, space: Space) -> AffineMap:
    """The map over the space's loops; loops of extent 1 stand at 0."""
    replacements: list[AffineExpr] = [AffineConstantExpr(0)] * map.num_dims
    for position, loop in enumerate(space.loops):
        replacements[loop] = AffineExpr.dimension(position)
    return AffineMap(len(space.loops), 0, tuple(substitute_dims(e, replacements) for e in map.results))
