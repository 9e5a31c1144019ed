"""The small language in which the math functions are written: floats, their bits and masks as Python values that build arith ops.

One text serves f32 and f64, scalars and vectors. No conversion between integers and floats is ever built: adding a power of two
moves an integer in or out of a mantissa at the cost of one addition, on every target and in every lane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, nan

from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    Float32Type,
    Float64Type,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    VectorType,
    f32,
    f64,
    i1,
)
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ....errors import UnsupportedError

FLOAT_PREDICATES = {"==": 1, ">": 2, ">=": 3, "<": 4, "<=": 5}
NO_FLAGS = arith.FastMathFlagsAttr("none")


@dataclass(frozen=True)
class Format:
    """The layout of a binary float: `width` bits of which `mantissa` are stored below the exponent."""

    width: int
    mantissa: int
    bias: int

    @property
    def one(self) -> int:
        """The bits of 1.0."""
        return self.bias << self.mantissa

    @property
    def sign(self) -> int:
        return 1 << (self.width - 1)

    @property
    def shifter(self) -> float:
        """Added to a float of magnitude below 2^(mantissa-1), leaves it rounded to an integer in the lowest bits."""
        return 1.5 * 2.0**self.mantissa

    @property
    def smallest_normal(self) -> float:
        return 2.0 ** (1 - self.bias)

    def power(self, exponent: int) -> int:
        """The bits of 2^exponent."""
        return (self.bias + exponent) << self.mantissa


FORMATS = {32: Format(32, 23, 127), 64: Format(64, 52, 1023)}


@dataclass
class Constants:
    """The constants made so far: one operation a value, at the top of `block`, whatever number of expansions use it."""

    block: Block
    made: dict[tuple[Attribute, str], SSAValue] = field(default_factory=dict)

    def get(self, t: Attribute, value: int | float) -> SSAValue:
        """The constant of type `t`, a splat where that is a vector."""
        # By its spelling: -0.0 equals 0.0, and a NaN not even itself.
        key = (t, repr(value))
        if (found := self.made.get(key)) is None:
            op = arith.ConstantOp.create(properties={"value": _attribute(t, value)}, result_types=[t])
            if (first := self.block.first_op) is None:
                self.block.add_op(op)
            else:
                self.block.insert_op_before(op, first)
            found = self.made[key] = op.results[0]
        return found


def _attribute(t: Attribute, value: int | float) -> Attribute:
    if isinstance(t, VectorType):
        return DenseIntOrFPElementsAttr.from_list(t, [value])
    if isinstance(t, IntegerType):
        return IntegerAttr(int(value), t)
    assert isinstance(t, Float32Type | Float64Type)
    return FloatAttr(float(value), t)


@dataclass(frozen=True, eq=False)
class Value:
    """An SSA value and the builder that its operators append to."""

    b: FloatBuilder
    ssa: SSAValue


class Real(Value):
    """A float. Comparisons are ordered: false where either side is NaN."""

    def __add__(self, o: Real | float) -> Real:
        return self.b.binary(arith.AddfOp, self, o)

    def __radd__(self, o: float) -> Real:
        return self.b.binary(arith.AddfOp, self, o)

    def __sub__(self, o: Real | float) -> Real:
        return self.b.binary(arith.SubfOp, self, o)

    def __rsub__(self, o: float) -> Real:
        return self.b.binary(arith.SubfOp, o, self)

    def __mul__(self, o: Real | float) -> Real:
        return self.b.binary(arith.MulfOp, self, o)

    def __rmul__(self, o: float) -> Real:
        return self.b.binary(arith.MulfOp, self, o)

    def __truediv__(self, o: Real | float) -> Real:
        return self.b.binary(arith.DivfOp, self, o)

    def __rtruediv__(self, o: float) -> Real:
        return self.b.binary(arith.DivfOp, o, self)

    def __neg__(self) -> Real:
        return self.b.unary(arith.NegfOp, self)

    def __abs__(self) -> Real:
        return self.b.unary(math.AbsFOp, self)

    def __lt__(self, o: Real | float) -> Mask:
        return self.b.compare("<", self, o)

    def __le__(self, o: Real | float) -> Mask:
        return self.b.compare("<=", self, o)

    def __gt__(self, o: Real | float) -> Mask:
        return self.b.compare(">", self, o)

    def __ge__(self, o: Real | float) -> Mask:
        return self.b.compare(">=", self, o)

    def equals(self, o: Real | float) -> Mask:
        return self.b.compare("==", self, o)

    def sqrt(self) -> Real:
        return self.b.unary(math.SqrtOp, self)

    def rounded(self) -> Real:
        """The nearest integer, ties to even."""
        return self.b.unary(math.RoundEvenOp, self)

    def with_sign_of(self, o: Real) -> Real:
        return self.b.binary(math.CopySignOp, self, o)

    @property
    def bits(self) -> Bits:
        return Bits(self.b, self.b.emit(arith.BitcastOp, [self.ssa], self.b.integers))


class Bits(Value):
    """An integer as wide as the float; arithmetic wraps around, `>>` shifts zeros in."""

    def __add__(self, o: Bits | int) -> Bits:
        return self.b.integer(arith.AddiOp, self, o)

    def __radd__(self, o: int) -> Bits:
        return self.b.integer(arith.AddiOp, self, o)

    def __sub__(self, o: Bits | int) -> Bits:
        return self.b.integer(arith.SubiOp, self, o)

    def __rsub__(self, o: int) -> Bits:
        return self.b.integer(arith.SubiOp, o, self)

    def __and__(self, o: Bits | int) -> Bits:
        return self.b.integer(arith.AndIOp, self, o)

    def __or__(self, o: Bits | int) -> Bits:
        return self.b.integer(arith.OrIOp, self, o)

    def __xor__(self, o: Bits | int) -> Bits:
        return self.b.integer(arith.XOrIOp, self, o)

    def __lshift__(self, o: int) -> Bits:
        return self.b.integer(arith.ShLIOp, self, o)

    def __rshift__(self, o: int) -> Bits:
        return self.b.integer(arith.ShRUIOp, self, o)

    def at_least(self, o: int) -> Bits:
        """The signed maximum."""
        return self.b.integer(arith.MaxSIOp, self, o)

    @property
    def odd(self) -> Mask:
        properties = {"predicate": IntegerAttr(1, 64)}
        return Mask(self.b, self.b.emit(arith.CmpiOp, [(self & 1).ssa, self.b.integer_value(0)], self.b.masks, properties))

    @property
    def real(self) -> Real:
        """The float of these bits."""
        return Real(self.b, self.b.emit(arith.BitcastOp, [self.ssa], self.b.floats))


class Mask(Value):
    """A truth value."""

    def __and__(self, o: Mask) -> Mask:
        return Mask(self.b, self.b.emit(arith.AndIOp, [self.ssa, o.ssa], self.b.masks))

    def __or__(self, o: Mask) -> Mask:
        return Mask(self.b, self.b.emit(arith.OrIOp, [self.ssa, o.ssa], self.b.masks))

    def __invert__(self) -> Mask:
        return Mask(self.b, self.b.emit(arith.XOrIOp, [self.ssa, self.b.constants.get(self.b.masks, 1)], self.b.masks))

    def __bool__(self) -> bool:
        raise TypeError("a mask is known at run time only: use select")


class FloatBuilder:
    """Builds operations for values of type `floats`, an f32 or f64 or a vector of them, before `anchor`."""

    def __init__(self, floats: Attribute, anchor: Operation, constants: Constants) -> None:
        element = floats.element_type if isinstance(floats, VectorType) else floats
        if element != f32 and element != f64:
            raise UnsupportedError("ITG3004", f"math on {element} has no expansion", subject=anchor.name)
        self.width = 32 if isinstance(element, Float32Type) else 64
        self.format = FORMATS[self.width]
        self.floats = floats
        self.constants = constants
        self.ops: list[Operation] = []

    @cached_property
    def integers(self) -> Attribute:
        return self._like(IntegerType(self.width))

    @cached_property
    def masks(self) -> Attribute:
        return self._like(i1)

    def _like(self, element: Attribute) -> Attribute:
        return VectorType(element, self.floats.shape) if isinstance(self.floats, VectorType) else element

    # Construction

    def emit(
        self, op: type[Operation], operands: Sequence[SSAValue], t: Attribute, properties: Mapping[str, Attribute] | None = None
    ) -> SSAValue:
        built = op.create(operands=operands, result_types=[t], properties=dict(properties or {}))
        self.ops.append(built)
        return built.results[0]

    def real_value(self, x: Real | float) -> SSAValue:
        return x.ssa if isinstance(x, Real) else self.constants.get(self.floats, float(x))

    def integer_value(self, x: Bits | int) -> SSAValue:
        """Unsigned patterns are taken as the signed integers of the same bits."""
        if isinstance(x, Bits):
            return x.ssa
        return self.constants.get(self.integers, x - (1 << self.width) if x >= self.format.sign else x)

    def unary(self, op: type[Operation], x: Real) -> Real:
        return Real(self, self.emit(op, [x.ssa], self.floats, {"fastmath": NO_FLAGS}))

    def binary(self, op: type[Operation], x: Real | float, y: Real | float) -> Real:
        return Real(self, self.emit(op, [self.real_value(x), self.real_value(y)], self.floats, {"fastmath": NO_FLAGS}))

    def integer(self, op: type[Operation], x: Bits | int, y: Bits | int) -> Bits:
        overflow = {"overflowFlags": arith.IntegerOverflowAttr("none")} if op in OVERFLOWING else {}
        return Bits(self, self.emit(op, [self.integer_value(x), self.integer_value(y)], self.integers, overflow))

    def compare(self, how: str, x: Real, y: Real | float) -> Mask:
        properties = {"predicate": IntegerAttr(FLOAT_PREDICATES[how], 64), "fastmath": NO_FLAGS}
        return Mask(self, self.emit(arith.CmpfOp, [x.ssa, self.real_value(y)], self.masks, properties))

    # Vocabulary

    def number(self, x: float) -> Real:
        return Real(self, self.real_value(x))

    def known(self, x: Real) -> float | None:
        """The number that x is in every lane, if that is known here."""
        op = x.ssa.owner
        while isinstance(op, arith.ExtFOp | vector.BroadcastOp):
            op = op.operands[0].owner
        if not isinstance(op, arith.ConstantOp):
            return None
        value = op.properties["value"]
        if isinstance(value, FloatAttr):
            return value.value.data
        if isinstance(value, DenseIntOrFPElementsAttr) and value.is_splat():
            return float(value.get_values()[0])
        return None

    def fma(self, x: Real | float, y: Real | float, z: Real | float) -> Real:
        """x*y + z, rounded once."""
        operands = [self.real_value(v) for v in (x, y, z)]
        return Real(self, self.emit(math.FmaOp, operands, self.floats, {"fastmath": NO_FLAGS}))

    def contracted(self, x: Real, y: Real) -> Real:
        """x*y, which a sum that allows it takes in: then the product is not rounded."""
        contract = arith.FastMathFlagsAttr([FastMathFlag.ALLOW_CONTRACT])
        return Real(self, self.emit(arith.MulfOp, [x.ssa, y.ssa], self.floats, {"fastmath": contract}))

    def select(self, condition: Mask, yes: Real | float, no: Real | float) -> Real:
        return Real(self, self.emit(arith.SelectOp, [condition.ssa, self.real_value(yes), self.real_value(no)], self.floats))

    def least(self, x: Real, y: Real) -> Real:
        """The smaller; NaN if either is."""
        return self.binary(arith.MinimumfOp, x, y)

    def greatest(self, x: Real, y: Real) -> Real:
        return self.binary(arith.MaximumfOp, x, y)

    def at_least(self, x: Real, low: float) -> Real:
        """The maximum; NaN stays."""
        return self.binary(arith.MaximumfOp, x, low)

    def at_most(self, x: Real, high: float) -> Real:
        """The minimum; NaN stays."""
        return self.binary(arith.MinimumfOp, x, high)

    def clamp(self, x: Real, low: float, high: float) -> Real:
        """x within the bounds; NaN stays. A negation comes after, where multiply-adds take it in."""
        if isinstance(negation := x.ssa.owner, arith.NegfOp):
            return -self.clamp(Real(self, negation.operand), -high, -low)
        return self.at_most(self.at_least(x, low), high)

    def horner(self, x: Real, coefficients: Sequence[float]) -> Real:
        """The polynomial with these coefficients, the constant one first."""
        result: Real | float = coefficients[-1]
        for c in reversed(coefficients[:-1]):
            result = self.fma(result, x, c)
        assert isinstance(result, Real)
        return result

    def nearest(self, x: Real, factor: float) -> tuple[Real, Bits]:
        """x*factor rounded to an integer n, and bits whose lowest mantissa-1 hold n in two's complement.

        |n| < 2^(mantissa-1). The other bits are those of `shifter`: they vanish when shifted into the exponent.
        """
        shifted = self.fma(x, factor, self.format.shifter)
        return shifted - self.format.shifter, shifted.bits

    def positive(self, x: Real, result: Real) -> Real:
        """`result` where 0 < x < inf; inf at inf, -inf at either zero, NaN for the rest: how every logarithm ends."""
        finite = self.select(x < inf, result, inf)
        return self.select(x > 0.0, finite, self.select(x.equals(0.0), -inf, nan))


OVERFLOWING = frozenset((arith.AddiOp, arith.SubiOp, arith.ShLIOp))
