"""GELU in its forms, and activations that other operators of com.microsoft carry as attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.custom import decomposition
from ..values import Graph, Value
from .common import DOMAIN, FLOATS


@decomposition(DOMAIN, types={"X": FLOATS})
def Gelu(g: Graph, X: Value) -> Value:
    """x / 2 (1 + erf(x / sqrt 2))."""
    return g.Gelu(X)


@decomposition(DOMAIN, outputs=["C"], types={"A B": FLOATS})
def BiasGelu(g: Graph, A: Value, B: Value) -> Value:
    """Gelu of A + B; B is a vector along the last axis."""
    return g.Gelu(A + B)


@decomposition(DOMAIN, types={"X bias": FLOATS})
def FastGelu(g: Graph, X: Value, bias: Value | None = None) -> Value:
    """Gelu of X + bias by tanh instead of erf."""
    return g.Gelu(X if bias is None else X + bias, approximate="tanh")


@decomposition(DOMAIN, types={"X": FLOATS})
def QuickGelu(g: Graph, X: Value, *, alpha: float = 1.702) -> Value:
    """x sigmoid(alpha x)."""
    return X * g.Sigmoid(X * alpha)


def activated(g: Graph, x: Value, name: str, parameters: Sequence[float]) -> Value:
    """The activation that an attribute names, with its parameters in ONNX's order; "" for none."""
    if not name:
        return x
    if name not in _ACTIVATIONS:
        raise g.unsupported(f"activation {name!r}", f"Those that can be compiled: {', '.join(_ACTIVATIONS)}.")
    attributes: dict[str, Any] = dict(zip(_ACTIVATIONS[name], parameters, strict=False))
    if name == "Clip":
        return g.Clip(x, *(x.like(attributes[a]) if a in attributes else None for a in _ACTIVATIONS[name]))
    return g.op(name, x, **attributes)


_ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "HardSwish": (),
    "Clip": ("min", "max"),
    "Elu": ("alpha",),
    "Selu": ("alpha", "gamma"),
    "Softplus": (),
    "Softsign": (),
    "ThresholdedRelu": ("alpha",),
}
