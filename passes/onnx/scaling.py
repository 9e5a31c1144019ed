"""Reading products with numbers, as fusions meet them."""

from __future__ import annotations

from xdsl.ir import SSAValue

from ...dialects.onnx.elementwise import DivOp, MulOp
from ...dialects.onnx.shapes import Shapes


def scaled(value: SSAValue, shapes: Shapes) -> tuple[SSAValue, float]:
    """The value as another one of its shape times a number, which is 1 where the value is no such product."""
    op = value.owner
    if isinstance(op, MulOp | DivOp):
        for own, other in ((op.a, op.b), (op.b, op.a))[: 1 if isinstance(op, DivOp) else 2]:
            number = shapes.constant(other)
            if number is not None and number.size == 1 and number.item() and shapes.rank(other) <= shapes.rank(own):
                return own, number.item() if isinstance(op, MulOp) else 1 / number.item()
    return value, 1.0
