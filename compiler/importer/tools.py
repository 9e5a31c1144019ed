"""What adapters of old operator sets are lent while they rewrite a node (`opset.Tools`), on top of the graph being built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation, SSAValue

from ...dialects.onnx.base import container_of
from ...dialects.onnx.types import BY_IR, ElementType
from .graph import CURRENT, Fresh, Name, Node
from .scope import Missing, Scope

if TYPE_CHECKING:
    from .build import GraphBuilder


class NodeTools:
    """Serves one node. Nodes for `after` wait in `later`, which the builder emits behind the node."""

    def __init__(self, builder: GraphBuilder, node: Node, scope: Scope) -> None:
        self._builder = builder
        self._node = node
        self._scope = scope
        self.later: list[Node] = []

    def fresh(self, like: Name) -> Name:
        return Fresh(str(like) or self._node.label)

    def constant(self, values: Any, dtype: Any = np.int64) -> Name:
        name = self.fresh(self._node.label)
        try:
            array = values if isinstance(values, np.ndarray) else np.array(values, dtype)
        except (OverflowError, TypeError, ValueError) as error:
            raise self._node.problem("ITG1105", f"{str(values)[:60]} is no {np.dtype(dtype)}: {error}") from error
        self._scope.define(name, self._builder.constant(array, str(name), self._scope), self._node)
        return name

    def node(self, op_type: str, inputs: Sequence[Name], **attributes: Any) -> Name:
        output = self.fresh(self._node.label)
        self._builder.emit(self._made(op_type, inputs, output, attributes), self._scope)
        return output

    def after(self, op_type: str, inputs: Sequence[Name], output: Name, **attributes: Any) -> None:
        self.later.append(self._made(op_type, inputs, output, attributes))

    def withdraw(self, output: Name) -> None:
        if output:
            self._scope.define(output, Missing.WITHDRAWN, self._node)

    def rank(self, name: Name) -> int:
        shape = self._builder.shapes.get(self._value(name))
        if shape is None:
            raise self._node.problem("ITG1204", f'the rank of "{name}" must be known to tell what operator set {self._node.version} meant')
        return len(shape)

    def size(self, name: Name, axis: int) -> int | None:
        shape = self._builder.shapes.get(self._value(name))
        if shape is None or self._scope.repeated or not -len(shape) <= axis < len(shape):
            return None
        dim = shape[axis]
        return dim if isinstance(dim, int) else None

    def element(self, name: Name) -> ElementType:
        found = self._value(name).type
        if not isinstance(found, TensorType) or container_of(found)[1] not in BY_IR:
            raise self._node.problem("ITG1204", f'the type of "{name}" must be known to tell what operator set {self._node.version} meant')
        return BY_IR[container_of(found)[1]]

    def known(self, name: Name) -> np.ndarray | None:
        value = self._value(name)
        # Contents found by inference may be those of a loop's first round; a constant's hold for all.
        while isinstance(value.owner, Operation) and value.owner.name == "onnx.Identity":
            value = value.owner.operands[0]
        if self._scope.repeated and not (isinstance(value.owner, Operation) and value.owner.name == "onnx.Constant"):
            return None
        return self._builder.shapes.constant(value)

    def _value(self, name: Name) -> SSAValue:
        value = self._builder.lookup(name, self._scope)
        if not isinstance(value, SSAValue):
            raise self._node.problem("ITG1006", "one of its inputs is missing")
        return value

    def _made(self, op_type: str, inputs: Sequence[Name], output: Name, attributes: dict[str, Any]) -> Node:
        return Node(op_type, "", list(inputs), [output], attributes, CURRENT, self._node.label)
