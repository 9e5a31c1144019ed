"""The cost model of contractions: register tiles by what registers hold, the order of loops by what caches hold.

`chosen_schedule` decides, the strategies obey. What is decided stands in the IR as the op's `schedule`, see `ChooseSchedules`, where a
search or a reader may put another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from xdsl.dialects.builtin import FixedBitwidthType, IntegerType, TensorType, i8
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineMap

from ...dialects.dispatch import ContractOp
from ...dialects.schedule import Schedule
from ...errors import IntaglioError
from ..dispatch.structure import Size, dims_of, linear_terms, logical_dims
from .kernel import Factors, factors, row_major, times
from .tiles import best_plane, best_rows, even_rows, rows_beside

UNROLL = 2
"""Steps of the reduction block unrolled. Unrolled whole (16), LLVM's scheduler hoists the broadcasts and spills accumulators: half the
speed on AVX-512; 0, 2 and 4 measured alike."""

AHEAD = 4096
"""Bytes of weights fetched ahead: a page, at whose end the processor's own prefetching stops."""

FEW_TILES = 14
"""Where a panel of weights serves so few register tiles, fetching it takes a notable part of its time. On 7x7, 2048 channels to 512 took
937 microseconds without weights fetched ahead, 909 with them; 64 to 256 on 56x56 fare better without."""

SMALL_WEIGHTS = 512 << 10
"""Bytes of a convolution's weights that stay in a core's second cache."""

LONG_ROWS, STRETCH = 1024, 256 << 10
"""Packed rows of so many elements lie in so many blocks, far apart, that nothing fetches them ahead from beyond L2: then only as many
bytes of rows as stay there beside a panel go by all panels at a time. 1500x1536x384 took 18.0 ms without it, 16.9 with it."""

LARGE_PLANE, PARTS = 448, 16
"""Pixels of a plane that is computed in parts, and about how many."""


DEFAULT_ROWS, DEFAULT_LANES = 14, 16


@dataclass(frozen=True)
class Registers:
    """Rows of a register tile of two vectors, and lanes of a vector of the accumulator's type."""

    rows: int
    lanes: int

    @property
    def count(self) -> int:
        return 1 << (2 * self.rows + 2).bit_length()


def registers_for(op: ContractOp, rows: int, lanes32: int) -> Registers:
    """Those of a machine of so many rows and lanes of 32 bits, for the op's accumulator."""
    bits = cast(FixedBitwidthType, op.epilogue.block.args[0].type).bitwidth
    return Registers(rows, max(1, lanes32 * 32 // bits))


def registers_of(op: ContractOp, target: Any) -> Registers:
    """Those of a target, or of one with AVX-512 where there is none."""
    return registers_for(op, *((target.mr, target.lanes(32)) if target is not None else (DEFAULT_ROWS, DEFAULT_LANES)))


def schedule_of(op: ContractOp, registers: Registers) -> Schedule:
    """The op's own schedule, else what the cost model chooses. Raises IntaglioError (ITG4004) for one that does not fit."""
    if op.schedule is None:
        return chosen_schedule(op, registers)
    schedule = op.schedule.data
    if op.kind.data == "conv" and schedule.down == 1:
        _, width = plane_of(op)
        if not width[1] and schedule.across > width[0]:
            message = f"its schedule has tiles of {schedule.across} pixels, its rows have {width[0]}"
            raise IntaglioError("ITG4004", message, subject=op.name, node=op.kind.data, hint="Make the tile as wide as a row at most.")
    return schedule


def chosen_schedule(op: ContractOp, registers: Registers, width: int = 0) -> Schedule:
    """What the cost model decides, for panels of `width` columns if not for those that the operand has."""
    if op.kind.data == "conv":
        return _of_convolution(op, most_rows(op, registers, width))
    if op.kind.data in ("matmul", "few_bits"):
        return _of_matmul(op, most_rows(op, registers, width))
    if op.kind.data in ("depthwise", "max_pool", "sum_pool"):
        return _of_windows(op, registers)
    return Schedule(across=most_rows(op, registers), unroll=UNROLL)


def most_rows(op: ContractOp, registers: Registers, width: int = 0) -> int:
    """Rows of a register tile beside the vectors of a panel."""
    vectors = (width or panel_width(op)) // registers.lanes
    rows = rows_beside(registers.rows, vectors)
    if op.kind.data == "few_bits":  # weights, scales and terms stand beside the sums
        return max(1, min(rows, (registers.count - 2 - 3 * vectors) // vectors))
    return rows


def is_of_bytes(op: ContractOp) -> bool:
    """Whether dot products add up groups of bytes: the right operand is [.., c/4, w, 4] then."""
    return cast(TensorType, op.lhs.type).element_type == i8 and isinstance(op.epilogue.block.args[0].type, IntegerType)


def panel_width(op: ContractOp) -> int:
    """Columns of a panel of the right operand."""
    return int(op.layout.get_values()[3]) or cast(int, dims_of(op.rhs)[-2 if is_of_bytes(op) else -1])


def plane_of(op: ContractOp) -> tuple[Size, Factors]:
    """(rows, pixels of one) of the plane that a convolution's tiles cover: a single row, if every operand is contiguous or constant over
    the whole plane, so that tiles may run across the ends of its rows."""
    height, width = dims_of(op.result)[2:4]
    row = factors(width)
    stride_down, stride_across = (int(s) for s in op.window.get_values()[:2])
    *_, down, across, _ = row_major(dims_of(op.lhs))
    views = [(times((stride_down, ()), down), times((stride_across, ()), across))]
    for value, map in zip(op.extras, op.extra_maps.data, strict=True):
        strides = row_major(dims_of(value))
        views.append((_advance(strides, map.data, 2), _advance(strides, map.data, 3)))
    if all(down == times(across, row) for down, across in views):
        return 1, times(factors(height), row)
    return height, row


def _advance(strides: Sequence[Factors], map: AffineMap, loop: int) -> Factors:
    """How far a map's place moves with one of its dimensions, of which at most one axis depends."""
    moves = [times((c, ()), stride) for e, stride in zip(map.results, strides, strict=True) for d, c in linear_terms(e) if d == loop]
    assert len(moves) <= 1, "operands of epilogues are read without diagonals"
    return moves[0] if moves else (0, ())


def _of_matmul(op: ContractOp, most: int) -> Schedule:
    m, open_sizes = _product(logical_dims(op)[op.batch.value.data : -1])
    if open_sizes:
        return Schedule(across=most, even=int(most > 1), unroll=UNROLL)
    even = even_rows(m, most)
    rows = even or best_rows(m, most)
    return Schedule(across=max(1, rows), even=int(even > 0), part=_part_of_rows(op, m, rows), unroll=UNROLL)


def _part_of_rows(op: ContractOp, m: int, rows: int) -> int:
    """How many register tiles go by all panels before the next ones do, see LONG_ROWS."""
    lhs_packed, _, block, _ = (int(n) for n in op.layout.get_values())
    depth = dims_of(op.lhs)[-3] if lhs_packed else 0
    if not isinstance(depth, int) or not rows or depth * block < LONG_ROWS:
        return 0
    tiles, most = -(-m // rows), max(1, STRETCH // (depth * block * rows * 4))
    return -(-tiles // -(-tiles // most)) if tiles > 2 * most else 0


def _of_convolution(op: ContractOp, most: int) -> Schedule:
    batch = dims_of(op.result)[0]
    height, (width, open_sizes) = plane_of(op)
    if open_sizes or not isinstance(height, int):
        return Schedule(across=most, even=int(most > 1), unroll=UNROLL)
    if not height or not width:
        return Schedule(unroll=UNROLL)
    even = even_rows(width, most) if height == 1 else 0
    down, across = (1, even) if even else best_plane(height, width, most)
    of_height, of_width = -(-height // down), -(-width // across)
    rounds = of_width if of_height == 1 else of_height
    # What is small stays in the second cache, so that every part may read it.
    small = math.prod(cast("tuple[int, ...]", dims_of(op.rhs))) * 4 <= SMALL_WEIGHTS
    part = part_of_plane(batch, (height, width), rounds) if small else 0
    return Schedule(down, across, int(even > 0), part, AHEAD if of_height * of_width <= FEW_TILES else 0, UNROLL)


def _of_windows(op: ContractOp, registers: Registers) -> Schedule:
    """Of depthwise convolutions and pools, whose register tiles are pixels of a row."""
    batch, _, height, width, lane = dims_of(op.result)
    assert isinstance(width, int) and isinstance(lane, int)
    parts = lane // registers.lanes
    most = max(1, registers.rows // parts)
    if op.kind.data != "depthwise":  # so many that the columns under their windows fit the registers, but for one read and one stored
        (_, stride, _, dilation, *_), taps = op.window.get_values(), cast(int, dims_of(op.rhs)[2])
        most = max(1, (2 * registers.rows // parts - 1 - (taps - 1) * int(dilation)) // int(stride) + 1)
    return Schedule(across=best_rows(width, most), part=part_of_plane(batch, (height, width), height))


def part_of_plane(images: Size, plane: Sequence[Size], rounds: Size) -> int:
    """How many of the rounds that cover a plane make a part, of which all channels are computed before the next one; 0 where the plane is
    one part. Kernels on blocks of channels are cut alike by place, not by channel, so that threads read what they wrote before."""
    sizes = [d for d in plane if isinstance(d, int)]
    if images != 1 or not isinstance(rounds, int) or len(sizes) < len(plane) or math.prod(sizes) < LARGE_PLANE or rounds < 2:
        return 0
    return -(-rounds // PARTS)


def _product(sizes: Sequence[Size]) -> tuple[int, tuple[SSAValue, ...]]:
    total: Factors = (1, ())
    for size in sizes:
        total = times(total, factors(size))
    return total
