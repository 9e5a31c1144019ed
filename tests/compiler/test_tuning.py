"""Choices by measurement: the fastest is taken, results are kept and read again, and nothing that is broken there matters."""

from __future__ import annotations

import itertools
from pathlib import Path

import intaglio
import numpy as np
import pytest
from intaglio.backends.target import host_target
from intaglio.compiler import tune_schedules, tuning
from intaglio.compiler.cli.arguments import parser
from intaglio.compiler.lowering import lower_model
from intaglio.compiler.options import Options
from intaglio.passes.onnx.choose_winograd import Outputs
from onnx import TensorProto, helper, numpy_helper


def model() -> bytes:
    """Two equal layers, whose plain kernel the estimates would not choose."""
    w = np.random.default_rng(0).standard_normal((32, 32, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4), helper.make_node("Conv", ["a", "w"], ["y"], pads=[1] * 4)]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 32, 14, 14)) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "layers", ports[:1], ports[1:], [numpy_helper.from_array(w, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def algorithms(**options: float) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []

    def reached(level: str, module: object) -> None:
        if level == "onnx":
            found.extend(op.attr("winograd") for op in module.walk() if op.name == "blocked.conv")  # type: ignore[attr-defined]

    lower_model(model(), Options(opt_level=0, **options), observe=reached)  # type: ignore[arg-type]
    return found


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Outputs, ...]]:
    """Measurements, which find the plain kernel fastest: the candidates of each."""
    calls: list[tuple[Outputs, ...]] = []

    def timed(self: tuning.Tuner, runs: dict[str, object], cold: int) -> dict[str, float]:
        calls.append(tuple(tuple(map(int, name.split("x"))) if name != "direct" else () for name in runs))
        return {name: 1e-3 * (sum(outputs) + 1) for name, outputs in zip(runs, calls[-1], strict=True)}

    monkeypatch.setattr(tune_schedules, "SMALL", float("inf"))
    monkeypatch.setattr(tuning.Tuner, "_timed", timed)
    return calls


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTAGLIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_fastest_is_taken_and_equal_layers_are_measured_once(measured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAGLIO_CACHE", "off")
    assert all(algorithms()) and measured == []
    assert algorithms(tune=9) == [(), ()]
    assert len(measured) == 1 and measured[0][0] == ()


def test_results_are_kept_for_the_next(measured, folder: Path) -> None:
    assert algorithms(tune=9) == algorithms(tune=9) == [(), ()]
    assert len(measured) == 1
    (file,) = folder.iterdir()
    assert file.suffix == tuning.SUFFIX
    for damage in (b"", b"{", b"[1]", b'{"direct": "x"}', b"\xff"):
        file.write_bytes(damage)
        assert algorithms(tune=9) == [(), ()]
    assert len(measured) == 6


def test_a_file_may_say_what_is_fastest(measured, folder: Path) -> None:
    algorithms(tune=9)
    (file,) = folder.iterdir()
    file.write_text(file.read_text().replace("0.001,", "1.0,"))
    assert all(algorithms(tune=9)) and len(measured) == 1


def test_few_files_are_kept(measured, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "MOST_FILES", 2)
    folder.mkdir(mode=0o700)
    for n in range(4):
        (folder / f"{n}{tuning.SUFFIX}").write_text("{}")
    algorithms(tune=9)
    assert len(list(folder.iterdir())) == 2


def test_no_layer_begins_when_the_time_is_over(measured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAGLIO_CACHE", "off")
    serial = itertools.count()
    monkeypatch.setattr(tuning.Tuner, "_key", lambda self, layer: str(next(serial)))  # no layer is known already
    assert algorithms(tune=1e-9)[0] == ()
    assert algorithms(tune=1e-9)[1] != () and len(measured) == 2


def test_what_cannot_run_here_is_refused() -> None:
    other = "neoverse-n1" if host_target().triple.startswith("x86") else "x86-64"
    with pytest.raises(intaglio.IntaglioError, match="ITG7108"):
        intaglio.compile(model(), cpu=other, tune=1)


def test_a_tuned_program_computes_the_same() -> None:
    x = np.random.default_rng(1).standard_normal((1, 32, 14, 14)).astype(np.float32)
    plain, tuned = (intaglio.compile(model(), tune=tune, cache=False).session().run(None, {"x": x})[0] for tune in (0, 5))
    np.testing.assert_allclose(tuned, plain, rtol=1e-3, atol=1e-3 * np.abs(plain).max())


def test_the_command_line_says_so() -> None:
    asked = [parser().parse_args(["compile", "m.onnx", *more]).tune for more in ((), ("--tune",), ("--tune", "5"))]
    assert asked == [0, 60, 5]


def product() -> bytes:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (30, 40)) for name in ("x", "y")]
    w = numpy_helper.from_array(np.random.default_rng(0).standard_normal((40, 40)).astype(np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "product", ports[:1], ports[1:], [w])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def test_faster_schedules_are_taken(folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Each is taken where it is said to be faster, the results being the same."""
    x = np.random.default_rng(1).standard_normal((30, 40)).astype(np.float32)
    expected = intaglio.compile(product(), opt_level=0, cache=False).session().run(None, {"x": x})[0]
    caplog.set_level("INFO", "intaglio.tuning")
    timed: list[str] = []

    def times(self: tuning.Tuner, runs: dict[str, object], cold: int) -> dict[str, float]:
        timed.extend(runs)
        return {name: 0.5e-3 if wanted in name else 1e-3 for name in runs}

    monkeypatch.setattr(tuning.Tuner, "_timed", times)
    monkeypatch.setattr(tune_schedules, "SMALL", 0)
    for wanted, name in (("16 columns", "first"), ("part = 16", "second")):
        for file in folder.glob("*"):
            file.unlink()
        found = intaglio.compile(product(), opt_level=0, tune=9, name=name)
        np.testing.assert_array_equal(found.session().run(None, {"x": x})[0], expected)
        assert "50.0 % less" in caplog.text and wanted in caplog.text
    count = len(timed)
    intaglio.compile(product(), opt_level=0, tune=9, name="third")
    assert len(timed) == count  # the results of the second were kept
