"""How a rowwise group's members share loops over a row: which run in one pass, and which rows must be kept from one pass to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Operation, SSAValue

from .groups import Group

STACK_ROW = 4096
"""Rows of up to this many elements are kept on the stack (16 KiB of float32, half of L1); larger or dynamic ones in a buffer."""


@dataclass
class RowPass:
    """Members that run once for a row (`row` members, no inner loops) or share one nest of inner loops."""

    members: list[linalg.GenericOp] = field(default_factory=list)
    inner: bool = True


def split_passes(group: Group) -> list[RowPass]:
    """The group's members in order, each in the earliest pass that its operands allow."""
    passes: list[RowPass] = []
    made_by: dict[Operation, int] = {}
    for op in group.members:
        assert isinstance(op, linalg.GenericOp)
        inner = _loops_over_row(op, group)
        earliest = 0
        for v in op.inputs:
            owner = v.owner
            if not isinstance(owner, Operation) or owner not in made_by:
                continue
            full = not _is_row_value(owner, group)
            earliest = max(earliest, made_by[owner] + (0 if full and inner else 1))
        at = next((n for n in range(earliest, len(passes)) if passes[n].inner == inner), None)
        if at is None:
            passes.append(RowPass(inner=inner))
            at = len(passes) - 1
        passes[at].members.append(op)
        made_by[op] = at
    return passes


def _loops_over_row(op: Operation, group: Group) -> bool:
    return len(group.spaces[op].all) == len(group.outer) + len(group.inner)


def _is_row_value(op: Operation, group: Group) -> bool:
    """Whether the op makes one value a row: a reduction, or elementwise over the outer loops only."""
    return bool(group.spaces[op].inner) or not _loops_over_row(op, group)


def rows_kept(group: Group) -> set[SSAValue]:
    """Full rows made in one pass and read in a later one."""
    if not group.rowwise:
        return set()
    kept: set[SSAValue] = set()
    at = {op: n for n, p in enumerate(split_passes(group)) for op in p.members}
    for op in group.members:
        if _is_row_value(op, group):
            continue
        users = [u.operation for r in op.results for u in r.uses if u.operation in at]
        if any(at[u] != at[op] for u in users):  # type: ignore[index]
            kept.update(op.results)
    return kept


def carried_between_passes(group: Group) -> set[SSAValue]:
    """Kept rows that do not fit the stack: the dispatch returns them, so that they get a buffer."""
    if not all(isinstance(d, int) for d in group.inner):
        return rows_kept(group)
    size = 1
    for d in group.inner:
        size *= d  # type: ignore[operator]
    return rows_kept(group) if size > STACK_ROW else set()
