"""Evaluates straight-line scalar arith and math operations elementwise on numpy arrays; the tests of code generation call it.

f32 operations run in float32 and are exact to the bit. f64 ones run in float64, of which fma alone may differ: it is rounded twice,
from a long double's 64 bits, which turns about one result in 2000 by one unit.
"""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
from intaglio.dialects.dispatch import ScaleOp
from numpy.typing import NDArray
from xdsl.dialects import arith, func, math
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FloatAttr, IntegerAttr, VectorType
from xdsl.ir import Attribute, Operation, SSAValue

Array = NDArray
DTYPES = {
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
    "i1": np.bool_,
    "i32": np.int32,
    "i64": np.int64,
}


def run(function: func.FuncOp, *arguments: Array) -> Array:
    """What the function's only block returns for these arguments; raises KeyError for an operation it does not know."""
    block = function.body.block
    values: dict[SSAValue, Array] = dict(zip(block.args, arguments, strict=True))
    with np.errstate(all="ignore"):
        for op in block.ops:
            operands = [values[operand] for operand in op.operands]
            if isinstance(op, func.ReturnOp):
                return operands[0]
            values[op.results[0]] = RULES[type(op)](op, *operands)
    raise AssertionError("the function does not return")


def dtype(t: Attribute) -> type:
    return DTYPES[str(t.element_type if isinstance(t, VectorType) else t)]


def constant(op: Operation) -> Array:
    value = op.properties["value"]
    if isinstance(value, DenseIntOrFPElementsAttr):
        number = value.get_values()[0]
    else:
        assert isinstance(value, IntegerAttr | FloatAttr)
        number = value.value.data
    return np.asarray(number, dtype(op.results[0].type))


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def fma(x: Array, y: Array, z: Array) -> Array:
    if x.dtype == np.float32:
        return fma32(x, y, z)
    # The product's own rounding error is kept, since where the sum cancels it is all that remains.
    a, b, c = (v.astype(np.longdouble) for v in (x, y, z))
    high = a * b
    low = _product_error(a, b, high)
    s, e = two_sum(high, c)
    exact = (s + (e + np.where(np.isfinite(low), low, 0))).astype(np.float64)
    return np.where(np.isfinite(exact), exact, (high + c).astype(np.float64))


def _product_error(a: Array, b: Array, p: Array) -> Array:
    """a*b - p for longdoubles that hold 53-bit values, each cut in halves whose products are exact."""
    cut = np.longdouble(2.0**38 + 1)
    ah = (a * cut) - (a * cut - a)
    bh = (b * cut) - (b * cut - b)
    al, bl = a - ah, b - bh
    return ((ah * bh - p) + ah * bl + al * bh) + al * bl


def fma32(x: Array, y: Array, z: Array) -> Array:
    """The product is exact in double; the sum is rounded to odd there, so that rounding to float is the only one."""
    p = x.astype(np.float64) * y.astype(np.float64)
    s, e = two_sum(p, z.astype(np.float64))
    bits = np.atleast_1d(s).view(np.int64)
    inexact = np.isfinite(e) & (e != 0) & (bits & 1 == 0)
    away = np.sign(e) == np.sign(s)
    odd = np.where(inexact, np.where(away, bits + 1, bits - 1), bits)
    return odd.view(np.float64).astype(np.float32).reshape(np.shape(s))


def shifted(how: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def rule(op: Operation, a: Array, b: Array) -> Array:
        unsigned = np.uint32 if a.dtype == np.int32 else np.uint64
        return np.asarray(how(np.asarray(a).view(unsigned), np.asarray(b).view(unsigned))).view(a.dtype)

    return rule


def plain(how: Callable[..., Array]) -> Callable[..., Array]:
    return lambda op, *operands: np.asarray(how(*operands))


def cast(op: Operation, a: Array) -> Array:
    return a.astype(dtype(op.results[0].type))


def bitcast(op: Operation, a: Array) -> Array:
    return np.ascontiguousarray(a).view(dtype(op.results[0].type)).reshape(np.shape(a))


ORDERED = {1: np.equal, 2: np.greater, 3: np.greater_equal, 4: np.less, 5: np.less_equal}


def cmpf(op: Operation, a: Array, b: Array) -> Array:
    predicate = op.properties["predicate"]
    assert isinstance(predicate, IntegerAttr)
    return ORDERED[predicate.value.data](a, b)


def cmpi(op: Operation, a: Array, b: Array) -> Array:
    predicate = op.properties["predicate"]
    assert isinstance(predicate, IntegerAttr)
    return {0: np.equal, 1: np.not_equal}[predicate.value.data](a, b)


def scale(op: Operation, x: Array, bits: Array) -> Array:
    """The power of two is what the float of these bits has beyond its shifter."""
    shifted = bits.view(x.dtype)
    with np.errstate(invalid="ignore"):
        power = np.nan_to_num(shifted.astype(np.float64) - 1.5 * 2.0 ** np.finfo(x.dtype).nmant).astype(np.int32)
    return np.ldexp(x, power)


RULES: dict[type[Operation], Callable[..., Array]] = {
    arith.ConstantOp: constant,
    arith.AddfOp: plain(np.add),
    arith.SubfOp: plain(np.subtract),
    arith.MulfOp: plain(np.multiply),
    arith.DivfOp: plain(np.divide),
    arith.NegfOp: plain(np.negative),
    arith.MaximumfOp: plain(np.maximum),
    arith.MinimumfOp: plain(np.minimum),
    arith.AddiOp: plain(np.add),
    arith.SubiOp: plain(np.subtract),
    arith.AndIOp: plain(np.bitwise_and),
    arith.OrIOp: plain(np.bitwise_or),
    arith.XOrIOp: plain(np.bitwise_xor),
    arith.MaxSIOp: plain(np.maximum),
    arith.ShLIOp: shifted(np.left_shift),
    arith.ShRUIOp: shifted(np.right_shift),
    arith.CmpfOp: cmpf,
    arith.CmpiOp: cmpi,
    arith.SelectOp: plain(np.where),
    arith.BitcastOp: bitcast,
    arith.ExtFOp: cast,
    arith.TruncFOp: cast,
    math.FmaOp: plain(fma),
    math.SqrtOp: plain(np.sqrt),
    math.AbsFOp: plain(np.abs),
    math.RoundEvenOp: plain(np.rint),
    math.CopySignOp: plain(np.copysign),
    ScaleOp: scale,
}
