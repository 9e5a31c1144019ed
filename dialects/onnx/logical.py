"""Comparisons, logic on booleans and on bits, and selection between two tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import override
from xdsl.irdl import operand_def, result_def

from .base import OnnxOp, element_of, int_attr, operator, tensor
from .contents import elementwise
from .dims import Shape, equal, less, select
from .elementwise import BroadcastOp, UnaryOp
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_NUMERIC, ALL_TENSOR_BF16, BOOL, FLOAT8, INTEGERS, STRINGS


class ComparisonOp(BroadcastOp):
    """Two operands broadcast against each other, a boolean result. Subclasses declare `a` and `b`."""

    c = result_def(tensor("T1", BOOL))

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return elementwise(shapes, self.c, self.operands, self.combine, kind=BOOL[0])


class OrderOp(ComparisonOp):
    """A comparison of numbers."""

    a = operand_def(tensor("T", ALL_NUMERIC))
    b = operand_def(tensor("T", ALL_NUMERIC))


class BooleanOp(ComparisonOp):
    """A binary operator on booleans."""

    a = operand_def(tensor("T", BOOL))
    b = operand_def(tensor("T", BOOL))


class BitwiseOp(BroadcastOp):
    """A binary operator on the bits of integers."""

    a = operand_def(tensor("T", INTEGERS))
    b = operand_def(tensor("T", INTEGERS))
    c = result_def(tensor("T", INTEGERS))


class FloatTestOp(UnaryOp):
    """A property of each float, as a boolean."""

    x = operand_def(tensor("T1", (*ALL_FLOATS, *FLOAT8)))
    y = result_def(tensor("T2", BOOL))

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return ()


@operator(since=19)
class EqualOp(ComparisonOp):
    """a == b. https://onnx.ai/onnx/operators/onnx__Equal.html"""

    name = "onnx.Equal"
    a = operand_def(tensor("T", (*ALL_NUMERIC, *BOOL, *STRINGS)))
    b = operand_def(tensor("T", (*ALL_NUMERIC, *BOOL, *STRINGS)))
    combine = staticmethod(equal)


@operator(since=13)
class LessOp(OrderOp):
    """a < b. https://onnx.ai/onnx/operators/onnx__Less.html"""

    name = "onnx.Less"
    combine = staticmethod(less)


@operator(since=16)
class LessOrEqualOp(OrderOp):
    """a <= b. https://onnx.ai/onnx/operators/onnx__LessOrEqual.html"""

    name = "onnx.LessOrEqual"
    combine = staticmethod(lambda a, b: 1 - less(b, a))


@operator(since=13)
class GreaterOp(OrderOp):
    """a > b. https://onnx.ai/onnx/operators/onnx__Greater.html"""

    name = "onnx.Greater"
    combine = staticmethod(lambda a, b: less(b, a))


@operator(since=16)
class GreaterOrEqualOp(OrderOp):
    """a >= b. https://onnx.ai/onnx/operators/onnx__GreaterOrEqual.html"""

    name = "onnx.GreaterOrEqual"
    combine = staticmethod(lambda a, b: 1 - less(a, b))


@operator(since=7)
class AndOp(BooleanOp):
    """a and b. https://onnx.ai/onnx/operators/onnx__And.html"""

    name = "onnx.And"
    combine = staticmethod(lambda a, b: a * b)


@operator(since=7)
class OrOp(BooleanOp):
    """a or b. https://onnx.ai/onnx/operators/onnx__Or.html"""

    name = "onnx.Or"
    combine = staticmethod(lambda a, b: 1 - (1 - a) * (1 - b))


@operator(since=7)
class XorOp(BooleanOp):
    """a unequal b. https://onnx.ai/onnx/operators/onnx__Xor.html"""

    name = "onnx.Xor"
    combine = staticmethod(lambda a, b: 1 - equal(a, b))


@operator(since=1)
class NotOp(UnaryOp):
    """not x. https://onnx.ai/onnx/operators/onnx__Not.html"""

    name = "onnx.Not"
    x = operand_def(tensor("T", BOOL))
    y = result_def(tensor("T", BOOL))
    combine = staticmethod(lambda x: 1 - x)


@operator(since=18)
class BitwiseAndOp(BitwiseOp):
    """The bits set in both a and b. https://onnx.ai/onnx/operators/onnx__BitwiseAnd.html"""

    name = "onnx.BitwiseAnd"


@operator(since=18)
class BitwiseOrOp(BitwiseOp):
    """The bits set in a or b. https://onnx.ai/onnx/operators/onnx__BitwiseOr.html"""

    name = "onnx.BitwiseOr"


@operator(since=18)
class BitwiseXorOp(BitwiseOp):
    """The bits in which a and b differ. https://onnx.ai/onnx/operators/onnx__BitwiseXor.html"""

    name = "onnx.BitwiseXor"


@operator(since=18)
class BitwiseNotOp(UnaryOp):
    """Every bit of x inverted. https://onnx.ai/onnx/operators/onnx__BitwiseNot.html"""

    name = "onnx.BitwiseNot"
    x = operand_def(tensor("T", INTEGERS))
    y = result_def(tensor("T", INTEGERS))


@operator(since=20)
class IsNaNOp(FloatTestOp):
    """Whether x is not a number. https://onnx.ai/onnx/operators/onnx__IsNaN.html"""

    name = "onnx.IsNaN"


@operator(since=20)
class IsInfOp(FloatTestOp):
    """Whether x is an infinity, of the signs asked for. https://onnx.ai/onnx/operators/onnx__IsInf.html"""

    name = "onnx.IsInf"
    detect_negative = int_attr(1)
    detect_positive = int_attr(1)


@operator(since=16)
class WhereOp(OnnxOp):
    """x where the condition holds, else y, all three broadcast. https://onnx.ai/onnx/operators/onnx__Where.html"""

    name = "onnx.Where"
    condition = operand_def(tensor("B", BOOL))
    x = operand_def(tensor("T", ALL_TENSOR_BF16))
    y = operand_def(tensor("T", ALL_TENSOR_BF16))
    output = result_def(tensor("T", ALL_TENSOR_BF16))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.broadcast(self, *(shapes.of(v) for v in self.operands)),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return elementwise(shapes, self.output, self.operands, select, kind=element_of(self.x))
