"""`intaglio bench`: the time of a run, median of many; with --compare ONNX Runtime's in the same minutes, by turns; with --profile where
the time goes."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...backends.cpu.peaks import measured_peaks
from ...errors import IntaglioError
from . import profile, roofline
from .feeds import gather
from .show import counting, err, out, table
from .subject import Reference, open_session


def run(asked: argparse.Namespace) -> int:
    if asked.runs < 1 or asked.warmup < 0:
        raise IntaglioError("ITG7407", f"{asked.runs} runs after {asked.warmup} cannot be measured", subject="bench")
    asked.threads = asked.threads or len(os.sched_getaffinity(0))  # a number, since peaks are measured on as many
    asked.profile = asked.profile or asked.plot is not None
    if asked.plot is not None:
        roofline.check_plotting(asked.plot)
    reference = Reference(asked.model, asked.threads) if asked.compare else None
    start = time.perf_counter()
    session = open_session(asked)
    ready = time.perf_counter() - start
    feeds, made_up = gather(session.get_inputs(), asked.inputs, seed=asked.seed, sizes=dict(asked.sizes))
    if made_up:
        err.print(f"[dim]random inputs (seed {asked.seed}): {len(made_up)}[/]")
    subjects: dict[str, Callable[[], object]] = {"Intaglio": lambda: session.run(None, feeds)}
    if reference is not None:
        subjects["ONNX Runtime"] = lambda: reference.run(None, feeds)
    if asked.profile:
        session.profile()  # refuses a library without one before anything is measured
    measure(list(subjects.values()), asked.warmup)
    if asked.profile:
        session.profile(reset=True)
    times = dict(zip(subjects, measure(list(subjects.values()), asked.runs), strict=True))
    found: dict[str, Any] = {"model": str(asked.model), "runs": asked.runs, "threads": asked.threads, "ready_seconds": ready}
    found["seconds"] = {name: _figures(seconds) for name, seconds in times.items()}
    if asked.profile:
        mean = float(np.mean(times["Intaglio"]))
        parts = profile.profile_of(session.profile(), asked.runs, mean, measured_peaks(asked.threads))
        found["profile"] = parts.json()
        out.print(profile.shown(parts, asked.top), "")
        if asked.plot is not None:
            roofline.plot(parts, asked.plot, asked.model.name)
    _show(found, asked.runs)
    if asked.json is not None:
        _write(asked.json, found)
    return 0


def measure(subjects: Sequence[Callable[[], object]], runs: int) -> list[list[float]]:
    """Seconds of each run of each subject. They take turns, so that what else the machine does falls on all alike."""
    times: list[list[float]] = [[] for _ in subjects]
    with counting("measuring", runs * len(subjects)) as advance:
        for _ in range(runs):
            for subject, found in zip(subjects, times, strict=True):
                start = time.perf_counter()
                subject()
                found.append(time.perf_counter() - start)
                advance()
    return times


def _figures(seconds: Sequence[float]) -> dict[str, float]:
    return {"median": float(np.median(seconds)), "fastest": min(seconds), "slowest tenth": float(np.quantile(seconds, 0.9))}


def _show(found: dict[str, Any], runs: int) -> None:
    columns = ("median", "fastest", "slowest tenth")
    threads = "one thread" if found["threads"] == 1 else f"{found['threads']} threads"
    shown = table(threads, *columns, right=columns)
    for name, figures in found["seconds"].items():
        shown.add_row(name, *(f"{figures[column] * 1e3:.3f} ms" for column in columns))
    out.print(shown)
    if "ONNX Runtime" in found["seconds"]:
        ours, theirs = (found["seconds"][name]["median"] for name in ("Intaglio", "ONNX Runtime"))
        out.print(f"[bold]{theirs / ours:.2f}[/] times ONNX Runtime's speed, by the medians of {runs} runs in turns")
    out.print(f"[dim]ready after {found['ready_seconds']:.2f} s[/]")


def _write(path: Path, found: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise IntaglioError("ITG7406", f"cannot be written: {error}", subject=str(path)) from error
