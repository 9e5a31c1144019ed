"""Pictures of a record: how many times as fast as each peer Intaglio is, a row a model or an operator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from peers import INTAGLIO

COLOURS = {"ONNX Runtime": "tab:blue", "OpenVINO": "tab:orange", "IREE": "tab:green"}
LOW, HIGH = 1 / 16, 16
"""Ratios beyond these stand at the edge, told in figures, so that one of a thousand does not squeeze the others."""


def plot(rows: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """One panel a number of threads; in it a mark for each peer on a logarithmic axis, families apart."""
    measured = [row for row in rows if len(row.get("ms", {})) > 1]
    counts = sorted({row["threads"] for row in measured})
    if not counts:
        return
    panels = [[row for row in measured if row["threads"] == threads] for threads in counts]
    figure = Figure(figsize=(2 + 6.5 * len(counts), 1.8 + 0.22 * max(map(len, panels))), layout="constrained")
    for axes, threads, own in zip(figure.subplots(1, len(counts), squeeze=False)[0], counts, panels, strict=True):
        _panel(axes, own)
        axes.set_title(f"{threads} thread{'s' * (threads > 1)}", fontsize=10)
    handles = {label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncol=len(handles), fontsize=9, frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=110)


def _panel(axes: Any, rows: Sequence[dict[str, Any]]) -> None:
    families = list(dict.fromkeys(row.get("family", "") for row in rows))
    ordered = [row for family in families for row in rows if row.get("family", "") == family]
    heights = range(len(ordered))
    for i, name in enumerate(dict.fromkeys(name for row in ordered for name in row["ms"] if name != INTAGLIO)):
        places = [(row["ms"][name] / row["ms"][INTAGLIO], y) for row, y in zip(ordered, heights, strict=True) if name in row["ms"]]
        shown = [min(max(ratio, LOW), HIGH) for ratio, _ in places]
        axes.scatter(shown, [y for _, y in places], s=26, color=COLOURS.get(name, "tab:gray"), label=name, zorder=3)
        for ratio, y in places:
            if not LOW <= ratio <= HIGH:
                told, aside = (f"1/{1 / ratio:.0f}", 5 + 25 * i) if ratio < LOW else (f"{ratio:.0f}", -18 - 25 * i)
                place, colour = (min(max(ratio, LOW), HIGH), y), COLOURS.get(name, "black")
                axes.annotate(told, place, xytext=(aside, -3), textcoords="offset points", fontsize=7, color=colour)
    for n, family in enumerate(families):
        own = [y for row, y in zip(ordered, heights, strict=True) if row.get("family", "") == family]
        if n % 2 == 0 and len(families) > 1:
            axes.axhspan(own[0] - 0.5, own[-1] + 0.5, color="black", alpha=0.05, lw=0)
        axes.text(1.01, (own[0] + own[-1]) / 2, family, transform=axes.get_yaxis_transform(), va="center", fontsize=9, style="italic")
    axes.axvline(1, color="black", lw=1)
    axes.set(xscale="log", xlim=(LOW / 1.1, HIGH * 1.1), ylim=(len(ordered) - 0.5, -0.5))
    axes.set_xticks([2.0**k for k in range(-4, 5)], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x >= 1 else f"1/{1 / x:g}"))
    axes.set_yticks(heights, [row["name"] for row in ordered], fontsize=8)
    axes.set_xlabel("times as fast: right of 1 Intaglio is faster", fontsize=9)
    axes.grid(True, axis="x", alpha=0.3)
    axes.grid(True, axis="y", alpha=0.15)
