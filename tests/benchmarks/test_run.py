"""The benchmark command on small things: it runs, tables add up, and a record goes on. No time is asserted."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Loads one of the folder's modules, which call each other by bare names as beside a script they can."""
    monkeypatch.syspath_prepend(FOLDER)
    names = [path.stem for path in FOLDER.glob("*.py")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)

    def loaded(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield loaded
    for name in names:
        sys.modules.pop(name, None)


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(FOLDER / "run.py"), *map(str, words)], capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small models: one with inputs beside it, one whose weights are drawn and whose inputs are random."""
    text = '<ir_version: 10, opset_import: ["" : 20]> m (float[N,8] x) => (float[N,4] y) { y = MatMul (x, w) }'
    given, drawn = onnx.parser.parse_model(text), onnx.parser.parse_model(text)
    given.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((8, 4), np.float32), "w"))
    drawn.graph.initializer.append(onnx.TensorProto(name="w", data_type=1, dims=[8, 4]))
    onnx.save(given, tmp_path / "given.onnx")
    onnx.save(drawn, tmp_path / "drawn.onnx")
    np.savez(tmp_path / "given.npz", x=np.ones((3, 8), np.float32))
    (tmp_path / "drawn.json").write_text('{"w": [1.0, 0.5]}')
    return tmp_path


def test_models_of_a_folder(folder: Path) -> None:
    where = ("--models", folder, "--work", folder / "work", "--out", folder / "records", "--without", "OpenVINO", "IREE")
    told = command("models", *where, "--runs", 1)
    assert told.returncode == 0, told.stderr
    (path,) = (folder / "records").glob("*.json")
    rows = {row["name"]: row for row in json.loads(path.read_text())["rows"]["models"]}
    assert list(rows) == ["drawn", "given"]
    for row in rows.values():
        assert set(row["ms"]) == {"Intaglio", "ONNX Runtime"} and row["difference"] < 1e-5 and row["threads"] == 1
        assert row["compile_s"] > 0 and row["cached_s"] > 0 and row["library_mib"] > 0
        assert all(session["start_s"] > 0 and session["session_mib"] > 0 for session in row["sessions"].values())
    assert "geometric mean of 2" in told.stdout and "to the best of them each time" in told.stdout
    again = command("models", "given", *where, "--runs", 1, "--times-only")
    assert again.returncode == 0, again.stderr
    rows = json.loads(path.read_text())["rows"]["models"]
    assert [row["name"] for row in rows] == ["drawn", "given"] and all("sessions" in row for row in rows)


def test_operators_with_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    told = command("operators", "Softmax of 1x32000", "GlobalAveragePool", "--runs", 1, "--threads", 1, 2, "--out", tmp_path)
    assert told.returncode == 0, told.stderr
    (path,) = tmp_path.glob("*.json")
    rows = json.loads(path.read_text())["rows"]["operators"]
    assert Counter((row["family"], row["threads"]) for row in rows) == {(f, t): 1 for f in ("softmax", "pooling") for t in (1, 2)}
    assert all(row["cores"] == 1 if row["threads"] == 1 else 0 < row["cores"] < 3 for row in rows)
    assert "softmax: geometric mean" in told.stdout and "2 threads" in told.stdout
    assert (tmp_path / f"{path.stem}-operators.png").read_bytes().startswith(b"\x89PNG")


def test_cases_are_many_and_named_apart(load) -> None:
    cases = load("operators").CASES
    assert len(cases) >= 60 and len({case.name for case in cases}) == len(cases)
    assert len({case.family for case in cases}) >= 12


@pytest.mark.parametrize("family", ["ml", "recurrent", "quantised", "selection", "image", "half", "attention"])
def test_cases_are_models(load, family: str) -> None:
    for case in load("operators").CASES:
        if case.family == family:
            model, feeds = case.build()
            onnx.checker.check_model(model)
            assert {value.name for value in model.graph.input} == set(feeds)


MADE = ("transformer", "decode", "lstm_tagger", "mobilenet", "quantised_mlp", "light_squeezenet", "light_shufflenet")


@pytest.mark.parametrize("name", MADE)
def test_models_made_here_compute_sane_numbers(load, name: str, tmp_path: Path) -> None:
    import onnxruntime

    model = load("models").made(name, tmp_path)
    outputs = onnxruntime.InferenceSession(model.path).run(None, dict(np.load(model.feeds)))
    assert all(np.isfinite(y).all() and y.std() > 1e-5 for y in outputs)
    assert load("models").made(name, tmp_path) == model


def test_a_record_of_another_machine_is_another_file(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = load("record")
    first = record.Record.of_today(tmp_path, ["Intaglio"])
    first.add("models", {"name": "a", "threads": 1, "ms": {"Intaglio": 1.0, "ONNX Runtime": 2.0}})
    first.write()
    same = record.Record.of_today(tmp_path, ["Intaglio"])
    assert same.path == first.path and same.rows == first.rows
    monkeypatch.setattr(record, "circumstances", lambda peers: {"processor": "another", "versions": {}})
    other = record.Record.of_today(tmp_path, ["Intaglio"])
    assert other.path == first.path.with_stem(f"{first.path.stem}-2") and other.rows == {}


def test_ratios_and_means(load) -> None:
    record = load("record")
    assert record.ratios({"ms": {"Intaglio": 2.0, "ONNX Runtime": 3.0, "OpenVINO": 1.0}}) == {"ONNX Runtime": 1.5, "OpenVINO": 0.5}
    assert record.geometric_mean([0.5, 2.0, 8.0]) == pytest.approx(2.0)
