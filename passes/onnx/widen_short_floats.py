"""Lets convolutions and pools of float16 and bfloat16 compute in float32, which has their fast kernels; constants are widened here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import IntegerAttr, TensorType, bf16, f16, f32, i64
from xdsl.ir import Attribute, Block, SSAValue

from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.conv import ConvOp, ConvTransposeOp
from ...dialects.onnx.pooling import AveragePoolOp, MaxPoolOp
from ...dialects.onnx.shapes import Shapes
from ...dialects.onnx.tensor import CastOp
from ...dialects.onnx.types import BY_IR
from .analysis import OnnxPass
from .weights import Weights

WIDENED: tuple[type[OnnxOp], ...] = (ConvOp, ConvTransposeOp, AveragePoolOp, MaxPoolOp)


class WidenShortFloats(OnnxPass):
    """Puts casts around convolutions and pools of short floats."""

    name = "widen-short-floats"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return widen_short_floats(block, shapes, weights)


def widen_short_floats(block: Block, shapes: Shapes, weights: Weights) -> bool:
    """Rewrites a block; whether anything changed. Results are rounded once, where before each product's sum was."""
    changed = False
    for op in list(block.ops):
        if isinstance(op, WIDENED) and _element(op.operands[0]) in (f16, bf16) and len(op.results) == 1:
            _widen(op, block, shapes, weights)
            changed = True
    return changed


def _widen(op: OnnxOp, block: Block, shapes: Shapes, weights: Weights) -> None:
    short = _element(op.operands[0])
    assert short is not None

    def insert(new: OnnxOp) -> SSAValue:
        new.location = op.location
        block.insert_op_before(new, op)
        shapes.infer_op(new)
        return new.results[0]

    def cast(value: SSAValue, type: Attribute) -> SSAValue:
        properties = {"to": IntegerAttr(BY_IR[type].number, i64)}
        return insert(CastOp.build(operands=[value], result_types=[TensorType(type, [])], properties=properties))

    def wide(value: SSAValue) -> SSAValue:
        known = shapes.constant(value)
        return cast(value, f32) if known is None else insert(weights.constant(np.asarray(known, np.float32), "wide"))

    fields: Sequence[SSAValue | None] = [getattr(op, name) for name, *_ in op.operand_defs()]
    slots = [[] if v is None else wide(v) for v in fields]
    properties = {k: v for k, v in op.properties.items() if not k.endswith("SegmentSizes")}
    result_types = [TensorType(f32, []), *([[]] * (len(op.result_defs()) - 1))]
    computed = insert(type(op).build(operands=slots, result_types=result_types, properties=properties))
    rounded = cast(computed, short)
    rounded.name_hint = op.results[0].name_hint
    op.results[0].replace_all_uses_with(rounded)
    op.detach()
    op.erase()


def _element(value: SSAValue) -> Attribute | None:
    return value.type.element_type if isinstance(value.type, TensorType) else None
