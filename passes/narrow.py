"""Elements of fewer bits than a computer calculates with, each kept in a byte: float8, float6 and float4 formats, int4 and int2.

`ScalarBuilder.cast` decodes them to float32 or int32 and encodes them back; the lowering of Cast chooses how they are encoded.
https://onnx.ai/onnx/technical/float8.html and its neighbours describe the formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from xdsl.dialects.builtin import IntegerType

from ..dialects.onnx.types import BY_NAME, ElementType

if TYPE_CHECKING:
    from .scalar import Scalar, ScalarBuilder

FLOAT, INT8, INT32, UINT8, UINT32 = (BY_NAME[name] for name in ("float", "int8", "int32", "uint8", "uint32"))


@dataclass(frozen=True)
class Format:
    """A small float: a sign, `exponent` and `mantissa` bits. Codes without their sign: `largest` is the largest finite one, `nan` one
    that stands for NaN, `infinity` for infinity. `one_zero`: there is no negative zero, and its code is that of NaN."""

    exponent: int
    mantissa: int
    bias: int
    largest: int
    nan: int | None = None
    infinity: int | None = None
    one_zero: bool = False


FORMATS = {
    "float8e4m3fn": Format(4, 3, 7, 0x7E, nan=0x7F),
    "float8e4m3fnuz": Format(4, 3, 8, 0x7F, nan=0x80, one_zero=True),
    "float8e5m2": Format(5, 2, 15, 0x7B, nan=0x7E, infinity=0x7C),
    "float8e5m2fnuz": Format(5, 2, 16, 0x7F, nan=0x80, one_zero=True),
    "float6e2m3": Format(2, 3, 1, 0x1F),
    "float6e3m2": Format(3, 2, 3, 0x1F),
    "float4e2m1": Format(2, 1, 1, 0x7),
}
EXPONENT_ONLY = "float8e8m0"
"""A power of two, without sign or mantissa; 0xFF is NaN."""


def is_narrow_float(type: ElementType) -> bool:
    return type.name in FORMATS or type.name == EXPONENT_ONLY


def is_narrow(type: ElementType) -> bool:
    """Whether elements of the type must be decoded before anything is computed with them."""
    return is_narrow_float(type) or (isinstance(type.ir, IntegerType) and 1 < type.ir.width.data < 8)


def code_of(number: float, type: ElementType) -> int:
    """The byte that stands for a number."""
    return int(np.asarray(number).astype(type.numpy).view(np.uint8))


def decode(s: ScalarBuilder, x: Scalar) -> Scalar:
    """The value as float32, or int32 for integers; exact."""
    if not is_narrow_float(x.type):
        return _decode_integer(s, x)
    code = s.cast(s.wrap(x.value, UINT8), UINT32)
    return _decode_power(s, code) if x.type.name == EXPONENT_ONLY else _decode_float(s, code, FORMATS[x.type.name])


def encode(s: ScalarBuilder, x: Scalar, type: ElementType, *, saturate: bool = True, round_mode: str = "up") -> Scalar:
    """A number as an element of the type. Integers wrap around, floats round to the nearest, ties to even.

    saturate: what is too large for a float8 becomes its largest number, else infinity or NaN. round_mode: of float8e8m0 alone.
    double takes its way through float32.
    """
    if not is_narrow_float(type):
        width = type.ir.width.data  # type: ignore[union-attr]
        return s.wrap(s.cast(s.cast(x, INT32) & ((1 << width) - 1), UINT8).value, type)
    x = s.cast(x, FLOAT)
    if type.name == EXPONENT_ONLY:
        code = _encode_power(s, x, saturate, round_mode)
    else:
        code = _encode_float(s, x, FORMATS[type.name], saturate)
    return s.wrap(s.cast(code, UINT8).value, type)


def _decode_integer(s: ScalarBuilder, x: Scalar) -> Scalar:
    """The low bits, with the sign they have; what stands above them is not looked at."""
    unused = 32 - x.type.ir.width.data  # type: ignore[union-attr]
    if not x.type.is_signed:
        return s.cast(s.wrap(x.value, UINT8), INT32) & ((1 << (32 - unused)) - 1)
    return s.shr(s.shl(s.cast(s.wrap(x.value, INT8), INT32), unused), unused)


def _decode_float(s: ScalarBuilder, code: Scalar, f: Format) -> Scalar:
    exponent, mantissa = s.shr(code, f.mantissa) & ((1 << f.exponent) - 1), code & ((1 << f.mantissa) - 1)
    sign = s.shl(s.shr(code, f.exponent + f.mantissa) & 1, 31)
    bits = s.shl(exponent + (127 - f.bias), 23) | s.shl(mantissa, 23 - f.mantissa)
    if f.infinity is not None:
        special = s.shl(mantissa, 23 - f.mantissa) | 0x7F800000
        bits = s.select(exponent.equals((1 << f.exponent) - 1), special, bits)
    subnormal = s.bitcast(s.cast(mantissa, FLOAT) * 2.0 ** (1 - f.bias - f.mantissa), UINT32)
    value = s.bitcast(s.select(exponent.equals(0), subnormal, bits) | sign, FLOAT)
    if f.nan is None or f.infinity is not None:
        return value
    is_nan = code.equals(f.nan) if f.one_zero else (code & 0x7F).equals(f.nan)
    return s.select(is_nan, float("nan"), value)


def _encode_float(s: ScalarBuilder, x: Scalar, f: Format, saturate: bool) -> Scalar:
    bits = s.bitcast(x, UINT32)
    size = bits & 0x7FFFFFFF
    magnitude = s.bitcast(size, FLOAT)
    cut = 23 - f.mantissa
    to_even = s.shr(size, cut) & 1
    normal = s.shr(size + ((1 << (cut - 1)) - 1) + to_even, cut) - ((127 - f.bias) << f.mantissa)
    subnormal = s.cast(s.round_even(magnitude * 2.0 ** (f.mantissa + f.bias - 1)), UINT32)
    code = s.select(magnitude < 2.0 ** (1 - f.bias), subnormal, normal)
    beyond = f.infinity if f.infinity is not None else f.nan
    code = s.select(code > f.largest, f.largest if saturate or beyond is None else beyond, code)
    code = s.select(s.isnan(x), f.nan or 0, code)
    signed = code | s.shl(s.shr(bits, 31), f.exponent + f.mantissa)
    return s.select(code.equals(0), 0, signed) if f.one_zero else signed


def _decode_power(s: ScalarBuilder, code: Scalar) -> Scalar:
    smallest = s.const(0x00400000, UINT32)  # 2^-127 is subnormal in float32
    value = s.bitcast(s.select(code.equals(0), smallest, s.shl(code, 23)), FLOAT)
    return s.select(code.equals(0xFF), float("nan"), value)


def _encode_power(s: ScalarBuilder, x: Scalar, saturate: bool, round_mode: str) -> Scalar:
    """The exponent, one more where rounding says so; the sign is not looked at."""
    bits = s.bitcast(x, UINT32)
    exponent, fraction = s.shr(bits, 23) & 0xFF, bits & 0x7FFFFF
    last = 0xFD if saturate else 0xFE
    if round_mode == "down":
        return exponent
    if round_mode == "up":
        more = fraction.differs(0)
    else:
        more = (fraction > 0x400000) | (fraction.equals(0x400000) & exponent.differs(0))
    return s.select(more & (exponent <= last), exponent + 1, exponent)
