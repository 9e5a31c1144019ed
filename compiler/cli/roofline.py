"""A profile as a roofline plot: what each dispatch computes a second, over how much it computes for a byte, under the machine's limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import IntaglioError
from .profile import Profile, Work

LABELS = 8
"""How many dispatches have their name in the plot, those that take longest."""

_COLOURS = {"matmul": "tab:blue", "conv": "tab:green", "rowwise": "tab:orange", "reduce": "tab:red", "elementwise": "tab:purple"}


def check_plotting(path: Path) -> None:
    """Raises IntaglioError: ITG7409 if matplotlib is not installed. Call it before what takes long."""
    try:
        import matplotlib  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        hint = 'Install it: pip install "intaglio[bench]".'
        raise IntaglioError("ITG7409", f"no plot can be made: {error}", subject=str(path), hint=hint) from error


def plot(profile: Profile, path: Path, title: str) -> None:
    """Writes the plot, of the kind that the path's suffix says. Raises IntaglioError: ITG7409, or ITG7406 if it cannot be written."""
    check_plotting(path)
    from matplotlib.figure import Figure  # pyright: ignore[reportMissingImports]

    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots()
    computing = [work for work in profile.dispatches if work.intensity and work.operations_rate]
    _limits(axes, profile, [work.intensity or 1 for work in computing])
    _points(axes, profile, computing)
    moving = sum(work.seconds for work in profile.dispatches if not work.operations_rate)
    axes.set_title(
        f"{title}: {profile.seconds * 1e3:.3f} ms a run; {moving / profile.seconds:.1%} in dispatches that only move data, "
        f"{profile.outside / profile.seconds:.1%} outside of dispatches",
        fontsize=11,
    )
    try:
        figure.savefig(path, dpi=130)
    except (OSError, ValueError) as error:
        raise IntaglioError("ITG7406", f"cannot be written: {error}", subject=str(path)) from error


def _limits(axes: Any, profile: Profile, intensities: list[float]) -> None:
    peaks = profile.peaks
    left, right = min([*intensities, 0.1]) / 2, max([*intensities, 10 * peaks.operations / peaks.dram]) * 2
    axes.set(xscale="log", yscale="log", xlim=(left, right), xlabel="operations for a byte", ylabel="GFLOP/s")
    axes.grid(True, which="major", alpha=0.3)
    axes.axhline(peaks.operations / 1e9, color="black", lw=1.5)
    axes.text(right, peaks.operations / 1e9, f"float32 peak, {peaks.operations / 1e9:.0f} GFLOP/s ", ha="right", va="bottom")
    for name, rate, style in (("memory", peaks.dram, "-"), ("L2", peaks.l2, "--")):
        knee = peaks.operations / rate
        heights = [left * rate / 1e9, peaks.operations / 1e9]
        axes.plot([left, knee], heights, color="black", lw=1.5, ls=style, label=f"{name}, {rate / 1e9:.0f} GB/s")


def _points(axes: Any, profile: Profile, works: list[Work]) -> None:
    """Each dispatch as a disc whose area is its share of the run."""
    kinds = sorted({_kind(work) for work in works})
    for kind in kinds:
        own = [work for work in works if _kind(work) == kind]
        axes.scatter(
            [work.intensity for work in own],
            [(work.operations_rate or 0) / 1e9 for work in own],
            s=[20 + 2500 * work.seconds / profile.seconds for work in own],
            color=_COLOURS.get(kind, "tab:gray"),
            alpha=0.5,
            edgecolors="black",
            linewidths=0.5,
            label=f"{kind}: {sum(work.seconds for work in own) / profile.seconds:.1%} of the time",
        )
    for i, work in enumerate(works[:LABELS]):
        place = (work.intensity, (work.operations_rate or 0) / 1e9)
        name = work.nodes[0] if work.nodes else work.name
        short = name if len(name) <= 32 else f"..{name[-30:]}"
        beside = (7, 7) if i % 2 == 0 else (7, -14)  # by turns above and below, as neighbours are often of one size
        axes.annotate(f"{short} {work.seconds / profile.seconds:.0%}", place, xytext=beside, textcoords="offset points", fontsize=8)
    legend = axes.legend(loc="lower right", fontsize=9)
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([60])


def _kind(work: Work) -> str:
    """The kernel's name without its number."""
    stem, _, number = work.name.rpartition("_")
    return stem if stem and number.isdigit() else work.name
