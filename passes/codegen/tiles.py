"""Sizes of register tiles: how many rows stand beside so many vectors, and how tiles cover matrices and planes. Lowerings to linalg, which
lay weights out in panels, and strategies of this folder ask the same functions."""

from __future__ import annotations

from collections.abc import Sequence

TRAFFIC = 0.2
"""What a row or a vector of a step of a register tile costs beside one multiply-add of the two: it comes from a cache."""


def best_vectors(m: int | None, n: int, most: int, choices: Sequence[int]) -> int:
    """Vectors of a panel for m rows, None where they are not known, and n vectors of columns: the least work of all register tiles, the
    last panel having as many vectors as are left. most: rows of a tile of two vectors."""

    def cost(vectors: int) -> float:
        rows = rows_beside(most, vectors) if m is None else best_rows(m, rows_beside(most, vectors))
        tiles = 1 / rows if m is None else -(-m // rows)
        whole, left = divmod(n, vectors)

        def step(v: int) -> float:
            return rows * v + TRAFFIC * (rows + v) if v else 0

        return tiles * (whole * step(vectors) + step(left))

    return min(choices, key=cost)


def rows_beside(most: int, vectors: int) -> int:
    """Rows of a register tile of so many vectors on a machine that holds `most` rows of two: sums, the vectors and one value of the left
    operand are in registers, of which there is a power of two. A block of 16 channels is four vectors on narrow machines."""
    registers = 1 << (2 * most + 2).bit_length()
    return max(1, min(most, (registers - 1 - vectors) // vectors)) if vectors else most


def best_rows(m: int, most: int) -> int:
    """Rows of a register tile for m rows: the fewest tile steps' cost, where a tile of r rows costs about r + 1 (the panel load)."""
    if m <= most:
        return m
    return min(range(max(1, most // 2), most + 1), key=lambda r: (-(-m // r) * (r + 1), -r))


EVEN = 1.01
"""How many times more work tiles have to be that overlap, for some of two sizes to be worth their code."""


def even_rows(m: int, most: int) -> int:
    """Rows of the larger tiles where m rows are shared evenly by tiles of at most so many, some of them one row shorter; 0 where
    tiles of one size do as well: 128 rows by 9 are 15 tiles, the work of 135."""
    if m <= most:
        return 0
    count, overlapping = -(-m // most), best_rows(m, most)
    rows, work = -(-m // count), -(-m // overlapping) * (overlapping + 1)
    return rows if rows > 1 and rows * count != m and work > EVEN * (m + count) else 0


def best_plane(height: int, width: int, most: int) -> tuple[int, int]:
    """(rows, columns) of a register tile of at most `most` pixels for a plane, overlap and panel loads counted."""

    def cost(tile: tuple[int, int]) -> tuple[int, int]:
        th, tw = tile
        return -(-height // th) * -(-width // tw) * (th * tw + 1), -tw

    shapes = [(th, tw) for th in range(1, min(height, most) + 1) for tw in range(1, min(width, most // th) + 1)]
    return min(shapes, key=cost)
