"""Elementwise arithmetic and activations: a table of small classes on shared bases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import override
from xdsl.irdl import operand_def, result_def

from .base import OnnxOp, operator, tensor
from .dims import Shape
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_NUMERIC


class UnaryOp(OnnxOp):
    """One operand, one result of the same shape. Subclasses declare `x` and `y` with their type constraint."""

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.of(self.operands[0]),)


class BinaryOp(OnnxOp):
    """Two operands broadcast against each other."""

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.broadcast(self, *(shapes.of(v) for v in self.operands)),)


@operator(since=14)
class ReluOp(UnaryOp):
    """max(x, 0). https://onnx.ai/onnx/operators/onnx__Relu.html"""

    name = "onnx.Relu"
    x = operand_def(tensor("T", (*ALL_FLOATS,)))
    y = result_def(tensor("T", (*ALL_FLOATS,)))


@operator(since=14)
class AddOp(BinaryOp):
    """a + b. https://onnx.ai/onnx/operators/onnx__Add.html"""

    name = "onnx.Add"
    a = operand_def(tensor("T", ALL_NUMERIC))
    b = operand_def(tensor("T", ALL_NUMERIC))
    c = result_def(tensor("T", ALL_NUMERIC))

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        a, b = shapes.contents(self.a), shapes.contents(self.b)
        return () if a is None or b is None else (a + b,)
