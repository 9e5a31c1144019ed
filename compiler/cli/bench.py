"""`intaglio bench`: the time of a run, median of many; with --compare ONNX Runtime's in the same minutes, by turns."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np

from ...errors import IntaglioError
from .feeds import gather
from .show import counting, err, out, table
from .subject import Reference, open_session


def run(asked: argparse.Namespace) -> int:
    if asked.runs < 1 or asked.warmup < 0:
        raise IntaglioError("ITG7407", f"{asked.runs} runs after {asked.warmup} cannot be measured", subject="bench")
    reference = Reference(asked.model) if asked.compare else None
    start = time.perf_counter()
    session = open_session(asked)
    ready = time.perf_counter() - start
    feeds, made_up = gather(session.get_inputs(), asked.inputs, seed=asked.seed, sizes=dict(asked.sizes))
    if made_up:
        err.print(f"[dim]random inputs (seed {asked.seed}): {len(made_up)}[/]")
    subjects: dict[str, Callable[[], object]] = {"Intaglio": lambda: session.run(None, feeds)}
    if reference is not None:
        subjects["ONNX Runtime"] = lambda: reference.run(None, feeds)
    times = measure(list(subjects.values()), asked.runs, asked.warmup)
    shown = table("one thread", "median", "fastest", "slowest tenth", right=("median", "fastest", "slowest tenth"))
    for name, seconds in zip(subjects, times, strict=True):
        shown.add_row(name, *(f"{x * 1e3:.3f} ms" for x in (np.median(seconds), min(seconds), np.quantile(seconds, 0.9))))
    out.print(shown)
    if reference is not None:
        ratio = float(np.median(times[1]) / np.median(times[0]))
        out.print(f"[bold]{ratio:.2f}[/] times ONNX Runtime's speed, by the medians of {asked.runs} runs in turns")
    out.print(f"[dim]ready after {ready:.2f} s[/]")
    return 0


def measure(subjects: Sequence[Callable[[], object]], runs: int, warmup: int) -> list[list[float]]:
    """Seconds of each run of each subject. They take turns, so that what else the machine does falls on all alike."""
    times: list[list[float]] = [[] for _ in subjects]
    with counting("measuring", (runs + warmup) * len(subjects)) as advance:
        for i in range(warmup + runs):
            for subject, found in zip(subjects, times, strict=True):
                start = time.perf_counter()
                subject()
                seconds = time.perf_counter() - start
                if i >= warmup:
                    found.append(seconds)
                advance()
    return times
