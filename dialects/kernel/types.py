"""The scalar types of the kernel language and how values of two of them meet; the compiler asks here.

One type serves counters, sizes and int64 elements: i64, which is `index` as a value and i64 in arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xdsl.dialects.builtin import AnyFloat, ComplexType, IndexType, IntegerType, Signedness, VectorType, bf16, f16, f32, f64, i1
from xdsl.ir import Attribute

from ..onnx.types import BY_IR

Kind = Literal["int", "uint", "float", "bool", "bits"]


@dataclass(frozen=True)
class ScalarType:
    """A type of values.

    ir: its signless IR type; storage: that of array elements; "bits" are elements that a kernel can only move (float8, int4, ..), and
    vectors; lanes: how many elements a vector has, 0 of anything else.
    """

    name: str
    kind: Kind
    width: int
    ir: Attribute
    storage: Attribute
    lanes: int = 0

    @property
    def is_integer(self) -> bool:
        return self.kind in ("int", "uint")

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_signed(self) -> bool:
        return self.kind in ("int", "float")

    @property
    def float_ir(self) -> AnyFloat:
        assert isinstance(self.ir, AnyFloat)
        return self.ir

    @property
    def integer_ir(self) -> IntegerType | IndexType:
        assert isinstance(self.ir, IntegerType | IndexType)
        return self.ir

    @property
    def vector_ir(self) -> VectorType:
        assert isinstance(self.ir, VectorType)
        return self.ir

    @property
    def limits(self) -> tuple[int, int]:
        """Least and greatest value of an integer type."""
        if self.kind == "uint":
            return 0, (1 << self.width) - 1
        return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1


def _plain(name: str, kind: Kind, width: int, ir: Attribute) -> ScalarType:
    return ScalarType(name, kind, width, ir, ir)


INT = ScalarType("i64", "int", 64, IndexType(), IntegerType(64))
BOOL = _plain("bool", "bool", 1, i1)
F16, BF16 = _plain("f16", "float", 16, f16), _plain("bf16", "float", 16, bf16)
F32, F64 = _plain("f32", "float", 32, f32), _plain("f64", "float", 64, f64)

TYPES: dict[str, ScalarType] = {
    t.name: t
    for t in (
        INT,
        BOOL,
        *(_plain(f"i{n}", "int", n, IntegerType(n)) for n in (8, 16, 32)),
        *(_plain(f"u{n}", "uint", n, IntegerType(n)) for n in (8, 16, 32, 64)),
        *(F16, BF16, F32, F64),
    )
}

_ELEMENTS = {
    **{t.storage: t for t in TYPES.values() if t.kind != "uint"},
    **{IntegerType(t.width, Signedness.UNSIGNED): t for t in TYPES.values() if t.kind == "uint"},
}


def vector_type(element: ScalarType, lanes: int) -> ScalarType:
    """So many floats of a type as one value."""
    ir = VectorType(element.ir, [lanes])
    return ScalarType(f"{element.name}x{lanes}", "bits", element.width * lanes, ir, ir, lanes)


def element_type(ir: Attribute) -> ScalarType | None:
    """The type of an array's elements given as in dialects/onnx/types.py (unsigned integers say so); None if kernels know none.

    Float8, float4, float6 and integers below 8 bits are one byte in memory, complex numbers two floats; these can only be moved.
    """
    if ir in _ELEMENTS:
        return _ELEMENTS[ir]
    element = BY_IR.get(ir)
    if element is None or not (element.numpy.itemsize == 1 or isinstance(ir, ComplexType)):
        return None
    bits = 8 * element.numpy.itemsize
    return ScalarType(element.name, "bits", bits, IntegerType(bits), IntegerType(bits))


def common_type(a: ScalarType, b: ScalarType) -> ScalarType | None:
    """The one of two types that holds every value of the other, None if neither does."""
    if a == b or widens(b, a):
        return a
    return b if widens(a, b) else None


def widens(a: ScalarType, b: ScalarType) -> bool:
    """Whether every value of `a` is one of `b`, and a conversion that nobody wrote is welcome."""
    if a == b:
        return True
    if a.is_float and b.is_float:
        return a.width < b.width
    if not (a.is_integer and b.is_integer):
        return False
    return a.width < b.width and (a.kind == b.kind or b.kind == "int")
