"""The cache of compiled programs: what hits and what misses, damage, many processes at once, its bound, and whose folder it is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import intaglio
import numpy as np
import pytest
from intaglio.compiler import lowering
from intaglio.compiler.cache import Cache
from intaglio.compiler.cli.main import main

onnx = pytest.importorskip("onnx")

TEXT = """<ir_version: 10, opset_import: ["" : 20]>
model (float[N,4] x, float[4] bias) => (float[N,4] y) <float[4] bias = {1, 2, 3, 4}> {
  s = Add (x, bias)
  y = Relu (s)
}"""
X = np.array([[-3, -1, 0, 1]], np.float32)
Y = np.array([[0, 1, 3, 5]], np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTAGLIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(onnx.parser.parse_model(TEXT), path)
    return path


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One entry for each model that is compiled in earnest."""
    found: list[Any] = []
    real = lowering.lower_to_loops

    def counted(*args: Any, **named: Any) -> Any:
        found.append(args)
        return real(*args, **named)

    monkeypatch.setattr(lowering, "lower_to_loops", counted)
    return found


def check(program: intaglio.Program) -> None:
    np.testing.assert_array_equal(program.session().run(None, {"x": X})[0], Y)


def test_the_second_time_nothing_is_compiled(folder: Path, model: Path, lowered: list[Any], tmp_path: Path) -> None:
    first = intaglio.compile(model)
    second = intaglio.compile(str(model))
    assert len(lowered) == 1 and len(Cache(folder).entries()) == 1
    check(first)
    check(second)
    assert second.header() == first.header() and second.llvm_ir() == first.llvm_ir() and second.core.object == first.core.object
    assert second.get_inputs() == first.get_inputs() and second.get_outputs() == first.get_outputs()
    assert "mov" in second.assembly()
    second.save(tmp_path / "saved.o")
    first.save(tmp_path / "fresh.o")
    assert (tmp_path / "saved.o").read_bytes() == (tmp_path / "fresh.o").read_bytes()


def test_bytes_are_found_as_well(folder: Path, model: Path, lowered: list[Any]) -> None:
    for _ in range(2):
        check(intaglio.compile(model.read_bytes()))
    assert len(lowered) == 1


@pytest.mark.parametrize("change", [{"opt_level": 1}, {"dims": {"N": 1}}, {"cpu": "x86-64-v2"}, {"name": "other"}, {"winograd": False}])
def test_what_the_program_depends_on_is_in_the_key(folder: Path, model: Path, lowered: list[Any], change: dict[str, Any]) -> None:
    intaglio.compile(model)
    intaglio.compile(model, **change)
    assert len(lowered) == 2 and len(Cache(folder).entries()) == 2


def test_another_model_of_the_name(folder: Path, model: Path) -> None:
    intaglio.compile(model)
    onnx.save(onnx.parser.parse_model(TEXT.replace("Relu", "Neg")), model)
    np.testing.assert_array_equal(intaglio.compile(model).session().run(None, {"x": X})[0], -(X + np.arange(1, 5)))


@pytest.mark.parametrize("how", ["off", "no", "dump"])
def test_it_can_be_left_out(folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "off":
        monkeypatch.setenv("INTAGLIO_CACHE", "off")
    intaglio.compile(model, cache=how != "no", dump_ir=tmp_path / "dump" if how == "dump" else None)
    assert not folder.exists()


def test_external_data_counts(folder: Path, tmp_path: Path, lowered: list[Any]) -> None:
    path = tmp_path / "external.onnx"
    proto = onnx.parser.parse_model(TEXT)
    (bias,) = proto.graph.initializer
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias), "bias"))  # only raw data can stand outside
    onnx.save(proto, path, save_as_external_data=True, location="data.bin", size_threshold=0)
    for _ in range(2):
        check(intaglio.compile(path))
    assert len(lowered) == 1
    data = bytearray((tmp_path / "data.bin").read_bytes())
    data[:16] = np.zeros(4, np.float32).tobytes()
    (tmp_path / "data.bin").write_bytes(data)
    np.testing.assert_array_equal(intaglio.compile(path).session().run(None, {"x": X})[0], np.maximum(X, 0))
    assert len(lowered) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "magic", "header", "object", "weights", "grown"])
def test_a_damaged_file_is_made_anew(folder: Path, model: Path, lowered: list[Any], damage: str) -> None:
    check(intaglio.compile(model))
    ((_, size, path),) = Cache(folder).entries()
    data = bytearray(path.read_bytes())
    place = {"magic": 3, "header": 90, "object": 4096 + 200, "weights": size - 3}.get(damage)
    if place is not None:
        data[place] ^= 0x10
    kept = {"cut": data[:-5], "empty": b"", "grown": data[:60]}.get(damage, data)
    path.write_bytes(kept)
    check(intaglio.compile(model))
    assert len(lowered) == 2
    check(intaglio.compile(model))
    assert len(lowered) == 2


def test_every_byte_of_the_file_counts(folder: Path, model: Path) -> None:
    """A change anywhere is noticed, or is in the room between sections; nothing but ValueError comes of it."""
    from intaglio.backends.cpu.stored import _MAGIC, _PREAMBLE, _read_header, read_program

    intaglio.compile(model)
    ((_, size, path),) = Cache(folder).entries()
    data = path.read_bytes()
    with path.open("rb") as file:
        sections = [*_read_header(file)["sections"].values()]
    sections.append((0, len(_MAGIC) + _PREAMBLE.size + _PREAMBLE.unpack_from(data, len(_MAGIC))[0], ""))
    rng = np.random.default_rng(0)
    for place in rng.integers(0, size, 50).tolist():
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            check(intaglio.Program(read_program(path, lambda _: True), intaglio.compile(model, cache=False).target))
        except ValueError:
            continue
        assert not any(start <= place < start + count for start, count, _ in sections)


def test_programs_used_longest_ago_go_first(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    for n in range(4):
        paths.append(tmp_path / f"m{n}.onnx")
        onnx.save(onnx.parser.parse_model(TEXT), paths[-1])
        intaglio.compile(paths[-1])
    kept = Cache(folder)
    for n, (_, _, path) in enumerate(kept.entries()):
        os.utime(path, (1000 + n, 1000 + n))
    oldest = kept.entries()[0][2]
    size = sum(entry[1] for entry in kept.entries()[1:])
    intaglio.compile(paths[0])  # whichever that is becomes the newest
    kept.shrink(size)
    assert len(kept.entries()) == 3 and (not oldest.exists() or kept.entries()[-1][2] == oldest)
    kept.shrink(0)
    assert kept.entries() == []


def test_a_program_larger_than_a_quarter_of_the_room_is_not_kept(folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAGLIO_CACHE_BYTES", "10000")
    check(intaglio.compile(model))
    assert Cache(folder).entries() == []


def test_a_folder_that_others_write_is_not_used(folder: Path, model: Path, lowered: list[Any]) -> None:
    intaglio.compile(model)
    folder.chmod(0o777)
    check(intaglio.compile(model))
    assert len(lowered) == 2


def test_a_folder_that_cannot_be_made_is_no_fault(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INTAGLIO_CACHE", str(tmp_path / "file" / "cache"))
    check(intaglio.compile(model))


def test_threads_may_race(folder: Path, model: Path) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(3):
                check(intaglio.compile(model, opt_level=0))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(Cache(folder).entries()) == 1 and not list(folder.glob(".*.tmp"))


def test_processes_may_race(folder: Path, model: Path) -> None:
    code = "import sys, intaglio; intaglio.compile(sys.argv[1], opt_level=0).session(); print('well')"
    started = [subprocess.Popen([sys.executable, "-c", code, str(model)], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [child.communicate()[0].strip() for child in started] == ["well"] * 3
    assert len(Cache(folder).entries()) == 1


def test_the_command(folder: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    intaglio.compile(model)
    assert main(["cache"]) == 0
    assert "1 program, " in capsys.readouterr().out
    assert main(["cache", "--clear"]) == 0
    assert "0 programs, 0 B of " in capsys.readouterr().out
    assert Cache(folder).entries() == []
