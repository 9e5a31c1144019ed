"""Artifacts of several processors' code: which one is chosen, that all compute the same, what is shared and what is refused."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path

import intaglio
import numpy as np
import pytest
from intaglio.backends.cpu import variants
from intaglio.backends.target import host_target, named_target
from intaglio.compiler.cli.main import main

onnx = pytest.importorskip("onnx")
if platform.machine() not in ("x86_64", "AMD64"):
    pytest.skip("a choice between processors is for x86-64", allow_module_level=True)

EXAMPLE = Path(__file__).parents[3] / "examples" / "c" / "run.c"
CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler")
HERE = [name for name in variants.LEVELS if named_target(name).vector_bytes <= host_target().vector_bytes]
X = np.random.default_rng(0).standard_normal((1, 5, 9, 40)).astype(np.float32)


def model() -> onnx.ModelProto:
    text = """<ir_version: 10, opset_import: ["" : 20]>
    net (float[1,5,9,40] x) => (float[1,36,7,50] y) { c = Conv (x, f) r = Relu (c) y = MatMul (r, w) }"""
    found = onnx.parser.parse_model(text)
    random = np.random.default_rng(1)
    for name, shape in (("f", (36, 5, 3, 3)), ("w", (38, 50))):
        found.graph.initializer.append(onnx.numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name))
    return found


@pytest.fixture(scope="module")
def program() -> intaglio.Program:
    return intaglio.compile(model(), cpu=tuple(reversed(HERE)), name="net", opt_level=1)


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    return intaglio.compile(model(), opt_level=1).session().run(None, {"x": X})[0]


def rounding(expected: np.ndarray) -> float:
    """What Winograd's algorithm may round by, of the largest value."""
    return 2e-5 * float(np.max(np.abs(expected)))


def chosen(session: intaglio.Session) -> int:
    """Where the kernels of the variant chosen are, from the library's begin or near it: told apart by that."""
    module = session._module
    return module.image - ctypes.addressof(module)


def test_it_runs_in_this_process(program: intaglio.Program, expected: np.ndarray) -> None:
    np.testing.assert_allclose(program.session().run(None, {"x": X})[0], expected, rtol=1e-4, atol=rounding(expected))


def test_weights_packed_alike_are_there_once() -> None:
    # Winograd's tiles, and with them the weights, are chosen for each processor by itself.
    core, single = (intaglio.compile(model(), cpu=cpu, opt_level=1, winograd=False).core for cpu in (tuple(reversed(HERE)), HERE[0]))
    assert isinstance(core, variants.Variants)
    assert [one.machine.cpu for one in core.programs] == HERE
    assert core.layout.bytes == single.layout.bytes


@needs_cc
def test_the_best_or_the_one_wished_for_is_chosen(
    program: intaglio.Program, expected: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program.save(tmp_path / "net.so")
    places = {}
    for wish in ("", "abacus", *HERE):
        monkeypatch.setenv(variants.WISH, wish)
        # The loader knows libraries by their files: each of these is loaded, and chooses, by itself.
        session = intaglio.load(shutil.copy(path, tmp_path / f"{wish or 'free'}.so"))
        np.testing.assert_allclose(session.run(None, {"x": X})[0], expected, rtol=1e-4, atol=rounding(expected))
        places[wish] = chosen(session)
    assert places[""] == places["abacus"] == places[HERE[0]]
    assert len(set(places.values())) == len(HERE)


@needs_cc
def test_a_lesser_processor_gets_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def saved(name: str, *cpus: str) -> intaglio.Session:
        return intaglio.load(intaglio.compile(model(), cpu=cpus, opt_level=1).save(tmp_path / name))

    # Bit 10 of leaf 1 is no feature of any x86-64 that runs this, so the best level is lacking here.
    monkeypatch.setitem(variants.LEVELS, HERE[0], (1 << 10, 0, 0, 0))
    assert saved("a.so", HERE[0], "x86-64").run(None, {"x": X})[0].shape == (1, 36, 7, 50)
    with pytest.raises(intaglio.IntaglioError, match="ITG5014"):
        saved("b.so", HERE[0])


@needs_cc
@pytest.mark.parametrize("suffix", [".so", ".a"])
def test_a_c_program_uses_it(program: intaglio.Program, tmp_path: Path, suffix: str) -> None:
    library, binary = program.save(tmp_path / f"net{suffix}"), tmp_path / "run"
    source = tmp_path / "run.c"
    source.write_text(EXAMPLE.read_text().replace("model_", "net_").replace("model.h", "net.h"))
    command = [str(CC), "-I", str(tmp_path), str(source), str(library), "-o", str(binary), "-lm", "-lpthread", "-Wl,-rpath,$ORIGIN"]
    subprocess.run(command, check=True)
    done = subprocess.run([binary], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[:2] == ["input x: float[1, 5, 9, 40]", "output y: float[1, 36, 7, 50]"]
    if suffix == ".so":
        names = {line.split()[-1] for line in subprocess.run(["nm", "-D", library], capture_output=True, text=True).stdout.splitlines()}
        assert not {name for name in names if "x86-64" in name or "weights" in name}


@needs_cc
def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(model(), path)
    assert main(["compile", str(path), "-o", str(tmp_path / "net.so"), "--cpu", "x86-64,x86-64-v3", "-O1"]) == 0
    assert intaglio.load(tmp_path / "net.so").get_inputs()[0].name == "x"


def test_what_is_refused(program: intaglio.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cpus in (("host", "x86-64-v3"), ("x86-64-v3", "neoverse-n1"), ()):
        with pytest.raises(intaglio.IntaglioError, match="ITG7106"):
            intaglio.compile(model(), cpu=cpus)
    with pytest.raises(intaglio.IntaglioError, match="ITG7104"):
        intaglio.compile(model(), target="abacus", cpu=("x86-64", "x86-64-v3"))
    with pytest.raises(intaglio.IntaglioError, match="ITG7004"):
        program.save(tmp_path / "net.o")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(intaglio.IntaglioError, match="ITG7107"):
        intaglio.compile(model(), cpu=("x86-64", "x86-64-v3"))
