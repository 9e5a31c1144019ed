"""Matrix products: MatMul and Gemm."""

from __future__ import annotations

import numpy as np

from ...dialects.onnx.matmul import GemmOp, MatMulOp
from .builder import Lowering, Tensor
from .contraction import matmul, weight_id
from .registry import lower


@lower(MatMulOp)
def lower_matmul(b: Lowering, op: MatMulOp, x: Tensor, y: Tensor) -> Tensor:
    return b.reshape(matmul(b, x, y), b.shapes.of(op.results[0]))


@lower(GemmOp)
def lower_gemm(b: Lowering, op: GemmOp, x: Tensor, y: Tensor, c: Tensor | None) -> Tensor:
    """alpha * x' y' + beta * c, x and y transposed by attribute, c broadcast."""
    if op.attr("transA"):
        x = b.transpose(x, (1, 0))
    if op.attr("transB"):
        y = transposed_weight(b, y)
    product = matmul(b, x, y)
    alpha, beta = op.attr("alpha"), op.attr("beta")
    if alpha == 1.0 and (c is None or beta == 0.0):
        return product

    def element(*i: object) -> object:
        value = product[i]
        if alpha != 1.0:
            value = b.s.cast(value * b.s.const(alpha, value.type), value.type)
        if c is None or beta == 0.0:
            return value
        term = c.at(i)  # type: ignore[arg-type]
        return value + (term if beta == 1.0 else term * b.s.const(beta, value.type))

    return b.compute(b.shapes.of(op.results[0]), x.type, element)


def transposed_weight(b: Lowering, y: Tensor) -> Tensor:
    """The transpose of a matrix, at compile time where it is a weight."""
    weight = weight_id(y)
    if weight is None:
        return b.transpose(y, (1, 0))
    id = f"{weight}:T"
    if id not in b.weights:
        b.weights[id] = np.transpose(b.weights[weight].reshape([int(d) for d in y.shape]))  # type: ignore[arg-type]
    return b.constant(b.weights[id], y.type, id)
