"""Operators fused on the onnx level: attention, as one contraction where its sizes allow, else by products and a softmax of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...dialects import fused
from ..scalar import Scalar, ScalarBuilder
from .attention import softmax
from .builder import Lowering, Tensor
from .contraction import attend, attends, matmul
from .registry import lower


@lower(fused.AttentionOp)
def lower_attention(
    b: Lowering, op: fused.AttentionOp, q: Tensor, k: Tensor, v: Tensor, biases: Sequence[Tensor], fills: Sequence[Tensor]
) -> Tensor:
    scale, cleaned = op.attr("scale"), bool(op.attr("cleaned"))
    masks = dict(zip(op.attr("masks"), (fill.constant.item() for fill in fills if fill.constant is not None), strict=True))

    def score(s: ScalarBuilder, product: Scalar, *biases: Scalar) -> Scalar:
        total = product if scale == 1.0 else product * scale
        for n, bias in enumerate(biases):
            total = s.select(bias.differs(0.0), total, s.const(masks[n], total.type)) if n in masks else total + bias
        return total

    if attends(q, k, v):
        aligned = [b.reshape(bias, ((1,) * (q.rank - bias.rank) + tuple(bias.shape))) for bias in biases]
        return attend(b, q, k, v, aligned, score, zeros=2 * cleaned)
    products = matmul(b, q, k)

    def element(*i: Any) -> Scalar:
        return score(b.s, products[i], *(bias.at(i) for bias in biases))

    weights = softmax(b, b.compute(products.shape, products.type, element), guarded=False)
    if cleaned:
        weights = b.compute(weights.shape, weights.type, lambda *i: b.s.select(weights[i].equals(weights[i]), weights[i], 0.0))
    return matmul(b, weights, v)
