"""GELU in its forms, as ONNX Runtime fuses them."""

from __future__ import annotations

from ....dialects.custom import decomposition
from ..values import Graph, Value
from .common import DOMAIN, FLOATS


@decomposition(DOMAIN, types={"X": FLOATS})
def Gelu(g: Graph, X: Value) -> Value:
    """x / 2 (1 + erf(x / sqrt 2))."""
    return g.Gelu(X)
