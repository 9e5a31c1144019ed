"""The shape analysis kept beside the IR: symbolic shapes, symbolic contents of small integer tensors, and where symbols come from.

`infer_function` fills it for a whole function and refines result types; the importer, the layout passes and the lowering use it.
The lowering materialises a symbol by its `Source`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, StringAttr, TensorType
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ...errors import ShapeError
from .base import DYNAMIC, OnnxOp, Typed, container_of
from .dims import Dim, Shape, SymDim, broadcast, is_static, product, substitute, symbol
from .types import OptionalType, SequenceType

Members: TypeAlias = "tuple[int | SymDim | None, ...] | Literal['empty'] | None"
"""The shape that all members of a sequence share: None for a dimension that varies among them, "empty" where there are no
members, None where the rank itself varies or is unknown. For an optional, the same of its content."""

CONTENTS_LIMIT = 1024
"""Contents of tensors with more elements are not tracked: shapes are small, and object arrays are slow."""

MAX_ELEMENTS = 2**44
"""Of one tensor: with 16 bytes each they fill the address space of 2^48 bytes that processors have, and no size overflows 64 bits."""


_READABLE = 60
"""Longer expressions of sizes tell a user nothing."""


@dataclass(frozen=True)
class Source:
    """Where a symbol's value is found at run time.

    kind "dim": dimension `index` of `value`, an argument; "element": flat element `index` of the integer tensor `value`, or
    `default` where there is one and the tensor has no such element; "result": known only once the operation that makes `value` has
    run (NonZero's count); `index` numbers its symbols.
    """

    kind: str
    value: SSAValue
    index: Dim
    default: int | None = None


@dataclass(frozen=True)
class Relation:
    """Two dimensions that the specification requires to be equal, to be checked at run time; `what` names them for the message."""

    op: Operation
    a: Dim
    b: Dim
    what: str


class Shapes:
    """What is known of every value. Keys are SSA values; `weights` maps weight ids to arrays (read only when small)."""

    def __init__(self, weights: Mapping[str, np.ndarray] | None = None) -> None:
        self.weights: Mapping[str, np.ndarray] = weights if weights is not None else {}
        self.sources: dict[str, Source] = {}
        self.relations: list[Relation] = []
        self._shapes: dict[SSAValue, Shape] = {}
        self._contents: dict[SSAValue, np.ndarray] = {}
        self._arrays: dict[SSAValue, np.ndarray] = {}
        self._members: dict[SSAValue, Members] = {}
        self._declared_ranks: dict[SSAValue, int] = {}
        self._serial = itertools.count()

    # -- asking

    def of(self, value: SSAValue) -> Shape:
        """The value's symbolic shape. Raises ShapeError where it is not a tensor of known rank."""
        shape = self._shapes.get(value)
        if shape is None:
            raise ShapeError("ITG2102", f"the shape of {value.name_hint or 'a value'} is not known")
        return shape

    def get(self, value: SSAValue) -> Shape | None:
        return self._shapes.get(value)

    def members(self, value: SSAValue) -> Members:
        """What is known of the shape of a sequence's members or an optional's content."""
        if value in self._members:
            return self._members[value]
        inner = value.type
        while isinstance(inner, SequenceType | OptionalType):
            inner = inner.element
        return tuple(None if d == DYNAMIC else d for d in inner.get_shape()) if isinstance(inner, TensorType) else None

    def rank(self, value: SSAValue) -> int:
        return len(self.of(value))

    def declared_rank(self, value: SSAValue) -> int | None:
        """The rank that the model declares of a result, for operators that only the run could tell it from their operands."""
        return self._declared_ranks.get(value)

    def constant(self, value: SSAValue | None) -> np.ndarray | None:
        """The value as a numpy array if it is known at compile time (a Constant, or contents without symbols); else None."""
        if value is None:
            return None
        if value in self._arrays:
            return self._arrays[value]
        contents = self._contents.get(value)
        if contents is None or not is_static(contents.flat):
            return None
        return contents.astype(_numpy_dtype(value))

    def contents(self, value: SSAValue | None) -> np.ndarray | None:
        """Contents of a small integer (or bool) tensor as an object array of Dims with the tensor's shape, or None."""
        if value is None:
            return None
        if value in self._contents:
            return self._contents[value]
        array = self._arrays.get(value)
        if array is None or array.size > CONTENTS_LIMIT or array.dtype.kind not in "iub":
            return None
        contents = np.empty(array.shape, dtype=object)
        for index in np.ndindex(array.shape):
            contents[index] = int(array[index])
        self._contents[value] = contents
        return contents

    def ints(self, value: SSAValue | None) -> tuple[int, ...] | None:
        """A 1-d (or scalar) integer tensor's elements where all are known at compile time, else None."""
        array = self.constant(value)
        return None if array is None else tuple(int(x) for x in np.ravel(array))

    def elements(self, value: SSAValue, count: int | None = None) -> tuple[Dim, ...]:
        """The elements of a 1-d (or scalar) integer tensor, as Dims: known contents, or symbols read at run time.

        count: how many the operator takes, for a length that only the run knows; the caller requires it to be that.
        """
        if self.rank(value) > 1:
            raise ShapeError("ITG2107", f"{value.name_hint or 'a list of integers'} must be 1-d, but has rank {self.rank(value)}")
        contents = self.contents(value)
        if contents is not None:
            return tuple(contents.ravel())
        length = product(self.of(value))
        count = length if isinstance(length, int) else count
        if count is None or count > CONTENTS_LIMIT:
            hint = "declare its length, or the rank of the result, or make it an initialiser"
            raise ShapeError("ITG2103", f"the length of {value.name_hint or 'a shape tensor'} must be known at compile time", hint=hint)
        symbols = tuple(self._new_symbol(Source("element", value, i), size=False) for i in range(count))
        array = np.empty(count, dtype=object)
        array[:] = symbols
        self._contents[value] = array if self.rank(value) == 1 else array.reshape(())
        return symbols

    def element_or(self, value: SSAValue, index: Dim, default: int) -> Dim:
        """One element of a 1-d integer tensor of any length, `default` where it has none at that index."""
        contents = self.contents(value)
        if contents is not None and isinstance(index, int):
            return contents.ravel()[index] if 0 <= index < contents.size else default
        return self._new_symbol(Source("element", value, index, default), size=False)

    def readable(self, dim: Dim) -> str | None:
        """The expression as a user can read it; None where it depends on what only an operator tells, or is long."""
        symbols = dim.symbols() if isinstance(dim, SymDim) else ()
        names: dict[str, Dim] = {}
        for name in (s.name for s in symbols if s.name.startswith("%")):
            source = self.sources[name]
            if source.kind != "element" or not source.value.name_hint:
                return None
            place = "" if self.get(source.value) == () else f"[{source.index}]"
            names[name] = symbol(f"{source.value.name_hint}{place}", size=False)
        text = str(substitute(dim, names))
        return text if len(text) <= _READABLE else None

    def result_symbol(self, result: SSAValue, index: int = 0) -> SymDim:
        """A size that only running the op tells (NonZero's count). The same (result, index) gives the same symbol."""
        return self._new_symbol(Source("result", result, index), size=True)

    def require_equal(self, op: Operation, a: Dim, b: Dim, what: str) -> Dim:
        """The common size of two dimensions that must agree; contradictions raise, unknowns are noted for a run-time check."""
        if a == b:
            return a
        if isinstance(a, int) and isinstance(b, int):
            node = op.node if isinstance(op, OnnxOp) else None
            raise ShapeError("ITG2104", f"{what} must be equal, but are {a} and {b}", subject=op.name.split(".")[-1], node=node)
        relation = Relation(op, a, b, what)
        if relation not in self.relations:
            self.relations.append(relation)
        return a if isinstance(a, int) else b if isinstance(b, int) else a

    def broadcast(self, op: Operation, *operands: Shape) -> Shape:
        """Multidirectional broadcasting of shapes, right-aligned; relations are noted for run-time checks."""
        rank = max((len(s) for s in operands), default=0)
        padded = [(1,) * (rank - len(s)) + tuple(s) for s in operands]
        return tuple(self._broadcast_dim(op, dims) for dims in zip(*padded, strict=True))

    def _broadcast_dim(self, op: Operation, dims: Sequence[Dim]) -> Dim:
        known = {d for d in dims if isinstance(d, int) and d != 1}
        if len(known) > 1:
            node = op.node if isinstance(op, OnnxOp) else None
            raise ShapeError(
                "ITG2105",
                f"cannot broadcast dimensions {' and '.join(map(str, sorted(known)))}",
                subject=op.name.split(".")[-1],
                node=node,
            )
        result: Dim = 1
        for d in dims:
            result = broadcast(result, d)
        return result

    # -- telling

    def set(self, value: SSAValue, shape: Shape) -> None:
        self._shapes[value] = tuple(int(d) if isinstance(d, (int, np.integer)) else d for d in shape)

    def set_members(self, value: SSAValue, members: Members) -> None:
        self._members[value] = members

    def declare_rank(self, value: SSAValue, rank: int) -> None:
        self._declared_ranks[value] = rank

    def set_contents(self, value: SSAValue, contents: Any) -> None:
        array = np.asarray(contents, dtype=object)
        if array.size <= CONTENTS_LIMIT:
            self._contents[value] = array

    def set_constant(self, value: SSAValue, array: np.ndarray) -> None:
        self._arrays[value] = array
        self.set(value, array.shape)

    def forget(self, value: SSAValue) -> None:
        """Drops what was known of a value, before it is inferred again."""
        self._shapes.pop(value, None)
        self._contents.pop(value, None)
        self._members.pop(value, None)

    def declare_argument(self, argument: SSAValue, names: Sequence[int | str | None]) -> None:
        """Sets a graph input's shape from declared dimensions: sizes, names (shared names are one symbol), or None."""
        shape: list[Dim] = []
        for axis, name in enumerate(names):
            if isinstance(name, int):
                shape.append(name)
                continue
            text = name or f"{argument.name_hint or 'arg'}_d{axis}"
            self.sources.setdefault(text, Source("dim", argument, axis))
            shape.append(symbol(text))
        self.set(argument, tuple(shape))

    def fresh_argument_dim(self, argument: SSAValue, axis: int) -> SymDim:
        """A symbol for a block argument's dimension that changes from one iteration to the next."""
        return self._new_symbol(Source("dim", argument, axis), size=True)

    def _new_symbol(self, source: Source, *, size: bool) -> SymDim:
        for name, known in self.sources.items():
            if known == source:
                return symbol(name, size=size)
        name = f"%{source.kind[0]}{next(self._serial)}"
        self.sources[name] = source
        return symbol(name, size=size)

    # -- running

    def infer_op(self, op: Operation) -> None:
        """Infers one operation's result shapes, contents and types, and refines its result types in place."""
        if not isinstance(op, OnnxOp):
            raise ShapeError("ITG2106", f"{op.name} is not an operator of the onnx dialect")
        shapes = _per_result(op, op.infer_shapes(self))
        elements = _per_result(op, op.infer_elements(self))
        variables = _bound_variables(op)
        for result, shape, element, constraint in zip(op.results, shapes, elements, _result_constraints(op), strict=True):
            if shape is not None:
                _require_sizes(op, shape)
                self.set(result, shape)
            refined = _result_type(result, shape, element, constraint, variables)
            if refined is not None and refined != result.type:
                retype(result, refined)
        for result, contents in zip(op.results, _per_result(op, op.infer_contents(self)), strict=True):
            if contents is not None:
                self.set_contents(result, contents)

    def infer_block(self, block: Block) -> None:
        """Infers every operation of a block in order, its terminator left out."""
        for op in block.ops:
            if isinstance(op, OnnxOp):
                self.infer_op(op)


def _require_sizes(op: OnnxOp, shape: Shape) -> None:
    """Whatever the operands say, a size is a 64-bit integer of 0 or more, and all of them together are within `MAX_ELEMENTS`."""
    for d in shape:
        if isinstance(d, int) and not 0 <= d < 2**63:
            raise op.fail("ITG2108", f"a result would have the dimension {d}")
    if (count := known_elements(shape)) > MAX_ELEMENTS:
        raise op.fail("ITG2108", f"a result of shape {'x'.join(map(str, shape))} would have {count} elements or more, beyond any memory")


def known_elements(shape: Sequence[int | str | SymDim]) -> int:
    """How many elements the known dimensions make; empty ones count as 1, since the strides beside them must fit as well."""
    return math.prod(d for d in shape if isinstance(d, int) and d > 0)


def _per_result(op: OnnxOp, declared: Sequence[Any]) -> list[Any]:
    """Aligns one entry per declared output with the results that are present."""
    entries = list(declared)
    defs = op.result_defs()
    if any(variadic for *_, variadic in defs):
        return (entries + [None] * len(op.results))[: len(op.results)]
    entries += [None] * (len(defs) - len(entries))
    return [e for (name, *_), e in zip(defs, entries, strict=False) if _is_present(op, name)]


def _is_present(op: OnnxOp, name: str) -> bool:
    return getattr(op, name) is not None


def _result_constraints(op: OnnxOp) -> list[Any]:
    found: list[Any] = []
    for name, constraint, _, variadic in op.result_defs():
        if variadic:
            found += [constraint] * len(getattr(op, name))
        elif _is_present(op, name):
            found.append(constraint)
    return found


def _bound_variables(op: OnnxOp) -> dict[str, Attribute]:
    """Type variables and the operand types that bind them."""
    bound: dict[str, Attribute] = {}
    for name, constraint, _, _ in op.operand_defs():
        operands = getattr(op, name)
        if operands is None or not isinstance(constraint, Typed):
            continue
        for operand in [operands] if isinstance(operands, SSAValue) else operands:
            bound.setdefault(constraint.var or name, operand.type)
    return bound


def _result_type(
    result: SSAValue, shape: Shape | None, element: Attribute | None, constraint: Any, variables: dict[str, Attribute]
) -> Attribute | None:
    if element is not None and container_of(element)[0] != "scalar":
        return element
    if element is None and isinstance(constraint, Typed):
        bound = variables.get(constraint.var) if constraint.var else None
        if bound is not None and not isinstance(bound, TensorType) and constraint.containers != ("tensor",):
            return bound
        if bound is not None:
            element = container_of(bound)[1]
        elif len(constraint.elements) == 1:
            (element,) = constraint.elements
    if element is None and isinstance(result.type, TensorType):
        element = result.type.element_type
    if shape is None or element is None:
        return None
    return TensorType(element, [d if isinstance(d, int) else DYNAMIC for d in shape])


def retype(value: SSAValue, new_type: Attribute) -> None:
    """Refines a value's type in place."""
    value._type = new_type  # pyright: ignore[reportPrivateUsage]  # refining in place keeps uses; replacing copies the op


def _numpy_dtype(value: SSAValue) -> np.dtype:
    from .types import BY_IR

    return BY_IR[cast(TensorType, value.type).element_type].numpy


def dim_names(shape: Shape) -> ArrayAttr:
    """A shape as strings, for the function's argument and result attributes."""
    return ArrayAttr([StringAttr(str(d)) for d in shape])
