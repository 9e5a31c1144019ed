"""Fixtures of the operator tests: infer one node here, and infer the same node with the onnx package."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from intaglio.dialects.onnx.base import DYNAMIC, OnnxOp
from intaglio.dialects.onnx.shapes import Shapes
from intaglio.dialects.onnx.types import BY_IR, BY_NAME, BY_NUMPY
from onnx import helper
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, FloatAttr, IntegerAttr, StringAttr, TensorType, f32, i64
from xdsl.dialects.test import TestOp
from xdsl.ir import Attribute, SSAValue

OPSET = 28

Operand = "tuple[str, tuple[int | str, ...]] | np.ndarray | None"
"""("float", (2, "N")), a constant, or an optional operand left out. A list stands for a variadic operand."""


@dataclass(frozen=True)
class Inferred:
    """What inference found: (element type, shape) per present result, None for what is not a tensor."""

    op: OnnxOp
    shapes: Shapes
    results: tuple[tuple[str, tuple[Any, ...]], ...]


def _attribute(value: Any) -> Attribute:
    if isinstance(value, int):
        return IntegerAttr(value, i64)
    if isinstance(value, float):
        return FloatAttr(value, f32)
    if isinstance(value, str):
        return StringAttr(value)
    if isinstance(value[0], str):
        return ArrayAttr([StringAttr(v) for v in value])
    return DenseArrayBase.from_list(i64 if isinstance(value[0], int) else f32, list(value))


def _value(shapes: Shapes, operand: Any, index: int) -> SSAValue:
    if isinstance(operand, np.ndarray):
        element, dims = BY_NUMPY[operand.dtype], operand.shape
    else:
        element, dims = BY_NAME[operand[0]], operand[1]
    value = TestOp(result_types=[TensorType(element.ir, [d if isinstance(d, int) else DYNAMIC for d in dims])]).results[0]
    value.name_hint = f"i{index}"
    shapes.declare_argument(value, dims)
    if isinstance(operand, np.ndarray):
        shapes.set_constant(value, operand)
    return value


def _infer(cls: type[OnnxOp], operands: Sequence[Any], results: int | None = None, **attributes: Any) -> Inferred:
    shapes = Shapes()
    built: list[Any] = []
    for i, (_, _, optional, variadic) in enumerate(cls.operand_defs()):
        given = operands[i:] if variadic else (operands[i] if i < len(operands) else None)
        if variadic:
            built.append([_value(shapes, o, i + j) for j, o in enumerate(given)])
        elif given is None:
            built.append([])
        else:
            built.append([_value(shapes, given, i)] if optional else _value(shapes, given, i))
    types: list[Any] = []
    for i, (_, constraint, optional, _) in enumerate(cls.result_defs()):
        present = i < (len(cls.result_defs()) if results is None else results)
        unknown = TensorType(next(iter(constraint.elements)), [])
        types.append(([unknown] if present else []) if optional else unknown)
    op = cls.build(operands=built, result_types=types, properties={k: _attribute(v) for k, v in attributes.items()})
    shapes.infer_op(op)
    op.verify()
    return Inferred(op, shapes, tuple((BY_IR[r.type.element_type].name, shapes.of(r)) for r in op.results))  # pyright: ignore


def _onnx_infer(op_type: str, operands: Sequence[Any], results: int, **attributes: Any) -> tuple[Any, ...]:
    names = ["" if o is None else f"i{i}" for i, o in enumerate(operands)]
    node = helper.make_node(op_type, names, [f"o{i}" for i in range(results)], **attributes)
    inputs = [helper.make_tensor_value_info(f"i{i}", BY_NAME[o[0]].number, o[1]) for i, o in enumerate(operands) if isinstance(o, tuple)]
    constants = [onnx.numpy_helper.from_array(o, f"i{i}") for i, o in enumerate(operands) if isinstance(o, np.ndarray)]
    outputs = [onnx.ValueInfoProto(name=f"o{i}") for i in range(results)]
    graph = helper.make_graph([node], "g", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    found = [o.type.tensor_type for o in inferred.graph.output]
    numbers = {e.number: e.name for e in BY_NAME.values()}
    return tuple((numbers[t.elem_type], tuple(d.dim_value for d in t.shape.dim)) for t in found)


@pytest.fixture
def infer() -> Callable[..., Inferred]:
    """infer(OpClass, operands, results=None, **attributes): infers and verifies one node; all results present if None."""
    return _infer


@pytest.fixture
def agrees(infer: Callable[..., Inferred]) -> Callable[..., Inferred]:
    """Infers a node of static shapes here and with the onnx package, asserts that they agree, and returns ours."""

    def check(cls: type[OnnxOp], operands: Sequence[Any], results: int | None = None, **attributes: Any) -> Inferred:
        ours = infer(cls, operands, results, **attributes)
        theirs = _onnx_infer(cls.name.split(".")[1], operands, len(ours.results), **attributes)
        assert ours.results == theirs
        return ours

    return check
