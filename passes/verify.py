"""Checks on SSA that xDSL's verifier leaves out; run before emission and, in debug runs, after each pass."""

from __future__ import annotations

from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.traits import IsolatedFromAbove

from ..errors import IntaglioError


def check_dominance(op: Operation) -> None:
    """Raises IntaglioError (ITG4003) unless every operand under `op` is defined before its use, in its block or one around it.

    Structured IR only: a region of several blocks is an error. `op` sees nothing outside itself. Linear time.
    """
    for region in op.regions:
        _check_region(region, set(), op)


def _check_region(region: Region, visible: set[int], parent: Operation) -> None:
    block = region.first_block
    if block is None:
        return
    if block.next_block is not None:
        raise _error(parent, "has a region of several blocks; control flow is structured at this level")
    # Values are known by id: hashing them costs more than all else here.
    # What the region defines leaves with it, so that its siblings do not see it.
    defined = _check_block(block, visible)
    visible.difference_update(defined)


def _check_block(block: Block, visible: set[int]) -> list[int]:
    defined = [id(argument) for argument in block.args]
    visible.update(defined)
    for op in block.ops:
        for operand in op.operands:
            if id(operand) not in visible:
                raise _error(op, f"operand {list(op.operands).index(operand)}, {_name(operand)}, is not defined before it")
        if op.regions:
            inner: set[int] = set() if op.has_trait(IsolatedFromAbove) else visible
            for region in op.regions:
                _check_region(region, inner, op)
        for result in op.results:
            defined.append(id(result))
            visible.add(id(result))
    return defined


def _name(value: SSAValue) -> str:
    name = f"%{value.name_hint} " if value.name_hint else ""
    owner = value.owner
    return f"{name}({owner.name if isinstance(owner, Operation) else 'block argument'} : {value.type})"


def _error(op: Operation, message: str) -> IntaglioError:
    hint = "The pass that wrote this IR is at fault; please report it."
    return IntaglioError("ITG4003", message, subject=op.name, node=_function(op), hint=hint)


def _function(op: Operation) -> str | None:
    parent: Operation | None = op
    while parent is not None:
        name = parent.properties.get("sym_name")
        if name is not None:
            return getattr(name, "data", None)
        parent = parent.parent_op()
    return None
