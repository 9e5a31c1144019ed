"""Where derivatives register: one backward rule an operator class, or its expansion into others, beside the family's other rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ....dialects.onnx.base import OnnxOp

RULES: dict[type[OnnxOp], Callable[..., Any]] = {}
"""Operator class -> function(g: Gradients, op, *gradients of its results) -> a gradient an input."""

EXPANSIONS: dict[type[OnnxOp], Callable[..., Any]] = {}
"""Operator class -> function(g: Gradients, op) -> its results, computed by operators that have rules."""

_F = TypeVar("_F", bound=Callable[..., Any])


def gradient(*classes: type[OnnxOp]) -> Callable[[_F], _F]:
    """Registers the backward rule of operator classes.

    The function is called with the `Gradients`, the operator and the gradient of each declared result (a `Term`, None where nothing
    flows back). It returns the gradient of each declared input: a `Term` of the input's shape, None where there is none, a list for
    a variadic one; what is left away at the end has none.
    """

    def register(function: _F) -> _F:
        for cls in classes:
            RULES[cls] = function
        return function

    return register


def expansion(*classes: type[OnnxOp]) -> Callable[[_F], _F]:
    """Registers what operator classes are in terms of others, of which the gradient is then taken.

    The function is called with the `Gradients` and the operator; it returns a `Term` for each declared result, None for those that
    have no derivative.
    """

    def register(function: _F) -> _F:
        for cls in classes:
            EXPANSIONS[cls] = function
        return function

    return register


def constant(*classes: type[OnnxOp]) -> None:
    """Registers operators that are piecewise constant: nothing flows back through them."""
    for cls in classes:
        RULES[cls] = lambda g, op, *dy: ()
