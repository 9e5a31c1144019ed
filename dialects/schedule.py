"""How a contraction is carried out, as an attribute: what the cost model decides, a search may better, and the lowering obeys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import prod

from typing_extensions import override
from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

MOST_TILE, MOST_UNROLL = 64, 64
"""Beyond these a kernel is only larger code: all sums of a tile are written out, as are all steps that are unrolled."""


MATRICES = ("matmul", "few_bits")
SCHEDULED = (*MATRICES, "conv", "depthwise", "max_pool", "sum_pool")
"""Kinds of contractions that obey a schedule."""


@dataclass(frozen=True)
class Schedule:
    """How the loops of a contraction run.

    down, across: the register tile's rows of the result, `down` of them 1 but on a plane; the columns are those of a panel.
    even: 1 where tiles share a row of pixels, or the rows of a matrix, evenly: some are one shorter, in place of a last one that overlaps
    its neighbour. That takes code for both.
    part: rounds of tiles that go by all panels before the next ones do, 0 for all of them: with 1 the panels are the inner loop. A
    round is a tile of a matrix, a row of tiles of a plane, or a tile of one where the plane is a single row of them.
    ahead: how many bytes of packed weights are fetched before they are needed, 0 for what the processor fetches itself.
    unroll: steps of the reduced dimension that are written out.
    """

    down: int = 1
    across: int = 1
    even: int = 0
    part: int = 0
    ahead: int = 0
    unroll: int = 1

    @property
    def rows(self) -> int:
        """Of the result in a register tile."""
        return self.down * self.across

    def check(self, kind: str, batch: int, shape: Sequence[int]) -> None:
        """Raises VerifyException unless it is one for a contraction of that kind, of results of that shape; sizes below 0 are not known."""
        if kind not in SCHEDULED:
            raise VerifyException(f"a contraction of kind {kind} takes no schedule")
        if self.even and (self.down > 1 or kind not in (*MATRICES, "conv")):
            raise VerifyException(f"register tiles of kind {kind} and {self.down} rows of pixels do not share evenly")
        if self.down > 1 and kind != "conv":
            raise VerifyException(f"a register tile of kind {kind} is a single row of pixels, not {self.down}")
        sizes = list(shape[batch:-1]) if kind in MATRICES else list(shape[2:4])
        if kind not in (*MATRICES, "conv") or self.down > 1:
            sizes = sizes[1:]  # elsewhere a plane may be taken as one row
        if min(sizes) >= 0 and self.across > max(1, prod(sizes)):
            raise VerifyException(f"a register tile of {self.across} rows is more than the {prod(sizes)} there are")
        if kind == "conv" and 0 <= shape[2] < self.down:
            raise VerifyException(f"a register tile of {self.down} rows is higher than a plane of {shape[2]}")


@irdl_attr_definition
class ScheduleAttr(Data[Schedule]):
    """`#dispatch.schedule<down = 2, across = 7, even = 0, part = 4, ahead = 4096, unroll = 2>`; what is left out is the default's."""

    name = "dispatch.schedule"

    @override
    def verify(self) -> None:
        s = self.data
        if min(s.down, s.across, s.unroll) < 1 or min(s.part, s.ahead) < 0:
            raise VerifyException("a schedule's tile and unroll are at least 1, its part and ahead at least 0")
        if s.even > 1 or s.even < 0 or (s.even and s.rows < 2):
            raise VerifyException("a schedule's even is 0 or 1, and 1 only for a tile of several rows")
        if s.rows > MOST_TILE:
            raise VerifyException(f"a register tile has {s.rows} rows; there may be {MOST_TILE}")
        if s.unroll > MOST_UNROLL:
            raise VerifyException(f"{s.unroll} steps are unrolled; there may be {MOST_UNROLL}")

    @classmethod
    @override
    def parse_parameter(cls, parser: AttrParser) -> Schedule:
        names = [field.name for field in fields(Schedule)]

        def setting() -> tuple[str, int]:
            name = parser.parse_identifier(f" of a schedule: {', '.join(names)}")
            if name not in names:
                parser.raise_error(f'a schedule has no "{name}", only {", ".join(names)}')
            parser.parse_punctuation("=")
            return name, parser.parse_integer(allow_boolean=False)

        with parser.in_angle_brackets():
            given = parser.parse_comma_separated_list(parser.Delimiter.NONE, setting)
        return Schedule(**dict(given))

    @override
    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(", ".join(f"{field.name} = {getattr(self.data, field.name)}" for field in fields(Schedule)))
