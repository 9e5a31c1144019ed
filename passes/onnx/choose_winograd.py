"""Chooses Winograd's algorithm for convolutions of 3x3 taps, layer by layer, where it is faster and precise enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.ir import Block

from ...dialects import blocked
from ...dialects.onnx.dims import Dim
from ...dialects.onnx.shapes import Shapes
from ..winograd import POINTS, TAPS, estimated_error
from .analysis import OnnxPass
from .weights import Weights

BLOCK = blocked.BLOCK

MOST_ERROR = 5e-5
"""The largest error that a layer may have on float32, relative to its largest output."""

CAUTION = 4
"""How many times larger than estimated an error may turn out: a real layer's inputs are not the independent ones of the estimate."""

WORTH = 0.9
"""What the algorithm may take of the direct kernel's time to be chosen; the estimates are no better than that."""

FMAS, MEMORY, CACHE = 2, 9, 25
"""Vector multiply-adds, and bytes of weights from memory or the last cache, in a cycle: of a fast core (4 GHz, 36 and 100 GB/s), since it
is there that reading four times the weights loses first."""

LAST_CACHE = 32 << 20
"""Weights of a whole model of up to this many bytes stay in the last cache from run to run."""

TRANSFORM = {2: 40, 4: 150, 5: 230}
"""Cycles that it takes to transform one tile and vector of channels, in or out: measured as what is left beside the products."""


Measure = Callable[[blocked.ConvOp, Shapes, Sequence[int]], "int | None"]
"""Which of several values of `winograd` is fastest for a convolution; None where that is not known."""


class ChooseWinograd(OnnxPass):
    """Marks convolutions that Winograd's algorithm computes."""

    name = "choose-winograd"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return choose_winograd(block, shapes)


def choose_winograd(block: Block, shapes: Shapes, target: Any = None, measure: Measure | None = None) -> bool:
    """Rewrites a block of the onnx level; whether anything changed. measure: asked first, the estimates where it does not know."""
    lanes = target.lanes(32) if target is not None else BLOCK
    convolutions = [op for op in block.ops if isinstance(op, blocked.ConvOp)]
    machine = Machine(lanes, CACHE if sum(_weight_bytes(op, shapes) for op in convolutions) <= LAST_CACHE else MEMORY)
    changed = False
    for op in convolutions:
        measured = _measured(op, shapes, measure) if measure is not None else None
        if m := chosen(op, shapes, machine) if measured is None else measured:
            op.properties["winograd"] = IntegerAttr(m, i64)
            changed = True
    return changed


def _measured(op: blocked.ConvOp, shapes: Shapes, measure: Measure) -> int | None:
    weights = shapes.constant(op.w) if is_possible(op, shapes) else None
    precise = [m for m in sorted(POINTS) if _is_precise(weights, m)] if weights is not None else []
    return measure(op, shapes, [0, *precise]) if precise else None


def _is_precise(weights: np.ndarray, m: int) -> bool:
    return CAUTION * estimated_error(weights, m) <= MOST_ERROR


def _weight_bytes(op: blocked.ConvOp, shapes: Shapes) -> int:
    """Of a convolution's weights, transformed for the largest tiles if they can be."""
    weights = shapes.constant(op.w)
    if weights is None:
        return 0
    return 4 * weights.size * (4 if is_possible(op, shapes) else 1)


@dataclass(frozen=True)
class Machine:
    """Lanes of a vector, and bytes of weights that arrive in a cycle."""

    lanes: int
    bytes: int


def chosen(op: blocked.ConvOp, shapes: Shapes, machine: Machine) -> int:
    """Outputs of a tile along an axis, 0 for the direct kernel: the fastest of those that are precise enough."""
    if not is_possible(op, shapes):
        return 0
    weights, (batch, _, height, width, _) = shapes.constant(op.w), shapes.of(op.y)
    if weights is None:
        return 0
    layer = (batch if isinstance(batch, int) else 1, *weights.shape[:2], height, width)
    most = WORTH * cycles(layer, 0, machine)
    for m in sorted(POINTS, key=lambda m: cycles(layer, m, machine)):
        if cycles(layer, m, machine) <= most and _is_precise(weights, m):
            return m
    return 0


def is_possible(op: blocked.ConvOp, shapes: Shapes) -> bool:
    """3x3 taps, stride 1, one group, filters known, whole blocks of channels, a plane of known size."""
    ones = all(n == 1 for name in ("strides", "dilations") for n in op.attr(name))
    if op.attr("depthwise") or op.scale is not None:
        return False
    if tuple(op.attr("kernel_shape")) != (TAPS, TAPS) or not ones or min(op.attr("pads")) < 0:
        return False
    sizes: Sequence[Dim] = (*shapes.of(op.x)[1:], *shapes.of(op.y)[1:])
    return sizes[3] == BLOCK and all(isinstance(d, int) and d > 0 for d in sizes)


def cycles(layer: tuple[Any, ...], m: int, machine: Machine) -> float:
    """Roughly how long a layer (images, filters, channels, height, width) takes, directly for m = 0: its products or its weights' way
    from memory, whichever is longer, and the transforms."""
    images, filters, channels, height, width = layer
    lanes = machine.lanes
    steps_in, steps_out = (-(-n // BLOCK) * BLOCK // lanes for n in (channels, filters))
    pairs = steps_in * lanes * steps_out
    if m == 0:
        return max(images * height * width * TAPS**2 * pairs / FMAS, TAPS**2 * pairs * lanes * 4 / machine.bytes)
    tiles, places = images * -(-height // m) * -(-width // m), (m + TAPS - 1) ** 2
    return max(tiles * places * pairs / FMAS, places * pairs * lanes * 4 / machine.bytes) + tiles * (steps_in + steps_out) * TRANSFORM[m]
