"""How the loop level's types and constants are spelt in LLVM IR text; every emission handler asks here.

index is i64; integers keep their width and lose their sign; f16 is half, bf16 an i16; a vector has one dimension.
In memory an i1 takes one byte (0 or 1), alone or in a vector.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    BFloat16Type,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    Float16Type,
    Float32Type,
    Float64Type,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    NoneAttr,
    StridedLayoutAttr,
    VectorType,
    i16,
)
from xdsl.ir import Attribute

from ...errors import IntaglioError

INTEGER_WIDTHS = frozenset({1, 8, 16, 32, 64, 128})
FLOATS: dict[type[Attribute], str] = {Float16Type: "half", BFloat16Type: "bfloat", Float32Type: "float", Float64Type: "double"}
"""What float types are called here. A bfloat is carried by an i16: where one crosses basic blocks LLVM would call compiler-rt."""
FLOAT_BYTES = {"half": 2, "bfloat": 2, "float": 4, "double": 8}

Number = int | str
"""An i64 known while emitting (int) or the text of an LLVM value that holds it."""


class EmissionError(IntaglioError):
    """Something at the loop level has no LLVM form here (ITG4001). Raised before LLVM sees any of it."""

    def __init__(self, message: str, *, subject: str = "", node: str | None = None, hint: str = "") -> None:
        super().__init__("ITG4001", message, subject=subject, node=node, hint=hint)


def value_type(t: Attribute) -> str:
    """The LLVM type of an SSA value of type `t`."""
    return arithmetic_type(t).replace("bfloat", "i16")


def arithmetic_type(t: Attribute) -> str:
    """The LLVM type that a value of type `t` stands for: `value_type`, but bfloat for what an i16 carries."""
    if isinstance(t, IndexType):
        return "i64"
    if isinstance(t, IntegerType):
        if t.width.data not in INTEGER_WIDTHS:
            raise EmissionError(f"integers of {t.width.data} bits do not reach the loop level ({t})", hint="Unpack them into bytes first.")
        return f"i{t.width.data}"
    if isinstance(t, VectorType):
        return f"<{lanes(t)} x {arithmetic_type(t.element_type)}>"
    if (text := FLOATS.get(type(t))) is not None:
        return text
    raise EmissionError(f"type {t} has no LLVM value type")


def memory_type(t: Attribute) -> str:
    """The LLVM type that a value of type `t` has in memory: its value type, but a byte for each i1."""
    return value_type(t).replace(" i1>", " i8>") if isinstance(t, VectorType) else storage(value_type(t))


def storage(text: str) -> str:
    return "i8" if text == "i1" else text


def lanes(t: VectorType) -> int:
    """How many elements a vector type has; an error unless it is one fixed dimension of at least one."""
    shape = t.get_shape()
    if len(shape) != 1 or shape[0] < 1 or t.get_num_scalable_dims():
        raise EmissionError(f"{t} is not a vector of one fixed dimension", hint="Unroll the outer dimensions before emission.")
    return shape[0]


def element_bytes(t: Attribute) -> int:
    """Bytes that one element of type `t` takes in a memref; also its natural alignment."""
    text = value_type(t)
    if text in FLOAT_BYTES:
        return FLOAT_BYTES[text]
    if text[0] != "i":
        raise EmissionError(
            f"memref elements of type {t} are not supported", hint="Load and store vectors with vector.load and vector.store."
        )
    return max(1, int(text[1:]) // 8)


def static_values(attribute: Attribute) -> tuple[int, ...]:
    """The integers of an op's static offsets, sizes, positions or mask."""
    assert isinstance(attribute, DenseArrayBase)
    return tuple(int(value) for value in attribute.get_values())  # pyright: ignore[reportAttributeAccessIssue]


def is_float(t: Attribute) -> bool:
    return type(t.element_type if isinstance(t, VectorType) else t) in FLOATS


def constant(attribute: Attribute) -> str:
    """The text of an `arith.constant`'s value, without its type."""
    if isinstance(attribute, IntegerAttr):
        return integer_constant(attribute.value.data, attribute.type)
    if isinstance(attribute, FloatAttr):
        return float_constant(attribute.value.data, attribute.type)
    if isinstance(attribute, DenseIntOrFPElementsAttr) and isinstance(t := attribute.type, VectorType):
        return _vector_constant(attribute, t)
    raise EmissionError(f"constant {attribute} has no LLVM form", subject="arith.constant")


def integer_constant(value: int, t: Attribute) -> str:
    width = t.width.data if isinstance(t, IntegerType) else 64
    value &= (1 << width) - 1
    if width == 1:
        return "true" if value else "false"
    return str(value - (1 << width) if value >> (width - 1) else value)


def float_constant(value: float, t: Attribute) -> str:
    """Exact text: LLVM reads a float through its double, half through its bits, and a bfloat is an integer to it."""
    if isinstance(t, Float32Type | Float64Type):
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if isinstance(t, Float16Type):
        return f"0xH{struct.unpack('<H', struct.pack('<e', value))[0]:04X}"
    if isinstance(t, BFloat16Type):
        return integer_constant(_bfloat_bits(value), i16)
    raise EmissionError(f"constants of type {t} have no LLVM form", subject="arith.constant")


def _bfloat_bits(value: float) -> int:
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    if value != value:
        return bits >> 16 | 0x40
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def _vector_constant(attribute: DenseIntOrFPElementsAttr, t: VectorType) -> str:
    element = t.element_type
    spell = float_constant if is_float(element) else integer_constant
    texts = [spell(v, element) for v in attribute.get_values()]  # pyright: ignore[reportArgumentType]
    lanes(t)
    return vector_constant(texts, value_type(element))


def vector_constant(texts: Sequence[str], element: str) -> str:
    """A constant vector of the given element texts, as a splat where all agree."""
    if all(text == texts[0] for text in texts):
        return f"splat ({element} {texts[0]})"
    return f"<{', '.join(f'{element} {text}' for text in texts)}>"


@dataclass(frozen=True, slots=True)
class MemRef:
    """What the emitter knows of a memref: it never becomes an LLVM struct.

    pointer: LLVM text of the address of element (0, .., 0), any offset added already; element: the element's type, of which
    storage is the LLVM type in memory and bytes the size and natural alignment; sizes and strides: one a dimension, strides in
    elements; None where a kernel argument's type leaves a size open.
    """

    pointer: str
    element: Attribute
    storage: str
    bytes: int
    sizes: tuple[Number | None, ...]
    strides: tuple[Number, ...]

    @classmethod
    def of(cls, pointer: str, element: Attribute, sizes: Iterable[Number | None], strides: Iterable[Number]) -> MemRef:
        return cls(pointer, element, memory_type(element), element_bytes(element), tuple(sizes), tuple(strides))

    def view(self, pointer: str, sizes: Iterable[Number | None], strides: Iterable[Number]) -> MemRef:
        """The same elements seen another way."""
        return MemRef(pointer, self.element, self.storage, self.bytes, tuple(sizes), tuple(strides))

    @property
    def contiguous(self) -> bool:
        """Row-major without gaps, as far as is known while emitting."""
        expected: Number | None = 1
        for size, stride in zip(reversed(self.sizes), reversed(self.strides), strict=True):
            if stride != expected and size != 1:
                return False
            expected = stride * size if isinstance(stride, int) and isinstance(size, int) else None
        return True


def argument_memref(pointer: str, t: MemRefType) -> MemRef:
    """The memref of a function argument or an allocation, known by its type alone: identity layout or static strides."""
    sizes = tuple(None if size == DYNAMIC_INDEX else size for size in t.get_shape())
    if isinstance(t.layout, StridedLayoutAttr):
        return MemRef.of(pointer, t.element_type, sizes, _static_strides(t, t.layout))
    if not isinstance(t.layout, NoneAttr):
        raise EmissionError(f"memref layout {t.layout} is not supported", hint="Only identity and strided layouts are.")
    strides: list[Number] = []
    stride: int | None = 1
    for size in reversed(sizes):
        if stride is None:
            raise EmissionError(
                f"{t}: only the outermost dimension of a memref argument may be dynamic",
                hint="Pass memref<?xT> and memref.reinterpret_cast it.",
            )
        strides.append(stride)
        stride = None if size is None else stride * size
    return MemRef.of(pointer, t.element_type, sizes, reversed(strides))


def _static_strides(t: MemRefType, layout: StridedLayoutAttr) -> tuple[int, ...]:
    strides = layout.get_strides()
    if any(stride is None for stride in strides) or layout.get_offset() != 0:
        raise EmissionError(
            f"{t}: a memref argument has static strides and offset 0", hint="Pass memref<?xT> and memref.reinterpret_cast it."
        )
    return tuple(stride for stride in strides if stride is not None)
