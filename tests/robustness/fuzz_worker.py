"""Compiles and runs damaged models in processes of their own; `test_fuzz` starts it, and so can you:

    python tests/robustness/fuzz_worker.py 0 1000        runs the cases 0 to 999, and prints a line for each that is not clean
    python tests/robustness/fuzz_worker.py 17 --show     runs case 17 here, with its whole traceback; writes the model to case17.onnx

With --official behind, the models damaged are those of the official node tests instead of a dozen made for this: every operator.
Clean is what succeeds, and what an IntaglioError refuses. A crash, a hang, another exception or an error of the compiler's own is not.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from fuzz_mutate import FLOATS, INTEGERS, mutated
from fuzz_seeds import Seed, official_seeds, seeds

SECONDS = 30
MEMORY = 12 << 30
LARGEST_FEED = 1 << 20
INTERNAL = ("ITG9001", "ITG1090")


def main() -> None:
    first = int(sys.argv[1])
    if sys.argv[2] == "--show":
        Path(f"case{first}.onnx").write_bytes(_case(first)[0])
        print(_run(first, show=True))
        return
    counts = _run_all(range(first, first + int(sys.argv[2])))
    print(json.dumps({"counts": counts}))
    sys.exit(any(status == "unclean" for status in counts))


def _run_all(cases: range) -> Counter[str]:
    """Runs the cases in forked children; a child that dies costs its case alone."""
    import intaglio.compiler.driver  # noqa: F401 - before the children are forked, so that each finds it loaded

    _seeds()
    counts: Counter[str] = Counter()
    todo = list(cases)
    while todo:
        done = 0
        for (status, detail), case in zip(_in_child(todo), todo, strict=False):
            done += 1
            counts[status] += 1
            if status == "unclean":
                print(json.dumps({"case": case, "detail": detail}), flush=True)
        todo = todo[done:]
    return counts


def _in_child(cases: list[int]) -> Iterator[tuple[str, str]]:
    """Yields (status, detail) of each case until the child ends; one that ends before its time yields how."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            _serve(cases, writer)
        finally:
            os._exit(0)
    os.close(writer)
    # Its alarm ends a child that hangs, which ends the pipe.
    with os.fdopen(reader) as answers:
        for _ in cases:
            answer = answers.readline()
            if not answer:
                yield "unclean", _ended(pid)
                return
            status, detail = json.loads(answer)
            yield status, detail
    os.waitpid(pid, 0)


def _ended(pid: int) -> str:
    status = os.waitpid(pid, 0)[1]
    if not os.WIFSIGNALED(status):
        return f"exit {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    return f"took over {SECONDS} s" if number == signal.SIGALRM else signal.Signals(number).name


def _serve(cases: list[int], writer: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    with os.fdopen(writer, "w", buffering=1) as answers:
        for case in cases:
            signal.alarm(SECONDS)
            answers.write(json.dumps(_run(case)) + "\n")
            signal.alarm(0)


@cache
def _seeds() -> list[Seed]:
    return official_seeds() if "--official" in sys.argv else seeds()


def _case(number: int) -> tuple[bytes, dict[str, np.ndarray], random.Random]:
    rng = random.Random(number)
    models = _seeds()
    model, feeds = models[number % len(models)]
    return mutated(model, rng), feeds, rng


def _run(number: int, *, show: bool = False) -> tuple[str, str]:
    import intaglio

    data, given, rng = _case(number)
    try:
        session = intaglio.compile(data, opt_level=0).session()
        for _ in range(3):
            feeds = _feeds(session.get_inputs(), given, rng)
            if feeds is None:
                return "compiled", ""
            session.run(None, feeds)
        return "run", ""
    except intaglio.IntaglioError as error:
        if show:
            traceback.print_exc()
        unclean = any(code in str(error) for code in INTERNAL)
        return "unclean" if unclean else "refused", str(error)[:300]
    except Exception as error:
        if show:
            traceback.print_exc()
        return "unclean", f"{type(error).__name__}: {error}"[:300]


def _feeds(inputs: list, given: dict[str, np.ndarray], rng: random.Random) -> dict[str, np.ndarray] | None:
    """Arrays that fit what the session says it takes, some with absurd values; None where they would be too large."""
    from intaglio.dialects.onnx.types import BY_NUMBER

    kinds = {kind.name: kind.numpy for kind in BY_NUMBER.values()}
    sizes: dict[str, int] = {}
    feeds = {}
    for arg in inputs:
        dtype = kinds[arg.type.removeprefix("tensor(").removesuffix(")")]
        known = given.get(arg.name)
        old = known.shape if known is not None and known.ndim == len(arg.shape) else ()
        for i, size in enumerate(arg.shape):
            if isinstance(size, str):
                sizes.setdefault(size, old[i] if old and rng.random() < 0.7 else rng.choice((0, 1, 2, 3, 5)))
        shape = [sizes[size] if isinstance(size, str) else size for size in arg.shape]
        if int(np.prod(shape, dtype=object)) > LARGEST_FEED:
            return None
        feeds[arg.name] = _array(dtype, shape, known, rng)
    return feeds


def _array(dtype: np.dtype, shape: list[int], known: np.ndarray | None, rng: random.Random) -> np.ndarray:
    with np.errstate(all="ignore"):
        values = np.resize(known, shape) if known is not None and known.size else np.array(rng.choices(range(-2, 4), k=int(np.prod(shape))))
        array = np.reshape(values, shape).astype(dtype, order="C")
        if array.size and array.ndim and rng.random() < 0.3:
            absurd = rng.choice(FLOATS if array.dtype.kind == "f" else INTEGERS)
            array.flat[rng.randrange(array.size)] = np.array(absurd).astype(dtype)
    return array


if __name__ == "__main__":
    main()
