"""What derivatives are written with: terms on which arithmetic builds operators of the onnx dialect, shapes inferred on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, StringAttr, TensorType, f32, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from ....dialects.onnx import control, elementwise, logical, matmul, reduction, reshaping, slicing, tensor
from ....dialects.onnx.base import OnnxOp, element_of
from ....dialects.onnx.dims import Dim, Shape
from ....dialects.onnx.shapes import Shapes
from ....dialects.onnx.types import ALL_FLOATS, BY_IR
from ....errors import UnsupportedError
from ..weights import Weights

Operand: TypeAlias = "Term | float | int"


@dataclass(frozen=True, eq=False)
class Term:
    """A value of the graph; operators on it append to the graph. Numbers take the element type of the other operand."""

    g: Gradients
    value: SSAValue

    @property
    def shape(self) -> Shape:
        return self.g.shapes.of(self.value)

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def element(self) -> Attribute:
        return element_of(self.value)

    def __add__(self, o: Operand) -> Term:
        return self.g.binary(elementwise.AddOp, self, o)

    def __radd__(self, o: Operand) -> Term:
        return self.g.binary(elementwise.AddOp, o, self)

    def __sub__(self, o: Operand) -> Term:
        return self.g.binary(elementwise.SubOp, self, o)

    def __rsub__(self, o: Operand) -> Term:
        return self.g.binary(elementwise.SubOp, o, self)

    def __mul__(self, o: Operand) -> Term:
        return self.g.binary(elementwise.MulOp, self, o)

    def __rmul__(self, o: Operand) -> Term:
        return self.g.binary(elementwise.MulOp, o, self)

    def __truediv__(self, o: Operand) -> Term:
        return self.g.binary(elementwise.DivOp, self, o)

    def __rtruediv__(self, o: Operand) -> Term:
        return self.g.binary(elementwise.DivOp, o, self)

    def __pow__(self, o: Operand) -> Term:
        return self.g.binary(elementwise.PowOp, self, o)

    def __neg__(self) -> Term:
        return self.g.call(elementwise.NegOp, self)

    def __lt__(self, o: Operand) -> Term:
        return self.g.binary(logical.LessOp, self, o)

    def __le__(self, o: Operand) -> Term:
        return self.g.binary(logical.LessOrEqualOp, self, o)

    def __gt__(self, o: Operand) -> Term:
        return self.g.binary(logical.GreaterOp, self, o)

    def __ge__(self, o: Operand) -> Term:
        return self.g.binary(logical.GreaterOrEqualOp, self, o)

    def equals(self, o: Operand) -> Term:
        return self.g.binary(logical.EqualOp, self, o)


class Gradients:
    """Builds operators before `at`, in its block and under its name."""

    def __init__(self, at: Operation, shapes: Shapes, weights: Weights) -> None:
        self.at, self.shapes, self.weights = at, shapes, weights
        self.location = at.location
        self.made: list[OnnxOp] = []
        self._blocks: list[Block] = []

    # -- operators

    def term(self, value: SSAValue) -> Term:
        return Term(self, value)

    def terms(self, *values: SSAValue | None) -> list[Any]:
        """A term for each value, None for an absent one."""
        return [None if v is None else Term(self, v) for v in values]

    def call(self, cls: type[OnnxOp], *operands: Term | Sequence[Term] | None, **attributes: Any) -> Term:
        """The first result of an operator."""
        return self.call_many(cls, 1, *operands, **attributes)[0]

    def call_many(self, cls: type[OnnxOp], results: int, *operands: Term | Sequence[Term] | None, **attributes: Any) -> list[Term]:
        """The first `results` results of an operator; None is an input left out, attributes that are None as well."""
        given = {name: _attribute(value) for name, value in attributes.items() if value is not None}
        fields: list[Any] = [[] if o is None else o.value if isinstance(o, Term) else [t.value for t in o] for o in operands]
        fields += [[] for _ in cls.operand_defs()[len(fields) :]]
        op = cls.build(operands=fields, result_types=_placeholders(cls, results), properties=given)
        self.insert(op)
        return [Term(self, r) for r in op.results]

    def insert(self, op: OnnxOp) -> None:
        op.location = self.location
        if self._blocks:
            self._blocks[-1].add_op(op)
        else:
            block = self.at.parent
            assert block is not None
            block.insert_op_before(op, self.at)
        self.made.append(op)
        self.shapes.infer_op(op)

    @contextmanager
    def inside(self) -> Iterator[Block]:
        """What is built inside goes to a new block, which whoever asked ends with a yield."""
        block = Block()
        self._blocks.append(block)
        try:
            yield block
        finally:
            self._blocks.pop()

    def binary(self, cls: type[OnnxOp], a: Operand, b: Operand) -> Term:
        like = a if isinstance(a, Term) else b
        assert isinstance(like, Term)
        return self.call(cls, *(x if isinstance(x, Term) else self.const(x, like) for x in (a, b)))

    def const(self, value: float | int, like: Term) -> Term:
        """A scalar of the element type of another term."""
        return self.array(np.asarray(value, BY_IR[like.element].numpy))

    def array(self, array: np.ndarray) -> Term:
        op = self.weights.constant(array, "gradient")
        self.insert(op)
        return Term(self, op.output)

    def ints(self, *values: int) -> Term:
        return self.array(np.array(values, np.int64))

    # -- shapes

    def shape_of(self, x: Term) -> Term:
        return self.call(reshaping.ShapeOp, x)

    def full(self, like: Term, value: float) -> Term:
        """A tensor of the shape and type of another, all of one value."""
        return self.expand(self.const(value, like), like)

    def expand(self, x: Term, like: Term) -> Term:
        return x if x.shape == like.shape else self.call(reshaping.ExpandOp, x, self.shape_of(like))

    def reshape_like(self, x: Term, like: Term) -> Term:
        return x if x.shape == like.shape else self.call(reshaping.ReshapeOp, x, self.shape_of(like), allowzero=1)

    def reshape(self, x: Term, *dims: int | Term) -> Term:
        """dims: sizes, of which one may be -1, or vectors of sizes."""
        parts = [self.ints(d) if isinstance(d, int) else d for d in dims]
        shape = parts[0] if len(parts) == 1 else self.call(slicing.ConcatOp, parts, axis=0)
        return self.call(reshaping.ReshapeOp, x, shape)

    def flat(self, x: Term) -> Term:
        return self.reshape(x, -1)

    def sizes(self, x: Term, start: int, end: int | None = None) -> Term:
        """The dimensions from `start` to `end`, as a vector."""
        return self.call(reshaping.ShapeOp, x, start=start, end=end)

    def size_as(self, x: Term, axes: Sequence[int], like: Term) -> Term:
        """The product of dimensions, as a scalar of the element type of `like`."""
        total = self.array(np.array(1, np.int64))
        for axis in axes:
            total = total * self.squeeze(self.sizes(x, axis, axis + 1), 0)
        return self.cast_like(total, like)

    def transpose(self, x: Term, *perm: int) -> Term:
        return self.call(reshaping.TransposeOp, x, perm=perm)

    def swap_last(self, x: Term) -> Term:
        order = list(range(x.rank))
        return self.transpose(x, *order[:-2], order[-1], order[-2])

    def squeeze(self, x: Term, *axes: int) -> Term:
        return self.call(reshaping.SqueezeOp, x, self.ints(*axes))

    def unsqueeze(self, x: Term, *axes: int) -> Term:
        return self.call(reshaping.UnsqueezeOp, x, self.ints(*axes)) if axes else x

    def sum(self, x: Term, *axes: int, keepdims: bool = True) -> Term:
        return self.call(reduction.ReduceSumOp, x, self.ints(*axes), keepdims=int(keepdims)) if axes else x

    def mean(self, x: Term, *axes: int) -> Term:
        return self.call(reduction.ReduceMeanOp, x, self.ints(*axes), keepdims=1) if axes else x

    def sum_to(self, x: Term, like: Term) -> Term:
        """Undoes broadcasting: sums over the axes along which `like` was repeated to be of x's shape."""
        extra = x.rank - like.rank
        x = self.sum(x, *range(extra), keepdims=False)
        repeated = [k for k, (d, n) in enumerate(zip(like.shape, x.shape, strict=True)) if d == 1 and n != 1]
        x = self.sum(x, *repeated)
        for k, (d, n) in enumerate(zip(like.shape, x.shape, strict=True)):
            if d != n:
                x = self._sum_if_one(x, like, k)
        return self.reshape_like(x, like)

    def _sum_if_one(self, x: Term, like: Term, axis: int) -> Term:
        """The sum over an axis along which only the run knows whether `like` was repeated."""
        one = self.squeeze(self.sizes(like, axis, axis + 1), 0).equals(1)
        return self.choose(one, lambda: [self.sum(x, axis)], lambda: [self.call(tensor.IdentityOp, x)])[0]

    def choose(self, condition: Term, then: Callable[[], Sequence[Term]], otherwise: Callable[[], Sequence[Term]]) -> list[Term]:
        """What `then` or `otherwise` makes, which only the run decides."""
        blocks: list[Block] = []
        count = 0
        for make in (then, otherwise):
            with self.inside() as block:
                made = make()
            block.add_op(control.YieldOp.create(operands=[term.value for term in made]))
            blocks.append(block)
            count = len(made)
        op = control.IfOp.build(operands=[condition.value], result_types=[[_PLACEHOLDER] * count], regions=[Region(b) for b in blocks])
        self.insert(op)
        return [Term(self, r) for r in op.results]

    # -- mathematics

    def exp(self, x: Term) -> Term:
        return self.call(elementwise.ExpOp, x)

    def log(self, x: Term) -> Term:
        return self.call(elementwise.LogOp, x)

    def sqrt(self, x: Term) -> Term:
        return self.call(elementwise.SqrtOp, x)

    def abs(self, x: Term) -> Term:
        return self.call(elementwise.AbsOp, x)

    def sign(self, x: Term) -> Term:
        return self.call(elementwise.SignOp, x)

    def matmul(self, a: Term, b: Term) -> Term:
        return self.call(matmul.MatMulOp, a, b)

    def where(self, condition: Term, x: Operand, y: Operand) -> Term:
        like = x if isinstance(x, Term) else y
        assert isinstance(like, Term)
        return self.call(logical.WhereOp, condition, *(v if isinstance(v, Term) else self.const(v, like) for v in (x, y)))

    def only(self, condition: Term, x: Term) -> Term:
        """x where the condition holds, else 0."""
        return self.where(condition, x, 0)

    def both(self, a: Term, b: Term) -> Term:
        return self.call(logical.AndOp, a, b)

    def cast(self, x: Term, element: Attribute) -> Term:
        return x if x.element == element else self.call(tensor.CastOp, x, to=BY_IR[element].number)

    def cast_like(self, x: Term, like: Term) -> Term:
        return self.cast(x, like.element)

    def refused(self, op: OnnxOp, what: str) -> UnsupportedError:
        """An error that says what of an operator has no derivative here; the caller raises it."""
        return UnsupportedError("ITG3050", f"cannot be differentiated with {what}", subject=op.op_type, node=op.node)


def is_float(value: SSAValue) -> bool:
    """Whether a value has a derivative at all."""
    return isinstance(value.type, TensorType) and value.type.element_type in ALL_FLOATS


def is_known(shape: Sequence[Dim]) -> bool:
    return all(isinstance(d, int) for d in shape)


_PLACEHOLDER = TensorType(f32, [])


def _placeholders(cls: type[OnnxOp], count: int) -> list[Any]:
    """Result types that inference refines, in the form that `build` takes for the declared results."""
    defs = cls.result_defs()
    if any(variadic for *_, variadic in defs):
        return [[_PLACEHOLDER] * count]
    return [(_PLACEHOLDER if not optional else [_PLACEHOLDER]) if k < count else [] for k, (_, _, optional, _) in enumerate(defs)]


def _attribute(value: Any) -> Attribute:
    if isinstance(value, Attribute):
        return value
    if isinstance(value, int):
        return IntegerAttr(int(value), i64)
    if isinstance(value, float):
        return FloatAttr(value, f32)
    if isinstance(value, str):
        return StringAttr(value)
    return DenseArrayBase.from_list(i64, list(value))
