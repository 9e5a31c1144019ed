"""The worker seen from outside: a case in, a verdict out, whatever becomes of the process in between."""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .judge import Verdict
from .models import Case

_WORKER = Path(__file__).parent / "worker.py"
_SECONDS = 60.0


class Worker:
    """One process that judges; another takes its place when it crashes or hangs."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""

    def judge(self, case: Case) -> Verdict:
        """A crash or a hang of a reference leaves the case to the other; one of the compiler's is a verdict: "failed"."""
        skip: frozenset[str] = frozenset()
        while True:
            answer = self._ask(case, skip)
            if isinstance(answer, Verdict):
                return answer
            stage, how = answer
            if stage not in ("reference", "ort"):
                return Verdict("failed", f"{how} in {stage}")
            skip |= {stage}

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def _ask(self, case: Case, skip: frozenset[str]) -> Verdict | tuple[str, str]:
        process = self._started()
        assert process.stdin is not None
        data = pickle.dumps((case, skip))
        process.stdin.write(f"{len(data)}\n".encode() + data)
        process.stdin.flush()
        stage = "starting"
        while True:
            line = self._line(_SECONDS)
            if line is None:
                return stage, self._ended()
            if "stage" not in line:
                return Verdict(**line)
            stage = line["stage"]

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
            command = [sys.executable, "-W", "ignore", str(_WORKER)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment)
            self._buffer = b""
            if self._line(180) is None:
                raise RuntimeError(f"the worker does not start: {self._ended()}")
        return self._process

    def _line(self, seconds: float) -> dict[str, Any] | None:
        """The worker's next line, None if it ended or takes too long."""
        assert self._process is not None and self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([handle], [], [], seconds)[0]:
                return None
            more = os.read(handle, 1 << 16)
            if not more:
                return None
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def _ended(self) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        self.close()
        self._errors.seek(0)
        said = [line for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        self._errors.close()
        how = f"took over {_SECONDS:.0f} s" if code is None else signal.Signals(-code).name if code < 0 else f"exit {code}"
        return f"{how}: {said[-1][:300]}" if said else how
