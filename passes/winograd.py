"""The numbers of Winograd's minimal filtering F(m x m, 3 x 3): which transforms it takes, what they do to weights, what error they bring.

One tile of m x m outputs reads (m+2) x (m+2) inputs: Y = A^T [(G g G^T) * (B^T d B)] A, where * is elementwise.
S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2015
(https://arxiv.org/abs/1509.09308).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

TAPS = 3
"""The kernel's size along an axis."""

POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 0.625, -0.625, 1.5, -1.5), 5: (0.375, -0.375, 0.875, -0.875, 1.5, -1.5)}
"""Where the polynomials are evaluated, by m; infinity is one more. Exact in float32; after 0, if it is one, they come in pairs of opposite
sign, so that two transformed values share their parts. For m = 4, 5/8 and 3/2 bring less than half the error of 1 and 2, and of 1/2 and 1:
1.0e-6 against 2.2e-6 (root mean square, 128 channels). For m = 5, without 0 it is two thirds of the least with it."""


def first_pair(m: int) -> int:
    """Which of the points is the first of a pair."""
    return int(POINTS[m][0] == 0)


@dataclass(frozen=True)
class Transforms:
    """A^T (m, m+2), G (m+2, 3) and B^T (m+2, m+2) in float64."""

    output: np.ndarray
    weight: np.ndarray
    input: np.ndarray


@cache
def transforms(m: int) -> Transforms:
    """The transforms of tiles of m x m outputs, by Toom and Cook's construction at `POINTS`; rows of B^T are monic polynomials."""
    points = np.array(POINTS[m])
    size = m + TAPS - 1
    output, weight, input = np.zeros((m, size)), np.zeros((size, TAPS)), np.zeros((size, size))
    for n, point in enumerate(points):
        others = np.delete(points, n)
        output[:, n] = point ** np.arange(m)
        weight[n] = point ** np.arange(TAPS) / np.prod(point - others)
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


def transform_weights(weights: np.ndarray, m: int) -> np.ndarray:
    """weights (K, C, 3, 3) as ((m+2)^2, K, C), computed in float64."""
    g = transforms(m).weight
    flat = weights.astype(np.float64).reshape(-1, TAPS * TAPS)
    return (np.kron(g, g) @ flat.T).reshape(-1, *weights.shape[:2])


ROUNDING = 2.0**-24
"""Half the distance of float32 numbers next to 1."""


def estimated_error(weights: np.ndarray, m: int) -> float:
    """The error of a layer with weights (K, C, 3, 3) in float32, relative to its largest output, for inputs that are independent and
    alike: of each output its deviation due to rounding, the largest of all over the largest deviation of an output.

    A rounding is off by about 0.42 of `ROUNDING`; a product is rounded in its two transforms before and the one after it, and with each
    of the C channels it is added to. 0 for weights that are all zero, not a number for such as are not finite.
    """
    t = transforms(m)
    filters, channels = weights.shape[:2]
    taps = weights.reshape(filters, channels, TAPS * TAPS).transpose(0, 2, 1).astype(np.float32)
    moments = taps @ taps.transpose(0, 2, 1)  # of each filter's taps: with them the squares of all transformed weights are few products
    g = np.kron(t.weight, t.weight)
    power = np.einsum("pi,kij,pj->kp", g, moments.astype(np.float64), g, optimize=True)
    spread = np.outer((t.input**2).sum(1), (t.input**2).sum(1)).reshape(-1)
    back = np.kron(t.output**2, t.output**2)
    roundings = 0.18 * (ROUNDS + channels / 2)
    wrong = np.sqrt(np.max(power * spread @ back.T, initial=0) * roundings) * ROUNDING
    largest = np.sqrt(np.max(np.trace(moments, axis1=1, axis2=2), initial=0))
    return float(wrong / largest) if largest else 0.0


ROUNDS = 8
"""Roundings of a product in the transforms, those of sums of a few terms taken together."""
