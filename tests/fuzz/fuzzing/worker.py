"""Judges cases that come in on its input, one after the other; `pool` starts it, and starts another if one ends it.

Protocol: a case in is its length in a line and a pickle; a line out is JSON: {"stage": ..} before what may end the process, then the
verdict.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

_MEMORY = 12 << 30
os.environ["INTAGLIO_CACHE"] = "off"


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from fuzzing.judge import judge

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the references print is no answer

    def say(what: dict[str, Any]) -> None:
        answers.write(json.dumps(what) + "\n")

    import intaglio.compiler.driver  # noqa: F401
    import onnxruntime  # noqa: F401 - loaded before the first case is timed

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    say({"stage": "ready"})
    while line := sys.stdin.buffer.readline():
        case, skip = pickle.loads(sys.stdin.buffer.read(int(line)))
        say(asdict(judge(case, lambda name: say({"stage": name}), skip)))


if __name__ == "__main__":
    main()
