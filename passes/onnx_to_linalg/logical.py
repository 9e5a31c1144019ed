"""Comparisons, logic on booleans and bits, selection: what each computes on one scalar."""

from __future__ import annotations

from typing import Any

from ...dialects.onnx import logical as ops
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.types import BY_NAME
from ..scalar import BOOL, Scalar, ScalarBuilder, storage
from .builder import Lowering, Tensor
from .elementwise import scalar
from .registry import lower

COMPARISONS = {ops.EqualOp: "eq", ops.LessOp: "lt", ops.LessOrEqualOp: "le", ops.GreaterOp: "gt", ops.GreaterOrEqualOp: "ge"}


@scalar(*COMPARISONS)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    return s.compare(COMPARISONS[type(op)], x, y)


@scalar(ops.AndOp, ops.BitwiseAndOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    return x & y


@scalar(ops.OrOp, ops.BitwiseOrOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    return x | y


@scalar(ops.XorOp, ops.BitwiseXorOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, y: Scalar) -> Scalar:
    return x ^ y


@scalar(ops.NotOp, ops.BitwiseNotOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return ~x


@lower(ops.WhereOp)
def where(b: Lowering, op: ops.WhereOp, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    storage(x.type)
    return b.compute(b.shapes.of(op.output), x.type, lambda *i: b.s.select(condition.at(i), x.at(i), y.at(i)), doc="Where")


# The bits of float8 numbers without the sign: from where on they are NaN, and which one is infinite.
_FLOAT8_NAN = {"float8e4m3fn": 0x7F, "float8e5m2": 0x7D}
_FLOAT8_INFINITY = {"float8e5m2": 0x7C}
# The fnuz formats have one NaN, the negative zero, and no infinities.
_FLOAT8_SINGLE_NAN = 0x80


@lower(ops.IsNaNOp)
def is_nan(b: Lowering, op: ops.IsNaNOp, x: Tensor) -> Tensor:
    def element(*i: Any) -> Scalar:
        if not x.type.name.startswith("float8"):
            return b.s.isnan(x[i])
        bits = b.retype(x, BY_NAME["uint8"])[i]
        if x.type.name.endswith("fnuz"):
            return bits.equals(_FLOAT8_SINGLE_NAN)
        return (bits & 0x7F) >= _FLOAT8_NAN[x.type.name]

    return b.compute(b.shapes.of(op.y), BOOL, element, doc="IsNaN")


@lower(ops.IsInfOp)
def is_inf(b: Lowering, op: ops.IsInfOp, x: Tensor) -> Tensor:
    positive, negative = bool(op.attr("detect_positive")), bool(op.attr("detect_negative"))

    def element(*i: Any) -> Scalar:
        none = b.s.const(False, BOOL)
        if not x.type.name.startswith("float8"):
            up, down = x[i].equals(float("inf")), x[i].equals(float("-inf"))
        elif x.type.name in _FLOAT8_INFINITY:
            bits, infinity = b.retype(x, BY_NAME["uint8"])[i], _FLOAT8_INFINITY[x.type.name]
            up, down = bits.equals(infinity), bits.equals(infinity | 0x80)
        else:
            up = down = none
        return (up if positive else none) | (down if negative else none)

    return b.compute(b.shapes.of(op.y), BOOL, element, doc="IsInf")
