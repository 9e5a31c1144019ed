"""Gives kernels that check their data the status cells: every dispatch.assert becomes stores of its error where it fails first."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.context import Context
from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    FunctionType,
    IndexType,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    StringAttr,
    i1,
    i64,
)
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from ...dialects.dispatch import AssertOp

CHECKED = "dispatch.checked"
"""Marks kernels whose last buffer is the status; the attribute's value has the message of each check."""


class LowerAsserts(ModulePass):
    """Lowers dispatch.assert in every kernel."""

    name = "lower-asserts"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in op.ops:
            if isinstance(kernel, func.FuncOp) and "dispatch.kernel" in kernel.attributes:
                lower_asserts(kernel)


def lower_asserts(kernel: func.FuncOp) -> bool:
    """Whether the kernel contained any."""
    asserts = [op for op in kernel.walk() if isinstance(op, AssertOp)]
    if not asserts:
        return False
    entry = kernel.body.block
    buffers = sum(isinstance(a.type, MemRefType) for a in entry.args)
    status = entry.insert_arg(MemRefType(i64, [DYNAMIC_INDEX]), buffers)
    status.name_hint = "status"
    kernel.properties["function_type"] = FunctionType.from_lists([a.type for a in entry.args], [])
    messages = list(dict.fromkeys(op.message or StringAttr("") for op in asserts))
    kernel.attributes[CHECKED] = ArrayAttr(messages)
    for op in asserts:
        block = op.parent
        assert block is not None
        block.insert_ops_before(_check(op, status, messages.index(op.message or StringAttr(""))), op)
        op.detach()
        op.erase()
    return True


def _check(op: AssertOp, status: SSAValue, which: int) -> Sequence[Operation]:
    """Where the condition fails: the error's number, which message it has, and its values, unless an error stands there already."""
    yes = arith.ConstantOp(IntegerAttr(1, i1))
    failed = arith.XOrIOp(op.condition, yes.result)
    cells = [arith.ConstantOp(IntegerAttr(k, IndexType())) for k in range(2 + len(op.values))]
    none = arith.ConstantOp(IntegerAttr(0, i64))
    before = memref.LoadOp.get(status, [cells[0].result])
    first = arith.CmpiOp(before.res, none.result, "eq")
    numbers = [arith.ConstantOp(IntegerAttr(n, i64)) for n in (int(op.code.data[3:]), which)]
    values = [arith.IndexCastOp(value, i64) for value in op.values]
    stores = [memref.StoreOp.get(v.results[0], status, [c.result]) for v, c in zip((*numbers, *values), cells, strict=True)]
    note = scf.IfOp(first.result, [], Region(Block([*numbers, *values, *stores, scf.YieldOp()])), Region(Block([scf.YieldOp()])))
    then = Block([*cells, none, before, first, note, scf.YieldOp()])
    return [yes, failed, scf.IfOp(failed.result, [], Region(then), Region(Block([scf.YieldOp()])))]
