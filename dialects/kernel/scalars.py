"""Writes scalar operations of the loop level, chosen by the operands' types; the first layer of the kernel compiler.

`Code` holds the list that operations are appended to and the function's entry, where constants and variables stand.
"""

from __future__ import annotations

import ast
import math as pymath
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from xdsl.dialects import arith, math, memref, scf
from xdsl.dialects.builtin import DYNAMIC_INDEX, FloatAttr, IndexType, IntegerAttr, IntegerType, MemRefType, i1, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from .parse import Source
from .types import BOOL, F32, INT, ScalarType, common_type, widens
from .values import Const, Scalar, Thing, Value

_FLOAT_OPS: dict[type, Callable[..., Operation]] = {
    ast.Add: arith.AddfOp,
    ast.Sub: arith.SubfOp,
    ast.Mult: arith.MulfOp,
    ast.Div: arith.DivfOp,
}
_INTEGER_OPS: dict[type, Callable[..., Operation]] = {
    ast.Add: arith.AddiOp,
    ast.Sub: arith.SubiOp,
    ast.Mult: arith.MuliOp,
    ast.BitAnd: arith.AndIOp,
    ast.BitOr: arith.OrIOp,
    ast.BitXor: arith.XOrIOp,
    ast.LShift: arith.ShLIOp,
}
_BOOL_OPS: dict[type, Callable[..., Operation]] = {ast.BitAnd: arith.AndIOp, ast.BitOr: arith.OrIOp, ast.BitXor: arith.XOrIOp}
_PYTHON: dict[type, Callable[..., Any]] = {
    **{ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow},
    **{ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.LShift: operator.lshift, ast.RShift: operator.rshift},
    **{ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor},
    **{ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge},
}
_SYMBOLS = {
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.FloorDiv: "//", ast.Mod: "%", ast.LShift: "<<"},
    **{ast.RShift: ">>", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.MatMult: "@"},
}
_COMPARE = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
_UNROLLED_POWER = 64


class Code:
    """The operations of one function while they are written, and the source that errors point into."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.entry: list[Operation] = []
        self.ops: list[Operation] = []
        self._constants: dict[tuple[str, Attribute], SSAValue] = {}

    def fail(self, code: str, node: ast.AST | None, message: str, hint: str = "") -> NoReturn:
        self.source.fail(code, node, message, hint)

    def emit(self, op: Operation) -> SSAValue:
        self.ops.append(op)
        return op.results[0]

    @contextmanager
    def region(self, ops: list[Operation]) -> Iterator[None]:
        """Appends to `ops` meanwhile."""
        outer, self.ops = self.ops, ops
        try:
            yield
        finally:
            self.ops = outer

    def cell(self, type: ScalarType, hint: str) -> SSAValue:
        """Memory for one variable, for the whole function."""
        op = memref.AllocaOp.get(type.ir, shape=())
        op.memref.name_hint = hint
        self.entry.append(op)
        return op.memref

    # Constants

    def constant(self, value: Any, type: ScalarType, node: ast.AST) -> SSAValue:
        """A Python constant in the type. Raises ITG6008 if it does not fit."""
        if type.kind == "bool":
            if isinstance(value, bool):
                return self._constant(IntegerAttr(int(value), i1))
            self.fail("ITG6008", node, f"{value!r} is not a bool", "Write True or False, or a comparison.")
        if not isinstance(value, int | float):
            self.fail("ITG6008", node, f"{value!r} is not a number")
        if type.is_float:
            return self._constant(FloatAttr(float(value), type.float_ir))
        if not type.is_integer:
            self.fail("ITG6005", node, f"elements of type {type.name} have no constants", "Kernels can only move them.")
        if isinstance(value, float):
            self.fail("ITG6008", node, f"{value!r} is not a value of {type.name}", "Convert the other operand to a float.")
        low, high = type.limits
        if not low <= value <= high:
            self.fail("ITG6008", node, f"{value} does not fit {type.name} ({low} to {high})")
        return self._constant(IntegerAttr(int(value), type.integer_ir))

    def index(self, value: int) -> SSAValue:
        return self._constant(IntegerAttr(value, IndexType()))

    def flag(self, value: bool) -> SSAValue:
        return self._constant(IntegerAttr(int(value), i1))

    def _constant(self, attribute: IntegerAttr | FloatAttr) -> SSAValue:
        number = attribute.value.data
        key = (number.hex() if isinstance(number, float) else str(number), attribute.type)
        if key not in self._constants:
            op = arith.ConstantOp(attribute)
            self.entry.append(op)
            self._constants[key] = op.result
        return self._constants[key]

    # Agreement of types

    def value(self, thing: Thing, node: ast.AST, like: ScalarType | None = None) -> Value:
        """A scalar at run time: a constant takes type `like`, or its own (bool, i64) if that is None. Raises ITG6005."""
        if isinstance(thing, Value):
            return thing
        if not isinstance(thing, Const) or not isinstance(thing.value, bool | int | float):
            self.fail("ITG6005", node, f"{thing} is not a scalar")
        if like is None:
            like = BOOL if isinstance(thing.value, bool) else INT
            if isinstance(thing.value, float):
                self.fail(
                    "ITG6005", node, f"the type of {thing} is open", "Write f32(..), f64(..), or cast(.., x) with an array x of the type."
                )
        return Value(self.constant(thing.value, like, node), like)

    def coerce(self, thing: Thing, type: ScalarType, node: ast.AST, what: str) -> Value:
        """A scalar in the type: constants and lossless widening only. Raises ITG6005."""
        value = self.value(thing, node, type)
        if not widens(value.type, type):
            hint = f"Convert it: {type.name}(..), or cast(.., x) with an array x of that type."
            self.fail("ITG6005", node, f"{what} has type {type.name}, and is given {value.type.name}", hint)
        return self.convert(value, type)

    def agree(self, a: Thing, b: Thing, node: ast.AST, what: str) -> tuple[Value, Value]:
        """Both operands in one type: constants follow the other operand, the narrower is widened. Raises ITG6005."""
        left = self.value(a, node, b.type if isinstance(b, Value) else None)
        right = self.value(b, node, left.type)
        type = common_type(left.type, right.type)
        if type is None:
            self.fail("ITG6005", node, f"{what} on {left.type.name} and {right.type.name}", f"Convert one, as in {left.type.name}(..).")
        return self.convert(left, type), self.convert(right, type)

    def convert(self, value: Value, to: ScalarType) -> Value:
        """Any conversion between numbers and bools: integers wrap, floats to integers truncate (undefined beyond their range)."""
        if value.type == to:
            return value
        return Value(self._convert(value, to), to)

    def _convert(self, value: Value, to: ScalarType) -> SSAValue:
        source, ssa = value.type, value.ssa
        if to.kind == "bool":
            return self.truth(value)
        if source.is_float and to.is_float:
            return self._convert_float(ssa, source, to)
        if source.is_float:
            word = IntegerType(to.width)
            whole = self.emit((arith.FPToSIOp if to.kind == "int" else arith.FPToUIOp)(ssa, word))
            return self._from_word(whole, to)
        word = self._to_word(ssa, source)
        signed = source.kind == "int"
        if to.is_float:
            return self.emit((arith.SIToFPOp if signed else arith.UIToFPOp)(word, to.float_ir))
        target = IntegerType(to.width)
        if to.width < source.width:
            word = self.emit(arith.TruncIOp(word, target))
        elif to.width > source.width:
            word = self.emit((arith.ExtSIOp if signed else arith.ExtUIOp)(word, target))
        return self._from_word(word, to)

    def _convert_float(self, ssa: SSAValue, source: ScalarType, to: ScalarType) -> SSAValue:
        if source.width == to.width:  # f16 and bf16, neither of which holds the other
            ssa, source = self._convert_float(ssa, source, F32), F32
        op = arith.ExtFOp if source.width < to.width else arith.TruncFOp
        return self.emit(op(ssa, to.float_ir))

    def _to_word(self, ssa: SSAValue, type: ScalarType) -> SSAValue:
        return self.emit(arith.IndexCastOp(ssa, i64)) if type == INT else ssa

    def _from_word(self, ssa: SSAValue, type: ScalarType) -> SSAValue:
        return self.emit(arith.IndexCastOp(ssa, IndexType())) if type == INT else ssa

    def bitcast(self, value: Value, to: ScalarType) -> Value:
        word = self._to_word(value.ssa, value.type)
        if word.type != to.storage:
            word = self.emit(arith.BitcastOp(word, to.storage))
        return Value(self._from_word(word, to), to)

    def truth(self, value: Value) -> SSAValue:
        """As Python tests it: not zero."""
        if value.type == BOOL:
            return value.ssa
        if value.type.is_float:
            zero = self._constant(FloatAttr(0.0, value.type.float_ir))
            return self.emit(arith.CmpfOp(value.ssa, zero, "une"))
        return self.emit(arith.CmpiOp(value.ssa, self._integer(0, value.type), "ne"))

    def _integer(self, value: int, type: ScalarType) -> SSAValue:
        return self._constant(IntegerAttr(value, type.integer_ir))

    # Arithmetic

    def binary(self, op: ast.operator, a: Thing, b: Thing, node: ast.AST) -> Scalar:
        """One arithmetic or bit operation, folded on constants. Raises ITG6005 where the types have none."""
        kind, symbol = type(op), _SYMBOLS[type(op)]
        if isinstance(a, Const) and isinstance(b, Const):
            return self.fold(kind, node, a, b)
        if kind is ast.Pow:
            return self._power(a, b, node)
        left, right = self.agree(a, b, node, symbol)
        t = left.type
        table = _FLOAT_OPS if t.is_float else _BOOL_OPS if t == BOOL else _INTEGER_OPS if t.is_integer else {}
        if (build := table.get(kind)) is not None:
            return Value(self.emit(build(left.ssa, right.ssa)), t)
        if t.is_integer and kind is ast.RShift:
            build = arith.ShRSIOp if t.is_signed else arith.ShRUIOp
            return Value(self.emit(build(left.ssa, right.ssa)), t)
        if t.is_integer and kind in (ast.FloorDiv, ast.Mod):
            divisor = b.value if isinstance(b, Const) else None
            return Value(self._floor_divide(kind is ast.Mod, left, right, divisor), t)
        hints = {
            ("/", "int"): "Use // for integers, or convert to a float first.",
            ("/", "uint"): "Use // for integers, or convert to a float first.",
            ("//", "float"): "Use floor(a / b).",
            ("%", "float"): "Use a - b * floor(a / b).",
            ("+", "bool"): "Convert with int(..) to count.",
        }
        self.fail("ITG6005", node, f"{symbol} is not defined on {t.name}", hints.get((symbol, t.kind), ""))

    def fold(self, kind: type, node: ast.AST, *operands: Const) -> Const:
        """An operator on constants, as Python computes it."""
        try:
            return Const(_PYTHON[kind](*(operand.value for operand in operands)))
        except (ArithmeticError, TypeError, ValueError, KeyError) as error:
            self.fail("ITG6008", node, f"cannot be computed on {', '.join(map(str, operands))}: {error}")

    def _floor_divide(self, remainder: bool, a: Value, b: Value, divisor: int | None) -> SSAValue:
        """Python's // and %: rounded down, the remainder with the divisor's sign. A divisor of zero is undefined."""
        t = a.type
        if not t.is_signed:
            return self.emit((arith.RemUIOp if remainder else arith.DivUIOp)(a.ssa, b.ssa))
        if divisor is not None and divisor > 0 and divisor & (divisor - 1) == 0:
            if remainder:
                return self.emit(arith.AndIOp(a.ssa, self._integer(divisor - 1, t)))
            return self.emit(arith.ShRSIOp(a.ssa, self._integer(divisor.bit_length() - 1, t)))
        rest = self.emit(arith.RemSIOp(a.ssa, b.ssa))
        zero = self._integer(0, t)
        signs = rest if divisor is not None and divisor > 0 else self.emit(arith.XOrIOp(rest, b.ssa))
        below = self.emit(arith.CmpiOp(signs, zero, "slt"))
        if signs is not rest:
            below = self.emit(arith.AndIOp(below, self.emit(arith.CmpiOp(rest, zero, "ne"))))
        if remainder:
            return self.emit(arith.SelectOp(below, self.emit(arith.AddiOp(rest, b.ssa)), rest))
        quotient = self.emit(arith.DivSIOp(a.ssa, b.ssa))
        return self.emit(arith.SelectOp(below, self.emit(arith.SubiOp(quotient, self._integer(1, t))), quotient))

    def _power(self, a: Thing, b: Thing, node: ast.AST) -> Value:
        """A constant natural exponent is multiplied out; any other needs floats."""
        if isinstance(a, Value) and isinstance(b, Const) and isinstance(b.value, int) and 0 < b.value <= _UNROLLED_POWER:
            result, square, exponent = None, a, b.value
            while True:
                if exponent & 1:
                    product = square if result is None else self.binary(ast.Mult(), result, square, node)
                    result = product if isinstance(product, Value) else None
                exponent >>= 1
                if not exponent:
                    break
                square = self.value(self.binary(ast.Mult(), square, square, node), node)
            if result is not None:
                return result
        left, right = self.agree(a, b, node, "**")
        if not left.type.is_float:
            self.fail(
                "ITG6005", node, f"** is not defined on {left.type.name}", f"Integers take constant exponents, 1 to {_UNROLLED_POWER}."
            )
        return Value(self.emit(math.PowFOp(left.ssa, right.ssa)), left.type)

    def negate(self, a: Thing, node: ast.AST) -> Scalar:
        if isinstance(a, Const) and isinstance(a.value, int | float):
            return Const(-a.value)
        value = self.value(a, node)
        if value.type.is_float:
            return Value(self.emit(arith.NegfOp(value.ssa)), value.type)
        if not value.type.is_integer:
            self.fail("ITG6005", node, f"- is not defined on {value.type.name}")
        return Value(self.emit(arith.SubiOp(self._integer(0, value.type), value.ssa)), value.type)

    def invert(self, a: Thing, node: ast.AST) -> Scalar:
        if isinstance(a, Const) and isinstance(a.value, int):
            return Const(not a.value if isinstance(a.value, bool) else ~a.value)
        value = self.value(a, node)
        if not value.type.is_integer and value.type != BOOL:
            self.fail("ITG6005", node, f"~ is not defined on {value.type.name}")
        ones = self.flag(True) if value.type == BOOL else self._integer(-1, value.type)
        return Value(self.emit(arith.XOrIOp(value.ssa, ones)), value.type)

    def compare(self, op: ast.cmpop, a: Thing, b: Thing, node: ast.AST) -> Scalar:
        """== != < <= > >= on one type; comparisons with NaN are false, but for !=."""
        if isinstance(a, Const) and isinstance(b, Const):
            return self.fold(type(op), node, a, b)
        left, right = self.agree(a, b, node, "comparison")
        name = _COMPARE[type(op)]
        if left.type.is_float:
            return Value(self.emit(arith.CmpfOp(left.ssa, right.ssa, "une" if name == "ne" else f"o{name}")), BOOL)
        if left.type.kind == "bits" or (left.type == BOOL and name not in ("eq", "ne")):
            self.fail("ITG6005", node, f"{left.type.name} has no such comparison")
        prefix = "" if name in ("eq", "ne") else "s" if left.type.is_signed else "u"
        return Value(self.emit(arith.CmpiOp(left.ssa, right.ssa, prefix + name)), BOOL)

    def extremum(self, least: bool, a: Thing, b: Thing, node: ast.AST) -> Scalar:
        """min or max; NaN if an operand is."""
        if isinstance(a, Const) and isinstance(b, Const):
            return Const(min(a.value, b.value) if least else max(a.value, b.value))
        left, right = self.agree(a, b, node, "min" if least else "max")
        kinds = {
            "float": (arith.MaximumfOp, arith.MinimumfOp),
            "int": (arith.MaxSIOp, arith.MinSIOp),
            "uint": (arith.MaxUIOp, arith.MinUIOp),
        }
        if left.type.kind not in kinds:
            self.fail("ITG6005", node, f"{'min' if least else 'max'} is not defined on {left.type.name}")
        return Value(self.emit(kinds[left.type.kind][least](left.ssa, right.ssa)), left.type)

    def absolute(self, a: Thing, node: ast.AST) -> Scalar:
        if isinstance(a, Const) and isinstance(a.value, int | float):
            return Const(abs(a.value))
        value = self.value(a, node)
        if value.type.is_float:
            return Value(self.emit(math.AbsFOp(value.ssa)), value.type)
        if value.type.kind == "uint":
            return value
        if value.type.kind != "int":
            self.fail("ITG6005", node, f"abs is not defined on {value.type.name}")
        opposite = self.emit(arith.SubiOp(self._integer(0, value.type), value.ssa))
        return Value(self.emit(arith.MaxSIOp(value.ssa, opposite)), value.type)

    def limit(self, type: ScalarType, least: bool, node: ast.AST) -> Value:
        """The least or greatest value of a type; infinities for floats."""
        if type.is_float:
            return Value(self.constant(-pymath.inf if least else pymath.inf, type, node), type)
        if type == BOOL:
            return Value(self.flag(not least), BOOL)
        if not type.is_integer:
            self.fail("ITG6005", node, f"elements of type {type.name} are not ordered")
        return Value(self.constant(type.limits[not least], type, node), type)

    # Choices

    def choose(self, condition: SSAValue, then: list[Operation], a: Value, otherwise: list[Operation], b: Value) -> Value:
        """scf.if with one result; `a` is computed by `then`, `b` by `otherwise`."""
        regions = [Region(Block([*ops, scf.YieldOp(value.ssa)])) for ops, value in ((then, a), (otherwise, b))]
        return Value(self.emit(scf.IfOp(condition, [a.type.ir], regions[0], regions[1])), a.type)


def linear_type(element: ScalarType) -> MemRefType:
    """The type of an array parameter in the kernel ABI."""
    return MemRefType(element.storage, [DYNAMIC_INDEX])
