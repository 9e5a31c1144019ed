"""What the words of the kernel language do when a kernel calls them; one table from names to functions, used by the compiler."""

from __future__ import annotations

import ast
import math as pymath
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from xdsl.dialects import arith, math, vector
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.ir import Operation, SSAValue

from ..dispatch import MAX_VALUES, AssertOp
from .expressions import Expressions
from .types import BOOL, INT, ScalarType, vector_type
from .values import ArrayRef, Const, FlatRef, Thing, TypeRef, Value

Word: TypeAlias = Callable[[Expressions, ast.Call, Sequence[Thing]], Thing]
_CONTRACT = arith.FastMathFlagsAttr([FastMathFlag.ALLOW_CONTRACT])
_LANES = 64  # of a vector
_STACK_BYTES = 65536  # of one local array: threads of a pool have small stacks


def _float_word(build: Callable[..., Operation], count: int, fold: Callable[..., Any] | None) -> Word:
    """A function of floats in their own type."""

    def word(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
        _expect(code, node, arguments, count)
        if fold is not None and all(isinstance(a, Const) for a in arguments):
            return _fold(code, node, fold, arguments)
        values = _floats(code, node, arguments)
        return Value(code.emit(build(*(value.ssa for value in values))), values[0].type)

    return word


def _floats(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> list[Value]:
    """The arguments as floats of one type."""
    like = next((a.type for a in arguments if isinstance(a, Value)), None)
    values = [code.value(a, node, like) for a in arguments]
    for value in values:
        if not value.type.is_float or value.type != values[0].type:
            names = ", ".join(v.type.name for v in values)
            code.fail("ITG6005", node, f"{_name(node)} is for floats of one type, not {names}", "Convert first, as in f32(..).")
    return values


def _vector(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    count, base, *at = (*arguments, Const(None), Const(None))[: max(2, len(arguments))]
    if not isinstance(base, ArrayRef | FlatRef):
        code.fail("ITG6007", node, "vector takes a number of elements, an array and where they begin", "As in vector(16, x, i, j).")
    if not isinstance(count, Const) or type(count.value) is not int or not 1 <= count.value <= _LANES:
        code.fail("ITG6008", node, f"{count} is no number of elements known while compiling, from 1 to {_LANES}")
    ref, indices, element = code.place_at(base, at, node)
    if not element.is_float:
        code.fail("ITG6005", node, f"vectors are of floats, not of {element.name}")
    wide = vector_type(element, count.value)
    return Value(code.emit(vector.LoadOp(ref, indices, wide.vector_ir)), wide)


def _muladd(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    _expect(code, node, arguments, 3)
    wide = next((a.type for a in arguments if isinstance(a, Value) and a.type.lanes), None)
    if wide is not None:
        return Value(code.emit(vector.FMAOp(*(_spread(code, node, a, wide) for a in arguments))), wide)
    a, b, c = _floats(code, node, arguments)
    product = code.emit(arith.MulfOp(a.ssa, b.ssa, flags=_CONTRACT))
    return Value(code.emit(arith.AddfOp(product, c.ssa, flags=_CONTRACT)), a.type)


def _spread(code: Expressions, node: ast.Call, argument: Thing, wide: ScalarType) -> SSAValue:
    """A vector of a type, or a float of its elements' type in every lane."""
    value = code.value(argument, node)
    if value.type == wide:
        return value.ssa
    if not value.type.is_float or vector_type(value.type, wide.lanes) != wide:
        code.fail("ITG6005", node, f"{_name(node)} on {wide.name} and {value.type.name}", "Convert the latter first.")
    return code.emit(vector.BroadcastOp(value.ssa, wide.vector_ir))


def _fold(code: Expressions, node: ast.Call, fold: Callable[..., Any], arguments: Sequence[Thing]) -> Const:
    try:
        return Const(fold(*(a.value for a in arguments if isinstance(a, Const))))
    except (ArithmeticError, TypeError, ValueError) as error:
        code.fail("ITG6008", node, f"{_name(node)} of {', '.join(map(str, arguments))}: {error}")


def _extremum(least: bool) -> Word:
    def word(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
        things = code.items(arguments[0]) or () if len(arguments) == 1 else arguments
        if len(things) < 2:
            code.fail("ITG6007", node, "min and max take two arguments or more")
        result = things[0]
        for thing in things[1:]:
            result = code.extremum(least, result, thing, node)
        return result

    return word


def _abs(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    _expect(code, node, arguments, 1)
    return code.absolute(arguments[0], node)


def _len(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    _expect(code, node, arguments, 1)
    thing = arguments[0]
    if isinstance(thing, ArrayRef) and thing.dims:
        return thing.dims[0]
    items = code.items(thing)
    if items is None:
        code.fail("ITG6005", node, f"{thing} has no length")
    return Const(len(items))


def _python_type(type: ScalarType) -> Word:
    def word(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
        if len(arguments) == 1 and isinstance(arguments[0], Const) and isinstance(arguments[0].value, bool | int | float):
            return Const((bool if type == BOOL else int)(arguments[0].value))
        return code.conversion(type, node, arguments)

    return word


def _float(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    _expect(code, node, arguments, 1)
    if isinstance(arguments[0], Const):
        return _fold(code, node, float, arguments)
    code.fail("ITG6007", node, "float(..) leaves the width open", "Write f32(..), f64(..) or cast(.., x).")


def _test(predicate: str, fold: Callable[..., Any]) -> Word:
    def word(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
        _expect(code, node, arguments, 1)
        if isinstance(arguments[0], Const):
            return _fold(code, node, fold, arguments)
        value = code.value(arguments[0], node)
        if not value.type.is_float:
            return Const(False)
        if predicate == "uno":
            return Value(code.emit(arith.CmpfOp(value.ssa, value.ssa, "uno")), BOOL)
        size = code.emit(math.AbsFOp(value.ssa))
        return Value(code.emit(arith.CmpfOp(size, code.constant(pymath.inf, value.type, node), "oeq")), BOOL)

    return word


def _cast(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    _expect(code, node, arguments, 2)
    return code.conversion(type_of(code, node, arguments[1]), node, arguments[:1])


def _bitcast(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    _expect(code, node, arguments, 2)
    value, to = code.value(arguments[0], node), type_of(code, node, arguments[1])
    if value.type.width != to.width or value.type.lanes or BOOL in (value.type, to):
        code.fail("ITG6005", node, f"bitcast from {value.type.name} to {to.name}", "Both must be numbers of the same width.")
    return code.bitcast(value, to)


def _limit(least: bool) -> Word:
    def word(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
        _expect(code, node, arguments, 1)
        return code.limit(type_of(code, node, arguments[0]), least, node)

    return word


def _kind(name: str) -> Word:
    def word(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
        _expect(code, node, arguments, 1)
        return Const(getattr(type_of(code, node, arguments[0]), name))

    return word


def _local(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    if len(arguments) < 2:
        code.fail("ITG6007", node, "local takes a type and one size or more", "As in local(f32, 64).")
    element = type_of(code, node, arguments[0])
    sizes: list[int] = []
    for thing in arguments[1:]:
        if not isinstance(thing, Const) or type(thing.value) is not int or thing.value < 1:
            code.fail("ITG6008", node, f"{thing} is not a size known while compiling", "Take an Out parameter instead.")
        sizes.append(thing.value)
    size = pymath.prod(sizes) * max(1, element.width // 8)
    if size > _STACK_BYTES:
        code.fail("ITG6008", node, f"a local array of {size} bytes", f"At most {_STACK_BYTES}; take an Out parameter instead.")
    return code.local_array(element, sizes, f"local, line {node.lineno}")


def _check(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    if len(arguments) < 2:
        code.fail("ITG6007", node, f"check takes 2 arguments or more, not {len(arguments)}")
    condition, error, *told = arguments
    if not isinstance(error, Const) or not isinstance(error.value, str):
        code.fail("ITG6008", node, f"{error} is not an error code", 'As in check(n > 0, "ITG5001").')
    message, values = _told(code, node, told)
    if isinstance(condition, Const) and condition.value:
        return Const(None)
    code.ops.append(AssertOp(code.truth(code.value(condition, node)), error.value, message, values))
    return Const(None)


def _told(code: Expressions, node: ast.Call, told: Sequence[Thing]) -> tuple[str, list[SSAValue]]:
    """The message of a check and the values that take its places."""
    if not told:
        return "", []
    message, *things = told
    if not isinstance(message, Const) or not isinstance(message.value, str):
        code.fail("ITG6008", node, f"{message} is no message", 'As in check(k < n, "ITG5001", "{} is not below {}", k, n).')
    if message.value.count("{}") != len(things) or len(things) > MAX_VALUES:
        places = message.value.count("{}")
        code.fail("ITG6007", node, f"{places} places for {len(things)} values", f"A message tells at most {MAX_VALUES}, one for each {{}}.")
    values = [code.value(thing, node) for thing in things]
    if any(not v.type.is_integer for v in values):
        code.fail("ITG6005", node, "a message tells integers only", "Convert first, as in int(..).")
    return message.value, [code.convert(v, INT).ssa for v in values]


def _range(code: Expressions, node: ast.Call, arguments: Sequence[Thing]) -> Thing:
    code.fail("ITG6007", node, f"{_name(node)} stands in a for statement only")


def type_of(code: Expressions, node: ast.AST, thing: Thing) -> ScalarType:
    """The scalar type that a type, an array or a value stands for."""
    if isinstance(thing, TypeRef | Value):
        return thing.type
    if isinstance(thing, ArrayRef):
        return thing.element
    code.fail("ITG6005", node, f"{thing} has no scalar type", "Give an array, a value or a type such as f32.")


def _expect(code: Expressions, node: ast.Call, arguments: Sequence[Thing], count: int) -> None:
    if len(arguments) != count:
        code.fail("ITG6007", node, f"{_name(node)} takes {count} argument{'s' if count > 1 else ''}, not {len(arguments)}")


def _name(node: ast.Call) -> str:
    return ast.unparse(node.func)


_FLOATS: dict[str, tuple[Callable[..., Operation], int, Callable[..., Any] | None]] = {
    "sqrt": (math.SqrtOp, 1, pymath.sqrt),
    "rsqrt": (math.RsqrtOp, 1, None),
    "cbrt": (math.CbrtOp, 1, pymath.cbrt),
    "exp": (math.ExpOp, 1, pymath.exp),
    "exp2": (math.Exp2Op, 1, pymath.exp2),
    "expm1": (math.ExpM1Op, 1, pymath.expm1),
    "log": (math.LogOp, 1, pymath.log),
    "log2": (math.Log2Op, 1, pymath.log2),
    "log10": (math.Log10Op, 1, pymath.log10),
    "log1p": (math.Log1pOp, 1, pymath.log1p),
    "erf": (math.ErfOp, 1, pymath.erf),
    "sin": (math.SinOp, 1, pymath.sin),
    "cos": (math.CosOp, 1, pymath.cos),
    "tan": (math.TanOp, 1, pymath.tan),
    "asin": (math.AsinOp, 1, pymath.asin),
    "acos": (math.AcosOp, 1, pymath.acos),
    "atan": (math.AtanOp, 1, pymath.atan),
    "sinh": (math.SinhOp, 1, pymath.sinh),
    "cosh": (math.CoshOp, 1, pymath.cosh),
    "tanh": (math.TanhOp, 1, pymath.tanh),
    "asinh": (math.AsinhOp, 1, pymath.asinh),
    "acosh": (math.AcoshOp, 1, pymath.acosh),
    "atanh": (math.AtanhOp, 1, pymath.atanh),
    "floor": (math.FloorOp, 1, pymath.floor),
    "ceil": (math.CeilOp, 1, pymath.ceil),
    "trunc": (math.TruncOp, 1, pymath.trunc),
    "round": (math.RoundEvenOp, 1, round),
    "atan2": (math.Atan2Op, 2, pymath.atan2),
    "copysign": (math.CopySignOp, 2, pymath.copysign),
    "fma": (math.FmaOp, 3, lambda a, b, c: operator.add(a * b, c)),
}

WORDS: dict[str, Word] = {
    **{name: _float_word(build, count, fold) for name, (build, count, fold) in _FLOATS.items()},
    "min": _extremum(True),
    "max": _extremum(False),
    "abs": _abs,
    "len": _len,
    "int": _python_type(INT),
    "bool": _python_type(BOOL),
    "float": _float,
    "isnan": _test("uno", pymath.isnan),
    "isinf": _test("inf", pymath.isinf),
    "cast": _cast,
    "bitcast": _bitcast,
    "muladd": _muladd,
    "vector": _vector,
    "lowest": _limit(True),
    "highest": _limit(False),
    "isfloat": _kind("is_float"),
    "issigned": _kind("is_signed"),
    "local": _local,
    "check": _check,
    "range": _range,
    "unroll": _range,
    "parallel": _range,
}
