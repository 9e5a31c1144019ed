"""Where a model's time goes, from a session's profile: by dispatch, by node, and against what this machine can do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group
from rich.markup import escape

from ...backends.cpu.peaks import Peaks
from ...backends.profile import Dispatch
from .show import table


@dataclass(frozen=True)
class Work:
    """What one dispatch, or all that one node leads, takes of a run. nodes: the leading one first; seconds, operations (None where not
    known) and bytes: of a run; count: how often it ran in one; best_seconds: of one time, the fastest."""

    name: str
    nodes: tuple[str, ...]
    count: float
    seconds: float
    best_seconds: float
    operations: float | None
    bytes: float

    @property
    def operations_rate(self) -> float | None:
        """Operations a second; None where there are none, or none are known."""
        return self.operations / self.seconds if self.operations and self.seconds else None

    @property
    def bytes_rate(self) -> float:
        """Bytes a second."""
        return self.bytes / self.seconds if self.seconds else 0.0

    @property
    def intensity(self) -> float | None:
        """Operations for a byte."""
        return self.operations / self.bytes if self.operations and self.bytes else None


@dataclass(frozen=True)
class Profile:
    """The parts of a run, longest first. seconds: of a whole run, the host program's own work included."""

    seconds: float
    peaks: Peaks
    dispatches: Sequence[Work]
    nodes: Sequence[Work]

    @property
    def outside(self) -> float:
        """Seconds of a run that no dispatch accounts for: calls, sizes, inputs and outputs."""
        return max(self.seconds - sum(work.seconds for work in self.dispatches), 0.0)

    def reach(self, work: Work) -> float | None:
        """How near a dispatch comes to the machine's limit, 1 at it: of what it computes or of the memory it streams, the greater. None
        where operations are not known: such kernels may read a part of their operands only."""
        if work.operations is None:
            return None
        computing = (work.operations_rate or 0) / self.peaks.operations
        return max(computing, work.bytes_rate / self.peaks.dram)

    def json(self) -> dict[str, Any]:
        """Everything in it, in seconds, bytes and operations of a run."""
        followers = _followers(self.dispatches)
        return {
            "seconds": self.seconds,
            "outside_seconds": self.outside,
            "peaks": asdict(self.peaks),
            "dispatches": [_row(work, self) for work in self.dispatches],
            "nodes": [{**_row(work, self), "node": work.name} for work in self.nodes],
            "nodes_inside_others": followers,
        }


def profile_of(dispatches: Iterable[Dispatch], runs: int, seconds: float, peaks: Peaks) -> Profile:
    """A session's profile of `runs` runs, each taking `seconds`, as parts of one run; what never ran is left out."""
    found = [_work(d, runs) for d in dispatches if d.count]
    found.sort(key=lambda work: -work.seconds)
    return Profile(seconds, peaks, found, _by_node(found))


def _work(d: Dispatch, runs: int) -> Work:
    operations = None if d.operations is None else d.operations / runs
    return Work(d.kernel, d.nodes, d.count / runs, d.nanoseconds / runs / 1e9, d.least_nanoseconds / 1e9, operations, d.bytes / runs)


def _by_node(dispatches: Sequence[Work]) -> list[Work]:
    """The dispatches that each node leads, together; nodes that only take part in others' have no row."""
    led: dict[str, list[Work]] = {}
    for work in dispatches:
        led.setdefault(work.nodes[0] if work.nodes else "", []).append(work)
    rows = []
    for node, own in led.items():
        known = [work.operations for work in own if work.operations is not None]
        nodes = tuple(dict.fromkeys(name for work in own for name in work.nodes))
        seconds, best = (sum(getattr(work, field) for work in own) for field in ("seconds", "best_seconds"))
        operations = sum(known) if len(known) == len(own) else None
        rows.append(Work(node, nodes, sum(w.count for w in own), seconds, best, operations, sum(w.bytes for w in own)))
    return sorted(rows, key=lambda work: -work.seconds)


def _followers(dispatches: Sequence[Work]) -> dict[str, list[str]]:
    """Nodes that lead no dispatch, with the nodes in whose dispatches they are computed."""
    leaders = {work.nodes[0] for work in dispatches if work.nodes}
    found: dict[str, list[str]] = {}
    for work in dispatches:
        for node in work.nodes[1:]:
            if node not in leaders and work.nodes[0] not in found.setdefault(node, []):
                found[node].append(work.nodes[0])
    return found


def _row(work: Work, profile: Profile) -> dict[str, Any]:
    more = {"operations_per_second": work.operations_rate, "bytes_per_second": work.bytes_rate, "intensity": work.intensity}
    return {**asdict(work), **more, "share": work.seconds / profile.seconds, "reach": profile.reach(work)}


# How it is shown


def shown(profile: Profile, top: int) -> Group:
    """Two tables, by dispatch and by node, `top` rows each, and the machine's peaks under them."""
    peaks = profile.peaks
    threads = f"{peaks.threads} thread" + "s" * (peaks.threads > 1)
    limits = f"{peaks.operations / 1e9:.0f} GFLOP/s in float32, {peaks.dram / 1e9:.0f} GB/s from memory, {peaks.l2 / 1e9:.0f} GB/s from L2"
    notes = [
        f"[dim]this machine, {threads}: {limits}[/]",
        "[dim]reach: the greater share of computing peak and memory bandwidth; over 100 % where caches or fewer operations help[/]",
    ]
    return Group(_table("kernel", profile, profile.dispatches, top), "", _table("node", profile, profile.nodes, top), "", *notes)


def _table(what: str, profile: Profile, works: Sequence[Work], top: int) -> Any:
    rates = ("GFLOP/s", "GB/s", "reach")
    columns = ("share", "time", "times", what, "nodes" if what == "kernel" else "with", *rates)
    made = table(*columns, right=("share", "time", "times", *rates))
    for work in works[:top]:
        nodes = work.nodes if what == "kernel" else work.nodes[1:]
        rate = work.operations_rate
        computing = f"{rate / 1e9:.1f}" if rate else "-"
        reach = profile.reach(work)
        moving = f"{'≤' if reach is None else ''}{work.bytes_rate / 1e9:.1f}"
        figures = (computing, moving, "-" if reach is None else f"{reach:.0%}")
        name = work.name or "(no node)"
        made.add_row(*_time(profile, work.seconds), f"{work.count:g}", escape(name), escape(_listed(nodes)), *figures)
    if rest := works[top:]:
        made.add_row(*_time(profile, sum(work.seconds for work in rest)), "", f"[dim]{len(rest)} others[/]")
    made.add_row(*_time(profile, profile.outside), "", "[dim]outside of dispatches[/]")
    return made


def _time(profile: Profile, seconds: float) -> tuple[str, str]:
    return f"{seconds / profile.seconds:.1%}", f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3f} ms"


def _listed(nodes: Sequence[str]) -> str:
    """The first two, and how many more there are."""
    more = f" and {len(nodes) - 2} more" if len(nodes) > 2 else ""
    return ", ".join(nodes[:2]) + more
