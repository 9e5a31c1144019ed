"""Model-local functions: decoded once, and copied with a call's attributes filled in; `build` expands calls with them.

https://github.com/onnx/onnx/blob/main/docs/IR.md#functions
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from ...proto.onnx_pb2 import FunctionProto
from .attributes import kind_of_value
from .graph import Graph, GraphReader, Name, Node, Reference, domain_of
from .problems import ImportProblem

MAX_DEPTH = 48
"""Functions calling functions; a bound on the stack that expanding them takes."""

MAX_NODES = 1 << 18
"""Nodes that calls may expand to altogether: functions that call each other twice a level would grow without bound."""

Key: TypeAlias = "tuple[str, str, str]"


@dataclass(slots=True)
class Function:
    """A decoded function. defaults: attributes that a call may leave out; attributes: every one a call may give."""

    key: Key
    inputs: list[str]
    outputs: list[str]
    attributes: frozenset[str]
    defaults: dict[str, Any]
    nodes: list[Node]
    broken: list[Name]

    def called(self, call: Node) -> list[Node]:
        """The body's nodes with attribute references replaced by the call's attributes or their defaults.

        An attribute that has neither is left away, as the specification wants. Raises ImportProblem.
        """
        for name in call.attributes:
            if name not in self.attributes:
                known = ", ".join(sorted(self.attributes)) or "none"
                raise call.problem("ITG1101", f"the function has no attribute {name}", f"its attributes: {known}")
        if len(call.inputs) > len(self.inputs) or len(call.outputs) > len(self.outputs):
            raise call.problem(
                "ITG1006",
                f"the function takes {len(self.inputs)} inputs and gives {len(self.outputs)} outputs, "
                f"but the call has {len(call.inputs)} and {len(call.outputs)}",
            )
        return _filled(self.nodes, {**self.defaults, **call.attributes}, call.label)


def _filled(nodes: Iterable[Node], values: Mapping[str, Any], prefix: str) -> list[Node]:
    return [_filled_node(node, values, prefix) for node in nodes]


def _filled_node(node: Node, values: Mapping[str, Any], prefix: str) -> Node:
    attributes: dict[str, Any] = {}
    for name, value in node.attributes.items():
        if isinstance(value, Graph):
            attributes[name] = replace(value, nodes=_filled(value.nodes, values, prefix))
        elif not isinstance(value, Reference):
            attributes[name] = value
        elif value.name in values:
            attributes[name] = values[value.name]
    return replace(node, attributes=attributes, inputs=list(node.inputs), outputs=list(node.outputs), name=f"{prefix}/{node.label}")


class Functions:
    """The functions of a model, decoded when they are first called."""

    def __init__(self, protos: Iterable[FunctionProto], reader: GraphReader) -> None:
        self._reader = reader
        self._protos: dict[Key, FunctionProto] = {}
        self._decoded: dict[Key, Function] = {}
        self._sizes: dict[Key, int] = {}
        for proto in protos:
            key = domain_of(proto.domain), proto.name, proto.overload
            if key in self._protos:
                reader.report(_problem(key, "ITG1003", "is defined twice"))
            self._protos.setdefault(key, proto)

    def find(self, node: Node) -> Function | None:
        """The function that a node calls, or None where it is an operator. Raises ImportProblem for a malformed one."""
        key = node.domain, node.op_type, node.overload
        if key not in self._protos:
            return None
        if key not in self._decoded:
            self._decoded[key] = self._decode(key, self._protos[key])
        return self._decoded[key]

    def size(self, function: Function, depth: int = 0) -> int:
        """How many nodes a call expands to; found without expanding it. A function's calls of itself count as one.

        Raises ImportProblem (ITG1010) where calls are nested too deep.
        """
        if depth >= MAX_DEPTH:
            raise _problem(function.key, "ITG1010", f"is called by functions that call each other more than {MAX_DEPTH} deep")
        if function.key not in self._sizes:
            self._sizes[function.key] = 1
            self._sizes[function.key] = 1 + self._count(function.nodes, depth + 1)
        return self._sizes[function.key]

    def _count(self, nodes: Iterable[Node], depth: int) -> int:
        total = 0
        for node in nodes:
            called = self.find(node)
            total += 1 if called is None else self.size(called, depth)
            total += sum(self._count(v.nodes, depth) for v in node.attributes.values() if isinstance(v, Graph))
        return total

    def _decode(self, key: Key, proto: FunctionProto) -> Function:
        for names, what in ((proto.input, "inputs"), (proto.attribute, "attributes")):
            if len(set(names)) < len(names):
                raise _problem(key, "ITG1011", f"has two {what} of one name")
        opsets = {domain_of(o.domain): o.version for o in proto.opset_import}
        broken: list[Name] = []
        nodes = self._reader.nodes(proto.node, opsets, broken)
        defaults: dict[str, Any] = {}
        for attribute in proto.attribute_proto:
            value = self._reader.attribute(attribute, opsets)
            if isinstance(value, Reference):
                raise _problem(key, "ITG1011", f"gives attribute {attribute.name} a reference for a default")
            kind_of_value(value)
            defaults[attribute.name] = value
        names = frozenset((*proto.attribute, *defaults))
        return Function(key, list(proto.input), list(proto.output), names, defaults, nodes, broken)


def _problem(key: Key, code: str, message: str) -> ImportProblem:
    domain, name, overload = key
    shown = "::".join(part for part in (domain, name, overload) if part)
    return ImportProblem(code, message, subject=f'function "{shown}"')
