"""How an imported model's inputs and outputs are described to the levels below and to the user."""

from __future__ import annotations

from xdsl.dialects.builtin import DYNAMIC_INDEX, TensorType, UnrankedTensorType
from xdsl.ir import Attribute

from ..dialects.hal import Port
from ..dialects.onnx.dims import Shape
from ..dialects.onnx.types import BY_IR, ElementType, MapType, OptionalType, SequenceType
from ..errors import UnsupportedError
from ..passes.onnx_to_linalg import main_function
from .importer import ImportedModel, ValueInfo


def ports_of(imported: ImportedModel) -> tuple[list[Port], list[Port]]:
    """The program's inputs and outputs. An output's dimensions are the inferred ones; a derived size shows as its expression."""
    inputs = [_port(info, info.dims) for info in imported.inputs]
    returned = main_function(imported.module).body.block.last_op
    assert returned is not None
    shapes = (imported.shapes.get(value) or () for value in returned.operands)
    outputs = [_port(info, _known(info, shape)) for info, shape in zip(imported.outputs, shapes, strict=True)]
    return inputs, outputs


def _known(info: ValueInfo, shape: Shape) -> tuple[int | str, ...]:
    """The dimensions of an output; a size may have become known since the model was imported."""
    return tuple(d if isinstance(d, int) else name for d, name in zip(shape, info.dims or (), strict=True))


def _port(info: ValueInfo, dims: tuple[int | str, ...] | None) -> Port:
    if isinstance(info.type, ElementType):
        return Port(info.name, info.type.number, dims or ())
    return port_of_type(info.name, info.type)


def port_of_type(name: str, value: Attribute) -> Port:
    """The port of what is no tensor, or of an item in it. Raises UnsupportedError (ITG3006) for a type that no value can have."""
    match value:
        case TensorType():
            dims = tuple("" if d == DYNAMIC_INDEX else d for d in value.get_shape())
            return Port(name, BY_IR[value.element_type].number, dims)
        case UnrankedTensorType():
            return Port(name, BY_IR[value.element_type].number, None)
        case SequenceType():
            return Port(name, 0, (), "sequence", (port_of_type("item", value.element),))
        case OptionalType():
            return Port(name, 0, (), "optional", (port_of_type("item", value.element),))
        case MapType(key=key, value=held):
            element = held.element_type if isinstance(held, TensorType | UnrankedTensorType) else held
            if key in BY_IR and element in BY_IR:
                keys, values = (Port(n, BY_IR[e].number, ("",)) for n, e in (("keys", key), ("values", element)))
                return Port(name, 0, (), "map", (keys, values))
    raise UnsupportedError("ITG3006", f'"{name}" is a {value}: only tensors, and sequences, optionals and maps of them, are values')
