"""A pool of workers over the official cases: results come back by name, as they are wanted or as they come."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_WORKER = Path(__file__).parent / "official_worker.py"


@dataclass(frozen=True)
class Outcome:
    """status: pass, wrong (other outputs), error (an exception), crash, timeout; detail: its first words."""

    name: str
    status: str
    detail: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.status == "pass"


def held_against(outcome: Outcome, error: str | None) -> Outcome:
    """The outcome, made a pass if it is the error that was expected, and a failure if it is not."""
    if error is None:
        return outcome
    if outcome.passed:
        return replace(outcome, status="passed", detail=f"was to end with {error}")
    return replace(outcome, status="pass", detail="") if outcome.status == "error" and error in outcome.detail else outcome


class Pool:
    """Starts on `names` at once, in that order, on `jobs` processes; opt_level is for all cases, in place of their own."""

    def __init__(self, names: Iterable[str], jobs: int = 2, opt_level: int | None = None) -> None:
        self._arguments = [] if opt_level is None else [str(opt_level)]
        self._names: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._left = 0
        for name in names:
            self._names.put(name)
            self._left += 1
        self._done: dict[str, Outcome] = {}
        self._order: list[Outcome] = []
        self._news = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(max(1, min(jobs, self._left)))]
        self._processes: list[subprocess.Popen[str]] = []
        for thread in self._threads:
            thread.start()

    def outcome(self, name: str) -> Outcome:
        """What became of a case; waits for it. Raises RuntimeError if the workers ended before it was run."""
        with self._news:
            self._news.wait_for(lambda: name in self._done or not self._running())
            if name not in self._done:
                raise RuntimeError(f"no worker ran {name}: {'the pool is closed' if self._closed else 'they could not start'}")
            return self._done[name]

    def __iter__(self) -> Iterator[Outcome]:
        """Every outcome as it comes."""
        for i in range(self._left):
            with self._news:
                self._news.wait_for(lambda i=i: len(self._order) > i or not self._running())
                if len(self._order) <= i:
                    raise RuntimeError("the workers ended early")
                outcome = self._order[i]
            yield outcome

    def close(self) -> None:
        self._closed = True
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            thread.join()

    def _running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        # One thread each: two workers stand beside each other, and linear algebra pools would fight for the cores.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "ignore", str(_WORKER), *self._arguments]
        try:
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
                self._processes.append(process)
                self._feed(process)
        finally:
            with self._news:
                self._news.notify_all()

    def _feed(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None
        if not process.stdout.readline():
            return
        while not self._closed:
            try:
                name = self._names.get_nowait()
            except queue.Empty:
                break
            process.stdin.write(name + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                return
            answer = json.loads(line)
            outcome = Outcome(name, answer["status"], answer["detail"], answer["seconds"])
            with self._news:
                self._done[name] = outcome
                self._order.append(outcome)
                self._news.notify_all()
        process.stdin.close()
