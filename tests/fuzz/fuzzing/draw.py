"""What a recipe draws from: choices that Hypothesis makes and shrinks, the node in the making, and the values it may take.

A recipe is replayed to find further sizes for the same node: its choices are those made before, its sizes are new.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper

from .arrays import STYLES, contents
from .schemas import STRING, VERSIONS, dtype, schemas, type_of, types

SIZES = (1, 2, 3, 4, 5, 7, 8, 16, 17, 33)
MOST_ELEMENTS = 3000
STRINGS = True
"""Whether strings are drawn where an operator takes them beside other types."""


class Diverged(Exception):
    """A replay met another choice than the first time: there is no second case of this graph."""


class Choices:
    """A source of choices; `draw` is Hypothesis's, or None to replay those of `log` with other sizes."""

    def __init__(self, draw: Callable[[st.SearchStrategy], Any] | None, seed: int, log: Sequence[Any] = ()) -> None:
        self._draw = draw
        self._seed = seed
        self.log: list[Any] = []
        self._left = list(reversed(log))
        self._sizes = np.random.default_rng(seed + 1)
        self._arrays = 0

    def pick(self, options: Sequence[Any]) -> Any:
        """One of some options; the first is the simplest."""
        return options[self.between(0, len(options) - 1)] if len(options) > 1 else options[0]

    def between(self, low: int, high: int) -> int:
        if self._draw is not None:
            value = self._draw(st.integers(low, high))
        else:
            if not self._left:
                raise Diverged
            value = self._left.pop()
            if not isinstance(value, int) or not low <= value <= high:
                raise Diverged
        self.log.append(value)
        return value

    def real(self, low: float, high: float) -> float:
        """A number of few digits, so that float32 holds it."""
        return low + (high - low) * self.between(0, 32) / 32

    def flag(self, one_in: int = 2) -> bool:
        """True once in so many; False is simpler."""
        return self.between(0, one_in - 1) == one_in - 1

    def size(self, low: int, high: int) -> int:
        """A size that another run of the same node may have otherwise."""
        sizes = [low] if low == high else [size for size in (*SIZES, low) if low <= size <= high]
        first = self.pick(sizes)
        if self._draw is not None:
            return first
        return int(self._sizes.choice(sizes)) if self._sizes.random() < 0.7 else first

    def rng(self) -> np.random.Generator:
        """For an array's contents: too many choices to shrink each."""
        self._arrays += 1
        return np.random.default_rng((self._seed, self._arrays))


@dataclass
class Given:
    """A value that a graph takes. role: data, shape (decides on shapes: mostly a constant), constant (must be one)."""

    array: np.ndarray
    role: str


class Scope(Protocol):
    """Where a node finds its values."""

    def offer(self, d: Draw, type: int, shape: tuple[int, ...]) -> str | None:
        """The name of a value of that type and shape, if the recipe is to take one that exists."""
        ...

    def shapes(self, rank: int | None) -> list[tuple[int, ...]]: ...

    def types(self) -> list[int]:
        """The element types of the values at hand."""
        ...

    def take(self, given: Given) -> str:
        """The name of a new value."""
        ...


class Draw:
    """One node in the making."""

    def __init__(self, operator: str, choices: Choices, scope: Scope, *, extreme: bool = True, empty: bool = True) -> None:
        self.operator = operator
        self.schema = schemas()[operator]
        self.choices = choices
        self.scope = scope
        self.inputs: list[str] = []
        self.earlier: list[onnx.NodeProto] = []
        self.attributes: dict[str, Any] = {}
        self.wanted: list[bool] = [True]
        self.random = False
        self.pointwise = False
        self._types: dict[str, int] = {}
        styles = STYLES if extreme else STYLES[:-1]
        self.style = self.pick(styles)
        self.empty = empty and self.flag(12)

    @property
    def extreme(self) -> bool:
        return self.style == "extreme"

    def pick(self, options: Sequence[Any]) -> Any:
        return self.choices.pick(options)

    def between(self, low: int, high: int) -> int:
        return self.choices.between(low, high)

    def real(self, low: float, high: float) -> float:
        return self.choices.real(low, high)

    def flag(self, one_in: int = 2) -> bool:
        return self.choices.flag(one_in)

    def some(self, options: Sequence[Any], at_least: int = 0) -> list[Any]:
        """Some of the options, in any order."""
        left = list(options)
        return [left.pop(self.between(0, len(left) - 1)) for _ in range(self.between(at_least, len(left)))]

    def type(self, text: str, only: Sequence[int] | None = None, strings: bool = STRINGS) -> int:
        """The element type that a type parameter stands for in this node."""
        if text not in self._types:
            allowed = [t for t in types(self.operator, text) if (only is None or t in only) and (strings or t != STRING)]
            liked = [t for t in allowed if t in self.scope.types()]
            self._types[text] = self.pick(liked if liked and not self.flag(5) else allowed)
        return self._types[text]

    def size(self, low: int = 1, high: int = 8) -> int:
        return self.choices.size(0 if self.empty and low == 1 else low, high)

    def shape(self, low: int = 0, high: int = 4, *, most: int = MOST_ELEMENTS) -> tuple[int, ...]:
        """A shape of a rank between `low` and `high`; one that a value at hand has, sometimes."""
        rank = self.between(low, high)
        at_hand = self.scope.shapes(rank)
        if at_hand and not self.flag(4):
            return self.pick(at_hand)
        sizes: list[int] = []
        for _ in range(rank):
            sizes.append(min(self.size(1, 33 if rank < 3 else 8), max(1, most // max(1, math.prod(sizes)))))
        return tuple(sizes)

    def axis(self, rank: int) -> int:
        """An axis, counted from the front or from the back."""
        return self.between(-rank, rank - 1)

    def axes(self, rank: int, at_least: int = 0) -> list[int]:
        return [axis - rank if self.flag(3) else axis for axis in self.some(range(rank), at_least)]

    def plain(self) -> None:
        """No NaN and no infinity in this node: what it makes of them is not said, or is left to the order of its sums."""
        if self.extreme:
            self.style = "plain"

    def data(
        self, type: int | str, shape: Sequence[int], low: float | None = None, high: float | None = None, role: str = "data"
    ) -> np.ndarray | None:
        """An input of any contents within bounds; None where a value at hand is taken."""
        element = self.type(type) if isinstance(type, str) else type
        shape = tuple(shape)
        if low is None and high is None and role == "data" and (name := self.scope.offer(self, element, shape)) is not None:
            self.inputs.append(name)
            return None
        return self.given(self.array(element, shape, low, high), role)

    def given(self, value: Any, role: str = "data", type: int | str | None = None) -> np.ndarray:
        """An input of these contents."""
        element = self.type(type) if isinstance(type, str) else type
        array = np.asarray(value) if element is None else np.asarray(value).astype(dtype(element))
        self.inputs.append(self.scope.take(Given(array, role)))
        return array

    def ints(self, values: Sequence[int], type: int | str = onnx.TensorProto.INT64, role: str = "shape") -> np.ndarray:
        return self.given(np.array(values, np.int64), role, type)

    def skip(self) -> None:
        """An optional input that is left out."""
        self.inputs.append("")

    def before(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """A node ahead of this one; the name of its result."""
        name = f"e{len(self.choices.log)}_{len(self.earlier)}"
        self.earlier.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def array(self, type: int, shape: Sequence[int], low: float | None = None, high: float | None = None) -> np.ndarray:
        """Contents for an attribute, or to be changed before they are given."""
        # A sum of the largest numbers is infinite or not by its order, which is not said.
        style = "special" if self.extreme and not self.pointwise else self.style
        return contents(self.choices.rng(), type, tuple(shape), low, high, style)

    def attribute(self, name: str, value: Any) -> Any:
        self.attributes[name] = value
        return value

    def maybe(self, name: str, make: Callable[[], Any], default: Any = None) -> Any:
        """An attribute that is left out half the time; the value it has then."""
        if not self.flag():
            known = self.schema.attributes[name].default_value
            value = helper.get_attribute_value(known) if known.type else default
            return value.decode() if isinstance(value, bytes) else value
        return self.attribute(name, make())

    def outputs(self, most: int, least: int = 1) -> int:
        """Some of the outputs; those after the first `least` may be left out one by one."""
        self.wanted = [i < least or self.flag() for i in range(most)]
        while not self.wanted[-1]:
            self.wanted.pop()
        return len(self.wanted)

    def node(self, outputs: Sequence[str]) -> onnx.NodeProto:
        inputs = list(self.inputs)
        while inputs and not inputs[-1]:
            inputs.pop()
        given = {name: value for name, value in self.attributes.items() if value != []}  # an empty list has no type
        return helper.make_node(self.operator, inputs, outputs, domain=self.schema.domain, **given)


def opsets() -> list[onnx.OperatorSetIdProto]:
    return [helper.make_opsetid(domain, version) for domain, version in VERSIONS.items()]


def kind_of(array: np.ndarray) -> int:
    return type_of(array.dtype)
