"""Shapes of losses."""

import pytest
from intaglio.dialects.onnx.loss import NegativeLogLikelihoodLossOp, SoftmaxCrossEntropyLossOp
from intaglio.errors import ShapeError


@pytest.mark.parametrize("scores", [(3, 5), (3, 5, 2), (3, 5, 0, 4)])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses(agrees, infer, scores, reduction):
    operands = [("float", scores), ("int64", (scores[0], *scores[2:])), ("float", (5,))]
    agrees(NegativeLogLikelihoodLossOp, operands, reduction=reduction)
    agrees(NegativeLogLikelihoodLossOp, operands[:2], reduction=reduction, ignore_index=-1)
    expected = (scores[0], *scores[2:]) if reduction == "none" else ()
    found = infer(SoftmaxCrossEntropyLossOp, operands, reduction=reduction)
    assert found.results == (("float", expected), ("float", scores))
    assert len(infer(SoftmaxCrossEntropyLossOp, operands, 1, reduction=reduction).results) == 1


@pytest.mark.parametrize(
    ("scores", "labels", "weights", "reduction"),
    [
        ((3,), (3,), (5,), "mean"),
        ((3, 5), (4,), (5,), "mean"),
        ((3, 5, 2), (3,), (5,), "mean"),
        ((3, 5), (3,), (4,), "mean"),
        ((3, 5), (3,), (5,), "max"),
    ],
)
def test_losses_refuse(infer, scores, labels, weights, reduction):
    with pytest.raises(ShapeError):
        infer(SoftmaxCrossEntropyLossOp, [("float", scores), ("int64", labels), ("float", weights)], reduction=reduction)
