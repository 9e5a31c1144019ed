"""Operators that work element by element, with broadcasting."""

from __future__ import annotations

import numpy as np

from ..arrays import integer_limits, is_float
from ..draw import Draw
from ..schemas import BOOL, FLOATS, STRING, dtype, types
from .registry import recipe

# Where an operator is defined, if not everywhere; what lies outside comes with the style "extreme".
_DOMAINS = {
    "Acos": (-1, 1),
    "Acosh": (1, 9),
    "Asin": (-1, 1),
    "Atanh": (-0.9, 0.9),
    "Log": (0.05, 9),
    "Sqrt": (0, 9),
    "Tan": (-1.4, 1.4),
}
_FLOATS = {
    "Celu": {"alpha": (0.25, 2)},
    "Elu": {"alpha": (0.25, 2)},
    "HardSigmoid": {"alpha": (0.1, 1), "beta": (-1, 1)},
    "LeakyRelu": {"alpha": (-1, 1)},
    "Selu": {"alpha": (0.5, 2), "gamma": (0.5, 2)},
    "Shrink": {"bias": (-1, 1), "lambd": (0, 2)},
    "Swish": {"alpha": (0.5, 2)},
    "ThresholdedRelu": {"alpha": (-1, 2)},
}


@recipe(
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp"),
    *("Floor", "HardSigmoid", "HardSwish", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu"),
    *("Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
)
def unary(d: Draw) -> None:
    d.pointwise = True
    low, high = (None, None) if d.extreme else _DOMAINS.get(d.operator, (None, None))
    d.data(d.schema.inputs[0].type_str, d.shape(), low, high)
    for name, bounds in _FLOATS.get(d.operator, {}).items():
        d.maybe(name, lambda bounds=bounds: d.real(*bounds))


@recipe("Gelu")
def gelu(d: Draw) -> None:
    d.pointwise = True
    d.data("T", d.shape())
    d.maybe("approximate", lambda: d.pick(["tanh", "none"]))


@recipe("IsInf")
def is_inf(d: Draw) -> None:
    d.data("T1", d.shape())
    d.maybe("detect_negative", lambda: d.between(0, 1))
    d.maybe("detect_positive", lambda: d.between(0, 1))


def broadcast(d: Draw, count: int = 2, *, into_first: bool = False, rank: int = 4) -> list[tuple[int, ...]]:
    """Shapes that broadcast together; to the first of them if `into_first`."""
    whole = d.shape(0, rank)
    found = []
    for i in range(count):
        if into_first and i == 0:
            found.append(whole)
            continue
        kept = whole[d.between(0, len(whole)) :] if d.flag(3) else whole
        found.append(tuple(1 if d.flag(4) else size for size in kept))
    return found


@recipe(
    *("Add", "Sub", "Mul", "And", "Or", "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor"),
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
)
def binary(d: Draw) -> None:
    d.pointwise = True
    for shape in broadcast(d):
        d.data("T", shape)


@recipe("Div", "Mod")
def division(d: Draw) -> None:
    d.pointwise = True
    first, second = broadcast(d)
    kind = dtype(d.type("T"))
    d.data("T", first)
    if d.extreme and is_float(kind):
        d.data("T", second)
    else:
        array = d.array(d.type("T"), second)
        d.given(np.where(array == 0, np.ones_like(array), array), type="T")
    if d.operator == "Mod" and (is_float(kind) or d.flag()):
        d.attribute("fmod", 1)


@recipe("Pow")
def power(d: Draw) -> None:
    d.pointwise = True
    first, second = broadcast(d)
    if dtype(d.type("T")).kind in "iu":
        d.plain()
    base, exponent = dtype(d.type("T")), dtype(d.type("T1"))
    whole = not is_float(base) or not is_float(exponent)
    lowest = 0 if not is_float(base) and is_float(exponent) else -3
    d.data("T", first, *((lowest, 3) if not is_float(base) else (None, None) if d.extreme else (0.2, 4)))
    d.data("T1", second, *((0, 3) if whole and not is_float(base) else (None, None) if d.extreme and not whole else (-3, 3)))


@recipe("BitShift")
def bit_shift(d: Draw) -> None:
    first, second = broadcast(d)
    d.data("T", first)
    d.data("T", second, 0, dtype(d.type("T")).itemsize * 8 - 1)
    d.attribute("direction", d.pick(["LEFT", "RIGHT"]))


@recipe("Max", "Min", "Mean", "Sum")
def variadic(d: Draw) -> None:
    d.pointwise = True
    for shape in broadcast(d, d.between(1, 4)):
        d.data("T", shape)


@recipe("PRelu")
def prelu(d: Draw) -> None:
    d.pointwise = True
    for shape in broadcast(d, into_first=True):
        d.data("T", shape)


@recipe("SwiGLU")
def swiglu(d: Draw) -> None:
    d.pointwise = True
    shape = d.shape()
    d.data("T", shape)
    d.data("T", shape)
    d.maybe("alpha", lambda: d.real(0.5, 2))


@recipe("Where")
def where(d: Draw) -> None:
    first, second, third = broadcast(d, 3)
    d.data(BOOL, first)
    d.data("T", second)
    d.data("T", third)


@recipe("Clip")
def clip(d: Draw) -> None:
    d.pointwise = True
    d.data("T", d.shape())
    for bounds in ((-4, 0), (1, 4)):
        if d.flag(3):
            d.skip()
        else:
            d.data("T", (), *bounds)


@recipe("Cast")
def cast(d: Draw) -> None:
    source, target = d.type("T1"), d.type("T2")
    _convertible(d, source, target)
    d.attribute("to", target)
    d.maybe("saturate", lambda: d.between(0, 1))


@recipe("CastLike")
def cast_like(d: Draw) -> None:
    source, target = d.type("T1"), d.type("T2")
    _convertible(d, source, target)
    d.data(target, d.shape(0, 2))
    d.maybe("saturate", lambda: d.between(0, 1))


def _convertible(d: Draw, source: int, target: int) -> None:
    """An input whose elements the target type can hold, as nothing is said of what becomes of the others."""
    kind = dtype(target)
    shape = d.shape()
    if source == STRING:
        d.given(np.array(d.choices.rng().choice(["1", "0", "7", "3"], shape), object).reshape(shape))
    elif kind.kind in "iu" or kind.name.startswith(("int", "uint")):
        bottom, top = integer_limits(kind)
        d.data(source, shape, max(bottom, -8), min(top, 9))
    elif kind.kind == "V" and not kind.name.startswith(("bfloat", "float8_e5m2")):
        d.data(source, shape, -5 if kind.name != "float8_e8m0fnu" else 1, 5)
    else:
        d.data(source, shape)


@recipe("BitCast")
def bit_cast(d: Draw) -> None:
    source = d.type("T1", strings=False)
    bits = _bits(source)
    fitting = [t for t in types("BitCast", "T2") if t != STRING and _bits(t) == bits and (t == BOOL) == (source == BOOL)]
    d.data(source, d.shape())
    d.attribute("to", d.pick(fitting))


def _bits(type: int) -> int:
    name = dtype(type).name
    narrow = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "float4_e2m1fn": 4}
    return narrow.get(name, dtype(type).itemsize * 8)


@recipe("Dropout")
def dropout(d: Draw) -> None:
    d.data("T", d.shape())
    d.outputs(2)
    if d.flag():
        d.data("T1", (), 0, 0.9, role="constant")
        if d.flag():
            d.given(False, "constant", BOOL)
    d.maybe("seed", lambda: d.between(0, 9))


@recipe("Bernoulli")
def bernoulli(d: Draw) -> None:
    """Of probabilities that leave nothing to chance."""
    shape = d.shape()
    d.given(d.choices.rng().integers(0, 2, shape), type="T1")
    if d.flag():
        d.attribute("dtype", d.type("T2"))
    d.maybe("seed", lambda: d.real(0, 9))


@recipe("Identity", "Shape", "Size", "NonZero", "Det", "LpNormalization", "Hardmax")
def plain(d: Draw) -> None:
    text = d.schema.inputs[0].type_str
    if d.operator == "Det":
        size = d.size(1, 5)
        d.data(text, (*d.shape(0, 2, most=20), size, size))
        return
    shape = d.shape(1 if d.operator in ("LpNormalization", "Hardmax") else 0, 4)
    d.data(text, shape)
    if d.operator == "Shape":
        d.maybe("start", lambda: d.between(-5, 5))
        d.maybe("end", lambda: d.between(-5, 5))
    elif d.operator in ("LpNormalization", "Hardmax"):
        d.maybe("axis", lambda: d.axis(len(shape)))
    if d.operator == "LpNormalization":
        d.maybe("p", lambda: d.between(1, 2))


__all__ = ["FLOATS", "broadcast"]
