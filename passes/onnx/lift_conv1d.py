"""Turns one-dimensional convolutions with constant weights into two-dimensional ones of height 1, which have fast kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import DenseArrayBase, StringAttr, TensorType, i64
from xdsl.ir import Attribute, Block, SSAValue

from ...dialects.onnx.conv import ConvOp
from ...dialects.onnx.reshaping import SqueezeOp, UnsqueezeOp
from ...dialects.onnx.shapes import Shapes
from .analysis import OnnxPass
from .weights import Weights


class LiftConv1d(OnnxPass):
    """Lifts one-dimensional convolutions to two dimensions."""

    name = "lift-conv1d"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return lift_conv1d(block, shapes, weights)


def lift_conv1d(block: Block, shapes: Shapes, weights: Weights) -> bool:
    """Rewrites a block; whether anything changed."""
    changed = False
    for op in list(block.ops):
        if isinstance(op, ConvOp) and shapes.rank(op.x) == 3 and shapes.constant(op.w) is not None:
            changed |= _lift(op, block, shapes, weights)
    return changed


def _lift(op: ConvOp, block: Block, shapes: Shapes, weights: Weights) -> bool:
    windows = op.windows(shapes)
    begin, end = windows.pads_begin[0], windows.pads_end[0]
    if not isinstance(begin, int) or not isinstance(end, int):
        return False
    axis = weights.constant(np.array([2], np.int64), "axis")
    filters = weights.constant(np.expand_dims(np.asarray(shapes.constant(op.w)), 2), "filters")
    wide = UnsqueezeOp.build(operands=[op.x, axis.output], result_types=[_placeholder(op.x)])
    properties: dict[str, Attribute] = {
        "strides": _ints([1, *windows.strides]),
        "dilations": _ints([1, *windows.dilations]),
        "pads": _ints([0, begin, 0, end]),
        "auto_pad": StringAttr("NOTSET"),
    }
    if "group" in op.properties:
        properties["group"] = op.properties["group"]
    bias = [] if op.b is None else [op.b]
    conv = ConvOp.build(operands=[wide.results[0], filters.output, bias], result_types=[_placeholder(op.x)], properties=properties)
    narrow = SqueezeOp.build(operands=[conv.y, [axis.output]], result_types=[_placeholder(op.x)])
    for new in (axis, filters, wide, conv, narrow):
        new.location = op.location
        block.insert_op_before(new, op)
        shapes.infer_op(new)
    narrow.results[0].name_hint = op.y.name_hint
    op.y.replace_all_uses_with(narrow.results[0])
    op.detach()
    op.erase()
    return True


def _placeholder(like: SSAValue) -> TensorType:
    """A type that shape inference refines."""
    assert isinstance(like.type, TensorType)
    return TensorType(like.type.element_type, [])


def _ints(values: Sequence[int]) -> DenseArrayBase:
    return DenseArrayBase.from_list(i64, list(values))
