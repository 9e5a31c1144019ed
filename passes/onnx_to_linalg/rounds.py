"""Loops of the host program in the making, and tensors that enter and leave regions; the control and sequence families build on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import DYNAMIC_INDEX
from xdsl.ir import Block, Region, SSAValue

from ...dialects import dispatch
from ...dialects.onnx.dims import Shape
from .builder import Lowering, Tensor, element_type


class Rounds:
    """A scf.while in the making: the values it carries, by position. The first counts the rounds."""

    COUNT = 0

    def __init__(self, b: Lowering) -> None:
        self.b = b
        self.initial: list[SSAValue] = [b.dim(0)]

    def carry(self, value: SSAValue) -> int:
        self.initial.append(value)
        return len(self.initial) - 1

    def run(
        self, condition: Callable[[Sequence[SSAValue]], SSAValue], body: Callable[[Sequence[SSAValue]], dict[int, SSAValue]]
    ) -> Sequence[SSAValue]:
        """Runs `body` while `condition`, both built on the carried values; what `body` does not give stays. Returns the last values."""
        b, types = self.b, [v.type for v in self.initial]
        before, after = Block(arg_types=types), Block(arg_types=types)
        with b.scope(before):
            before.add_op(scf.ConditionOp(condition(before.args), *before.args))
        with b.scope(after):
            following = body(after.args)
            following[self.COUNT] = b.emit(arith.AddiOp(after.args[self.COUNT], b.dim(1)))
            after.add_op(scf.YieldOp(*(following.get(n, a) for n, a in enumerate(after.args))))
        op = scf.WhileOp(self.initial, types, Region(before), Region(after))
        b.emit(op)
        return op.results


def as_shape(b: Lowering, x: Tensor, shape: Shape) -> SSAValue:
    """The tensor under the type that `shape` has: what is known here may be dynamic where control flow meets."""
    wanted = b.tensor_type(shape, x.type)
    if x.value.type == wanted:
        return x.value
    dims = [b.dim(d) for d, w in zip(x.shape, wanted.get_shape(), strict=True) if w == DYNAMIC_INDEX]
    return b.emit(dispatch.ReshapeOp(x.value, dims, wanted))


def tied(b: Lowering, value: SSAValue, shape: Shape, like: SSAValue) -> Tensor:
    """A tensor of the element type of `like`, a value of the onnx level, whose dynamic dimensions are named."""
    dims = b.dims(shape)
    return Tensor(b, b.emit(dispatch.TieShapeOp(value, dims)) if dims else value, shape, element_type(like))
