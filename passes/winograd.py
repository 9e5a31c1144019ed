"""The numbers of Winograd's minimal filtering: which transforms a tile takes, what they do to weights, what error they bring.

Along an axis m outputs of a filter of r taps at stride s come of s (m-1) + r inputs d by as many products, y = A^T [(G g) * (B^T d)], where
* is elementwise; in a plane the axes, each with its own m, r and s, nest: Y = A^T [(G g G'^T) * (B^T d B')] A'.
S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2015
(https://arxiv.org/abs/1509.09308).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

POINTS = {
    1: (0.0,),
    2: (0.625, -0.625),
    3: (0.0, 1.0, -1.0),
    4: (0.375, -0.375, 1.25, -1.25),
    5: (0.0, 0.625, -0.625, 1.5, -1.5),
    6: (0.375, -0.375, 0.875, -0.875, 1.5, -1.5),
    7: (0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0),
    8: (0.25, -0.25, 0.75, -0.75, 1.125, -1.125, 1.875, -1.875),
}
"""Where the polynomials are evaluated, by how many points there are beside infinity. Exact in float32, as all that is made of them for
inputs; after 0, if it is one, they come in pairs of opposite sign, so that two transformed values share their parts. They bring the
least error among multiples of 1/8, or close to it: of five, 5/8 and 3/2 bring less than half the error of 1 and 2, and of 1/2 and 1."""

MOST_OUTPUTS = 8


@dataclass(frozen=True)
class Axis:
    """A tile along an axis: how many outputs it has, and the filter's taps and stride, which is no larger."""

    outputs: int
    taps: int
    stride: int

    @property
    def size(self) -> int:
        """Inputs of a tile, and products."""
        return self.stride * (self.outputs - 1) + self.taps

    @property
    def step(self) -> int:
        """Inputs from a tile to the next."""
        return self.stride * self.outputs

    @cached_property
    def phases(self) -> list[int]:
        """Taps of each of the filters of stride 1 that inputs `stride` apart go through."""
        return [len(range(phase, self.taps, self.stride)) for phase in range(self.stride)]


@dataclass(frozen=True)
class Tile:
    """A tile of a plane."""

    down: Axis
    across: Axis

    @staticmethod
    def of(outputs: Sequence[int], taps: Sequence[int], strides: Sequence[int]) -> Tile:
        """Each of them down and across."""
        return Tile(*(Axis(*axis) for axis in zip(outputs, taps, strides, strict=True)))

    @property
    def places(self) -> int:
        """Products of a tile, a channel and a filter."""
        return self.down.size * self.across.size

    @property
    def outputs(self) -> int:
        return self.down.outputs * self.across.outputs

    @property
    def operations(self) -> tuple[int, int]:
        """Terms of all sums of a tile's two transforms, of inputs and of products."""
        (a, b), (down, across) = (transforms(axis) for axis in (self.down, self.across)), (self.down, self.across)
        of_inputs = _terms(a.input) * across.size + down.size * _terms(b.input)
        return of_inputs, _terms(a.output) * across.size + down.outputs * _terms(b.output)


def _terms(matrix: np.ndarray) -> int:
    return int(np.count_nonzero(matrix))


def tiles(taps: Sequence[int], strides: Sequence[int]) -> Iterator[Tile]:
    """Those that take fewer products than the outputs alone."""
    down, across = (list(_axes(*axis)) for axis in zip(taps, strides, strict=True))
    yield from (Tile(a, b) for a in down for b in across if a.outputs * b.outputs > 1)


def _axes(taps: int, stride: int) -> Iterator[Axis]:
    """One output, which its products make directly, and as many as there are points for."""
    for outputs in range(1, MOST_OUTPUTS + 1):
        axis = Axis(outputs, taps, stride)
        if outputs == 1 or 1 < max(axis.phases) <= max(POINTS) + 2 - outputs:
            yield axis


@dataclass(frozen=True)
class Transforms:
    """A^T (outputs, size), G (size, taps) and B^T (size, size) in float64."""

    output: np.ndarray
    weight: np.ndarray
    input: np.ndarray


@cache
def transforms(axis: Axis) -> Transforms:
    """The transforms along an axis. Inputs at each phase of the stride go through a filter of their own, of the taps at that phase, and its
    outputs are added."""
    size, begin = axis.size, 0
    output, weight, input = np.zeros((axis.outputs, size)), np.zeros((size, axis.taps)), np.zeros((size, size))
    for phase, taps in enumerate(axis.phases):
        part = _toom_cook(axis.outputs, taps)
        here, end = slice(phase, None, axis.stride), begin + axis.outputs + taps - 1
        output[:, begin:end], weight[begin:end, here], input[begin:end, here] = part.output, part.weight, part.input
        begin = end
    return Transforms(output, weight, input)


def _toom_cook(outputs: int, taps: int) -> Transforms:
    """Of stride 1, by Toom and Cook's construction at `POINTS`; rows of B^T are monic polynomials. One output, or one tap, takes every
    product as it is."""
    size = outputs + taps - 1
    if outputs == 1:
        return Transforms(np.ones((1, size)), np.eye(size), np.eye(size))
    if taps == 1:
        return Transforms(np.eye(size), np.ones((size, 1)), np.eye(size))
    points = np.array(POINTS[size - 1])
    output, weight, input = np.zeros((outputs, size)), np.zeros((size, taps)), np.zeros((size, size))
    for n, point in enumerate(points):
        others = np.delete(points, n)
        output[:, n] = point ** np.arange(outputs)
        weight[n] = point ** np.arange(taps) / np.prod(point - others)
        input[n, :-1] = np.poly(others)[::-1]
    output[-1, -1] = weight[-1, -1] = 1
    input[-1] = np.poly(points)[::-1]
    return Transforms(output, weight, input)


MOST_UNITS = 32
"""A layer is cut into no more units than about this, each of which may run with scratch of its own."""


FEWEST_PANELS = 2
"""Transforming a block's inputs takes a fifth of its products with one panel."""


def unit(blocks: int, panels: int) -> tuple[int, int]:
    """(blocks of tiles, panels of filters) in a unit of a layer's work: as few panels only as threads need where blocks are few, since
    every unit transforms its blocks' inputs anew."""
    of_blocks = -(-blocks // MOST_UNITS)
    groups = min(panels, max(1, MOST_UNITS // -(-blocks // of_blocks)))
    return of_blocks, max(-(-panels // groups), min(FEWEST_PANELS, panels))


def _plane_transform(tile: Tile) -> np.ndarray:
    """What makes (places) of a filter's taps, (taps down * taps across)."""
    return np.kron(transforms(tile.down).weight, transforms(tile.across).weight)


def transform_weights(weights: np.ndarray, tile: Tile) -> np.ndarray:
    """weights (K, C, kh, kw) as (places, K, C), computed in float64."""
    flat = weights.astype(np.float64).reshape(-1, tile.down.taps * tile.across.taps)
    return (_plane_transform(tile) @ flat.T).reshape(-1, *weights.shape[:2])


ROUNDING = 2.0**-24
"""Half the distance of float32 numbers next to 1."""


def estimated_error(weights: np.ndarray, tile: Tile) -> float:
    """The error of a layer with weights (K, C, kh, kw) in float32, relative to its largest output, for inputs that are independent and
    alike: of each output its deviation due to rounding, the largest of all over the largest deviation of an output.

    A rounding is off by about 0.42 of `ROUNDING`; a product is rounded in its two transforms before and the one after it, and with each
    of the C channels it is added to. 0 for weights that are all zero, not a number for such as are not finite.
    """
    filters, channels = weights.shape[:2]
    taps = weights.reshape(filters, channels, -1).transpose(0, 2, 1).astype(np.float32)
    moments = taps @ taps.transpose(0, 2, 1)  # of each filter's taps: with them the squares of all transformed weights are few products
    g, down, across = _plane_transform(tile), transforms(tile.down), transforms(tile.across)
    power = np.einsum("pi,kij,pj->kp", g, moments.astype(np.float64), g, optimize=True)
    spread = np.outer((down.input**2).sum(1), (across.input**2).sum(1)).reshape(-1)
    back = np.kron(down.output**2, across.output**2)
    roundings = 0.18 * (ROUNDS + channels / 2)
    wrong = np.sqrt(np.max(power * spread @ back.T, initial=0) * roundings) * ROUNDING
    largest = np.sqrt(np.max(np.trace(moments, axis1=1, axis2=2), initial=0))
    return float(wrong / largest) if largest else 0.0


ROUNDS = 8
"""Roundings of a product in the transforms, those of sums of a few terms taken together."""
