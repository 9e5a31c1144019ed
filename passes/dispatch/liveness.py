"""Which storages tensors of the host program stand in, and how long each is needed. Called by bufferize."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from xdsl.dialects import func, scf
from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, BlockArgument, Operation, SSAValue

from ...dialects import dispatch
from .memory_plan import ALIGNMENT, Interval
from .structure import Size, dims_of


@dataclass(frozen=True)
class SizeKey:
    """A dynamic size: equal keys are equal sizes."""

    dims: tuple[Size, ...]
    element: Attribute


@dataclass(eq=False)
class Storage:
    """Memory behind tensor values. `owned`: planned here, not an input or a weight. `size` in bytes where static. `conditional`: made
    in a branch or a loop, so that a run may never need it. `inside`: the larger storage that it is a part of, and from which byte on."""

    dims: tuple[Size, ...]
    type: TensorType
    owned: bool
    conditional: bool = False
    inside: tuple[Storage, int] | None = None
    interval: Interval[SizeKey] = field(init=False)

    def __post_init__(self) -> None:
        static = all(isinstance(d, int) for d in self.dims)
        size = None
        if static:
            size = max(1, getattr(self.type.element_type, "bitwidth", 8) // 8)
            for d in self.dims:
                size *= cast(int, d)
        key = None if static else SizeKey(self.dims, self.type.element_type)
        self.interval = Interval(1 << 60, -1, size, key)

    @property
    def size(self) -> int | None:
        return self.interval.size

    def touch(self, position: int) -> None:
        self.interval.first = min(self.interval.first, position)
        self.interval.last = max(self.interval.last, position)


class Liveness:
    """The storages of a function. Positions count the operations of its outermost block; what is nested counts as its parent.

    taken: results of calls and carried arguments of loops that lie where they begin, see `in_place`.
    """

    def __init__(self, main: func.FuncOp, taken: frozenset[SSAValue] = frozenset()) -> None:
        self.taken = taken
        self.storages: list[Storage] = []
        self._roots: dict[SSAValue, frozenset[Storage]] = {}
        self._slots: set[SSAValue] = set()
        self._scratch: dict[SSAValue, Storage] = {}
        self._depth = 0
        self._joins: list[dispatch.JoinOp] = []
        self._changed: set[Storage] = set()
        block = main.body.block
        for argument in block.args:
            if isinstance(argument.type, TensorType):
                self._own(argument, owned=False, dims=())
        for position, op in enumerate(block.ops):
            self._visit(op, position)
        for value in cast(func.ReturnOp, block.last_op).operands:
            self._touch(value, 1 << 60)
        for join in self._joins:
            self._nest(join, set(self.outputs(cast(func.ReturnOp, block.last_op))))
        for storage in self.storages:  # a part comes before what it is inside of
            if storage.inside is not None:
                for position in (storage.interval.first, storage.interval.last):
                    storage.inside[0].touch(position)

    def roots(self, value: SSAValue) -> frozenset[Storage]:
        return self._roots.get(value, frozenset())

    def storage(self, value: SSAValue) -> Storage:
        (one,) = self._roots[value]
        return one

    def outputs(self, returned: func.ReturnOp) -> dict[Storage, int]:
        """The storages that are an output of the program as they stand, and which."""
        found: dict[Storage, int] = {}
        for n, value in enumerate(returned.operands):
            roots = self.roots(value)
            if len(roots) == 1 and not isinstance(self._where(value).owner, dispatch.SlabOp):
                found.setdefault(next(iter(roots)), n)
        return found

    @property
    def planned(self) -> frozenset[Storage]:
        """Inputs, weights, and what lies where it is planned; all but what grows, is allocated in each round, or is the host's."""
        return frozenset(self.storages)

    def is_slot(self, argument: SSAValue) -> bool:
        """Whether a loop-carried tensor has one place for all rounds, as it has where its size stays."""
        return argument in self._slots

    def scratch(self, argument: SSAValue) -> Storage | None:
        """Where a carried tensor's next value waits while the slots change, None where it may go to its slot at once."""
        return self._scratch.get(argument)

    def _own(self, value: SSAValue, *, owned: bool, dims: tuple[Size, ...] | None = None) -> Storage:
        storage = Storage(dims_of(value) if dims is None else dims, cast(TensorType, value.type), owned, self._depth > 0)
        self.storages.append(storage)
        self._roots[value] = frozenset((storage,))
        return storage

    def _touch(self, value: SSAValue, position: int) -> None:
        for storage in self._roots.get(value, ()):
            storage.touch(position)

    def _visit(self, op: Operation, position: int) -> None:
        for value in op.operands:
            self._touch(value, position)
        if isinstance(op, dispatch.TieShapeOp | dispatch.ReshapeOp | dispatch.SlabOp):
            self._roots[op.result] = self.roots(op.source)
        elif isinstance(op, dispatch.InsertOp):
            self._roots[op.result] = self.roots(op.target)
            self._changed |= self.roots(op.target)
        elif isinstance(op, dispatch.JoinOp):
            self._own(op.result, owned=True).touch(position)
            if not self._depth:
                self._joins.append(op)
        elif isinstance(op, dispatch.AppendOp):
            # Not one of `storages`: it is allocated as it grows, and so are a loop's values of varying size.
            self._roots[op.result] = frozenset((Storage((), cast(TensorType, op.result.type), owned=True),))
        elif isinstance(op, dispatch.DecodeImageOp):
            # Nor is what the host makes.
            self._roots[op.image] = frozenset((Storage((), cast(TensorType, op.image.type), owned=True),))
        elif isinstance(op, dispatch.HostOp):
            for out in op.results:
                if isinstance(out.type, TensorType):
                    self._roots[out] = frozenset((Storage((), out.type, owned=True),))
        elif isinstance(op, dispatch.WeightOp):
            self._own(op.result, owned=False)
        elif isinstance(op, dispatch.CallOp | linalg.GenericOp):
            for out in op.results:
                if out in self.taken and isinstance(op, dispatch.CallOp):
                    self._roots[out] = self.roots(op.begun[out])
                    self._changed |= self.roots(out)
                else:
                    self._own(out, owned=True).touch(position)
        elif isinstance(op, scf.IfOp):
            self._if(op, position)
        elif isinstance(op, scf.WhileOp | scf.ForOp):
            self._loop(op, position)

    def _nest(self, op: dispatch.JoinOp, outputs: set[Storage]) -> None:
        """Has parts computed where the join wants them: those that a kernel makes whole, and that nothing changes or hands out apart."""
        whole, offset = self.storage(op.result), 0
        if whole.size is None or whole in self._changed:
            return
        for part in op.parts:
            bytes = Storage(dims_of(part), cast(TensorType, part.type), owned=False).size
            if bytes is None:  # the whole's size may be known where that of a part is not
                return
            if isinstance(self._where(part).owner, dispatch.CallOp | dispatch.JoinOp) and offset % ALIGNMENT == 0:
                storage = self.storage(part)
                if not storage.conditional and storage.inside is None and storage not in self._changed | outputs:
                    storage.inside = whole, offset
            offset += bytes

    def _where(self, value: SSAValue) -> SSAValue:
        """The value that names the buffer itself, seen through what only changes the type or works in place."""
        while True:
            owner = value.owner
            if isinstance(owner, dispatch.TieShapeOp | dispatch.ReshapeOp):
                value = owner.source
            elif isinstance(owner, dispatch.InsertOp):
                value = owner.target
            elif isinstance(owner, dispatch.CallOp) and value in self.taken:
                value = owner.begun[value]
            else:
                return value

    def _nested(self, block: Block, position: int) -> None:
        self._depth += 1
        for op in block.ops:
            self._visit(op, position)
        self._depth -= 1

    def _if(self, op: scf.IfOp, position: int) -> None:
        for region in op.regions:
            for block in region.blocks:
                self._nested(block, position)
        yields = [b.last_op for r in op.regions for b in r.blocks]
        for n, result in enumerate(op.results):
            if isinstance(result.type, TensorType):
                self._roots[result] = frozenset(s for y in yields if y is not None for s in self.roots(y.operands[n]))

    def _loop(self, op: scf.WhileOp | scf.ForOp, position: int) -> None:
        varying: list[tuple[int, SSAValue]] = []
        slots: dict[int, tuple[BlockArgument, tuple[Size, ...]]] = {}
        second: list[BlockArgument] = []
        for n, a, b, start in _arguments(op):
            second.append(b)
            if not isinstance(a.type, TensorType):
                continue
            dims = _carried_dims(op, a, b, op.results[n])
            if dims is None:
                varying.append((n, start))
                self._roots[a] = self._roots[b] = self._roots[op.results[n]] = self.roots(start)
                continue
            self._slots.add(a)
            if a in self.taken:
                self._roots[a] = self.roots(start)
            else:
                self._own(a, owned=True, dims=dims).touch(position)
            slots[n] = a, dims
            self._roots[b] = self._roots[op.results[n]] = self._roots[a]
        for region in op.regions:
            for block in region.blocks:
                self._nested(block, position)
        self._wait(op.regions[-1].block, second, slots, position)
        for n, start in varying:
            # Each round's value moves to memory of its own; the result may still be the initial value.
            storage = Storage((), cast(TensorType, op.results[n].type), owned=True)
            self._roots[op.results[n]] = frozenset((*self.roots(start), storage))

    def _wait(
        self, body: Block, arguments: list[BlockArgument], slots: dict[int, tuple[BlockArgument, tuple[Size, ...]]], position: int
    ) -> None:
        """Gives scratch memory to carried tensors whose next value lies in one of the loop's slots, but not where it stays."""
        own = frozenset(root for argument, _ in slots.values() for root in self.roots(argument))
        assert body.last_op is not None
        for n, (argument, dims) in slots.items():
            value = body.last_op.operands[n]
            if not self.roots(value) & own or self._where(value) is arguments[n]:
                continue
            waiting = Storage(dims, cast(TensorType, argument.type), owned=True)
            waiting.touch(position)
            self.storages.append(waiting)
            self._scratch[argument] = waiting


def carried(op: Operation) -> Iterator[tuple[BlockArgument, SSAValue]]:
    """The tensors that a loop carries in a place of their own, by the arguments of its first block, with their initial values."""
    if not isinstance(op, scf.WhileOp | scf.ForOp):
        return
    for n, a, b, start in _arguments(op):
        if isinstance(a.type, TensorType) and _carried_dims(op, a, b, op.results[n]) is not None:
            yield a, start


def _arguments(op: scf.WhileOp | scf.ForOp) -> Iterator[tuple[int, BlockArgument, BlockArgument, SSAValue]]:
    """What a loop carries: the position, its argument in the first and in the second block, which may be one, and the initial value."""
    if isinstance(op, scf.WhileOp):
        blocks = zip(op.before_region.block.args, op.after_region.block.args, op.arguments, strict=True)
    else:
        inner = op.body.block.args[1:]
        blocks = zip(inner, inner, op.iter_args, strict=True)
    for n, (a, b, start) in enumerate(blocks):
        yield n, a, b, start


def _carried_dims(op: Operation, *arguments: SSAValue) -> tuple[Size, ...] | None:
    """A carried tensor's dimensions if they are the same in every round: static, or tied to values from outside the loop."""
    shape = cast(TensorType, arguments[0].type)
    if dispatch.dynamic_count([shape]) == 0:
        return tuple(shape.get_shape())
    for argument in arguments:
        for use in argument.uses:
            if isinstance(use.operation, dispatch.TieShapeOp):
                dims = dims_of(use.operation.result)
                fixed = all(isinstance(d, int) or not _inside(d, op) for d in dims)
                return dims if fixed else None
    return None


def _inside(value: SSAValue, op: Operation) -> bool:
    current: Operation | Block | None = value.owner
    while current is not None:
        if current is op:
            return True
        current = current.parent_op()
    return False
