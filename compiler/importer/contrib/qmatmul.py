"""Products of quantised matrices: of bytes with scales and zero points, and of floats with weights of a few bits."""

from __future__ import annotations

from ....dialects.custom import decomposition
from ..values import Graph, Value
from .common import BYTES, DOMAIN
from .quantized import quantized

_FLOATS = ["float", "float16"]


@decomposition(DOMAIN, types={"A": ["float"], "B": BYTES, "b_scale": ["float"], "b_zero_point": BYTES, "bias": ["float"]})
def DynamicQuantizeMatMul(
    g: Graph, A: Value, B: Value, b_scale: Value, b_zero_point: Value | None = None, bias: Value | None = None
) -> Value:
    """A, quantised by its range, times B, whose scale is one or one a column, plus bias."""
    a, a_scale, a_zero = g.op("DynamicQuantizeLinear", A, outputs=3)
    return _product(g, a, B, a_scale, b_scale, a_zero, b_zero_point, bias)


@decomposition(DOMAIN, types={"A": BYTES, "B": BYTES, "a_scale b_scale bias": _FLOATS, "a_zero_point": BYTES, "b_zero_point": BYTES})
def MatMulIntegerToFloat(
    g: Graph,
    A: Value,
    B: Value,
    a_scale: Value,
    b_scale: Value,
    a_zero_point: Value | None = None,
    b_zero_point: Value | None = None,
    bias: Value | None = None,
) -> Value:
    """A B of real values plus bias; the scale of B is one or one a column."""
    for what, x in (("a_scale", a_scale), ("a_zero_point", a_zero_point)):
        if x is not None and x.rank and x.shape != (1,) * x.rank:
            raise g.unsupported(f"{what} with one value a column of A")
    return _product(g, A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias)


def _product(
    g: Graph, a: Value, b: Value, a_scale: Value, b_scale: Value, a_zero: Value | None, b_zero: Value | None, bias: Value | None
) -> Value:
    total = g.MatMulInteger(a, b, None if a_zero is None else a_zero.reshape(), b_zero).cast("float")
    y = total * (a_scale.reshape().cast("float") * b_scale.cast("float"))
    y = y if bias is None else y + bias.cast("float")
    return y.cast(b_scale.type)


@decomposition(
    DOMAIN,
    types={
        "A": BYTES, "a_scale b_scale y_scale": ["float"], "a_zero_point": BYTES, "B": BYTES, "b_zero_point": BYTES, "C": ["int32"],
        "y_zero_point": BYTES,
    },
)  # fmt: skip
def QGemm(
    g: Graph,
    A: Value,
    a_scale: Value,
    a_zero_point: Value,
    B: Value,
    b_scale: Value,
    b_zero_point: Value,
    C: Value | None = None,
    y_scale: Value | None = None,
    y_zero_point: Value | None = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Value:
    """alpha A' B' + C, C being of the scale of the product; floats where y_scale is left out, else bytes."""
    a, b = (x.of_rank(2).transpose(1, 0) if turn else x.of_rank(2) for x, turn in ((A, transA), (B, transB)))
    total = g.MatMulInteger(a, b, a_zero_point.reshape(), b_zero_point)
    total = total if C is None else total + C
    y = total.cast("float") * (a_scale.reshape() * b_scale * alpha)
    if y_scale is None:
        return y
    return quantized(g, y, y_scale, y_zero_point, A.type if y_zero_point is None else y_zero_point.type)
