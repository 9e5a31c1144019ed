"""Writes beside every dispatch what it has to do at least: bytes to move and operations to carry out, for a profile to tell rates by.

Bytes are those of the operands read and the results written, once each; of an operand that is read in part, the part. Operations are
those of arithmetic on elements, a multiplication and an addition counting as two; moving, comparing and choosing count nothing.
Both follow from the executable's loops, so they are exact where sizes are dynamic as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from xdsl.context import Context
from xdsl.dialects import arith, func, tensor
from xdsl.dialects.builtin import AnyFloat, IndexType, IntegerAttr, ModuleOp, TensorType, UnitAttr, i1
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, BlockArgument, Operation, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.passes import ModulePass

from ...dialects import dispatch
from .bufferize import element_bytes
from .form_dispatches import EXECUTABLE
from .structure import Size, dims_of, extents_of, logical_dims, maps_of

_NO_WORK = ("const", "cmp", "select", "ext", "trunc", "cast", "tofp", "tosi", "toui")
"""Parts of the names of arith operations that are no work on an element."""


class MeasureWork(ModulePass):
    """Gives every dispatch.call its work, and marks the program as one that keeps a profile."""

    name = "measure-work"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        functions = {f.sym_name.data: f for f in op.ops if isinstance(f, func.FuncOp)}
        main = functions["main"]
        main.attributes[dispatch.PROFILE] = UnitAttr()
        for call in [o for o in main.walk() if isinstance(o, dispatch.CallOp)]:
            _measure(call, functions[call.callee.root_reference.data])


def _measure(call: dispatch.CallOp, callee: func.FuncOp) -> None:
    host = _Host(call)
    if EXECUTABLE not in callee.attributes:  # a kernel of loops already: how often they run is not known
        made = [out for out in call.outs if out not in call.begun]  # of what begins as a tensor only some may be changed
        work = [host.sum(host.bytes(v, host.elements(v)) for v in (*call.read, *made))]
    else:
        exe = _Executable(host, call, callee.body.block)
        work = [exe.bytes(), exe.operations()]
    call.add_work([host.value(size) for size in work])


class _Host:
    """Sizes of the host program; what is not known at compile time is worked out before a call."""

    def __init__(self, call: dispatch.CallOp) -> None:
        self.call = call

    def emit(self, op: Operation) -> SSAValue:
        block = cast(Block, self.call.parent)
        op.location = self.call.location
        block.insert_op_before(op, self.call)
        return op.results[0]

    def value(self, size: Size) -> SSAValue:
        return self.emit(arith.ConstantOp(IntegerAttr(size, IndexType()))) if isinstance(size, int) else size

    def sum(self, sizes: Iterable[Size]) -> Size:
        return self._fold(sizes, 0, lambda a, b: a + b, arith.AddiOp)

    def product(self, sizes: Iterable[Size]) -> Size:
        return self._fold(sizes, 1, lambda a, b: a * b, arith.MuliOp)

    def least(self, a: Size, b: Size) -> Size:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.emit(arith.MinUIOp(self.value(a), self.value(b)))

    def elements(self, value: SSAValue) -> Size:
        return self.product(dims_of(value))

    def bytes(self, value: SSAValue, elements: Size) -> Size:
        return self.product([elements, element_bytes(cast(TensorType, value.type).element_type)])

    def _fold(self, sizes: Iterable[Size], start: int, known, op: type[arith.AddiOp | arith.MuliOp]) -> Size:  # type: ignore[no-untyped-def]
        constant, total = start, None
        for size in sizes:
            if isinstance(size, int):
                constant = known(constant, size)
            else:
                total = size if total is None else self.emit(op(total, size))
        if total is None or (constant == 0 and op is arith.MuliOp):
            return constant
        return total if constant == start else self.emit(op(total, self.value(constant)))


class _Executable:
    """What an executable does, in sizes of the program that calls it."""

    def __init__(self, host: _Host, call: dispatch.CallOp, body: Block) -> None:
        self.host, self.call, self.body = host, call, body
        outside = (*call.tensors, *call.constants)
        self.outer: Mapping[SSAValue, SSAValue] = dict(zip(body.args, outside, strict=True))

    def sizes(self, inside: Iterable[Size]) -> list[Size]:
        return [self._size(size) for size in inside]

    def _size(self, size: Size) -> Size:
        if isinstance(size, int):
            return size
        if isinstance(size, BlockArgument):
            return self.outer[size]
        constant = cast(arith.ConstantOp, size.owner).value
        return cast(IntegerAttr, constant).value.data

    def operations(self) -> Size:
        counts: list[Size] = []
        for op in self.body.ops:
            if isinstance(op, linalg.GenericOp) and (work := _work(op.body.block)):
                counts.append(self.host.product([work, *self.sizes(extents_of(op))]))
            elif isinstance(op, dispatch.ContractOp):
                shape = logical_dims(op)[:-2] if op.kind.data == "attention" else logical_dims(op)
                counts += [self._products(op), self.host.product([_work(op.epilogue.block), *self.sizes(shape)])]
        return self.host.sum(counts)

    def _products(self, op: dispatch.ContractOp) -> Size:
        result, lhs, rhs = (self.sizes(dims_of(v)) for v in (op.result, op.lhs, op.rhs))
        if op.products is not None:  # a convolution's, without the padding of channels
            plane = result[2:] if op.kind.data.startswith("planar") else result[2:4]
            return self.host.product([2, op.products.value.data, result[0], *plane])
        if op.kind.data == "attention":
            *scores, depth, features = self.sizes(logical_dims(op))
            return self.host.sum([self.host.product([2, *scores, last]) for last in (depth, features)])
        if op.kind.data == "conv":
            return self.host.product([2, *result, *rhs[1:5]])
        packed = op.layout.get_values()[0]
        return self.host.product([2, *self.sizes(logical_dims(op)), *([lhs[-3], lhs[-1]] if packed else [lhs[-1]])])

    def bytes(self) -> Size:
        tied = {op.source: op.result for op in self.body.ops if isinstance(op, dispatch.TieShapeOp)}
        inside = self.body.args[: len(self.call.tensors)]
        read = [
            self.host.bytes(v, self.host.least(self.host.elements(v), self._touched(tied.get(a, a))))
            for a, v in zip(inside, self.call.tensors, strict=True)
        ]
        scratch = sum(len(op.scratch) for op in self.body.ops if isinstance(op, dispatch.ContractOp))
        written = self.call.outs[: len(self.call.outs) - scratch]
        return self.host.sum([*read, *(self.host.bytes(v, self.host.elements(v)) for v in written)])

    def _touched(self, value: SSAValue) -> Size:
        """How many elements of an operand are asked for, some of them perhaps more than once."""
        counts: list[Size] = []
        for use in value.uses:
            user = use.operation
            if isinstance(user, linalg.GenericOp):
                counts.append(self.host.product(self.sizes(_visited(user, maps_of(user)[use.index]))))
            elif isinstance(user, tensor.ExtractOp) and isinstance(around := user.parent_op(), linalg.GenericOp):
                counts.append(self.host.product(self.sizes(extents_of(around))))
            else:
                counts.append(self.host.product(self.sizes(dims_of(value))))
        return self.host.sum(counts)


def _visited(op: linalg.GenericOp, map: AffineMap) -> Sequence[Size]:
    used = {d for e in map.results for d in e.used_dims()}
    return [extent for k, extent in enumerate(extents_of(op)) if k in used]


def _work(body: Block) -> int:
    """Arithmetic operations on one element; those on indices are none."""
    return sum(_is_work(op) for op in body.walk())


def _is_work(op: Operation) -> bool:
    dialect, _, name = op.name.partition(".")
    if dialect == "math":
        return isinstance(op.results[0].type, AnyFloat)
    if dialect != "arith" or isinstance(op.results[0].type, IndexType) or op.results[0].type == i1:
        return False
    return not any(part in name for part in _NO_WORK)
