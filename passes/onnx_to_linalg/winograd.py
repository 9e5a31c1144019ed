"""Convolutions by Winograd's algorithm as contractions: weights transformed at compile time, tiles in blocks that stay in the cache."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import IntegerAttr, i64

from ...dialects import blocked, dispatch
from ..scalar import FLOAT
from ..winograd import TAPS, transform_weights, unit
from .builder import Lowering, Tensor
from .contraction import panel_width, weight_id

BLOCK = blocked.BLOCK

DEFAULT_CACHE = 1 << 20


def winograd(b: Lowering, op: blocked.ConvOp, x: Tensor, w: Tensor) -> Tensor:
    """x (n, C/16, H, W, 16) by weights w (M, C, 3, 3): a contraction of kind "winograd" with scratch for a block of tiles."""
    m, shape = op.attr("winograd"), b.shapes.of(op.y)
    top, left, _, _ = op.attr("pads")
    filters, channels = (int(d) for d in w.shape[:2])  # type: ignore[arg-type]
    width = max(BLOCK, panel_width(b, filters, 32))
    panels = _transformed_weights(b, w, m, width)
    blocks_in, blocks_out = -(-channels // BLOCK), width // BLOCK
    cache = b.target.l2_bytes if b.target is not None else DEFAULT_CACHE
    total = tile_count(shape, m)
    tiles = block_of_tiles(total, m, blocks_in * BLOCK + width, cache)
    of_blocks, of_panels = unit(-(-total // tiles), -(-filters // width))
    units = -(-total // (of_blocks * tiles)) * -(-filters // (of_panels * width))
    scratch = [b.tensor_type((units, (m + 2) ** 2, _odd(blocks * tiles), BLOCK), FLOAT) for blocks in (blocks_in, blocks_out)]
    contract = dispatch.ContractOp(
        "winograd", x.value, panels.value, b.tensor_type(shape, FLOAT), b.dims(shape), window=(m, tiles, top, left), scratch=scratch
    )
    contract.properties["products"] = IntegerAttr(filters * channels * (m + TAPS - 1) ** 2 // m**2, i64)  # of a tile, shared by its outputs
    b.emit(contract)
    return Tensor(b, contract.result, tuple(shape), FLOAT)


def tile_count(shape, m: int) -> int:
    """Tiles of a result (n, .., height, width, lanes): of all images where n is known, else of one."""
    batch, _, height, width, _ = shape
    return (batch if isinstance(batch, int) else 1) * -(-height // m) * -(-width // m)


def block_of_tiles(tiles: int, m: int, channels: int, cache: int) -> int:
    """Tiles that are transformed, multiplied and transformed back at a time: what takes `cache` bytes, in blocks of like size.

    channels: of input and output together.
    """
    most = max(MIN_TILES, cache // 2 // (4 * channels * (m + TAPS - 1) ** 2))
    return -(-tiles // -(-tiles // most))


MIN_TILES = 28
"""Below this, transformed weights are read too often for the work that is done with them."""


def _odd(rows: int) -> int:
    """Rows of 64 bytes of each transformed plane: planes a multiple of 4 KiB apart would fall on the same cache sets."""
    return rows | 1


def _transformed_weights(b: Lowering, w: Tensor, m: int, width: int) -> Tensor:
    """w (M, C, 3, 3) as (M/width, (m+2)^2, C/16, 16, width), zero beyond M and C, at compile time; rounded once, to float32."""
    weight = weight_id(w)
    assert weight is not None, "the layout pass only blocks convolutions with constant weights"
    id = f"{weight}:winograd{m}x{width}"
    if id not in b.weights:
        array = b.weights[weight].reshape([int(d) for d in w.shape])  # type: ignore[arg-type]
        filters, channels = array.shape[:2]
        panels, blocks = -(-filters // width), -(-channels // BLOCK)
        packed = np.zeros((panels, (m + TAPS - 1) ** 2, blocks * BLOCK, width), np.float32)
        for panel in range(panels):  # one at a time: float64 of all would be large
            part = array[panel * width : (panel + 1) * width]
            packed[panel, :, :channels, : part.shape[0]] = transform_weights(part, m).transpose(0, 2, 1)
        b.weights[id] = packed.reshape(panels, -1, blocks, BLOCK, width)
    return b.constant(b.weights[id], FLOAT, id)
