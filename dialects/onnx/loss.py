"""Losses of a classification: negative log likelihood, and softmax cross entropy."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, opt_operand_def, opt_result_def, result_def

from .base import OnnxOp, int_attr, operator, str_attr, tensor
from .checks import of_rank_at_least, one_of, require_vector, same_shape
from .dims import Shape
from .shapes import Shapes
from .types import ALL_FLOATS, I32, I64


class ClassLossOp(OnnxOp):
    """Base of losses of scores (N, C, D1, ..) against classes (N, D1, ..) weighted by (C): (N, D1, ..), or a scalar if reduced."""

    ignore_index = int_attr()
    reduction = str_attr("mean")

    def _loss_shape(self, shapes: Shapes, scores: SSAValue, classes: SSAValue, weights: SSAValue | None) -> Shape:
        reduction = one_of(self, "reduction", "none", "sum", "mean")
        s = of_rank_at_least(self, shapes, scores, "the scores", 2)
        each = same_shape(self, shapes, (s[0], *s[2:]), shapes.of(classes), "the scores without classes and the labels")
        require_vector(self, shapes, weights, s[1], "the class weights")
        return each if reduction == "none" else ()


@operator(since=22)
class NegativeLogLikelihoodLossOp(ClassLossOp):
    """-weight[class] * input[class] of log-probabilities; see `ClassLossOp` for shapes.

    https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html
    """

    name = "onnx.NegativeLogLikelihoodLoss"
    input = operand_def(tensor("T", ALL_FLOATS))
    target = operand_def(tensor("Tind", (*I32, *I64)))
    weight = opt_operand_def(tensor("T", ALL_FLOATS))
    loss = result_def(tensor("T", ALL_FLOATS))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (self._loss_shape(shapes, self.input, self.target, self.weight),)


@operator(since=13)
class SoftmaxCrossEntropyLossOp(ClassLossOp):
    """The negative log likelihood of log_softmax(scores), which log_prob gives too; see `ClassLossOp` for shapes.

    https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html
    """

    name = "onnx.SoftmaxCrossEntropyLoss"
    scores = operand_def(tensor("T", ALL_FLOATS))
    labels = operand_def(tensor("Tind", (*I32, *I64)))
    weights = opt_operand_def(tensor("T", ALL_FLOATS))
    output = result_def(tensor("T", ALL_FLOATS))
    log_prob = opt_result_def(tensor("T", ALL_FLOATS))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return self._loss_shape(shapes, self.scores, self.labels, self.weights), shapes.of(self.scores)
