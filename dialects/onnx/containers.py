"""What inference knows of values of every container kind, joined where control flow or a sequence brings values together.

The sequence and control families use it. A tensor is known by its shape, a sequence or an optional by its `Members`.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.builtin import TensorType, UnrankedTensorType
from xdsl.ir import Attribute, Operation, SSAValue

from .base import DYNAMIC, container_of
from .dims import Dim, Shape
from .shapes import Members, Shapes
from .types import OptionalType, SequenceType


def kind_of(value: SSAValue) -> str:
    """ "tensor", "sequence", "optional" or "optional_sequence"."""
    return container_of(value.type)[0]


def element_in(value: SSAValue) -> Attribute:
    """The element type of the tensors in a value of any container kind."""
    return container_of(value.type)[1]


def known(shapes: Shapes, value: SSAValue) -> Members:
    """A tensor's shape, or what is known of the members of anything else."""
    return shapes.get(value) if kind_of(value) == "tensor" else shapes.members(value)


def join(a: Members, b: Members) -> Members:
    """What holds of a value that may be either: equal dimensions stay, others become None; differing ranks give None."""
    if a == "empty":
        return b
    if b == "empty":
        return a
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def type_of(kind: str, element: Attribute, members: Members) -> Attribute:
    """The IR type of a value of a container kind; dimensions that are not plain integers are dynamic."""
    inner: Attribute = UnrankedTensorType(element)
    if isinstance(members, tuple):
        inner = TensorType(element, [d if isinstance(d, int) else DYNAMIC for d in members])
    if kind.endswith("sequence"):
        inner = SequenceType(inner)
    return OptionalType(inner) if kind.startswith("optional") else inner


def filled(members: tuple[Dim | None, ...], fresh: Callable[[int], Dim]) -> Shape:
    """A tensor's shape: each varying dimension becomes `fresh(axis)`."""
    return tuple(fresh(axis) if d is None else d for axis, d in enumerate(members))


def escaped(op: Operation, shapes: Shapes, members: Members) -> Members:
    """Drops dimensions that only mean something inside the operation's regions."""
    if not isinstance(members, tuple):
        return members
    return tuple(None if d is None or is_local(op, shapes, d) else d for d in members)


def is_local(op: Operation, shapes: Shapes, dim: Dim) -> bool:
    """Whether a dimension speaks of a value that stands inside the operation's regions."""
    if isinstance(dim, int):
        return False
    sources = (shapes.sources.get(s.name) for s in dim.symbols())
    return any(op.is_ancestor(source.value.owner) for source in sources if source is not None)
