"""Cloning the scalar body of a generic into a kernel, one element at a time or as vectors of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.dialects import arith, memref, tensor, vector
from xdsl.dialects.arith import FastMathFlagsAttr
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, VectorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ...dialects import dispatch
from .kernel import KernelBuilder

REASSOCIATE = FastMathFlagsAttr([FastMathFlag.REASSOC, FastMathFlag.ALLOW_CONTRACT])
APPROXIMATE = FastMathFlagsAttr([FastMathFlag.APPROX_FUNC])
CONTRACT = FastMathFlagsAttr([FastMathFlag.ALLOW_CONTRACT])
UNSIGNED_ZEROS = FastMathFlagsAttr([FastMathFlag.NO_SIGNED_ZEROS])


def clone_body(
    k: KernelBuilder,
    block: Block,
    mapping: dict[SSAValue, SSAValue],
    *,
    indices: Sequence[SSAValue],
    tensors: Mapping[SSAValue, SSAValue],
    accumulators: Sequence[SSAValue] = (),
    width: int = 0,
) -> list[SSAValue]:
    """Clones the operations of a body into the current block; returns the values it yields.

    mapping: block arguments and captured values to kernel values; indices: the loop index for each linalg.index; tensors: captured
    tensors to N-d memrefs; accumulators: block arguments whose updates may be reassociated; width: lanes, 0 for scalars.
    """
    running = set(accumulators)
    for op in block.ops:
        if isinstance(op, linalg.YieldOp | dispatch.YieldOp):
            return [mapping.get(v, v) for v in op.operands]
        if isinstance(op, linalg.IndexOp):
            mapping[op.result] = indices[op.dim.value.data]
            continue
        if isinstance(op, tensor.ExtractOp):
            loaded = memref.LoadOp.get(tensors[op.tensor], [mapping.get(i, i) for i in op.indices])
            mapping[op.result] = k.emit(loaded)
            continue
        updates = any(v in running for v in op.operands)
        clone = _widened(k, op, mapping, width) if width else op.clone(mapping)
        if isinstance(clone, arith.AddfOp | arith.MulfOp | arith.SubfOp):
            clone.properties["fastmath"] = REASSOCIATE if updates else CONTRACT
        if updates:
            fold_freely(clone)
            running.update(op.results)
        k.block.add_op(clone)
        for was, now in zip(op.results, clone.results, strict=True):
            mapping[was] = now
    raise ValueError("a body ends with a yield")


def fold_freely(op: Operation) -> None:
    """Extremes of many need not tell zeros apart by their signs, which takes half of the instructions."""
    if isinstance(op, arith.MaximumfOp | arith.MinimumfOp):
        op.properties["fastmath"] = UNSIGNED_ZEROS


def can_widen(block: Block) -> bool:
    """Whether the body can be computed on vectors: no indices, no element reads, no checks."""
    return not any(isinstance(op, linalg.IndexOp | tensor.ExtractOp | dispatch.AssertOp) for op in block.ops)


def _widened(k: KernelBuilder, op: Operation, mapping: dict[SSAValue, SSAValue], width: int) -> Operation:
    """The same operation on vectors of `width` lanes."""
    if isinstance(op, arith.ConstantOp):
        return splat(op.result.type, width, op.value.value.data)  # type: ignore[union-attr]
    operands = [broadcast(k, mapping.get(v, v), width) for v in op.operands]
    return type(op).create(
        operands=operands,
        result_types=[widen(r.type, width) for r in op.results],
        properties=dict(op.properties),
        attributes=dict(op.attributes),
    )


def widen(type: Attribute, width: int) -> VectorType:
    return VectorType(type, [width])


def broadcast(k: KernelBuilder, value: SSAValue, width: int) -> SSAValue:
    """The value in every lane, unless it is a vector already."""
    if isinstance(value.type, VectorType):
        return value
    return k.emit(vector.BroadcastOp(value, widen(value.type, width)))


def splat(type: Attribute, width: int, number: float) -> arith.ConstantOp:
    """A constant with the number in every lane; number: an int where the type is of integers."""
    vector_type = widen(type, width)
    return arith.ConstantOp(DenseIntOrFPElementsAttr.from_list(vector_type, [number]), vector_type)  # type: ignore[arg-type]
