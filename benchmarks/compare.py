"""Measures Intaglio beside ONNX Runtime and, where it is installed, OpenVINO: one thread, the same inputs, by turns.

    python benchmarks/compare.py model.onnx another.onnx --models FOLDER --runs 30 --json results.json

Of each model: the median time of a run and the ratios, Intaglio's time to compile from cold, the peak memory of that (in a process of
its own), and the size of the shared library. Inputs come from a .npz file of the model's name beside it, else they are random.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np

Feeds = dict[str, np.ndarray]
Runner = Callable[[], Any]

# What a process of its own does: compile and save, and tell the seconds and the peak of its memory in MiB. getrusage would tell the
# parent's peak where that is larger, so the kernel is asked about this address space.
_COMPILE = """
import json, sys, time
def high_water():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
before = high_water()
import intaglio
start = time.perf_counter()
program = intaglio.compile(sys.argv[1])
seconds = time.perf_counter() - start
peak = high_water()
program.save(sys.argv[2])
print(json.dumps({"compile_s": seconds, "peak_mib": peak, "start_mib": before}))
"""


def main() -> int:
    asked = _parser().parse_args()
    peers = {"Intaglio": intaglio, **{name: make for name, make in PEERS.items() if name not in asked.without}}
    results = []
    for path in _paths(asked.model, asked.folder):
        result = measured(path, peers, asked)
        results.append(result)
        print(row(result, list(peers)), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({**_circumstances(asked), "models": results}, indent=1) + "\n")
    return int(any("error" in result for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", nargs="+", help="ONNX files, or names of files in the folder")
    parser.add_argument("--models", type=Path, dest="folder", default=Path("."), help="where models given by name lie")
    parser.add_argument("--runs", type=int, default=30, help="runs of each, after --warmup")
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60, help="stop measuring a model after this long, whatever --runs says")
    parser.add_argument("--json", type=Path, help="write the results here, with the date and the machine")
    parser.add_argument("--without", action="append", default=[], choices=list(PEERS), help="leave one out")
    return parser


def _paths(names: Sequence[str], folder: Path) -> list[Path]:
    return [path if (path := Path(name)).suffix == ".onnx" else folder / f"{name}.onnx" for name in names]


def measured(path: Path, peers: dict[str, Callable[[Path, Feeds], Runner]], asked: argparse.Namespace) -> dict[str, Any]:
    """What is found of one model; "error" says what kept it from being measured."""
    result: dict[str, Any] = {"model": path.stem, "model_mib": path.stat().st_size / 2**20}
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "model.so"
        told = subprocess.run([sys.executable, "-W", "ignore", "-c", _COMPILE, str(path), str(library)], capture_output=True, text=True)
        if told.returncode:
            return {**result, "error": told.stderr.strip().splitlines()[-1]}
        result |= json.loads(told.stdout.splitlines()[-1])
        result["so_mib"] = library.stat().st_size / 2**20
        feeds = _feeds(path, library)
        runners = {}
        for name, make in peers.items():
            try:
                runners[name] = make(library if name == "Intaglio" else path, feeds)
            except ImportError:
                continue
            except Exception as error:  # a peer that refuses a model is a finding, not a failure
                result[f"{name} refuses"] = str(error)[:200]
        result["ms"] = _times(runners, asked)
    return result


def _times(runners: dict[str, Runner], asked: argparse.Namespace) -> dict[str, float]:
    """Median milliseconds of each. They take turns, each time in another order, so that what else the machine does falls on all alike."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    names, end = list(runners), time.perf_counter() + asked.seconds
    for i in range(asked.warmup + asked.runs):
        if i > asked.warmup and time.perf_counter() > end:
            break
        names = names[1:] + names[:1]
        for name in names:
            start = time.perf_counter()
            runners[name]()
            if i >= asked.warmup:
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: float(np.median(found)) for name, found in times.items() if found}


def _feeds(path: Path, library: Path) -> Feeds:
    from intaglio import load
    from intaglio.compiler.cli.feeds import gather

    beside = path.with_suffix(".npz")
    with load(library) as session:
        return gather(session.get_inputs(), [str(beside)] if beside.is_file() else [], seed=0, sizes={})[0]


# -- who is measured


def intaglio(path: Path, feeds: Feeds) -> Runner:
    from intaglio import load

    session = load(path, num_threads=1)
    return lambda: session.run(None, feeds)


def onnxruntime(path: Path, feeds: Feeds) -> Runner:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feeds)


def openvino(path: Path, feeds: Feeds) -> Runner:
    import openvino as ov  # pyright: ignore[reportMissingImports]  # an extra

    settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda: request.infer(feeds)


PEERS: dict[str, Callable[[Path, Feeds], Runner]] = {"ONNX Runtime": onnxruntime, "OpenVINO": openvino}


# -- how it is shown


def row(result: dict[str, Any], names: Sequence[str]) -> str:
    """One line: milliseconds of each, how many times as fast as each peer Intaglio is, and what compiling took."""
    if "error" in result:
        return f"{result['model']:20} {result['error']}"
    ms = result["ms"]
    ours = ms["Intaglio"]
    parts = [f"{result['model']:20}", f"Intaglio {ours:9.3f} ms"]
    parts += [f"{name} {ms[name]:9.3f} ms, {ms[name] / ours:5.2f}x" for name in names if name != "Intaglio" and name in ms]
    parts.append(f"compile {result['compile_s']:5.1f} s, {result['peak_mib']:6.0f} MiB, .so {result['so_mib']:6.1f} MiB")
    return " | ".join(parts)


def _circumstances(asked: argparse.Namespace) -> dict[str, Any]:
    versions = {}
    for name in ("intaglio", "onnxruntime", "openvino"):
        with contextlib.suppress(ImportError):
            versions[name] = __import__(name).__version__
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "processor": _processor(),
        "python": platform.python_version(),
        "versions": versions,
        "runs": asked.runs,
        "threads": 1,
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
