"""Operators fused on the onnx level: attention, as one contraction where its sizes allow, else by products and a softmax of rows."""

from __future__ import annotations

from typing import Any

from ...dialects import fused
from ..scalar import Scalar, ScalarBuilder
from .attention import softmax
from .builder import Lowering, Tensor
from .contraction import attend, attends, matmul
from .registry import lower


@lower(fused.AttentionOp)
def lower_attention(b: Lowering, op: fused.AttentionOp, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    scale, cleaned = op.attr("scale"), bool(op.attr("cleaned"))

    def score(s: ScalarBuilder, product: Scalar, *added: Scalar) -> Scalar:
        scaled = product if scale == 1.0 else product * scale
        return scaled + added[0] if added else scaled

    if attends(q, k, v):
        aligned = None if bias is None else b.reshape(bias, ((1,) * (q.rank - bias.rank) + tuple(bias.shape)))
        return attend(b, q, k, v, aligned, score, zeros=2 * cleaned)
    products = matmul(b, q, k)

    def element(*i: Any) -> Scalar:
        return score(b.s, products[i], *([] if bias is None else [bias.at(i)]))

    weights = softmax(b, b.compute(products.shape, products.type, element), guarded=False)
    if cleaned:
        weights = b.compute(weights.shape, weights.type, lambda *i: b.s.select(weights[i].equals(weights[i]), weights[i], 0.0))
    return matmul(b, weights, v)
