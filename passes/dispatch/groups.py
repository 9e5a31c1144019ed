"""Which operations run as one kernel: rowwise chains of generics around a reduction share their outer loops, all else stands alone.

Called by form_dispatches (what to outline) and by codegen (how the members' loops line up).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineExpr, AffineMap

from .structure import Size, extents_of, is_parallel, maps_of, reduction_dims, substitute_dims


@dataclass
class Space:
    """A generic's loops without those of extent 1: the parallel ones, then the reduced ones, as sizes; `loops` are their positions."""

    outer: tuple[Size, ...]
    inner: tuple[Size, ...]
    loops: tuple[int, ...]

    @property
    def all(self) -> tuple[Size, ...]:
        return (*self.outer, *self.inner)


def space_of(op: linalg.GenericOp) -> Space | None:
    """The generic's loop space, or None where a reduced loop stands before a parallel one."""
    extents, reduced = extents_of(op), reduction_dims(op)
    kept = [k for k, e in enumerate(extents) if e != 1]
    outer = [k for k in kept if k not in reduced]
    inner = [k for k in kept if k in reduced]
    if outer and inner and max(outer) > min(inner):
        return None
    return Space(tuple(extents[k] for k in outer), tuple(extents[k] for k in inner), (*outer, *inner))


def canonical(map: AffineMap, space: Space) -> tuple[str, ...]:
    """A map's results in terms of the space's loops, for comparing accesses of different generics."""
    replacements: list[AffineExpr] = [AffineConstantExpr(0)] * map.num_dims
    for position, loop in enumerate(space.loops):
        replacements[loop] = AffineExpr.dimension(position)
    return tuple(str(substitute_dims(e, replacements)) for e in map.results)


@dataclass(eq=False)
class Group:
    """Generics that run as one kernel. `outer` and `inner` are the shared row space; for a lone generic they are its own."""

    members: list[Operation]
    outer: tuple[Size, ...] = ()
    inner: tuple[Size, ...] = ()
    spaces: dict[Operation, Space] = field(default_factory=dict)
    rowwise: bool = False


def alone(op: Operation) -> Group:
    """A group of one generic."""
    group = Group([op])
    space = space_of(op) if isinstance(op, linalg.GenericOp) else None
    if space is not None:
        group.spaces[op] = space
        group.outer, group.inner, group.rowwise = space.outer, space.inner, bool(space.inner)
    return group


def form_groups(block: Block) -> list[Group]:
    """Partitions the generics of a block, in order of their last members."""
    groups: list[Group] = []
    of: dict[Operation, Group] = {}
    for op in block.ops:
        if not isinstance(op, linalg.GenericOp):
            continue
        space = space_of(op)
        group = _joinable(op, space, of) if space is not None else None
        if group is None:
            group = alone(op)
            groups.append(group)
        else:
            _join(group, op, space)
        if space is not None:
            group.spaces[op] = space
        of[op] = group
    return groups


def _join(group: Group, op: Operation, space: Space | None) -> None:
    group.members.append(op)
    assert space is not None
    if space.inner and not group.inner:
        group.outer, group.inner = space.outer, space.inner
        group.rowwise = True


def _joinable(op: linalg.GenericOp, space: Space | None, of: dict[Operation, Group]) -> Group | None:
    """A group among the producers of op's inputs that op can run in."""
    if space is None:
        return None
    for value in op.inputs:
        owner = value.owner
        group = of.get(owner) if isinstance(owner, Operation) else None
        if group is not None and _fits(op, space, group, of):
            return group
    return None


def _fits(op: linalg.GenericOp, space: Space, group: Group, of: dict[Operation, Group]) -> bool:
    if len(group.members) >= 8 or not _space_matches(op, space, group):
        return False
    own = set(group.members)
    for value, map in zip(op.inputs, maps_of(op), strict=False):
        owner = value.owner
        if not isinstance(owner, Operation):
            continue
        if owner in own:
            assert isinstance(owner, linalg.GenericOp)
            written = maps_of(owner)[len(owner.inputs) + list(owner.results).index(value)]  # type: ignore[arg-type]
            if canonical(written, group.spaces[owner]) != canonical(map, space):
                return False
    if _captures(op, own):
        return False
    return not any(_depends_on(owner, own, of) for owner in _producers(op) if owner not in own)


def _space_matches(op: linalg.GenericOp, space: Space, group: Group) -> bool:
    if not group.rowwise:
        # A parallel producer and the reduction over its last loops: exp and the sum of exps.
        return bool(space.inner) and bool(group.outer) and len(group.members) == 1 and space.all == group.outer
    if space.inner:
        return space.outer == group.outer and space.inner == group.inner
    return space.outer in (group.outer, (*group.outer, *group.inner)) and is_parallel(op)


def _captures(op: linalg.GenericOp, own: set[Operation]) -> bool:
    """Whether the body reads a group member's tensor in another way than by map (tensor.extract)."""
    return any(isinstance(v.owner, Operation) and v.owner in own for inner in op.body.block.ops for v in inner.operands)


def _depends_on(op: Operation, targets: set[Operation], of: dict[Operation, Group], limit: int = 400) -> bool:
    """Whether op needs a result of one of the targets, through any chain of operations; gives up with True after `limit` steps.

    A group runs as one: whoever needs a member waits for what all of its members need.
    """
    seen: set[Operation] = set()
    stack = [op]
    while stack:
        current = stack.pop()
        if current in targets:
            return True
        if current in seen:
            continue
        group = of.get(current)
        members = [current] if group is None else group.members
        seen.update(members)
        if len(seen) > limit:
            return True
        for member in members:
            stack.extend(_producers(member))
    return False


def _producers(op: Operation) -> Sequence[Operation]:
    values: list[SSAValue] = list(op.operands)
    for region in op.regions:
        for inner in region.walk():
            values.extend(inner.operands)
    return [v.owner for v in values if isinstance(v.owner, Operation)]
