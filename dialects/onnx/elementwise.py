"""Elementwise arithmetic: unary mathematics, binary and variadic operators with broadcasting.

A family member is a class of three lines on a base that says its operands, types and shape rule; activations stand in
`activation.py`, comparisons and bit operations in `logical.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from typing_extensions import override
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, opt_operand_def, result_def, var_operand_def

from .base import OnnxOp, element_of, int_attr, operator, str_attr, tensor
from .checks import one_of, require_scalar
from .contents import elementwise, float_quotient, floored_remainder, magnitude, truncated_quotient, truncated_remainder
from .dims import Dim, Shape, less, maximum, minimum
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_NUMERIC, BY_IR, I32, I64, INTEGERS, SIGNED


class UnaryOp(OnnxOp):
    """One operand, one result of the same shape. Subclasses declare `x` and `y` with their type constraint."""

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.of(self.operands[0]),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return elementwise(shapes, self.results[0], self.operands, self.combine)

    @staticmethod
    def combine(x: Dim, /) -> Dim | None:
        """The operator on one whole number, for shape arithmetic; None where the result is no whole number or not known."""
        return None


class FloatUnaryOp(UnaryOp):
    """A unary operator on floats."""

    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))


class NumericUnaryOp(UnaryOp):
    """A unary operator on every number type."""

    x = operand_def(tensor("T", ALL_NUMERIC))
    y = result_def(tensor("T", ALL_NUMERIC))


class BroadcastOp(OnnxOp):
    """Operands broadcast against each other, one result."""

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.broadcast(self, *(shapes.of(v) for v in self.operands)),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return elementwise(shapes, self.results[0], self.operands, self.combine)

    @staticmethod
    def combine(a: Dim, b: Dim, /) -> Dim | None:
        """The operator on two whole numbers, for shape arithmetic; None where the result is no whole number or not known."""
        return None


class BinaryOp(BroadcastOp):
    """Two operands of any number type broadcast against each other."""

    a = operand_def(tensor("T", ALL_NUMERIC))
    b = operand_def(tensor("T", ALL_NUMERIC))
    c = result_def(tensor("T", ALL_NUMERIC))


class VariadicOp(BroadcastOp):
    """One or more operands broadcast against each other and combined from the left. Subclasses declare `inputs` and `output`."""

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        if not self.operands:
            raise self.fail("ITG2143", "needs one input or more, but has none")
        return super().infer_shapes(shapes)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return elementwise(shapes, self.results[0], self.operands, self._combine_all)

    def _combine_all(self, first: Dim, *rest: Dim) -> Dim | None:
        total: Dim | None = first
        for element in rest:
            total = None if total is None else self.combine(total, element)
        return total


# -- binary arithmetic -------------------------------------------------------------------------------------------------------


@operator(since=14)
class AddOp(BinaryOp):
    """a + b. https://onnx.ai/onnx/operators/onnx__Add.html"""

    name = "onnx.Add"
    combine = staticmethod(lambda a, b: a + b)


@operator(since=14)
class SubOp(BinaryOp):
    """a - b. https://onnx.ai/onnx/operators/onnx__Sub.html"""

    name = "onnx.Sub"
    combine = staticmethod(lambda a, b: a - b)


@operator(since=14)
class MulOp(BinaryOp):
    """a * b. https://onnx.ai/onnx/operators/onnx__Mul.html"""

    name = "onnx.Mul"
    combine = staticmethod(lambda a, b: a * b)


@operator(since=14)
class DivOp(BinaryOp):
    """a / b; integers round towards zero. https://onnx.ai/onnx/operators/onnx__Div.html"""

    name = "onnx.Div"

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        quotient = float_quotient if _is_float(self.a) else truncated_quotient
        return elementwise(shapes, self.c, self.operands, quotient)


@operator(since=28)
class ModOp(BinaryOp):
    """The remainder of a / b, with the sign of b (fmod=0) or of a (fmod=1). https://onnx.ai/onnx/operators/onnx__Mod.html"""

    name = "onnx.Mod"
    fmod = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "fmod", 0, 1)
        return super().infer_shapes(shapes)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return elementwise(shapes, self.c, self.operands, truncated_remainder if self.attr("fmod") else floored_remainder)


@operator(since=15)
class PowOp(BroadcastOp):
    """x to the power of y, of x's element type. https://onnx.ai/onnx/operators/onnx__Pow.html"""

    name = "onnx.Pow"
    x = operand_def(tensor("T", (*ALL_FLOATS, *I32, *I64)))
    y = operand_def(tensor("T1", ALL_NUMERIC))
    z = result_def(tensor("T", (*ALL_FLOATS, *I32, *I64)))
    combine = staticmethod(lambda x, y: x**y if isinstance(x, int) and isinstance(y, int) and 0 <= y < 64 else None)


@operator(since=28)
class BitShiftOp(BroadcastOp):
    """x shifted by y bits to the LEFT or RIGHT, arithmetically if signed. https://onnx.ai/onnx/operators/onnx__BitShift.html"""

    name = "onnx.BitShift"
    x = operand_def(tensor("T", INTEGERS))
    y = operand_def(tensor("T", INTEGERS))
    z = result_def(tensor("T", INTEGERS))
    direction = str_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "direction", "LEFT", "RIGHT")
        return super().infer_shapes(shapes)


# -- variadic arithmetic -----------------------------------------------------------------------------------------------------


@operator(since=13)
class SumOp(VariadicOp):
    """The sum of all inputs. https://onnx.ai/onnx/operators/onnx__Sum.html"""

    name = "onnx.Sum"
    inputs = var_operand_def(tensor("T", ALL_FLOATS))
    output = result_def(tensor("T", ALL_FLOATS))
    combine = staticmethod(lambda a, b: a + b)


@operator(since=13)
class MeanOp(VariadicOp):
    """The arithmetic mean of all inputs. https://onnx.ai/onnx/operators/onnx__Mean.html"""

    name = "onnx.Mean"
    inputs = var_operand_def(tensor("T", ALL_FLOATS))
    output = result_def(tensor("T", ALL_FLOATS))


@operator(since=13)
class MaxOp(VariadicOp):
    """The largest of all inputs. https://onnx.ai/onnx/operators/onnx__Max.html"""

    name = "onnx.Max"
    inputs = var_operand_def(tensor("T", ALL_NUMERIC))
    output = result_def(tensor("T", ALL_NUMERIC))
    combine = staticmethod(maximum)


@operator(since=13)
class MinOp(VariadicOp):
    """The smallest of all inputs. https://onnx.ai/onnx/operators/onnx__Min.html"""

    name = "onnx.Min"
    inputs = var_operand_def(tensor("T", ALL_NUMERIC))
    output = result_def(tensor("T", ALL_NUMERIC))
    combine = staticmethod(minimum)


@operator(since=13)
class ClipOp(OnnxOp):
    """min(max(x, low), high); an absent bound does not limit. https://onnx.ai/onnx/operators/onnx__Clip.html"""

    name = "onnx.Clip"
    x = operand_def(tensor("T", ALL_NUMERIC))
    low = opt_operand_def(tensor("T", ALL_NUMERIC))
    high = opt_operand_def(tensor("T", ALL_NUMERIC))
    y = result_def(tensor("T", ALL_NUMERIC))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_scalar(self, shapes, self.low, "min")
        require_scalar(self, shapes, self.high, "max")
        return (shapes.of(self.x),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        bounds = [(v, fn) for v, fn in ((self.low, maximum), (self.high, minimum)) if v is not None]

        def clip(x: Dim, *limits: Dim) -> Dim:
            return reduce(lambda a, bound: bound[1](a, bound[0]), zip(limits, (fn for _, fn in bounds), strict=True), x)

        return elementwise(shapes, self.y, [self.x, *(v for v, _ in bounds)], clip)


# -- unary arithmetic --------------------------------------------------------------------------------------------------------


@operator(since=13)
class AbsOp(NumericUnaryOp):
    """|x|. https://onnx.ai/onnx/operators/onnx__Abs.html"""

    name = "onnx.Abs"
    combine = staticmethod(magnitude)


@operator(since=13)
class NegOp(UnaryOp):
    """-x. https://onnx.ai/onnx/operators/onnx__Neg.html"""

    name = "onnx.Neg"
    x = operand_def(tensor("T", (*ALL_FLOATS, *SIGNED)))
    y = result_def(tensor("T", (*ALL_FLOATS, *SIGNED)))
    combine = staticmethod(lambda x: -x)


@operator(since=13)
class SignOp(NumericUnaryOp):
    """-1, 0 or 1 by the sign of x. https://onnx.ai/onnx/operators/onnx__Sign.html"""

    name = "onnx.Sign"
    combine = staticmethod(lambda x: less(0, x) - less(x, 0))


@operator(since=13)
class CeilOp(FloatUnaryOp):
    """The least whole number not below x. https://onnx.ai/onnx/operators/onnx__Ceil.html"""

    name = "onnx.Ceil"
    combine = staticmethod(lambda x: x)


@operator(since=13)
class FloorOp(FloatUnaryOp):
    """The greatest whole number not above x. https://onnx.ai/onnx/operators/onnx__Floor.html"""

    name = "onnx.Floor"
    combine = staticmethod(lambda x: x)


@operator(since=22)
class RoundOp(FloatUnaryOp):
    """The nearest whole number, halves to even. https://onnx.ai/onnx/operators/onnx__Round.html"""

    name = "onnx.Round"
    combine = staticmethod(lambda x: x)


@operator(since=13)
class ReciprocalOp(FloatUnaryOp):
    """1 / x. https://onnx.ai/onnx/operators/onnx__Reciprocal.html"""

    name = "onnx.Reciprocal"


@operator(since=13)
class SqrtOp(FloatUnaryOp):
    """The square root, NaN below 0. https://onnx.ai/onnx/operators/onnx__Sqrt.html"""

    name = "onnx.Sqrt"


@operator(since=13)
class ExpOp(FloatUnaryOp):
    """e to the power of x. https://onnx.ai/onnx/operators/onnx__Exp.html"""

    name = "onnx.Exp"


@operator(since=13)
class LogOp(FloatUnaryOp):
    """The natural logarithm. https://onnx.ai/onnx/operators/onnx__Log.html"""

    name = "onnx.Log"


@operator(since=13)
class ErfOp(FloatUnaryOp):
    """The error function. https://onnx.ai/onnx/operators/onnx__Erf.html"""

    name = "onnx.Erf"


@operator(since=22)
class SinOp(FloatUnaryOp):
    """The sine of an angle in radians. https://onnx.ai/onnx/operators/onnx__Sin.html"""

    name = "onnx.Sin"


@operator(since=22)
class CosOp(FloatUnaryOp):
    """The cosine of an angle in radians. https://onnx.ai/onnx/operators/onnx__Cos.html"""

    name = "onnx.Cos"


@operator(since=22)
class TanOp(FloatUnaryOp):
    """The tangent of an angle in radians. https://onnx.ai/onnx/operators/onnx__Tan.html"""

    name = "onnx.Tan"


@operator(since=22)
class AsinOp(FloatUnaryOp):
    """The inverse sine, in radians. https://onnx.ai/onnx/operators/onnx__Asin.html"""

    name = "onnx.Asin"


@operator(since=22)
class AcosOp(FloatUnaryOp):
    """The inverse cosine, in radians. https://onnx.ai/onnx/operators/onnx__Acos.html"""

    name = "onnx.Acos"


@operator(since=22)
class AtanOp(FloatUnaryOp):
    """The inverse tangent, in radians. https://onnx.ai/onnx/operators/onnx__Atan.html"""

    name = "onnx.Atan"


@operator(since=22)
class SinhOp(FloatUnaryOp):
    """The hyperbolic sine. https://onnx.ai/onnx/operators/onnx__Sinh.html"""

    name = "onnx.Sinh"


@operator(since=22)
class CoshOp(FloatUnaryOp):
    """The hyperbolic cosine. https://onnx.ai/onnx/operators/onnx__Cosh.html"""

    name = "onnx.Cosh"


@operator(since=22)
class AsinhOp(FloatUnaryOp):
    """The inverse hyperbolic sine. https://onnx.ai/onnx/operators/onnx__Asinh.html"""

    name = "onnx.Asinh"


@operator(since=22)
class AcoshOp(FloatUnaryOp):
    """The inverse hyperbolic cosine. https://onnx.ai/onnx/operators/onnx__Acosh.html"""

    name = "onnx.Acosh"


@operator(since=22)
class AtanhOp(FloatUnaryOp):
    """The inverse hyperbolic tangent. https://onnx.ai/onnx/operators/onnx__Atanh.html"""

    name = "onnx.Atanh"


def _is_float(v: SSAValue) -> bool:
    return element_of(v) in BY_IR and BY_IR[element_of(v)].is_float
