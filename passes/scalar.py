"""Scalar expressions that build IR as they are computed: what lowerings write inside `compute` and `reduce` bodies.

A `Scalar` knows its ONNX element type, signedness included, while the IR below the onnx dialect is signless; a `ScalarBuilder`
puts the operations it stands for into one block. Plain Python numbers take the type of the other operand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import (
    AnyFloat,
    ComplexType,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    i1,
    i8,
    i64,
)
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ..dialects.dispatch import AssertOp
from ..dialects.onnx.types import BY_NAME, ElementType
from ..errors import UnsupportedError
from .narrow import code_of, decode, encode, is_narrow

INDEX = ElementType(0, "index", IndexType(), BY_NAME["int64"].numpy)
BOOL = BY_NAME["bool"]
INT64 = BY_NAME["int64"]
INT32 = BY_NAME["int32"]
FLOAT = BY_NAME["float"]
STRING = BY_NAME["string"]
DOUBLE = BY_NAME["double"]

INDEX_OUTSIDE = "index {} is outside of [{}, {})"

Number: TypeAlias = "int | float | bool"


def storage(element: ElementType) -> Attribute:
    """The signless IR type in which an element is kept in memory below the onnx dialect; sub-byte types take a byte."""
    ir = element.ir
    if isinstance(ir, IntegerType):
        return i1 if ir.width.data == 1 else IntegerType(max(8, ir.width.data))
    if element.is_float and element.name not in ("float16", "bfloat16", "float", "double"):
        return i8
    if element is STRING:
        return i64
    if isinstance(ir, ComplexType):
        return IntegerType(8 * element.numpy.itemsize)  # moved as a whole: no operator computes with complex elements
    if not element.is_float and element is not INDEX:
        raise UnsupportedError("ITG3003", f"tensors of {element.name} cannot be compiled yet")
    return ir


@dataclass(frozen=True, eq=False)
class Scalar:
    """One element as an SSA value; operators append to the builder's block."""

    b: ScalarBuilder
    value: SSAValue
    type: ElementType

    def __add__(self, o: Any) -> Scalar:
        return self.b.add(self, o)

    def __radd__(self, o: Any) -> Scalar:
        return self.b.add(o, self)

    def __sub__(self, o: Any) -> Scalar:
        return self.b.sub(self, o)

    def __rsub__(self, o: Any) -> Scalar:
        return self.b.sub(o, self)

    def __mul__(self, o: Any) -> Scalar:
        return self.b.mul(self, o)

    def __rmul__(self, o: Any) -> Scalar:
        return self.b.mul(o, self)

    def __truediv__(self, o: Any) -> Scalar:
        return self.b.div(self, o)

    def __rtruediv__(self, o: Any) -> Scalar:
        return self.b.div(o, self)

    def __floordiv__(self, o: Any) -> Scalar:
        return self.b.floordiv(self, o)

    def __mod__(self, o: Any) -> Scalar:
        return self.b.floormod(self, o)

    def __neg__(self) -> Scalar:
        return self.b.neg(self)

    def __and__(self, o: Any) -> Scalar:
        return self.b.bitand(self, o)

    def __or__(self, o: Any) -> Scalar:
        return self.b.bitor(self, o)

    def __xor__(self, o: Any) -> Scalar:
        return self.b.bitxor(self, o)

    def __invert__(self) -> Scalar:
        return self.b.invert(self)

    def __lt__(self, o: Any) -> Scalar:
        return self.b.compare("lt", self, o)

    def __le__(self, o: Any) -> Scalar:
        return self.b.compare("le", self, o)

    def __gt__(self, o: Any) -> Scalar:
        return self.b.compare("gt", self, o)

    def __ge__(self, o: Any) -> Scalar:
        return self.b.compare("ge", self, o)

    def equals(self, o: Any) -> Scalar:
        return self.b.compare("eq", self, o)

    def differs(self, o: Any) -> Scalar:
        return self.b.compare("ne", self, o)


_CMP_F = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}
_CMP_S = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}
_CMP_U = {"eq": "eq", "ne": "ne", "lt": "ult", "le": "ule", "gt": "ugt", "ge": "uge"}
_WIDE = {"float16": FLOAT, "bfloat16": FLOAT}


class ScalarBuilder:
    """Appends scalar operations to a block (before its terminator-to-be)."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self._constants: dict[tuple[Any, str], SSAValue] = {}

    def emit(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def wrap(self, value: SSAValue, type: ElementType) -> Scalar:
        return Scalar(self, value, type)

    # -- constants and operand agreement

    def const(self, number: Number, type: ElementType) -> Scalar:
        """A constant of the type; values are taken modulo the integer width."""
        key = (repr(number), type.name)
        if key not in self._constants:
            self._constants[key] = self.emit(arith.ConstantOp(_constant_attr(number, type)))
        return Scalar(self, self._constants[key], type)

    def operand(self, x: Any, like: ElementType) -> Scalar:
        if isinstance(x, Scalar):
            return x
        if hasattr(x, "to_scalar"):
            return x.to_scalar(self)
        return self.const(x, like)

    def pair(self, x: Any, y: Any) -> tuple[Scalar, Scalar]:
        """Both operands as scalars of one type; numbers follow the scalar, index values meet integers as index values."""
        x = x.to_scalar(self) if hasattr(x, "to_scalar") else x
        y = y.to_scalar(self) if hasattr(y, "to_scalar") else y
        like = x.type if isinstance(x, Scalar) else y.type
        x, y = self.operand(x, like), self.operand(y, like)
        if x.type is INDEX and y.type is not INDEX:
            return x, self.cast(y, INDEX)
        if y.type is INDEX and x.type is not INDEX:
            return self.cast(x, INDEX), y
        return x, y

    # -- arithmetic

    def _binary(self, x: Any, y: Any, fop: Any, sop: Any, uop: Any = None) -> Scalar:
        x, y = self.pair(x, y)
        op = fop if x.type.is_float else sop if x.type.is_signed or uop is None else uop
        if op is None:
            raise UnsupportedError("ITG3004", f"this operation is not defined on {x.type.name}")
        return Scalar(self, self.emit(op(x.value, y.value)), x.type)

    def add(self, x: Any, y: Any) -> Scalar:
        return self._binary(x, y, arith.AddfOp, arith.AddiOp)

    def sub(self, x: Any, y: Any) -> Scalar:
        return self._binary(x, y, arith.SubfOp, arith.SubiOp)

    def mul(self, x: Any, y: Any) -> Scalar:
        return self._binary(x, y, arith.MulfOp, arith.MuliOp)

    def div(self, x: Any, y: Any) -> Scalar:
        """Float division, or integer division rounding towards zero whose divisor is made 1 where it is 0 (or would overflow)."""
        x, y = self.pair(x, y)
        if x.type.is_float:
            return self._binary(x, y, arith.DivfOp, None)
        return self._binary(x, self._safe_divisor(x, y), None, arith.DivSIOp, arith.DivUIOp)

    def rem(self, x: Any, y: Any) -> Scalar:
        """Integer remainder with the dividend's sign (C's %)."""
        x, y = self.pair(x, y)
        if x.type.is_float:
            quotient = self.trunc(self.div(x, y))
            return self.sub(x, self.mul(quotient, y))
        return self._binary(x, self._safe_divisor(x, y), None, arith.RemSIOp, arith.RemUIOp)

    def floordiv(self, x: Any, y: Any) -> Scalar:
        """Division rounding down."""
        x, y = self.pair(x, y)
        if x.type.is_float:
            return self.floor(self.div(x, y))
        quotient = self.div(x, y)
        if not x.type.is_signed:
            return quotient
        return self.sub(quotient, self.select(self._mixed_signs(x, y), 1, self.const(0, x.type)))

    def floormod(self, x: Any, y: Any) -> Scalar:
        """Remainder with the divisor's sign (Python's %)."""
        x, y = self.pair(x, y)
        if x.type.is_float:
            rest = self.rem(x, y)
            mixed = rest.differs(0) & ((rest < 0) ^ (y < 0))
            return self.select(mixed, rest + y, rest)
        rest = self.rem(x, y)
        return self.select(self._mixed_signs(x, y), rest + y, rest) if x.type.is_signed else rest

    def _mixed_signs(self, x: Scalar, y: Scalar) -> Scalar:
        """Whether truncation and flooring differ: the remainder is not zero and the signs are unlike."""
        return self.rem(x, y).differs(0) & ((x < 0) ^ (y < 0))

    def _safe_divisor(self, x: Scalar, y: Scalar) -> Scalar:
        bad = y.equals(0)
        if x.type.is_signed:
            width = 64 if x.type is INDEX else x.type.ir.width.data  # type: ignore[union-attr]
            bad = bad | (y.equals(-1) & x.equals(-(1 << (width - 1))))
        return self.select(bad, 1, y)

    def neg(self, x: Scalar) -> Scalar:
        if x.type.is_float:
            return Scalar(self, self.emit(arith.NegfOp(x.value)), x.type)
        return self.sub(0, x)

    def max(self, x: Any, y: Any) -> Scalar:
        """The larger; NaN if either is."""
        return self._binary(x, y, arith.MaximumfOp, arith.MaxSIOp, arith.MaxUIOp)

    def min(self, x: Any, y: Any) -> Scalar:
        """The smaller; NaN if either is."""
        return self._binary(x, y, arith.MinimumfOp, arith.MinSIOp, arith.MinUIOp)

    def bitand(self, x: Any, y: Any) -> Scalar:
        return self._binary(x, y, None, arith.AndIOp)

    def bitor(self, x: Any, y: Any) -> Scalar:
        return self._binary(x, y, None, arith.OrIOp)

    def bitxor(self, x: Any, y: Any) -> Scalar:
        return self._binary(x, y, None, arith.XOrIOp)

    def shl(self, x: Any, y: Any) -> Scalar:
        """Left shift; 0 where the distance is not below the width."""
        x, y = self.pair(x, y)
        return self._shift(arith.ShLIOp, x, y)

    def shr(self, x: Any, y: Any) -> Scalar:
        """Right shift; where the distance is not below the width, all bits are the sign's (0 for unsigned types)."""
        x, y = self.pair(x, y)
        if not x.type.is_signed:
            return self._shift(arith.ShRUIOp, x, y)
        last = x.type.ir.width.data - 1  # type: ignore[union-attr]
        distance = self.select((y < 0) | (y > last), last, y)
        return Scalar(self, self.emit(arith.ShRSIOp(x.value, distance.value)), x.type)

    def _shift(self, op: Any, x: Scalar, y: Scalar) -> Scalar:
        width = x.type.ir.width.data  # type: ignore[union-attr]
        inside = (y < width) if not y.type.is_signed else ((y < width) & (y >= 0))
        shifted = Scalar(self, self.emit(op(x.value, self.select(inside, y, 0).value)), x.type)
        return self.select(inside, shifted, 0)

    def invert(self, x: Scalar) -> Scalar:
        return self.bitxor(x, True if x.type is BOOL else -1)

    def compare(self, how: str, x: Any, y: Any) -> Scalar:
        x, y = self.pair(x, y)
        if x.type.is_float:
            return Scalar(self, self.emit(arith.CmpfOp(x.value, y.value, _CMP_F[how])), BOOL)
        table = _CMP_S if x.type.is_signed else _CMP_U
        return Scalar(self, self.emit(arith.CmpiOp(x.value, y.value, table[how])), BOOL)

    def select(self, condition: Scalar, x: Any, y: Any) -> Scalar:
        x, y = self.pair(x, y)
        return Scalar(self, self.emit(arith.SelectOp(condition.value, x.value, y.value)), x.type)

    def all(self, conditions: Sequence[Scalar]) -> Scalar:
        result = self.const(True, BOOL)
        for c in conditions:
            result = result & c
        return result

    # -- math

    def unary(self, op: Callable[[SSAValue], Operation], x: Scalar) -> Scalar:
        """A math dialect operation on a float; half types compute in float32."""
        if not x.type.is_float:
            raise UnsupportedError("ITG3004", f"this function is not defined on {x.type.name}")
        wide = _WIDE.get(x.type.name)
        if wide is not None:
            return self.cast(self.unary(op, self.cast(x, wide)), x.type)
        return Scalar(self, self.emit(op(x.value)), x.type)

    def exp(self, x: Scalar) -> Scalar:
        return self.unary(math.ExpOp, x)

    def weight(self, x: Scalar) -> Scalar:
        """e^x of x <= 0, 0 below the normal numbers: faster, for what is summed up with the 1 of x = 0."""
        return self.unary(lambda v: math.ExpOp(v, arith.FastMathFlagsAttr([FastMathFlag.APPROX_FUNC])), x)

    def odds(self, x: Scalar) -> Scalar:
        """e^x, 0 below the normal numbers and infinite above them: faster still, for what 1 is added to."""
        return self.unary(lambda v: math.ExpOp(v, arith.FastMathFlagsAttr([FastMathFlag.NO_INFS, FastMathFlag.APPROX_FUNC])), x)

    def expm1(self, x: Scalar) -> Scalar:
        return self.unary(math.ExpM1Op, x)

    def log(self, x: Scalar) -> Scalar:
        return self.unary(math.LogOp, x)

    def log1p(self, x: Scalar) -> Scalar:
        return self.unary(math.Log1pOp, x)

    def sqrt(self, x: Scalar) -> Scalar:
        return self.unary(math.SqrtOp, x)

    def tanh(self, x: Scalar) -> Scalar:
        return self.unary(math.TanhOp, x)

    def erf(self, x: Scalar) -> Scalar:
        return self.unary(math.ErfOp, x)

    def sin(self, x: Scalar) -> Scalar:
        return self.unary(math.SinOp, x)

    def cos(self, x: Scalar) -> Scalar:
        return self.unary(math.CosOp, x)

    def floor(self, x: Scalar) -> Scalar:
        return self.unary(math.FloorOp, x)

    def ceil(self, x: Scalar) -> Scalar:
        return self.unary(math.CeilOp, x)

    def trunc(self, x: Scalar) -> Scalar:
        return self.unary(math.TruncOp, x)

    def round_even(self, x: Scalar) -> Scalar:
        return self.unary(math.RoundEvenOp, x)

    def abs(self, x: Scalar) -> Scalar:
        if x.type.is_float:
            return self.unary(math.AbsFOp, x)
        return self.max(x, -x) if x.type.is_signed else x

    def sigmoid(self, x: Scalar) -> Scalar:
        """1 / (1 + e^-x). In double precision the faster exponential would be off too far from 0."""
        return 1.0 / (1.0 + (self.exp(-x) if x.type is DOUBLE else self.odds(-x)))

    def pow(self, x: Scalar, y: Scalar) -> Scalar:
        """x to the power y on floats of one type."""
        wide = _WIDE.get(x.type.name)
        if wide is not None:
            return self.cast(self.pow(self.cast(x, wide), self.cast(y, wide)), x.type)
        return Scalar(self, self.emit(math.PowFOp(x.value, y.value)), x.type)

    def fma(self, x: Scalar, y: Any, z: Any) -> Scalar:
        y, z = self.operand(y, x.type), self.operand(z, x.type)
        return Scalar(self, self.emit(math.FmaOp(x.value, y.value, z.value)), x.type)

    def isnan(self, x: Scalar) -> Scalar:
        return Scalar(self, self.emit(arith.CmpfOp(x.value, x.value, "uno")), BOOL)

    def isinf(self, x: Scalar) -> Scalar:
        return self.abs(x).equals(float("inf"))

    # -- conversion

    def cast(self, x: Any, to: ElementType) -> Scalar:
        """Conversion as C does it between numbers: floats truncate to integers, saturating at the type's limits; all but 0 is true."""
        x = self.operand(x, to)
        if x.type is to or x.type == to:
            return x
        if is_narrow(x.type):
            return self.cast(decode(self, x), to)
        if is_narrow(to):
            return encode(self, x, to)
        if to is BOOL:
            return x.differs(0)
        if x.type.is_float and to.is_float:
            return self._float_to_float(x, to)
        if x.type.is_float:
            return self._float_to_int(x, to)
        if to.is_float:
            op = arith.SIToFPOp if x.type.is_signed else arith.UIToFPOp
            return Scalar(self, self.emit(op(self._as_integer(x).value, cast(AnyFloat, storage(to)))), to)
        return self._int_to_int(x, to)

    def _as_integer(self, x: Scalar) -> Scalar:
        return Scalar(self, self.emit(arith.IndexCastOp(x.value, storage(INT64))), INT64) if x.type is INDEX else x

    def _float_to_float(self, x: Scalar, to: ElementType) -> Scalar:
        widths = {"float16": 16, "bfloat16": 16, "float": 32, "double": 64}
        for element in (x.type, to):
            if element.name not in widths:
                raise UnsupportedError("ITG3005", f"conversion between {x.type.name} and {to.name} cannot be compiled yet")
        if widths[x.type.name] == widths[to.name]:
            return self._float_to_float(self._float_to_float(x, FLOAT), to)
        op = arith.ExtFOp if widths[x.type.name] < widths[to.name] else arith.TruncFOp
        return Scalar(self, self.emit(op(x.value, cast(AnyFloat, storage(to)))), to)

    def _float_to_int(self, x: Scalar, to: ElementType) -> Scalar:
        """Truncation; LLVM leaves out-of-range conversions undefined, so they are clamped first (NaN becomes 0)."""
        if x.type.name in ("float16", "bfloat16"):
            x = self.cast(x, FLOAT)
        if to is INDEX:
            return self.cast(self._float_to_int(x, INT64), INDEX)
        width, signed = to.ir.width.data, to.is_signed  # type: ignore[union-attr]
        low, high = (-(2.0 ** (width - 1)), 2.0 ** (width - 1)) if signed else (0.0, 2.0**width)
        below, above = x < low, x >= high
        inside = self.select(below | above | self.isnan(x), 0.0, x)
        op = arith.FPToSIOp if signed else arith.FPToUIOp
        whole = Scalar(self, self.emit(op(inside.value, cast(IntegerType, storage(to)))), to)
        top = (1 << (width - 1)) - 1 if signed else (1 << width) - 1
        bottom = -(1 << (width - 1)) if signed else 0
        return self.select(above, top, self.select(below, bottom, whole))

    def _int_to_int(self, x: Scalar, to: ElementType) -> Scalar:
        if to is INDEX:
            return Scalar(self, self.emit(arith.IndexCastOp(self.cast(x, INT64).value, IndexType())), INDEX)
        x = self._as_integer(x)
        source, target = x.value.type, storage(to)
        assert isinstance(source, IntegerType) and isinstance(target, IntegerType)
        if source.width.data == target.width.data:
            return Scalar(self, x.value, to)
        if source.width.data > target.width.data:
            return Scalar(self, self.emit(arith.TruncIOp(x.value, target)), to)
        op = arith.ExtSIOp if x.type.is_signed else arith.ExtUIOp
        return Scalar(self, self.emit(op(x.value, target)), to)

    def bitcast(self, x: Scalar, to: ElementType) -> Scalar:
        """The same bits as another type of the same width."""
        return Scalar(self, self.emit(arith.BitcastOp(x.value, storage(to))), to)

    def parts(self, x: Scalar) -> tuple[Scalar, Scalar]:
        """The real and the imaginary part of a complex element, which lie beside each other."""
        of = BY_NAME["float" if x.type.name == "complex64" else "double"]
        bits = 8 * of.numpy.itemsize
        whole = IntegerType(2 * bits)
        high = self.emit(arith.ShRUIOp(x.value, self.emit(arith.ConstantOp(IntegerAttr(bits, whole)))))
        halves = (self.emit(arith.TruncIOp(v, IntegerType(bits))) for v in (x.value, high))
        real, imaginary = (Scalar(self, self.emit(arith.BitcastOp(half, of.ir)), of) for half in halves)
        return real, imaginary

    # -- indices

    def check(self, condition: Scalar, code: str, message: str = "", *values: Any) -> None:
        """Notes a run-time error unless the condition holds; what follows must stay in bounds all the same.

        values: integers that take the places of {} in the message."""
        told = [self.cast(self.operand(v, INDEX), INDEX).value for v in values]
        self.block.add_op(AssertOp(condition.value, code, message, told))

    def wrapped_index(self, i: Scalar, size: Any) -> Scalar:
        """A run-time index made safe: negative counts from the end, out of range notes an error and reads element 0.

        Only call it where the indexed dimension is not empty or nothing is read."""
        given = self.cast(i, INDEX)
        i = self.select(given < 0, given + size, given)
        inside = (i >= 0) & (i < size)
        self.check(inside, "ITG5001", INDEX_OUTSIDE, given, 0 - self.operand(size, INDEX), size)
        return self.select(inside, i, 0)


def _constant_attr(number: Number, type: ElementType) -> Any:
    ir = storage(type)
    number = code_of(number, type) if is_narrow(type) else number
    if isinstance(ir, IntegerType):
        width = ir.width.data
        value = int(number) & ((1 << width) - 1)
        if width > 1 and value >= 1 << (width - 1):
            value -= 1 << width
        return IntegerAttr(value, ir)
    if isinstance(ir, IndexType):
        return IntegerAttr(int(number), ir)
    return FloatAttr(float(number), ir)  # type: ignore[arg-type]
