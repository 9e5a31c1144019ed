"""Removes what was lowered and is not read: tensors that only told shape inference sizes, above all. Called once a program is lowered."""

from __future__ import annotations

from xdsl.dialects import arith, func, tensor
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation

from ...dialects import dispatch

_PURE = (
    linalg.GenericOp,
    linalg.FillOp,
    tensor.EmptyOp,
    tensor.DimOp,
    tensor.ExtractOp,
    dispatch.WeightOp,
    dispatch.TieShapeOp,
    dispatch.ReshapeOp,
    dispatch.JoinOp,
    dispatch.CallOp,
    dispatch.EntropyOp,
    dispatch.ContractOp,
    dispatch.HostOp,
)


def sweep(module: ModuleOp, body: Block) -> None:
    """Erases what nothing reads in a host block and the blocks nested in it, then the kernels that nothing calls any more. What an
    operator would have checked of its data goes with it."""
    _sweep_block(body)
    called = {op.callee.root_reference.data for op in body.walk() if isinstance(op, dispatch.CallOp)}
    for op in list(module.ops):
        if isinstance(op, func.FuncOp) and op.sym_name.data not in called:
            op.detach()
            op.erase()


def _sweep_block(block: Block) -> None:
    op = block.last_op
    while op is not None:
        previous = op.prev_op
        if _is_pure(op) and not any(r.uses for r in op.results):
            op.detach()
            op.erase()
        elif not isinstance(op, _PURE):
            for region in op.regions:
                for inner in region.blocks:
                    _sweep_block(inner)
        op = previous


def _is_pure(op: Operation) -> bool:
    return isinstance(op, _PURE) or op.name.startswith(f"{arith.Arith.name}.")
