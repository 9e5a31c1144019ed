"""Runs cases by name in children of its own, so that a crash or a hang costs one case; `official_pool` starts it and talks to it.

An argument is the level of optimisation for all cases, in place of their own. Protocol: a case's name a line in, one JSON object a
line out (name, status, detail, seconds). The first line out says it is ready.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
from dataclasses import replace
from typing import BinaryIO

from official_cases import Case, all_forms, load_cases, run_case

# Of one child; an error in a size computation must not take the machine down.
_MEMORY = 16 << 30
os.environ["INTAGLIO_CACHE"] = "off"


def main() -> None:
    cases = all_forms(load_cases())
    for level in map(int, sys.argv[1:]):
        cases = {name: replace(case, opt_level=level) for name, case in cases.items()}
    import intaglio.backend  # noqa: F401 - before the children are forked, so that each finds it loaded

    child: _Child | None = None
    _say({"ready": len(cases)})
    for line in sys.stdin:
        child = child or _Child(cases)
        answer, child = _run(child, cases[line.strip()])
        _say(answer)


def _run(child: _Child, case: Case) -> tuple[dict[str, object], _Child | None]:
    """What became of a case, and the child if it still lives."""
    start = time.perf_counter()
    answer = child.ask(case.name, case.seconds)
    seconds = time.perf_counter() - start
    if answer is not None:
        return {"name": case.name, "seconds": seconds, **answer}, child
    late = seconds >= case.seconds
    status, detail = ("timeout", f"took over {case.seconds:.0f} s") if late else ("crash", "")
    ended = child.end()
    return {"name": case.name, "seconds": seconds, "status": status, "detail": detail or ended}, None


def _say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class _Child:
    """A forked process that runs one case after the other."""

    def __init__(self, cases: dict[str, Case]) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ours_in)
            os.close(ours_out)
            _serve(cases, os.fdopen(theirs_in, "rb"), os.fdopen(theirs_out, "wb"), self.log.fileno())
        os.close(theirs_in)
        os.close(theirs_out)
        self.input, self.output = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")

    def ask(self, name: str, seconds: float) -> dict[str, object] | None:
        """The child's answer, None if it died or took too long."""
        try:
            self.output.write(name.encode() + b"\n")
            self.output.flush()
        except BrokenPipeError:
            return None
        if not select.select([self.input], [], [], seconds)[0]:
            return None
        line = self.input.readline()
        return json.loads(line) if line else None

    def end(self) -> str:
        """Ends the child; says how it ended, with the last that it wrote."""
        os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        self.input.close()
        with contextlib.suppress(BrokenPipeError):
            self.output.close()
        how = f"signal {signal.Signals(os.WTERMSIG(status)).name}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        self.log.seek(0)
        said = [line for line in self.log.read().decode(errors="replace").splitlines() if line.strip()]
        self.log.close()
        return f"{how}: {said[-1][:300]}" if said else how


def _serve(cases: dict[str, Case], names: BinaryIO, answers: BinaryIO, log: int) -> None:
    os.dup2(log, 1)
    os.dup2(log, 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for line in names:
        os.ftruncate(log, 0)
        os.lseek(log, 0, os.SEEK_SET)
        answers.write(json.dumps(_outcome(cases[line.decode().strip()])).encode() + b"\n")
        answers.flush()
    os._exit(0)


def _outcome(case: Case) -> dict[str, str]:
    try:
        run_case(case)
    except AssertionError as error:
        return {"status": "wrong", "detail": " ".join(str(error).split())[:300]}
    except Exception as error:
        shown = f"{error.__class__.__name__}: " if not hasattr(error, "code") else ""
        return {"status": "error", "detail": shown + " ".join(str(error).split())[:400]}
    return {"status": "pass", "detail": ""}


if __name__ == "__main__":
    main()
