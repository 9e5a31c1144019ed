"""What `run` and `bench` work on: a session over a model or a library, and ONNX Runtime beside it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ...backends.session import Session
from ...errors import IntaglioError
from ..driver import compile_model, load
from ..options import Options
from .show import compiling


def options_of(asked: argparse.Namespace) -> Options:
    """The options that the command line gives."""
    name = getattr(asked, "name", None)
    given = (asked.target, asked.cpu, dict(asked.dims), asked.opt_level, name, asked.dump_ir, asked.verify_ir)
    profile = getattr(asked, "profile", False)
    return Options(*given, cache=not asked.no_cache, operators=asked.operators, profile=profile, winograd=asked.winograd, tune=asked.tune)


def open_session(asked: argparse.Namespace) -> Session:
    """A session over the model or library named. Raises IntaglioError for what cannot be compiled or loaded."""
    if asked.model.suffix == ".so":
        return load(asked.model, num_threads=asked.threads)
    with compiling(asked.model.name) as begin:
        return compile_model(asked.model, options_of(asked), begin).session(num_threads=asked.threads)


class Reference:
    """A model in ONNX Runtime."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Raises IntaglioError: ITG7401 if ONNX Runtime is not installed, ITG7402 if it refuses the model, ITG7405 for a library."""
        if path.suffix == ".so":
            raise IntaglioError("ITG7405", "there is no model to compare with", subject=str(path), hint="Give the .onnx file.")
        try:
            import onnxruntime
        except ImportError as error:
            hint = 'Install it: pip install "intaglio[bench]".'
            raise IntaglioError("ITG7401", f"is not to be had: {error}", subject="ONNX Runtime", hint=hint) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no base but Exception
            raise IntaglioError("ITG7402", f"refuses the model: {error}", subject="ONNX Runtime") from error

    def run(self, names: list[str] | None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        try:
            return self._session.run(names, feeds)
        except Exception as error:
            raise IntaglioError("ITG7402", f"refuses to run: {error}", subject="ONNX Runtime") from error
