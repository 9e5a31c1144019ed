"""Lays values with known lifetimes out in one arena, so that what is never alive together shares memory.

Static sizes get offsets by best fit (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020: largest
first); sizes known only at run time share slots, a slot being as large as its largest tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ALIGNMENT = 64
"""A cache line, and the width of the widest vectors."""

_S = TypeVar("_S", bound=Hashable)


@dataclass(eq=False)
class Interval(Generic[_S]):
    """One value to place: alive from position `first` to `last`, both included; `size` in bytes where static, else `key` says which."""

    first: int
    last: int
    size: int | None
    key: _S | None = None
    offset: int = 0
    slot: int = -1


@dataclass
class Slot(Generic[_S]):
    """Memory of a dynamic size, used by one tenant after another."""

    keys: list[_S] = field(default_factory=list)
    tenants: list[Interval[_S]] = field(default_factory=list)


def align(size: int) -> int:
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def place_static(intervals: Sequence[Interval]) -> int:
    """Sets each static interval's offset; returns the bytes used."""
    placed: list[Interval] = []
    total = 0
    for one in sorted(intervals, key=lambda i: (-(i.size or 0), i.first)):
        size = align(one.size or 0)
        busy = sorted((p for p in placed if p.first <= one.last and one.first <= p.last), key=lambda p: p.offset)
        one.offset = _best_gap(busy, size)
        placed.append(one)
        total = max(total, one.offset + size)
    return total


def _best_gap(busy: Sequence[Interval], size: int) -> int:
    """The start of the tightest gap between busy ranges that takes `size`, or the end of all."""
    best: tuple[int, int] | None = None
    end = 0
    for p in busy:
        gap = p.offset - end
        if gap >= size and (best is None or gap < best[0]):
            best = gap, end
        end = max(end, p.offset + align(p.size or 0))
    return end if best is None else best[1]


def place_dynamic(intervals: Sequence[Interval[_S]], same: Callable[[_S, _S], bool] = lambda a, b: a == b) -> list[Slot[_S]]:
    """Sets each dynamic interval's slot; returns the slots. A free slot of the same size is taken before any other free slot."""
    slots: list[Slot[_S]] = []
    for one in sorted(intervals, key=lambda i: i.first):
        assert one.key is not None
        key = one.key
        free = [n for n, s in enumerate(slots) if all(t.last < one.first or one.last < t.first for t in s.tenants)]
        equal = [n for n in free if any(same(key, k) for k in slots[n].keys)]
        if equal or free:
            one.slot = (equal or free)[0]
        else:
            slots.append(Slot())
            one.slot = len(slots) - 1
        slot = slots[one.slot]
        slot.tenants.append(one)
        if not any(same(key, k) for k in slot.keys):
            slot.keys.append(key)
    return slots
