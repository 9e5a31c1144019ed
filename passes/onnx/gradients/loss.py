"""Derivatives of losses, from their formulas: picked log-probabilities, weighted and averaged."""

from __future__ import annotations

from typing import Any

from ....dialects.onnx import indexing, reduction
from ....dialects.onnx import loss as ops
from .builder import Gradients, Term
from .registry import expansion


@expansion(ops.NegativeLogLikelihoodLossOp)
def _(g: Gradients, op: ops.NegativeLogLikelihoodLossOp) -> Any:
    return (_likelihood(g, op, *g.terms(op.input, op.target, op.weight)),)


@expansion(ops.SoftmaxCrossEntropyLossOp)
def _(g: Gradients, op: ops.SoftmaxCrossEntropyLossOp) -> Any:
    scores, labels, weights = g.terms(op.scores, op.labels, op.weights)
    logs = g.call(reduction.LogSoftmaxOp, scores, axis=1)
    return _likelihood(g, op, logs, labels, weights), None if op.log_prob is None else logs


def _likelihood(g: Gradients, op: ops.ClassLossOp, logs: Term, labels: Term, weights: Term | None) -> Term:
    ignored, how = op.attr("ignore_index"), op.attr("reduction")
    left_out = None if ignored is None else labels.equals(ignored)
    classes = labels if left_out is None else g.where(left_out, 0, labels)
    picked = g.squeeze(g.call(indexing.GatherElementsOp, logs, g.unsqueeze(classes, 1), axis=1), 1)
    weight = g.full(picked, 1) if weights is None else g.call(indexing.GatherOp, weights, classes)
    weight = weight if left_out is None else g.where(left_out, 0, weight)
    losses = -(picked * weight)
    if how == "none":
        return losses
    every = range(losses.rank)
    total = g.sum(losses, *every, keepdims=False)
    return total if how == "sum" else total / g.sum(weight, *every, keepdims=False)
