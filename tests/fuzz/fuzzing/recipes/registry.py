"""How a recipe is named: a function that gives one node of an operator valid inputs and attributes, registered by the operator's name."""

from __future__ import annotations

from collections.abc import Callable

from ..draw import Draw

Recipe = Callable[[Draw], None]
RECIPES: dict[str, Recipe] = {}


def recipe(*operators: str) -> Callable[[Recipe], Recipe]:
    """Registers a function for operators; `Draw.operator` says for which of them it is called."""

    def register(function: Recipe) -> Recipe:
        for operator in operators:
            assert operator not in RECIPES, f"{operator} has two recipes"
            RECIPES[operator] = function
        return function

    return register
