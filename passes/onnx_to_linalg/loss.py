"""Losses of a classification: negative log likelihood, and softmax cross entropy built on it."""

from __future__ import annotations

from typing import Any

from ...dialects.onnx import loss as ops
from ..scalar import INDEX, Scalar
from .builder import Lowering, Tensor
from .elementwise import wide
from .guards import require_elements
from .reduction import SUM, fold, log_softmax, size_scalar
from .registry import lower


@lower(ops.NegativeLogLikelihoodLossOp)
def negative_log_likelihood_loss(
    b: Lowering, op: ops.NegativeLogLikelihoodLossOp, scores: Tensor, labels: Tensor, weights: Tensor | None
) -> Tensor:
    return _likelihood_loss(b, op, scores, labels, weights)


@lower(ops.SoftmaxCrossEntropyLossOp)
def softmax_cross_entropy_loss(
    b: Lowering, op: ops.SoftmaxCrossEntropyLossOp, scores: Tensor, labels: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    probabilities = log_softmax(b, scores, 1)
    return _likelihood_loss(b, op, probabilities, labels, weights), probabilities


def _likelihood_loss(b: Lowering, op: ops.ClassLossOp, scores: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """-weights[label] * scores[n, label, ..], reduced as the operator says; the mean is over the weights, not the elements."""
    require_elements(b, scores.shape[1], labels.size, "the axis of classes")
    type, reduction, ignored = wide(scores.type), op.attr("reduction"), op.attr("ignore_index")

    def weight(label: Scalar, c: Scalar) -> Scalar:
        w = b.s.const(1.0, type) if weights is None else b.s.cast(weights[c], type)
        return w if ignored is None else b.s.select(label.equals(ignored), 0.0, w)

    def loss(label: Scalar, *i: Any) -> Scalar:
        c = _class(b, label, scores, ignored)
        picked = b.s.cast(scores[(i[0], c, *i[1:])], type)
        product = -picked * weight(label, c)
        # An ignored element is 0 even where the score it would have picked is infinite.
        return product if ignored is None else b.s.select(label.equals(ignored), 0.0, product)

    if reduction == "none":
        return b.compute(labels.shape, scores.type, lambda *i: b.s.cast(loss(labels[i], *i), scores.type), doc=op.op_type)
    every = tuple(range(labels.rank))
    total = b.reshape(fold(b, labels, every, SUM, type, loss), ())
    if reduction == "sum":
        return b.cast(total, scores.type)
    if weights is None and ignored is None:
        return b.compute((), scores.type, lambda: b.s.cast(total[()] / size_scalar(b, labels.size, type), scores.type))
    weigh = fold(b, labels, every, SUM, type, lambda label, *i: weight(label, _class(b, label, scores, ignored)))
    weigh = b.reshape(weigh, ())
    return b.compute((), scores.type, lambda: b.s.cast(total[()] / weigh[()], scores.type))


def _class(b: Lowering, label: Scalar, scores: Tensor, ignored: int | None) -> Scalar:
    """The label as an index of a class; one that is out of range and not ignored is an error of the run."""
    c = b.s.cast(label, INDEX)
    inside = (c >= 0) & (c < b.index(scores.shape[1]))
    known = inside if ignored is None else inside | label.equals(ignored)
    b.s.check(known, "ITG5001", "class {} is outside of [0, {})", label, b.index(scores.shape[1]))
    return b.s.select(inside, c, 0)
