"""Optimisers."""

from __future__ import annotations

from ..draw import Draw
from ..schemas import FLOAT, INT64
from .registry import recipe

_STATES = {"Adagrad": 1, "Adam": 2, "Momentum": 1}


@recipe("Adagrad", "Adam", "Momentum")
def optimiser(d: Draw) -> None:
    states = _STATES[d.operator]
    d.type("T3", only=[FLOAT])
    d.given(0.125, type=d.type("T1", only=[FLOAT]))
    d.given(d.between(0, 3), type=INT64)
    shapes = [d.shape(0, 3) for _ in range(d.between(1, 2))]
    for part in range(2 + states):
        for shape in shapes:
            d.data("T3", shape, *((0, 2) if part > 1 else (-2, 2)))
    for name in ("alpha", "beta", "norm_coefficient"):
        if name in d.schema.attributes and (d.operator == "Momentum" or d.flag()):
            d.attribute(name, d.real(0.25, 0.75))
    if d.operator == "Momentum":
        d.attribute("mode", d.pick(["standard", "nesterov"]))
    else:
        d.maybe("epsilon", lambda: 0.01)
    if d.operator == "Adam":
        d.maybe("norm_coefficient_post", lambda: d.real(0, 0.5))
    if d.operator == "Adagrad":
        d.maybe("decay_factor", lambda: d.real(0, 0.5))
    d.wanted = [True] * (len(shapes) * (1 + states))
