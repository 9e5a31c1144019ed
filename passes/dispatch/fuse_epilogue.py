"""Moves elementwise work on a contraction's result (bias, activation, residual) into the contraction, before its one store."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, ModuleOp, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineMap
from xdsl.passes import ModulePass

from ...dialects import dispatch, locations
from ..codegen.body import can_widen
from .structure import dims_of, is_identity, is_parallel, maps_of

MAX_EPILOGUE = 60
"""Operations of an epilogue: it is emitted once for every vector of the register tile, so code grows by 28 times as much."""


class FuseEpilogue(ModulePass):
    """Fuses elementwise consumers into dispatch.contract."""

    name = "fuse-epilogue"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for contract in [o for o in op.walk() if isinstance(o, dispatch.ContractOp) and o.kind.data != "attention"]:
            current: dispatch.ContractOp | None = contract
            while current is not None:
                current = _fuse_next(current)


def _fuse_next(contract: dispatch.ContractOp) -> dispatch.ContractOp | None:
    """Fuses the result's only user if it can be; the new contraction, or None."""
    uses = list(contract.result.uses)
    consumer = uses[0].operation if uses else None
    if not isinstance(consumer, linalg.GenericOp) or any(u.operation is not consumer for u in uses):
        return None
    if not _is_epilogue(contract, consumer):
        return None
    return _fuse(contract, consumer)


def _is_epilogue(contract: dispatch.ContractOp, consumer: linalg.GenericOp) -> bool:
    maps = maps_of(consumer)
    if consumer.parent is not contract.parent or len(consumer.outputs) != 1 or not is_parallel(consumer):
        return False
    if not is_identity(maps[-1]) or dims_of(consumer.outputs[0]) != dims_of(contract.result):
        return False
    size = len(list(consumer.body.block.ops)) + len(list(contract.epilogue.block.ops))
    if size > MAX_EPILOGUE or not can_widen(consumer.body.block):
        return False
    for value, map in zip(consumer.inputs, maps, strict=False):
        if value is contract.result:
            if not is_identity(map):
                return False
        elif not _extra_fits(contract, value, map) or not _defined_before(value, contract):
            return False
    return True


def _extra_fits(contract: dispatch.ContractOp, value: SSAValue, map: AffineMap) -> bool:
    """Whether a vector of the tile can read this operand: contiguous or constant along the last dimension, rows alike."""
    dims = dims_of(value)
    rank = map.num_dims
    if any(not isinstance(e, AffineDimExpr | AffineConstantExpr) for e in map.results):
        return False
    last = [n for n, e in enumerate(map.results) if isinstance(e, AffineDimExpr) and e.position == rank - 1]
    if last and last != [len(map.results) - 1]:
        return False
    if contract.kind.data not in ("matmul", "strassen", "few_bits"):
        return True
    # The result's row dimensions are taken as one: an extra must have them all, in place, or none. Those of one element do not count.
    full = dims_of(contract.result)
    rows = [d for d in range(contract.batch.value.data, rank - 1) if full[d] != 1]
    axes = [(e.position, n) for n, e in enumerate(map.results) if isinstance(e, AffineDimExpr) and e.position in rows]
    if not axes:
        return True
    used, at = [position for position, _ in axes], [n for _, n in axes]
    if used != rows:
        return False
    between = [dims[n] for n in range(at[0], at[-1]) if n not in at]
    trailing = [dims[n] for n in range(at[-1] + 1, len(dims))]
    return all(d == 1 for d in between) and all(d == full[-1] or d == 1 for d in trailing)


def _defined_before(value: SSAValue, contract: dispatch.ContractOp) -> bool:
    """Whether the operand stands before the contraction (or can: its definition is in an enclosing block)."""
    owner = value.owner
    if not isinstance(owner, Operation) or owner.parent is not contract.parent:
        return True
    return owner.is_before_in_block(contract) or _can_follow(owner, contract)


def _can_follow(owner: Operation, contract: dispatch.ContractOp) -> bool:
    """The fused contraction takes the consumer's place, so operands may stand between the two unless they need the contraction."""
    return contract.result not in owner.operands


def _fuse(contract: dispatch.ContractOp, consumer: linalg.GenericOp) -> dispatch.ContractOp:
    body = consumer.body.block
    block = Block(arg_types=[contract.epilogue.block.args[0].type])
    extras: list[SSAValue] = []
    extra_maps: list[AffineMap] = []

    def extra(value: SSAValue, map: AffineMap, type: object) -> SSAValue:
        for n, (v, m) in enumerate(zip(extras, extra_maps, strict=True)):
            if v is value and m == map:
                return block.args[n + 1]
        extras.append(value)
        extra_maps.append(map)
        return block.insert_arg(type, len(block.args))  # type: ignore[arg-type]

    inner = contract.epilogue.block
    mapping: dict[SSAValue, SSAValue] = {inner.args[0]: block.args[0]}
    for argument, value, map in zip(inner.args[1:], contract.extras, contract.extra_maps.data, strict=True):
        mapping[argument] = extra(value, map.data, argument.type)
    outer: dict[SSAValue, SSAValue] = {}
    for argument, value, map in zip(body.args, consumer.inputs, maps_of(consumer), strict=False):
        if value is not contract.result:
            outer[argument] = extra(value, map, argument.type)
    for op in inner.ops:
        if isinstance(op, dispatch.YieldOp):
            (accumulated,) = (mapping.get(v, v) for v in op.operands)
            break
        block.add_op(op.clone(mapping))
    for argument, value in zip(body.args, consumer.inputs, strict=False):
        if value is contract.result:
            outer[argument] = accumulated
    for op in body.ops:
        if isinstance(op, linalg.YieldOp):
            block.add_op(dispatch.YieldOp(*(outer.get(v, v) for v in op.operands)))
            break
        block.add_op(op.clone(outer))
    result_type = consumer.results[0].type
    assert isinstance(result_type, TensorType)
    fused = dispatch.ContractOp(
        contract.kind.data,
        contract.lhs,
        contract.rhs,
        result_type,
        list(contract.result_dims),
        extras=extras,
        extra_maps=ArrayAttr([AffineMapAttr(m) for m in extra_maps]).data,
        epilogue=Region(block),
        scratch=contract.scratch.types,
        values=contract.values,
    )
    kept = ("window", "batch", "layout", "products", "signed")
    fused.properties.update((name, contract.properties[name]) for name in kept if name in contract.properties)
    fused.location = locations.fused(contract.location, consumer.location)
    parent = consumer.parent
    assert parent is not None
    parent.insert_op_before(fused, consumer)
    fused.result.name_hint = consumer.results[0].name_hint
    consumer.results[0].replace_all_uses_with(fused.result)
    for op in (consumer, contract):
        op.detach()
        op.erase()
    return fused
