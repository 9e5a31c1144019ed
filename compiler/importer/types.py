"""TypeProto to IR types, and the inputs and outputs of a model as callers see them; the importer's other modules use it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import DYNAMIC_INDEX, TensorType, UnrankedTensorType
from xdsl.ir import Attribute

from ...dialects.onnx.types import BY_IR, BY_NUMBER, ElementType, MapType, OptionalType, SequenceType
from ...proto.onnx_pb2 import TensorShapeProto, TypeProto
from .problems import ImportProblem

_MAX_RANK = 64
_MAX_NESTED_TYPES = 8
_NAMELESS = frozenset(("?", "*", "-1", "None"))
"""What some exporters write where they know no name: two dimensions of it have nothing to do with each other."""


@dataclass(frozen=True)
class ValueInfo:
    """One input or output of a model.

    type: the element type of a tensor, else the IR type of the sequence, optional or map; dims: sizes and names of a
    tensor's dimensions ("" for one that has neither), None for what is not a tensor.
    """

    name: str
    type: ElementType | Attribute
    dims: tuple[int | str, ...] | None


def ir_type(proto: TypeProto, depth: int = 0) -> Attribute:
    """The IR type of a declared type; unknown dimensions are dynamic. Raises ImportProblem (ITG1008)."""
    if depth > _MAX_NESTED_TYPES:
        raise ImportProblem("ITG1008", f"types are nested more than {_MAX_NESTED_TYPES} deep")
    kind = proto.WhichOneof("value")
    if kind == "tensor_type":
        element = element_ir(proto.tensor_type.elem_type)
        if not proto.tensor_type.HasField("shape"):
            return UnrankedTensorType(element)
        dims = declared_dims(proto.tensor_type.shape)
        return TensorType(element, [d if isinstance(d, int) else DYNAMIC_INDEX for d in dims])
    if kind == "sequence_type":
        return SequenceType(ir_type(proto.sequence_type.elem_type, depth + 1))
    if kind == "optional_type":
        return OptionalType(ir_type(proto.optional_type.elem_type, depth + 1))
    if kind == "map_type":
        return MapType(element_ir(proto.map_type.key_type), ir_type(proto.map_type.value_type, depth + 1))
    shown = (kind or "missing").removesuffix("_type")
    raise ImportProblem("ITG1008", f"its type is {shown}", hint="tensors, sequences, optionals and maps can be compiled")


def element_ir(number: int) -> Attribute:
    return element_type(number).ir


def element_type(number: int) -> ElementType:
    if number not in BY_NUMBER:
        raise ImportProblem("ITG1008", f"its element type is number {number}, which ONNX does not define")
    return BY_NUMBER[number]


def declared_dims(shape: TensorShapeProto) -> tuple[int | str, ...]:
    """Sizes, names, and "" for what is unknown. -1 counts as unknown: some exporters write it."""
    if len(shape.dim) > _MAX_RANK:
        raise ImportProblem("ITG1008", f"it has {len(shape.dim)} dimensions, more than the {_MAX_RANK} there can be")
    found: list[int | str] = []
    for axis, dim in enumerate(shape.dim):
        if dim.WhichOneof("value") != "dim_value":
            found.append("" if dim.dim_param in _NAMELESS else dim.dim_param)
        elif dim.dim_value < -1:
            raise ImportProblem("ITG1008", f"dimension {axis} is {dim.dim_value}", hint="sizes are 0 or more")
        else:
            found.append(dim.dim_value if dim.dim_value >= 0 else "")
    return tuple(found)


def describe(value_type: Attribute) -> str:
    """A value's type as the specification writes it: tensor(float), seq(tensor(int64))."""
    if isinstance(value_type, TensorType | UnrankedTensorType):
        element = value_type.element_type
        return f"tensor({BY_IR[element].name if element in BY_IR else element})"
    if isinstance(value_type, SequenceType):
        return f"seq({describe(value_type.element)})"
    if isinstance(value_type, OptionalType):
        return f"optional({describe(value_type.element)})"
    if isinstance(value_type, MapType):
        key = value_type.key
        return f"map({BY_IR[key].name if key in BY_IR else key}, {describe(value_type.value)})"
    return str(value_type)


class Symbols:
    """Gives declared dimension names symbols of the shape analysis: the same name the same symbol, different names different ones.

    overrides: sizes that the user fixed by name.
    """

    def __init__(self, overrides: Mapping[str, int]) -> None:
        self.overrides = overrides
        self.unused = set(overrides)
        self._symbols: dict[str, str] = {}
        self._uses: dict[str, int] = {}

    def resolve(self, dims: Sequence[int | str], value: str) -> tuple[int | str, ...]:
        """Sizes and symbols of an input's dimensions; `value` names those that have no name of their own."""
        return tuple(d if isinstance(d, int) else self._resolve(d, f"{value}_d{axis}") for axis, d in enumerate(dims))

    def _resolve(self, name: str, otherwise: str) -> int | str:
        key = name or otherwise
        if key in self.overrides:
            self.unused.discard(key)
            return self.overrides[key]
        if not name:
            return self._fresh(otherwise)
        if name not in self._symbols:
            self._symbols[name] = self._fresh(name)
        return self._symbols[name]

    def _fresh(self, name: str) -> str:
        """A symbol that is spelled like the name but like no expression, and that no other name has."""
        spelled = re.sub(r"\W", "_", name)
        spelled = spelled if spelled[:1].isalpha() or spelled[:1] == "_" else f"d{spelled}"
        while True:
            count = self._uses.get(spelled, 0) + 1
            self._uses[spelled] = count
            if count == 1:
                return spelled
            spelled = f"{spelled}_{count}"


def checked_overrides(dims: Mapping[str, int] | None) -> dict[str, int]:
    for name, size in (dims or {}).items():
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 1 << 62:
            raise ImportProblem("ITG1012", f"dimension {name} cannot be {size!r}", hint="give a size of 0 or more")
    return dict(dims or {})
