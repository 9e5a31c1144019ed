"""From tensors to buffers: the host program on the dispatch level becomes the hal level, with one planned arena.

Sizes that follow from input dimensions alone are worked out once, at the top of the run, and share the arena; what depends on data
is allocated where it is made. Loop-carried tensors of fixed size live in one buffer and are copied into it at each round's end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects import arith, func, scf, tensor
from xdsl.dialects.builtin import FloatAttr, IndexType, IntegerAttr, ModuleOp, TensorType, f64, i1, i64
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from ...dialects import dispatch, hal
from ...errors import UnsupportedError
from ..codegen.lower_asserts import CHECKED
from .in_place import liveness
from .liveness import Storage
from .memory_plan import ALIGNMENT, place_dynamic, place_static
from .structure import Size, constant_index, dims_of

MAX_BYTES = float(2**46)
"""No single buffer is larger (64 TiB); beyond it sizes could overflow, so the run fails first."""


class Bufferize(ModulePass):
    """Replaces the tensor-level `main` by a hal-level one."""

    name = "bufferize"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        main = next(f for f in op.ops if isinstance(f, func.FuncOp) and f.sym_name.data == "main")
        checked = {f.sym_name.data: f.attributes[CHECKED] for f in op.ops if isinstance(f, func.FuncOp) and CHECKED in f.attributes}
        new = _Bufferizer(main, checked).run()
        op.body.block.insert_op_before(new, main)
        main.detach()
        main.erase(safe_erase=False)


@dataclass
class _Place:
    """Where a planned storage lies: an offset into the arena."""

    offset: Size


@dataclass
class _Slot:
    """Where a loop-carried tensor of fixed size lies, and where its next value waits if it must."""

    buffer: SSAValue
    scratch: SSAValue | None


class _Bufferizer:
    def __init__(self, main: func.FuncOp, checked: Mapping[str, Attribute]) -> None:
        self.main = main
        self.checked = checked
        self.entry = Block()
        self.block = self.entry
        self.location = main.location
        self.values: dict[SSAValue, SSAValue] = {}
        self.dims_of_argument: dict[SSAValue, list[SSAValue]] = {}
        self.early: dict[SSAValue, SSAValue | None] = {}
        self.places: dict[Storage, _Place] = {}
        self.guarded: set[tuple[object, ...]] = set()
        self.arena: SSAValue | None = None
        self.live, self.reuse = liveness(main)
        self.outputs = self.live.outputs(cast(func.ReturnOp, main.body.block.last_op))
        self.hoisted: dict[Storage, SSAValue] = {}
        self.joined: dict[Storage, SSAValue] = {}

    # -- the whole function

    def run(self) -> func.FuncOp:
        source = self.main.body.block
        for argument in source.args:
            self._declare(argument)
        self._plan()
        self._translate(source)
        outputs = self._outputs(cast(func.ReturnOp, source.last_op))
        self.emit(func.ReturnOp(*outputs))
        new = func.FuncOp("main", ([a.type for a in self.entry.args], [o.type for o in outputs]), Region(self.entry))
        new.attributes.update(self.main.attributes)
        return new

    def _declare(self, argument: BlockArgument) -> None:
        """An input's buffer, then one index for each of its dimensions; a list is itself."""
        buffer = self.entry.insert_arg(_host_type(argument.type), len(self.entry.args))
        buffer.name_hint = argument.name_hint
        self.values[argument] = buffer
        if not isinstance(argument.type, TensorType):
            return
        rank = cast(TensorType, argument.type).get_num_dims()
        self.dims_of_argument[argument] = [self.entry.insert_arg(IndexType(), len(self.entry.args)) for _ in range(rank)]

    def _outputs(self, returned: func.ReturnOp) -> list[SSAValue]:
        result: list[SSAValue] = []
        for n, value in enumerate(returned.operands):
            if not isinstance(value.type, TensorType):
                result.append(self.values[value])
                continue
            result.append(self._owned(value, n))
            result += [self.index(d) for d in dims_of(value)]
        return result

    def _owned(self, value: SSAValue, output: int) -> SSAValue:
        """The output's buffer, copied if it belongs to the caller or to the weights."""
        if all(s.owned for s in self.live.roots(value)):
            return self.values[value]
        bytes = self.index(self.bytes(dims_of(value), value.type))
        inputs = [a for a in self.main.body.block.args if self.live.roots(value) == self.live.roots(a)]
        over = inputs[0].index if inputs else None  # it may lie there, as it stays what it is
        fresh = self.emit(hal.LentOp(output, bytes, self.emit(hal.AllocateOp(bytes)), over))
        self.emit(hal.CopyOp(self.values[value], fresh, bytes))
        return fresh

    # -- building

    def emit(self, op: Operation) -> SSAValue:
        op.location = self.location
        self.block.add_op(op)
        return op.results[0] if op.results else None  # type: ignore[return-value]

    def const(self, n: int) -> SSAValue:
        return self.emit(arith.ConstantOp(IntegerAttr(n, IndexType())))

    def index(self, size: Size) -> SSAValue:
        """A dimension of the old program as an index value of the new one."""
        return self.const(size) if isinstance(size, int) else self.values.get(size, size)

    def bytes(self, dims: Sequence[Size], type: Attribute) -> Size:
        """Bytes of a buffer of those (old) dimensions; guarded against negative and absurd sizes where they are dynamic."""
        width = element_bytes(cast(TensorType, type).element_type)
        if all(isinstance(d, int) for d in dims):
            total = width
            for d in dims:
                total *= cast(int, d)
            return total
        known = width
        dynamic: list[SSAValue] = []
        for d in dims:
            if isinstance(d, int):
                known *= d
            else:
                dynamic.append(self.index(d))
        self._guard(known, dynamic)
        value = self.const(known)
        for d in dynamic:
            value = self.emit(arith.MuliOp(value, d))
        return value

    def _guard(self, known: int, dynamic: list[SSAValue]) -> None:
        key = (self.block, known, *dynamic)
        if key in self.guarded:
            return
        self.guarded.add(key)
        self.emit(hal.RequireOp(self._sane(known, dynamic), "ITG5010", "a tensor's size is negative or larger than 64 TiB"))

    def _sane(self, known: int, dynamic: list[SSAValue]) -> SSAValue:
        """Whether no dimension is negative and the bytes are not absurd."""
        total = self.emit(arith.ConstantOp(FloatAttr(float(known), f64)))
        fine = self.emit(arith.ConstantOp(IntegerAttr(1, i1)))
        zero = self.const(0)
        for d in dynamic:
            wide = self.emit(arith.IndexCastOp(d, i64))
            total = self.emit(arith.MulfOp(total, self.emit(arith.SIToFPOp(wide, f64))))
            fine = self.emit(arith.AndIOp(fine, self.emit(arith.CmpiOp(d, zero, "sge"))))
        limit = self.emit(arith.ConstantOp(FloatAttr(MAX_BYTES, f64)))
        return self.emit(arith.AndIOp(fine, self.emit(arith.CmpfOp(total, limit, "ole"))))

    def _possible_bytes(self, dims: Sequence[Size], element: Attribute) -> SSAValue:
        """Bytes of a buffer that the run may never need: 0 where its size is absurd, which is only an error where it is used."""
        known = element_bytes(element)
        dynamic: list[SSAValue] = []
        for d in dims:
            if isinstance(d, int):
                known *= d
            else:
                dynamic.append(self.index(d))
        total = self.const(known)
        for d in dynamic:
            total = self.emit(arith.MuliOp(total, d))
        return self.emit(arith.SelectOp(self._sane(known, dynamic), total, self.const(0)))

    # -- the plan

    def _plan(self) -> None:
        """Offsets in the arena for every storage whose size is known at the top; the rest is allocated where it is made."""
        static = [s for s in self.live.storages if s.owned and s.size is not None and s.inside is None]
        total = place_static([s.interval for s in static])
        for s in static:
            self.places[s] = _Place(s.interval.offset)
        dynamic = [s for s in self.live.storages if s.owned and s.size is None and self._early_dims(s)]
        offset: Size = total
        slots = place_dynamic([s.interval for s in dynamic])
        by_interval = {id(s.interval): s for s in dynamic}
        for slot in slots:
            largest: SSAValue | None = None
            for key in slot.keys:
                users = [s for t in slot.tenants if (s := by_interval[id(t)]).interval.key == key]
                if all(s.conditional for s in users):
                    bytes = self._possible_bytes(self._early_key(key), key.element)
                else:
                    bytes = self.index(self.bytes(self._early_key(key), TensorType(key.element, [])))
                largest = bytes if largest is None else self.emit(arith.MaxUIOp(largest, bytes))
            for tenant in slot.tenants:
                self.places[by_interval[id(tenant)]] = _Place(offset)
            assert largest is not None
            padded = self.emit(arith.AddiOp(largest, self.const(ALIGNMENT - 1)))
            aligned = self.emit(arith.AndIOp(padded, self.const(-ALIGNMENT)))
            offset = self.emit(arith.AddiOp(self.const(offset) if isinstance(offset, int) else offset, aligned))
        if self.places:
            self.arena = self.emit(hal.ArenaOp(self.const(offset) if isinstance(offset, int) else offset))

    def _early_dims(self, s: Storage) -> bool:
        return all(isinstance(d, int) or self._early(d) is not None for d in s.dims)

    def _early_key(self, key: object) -> list[Size]:
        return [d if isinstance(d, int) else cast(SSAValue, self._early(d)) for d in key.dims]  # type: ignore[attr-defined]

    def _early(self, value: SSAValue) -> SSAValue | None:
        """The value worked out at the top of the program, or None if it depends on more than input dimensions."""
        if value not in self.early:
            self.early[value] = self._work_out_early(value)
        return self.early[value]

    def _work_out_early(self, value: SSAValue) -> SSAValue | None:
        owner = value.owner
        if isinstance(owner, tensor.DimOp) and owner.source in self.dims_of_argument:
            axis = constant_index(owner.index)
            assert axis is not None, "dimensions are asked for by constant axes"
            return self.dims_of_argument[owner.source][axis]
        if not isinstance(owner, Operation) or not owner.name.startswith("arith."):
            return None
        operands = [self._early(v) for v in owner.operands]
        if any(v is None for v in operands):
            return None
        clone = owner.clone(dict(zip(owner.operands, cast("list[SSAValue]", operands), strict=True)))
        return self.emit(clone)

    # -- translation

    def _translate(self, block: Block) -> None:
        for op in block.ops:
            self.location = op.location
            handler = _HANDLERS.get(type(op))
            if handler is not None:
                handler(self, op)
            elif op.name.startswith("arith."):
                self._scalar(op)
            elif isinstance(op, dispatch.HostOp):
                self._host_op(op)
            elif not isinstance(op, func.ReturnOp | scf.YieldOp | scf.ConditionOp):
                raise UnsupportedError("ITG3021", f"{op.name} cannot stand in the host program")

    def _scalar(self, op: Operation) -> None:
        (result,) = op.results
        known = self.early.get(result)
        self.values[result] = known if known is not None else self.emit(op.clone({v: self.values[v] for v in op.operands}))

    def _host_op(self, op: dispatch.HostOp) -> None:
        """The same on buffers; what it makes has memory of its own."""
        operands, types = [self.values[v] for v in op.operands], [_host_type(r.type) for r in op.results]
        new = type(op).create(operands=operands, result_types=types, properties=dict(op.properties))
        self.emit(new)
        self.values.update(zip(op.results, new.results, strict=True))

    def _dim(self, op: tensor.DimOp) -> None:
        axis = constant_index(op.index)
        assert axis is not None, "dimensions are asked for by constant axes"
        self.values[op.result] = self.dims_of_argument[op.source][axis]

    def _alias(self, op: dispatch.TieShapeOp | dispatch.ReshapeOp) -> None:
        if op.source in self.values:  # an empty tensor has no buffer, and needs none
            self.values[op.result] = self.values[op.source]

    def _slab(self, op: dispatch.SlabOp) -> None:
        self.values[op.result], _ = self._at(self.values[op.source], op.result, op.index)

    def _at(self, buffer: SSAValue, part: SSAValue, index: SSAValue) -> tuple[SSAValue, SSAValue]:
        """The place of the entry at an index of a leading axis whose entries are like `part`, and an entry's bytes."""
        bytes = self.index(self.bytes(dims_of(part), part.type))
        return self.emit(hal.SliceOp(buffer, self.emit(arith.MuliOp(self.values[index], bytes)))), bytes

    def _insert(self, op: dispatch.InsertOp) -> None:
        place, bytes = self._at(self.values[op.target], op.part, op.index)
        self.emit(hal.CopyOp(self.values[op.part], place, bytes))
        self.values[op.result] = self.values[op.target]

    def _join(self, op: dispatch.JoinOp) -> None:
        """Copies the parts that were not computed where they belong."""
        whole = self.live.storage(op.result)
        self.values[op.result] = buffer = self._whole(whole)
        offset: Size = 0
        for part in op.parts:
            bytes = self.bytes(dims_of(part), part.type)
            inside = any(s.inside == (whole, offset) for s in self.live.roots(part))
            if not inside and part in self.values:  # an empty tensor has no buffer
                self.emit(hal.CopyOp(self.values[part], self.emit(hal.SliceOp(buffer, self.index(offset))), self.index(bytes)))
            if isinstance(offset, int) and isinstance(bytes, int):
                offset += bytes
            else:
                offset = self.emit(arith.AddiOp(self.index(offset), self.index(bytes)))

    def _whole(self, storage: Storage) -> SSAValue:
        """The buffer of what is joined, made for the first of its parts that is computed there, else by the join."""
        if storage not in self.joined:
            self.joined[storage] = self._make(storage)
        return self.joined[storage]

    def _append(self, op: dispatch.AppendOp) -> None:
        """Moves to twice the memory where the room is used up, then copies the new entry behind the others."""
        target, count, room = self.values[op.target], self.values[op.count], self.values[op.room]
        bytes = self.index(self.bytes(dims_of(op.part), op.part.type))
        full = self.emit(arith.CmpiOp(count, room, "sge"))
        with self._inside() as grow:
            needed = self.emit(arith.AddiOp(count, self.const(1)))
            doubled = self.emit(arith.MuliOp(needed, self.const(2)))
            larger = self.emit(hal.AllocateOp(self.emit(arith.MuliOp(doubled, bytes))))
            self.emit(hal.CopyOp(target, larger, self.emit(arith.MuliOp(count, bytes))))
            self.emit(scf.YieldOp(larger, doubled))
        with self._inside() as stay:
            self.emit(scf.YieldOp(target, room))
        choice = scf.IfOp(full, [hal.BufferType(), IndexType()], Region(grow), Region(stay))
        self.emit(choice)
        buffer, self.values[op.new_room] = choice.results
        self.emit(hal.CopyOp(self.values[op.part], self._at(buffer, op.part, op.count)[0], bytes))
        self.values[op.result] = buffer

    def _decode_image(self, op: dispatch.DecodeImageOp) -> None:
        bytes = self.index(self.bytes(dims_of(op.stream), op.stream.type))
        decoded = hal.DecodeImageOp(self.values[op.stream], bytes)
        self.emit(decoded)
        self.values.update(zip(op.results, decoded.results, strict=True))

    def _weight(self, op: dispatch.WeightOp) -> None:
        self.values[op.result] = self.emit(hal.WeightOp(op.id.data))

    def _empty(self, op: tensor.EmptyOp) -> None:
        """An empty tensor that outlining left is there for its dimensions only."""

    def _read(self, op: tensor.ExtractOp) -> None:
        linear: SSAValue | None = None
        for i, d in zip(op.indices, dims_of(op.tensor), strict=True):
            here = self.values[i]
            linear = here if linear is None else self.emit(arith.AddiOp(self.emit(arith.MuliOp(linear, self.index(d))), here))
        self.values[op.result] = self.emit(hal.ReadOp(self.values[op.tensor], linear or self.const(0), op.result.type))

    def _entropy(self, op: dispatch.EntropyOp) -> None:
        self.values[op.result] = self.emit(hal.EntropyOp())

    def _require(self, op: dispatch.RequireOp) -> None:
        values = [self.values[v] for v in op.values]
        self.emit(hal.RequireOp(self.values[op.condition], op.code.data, op.message.data, values))

    def _call(self, op: dispatch.CallOp) -> None:
        for out in op.outs:
            self.values[out] = self._begin(out, op.begun[out]) if out in op.begun else self._make(self.live.storage(out))
        name = op.callee.root_reference.data
        buffers = [self.values[v] for v in (*op.read, *op.outs)]
        if name in self.checked:
            buffers.append(self.emit(hal.StatusOp()))
        constants = [self.values[c] for c in op.constants]
        work = [self.values[w] for w in op.work]
        cost = None if op.cost is None else self.values[op.cost]
        self.emit(hal.DispatchOp(name, self.values[op.workgroups], buffers, constants, work, cost))
        if name in self.checked:
            self.emit(hal.CheckOp.create(properties={"messages": self.checked[name]}))

    def _begin(self, value: SSAValue, start: SSAValue) -> SSAValue:
        """The buffer of a value that begins as another: that one's where nothing else reads it, else its own, with a copy. The copy is
        none where the caller lends an output the memory of the input it begins as."""
        if value in self.reuse.taken:
            return self.values[start]
        input = self.reuse.over.get(value)
        buffer = self._make(self.live.storage(value), None if input is None else input.index)
        if start in self.values:  # a tensor without elements has no buffer, and what is filled in a loop starts empty
            self.emit(hal.CopyOp(self.values[start], buffer, self.index(self.bytes(dims_of(start), start.type))))
        return buffer

    def _make(self, storage: Storage, over: int | None = None) -> SSAValue:
        """The buffer of a storage: its place in the arena, memory taken before the loop around it, or a fresh allocation; or what the
        caller lends for the output that it becomes, which may be the memory of the input `over`."""
        if storage.inside is not None:
            whole, offset = storage.inside
            return self.emit(hal.SliceOp(self._whole(whole), self.const(offset)))
        place = self.places.get(storage)
        if storage.conditional and (place is not None or storage in self.hoisted):
            self.bytes(storage.dims, storage.type)  # refuses what the plan let pass
        if storage in self.hoisted:
            return self.hoisted[storage]
        if place is None:
            buffer = self.emit(hal.AllocateOp(self.index(self.bytes(storage.dims, storage.type))))
        else:
            assert self.arena is not None
            offset = self.const(place.offset) if isinstance(place.offset, int) else place.offset
            buffer = self.emit(hal.SliceOp(self.arena, offset))
        if (output := self.outputs.get(storage)) is None:
            return buffer
        return self.emit(hal.LentOp(output, self.index(self.bytes(storage.dims, storage.type)), buffer, over))

    # -- control flow

    @contextmanager
    def _inside(self) -> Iterator[Block]:
        """What is emitted inside goes to a new block."""
        outer, self.block = self.block, Block()
        try:
            yield self.block
        finally:
            self.block = outer

    def _region(self, block: Block, args: Sequence[SSAValue], finish: Callable[[], None]) -> Block:
        """Translates a nested block into a new one; `args` are old block arguments that stay arguments."""
        with self._inside() as new:
            for a in args:
                self.values[a] = new.insert_arg(_host_type(a.type), len(new.args))
            self._translate(block)
            finish()
        return new

    def _if(self, op: scf.IfOp) -> None:
        blocks: list[Block] = []
        for region in op.regions:
            source = region.block

            def finish(source: Block = source) -> None:
                last = source.last_op
                values = [self.values[v] for v in last.operands] if isinstance(last, scf.YieldOp) else []
                self.emit(scf.YieldOp(*values))

            blocks.append(self._region(source, [], finish))
        new = scf.IfOp(self.values[op.cond], [_host_type(r.type) for r in op.results], Region(blocks[0]), Region(blocks[1]))
        self.emit(new)
        self.values.update(zip(op.results, new.results, strict=True))

    def _while(self, op: scf.WhileOp) -> None:
        before, after = op.before_region.block, op.after_region.block
        self._hoist(op)
        carried = self._slots(before.args, op.arguments)
        kept = [n for n in range(len(op.arguments)) if n not in carried]
        initial = [self._initial(op.arguments[n]) for n in kept]
        for n, slot in carried.items():
            self.values[before.args[n]] = self.values[after.args[n]] = self.values[op.results[n]] = slot.buffer

        def condition() -> None:
            last = cast(scf.ConditionOp, before.last_op)
            self.emit(scf.ConditionOp(self.values[last.condition], *(self.values[last.args[n]] for n in kept)))

        first = self._region(before, [before.args[n] for n in kept], condition)
        second = self._region(after, [after.args[n] for n in kept], lambda: self._yield(after, carried, kept))
        new = scf.WhileOp(initial, [_host_type(op.results[n].type) for n in kept], Region(first), Region(second))
        self.emit(new)
        self.values.update(zip((op.results[n] for n in kept), new.results, strict=True))

    def _for(self, op: scf.ForOp) -> None:
        body = op.body.block
        self._hoist(op)
        carried = self._slots(body.args[1:], op.iter_args)
        kept = [n for n in range(len(op.iter_args)) if n not in carried]
        initial = [self._initial(op.iter_args[n]) for n in kept]
        for n, slot in carried.items():
            self.values[body.args[n + 1]] = self.values[op.results[n]] = slot.buffer
        arguments = [body.args[0], *(body.args[n + 1] for n in kept)]
        block = self._region(body, arguments, lambda: self._yield(body, carried, kept))
        new = scf.ForOp(self.values[op.lb], self.values[op.ub], self.values[op.step], initial, Region(block))
        self.emit(new)
        self.values.update(zip((op.results[n] for n in kept), new.results, strict=True))

    def _hoist(self, loop: Operation) -> None:
        """Takes memory whose size is known before the loop once, not in every round; what a branch may not need stays there."""
        for op in _unconditional(loop):
            for out in op.outs if isinstance(op, dispatch.CallOp) else ():
                if out in self.reuse.taken:
                    continue
                storage = self.live.storage(out)
                known = all(isinstance(d, int) or d in self.values for d in storage.dims)
                if known and storage not in self.places and storage not in self.hoisted:
                    element = storage.type.element_type
                    self.hoisted[storage] = self.emit(hal.AllocateOp(self._possible_bytes(storage.dims, element)))

    def _slots(self, arguments: Sequence[SSAValue], initial: Sequence[SSAValue]) -> dict[int, _Slot]:
        """The buffers of loop-carried tensors of fixed size, by position, filled with the initial values."""
        found: dict[int, _Slot] = {}
        for n, (argument, value) in enumerate(zip(arguments, initial, strict=True)):
            if self.live.is_slot(argument):
                scratch = self.live.scratch(argument)
                found[n] = _Slot(self._begin(argument, value), None if scratch is None else self._make(scratch))
        return found

    def _initial(self, value: SSAValue) -> SSAValue:
        """A carried value before the first round; a tensor without elements needs a buffer too, though nobody reads it."""
        return self.values[value] if value in self.values else self.emit(hal.AllocateOp(self.const(ALIGNMENT)))

    def _yield(self, body: Block, slots: dict[int, _Slot], kept: Sequence[int]) -> None:
        """Ends a round: carried tensors go to their slots, through scratch memory where another slot's change could touch them."""
        last = body.last_op
        assert isinstance(last, scf.YieldOp)
        moves: list[tuple[SSAValue, SSAValue, SSAValue]] = []
        for n, slot in slots.items():
            value = last.operands[n]
            buffer = self.values[value]
            if buffer is slot.buffer:
                continue
            bytes = self.index(self.bytes(dims_of(value), value.type))
            if slot.scratch is not None:
                self.emit(hal.CopyOp(buffer, slot.scratch, bytes))
                buffer = slot.scratch
            moves.append((buffer, slot.buffer, bytes))
        kept_values = [self._kept(last.operands[n]) for n in kept]
        for move in moves:
            self.emit(hal.CopyOp(*move))
        self.emit(scf.YieldOp(*kept_values))

    def _kept(self, value: SSAValue) -> SSAValue:
        """A carried value that stays a loop argument; a tensor moves to memory of its own, since the round's buffers are reused."""
        if not isinstance(value.type, TensorType) or isinstance(value.owner, dispatch.AppendOp):
            return self.values[value]
        bytes = self.index(self.bytes(dims_of(value), value.type))
        fresh = self.emit(hal.AllocateOp(bytes))
        self.emit(hal.CopyOp(self.values[value], fresh, bytes))
        return fresh


def _unconditional(parent: Operation) -> Iterator[Operation]:
    """The operations under `parent` that run whenever it does, but for the rounds of loops."""
    for region in parent.regions:
        for op in region.block.ops:
            yield op
            if not isinstance(op, scf.IfOp):
                yield from _unconditional(op)


def _host_type(type: Attribute) -> Attribute:
    return hal.BufferType() if isinstance(type, TensorType) else type


def element_bytes(element: Attribute) -> int:
    """Bytes of one element in memory; a bool takes one."""
    return max(1, getattr(element, "bitwidth", 8) // 8)


def port_attributes(inputs: Sequence[hal.Port], outputs: Sequence[hal.Port]) -> dict[str, Attribute]:
    """The attributes by which `main` describes its inputs and outputs."""
    return {hal.INPUTS: hal.ports_attribute(inputs), hal.OUTPUTS: hal.ports_attribute(outputs)}


_HANDLERS: dict[type[Operation], Callable] = {
    tensor.DimOp: _Bufferizer._dim,
    tensor.EmptyOp: _Bufferizer._empty,
    tensor.ExtractOp: _Bufferizer._read,
    dispatch.TieShapeOp: _Bufferizer._alias,
    dispatch.ReshapeOp: _Bufferizer._alias,
    dispatch.SlabOp: _Bufferizer._slab,
    dispatch.InsertOp: _Bufferizer._insert,
    dispatch.JoinOp: _Bufferizer._join,
    dispatch.AppendOp: _Bufferizer._append,
    dispatch.DecodeImageOp: _Bufferizer._decode_image,
    dispatch.WeightOp: _Bufferizer._weight,
    dispatch.EntropyOp: _Bufferizer._entropy,
    dispatch.RequireOp: _Bufferizer._require,
    dispatch.CallOp: _Bufferizer._call,
    scf.IfOp: _Bufferizer._if,
    scf.WhileOp: _Bufferizer._while,
    scf.ForOp: _Bufferizer._for,
}
