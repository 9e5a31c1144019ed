"""Linear quantisation and back, and the rounding to quantised types that quantised products and convolutions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.onnx import quantization as ops
from ...dialects.onnx.types import BY_NUMBER, ElementType
from ..narrow import encode, is_narrow_float
from ..scalar import DOUBLE, FLOAT, INT32, INT64, Scalar
from .builder import Lowering, Tensor, element_type
from .registry import lower

WHOLE = ("int8", "uint8", "int16", "uint16", "int32")
"""Quantised types that products can be made of."""


def limits(type: ElementType) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    width = type.ir.width.data  # type: ignore[union-attr]
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if type.is_signed else (0, (1 << width) - 1)


def quantise(b: Lowering, value: Scalar, zero_point: Scalar | None, type: ElementType, *, saturate: bool = True) -> Scalar:
    """saturate(round(value) + zero_point) of a real number already divided by its scale, ties to even; `saturate` is of float8 alone."""
    if is_narrow_float(type):
        total = value if zero_point is None else value + b.s.cast(zero_point, value.type)
        return encode(b.s, b.s.cast(total, FLOAT), type, saturate=saturate)
    low, high = limits(type)
    if value.type.name in ("float16", "bfloat16"):
        value = b.s.cast(value, FLOAT)
    rounded = b.s.round_even(value)
    if zero_point is not None:
        rounded = rounded + b.s.cast(b.s.cast(zero_point, INT32), value.type)
    return b.s.cast(b.s.cast(b.s.max(b.s.min(rounded, high), low), INT32), type)


def require_whole(b: Lowering, *types: ElementType) -> None:
    """Refuses quantised types that products cannot be made of yet."""
    for type in types:
        if type.name not in WHOLE:
            raise b.unsupported(f"products of quantised {type.name} cannot be compiled yet")


def _reader(b: Lowering, op: ops.LinearQuantisationOp, x: Tensor, scale: Tensor) -> Callable[[Tensor, Sequence[Any]], Scalar]:
    """Reads a scale or zero point for the element of x at some indices."""
    granularity, axis = op.granularity(x.shape, scale.shape)
    block = op.attr("block_size")

    def read(t: Tensor, i: Sequence[Any]) -> Scalar:
        if granularity == "tensor" or t.shape == (1,) * t.rank:
            return t.scalar()
        if granularity == "axis":
            return t.at((i[axis],))
        return t[(*i[:axis], i[axis] // block, *i[axis + 1 :])]

    return read


@lower(ops.QuantizeLinearOp)
def quantize_linear(b: Lowering, op: ops.QuantizeLinearOp, x: Tensor, scale: Tensor, zero_point: Tensor | None) -> Tensor:
    """The division happens in the type `precision`, or in the scale's."""
    type = element_type(op.y)
    asked = op.attr("precision")
    precision = BY_NUMBER[asked] if asked else FLOAT if is_narrow_float(scale.type) else scale.type
    if not precision.is_float:
        precision = DOUBLE
    saturate = bool(op.attr("saturate"))
    read = _reader(b, op, x, scale)

    def element(*i: Any) -> Scalar:
        quotient = b.s.cast(x[i], precision) / b.s.cast(read(scale, i), precision)
        return quantise(b, quotient, None if zero_point is None else read(zero_point, i), type, saturate=saturate)

    return b.compute(x.shape, type, element)


@lower(ops.DequantizeLinearOp)
def dequantize_linear(b: Lowering, op: ops.DequantizeLinearOp, x: Tensor, scale: Tensor, zero_point: Tensor | None) -> Tensor:
    type = element_type(op.y)
    read = _reader(b, op, x, scale)
    difference = FLOAT if is_narrow_float(x.type) else INT64 if x.type is INT32 else INT32

    def element(*i: Any) -> Scalar:
        value = x[i]
        if zero_point is not None:
            value = b.s.cast(value, difference) - b.s.cast(read(zero_point, i), difference)
        return b.s.cast(b.s.cast(value, FLOAT) * b.s.cast(read(scale, i), FLOAT), type)

    return b.compute(x.shape, type, element)


@lower(ops.DynamicQuantizeLinearOp)
def dynamic_quantize_linear(b: Lowering, op: ops.DynamicQuantizeLinearOp, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scale and zero point follow from the range of x and 0; a range of nothing but 0 has scale 1."""
    type = element_type(op.y)
    low = b.reduce((), x.shape, FLOAT, lambda i, r: x[r], lambda a, v: b.s.min(a, v), 0.0)
    high = b.reduce((), x.shape, FLOAT, lambda i, r: x[r], lambda a, v: b.s.max(a, v), 0.0)

    def step() -> Scalar:
        width = high[()] - low[()]
        return b.s.select(width.equals(0), 1.0, width / 255.0)

    scale = b.compute((), FLOAT, step)
    zero_point = b.compute((), type, lambda: quantise(b, -low[()] / scale[()], None, type))
    y = b.compute(x.shape, type, lambda *i: quantise(b, x[i] / scale[()], zero_point[()], type))
    return y, scale, zero_point
