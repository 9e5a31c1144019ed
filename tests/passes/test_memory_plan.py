"""The arena's plan: what is alive together never overlaps, whatever the lifetimes and sizes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from intaglio.passes.dispatch.memory_plan import ALIGNMENT, Interval, align, place_dynamic, place_static

lifetimes = st.tuples(st.integers(0, 30), st.integers(0, 12)).map(lambda t: (t[0], t[0] + t[1]))
sizes = st.one_of(st.integers(0, 4 * ALIGNMENT), st.integers(0, 1 << 40))


def together(a: Interval, b: Interval) -> bool:
    return a.first <= b.last and b.first <= a.last


def pairs(intervals: Sequence[Interval]) -> list[tuple[Interval, Interval]]:
    return [(a, b) for n, a in enumerate(intervals) for b in intervals[:n] if together(a, b)]


@given(st.lists(st.tuples(lifetimes, sizes), max_size=40))
def test_static_places_never_overlap(drawn: list[tuple[tuple[int, int], int]]) -> None:
    intervals: list[Interval[str]] = [Interval(first, last, size) for (first, last), size in drawn]
    total = place_static(intervals)
    for a, b in pairs(intervals):
        assert a.offset + align(a.size or 0) <= b.offset or b.offset + align(b.size or 0) <= a.offset
    assert all(i.offset % ALIGNMENT == 0 for i in intervals)
    assert total == max((i.offset + align(i.size or 0) for i in intervals), default=0)


@given(st.lists(st.tuples(lifetimes, sizes), max_size=40))
def test_static_total_is_between_the_peak_and_the_sum(drawn: list[tuple[tuple[int, int], int]]) -> None:
    intervals: list[Interval[str]] = [Interval(first, last, size) for (first, last), size in drawn]
    total = place_static(intervals)
    aligned = [(i, align(i.size or 0)) for i in intervals]
    peak = max((sum(s for i, s in aligned if i.first <= t <= i.last) for t in range(45)), default=0)
    assert peak <= total <= sum(s for _, s in aligned)


@given(st.lists(st.tuples(lifetimes, st.sampled_from("abc")), max_size=40))
def test_dynamic_slots_have_one_tenant_at_a_time(drawn: list[tuple[tuple[int, int], str]]) -> None:
    intervals = [Interval(first, last, None, key) for (first, last), key in drawn]
    slots = place_dynamic(intervals)
    for a, b in pairs(intervals):
        assert a.slot != b.slot
    assert sorted(id(t) for s in slots for t in s.tenants) == sorted(map(id, intervals))
    for number, slot in enumerate(slots):
        assert all(t.slot == number for t in slot.tenants)
        assert {t.key for t in slot.tenants} == set(slot.keys) and len(set(slot.keys)) == len(slot.keys)


def test_a_chain_alternates_between_two_places() -> None:
    chain: list[Interval[str]] = [Interval(n, n + 1, 100) for n in range(6)]
    assert place_static(chain) == 2 * align(100)
    assert [i.offset for i in chain] == [0, 128] * 3


def test_a_small_value_takes_the_tightest_gap() -> None:
    spans = [(0, 9, 1000), (0, 2, 512), (0, 9, 400), (0, 2, 128), (0, 9, 100), (3, 9, 60)]
    intervals: list[Interval[str]] = [Interval(*span) for span in spans]
    total = place_static(intervals)
    assert intervals[-1].offset == intervals[3].offset  # 128 bytes are free there, 512 at the other gap
    assert total == sum(align(size) for *_, size in spans[:-1])


def test_a_slot_of_the_same_size_comes_first() -> None:
    intervals = [Interval(0, 1, None, "a"), Interval(0, 1, None, "b"), Interval(2, 3, None, "b")]
    place_dynamic(intervals)
    assert [i.slot for i in intervals] == [0, 1, 1]
