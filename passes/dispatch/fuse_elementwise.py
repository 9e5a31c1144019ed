"""Inlines elementwise producers into the generics that read them, so that chains of elementwise operators never touch memory."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.context import Context
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import AffineMapAttr, IndexType, IntegerAttr, ModuleOp
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap
from xdsl.passes import ModulePass

from ...dialects import locations
from .structure import Size, extents_from, extents_of, is_cheap, is_identity, is_parallel, linear_terms, maps_of, substitute_dims

MAX_BODY = 160
"""Bodies beyond this many operations stop growing: registers spill and LLVM's time grows faster than the saving."""
MAX_OPERANDS = 24


class FuseElementwise(ModulePass):
    """Fuses linalg.generic producers into consumers."""

    name = "fuse-elementwise"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for block in [b for r in op.walk() for region in r.regions for b in region.blocks]:
            if not isinstance(block.parent_op(), linalg.GenericOp):
                fuse_block(block)


def fuse_block(block: Block) -> bool:
    """Fuses within one block, producers before consumers; whether anything changed."""
    changed = False
    for op in list(block.ops):
        if isinstance(op, linalg.GenericOp) and op.parent is block:
            fused = _fuse_into(op)
            changed |= fused
    if changed:
        _erase_dead(block)
    return changed


def _fuse_into(consumer: linalg.GenericOp) -> bool:
    changed = False
    while (position := _fusible_input(consumer)) is not None:
        consumer = _inline(consumer, position)
        changed = True
    return changed


def _fusible_input(consumer: linalg.GenericOp) -> int | None:
    maps = maps_of(consumer)
    for position, value in enumerate(consumer.inputs):
        producer = value.owner
        if isinstance(producer, linalg.GenericOp) and _can_inline(producer, consumer, maps[position], value):
            return position
    return None


def _can_inline(producer: linalg.GenericOp, consumer: linalg.GenericOp, map: AffineMap, value: SSAValue) -> bool:
    if len(producer.outputs) != 1 or not is_parallel(producer) or not is_identity(maps_of(producer)[-1]):
        return False
    if producer.parent is not consumer.parent or len(consumer.inputs) + len(producer.inputs) > MAX_OPERANDS:
        return False
    if len(list(producer.body.block.ops)) + len(list(consumer.body.block.ops)) > MAX_BODY:
        return False
    users = {use.operation for use in value.uses}
    if is_cheap(producer):
        return len(users) == 1 or all(isinstance(u, linalg.GenericOp) for u in users)
    return users == {consumer} and _visits_once(map, consumer)


def _visits_once(map: AffineMap, consumer: linalg.GenericOp) -> bool:
    """Whether the consumer reads each element of the producer once: the map uses every loop that really loops, and windows that it
    makes of two loops do not overlap."""
    extents = extents_of(consumer)
    used = {d for e in map.results for d in e.used_dims()}
    return all(k in used or extent == 1 for k, extent in enumerate(extents)) and all(_is_injective(e, extents) for e in map.results)


def _is_injective(expr: AffineExpr, extents: Sequence[Size]) -> bool:
    """Whether different rounds of an index's loops give different indices: each loop steps over all that those of shorter steps reach."""
    try:
        terms = linear_terms(expr)
    except ValueError:
        return True  # a place in a block, by division or remainder: whoever writes both parts visits each once
    reach = 0
    for loop, step in sorted(terms, key=lambda term: abs(term[1])):
        if loop is None or extents[loop] == 1:
            continue
        extent = extents[loop]
        if abs(step) <= reach:
            return False
        reach = reach + abs(step) * (extent - 1) if isinstance(extent, int) else 1 << 62
    return True


def _inline(consumer: linalg.GenericOp, position: int) -> linalg.GenericOp:
    """A new consumer that computes the producer's body where it read the producer's result through operand `position`."""
    producer = consumer.inputs[position].owner
    assert isinstance(producer, linalg.GenericOp)
    maps = maps_of(consumer)
    through = list(maps[position].results)
    inputs = [v for k, v in enumerate(consumer.inputs) if k != position]
    input_maps = [m for k, m in enumerate(maps[: len(consumer.inputs)]) if k != position]
    added = [AffineMap(maps[0].num_dims, 0, tuple(substitute_dims(e, through) for e in m.results)) for m in maps_of(producer)[:-1]]

    block = Block()
    arguments: dict[tuple[SSAValue, str], SSAValue] = {}
    operands: list[SSAValue] = []
    operand_maps: list[AffineMap] = []

    def argument(value: SSAValue, map: AffineMap, type: object) -> SSAValue:
        key = (value, str(map))
        if key not in arguments:
            arguments[key] = block.insert_arg(type, len(operands))  # type: ignore[arg-type]
            operands.append(value)
            operand_maps.append(map)
        return arguments[key]

    old, new = consumer.body.block, producer.body.block
    kept = [
        argument(v, m, a.type)
        for v, m, a in zip(
            inputs, input_maps, [a for k, a in enumerate(old.args) if k != position and k < len(consumer.inputs)], strict=True
        )
    ]
    taken = [argument(v, m, a.type) for v, m, a in zip(producer.inputs, added, new.args, strict=False)]
    outputs = list(zip(consumer.outputs, maps[len(consumer.inputs) :], strict=True))
    if extents_from(list(zip(operands, operand_maps, strict=True)), outputs) != dict(enumerate(extents_of(consumer))):
        # The producer's empty output goes on saying how long the loops run: what it reads may be longer, or not say it.
        argument(producer.outputs[0], maps[position], new.args[-1].type)
    outs = [block.insert_arg(a.type, len(block.args)) for a in old.args[len(consumer.inputs) :]]

    mapping: dict[SSAValue, SSAValue] = dict(zip(new.args, taken, strict=False))
    result = _clone_producer(new, block, mapping, through)
    mapping = dict(zip([a for k, a in enumerate(old.args) if k != position], [*kept, *outs], strict=True))
    mapping[old.args[position]] = result
    for op in old.ops:
        block.add_op(op.clone(mapping))

    fused = linalg.GenericOp(
        operands,
        list(consumer.outputs),
        Region(block),
        [AffineMapAttr(m) for m in (*operand_maps, *maps[len(consumer.inputs) :])],
        consumer.iterator_types,
        [r.type for r in consumer.results],
        doc=consumer.doc,
    )
    fused.location = locations.fused(consumer.location, producer.location)
    parent = consumer.parent
    assert parent is not None
    parent.insert_op_before(fused, consumer)
    for was, now in zip(consumer.results, fused.results, strict=True):
        now.name_hint = was.name_hint
        was.replace_all_uses_with(now)
    consumer.detach()
    consumer.erase()
    if not any(r.uses for r in producer.results):
        producer.detach()
        producer.erase()
    return fused


def _clone_producer(source: Block, into: Block, mapping: dict[SSAValue, SSAValue], through: list[AffineExpr]) -> SSAValue:
    """Clones the producer's body; its loop indices become the expressions by which the consumer reads it. Returns the yielded value."""
    for op in source.ops:
        if isinstance(op, linalg.YieldOp):
            return mapping.get(op.operands[0], op.operands[0])
        if isinstance(op, linalg.IndexOp):
            mapping[op.result] = materialise(through[op.dim.value.data], into)
            continue
        into.add_op(op.clone(mapping))
    raise ValueError("a generic's body ends with a yield")


def materialise(expr: AffineExpr, into: Block) -> SSAValue:
    """An affine expression over loop indices as an index value."""

    def add(op: Operation) -> SSAValue:
        into.add_op(op)
        return op.results[0]

    if isinstance(expr, AffineDimExpr):
        return add(linalg.IndexOp(expr.position))
    if isinstance(expr, AffineConstantExpr):
        return add(arith.ConstantOp(IntegerAttr(expr.value, IndexType())))
    assert isinstance(expr, AffineBinaryOpExpr)
    lhs, rhs = materialise(expr.lhs, into), materialise(expr.rhs, into)
    return add(arith.MuliOp(lhs, rhs) if expr.kind == AffineBinaryOpKind.Mul else arith.AddiOp(lhs, rhs))


def _erase_dead(block: Block) -> None:
    for op in reversed(list(block.ops)):
        if isinstance(op, linalg.GenericOp | linalg.FillOp | tensor.EmptyOp) and not any(r.uses for r in op.results):
            op.detach()
            op.erase()
