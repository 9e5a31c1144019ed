"""Products with weights of few bits (codegen/few_bits.py): codes are packed into words in panels at compile time, each block of the
reduced axis with its scales, so that a kernel reads one stream."""

from __future__ import annotations

import numpy as np

from ...dialects import dispatch, fused
from ...dialects.onnx.dims import product
from ..scalar import FLOAT, INT32
from .builder import Lowering, Tensor
from .contraction import pack_lhs, pack_pays, panel_width, tile_rows, weight_id
from .registry import lower

WORD = 32
FEW_ROWS = 4
"""So few rows are read in place: the weights are what takes time then."""


@lower(fused.FewBitsMatMulOp)
def lower_few_bits(b: Lowering, op: fused.FewBitsMatMulOp, x: Tensor, w: Tensor, scale: Tensor, point: Tensor) -> Tensor:
    *rows, depth = x.shape
    bits, block, columns = op.attr("bits"), op.attr("block"), w.shape[0]
    width = panel_width(b, columns, 32)
    codes, scales, points = (b.weights[id] for t in (w, scale, point) if (id := weight_id(t)) is not None)
    id = f"{weight_id(w)}:words{width}"
    same = bool(np.all(points == points.flat[0]))
    if id not in b.weights:
        b.weights[id] = pack_words(codes, scales, None if same else points, bits, block, width)
    words = b.constant(b.weights[id], INT32, id)
    shape = (product(rows), columns)
    window = (bits, int(points.flat[0]) if same else -1)
    left = b.reshape(x, (shape[0], depth))
    many = not isinstance(shape[0], int) or shape[0] > FEW_ROWS
    if packed := many and pack_pays(b, left, block, tile_rows(b, width, 32)):
        left = pack_lhs(b, left, (), block)
    layout = (int(packed), 1, block, width)
    type = b.tensor_type(shape, FLOAT)
    contract = dispatch.ContractOp("few_bits", left.value, words.value, type, b.dims(shape), window=window, layout=layout)
    b.emit(contract)
    return b.reshape(Tensor(b, contract.result, shape, FLOAT), (*rows, columns))


def pack_words(codes: np.ndarray, scales: np.ndarray, points: np.ndarray | None, bits: int, block: int, width: int) -> np.ndarray:
    """codes (N, K), scales and points (N, K/block) as int32 (N/width, K/block, words and one or two more, width), see
    `dispatch.ContractOp`. Columns beyond N are zero."""
    columns, depth = codes.shape
    panels, blocks, each = -(-columns // width), depth // block, WORD // bits

    def in_panels(rows: np.ndarray) -> np.ndarray:
        padded = np.pad(rows, [(0, panels * width - columns), (0, 0)])
        return np.moveaxis(padded.reshape(panels, width, blocks, -1), 1, -1)

    split = codes.reshape(columns, -1, each)
    words = np.zeros(split.shape[:2], np.uint32)
    for n in range(each):
        words |= split[:, :, n].astype(np.uint32) << np.uint32(n * bits)
    parts = [words, scales.view(np.uint32)]
    if points is not None:
        parts.append((points.astype(np.float32) + np.float32(1 << bits)).view(np.uint32))
    return np.ascontiguousarray(np.concatenate([in_panels(part) for part in parts], axis=2)).view(np.int32)
