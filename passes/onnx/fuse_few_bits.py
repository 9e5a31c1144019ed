"""Recognises products with weights of four or eight bits that are scaled by blocks along the reduced axis, and makes each one operator:
its kernel reads the weights as they are stored, an eighth or a quarter of what they are as floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import IntegerAttr, f32, i64
from xdsl.ir import Block, Operation, SSAValue

from ...dialects import fused, locations
from ...dialects.onnx.matmul import MatMulOp
from ...dialects.onnx.quantization import DequantizeLinearOp
from ...dialects.onnx.reshaping import TransposeOp
from ...dialects.onnx.shapes import Shapes
from .analysis import OnnxPass
from .weights import Weights

BITS = {"uint4": 4, "int4": 4, "uint8": 8, "int8": 8}
WORD = 32


class FuseFewBits(OnnxPass):
    """Fuses a matrix product and the DequantizeLinear of its constant right operand."""

    name = "fuse-few-bits"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return fuse_few_bits(block, shapes, weights)


def fuse_few_bits(block: Block, shapes: Shapes, weights: Weights) -> bool:
    """Rewrites a block; whether anything changed."""
    found = [op for op in block.ops if isinstance(op, MatMulOp)]
    return sum(_fuse(op, block, shapes, weights) for op in found) > 0


@dataclass(frozen=True)
class _Filters:
    """The right operand of a product: codes (N, K) and points (N, blocks) of no sign, scales (N, blocks); and what made it."""

    codes: np.ndarray
    points: np.ndarray
    scales: np.ndarray
    bits: int
    block: int
    made_by: list[Operation]


def _fuse(product: MatMulOp, block: Block, shapes: Shapes, weights: Weights) -> bool:
    if product.a.type.element_type != f32 or shapes.rank(product.a) < 2:  # type: ignore[union-attr]
        return False
    if (filters := _filters(product.b, shapes)) is None:
        return False
    constants = [weights.constant(array, "few_bits") for array in (filters.codes, filters.scales, filters.points)]
    new = fused.FewBitsMatMulOp.build(
        operands=[product.a, *(c.output for c in constants)],
        result_types=[product.results[0].type],
        properties={"bits": IntegerAttr(filters.bits, i64), "block": IntegerAttr(filters.block, i64)},
    )
    new.location = locations.fused(product.location, *(op.location for op in filters.made_by))
    for op in (*constants, new):
        block.insert_op_before(op, product)
        shapes.infer_op(op)
    new.y.name_hint = product.results[0].name_hint
    product.results[0].replace_all_uses_with(new.y)
    for op in (product, *filters.made_by):
        if not any(list(r.uses) for r in op.results):  # others may read the weights as floats
            op.detach()
            op.erase()
    return True


def _filters(value: SSAValue, shapes: Shapes) -> _Filters | None:
    """What a value was dequantised from, if that is a constant matrix of few bits in whole blocks along K."""
    source, made_by = value.owner, cast("list[Operation]", [])
    turned = False
    if isinstance(source, TransposeOp):
        turned = shapes.rank(source.data) == 2 and source.order(2) == (1, 0)
        made_by.append(source)
        source = source.data.owner
    if not isinstance(source, DequantizeLinearOp) or shapes.rank(source.x) != 2:
        return None
    made_by.append(source)
    codes, scales = shapes.constant(source.x), shapes.constant(source.x_scale)
    points = np.zeros((), np.int8) if source.x_zero_point is None else shapes.constant(source.x_zero_point)
    block, axis = source.attr("block_size"), source.attr("axis") % 2
    if codes is None or scales is None or points is None or scales.dtype != np.float32 or codes.dtype.name not in BITS:
        return None
    bits = BITS[codes.dtype.name]
    if axis != int(turned) or not block or block * bits % WORD or codes.shape[axis] % block or 0 in codes.shape:
        return None
    whole = list(codes.shape)
    whole[axis] //= block
    if list(scales.shape) != whole:  # one for all, whatever the block size
        return None
    shift = 0 if codes.dtype.name.startswith("u") else 1 << (bits - 1)
    codes, points = ((array.astype(np.int16) + shift).astype(np.uint8) for array in (codes, np.broadcast_to(points, scales.shape)))
    if not turned:
        codes, points, scales = codes.T, points.T, scales.T
    return _Filters(*(np.ascontiguousarray(a) for a in (codes, points, scales)), bits, block, made_by)
