"""Who is measured: each peer makes a runner for a model, with threads of its own number; those not installed are left out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Feeds = dict[str, np.ndarray]
Runner = Callable[[], Any]

INTAGLIO, ORT, OPENVINO, IREE = "Intaglio", "ONNX Runtime", "OpenVINO", "IREE"


@dataclass(frozen=True)
class Peer:
    """module: what must be installed; make: a runner for a file, its inputs and a number of threads."""

    name: str
    module: str
    make: Callable[[Path, Feeds, int], Runner]

    @property
    def installed(self) -> bool:
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:  # the package around it is not there
            return False

    @property
    def version(self) -> str:
        module = importlib.import_module(self.module.partition(".")[0] if self.name != IREE else self.module)
        return str(getattr(module, "__version__", getattr(getattr(module, "version", None), "VERSION", "")))


def intaglio(path: Path, feeds: Feeds, threads: int) -> Runner:
    """path: a shared library, as it would be shipped, or a model, which is compiled or found in the cache."""
    from intaglio import InferenceSession, load

    make: Any = load if path.suffix == ".so" else InferenceSession
    session = make(path, num_threads=threads)
    return lambda: session.run(None, feeds)


def onnxruntime(path: Path, feeds: Feeds, threads: int) -> Runner:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feeds)


def openvino(path: Path, feeds: Feeds, threads: int) -> Runner:
    """In float32, as the others compute: left alone it takes bfloat16 where the processor has it."""
    import openvino as ov  # pyright: ignore[reportMissingImports]

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda: request.infer(feeds)


def iree(path: Path, feeds: Feeds, threads: int) -> Runner:
    """Imported by its own tool, compiled for this processor, run by its local executor: one thread, or its pool of all cores."""
    import iree.compiler as compiler  # pyright: ignore[reportMissingImports]
    import iree.runtime as runtime  # pyright: ignore[reportMissingImports]
    from iree.compiler.tools.import_onnx.__main__ import main, parse_arguments  # pyright: ignore[reportMissingImports]

    imported = path.with_suffix(".mlir")
    if main(parse_arguments([str(path), "-o", str(imported), "--opset-version", "20"])):
        raise RuntimeError("its importer refuses the model")
    flags = ["--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3"]
    code = compiler.compile_file(str(imported), input_type="onnx", target_backends=["llvm-cpu"], extra_args=flags)
    config = runtime.Config("local-sync" if threads == 1 else "local-task")
    module = runtime.load_vm_module(runtime.VmModule.copy_buffer(config.vm_instance, code), config)
    function = next(module[name] for name in module.vm_module.function_names if not name.startswith("__"))
    arguments = list(feeds.values())

    def run() -> Any:
        results = function(*arguments)
        return [r.to_host() for r in (results if isinstance(results, tuple | list) else [results])]

    return run


PEERS = {
    peer.name: peer
    for peer in (
        Peer(INTAGLIO, "intaglio", intaglio),
        Peer(ORT, "onnxruntime", onnxruntime),
        Peer(OPENVINO, "openvino", openvino),
        Peer(IREE, "iree.compiler", iree),
    )
}
