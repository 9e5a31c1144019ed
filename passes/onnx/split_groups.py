"""Takes grouped convolutions with constant weights apart, where each group fills whole blocks of channels: dense ones have fast kernels."""

from __future__ import annotations

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import IntegerAttr, TensorType, f32, i64
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.blocked import BLOCK
from ...dialects.onnx.conv import ConvOp
from ...dialects.onnx.shapes import Shapes
from ...dialects.onnx.slicing import ConcatOp, SplitOp
from .analysis import OnnxPass
from .weights import Weights

MOST_GROUPS = 8
"""Beyond it, so many dispatches take longer than they save."""


class SplitGroups(OnnxPass):
    """Makes grouped convolutions a split, a convolution for each group, and a concatenation."""

    name = "split-groups"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return split_groups(block, shapes, weights)


def split_groups(block: Block, shapes: Shapes, weights: Weights) -> bool:
    """Rewrites a block; whether anything changed."""
    changed = False
    for op in list(block.ops):
        if isinstance(op, ConvOp) and _fits(op, shapes):
            _split(op, block, shapes, weights)
            changed = True
    return changed


def _fits(op: ConvOp, shapes: Shapes) -> bool:
    group, x = op.attr("group"), op.x.type
    if not 1 < group <= MOST_GROUPS or shapes.rank(op.x) != 4 or not isinstance(x, TensorType) or x.element_type != f32:
        return False
    filters = shapes.constant(op.w)
    if filters is None or (op.b is not None and shapes.constant(op.b) is None):
        return False
    return filters.shape[0] % (group * BLOCK) == 0 and filters.shape[1] % BLOCK == 0


def _split(op: ConvOp, block: Block, shapes: Shapes, weights: Weights) -> None:
    group = op.attr("group")
    filters = np.split(np.asarray(shapes.constant(op.w)), group)
    biases = [None] * group if op.b is None else np.split(np.asarray(shapes.constant(op.b)), group)
    placeholder = TensorType(f32, [])

    def insert(new: Operation) -> Operation:
        new.location = op.location
        block.insert_op_before(new, op)
        shapes.infer_op(new)  # type: ignore[arg-type]
        return new

    def constant(array: np.ndarray, name: str) -> SSAValue:
        return insert(weights.constant(np.ascontiguousarray(array), name)).results[0]

    sizes = constant(np.full(group, filters[0].shape[1], np.int64), "sizes")
    axis = {"axis": IntegerAttr(1, i64)}
    parts = insert(SplitOp.build(operands=[op.x, [sizes]], result_types=[[placeholder] * group], properties=axis))
    properties = {k: v for k, v in op.properties.items() if k != "group" and not k.endswith("SegmentSizes")}
    results: list[SSAValue] = []
    for part, own, bias in zip(parts.results, filters, biases, strict=True):
        operands = [part, constant(own, "filters"), [] if bias is None else [constant(bias, "bias")]]
        results.append(insert(ConvOp.build(operands=operands, result_types=[placeholder], properties=properties)).results[0])
    joined = insert(ConcatOp.build(operands=[results], result_types=[placeholder], properties=axis)).results[0]
    joined.name_hint = op.y.name_hint
    op.y.replace_all_uses_with(joined)
    op.detach()
    op.erase()
