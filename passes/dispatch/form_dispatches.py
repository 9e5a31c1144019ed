"""Forms dispatches: outlines every group of generics and every contraction into an executable of its own and calls it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from xdsl.context import Context
from xdsl.dialects import arith, func, tensor
from xdsl.dialects.builtin import IndexType, IntegerAttr, LocationAttr, ModuleOp, TensorType, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from ...dialects import dispatch, locations
from .groups import Group, alone, form_groups
from .passes_over_rows import carried_between_passes
from .structure import dims_of, is_parallel

EXECUTABLE = "dispatch.executable"


class FormDispatches(ModulePass):
    """Outlines work into executables: functions on tensors, marked `dispatch.executable`, run by dispatch.call."""

    name = "form-dispatches"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        main = next(f for f in op.ops if isinstance(f, func.FuncOp) and f.sym_name.data == "main")
        outliner = _Outliner(op)
        blocks = [b for nested in main.walk() for r in nested.regions for b in r.blocks if _is_host_block(b)]
        for block in blocks:
            outliner.run(block)


def _is_host_block(block: Block) -> bool:
    return not isinstance(block.parent_op(), linalg.GenericOp | dispatch.ContractOp)


class _Outliner:
    """Outlines the groups of one block after another; equal executables are kept once."""

    def __init__(self, module: ModuleOp) -> None:
        self.module = module
        self.serial = itertools.count()
        self.known: dict[str, str] = {}

    def run(self, block: Block) -> None:
        groups = [*form_groups(block), *(Group([op]) for op in block.ops if isinstance(op, dispatch.ContractOp))]
        groups += [Group([op]) for op in block.ops if isinstance(op, linalg.FillOp) and _used_as_tensor(op)]
        while (circular := _schedule(block, groups)) is not None:
            groups = [g for g in groups if g is not circular] + [alone(op) for op in circular.members]
        for group in groups:
            self.outline(group)
        _erase_unused(block)

    def outline(self, group: Group) -> None:
        last = group.members[-1]
        results = _needed_results(group)
        tensors, indices = _captured(group)
        dims = [d for v in (*tensors, *results) for d in dims_of(v) if isinstance(d, SSAValue)]
        constants = list(dict.fromkeys([*indices, *(d for d in dims if not _is_constant(d))]))
        body = Block(arg_types=[*(t.type for t in tensors), *(c.type for c in constants)])
        mapping: dict[SSAValue, SSAValue] = dict(zip((*tensors, *constants), body.args, strict=True))
        self._fill(group, body, mapping, tensors)
        body.add_op(func.ReturnOp(*(mapping[r] for r in results)))
        types = [r.type for r in results]
        exe = func.FuncOp("x", ([a.type for a in body.args], types), Region(body))
        exe.attributes[EXECUTABLE] = IntegerAttr(len(tensors), i64)
        name = self._place(exe, _describe(group))
        parent = last.parent
        assert parent is not None
        one = arith.ConstantOp(IntegerAttr(1, IndexType()))
        result_dims = [d for r in results for d in dims_of(r) if isinstance(d, SSAValue)]
        call = dispatch.CallOp(name, tensors, constants, result_dims, one.result, types)
        call.location = _location(group)
        parent.insert_ops_before([one, call], last)
        for was, now in zip(results, call.outs, strict=True):
            now.name_hint = was.name_hint
            was.replace_all_uses_with(now)
        for op in reversed(group.members):
            op.detach()
            op.erase()

    def _fill(self, group: Group, body: Block, mapping: dict[SSAValue, SSAValue], tensors: list[SSAValue]) -> None:
        """Clones what the members need and the members themselves into the executable."""

        def index(v: SSAValue) -> SSAValue:
            if v not in mapping:
                assert isinstance(v.owner, arith.ConstantOp)
                body.add_op(v.owner.clone(mapping))
            return mapping[v]

        for t in tensors:
            inside = mapping[t]
            dims = [index(d) for d in dims_of(t) if isinstance(d, SSAValue)]
            if dims:
                tied = dispatch.TieShapeOp(inside, dims)
                body.add_op(tied)
                mapping[t] = tied.result
        for op in group.members:
            for v in _outside_values(op):
                if v in mapping or (isinstance(v.owner, Operation) and v.owner in group.members):
                    continue
                owner = v.owner
                if isinstance(owner, tensor.EmptyOp):
                    for d in owner.dynamic_sizes:
                        index(d)
                elif isinstance(owner, linalg.FillOp):
                    self._clone_fill(owner, body, mapping, index)
                    continue
                assert isinstance(owner, Operation)
                body.add_op(owner.clone(mapping))
            if isinstance(op, dispatch.ContractOp):
                for d in (*op.result_dims, *op.sizes):
                    index(d)
            body.add_op(op.clone(mapping))

    def _clone_fill(self, fill: linalg.FillOp, body: Block, mapping: dict[SSAValue, SSAValue], index: object) -> None:
        for v in (*fill.inputs, *fill.outputs):
            if v in mapping:
                continue
            assert isinstance(v.owner, Operation)
            for d in v.owner.operands:
                index(d)  # type: ignore[operator]
            body.add_op(v.owner.clone(mapping))
        body.add_op(fill.clone(mapping))

    def _place(self, exe: func.FuncOp, stem: str) -> str:
        for value in (v for op in exe.walk() for v in (*op.results, *(a for r in op.regions for b in r.blocks for a in b.args))):
            value.name_hint = None
        text = str(exe)
        if text not in self.known:
            name = f"{stem}_{next(self.serial)}"
            from xdsl.dialects.builtin import StringAttr

            exe.properties["sym_name"] = StringAttr(name)
            self.module.body.block.add_op(exe)
            self.known[text] = name
        return self.known[text]


def _describe(group: Group) -> str:
    first = group.members[0]
    if isinstance(first, dispatch.ContractOp):
        return first.kind.data
    if isinstance(first, linalg.FillOp):
        return "fill"
    if group.rowwise:
        return "rowwise" if len(group.members) > 1 else "reduce"
    return "elementwise"


def _location(group: Group) -> LocationAttr:
    """All nodes of the members. One that reduces leads, since most of the work is its, else the last."""
    reduces = next((op for op in group.members if isinstance(op, linalg.GenericOp) and not is_parallel(op)), group.members[-1])
    return locations.fused(reduces.location, *(op.location for op in group.members))


def _used_as_tensor(fill: linalg.FillOp) -> bool:
    """Whether a fill is more than the starting value of reductions."""
    return any(not isinstance(u.operation, linalg.GenericOp) or u.index < len(u.operation.inputs) for u in fill.results[0].uses)


def _needed_results(group: Group) -> list[SSAValue]:
    """Results of members that are used outside, and scratch too large for the stack: it gets buffers as results do."""
    own = set(group.members)
    scratch = carried_between_passes(group)
    scratch |= {r for op in group.members if isinstance(op, dispatch.ContractOp) for r in op.scratch}
    return [r for op in group.members for r in op.results if r in scratch or any(_user(u.operation, own) for u in r.uses)]


def _user(op: Operation, own: set[Operation]) -> bool:
    """Whether the use stands outside the group (operations inside a member's body count as the member's)."""
    current: Operation | None = op
    while current is not None:
        if current in own:
            return False
        current = current.parent_op()
    return True


def _outside_values(op: Operation) -> list[SSAValue]:
    """Values from outside that the operation and its body use, in order."""
    inside = {v for r in op.regions for b in r.blocks for v in (*b.args, *(res for o in b.ops for res in o.results))}
    values = [*op.operands, *(v for r in op.regions for o in r.walk() for v in o.operands)]
    return list(dict.fromkeys(v for v in values if v not in inside))


def _is_constant(v: SSAValue) -> bool:
    return isinstance(v.owner, arith.ConstantOp)


def _captured(group: Group) -> tuple[list[SSAValue], list[SSAValue]]:
    """Tensors and index (or other scalar) values that the members take from outside; constants, empties and fills are cloned instead."""
    own = set(group.members)
    tensors: list[SSAValue] = []
    scalars: list[SSAValue] = []
    for op in group.members:
        for v in _outside_values(op):
            if v.owner in own or _is_constant(v):
                continue
            if isinstance(v.owner, tensor.EmptyOp):
                scalars += [d for d in v.owner.dynamic_sizes if not _is_constant(d)]
            elif isinstance(v.owner, linalg.FillOp) and v in _outs(op):
                scalars += [d for d in dims_of(v) if isinstance(d, SSAValue) and not _is_constant(d)]
            elif isinstance(v.type, TensorType):
                tensors.append(v)
            else:
                scalars.append(v)
    return list(dict.fromkeys(tensors)), list(dict.fromkeys(scalars))


def _outs(op: Operation) -> Iterable[SSAValue]:
    return op.outputs if isinstance(op, linalg.GenericOp | linalg.FillOp) else ()


def _schedule(block: Block, groups: list[Group]) -> Group | None:
    """Reorders the block so that each group's members stand together, after all they need and before all that needs them.

    A group may need, by way of others, what one of its own members makes; then nothing is moved and that group is returned.
    """
    unit_of: dict[Operation, Group] = {op: g for g in groups for op in g.members if len(g.members) > 1}
    if not unit_of:
        return None
    order: list[list[Operation]] = []
    units: dict[int, list[Operation]] = {}
    for op in block.ops:
        group = unit_of.get(op)
        key = id(group) if group is not None else id(op)
        if key not in units:
            units[key] = []
            order.append(units[key])
        units[key].append(op)
    placement = _Placement(order)
    for n in range(len(order)):
        circle = placement.place(n)
        if circle is not None:
            return next(unit_of[order[u][0]] for u in circle if order[u][0] in unit_of)
    terminator = block.last_op
    assert terminator is not None
    moved = [op for op in placement.result if op is not terminator]
    for op in moved:
        op.detach()
    for op in moved:
        block.insert_op_before(op, terminator)
    return None


class _Placement:
    """Depth-first placement of units (operations that stay together): a unit follows the units that make its operands."""

    def __init__(self, order: list[list[Operation]]) -> None:
        self.order = order
        self.index = {op: n for n, unit in enumerate(order) for op in unit}
        self.placed: set[int] = set()
        self.result: list[Operation] = []

    def place(self, start: int) -> list[int] | None:
        """Places a unit and all it needs, on an explicit stack; the units of a circle if there is one."""
        stack: list[tuple[int, list[int]]] = [(start, _needs(self.order[start], self.index))]
        while stack:
            n, needs = stack[-1]
            while needs and needs[-1] in self.placed:
                needs.pop()
            if n in self.placed:
                stack.pop()
            elif needs:
                needed = needs.pop()
                active = [unit for unit, _ in stack]
                if needed in active:
                    return active[active.index(needed) :]
                stack.append((needed, _needs(self.order[needed], self.index)))
            else:
                self.placed.add(n)
                self.result.extend(self.order[n])
                stack.pop()
        return None


def _needs(unit: list[Operation], index: dict[Operation, int]) -> list[int]:
    own = index[unit[0]]
    found = {index[v.owner] for op in unit for v in _outside_values(op) if isinstance(v.owner, Operation) and v.owner in index}
    return sorted((n for n in found if n != own), reverse=True)


def _erase_unused(block: Block) -> None:
    for op in reversed(list(block.ops)):
        dead = isinstance(
            op, tensor.EmptyOp | linalg.FillOp | arith.ConstantOp | dispatch.TieShapeOp | dispatch.ReshapeOp | dispatch.WeightOp
        )
        if dead and not any(r.uses for r in op.results):
            op.detach()
            op.erase()
