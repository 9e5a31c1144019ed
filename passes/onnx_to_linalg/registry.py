"""Where lowerings register: one function per operator class, by decorator beside the family's other lowerings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ...dialects.onnx.base import OnnxOp

LOWERINGS: dict[type[OnnxOp], Callable[..., Any]] = {}
"""Operator class -> function(b: Lowering, op, *operands) -> Tensor | tuple of Tensor | None per result."""

_F = TypeVar("_F", bound=Callable[..., Any])


def lower(*classes: type[OnnxOp]) -> Callable[[_F], _F]:
    """Registers the lowering of operator classes.

    The function is called with the `Lowering`, the operator and one entry per declared input: a `Tensor`, None for an absent
    optional input, a list for a variadic one. It returns the results in declared order.
    """

    def register(function: _F) -> _F:
        for cls in classes:
            LOWERINGS[cls] = function
        return function

    return register


def lowering_of(cls: type[OnnxOp]) -> Callable[..., Any] | None:
    """The lowering of an operator class: its own, else that of a base, which classes made for custom operators share."""
    return next((LOWERINGS[base] for base in cls.__mro__ if base in LOWERINGS), None)
