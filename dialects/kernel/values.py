"""What an expression of a kernel can stand for while it is compiled; expressions, statements and words pass these around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from xdsl.ir import SSAValue

from .parse import Inline
from .types import ScalarType


@dataclass(frozen=True)
class Const:
    """A Python constant known while compiling: bool, int, float, str, None or a tuple of them; takes the type that is asked for."""

    value: Any

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, eq=False)
class Value:
    """A scalar computed at run time."""

    ssa: SSAValue
    type: ScalarType

    def __str__(self) -> str:
        return f"a value of type {self.type.name}"


@dataclass(frozen=True, eq=False)
class Cell:
    """A variable that changes: a memref of no dimensions, which LLVM turns into registers."""

    memref: SSAValue
    type: ScalarType


@dataclass(frozen=True, eq=False)
class ArrayRef:
    """An array: `memref` has its dimensions, `linear` one; dims are Value or Const, one a dimension."""

    name: str
    memref: SSAValue
    linear: SSAValue
    element: ScalarType
    dims: tuple[Scalar, ...]
    written: bool

    def __str__(self) -> str:
        return f"array {self.name}"


@dataclass(frozen=True)
class FlatRef:
    """`x.flat`: the array in row-major order."""

    array: ArrayRef


@dataclass(frozen=True)
class Dims:
    """`x.shape` or `x.strides`: integers, one a dimension."""

    array: ArrayRef
    what: str
    dims: tuple[Scalar, ...]


@dataclass(frozen=True)
class TypeRef:
    """A scalar type as such."""

    type: ScalarType

    def __str__(self) -> str:
        return f"type {self.type.name}"


@dataclass(frozen=True)
class WordRef:
    """A word of the language, by name."""

    name: str


@dataclass(frozen=True)
class InlineRef:
    inline: Inline


@dataclass(frozen=True)
class ModuleRef:
    """A Python module, of which a kernel uses members."""

    module: Any


@dataclass(frozen=True)
class Group:
    """A tuple of things that are not all constant."""

    items: tuple[Thing, ...]


Scalar: TypeAlias = Value | Const
Thing: TypeAlias = Value | Const | ArrayRef | FlatRef | Dims | TypeRef | WordRef | InlineRef | ModuleRef | Group
