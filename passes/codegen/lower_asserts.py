"""Gives kernels that check their data a status cell: every dispatch.assert becomes a store of its code where it fails."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import DYNAMIC_INDEX, FunctionType, IndexType, IntegerAttr, MemRefType, ModuleOp, UnitAttr, i1, i32
from xdsl.ir import Block, Region
from xdsl.passes import ModulePass

from ...dialects.dispatch import AssertOp

CHECKED = "dispatch.checked"
"""Marks kernels whose last buffer is the status cell."""


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
    status = entry.insert_arg(MemRefType(i32, [DYNAMIC_INDEX]), buffers)
    status.name_hint = "status"
    kernel.properties["function_type"] = FunctionType.from_lists([a.type for a in entry.args], [])
    kernel.attributes[CHECKED] = UnitAttr()
    for op in asserts:
        yes = arith.ConstantOp(IntegerAttr(1, i1))
        failed = arith.XOrIOp(op.condition, yes.result)
        code = arith.ConstantOp(IntegerAttr(int(op.code.data[3:]), i32))
        zero = arith.ConstantOp(IntegerAttr(0, IndexType()))
        then = Block([code, zero, memref.StoreOp.get(code.result, status, [zero.result]), scf.YieldOp()])
        branch = scf.IfOp(failed.result, [], Region(then), Region(Block([scf.YieldOp()])))
        block = op.parent
        assert block is not None
        block.insert_ops_before([yes, failed, branch], op)
        op.detach()
        op.erase()
    return True
