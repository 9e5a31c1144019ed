"""Chooses Strassen's algorithm for products with constant weights, where the sums that it takes cost less than the products it saves."""

from __future__ import annotations

from typing import Any

from typing_extensions import override
from xdsl.dialects.builtin import f32
from xdsl.ir import Block

from ...dialects import blocked, fused
from ...dialects.onnx.dims import product
from ...dialects.onnx.matmul import MatMulOp
from ...dialects.onnx.shapes import Shapes
from ..strassen import FEWEST_ROWS, WORTH, cycles
from .analysis import OnnxPass
from .weights import Weights

BLOCK = blocked.BLOCK

USUAL_ROWS = 256
"""Rows that a product of an open number of them is taken to have."""


class ChooseStrassen(OnnxPass):
    """Marks matrix products that Strassen's algorithm computes."""

    name = "choose-strassen"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return choose_strassen(block, shapes)


def choose_strassen(block: Block, shapes: Shapes, target: Any = None) -> bool:
    """Rewrites a block; whether anything changed."""
    found = [op for op in block.ops if isinstance(op, MatMulOp) and _pays(op, shapes, target)]
    for op in found:
        new = fused.StrassenMatMulOp.build(operands=[op.a, op.b], result_types=[op.y.type])
        new.location = op.location
        block.insert_op_before(new, op)
        shapes.infer_op(new)
        new.y.name_hint = op.y.name_hint
        op.y.replace_all_uses_with(new.y)
        op.detach()
        op.erase()
    return bool(found)


def _pays(op: MatMulOp, shapes: Shapes, target: Any) -> bool:
    if op.y.type.element_type != f32 or shapes.rank(op.a) < 2 or shapes.constant(op.b) is None:  # type: ignore[union-attr]
        return False
    if shapes.rank(op.b) != 2:
        return False
    depth, columns = shapes.of(op.b)
    most, width = (target.mr, target.panel(32)) if target is not None else (14, 32)
    if not isinstance(depth, int) or not isinstance(columns, int) or not depth or not columns:
        return False
    if depth % (2 * BLOCK) or columns % (2 * width):  # quarters are whole blocks and panels
        return False
    m = product(shapes.of(op.a)[:-1])
    rows = m if isinstance(m, int) else USUAL_ROWS
    if rows < FEWEST_ROWS:
        return False
    shared = sum(isinstance(use.operation, MatMulOp) and use.index == 0 for use in op.a.uses)
    plain, fast = cycles(rows, depth, columns, most, shared)
    return fast <= WORTH * plain
