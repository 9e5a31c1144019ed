"""The fused dialect: what several onnx operators compute together, recognised by passes/onnx.

They stand beside onnx operators on the same level and follow the same contract (`OnnxOp`).
"""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.ir import Dialect
from xdsl.irdl import operand_def, result_def, var_operand_def

from .onnx.base import OnnxOp, float_attr, int_attr, ints_attr, operator, tensor
from .onnx.dims import Shape
from .onnx.matmul import matmul_shape
from .onnx.shapes import Shapes
from .onnx.types import BY_NAME, F32

_CODES = (BY_NAME["uint8"].ir,)


@operator(since=1)
class AttentionOp(OnnxOp):
    """softmax(scale q k + biases) v: q (batch.., M, K), k (batch.., K, N), v (batch.., N, F); y (batch.., M, F).

    The batch is q's; axes of k and v may be 1 there, as any axis of a bias (batch.., M, N) may. Biases are added in their order, but those
    that `masks` lists, by their positions: where such a one is 0, a score becomes the next of the constant `fills`. A row that sees
    nothing, of scores minus infinity, gives NaN; with `cleaned` what would be NaN in the weights is zero.
    """

    name = "fused.attention"
    q = operand_def(tensor("T", F32))
    k = operand_def(tensor("T", F32))
    v = operand_def(tensor("T", F32))
    biases = var_operand_def(tensor("T", F32))
    fills = var_operand_def(tensor("T", F32))
    y = result_def(tensor("T", F32))
    scale = float_attr(1.0)
    cleaned = int_attr(0)
    masks = ints_attr(())

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return ((*shapes.of(self.q)[:-1], shapes.of(self.v)[-1]),)


@operator(since=1)
class FewBitsMatMulOp(OnnxOp):
    """x times weights of `bits` bits, whose rows of K have a scale and a zero point for each `block` of them: x (.., K), w (N, K) of codes
    of no sign, scale and point (N, K/block), all constant; y (.., N) = sum of x (w - point) scale."""

    name = "fused.few_bits_matmul"
    x = operand_def(tensor("T", F32))
    w = operand_def(tensor("T1", _CODES))
    scale = operand_def(tensor("T", F32))
    point = operand_def(tensor("T1", _CODES))
    y = result_def(tensor("T", F32))
    bits = int_attr(4)
    block = int_attr(32)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        columns, depth = shapes.of(self.w)
        return (matmul_shape(self, shapes, shapes.of(self.x), (depth, columns)),)


@operator(since=1)
class StrassenMatMulOp(OnnxOp):
    """x w of x (.., K) and constant w (K, N) by Strassen's algorithm (passes/strassen.py), where both K and N halve."""

    name = "fused.strassen_matmul"
    x = operand_def(tensor("T", F32))
    w = operand_def(tensor("T", F32))
    y = result_def(tensor("T", F32))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (matmul_shape(self, shapes, shapes.of(self.x), shapes.of(self.w)),)


FUSED = Dialect("fused", [AttentionOp, FewBitsMatMulOp, StrassenMatMulOp])
