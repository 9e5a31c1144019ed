"""Products and convolutions of integers: operands less their zero points, int32 sums, and quantised results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...dialects.onnx.conv import ConvIntegerOp, QLinearConvOp
from ...dialects.onnx.matmul import MatMulIntegerOp, QLinearMatMulOp
from ..scalar import FLOAT, INT32, Scalar
from .builder import Lowering, Tensor, element_type
from .byte_products import at, byte_matmul
from .conv import convolve
from .quantization import quantise, require_whole, rescaling
from .registry import lower
from .windows import padded


def _centred(b: Lowering, x: Tensor, zero_point: Tensor | None, axis: int) -> Tensor:
    """x - zero_point as int32."""
    if zero_point is None:
        return b.cast(x, INT32)
    return b.compute(x.shape, INT32, lambda *i: b.s.cast(x[i], INT32) - b.s.cast(at(zero_point, i, axis), INT32))


@lower(MatMulIntegerOp)
def matmul_integer(b: Lowering, op: MatMulIntegerOp, x: Tensor, y: Tensor, x_zero: Tensor | None, y_zero: Tensor | None) -> Tensor:
    return b.reshape(byte_matmul(b, x, x_zero, y, y_zero), b.shapes.of(op.y))


@lower(QLinearMatMulOp)
def qlinear_matmul(
    b: Lowering,
    op: QLinearMatMulOp,
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor,
    y: Tensor,
    y_scale: Tensor,
    y_zero: Tensor,
    scale: Tensor,
    zero: Tensor,
) -> Tensor:
    """The int32 product times x_scale * y_scale / scale. Scales of x go by rows, those of y by columns."""
    type = element_type(op.y)
    require_whole(b, x.type, y.type, type)
    shape = b.shapes.of(op.y)
    total = b.reshape(byte_matmul(b, x, x_zero, y, y_zero), shape)
    row, column = (None if x.rank == 1 else -1 if y.rank == 1 else -2), (None if y.rank == 1 else -1)

    def along(t: Tensor, i: Sequence[Any], axis: int | None) -> Scalar:
        return b.s.cast(t.scalar() if axis is None else at(t, i, axis), FLOAT)

    def element(*i: Any) -> Scalar:
        factor = along(x_scale, i, row) * along(y_scale, i, column) / along(scale, i, row)
        zero_point = zero.scalar() if row is None else at(zero, i, row)
        return quantise(b, b.s.cast(total[i], FLOAT) * factor, zero_point, type)

    return b.compute(shape, type, element)


def _integer_convolution(
    b: Lowering, op: ConvIntegerOp | QLinearConvOp, x: Tensor, w: Tensor, x_zero: Tensor | None, w_zero: Tensor | None
) -> Tensor:
    """The int32 sums of a convolution; pads stand for 0, which is the zero point."""
    found = op.windows(b.shapes)
    data = padded(b, op, _centred(b, x, x_zero, 0), found, 0)
    return convolve(b, data, _centred(b, w, w_zero, 0), found, op.attr("group"), b.shapes.of(op.y), INT32)


@lower(ConvIntegerOp)
def conv_integer(b: Lowering, op: ConvIntegerOp, x: Tensor, w: Tensor, x_zero: Tensor | None, w_zero: Tensor | None) -> Tensor:
    return _integer_convolution(b, op, x, w, x_zero, w_zero)


@lower(QLinearConvOp)
def qlinear_conv(
    b: Lowering,
    op: QLinearConvOp,
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor,
    w: Tensor,
    w_scale: Tensor,
    w_zero: Tensor,
    scale: Tensor,
    zero: Tensor,
    bias: Tensor | None,
) -> Tensor:
    """The bias is quantised with x_scale * w_scale, as the sums are."""
    total, factors = _integer_convolution(b, op, x, w, x_zero, w_zero), rescaling(b, x_scale, w_scale, scale)
    type = element_type(op.y)

    def element(*i: Any) -> Scalar:
        value = total[i] if bias is None else total[i] + bias[i[1]]
        return quantise(b, b.s.cast(value, FLOAT) * at(factors, i, 1), zero.scalar(), type)

    return b.compute(total.shape, type, element)
