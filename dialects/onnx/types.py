"""Element types of the onnx dialect: one table from ONNX's numbers to IR types and numpy dtypes, and the types that are not tensors."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np
from xdsl.dialects import builtin
from xdsl.dialects.builtin import ComplexType, IntegerType, Signedness
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition, param_def


@irdl_attr_definition
class StringType(ParametrizedAttribute, TypeAttribute):
    """A string element; tensors of it hold UTF-8 text."""

    name = "onnx.string"


@irdl_attr_definition
class SequenceType(ParametrizedAttribute, TypeAttribute):
    """A sequence of values of one type."""

    name = "onnx.sequence"
    element: Attribute = param_def()


@irdl_attr_definition
class OptionalType(ParametrizedAttribute, TypeAttribute):
    """A value that may be absent."""

    name = "onnx.optional"
    element: Attribute = param_def()


@irdl_attr_definition
class MapType(ParametrizedAttribute, TypeAttribute):
    """A map from integers or strings to values."""

    name = "onnx.map"
    key: Attribute = param_def()
    value: Attribute = param_def()


@dataclass(frozen=True)
class ElementType:
    """One row of the table. `number` is TensorProto.DataType; `numpy` is the dtype values have in memory, sub-byte types one a byte."""

    number: int
    name: str
    ir: Attribute
    numpy: np.dtype

    @property
    def stored(self) -> np.dtype:
        """The dtype of elements in a compiled program's memory: there a string is a number in the run's pool of texts."""
        return np.dtype(np.int64) if self.numpy.hasobject else self.numpy

    @property
    def is_float(self) -> bool:
        return isinstance(self.ir, builtin.AnyFloat)

    @property
    def is_integer(self) -> bool:
        return isinstance(self.ir, IntegerType) and self.ir.width.data > 1

    @property
    def is_signed(self) -> bool:
        """False for unsigned integers and bool."""
        return not isinstance(self.ir, IntegerType) or (self.ir.signedness.data != Signedness.UNSIGNED and self.ir.width.data > 1)


def _unsigned(width: int) -> IntegerType:
    return IntegerType(width, Signedness.UNSIGNED)


STRING = StringType()
ELEMENT_TYPES: tuple[ElementType, ...] = tuple(
    ElementType(number, name, ir, np.dtype(dtype))
    for number, name, ir, dtype in (
        (1, "float", builtin.f32, np.float32),
        (2, "uint8", _unsigned(8), np.uint8),
        (3, "int8", builtin.i8, np.int8),
        (4, "uint16", _unsigned(16), np.uint16),
        (5, "int16", builtin.i16, np.int16),
        (6, "int32", builtin.i32, np.int32),
        (7, "int64", builtin.i64, np.int64),
        (8, "string", STRING, np.object_),
        (9, "bool", builtin.i1, np.bool_),
        (10, "float16", builtin.f16, np.float16),
        (11, "double", builtin.f64, np.float64),
        (12, "uint32", _unsigned(32), np.uint32),
        (13, "uint64", _unsigned(64), np.uint64),
        (14, "complex64", ComplexType(builtin.f32), np.complex64),
        (15, "complex128", ComplexType(builtin.f64), np.complex128),
        (16, "bfloat16", builtin.bf16, ml_dtypes.bfloat16),
        (17, "float8e4m3fn", builtin.Float8E4M3FNType(), ml_dtypes.float8_e4m3fn),
        (18, "float8e4m3fnuz", builtin.Float8E4M3FNUZType(), ml_dtypes.float8_e4m3fnuz),
        (19, "float8e5m2", builtin.Float8E5M2Type(), ml_dtypes.float8_e5m2),
        (20, "float8e5m2fnuz", builtin.Float8E5M2FNUZType(), ml_dtypes.float8_e5m2fnuz),
        (21, "uint4", _unsigned(4), ml_dtypes.uint4),
        (22, "int4", IntegerType(4), ml_dtypes.int4),
        (23, "float4e2m1", builtin.Float4E2M1FNType(), ml_dtypes.float4_e2m1fn),
        (24, "float8e8m0", builtin.Float8E8M0FNUType(), ml_dtypes.float8_e8m0fnu),
        (25, "uint2", _unsigned(2), ml_dtypes.uint2),
        (26, "int2", IntegerType(2), ml_dtypes.int2),
        (27, "float6e2m3", builtin.Float6E2M3FNType(), ml_dtypes.float6_e2m3fn),
        (28, "float6e3m2", builtin.Float6E3M2FNType(), ml_dtypes.float6_e3m2fn),
    )
)

BY_NUMBER = {e.number: e for e in ELEMENT_TYPES}
BY_NAME = {e.name: e for e in ELEMENT_TYPES}
BY_IR = {e.ir: e for e in ELEMENT_TYPES}
BY_NUMPY = {e.numpy: e for e in ELEMENT_TYPES}


def _irs(*names: str) -> tuple[Attribute, ...]:
    return tuple(BY_NAME[n].ir for n in names)


# The sets that operator definitions combine in their type constraints; the names follow the specification's type strings.
F32 = _irs("float")
F64 = _irs("double")
BF16 = _irs("bfloat16")
FLOATS = _irs("float16", "float", "double")
ALL_FLOATS = (*FLOATS, *BF16)
FLOAT8 = _irs("float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz")
E8M0 = _irs("float8e8m0")
FLOAT4 = _irs("float4e2m1")
FLOAT6 = _irs("float6e2m3", "float6e3m2")
INT4 = _irs("uint4", "int4")
INT2 = _irs("uint2", "int2")
SIGNED = _irs("int8", "int16", "int32", "int64")
UNSIGNED = _irs("uint8", "uint16", "uint32", "uint64")
INTEGERS = (*SIGNED, *UNSIGNED)
BOOL = _irs("bool")
I32 = _irs("int32")
I64 = _irs("int64")
STRINGS = _irs("string")
COMPLEX = _irs("complex64", "complex128")
NUMERIC = (*INTEGERS, *FLOATS)
ALL_NUMERIC = (*NUMERIC, *BF16)
ALL_TENSOR = (*NUMERIC, *BOOL, *STRINGS, *COMPLEX)
ALL_TENSOR_BF16 = (*ALL_TENSOR, *BF16)
ALL_IR9 = (*ALL_TENSOR_BF16, *FLOAT8)
ALL_IR10 = (*ALL_IR9, *INT4)
ALL_IR11 = (*ALL_IR10, *FLOAT4)
ALL_IR12 = (*ALL_IR11, *E8M0)
ALL_IR13 = (*ALL_IR12, *INT2)
ALL_IR14 = (*ALL_IR13, *FLOAT6)
