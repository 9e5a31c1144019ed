"""The record of a day: every row measured, as JSON; the tables made of it, and the pictures beside it."""

from __future__ import annotations

import contextlib
import datetime
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import circumstances
from peers import INTAGLIO, ORT
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]
WORST = 10
"""How many of the slowest rows are named under a table."""


@dataclass
class Record:
    """What was measured on one day with one set of versions. A row measured again takes the place of the one before."""

    path: Path
    date: str
    circumstances: dict[str, Any]
    rows: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    def of_today(cls, folder: Path, peers: list[str]) -> Record:
        """Today's record, which goes on if machine and versions are still the same, else another of the day."""
        date, here = datetime.date.today().isoformat(), circumstances(peers)
        path = folder / f"{date}.json"
        for n in range(2, 1000):
            if not path.exists():
                break
            kept = json.loads(path.read_text())
            if kept["circumstances"] == here:
                return cls(path, date, here, kept["rows"])
            path = folder / f"{date}-{n}.json"
        return cls(path, date, here)

    def add(self, kind: str, row: Row) -> None:
        row = {**row, "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
        rows = self.rows.setdefault(kind, [])
        same = [i for i, old in enumerate(rows) if (old["name"], old["threads"]) == (row["name"], row["threads"])]
        for i in reversed(same):
            rows[i] = {**rows[i], **row} if "error" not in row else row
        if not same:
            rows.append(row)

    def write(self) -> None:
        """The JSON file, and a picture a kind where matplotlib is installed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        told = {"date": self.date, "circumstances": self.circumstances, "rows": self.rows}
        self.path.write_text(json.dumps(told, indent=1) + "\n")
        with contextlib.suppress(ImportError):
            from plot import plot

            for kind, rows in self.rows.items():
                plot(rows, self.path.with_name(f"{self.path.stem}-{kind}.png"), f"{kind}, {self.date}, {self.circumstances['processor']}")


def ratios(row: Row) -> dict[str, float]:
    """How many times as fast as each peer Intaglio is; above 1 is faster."""
    ms = row.get("ms", {})
    return {name: other / ms[INTAGLIO] for name, other in ms.items() if name != INTAGLIO}


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


# Tables


def tables(record: Record, kind: str) -> Iterator[str]:
    """Of each number of threads: a row each, the geometric means, and the slowest."""
    rows = record.rows.get(kind, [])
    for threads in sorted({row["threads"] for row in rows}):
        own = [row for row in rows if row["threads"] == threads and "ms" in row]
        peers = [name for name in record.circumstances["versions"] if name != INTAGLIO and any(name in row["ms"] for row in own)]
        yield _text(_models_table(own, peers) if kind == "models" else _operators_table(own, peers))
        yield from _summary(own, peers, threads)


def _models_table(rows: Sequence[Row], peers: Sequence[str]) -> Table:
    """What is not measured in these rows has no column."""
    table = _table("model", "Intaglio ms", *(f"{name} ms" for name in peers), *(f"x {name}" for name in peers), "compile s", "with MiB")
    several = any(row["threads"] > 1 and "cores" in row for row in rows)
    cached, sessions = any(row.get("cached_s") for row in rows), any("sessions" in row for row in rows)
    names = (INTAGLIO, *peers)
    if several:
        table.add_column("cores", justify="right")  # that the threads were worth at the time
    if cached:
        table.add_column("from cache s", justify="right")  # the session and its first run, of a model compiled before
    if sessions:
        for what in ("start s", "session MiB"):
            table.add_column(f"{what}\n{' / '.join(names)}", justify="right")
    table.add_column("MiB\nmodel / library", justify="right")
    for row in rows:
        cells = [*_times(row, peers), f"{row['compile_s']:.1f}", f"{row['compile_peak_mib']:.0f}"]
        if several:
            cells.append(_number(row.get("cores"), 2))
        if cached:
            cells.append(_number(row.get("cached_s"), 2))
        if sessions:
            told = [row.get("sessions", {}).get(name, {}) for name in names]
            cells += [" / ".join(_number(one.get(what), digits) for one in told) for what, digits in (("start_s", 2), ("session_mib", 0))]
        table.add_row(row["name"], *cells, f"{row['model_mib']:.1f} / {row['library_mib']:.1f}")
    return table


def _operators_table(rows: Sequence[Row], peers: Sequence[str]) -> Table:
    table = _table("operator", "Intaglio ms", *(f"{name} ms" for name in peers), *(f"x {name}" for name in peers))
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        for row in own:
            table.add_row(row["name"], *_times(row, peers))
        means = [geometric_mean(ratios(row)[name] for row in own if name in row["ms"]) for name in peers]
        blank = [""] * (1 + len(peers))
        table.add_row(f"{family}: geometric mean", *blank, *map(_ratio, means), style="bold", end_section=True)
    return table


def _times(row: Row, peers: Sequence[str]) -> list[str]:
    found = ratios(row)
    return [_number(row["ms"].get(name), 3) for name in (INTAGLIO, *peers)] + [_ratio(found.get(name)) for name in peers]


def _summary(rows: Sequence[Row], peers: Sequence[str], threads: int) -> Iterator[str]:
    yield f"{threads} thread{'s' * (threads > 1)}"
    for name in peers:
        own = [ratios(row)[name] for row in rows if name in row["ms"]]
        yield f"  geometric mean of {len(own)}: {geometric_mean(own):.2f} times {name}'s speed, faster on {sum(x > 1 for x in own)}"
    best = sorted((min(found.values()), row["name"]) for row in rows if (found := ratios(row)))
    if best:
        yield f"  to the best of them each time: {geometric_mean(ratio for ratio, _ in best):.2f}"
        yield "  slowest: " + ", ".join(f"{name} {_ratio(ratio)}" for ratio, name in best[:WORST])
    heavy = [row["name"] for row in rows if _heavier(row)]
    if heavy:
        yield f"  a session takes more memory than {ORT}'s: {', '.join(heavy)}"
    if wrong := [row["name"] for row in rows if (row.get("difference") or 0) > 1e-2]:
        yield f"  outputs differ from {ORT}'s by more than a hundredth: {', '.join(wrong)}"


def _heavier(row: Row) -> bool:
    ours, theirs = (row.get("sessions", {}).get(name, {}).get("session_mib") for name in (INTAGLIO, ORT))
    return ours is not None and theirs is not None and ours > theirs


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _ratio(value: float | None) -> str:
    """Two digits behind the point, of small ratios two that are not zero."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _text(table: Table) -> str:
    """At the width that it needs, wherever it is printed."""
    console = Console(width=max(100, console_width(table)), highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def console_width(table: Table) -> int:
    """The widest that the table would like to be."""
    return Console(width=400).measure(table).maximum
