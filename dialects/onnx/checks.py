"""Checks of ranks, axes, counts and attribute values that the shape inference of several operator families makes; they raise ShapeError.

The codes: ITG2140 rank, ITG2141 axis, ITG2142 attribute value, ITG2143 length of an attribute or shape operand, ITG2144 window and
size arithmetic, ITG2145 divisibility of channels and heads, ITG2146 equations, ITG2147 combinations of operands and results.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Attribute, SSAValue

from .base import OnnxOp
from .dims import Dim, Shape, floordiv, mod
from .shapes import Shapes
from .types import BY_NUMBER, ElementType


def show(shape: Shape) -> str:
    """A shape as messages print it: 2x3xN, or "scalar"."""
    return "x".join(map(str, shape)) or "scalar"


def of_rank(op: OnnxOp, shapes: Shapes, value: SSAValue, what: str, *ranks: int) -> Shape:
    """The value's shape, whose rank must be one of `ranks`."""
    shape = shapes.of(value)
    if len(shape) not in ranks:
        expected = " or ".join(map(str, ranks))
        raise op.fail("ITG2140", f"{what} must have rank {expected}, but has rank {len(shape)} ({show(shape)})")
    return shape


def of_rank_at_least(op: OnnxOp, shapes: Shapes, value: SSAValue, what: str, rank: int) -> Shape:
    """The value's shape, whose rank must be at least `rank`."""
    shape = shapes.of(value)
    if len(shape) < rank:
        raise op.fail("ITG2140", f"{what} must have rank {rank} or more, but has rank {len(shape)} ({show(shape)})")
    return shape


def axis_in(op: OnnxOp, axis: int, rank: int, what: str = "axis") -> int:
    """The axis counted from the front; `axis` lies in [-rank, rank)."""
    if not -rank <= axis < rank:
        raise op.fail("ITG2141", f"{what} {axis} is out of range for rank {rank}")
    return axis % rank


def axes_in(op: OnnxOp, axes: Sequence[int], rank: int, what: str = "axes") -> tuple[int, ...]:
    """Distinct axes counted from the front."""
    found = tuple(axis_in(op, a, rank, what) for a in axes)
    if len(set(found)) != len(found):
        raise op.fail("ITG2141", f"{what} {tuple(axes)} name an axis of rank {rank} twice")
    return found


def one_of(op: OnnxOp, name: str, *allowed: str | int) -> str | int:
    """The value of attribute `name`, which must be one of `allowed`."""
    found = op.attr(name)
    if found not in allowed:
        raise op.fail("ITG2142", f"{name} is {found!r}, expected one of {', '.join(map(repr, allowed))}")
    return found


def at_least(op: OnnxOp, name: str, least: int) -> int:
    """The value of integer attribute `name`, which must be present and at least `least`."""
    found = op.attr(name)
    if found is None or found < least:
        raise op.fail("ITG2142", f"{name} is {'missing' if found is None else found}, expected {least} or more")
    return found


def data_type(op: OnnxOp, name: str) -> ElementType | None:
    """The element type that attribute `name` gives by its TensorProto number; None where absent or 0."""
    number = op.attr(name)
    if not number:
        return None
    if number not in BY_NUMBER:
        raise op.fail("ITG2142", f"{name} is {number}, which is no element type of ONNX")
    return BY_NUMBER[number]


def data_type_in(op: OnnxOp, name: str, allowed: Sequence[Attribute]) -> Attribute | None:
    """The IR type that attribute `name` gives, which must be one of `allowed`; None where absent."""
    found = data_type(op, name)
    if found is not None and found.ir not in allowed:
        raise op.fail("ITG2142", f"{name} is {found.number} ({found.name}), which the specification does not allow here")
    return None if found is None else found.ir


def divide(op: OnnxOp, size: Dim, by: Dim, what: str) -> Dim:
    """size / by; a known remainder raises, an unknown one is taken to be 0."""
    if isinstance(by, int) and by <= 0:
        raise op.fail("ITG2145", f"{what} ({size}) cannot be divided into {by}")
    if isinstance(rest := mod(size, by), int) and rest:
        raise op.fail("ITG2145", f"{what} ({size}) must be divisible by {by}")
    return floordiv(size, by)


def same_shape(op: OnnxOp, shapes: Shapes, a: Shape, b: Shape, what: str) -> Shape:
    """The common shape of two that must agree in every dimension."""
    if len(a) != len(b):
        raise op.fail("ITG2140", f"{what} must have the same shape, but are {show(a)} and {show(b)}")
    return tuple(shapes.require_equal(op, d, e, f"dimensions {i} of {what}") for i, (d, e) in enumerate(zip(a, b, strict=True)))


def require_vector(op: OnnxOp, shapes: Shapes, value: SSAValue | None, length: Dim, what: str) -> None:
    """Checks an optional operand that must be 1-d with `length` elements."""
    if value is None:
        return
    (size,) = of_rank(op, shapes, value, what, 1)
    shapes.require_equal(op, size, length, f"the length of {what} and the dimension it goes with")


def listed(op: OnnxOp, shapes: Shapes, value: SSAValue, count: int, what: str) -> tuple[Dim, ...]:
    """The elements of a list of integers that must hold `count` of them; a length that only the run knows is checked there."""
    require_vector(op, shapes, value, count, what)
    return shapes.elements(value, count)


def listed_as(op: OnnxOp, shapes: Shapes, value: SSAValue, count: int | None, what: str) -> tuple[Dim, ...]:
    """The elements of a list of integers of any length; `count` is its length where only the run knows it and checks that."""
    (length,) = of_rank(op, shapes, value, what, 1)
    return shapes.elements(value) if isinstance(length, int) or count is None else listed(op, shapes, value, count, what)


def require_scalar(op: OnnxOp, shapes: Shapes, value: SSAValue | None, what: str) -> None:
    """Checks an optional operand that must hold one element: a scalar, or a 1-d tensor of size 1 as exporters write it."""
    if value is None:
        return
    for size in of_rank(op, shapes, value, what, 0, 1):
        shapes.require_equal(op, size, 1, f"the length of {what} and that of a scalar")


def require_scalar_or_vector(op: OnnxOp, shapes: Shapes, value: SSAValue | None, length: Dim, what: str) -> None:
    """Checks optional quantisation parameters: one for all, or a vector of `length`; a vector of unknown length may be either."""
    if value is None:
        return
    shape = of_rank(op, shapes, value, what, 0, 1)
    if shape and shape != (1,) and isinstance(shape[0], int):
        require_vector(op, shapes, value, length, what)


def scalar_dim(op: OnnxOp, shapes: Shapes, value: SSAValue, what: str, least: int = 0) -> Dim:
    """The single element of an integer operand, known or read at run time; a known one must be at least `least`."""
    require_scalar(op, shapes, value, what)
    (element,) = shapes.elements(value, 1)
    if isinstance(element, int) and element < least:
        raise op.fail("ITG2144", f"{what} is {element}, expected {least} or more")
    return element


def require_broadcast_to(op: OnnxOp, source: Shape, target: Shape, what: str) -> None:
    """Checks that `source` broadcasts to `target` without changing it, as far as sizes are known."""
    fits = len(source) <= len(target) and all(
        s == 1 or s == t or not (isinstance(s, int) and isinstance(t, int))
        for s, t in zip(reversed(source), reversed(target), strict=False)
    )
    if not fits:
        raise op.fail("ITG2105", f"{what} of shape {show(source)} cannot be broadcast to {show(target)}")
