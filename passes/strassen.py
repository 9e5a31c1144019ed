"""The numbers of Strassen's algorithm: matrices in four quarters multiply by seven products of sums of quarters, in place of eight.

V. Strassen, Gaussian Elimination is not Optimal, 1969. Quarters are in row-major order, 11, 12, 21, 22.
"""

from __future__ import annotations

import numpy as np

from .codegen.tiles import best_rows, even_rows, rows_beside

LEFT = np.array([[1, 0, 0, 1], [0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0], [-1, 0, 1, 0], [0, 1, 0, -1]])
RIGHT = np.array([[1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, -1], [-1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1]])
RESULT = np.array([[1, 0, 0, 1, -1, 0, 1], [0, 0, 1, 0, 1, 0, 0], [0, 1, 0, 1, 0, 0, 0], [1, -1, 1, 0, 0, 1, 0]])
"""Which quarters, with their signs, make each of the seven left operands and right ones; which products make each quarter of the result."""

PRODUCTS = len(LEFT)

FEWEST_ROWS = 96
"""Fewer rows leave too little work for each sum of weights."""

STRETCH = 224
"""Pairs of rows that a sum of weights serves at most: products of all of them, begun, stay in the second cache."""

STEPS = 24
"""Blocks of a half of the reduced dimension that go by at a time: seven panels of them take 336 KiB of the second cache."""

WORTH = 0.985
"""What it may take of the plain product's time to be chosen."""

WEIGHTS, ROWS, RESULTS = 33, (50, 130), 55
"""Cycles that it takes to sum four times LANES weights, as many elements of the left operand (in the second cache, and beyond), and seven
times of products: measured, with what products take to begin and end. On shorter vectors all takes as long."""

LANES = 16

CACHE = 1 << 20
"""Bytes of sums of the left operand that the second cache holds."""


def cycles(m: int, k: int, n: int, most: int, shared: int = 1) -> tuple[float, float]:
    """Roughly how long a product (m, k) by (k, n) takes plainly and by Strassen's algorithm; most: rows of a register tile; shared: how
    many products have the left operand, and the sums of it."""
    columns = n / LANES

    def covered(m: int) -> int:
        each = best_rows(m, rows_beside(most, 2))
        return -(-m // each) * each

    half = -(-m // 2)
    stretches = -(-half // STRETCH)
    rows_cost = ROWS[PRODUCTS * half * k * 2 > CACHE] / shared
    sums = (stretches * WEIGHTS * k * columns + rows_cost * half * k / LANES * 2 + RESULTS * half * columns * 2) / 4
    plain = m if even_rows(m, rows_beside(most, 2)) else covered(m)
    return plain * k * columns, PRODUCTS * covered(half) * k * columns / 4 + sums
