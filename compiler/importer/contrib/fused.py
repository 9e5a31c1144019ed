"""Products and convolutions with what ONNX Runtime fuses into them: transpositions, factors, sums and activations."""

from __future__ import annotations

from ....dialects.custom import decomposition
from ..values import Graph, Value
from .activation import activated
from .common import DOMAIN, FLOATS

_CONV_FLOATS = ("float", "float16", "double")


@decomposition(DOMAIN, types={"A B": FLOATS})
def FusedMatMul(
    g: Graph,
    A: Value,
    B: Value,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> Value:
    """alpha op(A) op(B). transBatch moves the first axis behind the batch axes, trans then swaps the last two."""
    product = _turned(A, transA, transBatchA) @ _turned(B, transB, transBatchB)
    return product if alpha == 1.0 else product * alpha


def _turned(x: Value, swap: int, batch: int) -> Value:
    if x.rank < 2 or not (swap or batch):
        return x
    order = list(range(x.rank))
    if batch:
        order = [*order[1:-1], order[0], order[-1]]
    if swap:
        order[-2:] = reversed(order[-2:])
    return x.transpose(*order)


@decomposition(DOMAIN, types={"A B C": (*FLOATS, "int32", "int64", "uint32", "uint64")})
def FusedGemm(
    g: Graph,
    A: Value,
    B: Value,
    C: Value | None = None,
    *,
    activation: str = "",
    activation_alpha: float | None = None,
    activation_beta: float | None = None,
    activation_gamma: float | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Value:
    """An activation of alpha A' B' + beta C."""
    y = g.Gemm(A, B, C, alpha=alpha, beta=beta, transA=transA, transB=transB)
    second = activation_gamma if activation == "Selu" else activation_beta
    given = [p for p in (activation_alpha, second) if p is not None]
    return activated(g, y, activation, given)


@decomposition(DOMAIN, types={"X W B Z": _CONV_FLOATS})
def FusedConv(
    g: Graph,
    X: Value,
    W: Value,
    B: Value | None = None,
    Z: Value | None = None,
    *,
    activation: str = "",
    activation_params: list[float] = (),  # type: ignore[assignment]
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Value:
    """An activation of conv(X, W) + B + Z."""
    y = g.Conv(
        X, W, B, auto_pad=auto_pad, dilations=dilations, group=group, kernel_shape=kernel_shape, pads=pads, strides=strides
    )  # fmt: skip
    return activated(g, y if Z is None else y + Z, activation, activation_params)


@decomposition(DOMAIN, types={"X W B": _CONV_FLOATS})
def NhwcConv(
    g: Graph,
    X: Value,
    W: Value,
    B: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Value:
    """conv(X, W) + B with the channels of X and Y last; W is as Conv's."""
    y = g.Conv(
        channels_first(X), W, B, auto_pad=auto_pad, dilations=dilations, group=group, kernel_shape=kernel_shape, pads=pads, strides=strides
    )  # fmt: skip
    return channels_last(y)


def channels_first(x: Value) -> Value:
    """(N, .., C) as (N, C, ..)."""
    if x.rank < 3:
        raise x.graph.misshapen(f"{x.name} must have rank 3 or more, but has rank {x.rank}")
    return x.transpose(0, x.rank - 1, *range(1, x.rank - 1))


def channels_last(x: Value) -> Value:
    """(N, C, ..) as (N, .., C)."""
    return x.transpose(0, *range(2, x.rank), 1)
