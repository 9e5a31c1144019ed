"""Elementwise arithmetic: what each operator computes on one scalar. The other elementwise families register through `scalar` too."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import IntegerAttr

from ...dialects.kernel import Array, Out, copysign, inline, isinf, isnan, kernel
from ...dialects.onnx import elementwise as ops
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.dims import Shape
from ...dialects.onnx.types import ElementType
from ..scalar import BOOL, DOUBLE, FLOAT, INT32, INT64, STRING, Scalar, ScalarBuilder
from .builder import Lowering, Tensor, element_type
from .registry import lower

HALVES = ("float16", "bfloat16")
PLAIN_FLOATS = (*HALVES, "float", "double")


def check_plain(b: Lowering, *types: ElementType) -> None:
    """Raises UnsupportedError for element types that have no arithmetic: float8 and smaller, complex, strings."""
    for t in types:
        if (t.is_float and t.name not in PLAIN_FLOATS) or not (t.is_float or t.is_integer or t is BOOL):
            raise b.unsupported(f"arithmetic on {t.name} cannot be compiled yet")


def as_comparable(b: Lowering, x: Tensor) -> Tensor:
    """Strings as the numbers of their texts, which are equal where the strings are."""
    return b.retype(x, INT64) if x.type is STRING else x


def wide(type: ElementType) -> ElementType:
    """The type to compute in: float for the 16-bit floats, else the type itself."""
    return FLOAT if type.name in HALVES else type


def scalar(*classes: type[OnnxOp], widen: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers `function(s, op, *scalars) -> Scalar` as the lowering of elementwise operators, operands broadcast.

    widen: 16-bit floats are computed in float and rounded once at the end; without it every step rounds.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def lowering(b: Lowering, op: OnnxOp, *operands: Any) -> Tensor:
            flat = [as_comparable(b, t) for o in operands for t in (o if isinstance(o, list) else [o])]
            (result,) = op.results
            to = element_type(result)
            check_plain(b, to, *(t.type for t in flat))

            def element(*i: Any) -> Scalar:
                xs = [t.at(i) for t in flat]
                if widen:
                    xs = [b.s.cast(x, wide(x.type)) for x in xs]
                y = function(b.s, op, *xs)
                return b.s.cast(y, to) if widen else y

            return b.compute(b.shapes.of(result), to, element, doc=op.op_type)

        lower(*classes)(lowering)
        return function

    return register


# -- binary and variadic arithmetic ------------------------------------------------------------------------------------------


@scalar(ops.AddOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    return x + y


@scalar(ops.SubOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    return x - y


@scalar(ops.MulOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    return x * y


@scalar(ops.DivOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    _require_divisor(s, x, y)
    return x / y


def _require_divisor(s: ScalarBuilder, x: Scalar, y: Scalar) -> None:
    """Notes an error where an integer is divided by 0; constants are known to be none."""
    known = y.value.owner.value if isinstance(y.value.owner, arith.ConstantOp) else None
    if y.type.is_integer and not (isinstance(known, IntegerAttr) and known.value.data):
        s.check(y.differs(0), "ITG5008", "{} is divided by 0", x)


@scalar(ops.BitShiftOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    return s.shl(x, y) if op.attr("direction") == "LEFT" else s.shr(x, y)


@scalar(ops.SumOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, *xs: Scalar) -> Scalar:
    return reduce(s.add, xs)


@scalar(ops.MeanOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, *xs: Scalar) -> Scalar:
    return reduce(s.add, xs) / float(len(xs))


@scalar(ops.MaxOp)
def _(s: ScalarBuilder, op: OnnxOp, *xs: Scalar) -> Scalar:
    return reduce(s.max, xs)


@scalar(ops.MinOp)
def _(s: ScalarBuilder, op: OnnxOp, *xs: Scalar) -> Scalar:
    return reduce(s.min, xs)


@lower(ops.ClipOp)
def clip(b: Lowering, op: ops.ClipOp, x: Tensor, low: Tensor | None, high: Tensor | None) -> Tensor:
    def element(*i: Any) -> Scalar:
        y = x[i]
        if low is not None:
            y = b.s.max(y, low.scalar())
        return y if high is None else b.s.min(y, high.scalar())

    check_plain(b, x.type)
    return b.compute(b.shapes.of(op.y), x.type, element, doc="Clip")


# -- powers ------------------------------------------------------------------------------------------------------------------


@scalar(ops.PowOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    """Integers to integers stay exact; a mixture is computed in the narrowest float that holds both, as far as one does."""
    if x.type.is_integer and y.type.is_integer:
        return _integer_power(s, x, y)
    common = DOUBLE if any(t in (DOUBLE, INT32, INT64) or t.name in ("uint32", "uint64") for t in (x.type, y.type)) else FLOAT
    return s.cast(s.pow(s.cast(x, common), s.cast(y, common)), x.type)


def _integer_power(s: ScalarBuilder, x: Scalar, y: Scalar) -> Scalar:
    """Powers with exponents below 64 wrap as multiplication does; beyond, only those of -1, 0 and 1 fit and the others become 0."""
    exponent = s.cast(y, INT64)
    small = s.select((exponent >= 0) & (exponent < 64), exponent, 0)
    result, square = s.const(1, x.type), x
    for bit in range(6):
        result = s.select((small & (1 << bit)).differs(0), result * square, result)
        square = square * square
    odd = (exponent & 1).differs(0)
    unit = s.select(x.equals(1), x, s.select(x.equals(-1) & odd, x, s.select(x.equals(-1), s.const(1, x.type), 0)))
    return s.select(small.equals(exponent), result, unit)


# -- remainders --------------------------------------------------------------------------------------------------------------


@lower(ops.ModOp)
def mod(b: Lowering, op: ops.ModOp, x: Tensor, y: Tensor) -> Tensor:
    check_plain(b, x.type)
    shape, truncated = b.shapes.of(op.c), bool(op.attr("fmod"))
    if x.type.is_float:
        return _float_remainder(b, x, y, shape, truncated)

    def element(*i: Any) -> Scalar:
        left, right = x.at(i), y.at(i)
        _require_divisor(b.s, left, right)
        return (b.s.rem if truncated else b.s.floormod)(left, right)

    return b.compute(shape, x.type, element, doc="Mod")


def _float_remainder(b: Lowering, x: Tensor, y: Tensor, shape: Shape, truncated: bool) -> Tensor:
    """Exact remainders need a loop: x - trunc(x / y) * y is off by whole multiples of y once x / y is large."""
    computed = wide(x.type)
    wide_x, wide_y = (b.broadcast_to(b.cast(t, computed), shape) for t in (x, y))
    flat = (wide_x.size,)
    arrays = {"x": b.reshape(wide_x, flat), "y": b.reshape(wide_y, flat), "z": (flat, computed)}
    (z,) = b.kernel(float_remainder, arrays, {"truncated": truncated})
    return b.cast(b.reshape(z, shape), x.type)


@kernel
def float_remainder(x: Array, y: Array, z: Out, truncated: bool):
    """The remainder of x / y with the sign of x, or of y where not truncated; NaN where there is none."""
    for i in range(z.size):
        rest = _magnitude_remainder(abs(x[i]), abs(y[i]))
        rest = copysign(rest, x[i])
        if not truncated:
            if rest == 0:
                rest = copysign(rest, y[i])
            elif (rest < 0) != (y[i] < 0):
                rest = rest + y[i]
        z[i] = rest


@inline
def _magnitude_remainder(a, b):
    """a reduced by b times falling powers of two: every subtraction of nearby floats is exact."""
    if isnan(a) or isnan(b) or isinf(a) or b == 0:
        return a * 0 / (b * 0)
    step = b
    while step <= a / 2:
        step = step * 2
    while step >= b and a >= b:
        if a >= step:
            a = a - step
        step = step / 2
    return a


# -- unary arithmetic --------------------------------------------------------------------------------------------------------


@scalar(ops.AbsOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return s.abs(x)


@scalar(ops.NegOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return -x


@scalar(ops.SignOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    positive = s.select(x > 0, s.const(1, x.type), x)
    return s.select(x < 0, s.const(-1, x.type), positive) if x.type.is_signed else positive


@scalar(ops.ReciprocalOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return 1.0 / x


MATH = {
    ops.CeilOp: math.CeilOp,
    ops.FloorOp: math.FloorOp,
    ops.RoundOp: math.RoundEvenOp,
    ops.SqrtOp: math.SqrtOp,
    ops.ExpOp: math.ExpOp,
    ops.LogOp: math.LogOp,
    ops.ErfOp: math.ErfOp,
    ops.SinOp: math.SinOp,
    ops.CosOp: math.CosOp,
    ops.TanOp: math.TanOp,
    ops.AsinOp: math.AsinOp,
    ops.AcosOp: math.AcosOp,
    ops.AtanOp: math.AtanOp,
    ops.SinhOp: math.SinhOp,
    ops.CoshOp: math.CoshOp,
    ops.AsinhOp: math.AsinhOp,
    ops.AcoshOp: math.AcoshOp,
    ops.AtanhOp: math.AtanhOp,
}
"""Operators that are one function of the math dialect."""


@scalar(*MATH)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return s.unary(MATH[type(op)], x)
