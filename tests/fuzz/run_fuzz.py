"""Fuzzes for as long as you like: random nodes of every operator, and random graphs, against onnx.reference and ONNX Runtime.

    python tests/fuzz/run_fuzz.py --minutes 30                 every operator in turn, and graphs, until the time is up
    python tests/fuzz/run_fuzz.py Conv Gemm graphs --examples 200 --seed 7
    python tests/fuzz/run_fuzz.py --replay fuzz-findings/Conv-0

What is found is shrunk, and kept in --findings (default fuzz-findings): the model, its inputs, and what was wrong.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing.hunt import GRAPHS, Finding, hunt, names
from fuzzing.pool import Worker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operators", nargs="*", help=f"operators, or {GRAPHS}; all of them by default")
    parser.add_argument("--minutes", type=float, help="start over until the time is up")
    parser.add_argument("--examples", type=int, default=20, help="cases of an operator in one turn (20)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--replay", type=Path, help="judge a finding again")
    parser.add_argument("--unjudged", action="store_true", help="tell as well of what is invalid or cannot be judged")
    options = parser.parse_args()
    worker = Worker()
    if options.replay:
        print(worker.judge(pickle.loads((options.replay / "case.pickle").read_bytes())))
        return
    end = time.monotonic() + 60 * (options.minutes or 0)
    wanted = options.operators or [*names(), GRAPHS]
    found, seed = 0, options.seed
    counts: dict[str, Counter[str]] = {}
    while True:
        for name in wanted:
            counts.setdefault(name, Counter())
            finding = hunt(name, options.examples * (10 if name == GRAPHS else 1), seed, worker, counts[name])
            if finding is not None:
                found += 1
                _keep(options.findings, finding, found)
            if options.minutes and time.monotonic() > end:
                break
        seed += 1
        if time.monotonic() > end:
            break
    worker.close()
    for name, count in counts.items():
        if options.unjudged or count["right"] * 2 < count.total():
            print(f"{name}: {dict(count)}")
    print(f"{sum((c for c in counts.values()), Counter())}, {found} findings")
    sys.exit(bool(found))


def _keep(folder: Path, finding: Finding, number: int) -> None:
    place = folder / f"{finding.name}-{number}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.onnx").write_bytes(finding.case.model)
    (place / "case.pickle").write_bytes(pickle.dumps(finding.case))
    for i, feed in enumerate(finding.case.feeds):
        np.savez(place / f"inputs{i}.npz", **feed)
    text = f"{finding.verdict.status} (judged by {finding.verdict.judges or 'none'}): {finding.verdict.detail}\n{finding.text()}\n"
    (place / "finding.txt").write_text(text)
    print(f"== {place}: {text}", flush=True)


if __name__ == "__main__":
    main()
