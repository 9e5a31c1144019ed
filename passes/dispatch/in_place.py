"""Which results take over the memory of what they begin as, since nothing reads that any more. Called by bufferize.

So are the updates of a cache made where it lies: nothing of it is copied but what is written. A tensor that a loop carries lies in the
memory of its initial value in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import func, scf, tensor
from xdsl.dialects.builtin import TensorType
from xdsl.ir import BlockArgument, Operation, Region, SSAValue

from ...dialects import dispatch
from .liveness import Liveness, Storage, carried

_LOOPS = scf.WhileOp | scf.ForOp
_LOOK = tensor.DimOp | dispatch.TieShapeOp | dispatch.ReshapeOp | dispatch.SlabOp
"""What reads no element: sizes are passed apart, and what is seen through a view is read by whoever uses that."""


@dataclass(frozen=True)
class Reuse:
    """taken: results of calls, and carried arguments of loops, which lie where they begin. over: of others, the input whose memory may be
    theirs if the caller says so: they begin as it, and nothing reads it after."""

    taken: frozenset[SSAValue] = frozenset()
    over: dict[SSAValue, BlockArgument] = field(default_factory=dict)


def liveness(main: func.FuncOp) -> tuple[Liveness, Reuse]:
    """The storages of a function, with those put together that can be one; and which values that concerns."""
    apart = Liveness(main)
    reuse = _Search(main, apart).run()
    return (Liveness(main, reuse.taken) if reuse.taken else apart), reuse


@dataclass(frozen=True)
class _Beginning:
    """A value that begins as another does, at an operation that reads `others`, too."""

    value: SSAValue
    start: SSAValue
    at: Operation
    others: Sequence[SSAValue]


class _Search:
    """Asks of each beginning whether anything could still read what it begins as. `live` tells values' storages apart as far as it can."""

    def __init__(self, main: func.FuncOp, live: Liveness) -> None:
        self.main = main
        self.live = live
        self.number: dict[Operation, int] = {}
        self.end: dict[Operation, int] = {}
        self.reads: dict[Storage, list[Operation]] = {}
        self.home: dict[Storage, Operation | None] = {}
        self.beginnings: list[_Beginning] = []

    def run(self) -> Reuse:
        for argument in self.main.body.block.args:
            self._make(argument, None)
        self._visit(self.main.body, None)
        taken, over = set[SSAValue](), dict[SSAValue, BlockArgument]()
        for beginning in self.beginnings:
            roots = self.live.roots(beginning.start)
            if not roots or not all(self._is_dead(s, beginning) for s in roots):
                continue
            if all(s.owned for s in roots):
                taken.add(beginning.value)
            elif (input := self._only_input(roots)) is not None:
                over[beginning.value] = input
        return Reuse(frozenset(taken), over)

    def _only_input(self, roots: frozenset[Storage]) -> BlockArgument | None:
        foreign = [s for s in roots if not s.owned]
        found = [a for a in self.main.body.block.args if self.live.roots(a) == frozenset(foreign)]
        return found[0] if len(foreign) == len(found) == 1 else None

    def _visit(self, region: Region, loop: Operation | None) -> None:
        """Numbers operations in their order, and notes where storages are made and read."""
        for op in region.block.ops:
            self.number[op] = len(self.number)
            for value in () if isinstance(op, _LOOK) else op.operands:
                for storage in self.live.roots(value):
                    self.reads.setdefault(storage, []).append(op)
            if isinstance(op, dispatch.CallOp):
                for result, start in op.begun.items():
                    others = [*op.read, *(other for one, other in op.begun.items() if one is not result)]
                    self.beginnings.append(_Beginning(result, start, op, others))
            for argument, start in carried(op):
                self._make(argument, op)
                others = [value for value in op.operands if value is not start]
                twice = [start] * (list(op.operands).count(start) - 1)
                self.beginnings.append(_Beginning(argument, start, op, [*others, *twice]))
            for inner in op.regions:
                self._visit(inner, op if isinstance(op, _LOOPS) else loop)
            for result in op.results:
                self._make(result, loop)
            self.end[op] = len(self.number)

    def _make(self, value: SSAValue, loop: Operation | None) -> None:
        """Notes in which loop's rounds what is planned for a value is made anew."""
        if isinstance(value.type, TensorType):
            for storage in self.live.roots(value) & self.live.planned:
                self.home.setdefault(storage, loop)

    def _is_dead(self, storage: Storage, beginning: _Beginning) -> bool:
        """Whether nothing reads a storage after this, nor in another round of a loop, nor beside it."""
        if storage not in self.home or any(storage in self.live.roots(other) for other in beginning.others):
            return False
        at, home = beginning.at, self.home[storage]
        last = len(self.number)
        if home is not None:
            if self.number[at] < self.end[home]:
                last = self.end[home]  # what is read behind the loop is what its last round leaves
            else:
                home = _loop_around(home)
        if _loop_around(at) is not home:
            return False
        return not any(self.number[at] < self.number[op] < last and not _in_other_branch(at, op) for op in self.reads[storage])


def _loop_around(op: Operation) -> Operation | None:
    return next((parent for parent in _around(op) if isinstance(parent, _LOOPS)), None)


def _around(op: Operation) -> Iterator[Operation]:
    while (parent := op.parent_op()) is not None:
        yield parent
        op = parent


def _in_other_branch(one: Operation, other: Operation) -> bool:
    """Whether of two operations at most one runs, being in different branches of a condition."""
    branches: dict[Operation, Region] = {parent: region for parent, region in _regions_around(one) if isinstance(parent, scf.IfOp)}
    return any(branches.get(parent, region) is not region for parent, region in _regions_around(other))


def _regions_around(op: Operation) -> Iterator[tuple[Operation, Region]]:
    while (region := op.parent_region()) is not None and (parent := region.parent) is not None:
        yield parent, region
        op = parent
