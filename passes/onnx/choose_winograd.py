"""Chooses Winograd's algorithm and its tiles, convolution by convolution, where it is faster and precise enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from typing_extensions import override
from xdsl.dialects.builtin import DenseArrayBase, i64
from xdsl.ir import Block

from ...dialects import blocked
from ...dialects.onnx.dims import Dim
from ...dialects.onnx.shapes import Shapes
from ..codegen.tiles import best_rows
from ..winograd import Tile, estimated_error, tiles
from .analysis import OnnxPass
from .weights import Weights

BLOCK = blocked.BLOCK

MOST_ERROR = 5e-5
"""The largest error that a layer may have on float32, relative to its largest output."""

CAUTION = 4
"""How many times larger than estimated an error may turn out: a real layer's inputs are not the independent ones of the estimate."""

WORTH = 0.9
"""What the algorithm may take of the direct kernel's time to be chosen; the estimates are no better than that."""

MEMORY, CACHE = (8, 5), (25, 25)
"""Bytes of weights that arrive at a core in a cycle, from memory or from the last cache, and where another core reads, too. Zen 4 gave one
core 29 GB/s of memory, two 35 together."""

LAST_CACHE = 32 << 20
"""Weights of a whole model of up to this many bytes stay in the last cache from run to run."""

TRANSFORM = 0.9
"""Cycles of a term of a transform's sums, of a vector: with what it takes to read and write them."""

MOST_MEASURED = 3
"""As many tiles are measured, those of the best estimates."""

Outputs = tuple[int, ...]
"""Outputs of a tile down and across, empty for the direct kernel."""

Measure = Callable[[blocked.ConvOp, Shapes, Sequence[Outputs]], "Outputs | None"]
"""Which of several values of `winograd` is fastest for a convolution; None where that is not known."""


class ChooseWinograd(OnnxPass):
    """Marks convolutions that Winograd's algorithm computes."""

    name = "choose-winograd"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return choose_winograd(block, shapes)


def choose_winograd(block: Block, shapes: Shapes, target: Any = None, measure: Measure | None = None) -> bool:
    """Rewrites a block of the onnx level; whether anything changed. measure: asked first, the estimates where it does not know."""
    convolutions = [op for op in block.ops if isinstance(op, blocked.ConvOp)]
    bytes = CACHE if sum(_weight_bytes(op, shapes) for op in convolutions) <= LAST_CACHE else MEMORY
    machine = Machine(target.lanes(32), target.mr, target.fmas, bytes) if target is not None else Machine(bytes=bytes)
    changed = False
    for op in convolutions:
        measured = _measured(op, shapes, machine, measure) if measure is not None else None
        if outputs := chosen(op, shapes, machine) if measured is None else measured:
            op.properties["winograd"] = DenseArrayBase.from_list(i64, outputs)
            changed = True
    return changed


def _weight_bytes(op: blocked.ConvOp, shapes: Shapes) -> int:
    """Of a convolution's weights, transformed for large tiles if they can be."""
    weights = shapes.constant(op.w)
    if weights is None:
        return 0
    return 4 * weights.size * (4 if is_possible(op, shapes) else 1)


@dataclass(frozen=True)
class Machine:
    """Lanes of a vector, rows of a register tile, and in a cycle the multiply-adds of vectors and the bytes of weights that
    arrive, see `MEMORY`."""

    lanes: int = BLOCK
    rows: int = 14
    fmas: int = 2
    bytes: tuple[int, int] = CACHE


def _measured(op: blocked.ConvOp, shapes: Shapes, machine: Machine, measure: Measure) -> Outputs | None:
    precise = list(islice(_precise(op, shapes, machine), MOST_MEASURED))
    return measure(op, shapes, [(), *map(_outputs, precise)]) if precise else None


def chosen(op: blocked.ConvOp, shapes: Shapes, machine: Machine) -> Outputs:
    """The fastest of the tiles that are precise enough, if it is worth it."""
    return next((_outputs(tile) for tile in _precise(op, shapes, machine, WORTH)), ())


def _outputs(tile: Tile) -> Outputs:
    return tile.down.outputs, tile.across.outputs


def _precise(op: blocked.ConvOp, shapes: Shapes, machine: Machine, worth: float = 1) -> Iterator[Tile]:
    """Tiles of small enough an error that take at most `worth` of the direct kernel's time, the fastest first."""
    weights, (batch, _, height, width, _) = shapes.constant(op.w), shapes.of(op.y)
    if weights is None or not is_possible(op, shapes):
        return
    layer = Layer(batch if isinstance(batch, int) else 1, *weights.shape[:2], height, width)  # type: ignore[arg-type]
    taps, strides = op.attr("kernel_shape"), op.attr("strides")
    most = worth * cycles(layer, Tile.of((1, 1), taps, strides), machine)
    estimates = {tile: cycles(layer, tile, machine) for tile in tiles(taps, strides)}
    for tile in sorted((t for t in estimates if estimates[t] <= most), key=lambda t: estimates[t]):
        if CAUTION * estimated_error(weights, tile) <= MOST_ERROR:
            yield tile


def is_possible(op: blocked.ConvOp, shapes: Shapes) -> bool:
    """No dilation, no larger strides than taps, one group, filters known, whole blocks of channels, a plane of known size."""
    if op.attr("depthwise") or op.scale is not None or any(d != 1 for d in op.attr("dilations")) or min(op.attr("pads")) < 0:
        return False
    taps, strides = op.attr("kernel_shape"), op.attr("strides")
    if any(s > t for s, t in zip(strides, taps, strict=True)) or next(tiles(taps, strides), None) is None:
        return False
    sizes: Sequence[Dim] = (*shapes.of(op.x)[1:], *shapes.of(op.y)[1:])
    return sizes[3] == BLOCK and all(isinstance(d, int) and d > 0 for d in sizes)


@dataclass(frozen=True)
class Layer:
    """A convolution's images, filters, channels, and the plane of its result."""

    images: int
    filters: int
    channels: int
    height: int
    width: int


def cycles(layer: Layer, tile: Tile, machine: Machine) -> float:
    """Roughly how long a layer takes by tiles, of one output for the direct kernel: its products or its weights' way from memory, whichever
    is longer, and the transforms; one thread's and half of two's weigh alike. A register tile of r rows takes as long as r + 1 would if its
    vectors of weights were there."""
    lanes = machine.lanes
    steps_in, steps_out = (-(-n // BLOCK) * BLOCK // lanes for n in (layer.channels, layer.filters))
    pairs = steps_in * lanes * steps_out
    count = layer.images * -(-layer.height // tile.down.outputs) * -(-layer.width // tile.across.outputs)
    rows = max(1, best_rows(count, machine.rows))
    products = -(-count // rows) * (rows + 1) / (1 + 1 / machine.rows)
    shares = [max(products / machine.fmas, lanes * 4 / bytes) for bytes in machine.bytes]
    multiplied = tile.places * pairs * sum(shares) / len(shares)
    if tile.outputs == 1:
        return multiplied
    of_inputs, of_products = tile.operations
    return multiplied + count * TRANSFORM * (steps_in * of_inputs + steps_out * of_products)
