"""Measures Intaglio beside ONNX Runtime, OpenVINO and whatever else is installed: whole models, and operators one by one.

    python benchmarks/run.py models --threads 1
    python benchmarks/run.py models resnet50 --models FOLDER
    python benchmarks/run.py operators --family conv matmul

Prints a table, and keeps the figures in a record of the day, as JSON and as a picture. benchmarks/README.md says how it measures.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Before numpy is loaded: its threads would take part.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import onnx
from measure import Settings, fresh, interleaved, read_feeds
from models import BUILDERS, Model, found, made
from operators import CASES, Case
from peers import INTAGLIO, ORT, PEERS, Feeds, Runner
from record import Record, tables

Row = dict[str, Any]


def main() -> int:
    asked = _parser().parse_args()
    peers = [name for name, peer in PEERS.items() if peer.installed and name not in asked.without]
    record = Record.of_today(asked.out, peers)
    failed = False
    for kind, threads, row in _rows(asked, peers):
        record.add(kind, {"threads": threads, **row})
        failed |= "error" in row
        print(_line(row, threads), flush=True)
    record.write()
    for table in tables(record, asked.what):
        print(table)
    print(f"kept in {record.path}")
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("what", choices=("models", "operators"))
    parser.add_argument("names", nargs="*", help=f"models, or texts in operators' names; models made here: {', '.join(BUILDERS)}")
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="measure the .onnx files of this folder instead of those made here")
    parser.add_argument("--family", nargs="+", default=[], choices=sorted({case.family for case in CASES}), help="of operators")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="numbers of threads, one after the other (default 1)")
    parser.add_argument("--runs", type=int, default=30, help="timings of each (default 30)")
    parser.add_argument("--seconds", type=float, default=60, help="stop timing a row after this long, whatever --runs says (default 60)")
    parser.add_argument("--times-only", action="store_true", help="of models: no fresh processes for start, memory and the cache")
    parser.add_argument("--without", nargs="+", default=[], choices=[name for name in PEERS if name != INTAGLIO], help="leave these out")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "records", help="where records lie (default benchmarks/records)"
    )
    work = Path(tempfile.gettempdir()) / "intaglio-benchmarks"
    parser.add_argument("--work", type=Path, default=work, help=f"where models are made and kept (default {work})")
    return parser


def _rows(asked: argparse.Namespace, peers: list[str]) -> Iterator[tuple[str, int, Row]]:
    """What is measured, row by row: its kind, the threads and the figures."""
    for threads in asked.threads:
        settings = Settings(asked.runs, asked.seconds, threads)
        if asked.what == "models":
            once = not asked.times_only and threads == asked.threads[0]
            for model in _models(asked):
                yield "models", threads, model_row(model, peers, settings, once=once)
        else:
            for case in _cases(asked):
                yield "operators", threads, operator_row(case, peers, settings)


def _models(asked: argparse.Namespace) -> Iterator[Model]:
    if asked.models is not None:
        yield from found(asked.models, asked.names, asked.work)
    else:
        yield from (made(name, asked.work) for name in asked.names or BUILDERS)


def _cases(asked: argparse.Namespace) -> Iterator[Case]:
    for case in CASES:
        if (not asked.family or case.family in asked.family) and (not asked.names or any(name in case.name for name in asked.names)):
            yield case


# One row


def model_row(model: Model, peers: list[str], settings: Settings, *, once: bool) -> Row:
    """Of a model: times; compilation from cold; and, where `once`, what only fresh processes tell. "error": why it was not measured."""
    row: Row = {"name": model.name, "model_mib": model.path.stat().st_size / 2**20}
    with tempfile.TemporaryDirectory() as folder:
        library, cache = Path(folder) / "model.so", {"INTAGLIO_CACHE": f"{folder}/cache"}
        row |= fresh({"job": "compile", "model": model.path, "library": library}, cache)
        if "error" in row:
            return row
        row["library_mib"] = library.stat().st_size / 2**20
        files = {name: library if name == INTAGLIO else model.path for name in peers}
        row |= _measured(files, read_feeds(model.feeds), settings)
        if once:
            job = {"job": "session", "feeds": model.feeds, "threads": settings.threads, "runs": 3}
            row["sessions"] = {name: fresh({**job, "peer": name, "model": files[name]}) for name in row["ms"]}
            row["cached_s"] = fresh({**job, "peer": INTAGLIO, "model": model.path, "runs": 0}, cache).get("start_s")
    return row


def operator_row(case: Case, peers: list[str], settings: Settings) -> Row:
    """Of an operator: times. "error": why it was not measured."""
    row: Row = {"name": case.name, "family": case.family}
    proto, feeds = case.build()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.onnx"
        onnx.save(proto, path)
        return row | _measured(dict.fromkeys(peers, path), feeds, settings)


def _measured(files: Mapping[str, Path], feeds: Feeds, settings: Settings) -> Row:
    """Times of every peer that takes the model, and by how much our outputs differ from ONNX Runtime's."""
    runners: dict[str, Runner] = {}
    outputs: dict[str, Any] = {}
    refuses: dict[str, str] = {}
    for name, path in files.items():
        try:
            run = PEERS[name].make(path, feeds, settings.threads)
            outputs[name] = run()
            runners[name] = run
        except Exception as error:  # a peer that refuses a model is a finding, not a failure
            refuses[name] = str(error)[:200]
    row: Row = {"refuses": refuses} if refuses else {}
    if INTAGLIO not in runners:
        return {**row, "error": refuses[INTAGLIO]}
    if ORT in outputs:
        row["difference"] = _difference(outputs[INTAGLIO], outputs[ORT])
    before = _cores(settings.threads)
    row["ms"] = interleaved(runners, settings)
    row["cores"] = (before + _cores(settings.threads)) / 2
    return row


def _cores(threads: int) -> float:
    """How many times the arithmetic of one thread that many get done just now: fewer than cores where a machine is shared."""
    if threads == 1:
        return 1.0
    from intaglio.backends.cpu.peaks import operations_now

    return operations_now(threads) / operations_now(1)


def _difference(ours: list[Any], theirs: list[Any]) -> float | None:
    """The largest difference of any output, relative to its largest value; None where shapes differ, or nothing is a number."""
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or a.shape != b.shape or a.dtype.kind not in "fiub":
            return None
        wide, other = a.astype(np.float64), b.astype(np.float64)
        if a.size:
            worst = max(worst, float(np.abs(wide - other).max() / max(np.abs(other).max(), 1e-30)))
    return worst


def _line(row: Row, threads: int) -> str:
    if "error" in row:
        return f"{row['name']:48} {row['error']}"
    times = "  ".join(f"{name} {ms:.3f} ms" for name, ms in row["ms"].items())
    return f"{row['name']:48} {threads} thread{'s' * (threads > 1)}  {times}"


if __name__ == "__main__":
    sys.exit(main())
