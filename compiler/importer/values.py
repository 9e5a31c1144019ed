"""What a decomposition builds with: the graph as it stands, and the values in it with their types, shapes and arithmetic.

`custom` makes a `Graph` for each node that it expands; authors of decompositions are its callers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Operation, SSAValue

from ...dialects.custom import CustomError, CustomOperator
from ...dialects.onnx.dims import SymDim
from ...dialects.onnx.registry import OPERATORS
from ...dialects.onnx.types import BY_IR, BY_NAME, BY_NUMPY, ElementType
from ...errors import ShapeError, UnsupportedError
from .graph import CURRENT, Fresh, Name, Node
from .problems import ImportProblem
from .scope import Scope

if TYPE_CHECKING:
    from .build import GraphBuilder


class Value:
    """A tensor of the graph. `+ - * / @` and unary `-` build operators; numbers take the tensor's element type."""

    def __init__(self, graph: Graph, name: Name, ssa: SSAValue) -> None:
        self.graph, self.name, self._ssa = graph, name, ssa

    def __repr__(self) -> str:
        return f"<value {self.name}: {self._ssa.type}>"

    @property
    def element(self) -> ElementType:
        """The element type. Raises ImportProblem (ITG1007) for what is no tensor."""
        if not isinstance(self._ssa.type, TensorType):
            raise self.graph.problem("ITG1007", f"{self.name} is no tensor of known rank")
        return BY_IR[self._ssa.type.element_type]

    @property
    def type(self) -> str:
        """The name of the element type: "float", "float16", "int64", .."""
        return self.element.name

    @property
    def dtype(self) -> np.dtype:
        return self.element.numpy

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The dimensions, None for those that the run tells."""
        found = self.graph.builder.shapes.of(self._ssa)
        settled = not self.graph.repeated or self._is_constant()
        return tuple(d if isinstance(d, int) and settled else None for d in found)

    @property
    def constant(self) -> np.ndarray | None:
        """The elements, where they are known."""
        # Contents found by inference may be those of a loop's first round; a constant's hold for all.
        return None if self.graph.repeated and not self._is_constant() else self.graph.builder.shapes.constant(self._ssa)

    def _is_constant(self) -> bool:
        return isinstance(self._ssa.owner, Operation) and self._ssa.owner.name == "onnx.Constant"

    def of_rank(self, *ranks: int) -> Value:
        """Itself, which must have one of those ranks. Raises ShapeError (ITG2140)."""
        if self.rank not in ranks:
            raise self.graph.misshapen(f"{self.name} must have rank {' or '.join(map(str, ranks))}, but has rank {self.rank}")
        return self

    def extent(self, axis: int) -> int | SymDim | None:
        """A dimension as an expression of the model's open ones, for comparison; None in a loop, where it may change."""
        return None if self.graph.repeated else self.graph.builder.shapes.of(self._ssa)[axis]

    def dim(self, axis: int) -> Dim:
        """A dimension: its size, else a value that the run works out."""
        size = self.shape[axis]
        if size is not None:
            return size
        axis %= self.rank
        return self.graph.Shape(self, start=axis, end=axis + 1)

    def dims(self) -> list[Dim]:
        return [self.dim(axis) for axis in range(self.rank)]

    def reshape(self, *dims: Dim) -> Value:
        """The same elements under another shape; one dimension may be -1, which takes what is left."""
        return self.graph.Reshape(self, self.graph.vector(dims), allowzero=None if any(_is(d, -1) for d in dims) else 1)

    def expand(self, *dims: Dim) -> Value:
        return self.graph.Expand(self, self.graph.vector(dims))

    def transpose(self, *order: int) -> Value:
        return self.graph.Transpose(self, perm=order)

    def cast(self, type: str) -> Value:
        """Itself in another element type, named as `type` names them."""
        return self if self.type == type else self.graph.Cast(self, to=BY_NAME[type].number)

    def unsqueeze(self, *axes: int) -> Value:
        return self.graph.Unsqueeze(self, list(axes))

    def squeeze(self, *axes: int) -> Value:
        return self.graph.Squeeze(self, list(axes))

    def slice(self, axis: int, start: Dim, end: Dim) -> Value:
        """The elements from `start` up to `end` along an axis."""
        return self.graph.Slice(self, self.graph.vector([start]), self.graph.vector([end]), [axis])

    def split(self, axis: int, *sizes: Dim) -> list[Value]:
        """Parts of those sizes along an axis."""
        return self.graph.op("Split", self, self.graph.vector(sizes), axis=axis, outputs=len(sizes))

    def __add__(self, other: Operand) -> Value:
        return self.graph.Add(self, self.like(other))

    def __radd__(self, other: Operand) -> Value:
        return self.graph.Add(self.like(other), self)

    def __sub__(self, other: Operand) -> Value:
        return self.graph.Sub(self, self.like(other))

    def __rsub__(self, other: Operand) -> Value:
        return self.graph.Sub(self.like(other), self)

    def __mul__(self, other: Operand) -> Value:
        return self.graph.Mul(self, self.like(other))

    def __rmul__(self, other: Operand) -> Value:
        return self.graph.Mul(self.like(other), self)

    def __truediv__(self, other: Operand) -> Value:
        return self.graph.Div(self, self.like(other))

    def __rtruediv__(self, other: Operand) -> Value:
        return self.graph.Div(self.like(other), self)

    def __floordiv__(self, other: Operand) -> Value:
        """The quotient of integers that are not negative, such as sizes."""
        return self.graph.Div(self, self.like(other))

    def __rfloordiv__(self, other: Operand) -> Value:
        return self.graph.Div(self.like(other), self)

    def __matmul__(self, other: Value) -> Value:
        return self.graph.MatMul(self, other)

    def __neg__(self) -> Value:
        return self.graph.Neg(self)

    def like(self, other: Operand) -> Value:
        """The operand as a value: a number becomes a constant of this tensor's element type."""
        return other if isinstance(other, Value) else self.graph.constant(other, self.type)


Operand: TypeAlias = "Value | int | float"
Dim: TypeAlias = "Value | int"
"""A size: a number, or an int64 tensor of one element."""


class Graph:
    """Where a decomposition builds. `g.MatMul(a, b)` adds an operator of ONNX and returns its first output; `op` adds any.

    node: the name of the node that is decomposed; version: the version of its domain that the model uses.
    """

    def __init__(self, builder: GraphBuilder, node: Node, scope: Scope, operator: CustomOperator) -> None:
        self.builder = builder
        self.node, self.version = node.label, node.version
        self._node, self._scope, self._operator = node, scope, operator

    @property
    def repeated(self) -> bool:
        """Whether the node stands in a loop, whose later rounds may have other shapes than the first."""
        return self._scope.repeated

    def input(self, name: Name) -> Value:
        ssa = self.builder.lookup(name, self._scope)
        assert isinstance(ssa, SSAValue)
        return Value(self, name, ssa)

    def wants(self, output: str) -> bool:
        """Whether the node has the output, which may be left out."""
        index = self._operator.outputs.index(output)
        return index < len(self._node.outputs) and bool(self._node.outputs[index])

    def op(
        self,
        op_type: str | CustomOperator,
        *inputs: Value | Sequence[Any] | np.ndarray | float | None,
        outputs: int = 1,
        domain: str = "",
        **attributes: Any,
    ) -> Any:
        """Adds an operator; its first output, or a list of as many as asked for.

        op_type: the name of one of ONNX, or of `domain`, or a declaration, which need not be given to the compilation then. inputs:
        values, None for one left out, or lists of integers and arrays, which become constants. attributes: of Python's types;
        those that are None are left out.
        """
        results: list[Name] = [Fresh(self.node) for _ in range(outputs)]
        names: list[Name] = ["" if x is None else x.name if isinstance(x, Value) else self.constant(x).name for x in inputs]
        while names and not names[-1]:
            names.pop()
        given = {name: _plain(value) for name, value in attributes.items() if value is not None}
        if isinstance(op_type, CustomOperator):
            node = Node(op_type.name, op_type.domain, names, results, given, op_type.since, self.node)
            self.builder.custom(node, op_type, self._scope)
        else:
            version = CURRENT if domain != self._node.domain else self.version
            version = version if domain else self._operator.opset or CURRENT
            self.builder.build(Node(op_type, domain, names, results, given, version, self.node), self._scope)
        found = [self.input(name) for name in results]
        return found if outputs != 1 else found[0]

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if ("", op_type) not in OPERATORS:
            raise AttributeError(f"ONNX has no operator {op_type}; others are built by op(.., domain=..)")
        return lambda *inputs, **attributes: self.op(op_type, *inputs, **attributes)

    def constant(self, value: Any, type: str | None = None) -> Value:
        """A constant: an array as it is; numbers of the element type named, by default int64 for integers and float for floats."""
        array = np.asarray(value)
        if type is not None:
            array = array.astype(BY_NAME[type].numpy)
        elif not isinstance(value, np.ndarray) and array.dtype.kind == "f":
            array = array.astype(np.float32)
        if array.dtype not in BY_NUMPY:
            raise self.problem("ITG1405", f"its decomposition makes a constant of {value!r}, which has no element type of ONNX")
        name = Fresh(self.node)
        ssa = self.builder.constant(array, self.node, self._scope)
        self._scope.define(name, ssa, self._node)
        return Value(self, name, ssa)

    def vector(self, dims: Sequence[Dim]) -> Value:
        """Sizes as one list of integers."""
        if all(isinstance(d, int) for d in dims):
            return self.constant(np.array(dims, np.int64))
        parts = [d if isinstance(d, Value) else self.constant(np.array([d], np.int64)) for d in dims]
        return parts[0] if len(parts) == 1 else self.Concat(*parts, axis=0)

    def unsupported(self, what: str, hint: str = "") -> UnsupportedError:
        """An error that names the node: a use that the decomposition does not cover (ITG3001). The caller raises it."""
        return UnsupportedError("ITG3001", what, subject=self._node.op_type, node=self.node, hint=hint)

    def misshapen(self, message: str) -> ShapeError:
        """An error that names the node: operands of shapes that do not go with it (ITG2140). The caller raises it."""
        return ShapeError("ITG2140", message, subject=self._node.op_type, node=self.node)

    def problem(self, code: str, message: str, hint: str = "") -> CustomError | ImportProblem:
        """An error that names the node; the caller raises it."""
        kind = CustomError if code.startswith("ITG14") else ImportProblem
        return kind(code, message, subject=self._node.op_type, node=self.node, hint=hint)


def _is(dim: Dim, size: int) -> bool:
    return isinstance(dim, int) and dim == size


def _plain(value: Any) -> Any:
    """An attribute's value as the importer has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bool):
        return int(value)
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
