"""Folds an inference-mode BatchNormalization into the convolution before it: scales its filters, shifts its bias. Where there is none,
what is left of it is one product and one sum."""

from __future__ import annotations

from typing import Any

import numpy as np
from typing_extensions import override
from xdsl.ir import Block, SSAValue

from ...dialects import locations
from ...dialects.onnx.conv import ConvOp
from ...dialects.onnx.elementwise import AddOp, MulOp
from ...dialects.onnx.normalization import BatchNormalizationOp
from ...dialects.onnx.shapes import Shapes
from .analysis import OnnxPass
from .weights import Weights


class FuseBatchNorm(OnnxPass):
    """Folds batch normalisation into convolutions."""

    name = "fuse-batch-norm"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return fuse_batch_norm(block, shapes, weights)


def fuse_batch_norm(block: Block, shapes: Shapes, weights: Weights) -> bool:
    """Rewrites every convolution whose only user is a batch normalisation with constant parameters; whether anything changed."""
    changed = False
    for op in list(block.ops):
        if isinstance(op, BatchNormalizationOp) and _fusible(op, shapes):
            _fuse(op, block, shapes, weights)
            changed = True
        elif isinstance(op, BatchNormalizationOp) and _constant(op, shapes):
            _unfold(op, block, shapes, weights)
            changed = True
    return changed


def _constant(op: BatchNormalizationOp, shapes: Shapes) -> bool:
    parameters = (op.scale, op.b, op.input_mean, op.input_var)
    same = {v.type.element_type for v in (op.x, *parameters)}  # type: ignore[union-attr]
    return (
        not op.attr("training_mode") and len(op.results) == 1 and len(same) == 1 and all(shapes.constant(v) is not None for v in parameters)
    )


def _fusible(op: BatchNormalizationOp, shapes: Shapes) -> bool:
    conv = op.x.owner
    if not isinstance(conv, ConvOp) or not _constant(op, shapes) or len(list(conv.y.uses)) != 1:
        return False
    filters: list[SSAValue] = [conv.w, *([conv.b] if conv.b is not None else [])]
    return conv.parent is op.parent and all(shapes.constant(v) is not None for v in filters)


def _affine(op: BatchNormalizationOp, shapes: Shapes) -> tuple[np.ndarray, np.ndarray]:
    """factor and shift of one value a channel: y = factor * x + shift."""
    scale, shift, mean, variance = (_wide(shapes, v) for v in (op.scale, op.b, op.input_mean, op.input_var))
    factor = scale / np.sqrt(variance + op.attr("epsilon"))
    return factor, shift - mean * factor


def _unfold(op: BatchNormalizationOp, block: Block, shapes: Shapes, weights: Weights) -> None:
    dtype = np.asarray(shapes.constant(op.scale)).dtype
    channels = (-1, *([1] * max(0, shapes.rank(op.x) - 2)))
    value: SSAValue = op.x
    for cls, array in zip((MulOp, AddOp), _affine(op, shapes), strict=True):
        constant = weights.constant(array.astype(dtype).reshape(channels), "norm")
        step = cls.build(operands=[value, constant.output], result_types=[op.y.type])
        for new in (constant, step):
            new.location = op.location
            block.insert_op_before(new, op)
            shapes.infer_op(new)
        value = step.results[0]
    op.y.replace_all_uses_with(value)
    op.detach()
    op.erase()


def _fuse(op: BatchNormalizationOp, block: Block, shapes: Shapes, weights: Weights) -> None:
    conv = op.x.owner
    assert isinstance(conv, ConvOp)
    factor, shift = _affine(op, shapes)
    filters = _wide(shapes, conv.w)
    bias = _wide(shapes, conv.b) if conv.b is not None else np.zeros_like(shift)
    dtype = np.asarray(shapes.constant(conv.w)).dtype
    scaled = (filters * factor.reshape(-1, *([1] * (filters.ndim - 1)))).astype(dtype)
    shifted = (bias * factor + shift).astype(dtype)
    new = [weights.constant(scaled, "filters"), weights.constant(shifted, "bias")]
    for constant in new:
        block.insert_op_before(constant, op)
        shapes.infer_op(constant)
    properties = {k: v for k, v in conv.properties.items() if not k.endswith("SegmentSizes")}
    fused = ConvOp.build(operands=[conv.x, new[0].output, new[1].output], result_types=[op.results[0].type], properties=properties)
    fused.location = locations.fused(conv.location, op.location)
    block.insert_op_before(fused, op)
    shapes.infer_op(fused)
    fused.y.name_hint = op.results[0].name_hint
    op.results[0].replace_all_uses_with(fused.y)
    for old in (op, conv):
        old.detach()
        old.erase()


def _wide(shapes: Shapes, value: Any) -> np.ndarray:
    """A constant in float64: the fold should not cost accuracy."""
    return np.asarray(shapes.constant(value), np.float64)
