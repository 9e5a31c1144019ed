"""Operators on bytes with scales and zero points: elementwise, pooling, joining, and conversion to and from floats."""

from __future__ import annotations

from collections.abc import Callable

from ....dialects.custom import decomposition
from ..values import Graph, Value
from .common import BYTES, DOMAIN
from .fused import channels_first, channels_last

_FLOAT = ["float"]


def dequantized(g: Graph, x: Value, scale: Value, zero_point: Value | None) -> Value:
    """(x - zero_point) scale as floats, one scale for all of x."""
    return g.DequantizeLinear(x, _single(scale), None if zero_point is None else _single(zero_point))


def quantized(g: Graph, x: Value, scale: Value, zero_point: Value | None, type: str) -> Value:
    """x / scale + zero_point rounded to the type, one scale for all of x."""
    zero_point = g.constant(0, type) if zero_point is None else _single(zero_point)
    return g.QuantizeLinear(x, _single(scale), zero_point)


def _single(x: Value) -> Value:
    """A parameter for a whole tensor as a scalar; exporters also write a vector of one element."""
    return x if x.rank == 0 else x.reshape()


def _binary(g: Graph, op: Callable[[Value, Value], Value], operands: tuple[Value | None, ...]) -> Value:
    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = operands
    assert a is not None and a_scale is not None and b is not None and b_scale is not None and scale is not None
    result = op(dequantized(g, a, a_scale, a_zero), dequantized(g, b, b_scale, b_zero))
    return quantized(g, result, scale, zero, a.type)


_BINARY = {
    "A B": BYTES,
    "A_zero_point": BYTES,
    "B_zero_point": BYTES,
    "C_zero_point": BYTES,
    "A_scale": _FLOAT,
    "B_scale": _FLOAT,
    "C_scale": _FLOAT,
}


@decomposition(DOMAIN, outputs=["C"], types=_BINARY)
def QLinearAdd(
    g: Graph,
    A: Value,
    A_scale: Value,
    A_zero_point: Value | None,
    B: Value,
    B_scale: Value,
    B_zero_point: Value | None,
    C_scale: Value,
    C_zero_point: Value | None = None,
) -> Value:
    """A + B of real values, with broadcasting."""
    return _binary(g, lambda a, b: a + b, (A, A_scale, A_zero_point, B, B_scale, B_zero_point, C_scale, C_zero_point))


@decomposition(DOMAIN, outputs=["C"], types=_BINARY)
def QLinearMul(
    g: Graph,
    A: Value,
    A_scale: Value,
    A_zero_point: Value | None,
    B: Value,
    B_scale: Value,
    B_zero_point: Value | None,
    C_scale: Value,
    C_zero_point: Value | None = None,
) -> Value:
    """A B of real values, with broadcasting."""
    return _binary(g, lambda a, b: a * b, (A, A_scale, A_zero_point, B, B_scale, B_zero_point, C_scale, C_zero_point))


_UNARY = {"X": BYTES, "X_zero_point": BYTES, "Y_zero_point": BYTES, "X_scale": _FLOAT, "Y_scale": _FLOAT}


@decomposition(DOMAIN, types=_UNARY)
def QLinearSigmoid(
    g: Graph, X: Value, X_scale: Value, X_zero_point: Value | None, Y_scale: Value, Y_zero_point: Value | None = None
) -> Value:
    """The sigmoid of real values."""
    return quantized(g, g.Sigmoid(dequantized(g, X, X_scale, X_zero_point)), Y_scale, Y_zero_point, X.type)


@decomposition(DOMAIN, types=_UNARY)
def QLinearLeakyRelu(
    g: Graph,
    X: Value,
    X_scale: Value,
    X_zero_point: Value | None,
    Y_scale: Value,
    Y_zero_point: Value | None = None,
    *,
    alpha: float = 0.01,
) -> Value:
    """x, or alpha x where x is negative."""
    return quantized(g, g.LeakyRelu(dequantized(g, X, X_scale, X_zero_point), alpha=alpha), Y_scale, Y_zero_point, X.type)


@decomposition(DOMAIN)
def QLinearConcat(g: Graph, Y_scale: Value, Y_zero_point: Value, *inputs: Value, axis: int) -> Value:
    """Tensors joined along an axis; each is followed by its scale and zero point."""
    if len(inputs) % 3:
        raise g.problem("ITG1006", f"it has {len(inputs)} inputs behind Y_zero_point, which are no tensors with scale and zero point")
    parts = [dequantized(g, *inputs[n : n + 3]) for n in range(0, len(inputs), 3)]
    return quantized(g, g.Concat(*parts, axis=axis), Y_scale, Y_zero_point, Y_zero_point.type)


_POOL = {"X": BYTES, "x_zero_point": BYTES, "y_zero_point": BYTES, "x_scale": _FLOAT, "y_scale": _FLOAT}


@decomposition(DOMAIN, types=_POOL)
def QLinearAveragePool(
    g: Graph,
    X: Value,
    x_scale: Value,
    x_zero_point: Value | None,
    y_scale: Value,
    y_zero_point: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    kernel_shape: list[int],
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Value:
    """AveragePool of real values; channels_last says that X and Y have theirs last."""

    def pool(x: Value) -> Value:
        return g.AveragePool(
            x, auto_pad=auto_pad, ceil_mode=ceil_mode, count_include_pad=count_include_pad, kernel_shape=kernel_shape, pads=pads,
            strides=strides,
        )  # fmt: skip

    x = dequantized(g, X, x_scale, x_zero_point)
    return quantized(g, _by_channels(pool, x, channels_last), y_scale, y_zero_point, X.type)


@decomposition(DOMAIN, types=_POOL)
def QLinearGlobalAveragePool(
    g: Graph, X: Value, x_scale: Value, x_zero_point: Value, y_scale: Value, y_zero_point: Value, *, channels_last: int = 0
) -> Value:
    """GlobalAveragePool of real values."""
    x = dequantized(g, X, x_scale, x_zero_point)
    return quantized(g, _by_channels(g.GlobalAveragePool, x, channels_last), y_scale, y_zero_point, X.type)


def _by_channels(op: Callable[[Value], Value], x: Value, last: int) -> Value:
    return channels_last(op(channels_first(x))) if last else op(x)


@decomposition(DOMAIN, types={"X": BYTES, "X_zero_point": BYTES, "Y_zero_point": BYTES, "X_scale": _FLOAT, "Y_scale": _FLOAT})
def QLinearSoftmax(
    g: Graph,
    X: Value,
    X_scale: Value,
    X_zero_point: Value | None,
    Y_scale: Value,
    Y_zero_point: Value,
    *,
    axis: int = -1,
    opset: int,
) -> Value:
    """Softmax of real values, along an axis or, as ONNX had it before operator set 13, over all axes from it on."""
    x = dequantized(g, X, X_scale, X_zero_point)
    if opset >= 13:
        return quantized(g, g.Softmax(x, axis=axis), Y_scale, Y_zero_point, X.type)
    rows = g.Softmax(g.Flatten(x, axis=axis), axis=1)
    return quantized(g, g.Reshape(rows, g.Shape(x), allowzero=1), Y_scale, Y_zero_point, X.type)


@decomposition(
    DOMAIN,
    outputs=["reduced"],
    types={
        "data": BYTES, "data_zero_point": BYTES, "reduced_zero_point": BYTES, "data_scale": _FLOAT, "reduced_scale": _FLOAT,
    },
)  # fmt: skip
def QLinearReduceMean(
    g: Graph,
    data: Value,
    data_scale: Value,
    data_zero_point: Value | None,
    reduced_scale: Value,
    reduced_zero_point: Value | None = None,
    *,
    axes: list[int],
    keepdims: int,
) -> Value:
    """The mean of real values over axes."""
    mean = g.ReduceMean(dequantized(g, data, data_scale, data_zero_point), list(axes), keepdims=keepdims)
    return quantized(g, mean, reduced_scale, reduced_zero_point, data.type)


@decomposition(DOMAIN, outputs=["Z"], types={"condition": ["bool"], "X Y": BYTES})
def QLinearWhere(
    g: Graph,
    condition: Value,
    X: Value,
    x_scale: Value,
    x_zero_point: Value,
    Y: Value,
    y_scale: Value,
    y_zero_point: Value,
    z_scale: Value,
    z_zero_point: Value,
) -> Value:
    """X where the condition holds, else Y, as real values."""
    chosen = g.Where(condition, dequantized(g, X, x_scale, x_zero_point), dequantized(g, Y, y_scale, y_zero_point))
    return quantized(g, chosen, z_scale, z_zero_point, X.type)


@decomposition(DOMAIN, outputs=["y"], types={"x": BYTES, "w": BYTES, "B": ["int32"]})
def QLinearConv(
    g: Graph,
    x: Value,
    x_scale: Value,
    x_zero_point: Value,
    w: Value,
    w_scale: Value,
    w_zero_point: Value,
    y_scale: Value,
    y_zero_point: Value,
    B: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    channels_last: int = 0,
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Value:
    """ONNX's QLinearConv; channels_last says that x and y have theirs last."""

    def convolve(x: Value) -> Value:
        return g.QLinearConv(
            x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B, auto_pad=auto_pad, dilations=dilations,
            group=group, kernel_shape=kernel_shape, pads=pads, strides=strides,
        )  # fmt: skip

    return _by_channels(convolve, x, channels_last)


@decomposition(DOMAIN, types={"x": ["float", "float16"], "y_scale": ["float", "float16"]}, outputs=["y"])
def QuantizeLinear(g: Graph, x: Value, y_scale: Value, y_zero_point: Value | None = None, *, axis: int | None = None) -> Value:
    """ONNX's QuantizeLinear: along an axis where one is given."""
    return g.QuantizeLinear(x, y_scale, y_zero_point, axis=axis)


@decomposition(DOMAIN, types={"x_scale": ["float", "float16"]}, outputs=["y"])
def DequantizeLinear(g: Graph, x: Value, x_scale: Value, x_zero_point: Value | None = None, *, axis: int | None = None) -> Value:
    """ONNX's DequantizeLinear: along an axis where one is given."""
    return g.DequantizeLinear(x, x_scale, x_zero_point, axis=axis)
