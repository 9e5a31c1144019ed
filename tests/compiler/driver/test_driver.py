"""The front door from Python: compile, save, load, sessions, options, and what becomes of faults."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import intaglio
import numpy as np
import pytest
from intaglio.backends.target import host_target
from intaglio.compiler import driver, lowering
from intaglio.compiler.diagnostics import LEVELS, STEPS, Place, internal_errors
from intaglio.compiler.options import Options
from intaglio.dialects.onnx.registry import OPERATORS

onnx = pytest.importorskip("onnx")

TEXT = """<ir_version: 10, opset_import: ["" : 20]>
model (float[N,4] x, float[4] bias) => (float[N,4] y) <float[4] bias = {1, 2, 3, 4}> {
  s = Add (x, bias)
  y = Relu (s)
}"""


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return onnx.parser.parse_model(TEXT)


@pytest.fixture(scope="module")
def program(model: onnx.ModelProto) -> intaglio.Program:
    return intaglio.compile(model)


X = np.array([[-3, -1, 0, 1]], np.float32)
Y = np.array([[0, 1, 3, 5]], np.float32)


@pytest.mark.parametrize("kind", ["path", "bytes", "message", "file"])
def test_a_model_may_come_as(kind: str, model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    source = {"path": path, "bytes": path.read_bytes(), "message": model, "file": path.open("rb")}[kind]
    with intaglio.InferenceSession(source, opt_level=0) as session:
        np.testing.assert_array_equal(session.run(None, {"x": X})[0], Y)


def test_ports_are_described(program: intaglio.Program) -> None:
    session = program.session()
    for described in (program, session):
        assert [(p.name, p.type, p.shape) for p in described.get_inputs()] == [
            ("x", "tensor(float)", ["N", 4]),
            ("bias", "tensor(float)", [4]),
        ]
        assert [(p.name, p.type, p.shape) for p in described.get_outputs()] == [("y", "tensor(float)", ["N", 4])]


def test_a_default_may_be_fed(program: intaglio.Program) -> None:
    (y,) = program.session().run(["y"], {"x": X, "bias": np.zeros(4, np.float32)})
    np.testing.assert_array_equal(y, np.maximum(X, 0))


def test_a_library_runs_the_same(program: intaglio.Program, tmp_path: Path) -> None:
    path = program.save(tmp_path / "model.so")
    assert path.with_suffix(".h").exists()
    for session in (intaglio.load(path), intaglio.InferenceSession(path)):
        np.testing.assert_array_equal(session.run(None, {"x": np.repeat(X, 3, 0)})[0], np.repeat(Y, 3, 0))


def test_the_file_names_the_functions(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "my net.onnx"
    onnx.save(model, path)
    assert "my_net_run" in intaglio.compile(path, opt_level=0).header()
    assert "other_run" in intaglio.compile(path, opt_level=0, name="other").header()


def test_a_dimension_may_be_fixed(model: onnx.ModelProto) -> None:
    session = intaglio.InferenceSession(model, dims={"N": 2})
    assert session.get_inputs()[0].shape == [2, 4]
    with pytest.raises(intaglio.IntaglioError, match="ITG5505"):
        session.run(None, {"x": X})


def test_levels_are_dumped_and_verified(model: onnx.ModelProto, tmp_path: Path) -> None:
    intaglio.compile(model, dump_ir=tmp_path / "ir", verify_ir=True)
    names = [path.name for path in sorted((tmp_path / "ir").iterdir())]
    assert names[: len(LEVELS)] == [f"{i}-{level}.mlir" for i, level in enumerate(LEVELS)]
    assert {Path(name).suffix for name in names} == {".mlir", ".ll", ".s"}


def test_steps_are_told_in_order(model: onnx.ModelProto) -> None:
    told: list[str] = []
    driver.compile_model(model, Options(opt_level=0), told.append)
    assert tuple(told) == STEPS


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_text(level: str, model: onnx.ModelProto) -> None:
    assert "func.func @main" in lowering.level_text(model, Options(), level)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("ITG7101", {"cpu": "z80"}),
        ("ITG7101", {"target": "abacus"}),
        ("ITG7104", {"target": "abacus", "cpu": "x86-64-v3"}),
        ("ITG7103", {"opt_level": 7}),
        ("ITG1000", {"dims": {"M": 3}}),
    ],
)
def test_wrong_options_are_refused(code: str, options: dict, model: onnx.ModelProto) -> None:
    with pytest.raises(intaglio.IntaglioError) as found:
        intaglio.compile(model, **options)
    assert found.value.code == code


def test_a_dump_that_cannot_be_written(model: onnx.ModelProto, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(intaglio.IntaglioError, match="ITG7301"):
        intaglio.compile(model, dump_ir=tmp_path / "file")


def test_another_machines_program_does_not_run_here(model: onnx.ModelProto, tmp_path: Path) -> None:
    other = "x86-64" if host_target().triple.startswith("aarch64") else "neoverse-n1"
    program = intaglio.compile(model, cpu=other)
    assert program.save(tmp_path / "model.o").stat().st_size > 0
    with pytest.raises(intaglio.IntaglioError, match="ITG7105"):
        program.session()


@pytest.mark.parametrize(("error", "code"), [(KeyError("x"), "ITG9001"), (RecursionError(), "ITG9002"), (MemoryError(), "ITG9003")])
def test_no_other_error_escapes(error: Exception, code: str) -> None:
    with pytest.raises(intaglio.IntaglioError) as found, internal_errors(Place("linalg")):
        raise error
    assert found.value.code == code and "linalg" in found.value.message
    assert found.value.__cause__ is error


def test_an_internal_error_names_the_operator(model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    from intaglio.passes.onnx_to_linalg.registry import LOWERINGS

    def fail(b: object, op: object, *operands: object) -> None:
        raise AssertionError("wrong")

    monkeypatch.setitem(LOWERINGS, OPERATORS["", "Relu"], fail)
    with pytest.raises(intaglio.IntaglioError, match=r'ITG9001 Relu ".*": internal error at level linalg: AssertionError: wrong'):
        intaglio.compile(model)


def test_the_garbage_collector_is_left_as_it_was(model: onnx.ModelProto) -> None:
    assert gc.isenabled()
    threads = [threading.Thread(target=intaglio.compile, args=(model,), kwargs={"opt_level": 0}) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gc.isenabled()
    with pytest.raises(intaglio.IntaglioError):
        intaglio.compile(b"nonsense")
    assert gc.isenabled()
    gc.disable()
    try:
        intaglio.compile(model, opt_level=0)
        assert not gc.isenabled()
    finally:
        gc.enable()
