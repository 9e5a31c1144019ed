"""How it is measured: interleaved runs in one process, and fresh processes for what a process pays only once.

As a program, what a fresh process does: reads a job from its argument, and prints what it found as JSON on its last line.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from peers import INTAGLIO, PEERS, Feeds, Runner

BLOCK = 3
"""Runs that are timed in a row, after some that are not: they bring the model's weights back into the caches, as a model that runs again
and again would have it."""

SPINNING = 0.06
"""Seconds of runs that are not timed before those that are, where there are several threads: so long do the threads of others hold a core
while they wait for more to do. ONNX Runtime's, the most patient, were seen to spin for 40 to 50 ms after a run."""

SHORTEST = 1e-3
"""Seconds that one timing takes at least: short runs are repeated within it, since a clock's call would weigh on them."""


@dataclass(frozen=True)
class Settings:
    """runs: timings of each, after one that is thrown away; seconds: stop after this long all the same; threads: of every peer."""

    runs: int = 30
    seconds: float = 60.0
    threads: int = 1


def interleaved(runners: Mapping[str, Runner], settings: Settings) -> dict[str, float]:
    """Median milliseconds of a run of each. They take turns, each round in another order, so that what else the machine does falls on
    all alike."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    repeats = {name: _repeats(run) for name, run in runners.items()}
    names, end = list(runners), time.perf_counter() + settings.seconds
    for turn in range(-(-settings.runs // BLOCK)):
        if turn and time.perf_counter() > end:
            break
        names = names[1:] + names[:1]
        for name in names:
            run, repeat = runners[name], repeats[name]
            _outlast(run, SPINNING if settings.threads > 1 else 0.0)
            for _ in range(min(BLOCK, settings.runs)):
                start = time.perf_counter()
                for _ in range(repeat):
                    run()
                times[name].append((time.perf_counter() - start) / repeat * 1e3)
    return {name: float(np.median(found)) for name, found in times.items()}


def _outlast(run: Runner, seconds: float) -> None:
    """Runs once, and again until so long has passed."""
    end = time.perf_counter() + seconds
    run()
    while time.perf_counter() < end:
        run()


def _repeats(run: Runner) -> int:
    """How many runs one timing takes, so that it lasts; warms up as well."""
    run()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return max(1, min(1000, int(SHORTEST / max(min(seconds), 1e-7))))


def fresh(job: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a process of its own finds, see `_JOBS`; {"error": ..} where it fails."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).resolve()), json.dumps(dict(job), default=str)]
    told = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})}, check=False)
    if told.returncode:
        return {"error": (told.stderr.strip().splitlines() or [f"ended with {told.returncode}"])[-1][:300]}
    return json.loads(told.stdout.splitlines()[-1])


def read_feeds(path: Path) -> Feeds:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def circumstances(peers: list[str]) -> dict[str, Any]:
    """The machine and the versions, for a record."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: PEERS[name].version for name in peers},
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


# In a fresh process


def _compile(job: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds and the peak of memory of a compilation from cold; the library is left at `library`."""
    import intaglio

    start = time.perf_counter()
    program = intaglio.compile(job["model"])
    seconds = time.perf_counter() - start
    peak = high_water()
    program.save(job["library"])
    return {"compile_s": seconds, "compile_peak_mib": peak}


def _session(job: Mapping[str, Any]) -> dict[str, Any]:
    """Of a peer: the seconds that importing it takes, those until its first outputs, and the peak of memory after a few runs.

    session_mib is that peak less what the process had before the session: Python, the peer's own code and the inputs.
    """
    feeds = read_feeds(job["feeds"])
    start = time.perf_counter()
    _import(job["peer"])
    imported = time.perf_counter()
    before = high_water()
    run = PEERS[job["peer"]].make(Path(job["model"]), feeds, job["threads"])
    run()
    started = time.perf_counter()
    for _ in range(job["runs"]):
        run()
    peak = high_water()
    return {"import_s": imported - start, "start_s": started - imported, "peak_mib": peak, "session_mib": peak - before}


def _import(peer: str) -> None:
    """What a program has loaded before it makes a session; of Intaglio no more than its front door."""
    if peer == INTAGLIO:
        from intaglio import load  # noqa: F401
    else:
        __import__(PEERS[peer].module)


def high_water() -> float:
    """The peak of this process's memory in MiB. The kernel is asked about this address space: getrusage tells the parent's peak where
    that is larger."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


_JOBS = {"compile": _compile, "session": _session}


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(_JOBS[asked["job"]](asked)))
