"""From the onnx dialect back to an ONNX model, for `--emit onnx`, for comparing levels on numbers, and for tests of the importer.

Operators go out at the newest version of each domain, which is the only one the dialect speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    UnrankedTensorType,
    f32,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ..dialects.custom import KernelOp
from ..dialects.onnx.base import OnnxOp, WeightAttr
from ..dialects.onnx.control import YieldOp
from ..dialects.onnx.registry import DOMAINS
from ..dialects.onnx.training import GradientOp
from ..dialects.onnx.types import BY_IR, MapType, OptionalType, SequenceType
from ..errors import IntaglioError
from ..proto.onnx_pb2 import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto, Version
from ..proto.tensors import from_array
from .importer.attributes import SEGMENTS, signature
from .importer.opset import NEWEST


class ExportError(IntaglioError):
    """A module holds something that ONNX has no form for (ITG13xx)."""


def export_model(module: ModuleOp, weights: Mapping[str, np.ndarray], defaults: Mapping[str, np.ndarray] | None = None) -> ModelProto:
    """The model that the module's one function, of operators of the onnx dialects alone, describes.

    weights: arrays by the id that onnx.weight attributes name; they are copied into the model. Names of values are their
    hints where these are free; those of inputs and outputs come from the function's onnx.name attributes.
    defaults: values of inputs that a caller may leave out, by input name.
    Raises ExportError (ITG1301: an operation of another dialect; ITG1302: a weight that is not there; ITG1303: not one function).
    """
    functions = list(module.ops)
    if len(functions) != 1 or not isinstance(functions[0], func.FuncOp):
        raise ExportError("ITG1303", f"the module holds {len(functions)} operations, expected one func.func")
    model = ModelProto(ir_version=Version.IR_VERSION, producer_name="intaglio")
    names = _Names(weights)
    names.main(functions[0], model.graph)
    model.graph.initializer.extend(from_array(array, name) for name, array in (defaults or {}).items())
    for domain in sorted(names.domains | {""}):
        model.opset_import.add(domain=domain, version=NEWEST.get(domain, 1))
    return model


class _Names:
    """One run: the names given so far, over all graphs, since a subgraph must not hide what it captures."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.domains: set[str] = set()
        self._names: dict[SSAValue, str] = {}
        self._taken: dict[str, int] = {}
        self._nodes: dict[str, int] = {}

    def main(self, main: func.FuncOp, graph: GraphProto) -> None:
        graph.name = main.sym_name.data
        block = main.body.block
        last = block.last_op
        results = last.operands if last is not None else ()
        inputs, outputs = (_names_of(attrs) for attrs in (main.arg_attrs, main.res_attrs))
        dims = _dims_of(main.arg_attrs)
        self._taken.update(dict.fromkeys([n for n in (*inputs, *outputs) if n], 1))
        for index, argument in enumerate(block.args):
            name = inputs[index] if index < len(inputs) and inputs[index] else self.name(argument)
            self._names[argument] = name
            graph.input.append(_value_info(name, argument.type, dims[index] if index < len(dims) else None))
        # A value that is an output keeps the output's name; one that is two outputs, or an input, reaches the others by a copy.
        copies: list[tuple[SSAValue, str]] = []
        for index, value in enumerate(results):
            name = outputs[index] if index < len(outputs) and outputs[index] else self._fresh("output")
            if value in self._names:
                copies.append((value, name))
            else:
                self._names[value] = name
            graph.output.append(_value_info(name, value.type, None))
        self.nodes(block, graph)
        for value, name in copies:
            graph.node.add(op_type="Identity", input=[self.name(value)], output=[name])

    def nodes(self, block: Block, graph: GraphProto) -> None:
        for op in block.ops:
            if not op.next_op and isinstance(op, (YieldOp, func.ReturnOp)):
                continue
            if not isinstance(op, OnnxOp):
                raise ExportError("ITG1301", "it is no operator of ONNX", subject=op.name, hint="export the onnx level, before lowering")
            graph.node.append(self._node(op))

    def _node(self, op: OnnxOp) -> NodeProto:
        sig = signature(type(op))
        domain = op.DOMAIN if isinstance(op, KernelOp) else DOMAINS[op.name.split(".", 1)[0]]
        self.domains.add(domain)
        node = NodeProto(op_type=op.op_type, domain=domain, name=self._node_name(op))
        node.input.extend(self._listed(op, sig.operands))
        node.output.extend(self._listed(op, sig.results))
        for name, value in op.properties.items():
            if name not in SEGMENTS:
                node.attribute.append(self._attribute(op, name, value, sig.attributes[name]))
        if isinstance(op, GradientOp):
            self._rename(op, node)
        for name in sig.regions:
            region = getattr(op, name)
            if region is not None:
                node.attribute.append(AttributeProto(name=name, type=AttributeProto.GRAPH, g=self._subgraph(region.block, name)))
        return node

    def _rename(self, op: GradientOp, node: NodeProto) -> None:
        """Names tensors by the names that they have here."""
        names, xs = [self.name(value) for value in op.named], len(op.attr("xs"))
        spelt = {"xs": names[:xs], "zs": names[xs:-1], "y": names[-1:]}
        for attribute in node.attribute:
            found = [name.encode() for name in spelt[attribute.name]]
            if attribute.name == "y":
                attribute.s = found[0]
            else:
                attribute.strings[:] = found

    def _node_name(self, op: OnnxOp) -> str:
        """The location's name; several operators that stand for one old node are numbered, as some runtimes demand."""
        name = op.node or ""
        count = self._nodes[name] = self._nodes.get(name, 0) + 1
        return name if count == 1 or not name else f"{name}#{count}"

    def _listed(self, op: Operation, defs: Sequence[tuple[str, Any, bool, bool]]) -> list[str]:
        """Names of operands or results as declared, "" for absent ones, none of those at the end."""
        names: list[str] = []
        for field, *_ in defs:
            value = getattr(op, field)
            names += [""] if value is None else [self.name(value)] if isinstance(value, SSAValue) else map(self.name, value)
        while names and not names[-1]:
            names.pop()
        return names

    def _subgraph(self, block: Block, name: str) -> GraphProto:
        graph = GraphProto(name=name)
        for argument in block.args:
            graph.input.append(_value_info(self.name(argument), argument.type, None))
        self.nodes(block, graph)
        last = block.last_op
        for value in last.operands if last is not None else ():
            copy = self._fresh(f"{self.name(value)}_out")
            graph.node.add(op_type="Identity", input=[self.name(value)], output=[copy])
            graph.output.append(_value_info(copy, value.type, None))
        return graph

    def _attribute(self, op: OnnxOp, name: str, value: Attribute, kind: str) -> AttributeProto:
        proto = AttributeProto(name=name, type=cast(Any, AttributeProto.AttributeType.Value(kind)))
        if isinstance(value, FloatAttr):
            proto.f = value.value.data
        elif isinstance(value, IntegerAttr):
            proto.i = value.value.data
        elif isinstance(value, StringAttr):
            proto.s = value.data.encode()
        elif isinstance(value, DenseArrayBase):
            (proto.floats if value.elt_type == f32 else proto.ints).extend(cast(Any, value.get_values()))
        elif isinstance(value, ArrayAttr) and kind == "STRINGS":
            proto.strings.extend(cast(StringAttr, s).data.encode() for s in value.data)
        elif isinstance(value, ArrayAttr):
            proto.tensors.extend(self._tensor(op, t) for t in value.data)
        elif kind == "TENSOR":
            proto.t.CopyFrom(self._tensor(op, value))
        else:
            proto.tp.CopyFrom(type_proto(value))
        return proto

    def _tensor(self, op: OnnxOp, value: Attribute) -> TensorProto:
        if isinstance(value, WeightAttr):
            if value.id.data not in self.weights:
                raise ExportError("ITG1302", f'there is no weight "{value.id.data}"', subject=op.op_type, node=op.node)
            return from_array(self.weights[value.id.data])
        dense = cast(DenseIntOrFPElementsAttr, value)
        dtype = BY_IR[dense.get_element_type()].numpy
        return from_array(np.array(list(dense.get_values()), dtype).reshape(dense.get_shape()))

    def name(self, value: SSAValue) -> str:
        if value not in self._names:
            self._names[value] = self._fresh(value.name_hint or "v")
        return self._names[value]

    def _fresh(self, like: str) -> str:
        while True:
            count = self._taken.get(like, 0) + 1
            self._taken[like] = count
            if count == 1:
                return like
            like = f"{like}_{count}"


def _names_of(attributes: ArrayAttr[DictionaryAttr] | None) -> list[str]:
    found = (entry.data.get("onnx.name") for entry in attributes or ())
    return [name.data if isinstance(name, StringAttr) else "" for name in found]


def _dims_of(attributes: ArrayAttr[DictionaryAttr] | None) -> list[Iterable[Attribute] | None]:
    found = (entry.data.get("onnx.dims") for entry in attributes or ())
    return [dims.data if isinstance(dims, ArrayAttr) else None for dims in found]


def _value_info(name: str, value_type: Attribute, dims: Iterable[Attribute] | None) -> ValueInfoProto:
    info = ValueInfoProto(name=name, type=type_proto(value_type))
    for dim, declared in zip(info.type.tensor_type.shape.dim, dims or (), strict=False):
        if isinstance(declared, StringAttr) and declared.data:
            dim.dim_param = declared.data
    return info


def type_proto(value_type: Attribute) -> TypeProto:
    """The TypeProto of a tensor, sequence, optional or map type; dynamic dimensions have neither size nor name."""
    proto = TypeProto()
    if isinstance(value_type, TensorType | UnrankedTensorType):
        proto.tensor_type.elem_type = BY_IR[value_type.element_type].number
        if isinstance(value_type, TensorType):
            proto.tensor_type.shape.SetInParent()
            for size in value_type.get_shape():
                dim = proto.tensor_type.shape.dim.add()
                if size != DYNAMIC_INDEX:
                    dim.dim_value = size
    elif isinstance(value_type, SequenceType):
        proto.sequence_type.elem_type.CopyFrom(type_proto(value_type.element))
    elif isinstance(value_type, OptionalType):
        proto.optional_type.elem_type.CopyFrom(type_proto(value_type.element))
    elif isinstance(value_type, MapType):
        proto.map_type.key_type = BY_IR[value_type.key].number
        proto.map_type.value_type.CopyFrom(type_proto(value_type.value))
    else:
        raise ExportError("ITG1301", f"{value_type} is no type of ONNX")
    return proto
