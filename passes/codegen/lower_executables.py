"""Turns every executable (a function on tensors) into a kernel at the loop level, by the strategy its contents call for."""

from __future__ import annotations

from typing import Any, cast

from xdsl.context import Context
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ...dialects import dispatch
from ..dispatch.form_dispatches import EXECUTABLE
from ..dispatch.groups import Group, space_of
from ..dispatch.structure import Size, dims_of
from .attention import Attention
from .contraction import Contraction
from .depthwise import Depthwise
from .expand_math import expand_math
from .few_bits import FewBits
from .fill import emit_fill
from .kernel import Buffer, KernelBuilder, Units, flat_type
from .nest import Nest
from .planar import Planar
from .planar_depthwise import PlanarDepthwise
from .pool import Pool
from .schedules import DEFAULT_LANES, DEFAULT_ROWS
from .strassen import Strassen
from .winograd import Winograd

STRATEGIES: dict[str, type[Contraction]] = {
    "winograd": Winograd,
    "depthwise": Depthwise,
    "max_pool": Pool,
    "sum_pool": Pool,
    "planar": Planar,
    "attention": Attention,
    "planar_depthwise": PlanarDepthwise,
    "few_bits": FewBits,
    "strassen": Strassen,
}
"""How contractions are emitted by their kind; others are by the one for all."""


class LowerExecutables(ModulePass):
    """Replaces executables by kernels; `target` says vector lanes of 32 bits and rows of a register tile."""

    name = "lower-executables"

    def __init__(self, target: Any = None) -> None:
        self.target = target

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        kernels = [f for f in op.ops if isinstance(f, func.FuncOp) and "dispatch.kernel" in f.attributes]
        units = {kernel.sym_name.data: (kernel, cut) for kernel in kernels if (cut := take_units(kernel)) is not None}
        for exe in [f for f in op.ops if isinstance(f, func.FuncOp) and EXECUTABLE in f.attributes]:
            kernel, cut = lower_executable(exe, self.target)
            if cut is not None:
                units[kernel.sym_name.data] = kernel, cut
            op.body.block.insert_op_before(kernel, exe)
            exe.detach()
            exe.erase(safe_erase=False)
        for call in [c for f in op.ops if "dispatch.kernel" not in f.attributes for c in f.walk() if isinstance(c, dispatch.CallOp)]:
            if (found := units.get(call.callee.root_reference.data)) is not None:
                _tell_units(call, *found)
        for kernel in op.ops:
            if "dispatch.kernel" in kernel.attributes:
                expand_math(kernel)  # kernels written in the kernel language are loops already, but for their mathematics


def lower_executable(exe: func.FuncOp, target: Any = None) -> tuple[func.FuncOp, Units | None]:
    """The kernel that computes what the executable says, and the units it is cut into; takes the executable's body apart.

    Kernels that check their data run whole, so that the error told is the first one on any number of threads.
    """
    body = exe.body.block
    k = KernelBuilder(divisible=not any(isinstance(op, dispatch.AssertOp) for op in exe.walk()))
    returned = cast(func.ReturnOp, body.last_op)
    tensors: list[SSAValue] = [a for a in body.args if isinstance(a.type, TensorType)]
    scalars = [a for a in body.args if not isinstance(a.type, TensorType)]
    inputs = [k.argument(flat_type(cast(TensorType, a.type))) for a in tensors]
    outputs = [k.argument(flat_type(cast(TensorType, v.type))) for v in returned.operands]
    for a in scalars:
        a.replace_all_uses_with(k.argument(a.type))
    k.bounds()
    _move_scalars(body, k.entry)
    buffers = _buffers(body, tensors, inputs, list(returned.operands), outputs)
    lanes = target.lanes(32) if target is not None else DEFAULT_LANES
    rows = target.mr if target is not None else DEFAULT_ROWS
    _emit(k, body, buffers, lanes, rows)
    return k.finish(exe.sym_name.data), k.units


def take_units(kernel: func.FuncOp) -> Units | None:
    """What a kernel written in the kernel language says of its units; the operation is gone after. One that checks its data runs whole:
    no cost is known of it."""
    told = next((op for op in kernel.body.ops if isinstance(op, dispatch.UnitsOp)), None)
    if told is None:
        return None
    whole = any(isinstance(op, dispatch.AssertOp) for op in kernel.walk())
    units = Units(told.count, 0 if whole else told.cost)
    told.detach()
    told.erase()
    return units


def _tell_units(call: dispatch.CallOp, kernel: func.FuncOp, units: Units) -> None:
    """Works out before a call how many workgroups it has and what one costs: by the kernel's own arithmetic on the call's constants."""
    block = call.parent
    assert block is not None
    indices = [a for a in kernel.body.block.args if isinstance(a.type, IndexType)]
    host: dict[SSAValue, SSAValue] = dict(zip(indices, call.constants, strict=False))  # begin and end have none

    def value(size: Size) -> SSAValue:
        if isinstance(size, int):
            constant = arith.ConstantOp(IntegerAttr(size, IndexType()))
            block.insert_op_before(constant, call)
            return constant.result
        if size not in host:
            owner = size.owner
            assert isinstance(owner, Operation)
            clone = owner.clone({v: value(v) for v in owner.operands})
            block.insert_op_before(clone, call)
            host.update(zip(owner.results, clone.results, strict=True))
        return host[size]

    call.split(value(units.count), value(units.cost))


def _emit(k: KernelBuilder, body: Block, buffers: dict[SSAValue, Buffer], lanes: int, rows: int) -> None:
    work = [op for op in body.ops if isinstance(op, linalg.GenericOp | dispatch.ContractOp)]
    if not work:
        for fill in (op for op in body.ops if isinstance(op, linalg.FillOp)):
            emit_fill(k, fill, buffers)
        return
    (first, *_) = work
    if isinstance(first, dispatch.ContractOp):
        STRATEGIES.get(first.kind.data, Contraction)(k, first, buffers, rows, lanes).emit()
        return
    Nest(k, _group(cast("list[Operation]", work)), buffers, lanes).emit()


def _group(members: list[Operation]) -> Group:
    group = Group(members)
    for op in members:
        assert isinstance(op, linalg.GenericOp)
        space = space_of(op)
        assert space is not None
        group.spaces[op] = space
        if space.inner and not group.rowwise:
            group.outer, group.inner, group.rowwise = space.outer, space.inner, True
    if not group.rowwise:
        group.outer = group.spaces[members[0]].outer
    return group


def _move_scalars(body: Block, entry: Block) -> None:
    """Constants and index arithmetic of the executable move to the kernel's entry."""
    for op in list(body.ops):
        if op.name.startswith("arith."):
            op.detach()
            entry.add_op(op)


def _buffers(
    body: Block, tensors: list[SSAValue], inputs: list[SSAValue], results: list[SSAValue], outputs: list[SSAValue]
) -> dict[SSAValue, Buffer]:
    tied: dict[SSAValue, SSAValue] = {op.source: op.result for op in body.ops if isinstance(op, dispatch.TieShapeOp)}
    buffers: dict[SSAValue, Buffer] = {}
    for tensor, memref in zip(tensors, inputs, strict=True):
        value = tied.get(tensor, tensor)
        buffers[value] = Buffer(memref, dims_of(value), cast(TensorType, value.type).element_type)
    for value, memref in zip(results, outputs, strict=True):
        buffers[value] = Buffer(memref, dims_of(value), cast(TensorType, value.type).element_type)
    return buffers
