"""How an imported model's inputs and outputs are described to the levels below and to the user."""

from __future__ import annotations

from ..dialects.hal import Port
from ..dialects.onnx.dims import SymDim
from ..dialects.onnx.types import ElementType
from ..errors import UnsupportedError
from ..passes.onnx_to_linalg import main_function
from .importer import ImportedModel, ValueInfo


def ports_of(imported: ImportedModel) -> tuple[list[Port], list[Port]]:
    """The program's inputs and outputs. An output's dimensions are the inferred ones; a derived size shows as its expression."""
    inputs = [_port(info) for info in imported.inputs]
    returned = main_function(imported.module).body.block.last_op
    assert returned is not None
    outputs = [
        Port(info.name, _element(info).number, tuple(str(d) if isinstance(d, SymDim) else d for d in imported.shapes.of(value)))
        for info, value in zip(imported.outputs, returned.operands, strict=True)
    ]
    return inputs, outputs


def _port(info: ValueInfo) -> Port:
    return Port(info.name, _element(info).number, info.dims or ())


def _element(info: ValueInfo) -> ElementType:
    if not isinstance(info.type, ElementType):
        raise UnsupportedError("ITG3006", f'"{info.name}" is not a tensor: sequences, optionals and maps cannot cross the boundary yet')
    return info.type
