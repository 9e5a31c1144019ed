"""Convolutions by Winograd's algorithm as contractions: weights transformed at compile time, tiles in blocks that stay in the cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import IntegerAttr, i64

from ...dialects import blocked, dispatch
from ..codegen.tiles import best_rows
from ..scalar import FLOAT
from ..winograd import Tile, transform_weights, unit
from .builder import Lowering, Tensor
from .contraction import panel_width, weight_id

BLOCK = blocked.BLOCK


@dataclass(frozen=True)
class Machine:
    """Bytes of a core's second cache, and rows of a register tile."""

    cache: int = 1 << 20
    rows: int = 14


def winograd(b: Lowering, op: blocked.ConvOp, x: Tensor, w: Tensor) -> Tensor:
    """x (n, C/16, H, W, 16) by weights w (M, C, kh, kw): a contraction of kind "winograd" with scratch for a block of tiles."""
    outputs, shape = op.attr("winograd"), b.shapes.of(op.y)
    window = (*outputs, *op.attr("kernel_shape"), *op.attr("strides"))
    tile = Tile.of(outputs, *(op.attr(name) for name in ("kernel_shape", "strides")))
    top, left, _, _ = op.attr("pads")
    filters, channels = (int(d) for d in w.shape[:2])  # type: ignore[arg-type]
    width = max(BLOCK, panel_width(b, filters, 32))
    panels = _transformed_weights(b, w, tile, width)
    blocks_in, blocks_out = -(-channels // BLOCK), width // BLOCK
    total = tile_count(shape, tile)
    machine = Machine(b.target.l2_bytes, b.target.mr) if b.target is not None else Machine()
    tiles = block_of_tiles(total, tile.places, blocks_in * BLOCK, filters, width, machine)
    of_blocks, of_panels = unit(-(-total // tiles), -(-filters // width))
    units = -(-total // (of_blocks * tiles)) * -(-filters // (of_panels * width))
    scratch = [b.tensor_type((units, tile.places, _odd(blocks * tiles), BLOCK), FLOAT) for blocks in (blocks_in, blocks_out)]
    result, window = b.tensor_type(shape, FLOAT), (*window, tiles, top, left)
    contract = dispatch.ContractOp("winograd", x.value, panels.value, result, b.dims(shape), window=window, scratch=scratch)
    contract.properties["products"] = IntegerAttr(filters * channels * tile.places // tile.outputs, i64)  # of a tile, shared by its outputs
    b.emit(contract)
    return Tensor(b, contract.result, tuple(shape), FLOAT)


def tile_count(shape, tile: Tile) -> int:
    """Tiles of a result (n, .., height, width, lanes): of all images where n is known, else of one."""
    batch, _, height, width, _ = shape
    return (batch if isinstance(batch, int) else 1) * -(-height // tile.down.outputs) * -(-width // tile.across.outputs)


def block_of_tiles(tiles: int, places: int, channels: int, filters: int, width: int, machine: Machine) -> int:
    """Tiles that are transformed, multiplied and transformed back at a time: by what the blocks' register tiles take, on one thread and on
    two, which fare best with blocks of an even number.

    places: products of a tile; channels, filters: of the layer in whole blocks; width: filters whose products a block holds at once.
    """
    held = 4 * places * (channels + width)
    least = FETCHED if 4 * places * channels * filters > machine.cache else 0

    def cost(blocks: int) -> float:
        block = -(-tiles // blocks)
        rows = best_rows(block, machine.rows)
        one = max(least, -(-block // rows) * (rows + 1)) + BLOCK_COST
        spilt = SPILT if block * held > machine.cache // 2 else 1
        return spilt * one * (blocks + -(-blocks // 2) * 2)

    fewest = max(1, -(-tiles // max(MOST_TILES, machine.cache // held)))
    return max(1, -(-tiles // min(range(fewest, max(fewest, tiles // MIN_TILES) + 1), key=cost)))


MIN_TILES, MOST_TILES = 7, 28
"""Smaller blocks leave register tiles small; larger ones than this are no better for fetching weights."""

FETCHED, BLOCK_COST, SPILT = 12, 0.3, 1.05
"""Rows of register tiles that take as long as weights on their way from memory; what a block takes beside, in those; and what it takes more
where its transformed inputs leave the cache."""


def _odd(rows: int) -> int:
    """Rows of 64 bytes of each transformed plane: planes a multiple of 4 KiB apart would fall on the same cache sets."""
    return rows | 1


def _transformed_weights(b: Lowering, w: Tensor, tile: Tile, width: int) -> Tensor:
    """w (M, C, kh, kw) as (M/width, places, C/16, 16, width), zero beyond M and C, at compile time; rounded once, to float32."""
    weight = weight_id(w)
    assert weight is not None, "the layout pass only blocks convolutions with constant weights"
    id = f"{weight}:winograd{tile.down.outputs}x{tile.across.outputs}s{tile.down.stride}x{tile.across.stride}x{width}"
    if id not in b.weights:
        array = b.weights[weight].reshape([int(d) for d in w.shape])  # type: ignore[arg-type]
        filters, channels = array.shape[:2]
        panels, blocks = -(-filters // width), -(-channels // BLOCK)
        packed = np.zeros((panels, tile.places, blocks * BLOCK, width), np.float32)
        for panel in range(panels):  # one at a time: float64 of all would be large
            part = array[panel * width : (panel + 1) * width]
            packed[panel, :, :channels, : part.shape[0]] = transform_weights(part, tile).transpose(0, 2, 1)
        b.weights[id] = packed.reshape(panels, -1, blocks, BLOCK, width)
    return b.constant(b.weights[id], FLOAT, id)
