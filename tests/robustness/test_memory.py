"""Runs that fail, watched by valgrind: nothing is read or written out of place, nothing leaks, and the next run is right."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import intaglio
import onnx
import pytest
from onnx import TensorProto, helper

CC, VALGRIND = shutil.which("cc"), shutil.which("valgrind")
FLOAT, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def loop() -> onnx.NodeProto:
    """As many rounds as there are indices, each of which keeps a copy of the picked elements: memory that grows within a run."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Add", ["v", "picked"], ["next"]),
            helper.make_node("Identity", ["next"], ["kept"]),
        ],
        "body",
        [info("k", I64, []), info("go", BOOL, []), info("v", FLOAT, None)],
        [info("on", BOOL, []), info("next", FLOAT, None), info("kept", FLOAT, None)],
    )
    return helper.make_node("Loop", ["rounds", "", "picked"], ["", "grown"], name="grow", body=body)


@pytest.mark.skipif(CC is None or VALGRIND is None, reason="no C compiler, or no valgrind")
def test_failing_runs_leave_memory_whole(graph: Callable[..., onnx.ModelProto], tmp_path: Path) -> None:
    model = graph(
        [
            helper.make_node("Gather", ["x", "i"], ["picked"], name="pick"),
            helper.make_node("Reshape", ["x", "s"], ["viewed"], name="view"),
            helper.make_node("Div", ["i", "d"], ["shared"], name="share"),
            helper.make_node("Size", ["i"], ["rounds"]),
            loop(),
        ],
        {"x": ["n"], "i": (I64, ["m"]), "s": (I64, [2]), "d": (I64, ["m"])},
        outputs=["picked", "viewed", "shared", "grown"],
    )
    # Valgrind knows no instructions newer than AVX2.
    cpu = {"x86_64": "x86-64-v2"}.get(subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip(), "host")
    library = intaglio.compile(model, cpu=cpu, opt_level=1, name="model").save(tmp_path / "model.so")
    source, program = Path(__file__).parent / "memory.c", tmp_path / "memory"
    build = [CC, "-std=c11", "-g", "-Wall", "-Werror", "-I", tmp_path, source, library, "-o", program, "-lm", "-Wl,-rpath,$ORIGIN"]
    subprocess.run(build, check=True)
    watched = [VALGRIND, "-q", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all", program]
    done = subprocess.run(watched, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
