"""A model's graphs as plain Python: nodes with their attributes decoded, subgraphs and the names they capture; `build` walks it.

Reading never follows a name and never looks at shapes. Faults of one node are recorded and the node is left out; its outputs
are then in `Graph.broken`, so that what depends on it is not reported again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np

from ...errors import IntaglioError
from ...proto.onnx_pb2 import (
    AttributeProto,
    GraphProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    TypeProto,
    ValueInfoProto,
)
from ...proto.tensors import sparse_to_dense, to_array
from .problems import ImportProblem

MAX_NESTING = 10
"""Subgraphs in subgraphs; each level multiplies the rounds of shape inference."""


CURRENT = 1 << 30
"""The version of nodes that already have their newest meaning."""


class Fresh:
    """A value name that no model can spell, for what adapters add."""

    __slots__ = ("hint",)

    def __init__(self, hint: str) -> None:
        self.hint = hint

    def __str__(self) -> str:
        return self.hint


Name: TypeAlias = "str | Fresh"


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute of a function's node whose value is the call's attribute `name`."""

    name: str
    type: int


_T = TypeVar("_T")
_D = TypeVar("_D")
_SPOKEN: dict[type, str] = {int: "an integer", float: "a float", str: "a string", tuple: "a list"}


@dataclass(slots=True)
class Node:
    """One node. Attribute values are int, float, str, tuples of those, arrays, `Graph`, TypeProto or tuples of arrays.

    version: the version of its operator set; inputs and outputs: "" for absent ones.
    """

    op_type: str
    domain: str
    inputs: list[Name]
    outputs: list[Name]
    attributes: dict[str, Any]
    version: int
    name: str = ""
    overload: str = ""

    @property
    def label(self) -> str:
        """The name messages use; unnamed nodes go by their first output."""
        if self.name:
            return self.name
        first = next((str(o) for o in self.outputs if o), "")
        return f"{self.op_type}_{first}"

    def problem(self, code: str, message: str, hint: str = "") -> ImportProblem:
        """An error about this node; the caller raises it."""
        return ImportProblem(code, message, subject=self.op_type, node=self.label, hint=hint)

    @property
    def first(self) -> Name:
        """The first input. Raises ImportProblem (ITG1006) where there is none."""
        if not self.inputs or not self.inputs[0]:
            raise self.problem("ITG1006", "its first input is missing")
        return self.inputs[0]

    def take(self, name: str, kind: type[_T], default: _D) -> _T | _D:
        """Removes an attribute and returns it, `default` if it is not given. Raises ImportProblem (ITG1102) for another type."""
        if name not in self.attributes:
            return default
        value = self.attributes.pop(name)
        if not isinstance(value, kind):
            raise self.problem("ITG1102", f"attribute {name} must be {_SPOKEN[kind]}, but is {str(value)[:60]}")
        return value

    def become(self, op_type: str, inputs: Sequence[Name], **attributes: Any) -> None:
        """Turns this node into an operator of the newest version, with the same outputs."""
        self.op_type, self.inputs, self.attributes = op_type, list(inputs), attributes
        self.version = CURRENT

    def names_in_attributes(self) -> Iterable[Name]:
        """Values that attributes name, which only Gradient has: xs, zs, and last y."""
        if (self.domain, self.op_type) == ("ai.onnx.preview.training", "Gradient"):
            for attribute in ("xs", "zs", "y"):
                given = self.attributes.get(attribute, ())
                yield from (name for name in (given if isinstance(given, tuple) else (given,)) if isinstance(name, str))

    def names_used(self) -> Iterable[Name]:
        """Every value that must exist before this node: its inputs, what its subgraphs capture and what attributes name."""
        yield from (name for name in self.inputs if name)
        yield from self.names_in_attributes()
        for value in self.attributes.values():
            if isinstance(value, Graph):
                yield from value.captured


@dataclass(slots=True)
class Port:
    """An input or output of a subgraph that an adapter adds, where the file has a ValueInfoProto; its type is open."""

    name: Name
    type: TypeProto = field(default_factory=TypeProto)


@dataclass(slots=True)
class Graph:
    """A graph or subgraph as it stands in the file, its nodes in the file's order; `values` says something of those between."""

    name: str
    nodes: list[Node]
    inputs: Sequence[ValueInfoProto | Port]
    outputs: Sequence[ValueInfoProto | Port]
    initializers: list[TensorProto | SparseTensorProto]
    broken: list[Name] = field(default_factory=list)
    captured: tuple[Name, ...] = ()
    values: Sequence[ValueInfoProto] = ()


def initializer_name(tensor: TensorProto | SparseTensorProto) -> str:
    return tensor.values.name if isinstance(tensor, SparseTensorProto) else tensor.name


def domain_of(text: str) -> str:
    """A domain's canonical spelling: the standard one is empty."""
    return "" if text == "ai.onnx" else text


class GraphReader:
    """Decodes graphs and function bodies. `report` takes the faults; `base_dir` is where external data stands."""

    def __init__(self, base_dir: Path | None, report: Callable[[IntaglioError], None]) -> None:
        self.base_dir = base_dir
        self.report = report

    def array(self, tensor: TensorProto | SparseTensorProto) -> np.ndarray:
        """An initialiser's elements. Raises TensorError and ModelFileError."""
        if isinstance(tensor, SparseTensorProto):
            return sparse_to_dense(tensor, self.base_dir)
        return to_array(tensor, self.base_dir)

    def graph(self, proto: GraphProto, opsets: Mapping[str, int], depth: int = 0) -> Graph:
        """Decodes a graph with its subgraphs, at most MAX_NESTING deep."""
        if depth > MAX_NESTING:
            raise ImportProblem(
                "ITG1010",
                f"subgraphs are nested more than {MAX_NESTING} deep",
                subject=f'graph "{proto.name}"',
                hint="export the model without scripting that much control flow",
            )
        initializers = [*proto.initializer, *proto.sparse_initializer]
        graph = Graph(proto.name, [], proto.input, proto.output, initializers, values=proto.value_info)
        graph.nodes = self.nodes(proto.node, opsets, graph.broken, depth)
        graph.captured = captured_by(graph)
        return graph

    def nodes(self, protos: Iterable[NodeProto], opsets: Mapping[str, int], broken: list[Name], depth: int = 0) -> list[Node]:
        """Decodes nodes; the outputs of those that cannot be decoded go to `broken`."""
        found: list[Node] = []
        for proto in protos:
            try:
                found.append(self._node(proto, opsets, depth))
            except IntaglioError as error:
                self.report(error)
                broken += (o for o in proto.output if o)
        return found

    def _node(self, proto: NodeProto, opsets: Mapping[str, int], depth: int) -> Node:
        domain = domain_of(proto.domain)
        inputs: list[Name] = list(proto.input)
        while inputs and not inputs[-1]:
            inputs.pop()
        node = Node(proto.op_type, domain, inputs, list(proto.output), {}, opsets.get(domain, 0), proto.name, proto.overload)
        for attribute in proto.attribute:
            name = attribute.name
            if name in node.attributes:
                raise node.problem("ITG1104", f"attribute {name} is given twice")
            try:
                node.attributes[name] = self.attribute(attribute, opsets, depth)
            except ImportProblem as error:
                if error.node is None and error.code.startswith("ITG11"):
                    raise node.problem(error.code, f"attribute {name}: {error.message}", error.hint) from error
                raise
        return node

    def attribute(self, proto: AttributeProto, opsets: Mapping[str, int], depth: int = 0) -> Any:
        """The attribute as a Python value; see `Node`. Raises ImportProblem, TensorError and ModelFileError."""
        kind = proto.type or _guess_type(proto)
        if proto.ref_attr_name:
            return Reference(proto.ref_attr_name, kind)
        if kind == AttributeProto.GRAPH:
            if not proto.HasField("g"):
                raise ImportProblem("ITG1105", "it holds no graph")
            return self.graph(proto.g, opsets, depth + 1)
        if kind not in _DECODERS:
            raise ImportProblem("ITG1105", f"attributes of type {_type_name(kind)} are not part of any operator")
        return _DECODERS[kind](proto, self.base_dir)


def _guess_type(proto: AttributeProto) -> int:
    """The kind of an attribute of a file older than attribute types (IR version 1): the one field that is filled."""
    filled = [kind for kind, name in _FIELD_OF.items() if _is_filled(proto, name)]
    if len(filled) != 1:
        raise ImportProblem("ITG1105", "it has no type, and " + ("several values" if filled else "no value"))
    return filled[0]


def _is_filled(proto: AttributeProto, name: str) -> bool:
    value = getattr(proto, name)
    return len(value) > 0 if name.endswith("s") and name != "s" else proto.HasField(name)


_FIELD_OF = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.SPARSE_TENSOR: "sparse_tensor",
    AttributeProto.TYPE_PROTO: "tp",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
    AttributeProto.TENSORS: "tensors",
}


def _type_name(kind: int) -> str:
    names = {number: name for name, number in AttributeProto.AttributeType.items()}
    return names.get(kind, str(kind))


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ImportProblem("ITG1105", f"{data[:40]!r} is not UTF-8 text") from error


def _array(proto: AttributeProto, base_dir: Path | None) -> np.ndarray:
    if not proto.HasField("t"):
        raise ImportProblem("ITG1105", "it holds no tensor")
    return to_array(proto.t, base_dir)


def _sparse(proto: AttributeProto, base_dir: Path | None) -> np.ndarray:
    if not proto.HasField("sparse_tensor"):
        raise ImportProblem("ITG1105", "it holds no sparse tensor")
    return sparse_to_dense(proto.sparse_tensor, base_dir)


def _type_proto(proto: AttributeProto, base_dir: Path | None) -> TypeProto:
    if not proto.HasField("tp"):
        raise ImportProblem("ITG1105", "it holds no type")
    return proto.tp


_DECODERS: dict[int, Callable[[AttributeProto, Path | None], Any]] = {
    AttributeProto.FLOAT: lambda a, _: a.f,
    AttributeProto.INT: lambda a, _: a.i,
    AttributeProto.STRING: lambda a, _: _text(a.s),
    AttributeProto.TENSOR: _array,
    AttributeProto.SPARSE_TENSOR: _sparse,
    AttributeProto.TYPE_PROTO: _type_proto,
    AttributeProto.FLOATS: lambda a, _: tuple(a.floats),
    AttributeProto.INTS: lambda a, _: tuple(a.ints),
    AttributeProto.STRINGS: lambda a, _: tuple(_text(s) for s in a.strings),
    AttributeProto.TENSORS: lambda a, base_dir: tuple(to_array(t, base_dir) for t in a.tensors),
}


def captured_by(graph: Graph) -> tuple[Name, ...]:
    """Names that the graph uses and does not define, in the order of use."""
    defined: set[Name] = {v.name for v in graph.inputs}
    defined.update(initializer_name(t) for t in graph.initializers)
    defined.update(o for node in graph.nodes for o in node.outputs)
    defined.update(graph.broken)
    used = [name for node in graph.nodes for name in node.names_used()]
    used += (o.name for o in graph.outputs)
    return tuple(dict.fromkeys(name for name in used if name not in defined))
