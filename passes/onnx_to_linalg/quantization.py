"""Linear quantisation and back, and the rounding to quantised types that quantised products and convolutions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dialects.onnx import quantization as ops
from ...dialects.onnx.types import BY_NUMBER, ElementType
from ..narrow import encode, is_narrow_float
from ..scalar import DOUBLE, FLOAT, INT32, INT64, Scalar
from .builder import Lowering, Tensor, element_type
from .byte_products import known_array
from .registry import lower

WHOLE = ("int8", "uint8", "int16", "uint16", "int32")
"""Quantised types that products can be made of."""

ONES = 0x7FFFFF
"""The mantissa of a float, all ones."""


def limits(type: ElementType) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    width = type.ir.width.data  # type: ignore[union-attr]
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if type.is_signed else (0, (1 << width) - 1)


def quantise(b: Lowering, value: Scalar, zero_point: Scalar | None, type: ElementType, *, saturate: bool = True) -> Scalar:
    """saturate(round(value) + zero_point) of a real number already divided by its scale, ties to even; `saturate` is of float8 alone."""
    if is_narrow_float(type):
        total = value if zero_point is None else value + b.s.cast(zero_point, value.type)
        return encode(b.s, b.s.cast(total, FLOAT), type, saturate=saturate)
    if value.type.name in ("float16", "bfloat16"):
        value = b.s.cast(value, FLOAT)
    return _shifted(b, _within(b, value, *_range(b, zero_point, type, value.type)), zero_point, type)


def rescaling(b: Lowering, x: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """The scales x w / y, which take sums of products to what they are quantised to: () of scalars, else one for each of w's."""
    shape = () if w.shape in ((), (1,)) else w.shape
    known = [known_array(b, t) for t in (x, w, y)]
    if all(k is not None for k in known):
        of_x, of_w, of_y = (np.asarray(k, np.float32).reshape(-1) for k in known)
        return b.constant((of_x * of_w / of_y).reshape([int(d) for d in shape]), FLOAT)  # type: ignore[arg-type]
    return b.compute(shape, FLOAT, lambda *i: x.scalar() * (w[i] if shape else w.scalar()) / y.scalar())


def _range(b: Lowering, zero_point: Scalar | None, type: ElementType, real: ElementType) -> tuple[Scalar, Scalar]:
    """The numbers that, rounded, and shifted by the zero point, become the least and the greatest of the type."""
    low, high = (b.s.const(float(n), real) for n in limits(type))
    if zero_point is None:
        return low, high
    zero = b.s.cast(b.s.cast(zero_point, INT32), real)
    return low - zero, high - zero


def _within(b: Lowering, value: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """The nearest number of a range; `low` of NaN, which costs nothing and is what others do."""
    value = b.s.select(value > low, value, low)
    return b.s.select(value < high, value, high)


def _shifted(b: Lowering, value: Scalar, zero_point: Scalar | None, type: ElementType) -> Scalar:
    """round(value) + zero_point, which is one of the type's numbers. A power of two that is added brings the integer into the mantissa's
    lowest bits, rounded to even, at the cost of one addition."""
    mantissa, integer = (23, INT32) if value.type is FLOAT else (52, INT64)
    shifter = b.s.const(1.5 * 2.0**mantissa, value.type)
    whole = b.s.cast(b.s.bitcast(value + shifter, integer) - b.s.bitcast(shifter, integer), INT32)
    return b.s.cast(whole if zero_point is None else whole + b.s.cast(zero_point, INT32), type)


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
    reciprocal = None if precision is not FLOAT or is_narrow_float(type) else _reciprocal(b, scale)

    def element(*i: Any) -> Scalar:
        value, zero = b.s.cast(x[i], precision), None if zero_point is None else read(zero_point, i)
        step = b.s.cast(read(scale, i), precision)
        if reciprocal is None:
            return quantise(b, value / step, zero, type, saturate=saturate)
        low, high = _range(b, zero, type, precision)
        inside = _within(b, value, low * step, high * step)  # so that nothing overflows
        quotient = _quotient(b, inside, step, read(reciprocal, i))
        return _shifted(b, quotient, zero, type)

    return b.compute(x.shape, type, element)


def _reciprocal(b: Lowering, scale: Tensor) -> Tensor | None:
    """1 / scale where `_quotient` may divide by it: known scales far from the ends of the range, whose mantissas are not all ones."""
    known = known_array(b, scale)
    if known is None or scale.type is not FLOAT or b.target is None or not b.target.fuses:
        return None
    tame = (known >= 2.0**-100) & (known <= 2.0**100) & (known.view(np.int32) & ONES != ONES)
    return b.constant(1 / known, FLOAT) if np.all(tame) else None


def _quotient(b: Lowering, value: Scalar, by: Scalar, reciprocal: Scalar) -> Scalar:
    """value / by, rounded as a division is, in a third of its time: Markstein's theorem (IBM Journal of Research and Development 34,
    1990), once 1 / by is rounded correctly. Where the rest underflows, the quotient is off by less than a quarter."""
    first = value * reciprocal
    rest = b.s.fma(-first, by, value)
    return b.s.fma(rest, reciprocal, first)


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
