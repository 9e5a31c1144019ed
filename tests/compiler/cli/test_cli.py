"""The commands, run in this process as the script would: what they print, write and return."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from intaglio.compiler.cli import arguments, run
from intaglio.compiler.cli.main import main
from intaglio.compiler.diagnostics import LEVELS

onnx = pytest.importorskip("onnx")

TEXT = """<ir_version: 10, opset_import: ["" : 20]>
model (float[N,4] x, int64[1] k) => (float[N,4] y, int64[1] l) {
  a = Relu (x)
  y = Exp (a)
  l = Add (k, k)
}"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    onnx.save(onnx.parser.parse_model(TEXT), path)
    return path


def test_compile_writes_a_library_that_runs(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    library = tmp_path / "out" / "tiny.so"
    assert main(["compile", str(model), "-o", str(library)]) == 0
    assert library.exists() and "tiny_run" in library.with_suffix(".h").read_text()
    np.save(tmp_path / "x.npy", np.zeros((2, 4), np.float32))
    outputs = tmp_path / "y.npz"
    assert main(["run", str(library), f"x={tmp_path / 'x.npy'}", "-o", str(outputs)]) == 0
    shown = capsys.readouterr()
    assert "2x4" in shown.out and "random inputs (seed 0): k" in shown.err
    np.testing.assert_array_equal(np.load(outputs)["y"], np.ones((2, 4)))


def test_operators_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    one = onnx.parser.parse_model(TEXT.replace('"" : 20', '"" : 20, "mine" : 1').replace("a = Relu (x)", "a = mine.Twice (x)"))
    path, operators = tmp_path / "own.onnx", tmp_path / "own.py"
    onnx.save(one, path)
    operators.write_text("import intaglio\n@intaglio.decomposition('mine')\ndef Twice(g, x):\n    return x + x\n")
    for command in ("check", "info", "run", "compile"):
        more = ["-o", str(tmp_path / "own.so")] if command == "compile" else []
        assert main([command, str(path), "--operators", str(operators), *more]) == 0
    assert main(["check", str(path)]) == 1
    assert "--operators" in capsys.readouterr().err


@pytest.mark.parametrize("emit", ["onnx", "linalg", "dispatch", "loops", "llvm", "asm"])
def test_compile_prints_levels(emit: str, model: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["compile", str(model), "--emit", emit]) == 0
    text = capsys.readouterr().out
    assert {"llvm": "define", "asm": ".text"}.get(emit, "func.func @main") in text


@pytest.mark.parametrize("suffix", [".o", ".a", ".ll", ".s"])
def test_the_suffix_says_what_to_write(suffix: str, model: Path, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    assert main(["compile", str(model), "-O", "0", "-o", str(path)]) == 0
    assert path.stat().st_size > 0


def test_run_reads_every_kind_of_file(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    x, k = np.arange(4, dtype=np.float32)[None], np.array([21])
    np.savez(tmp_path / "all.npz", x=x, k=k)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "k.pb").write_bytes(onnx.numpy_helper.from_array(k).SerializeToString())
    for given in ([str(tmp_path / "all.npz")], [str(tmp_path / "x.npy"), str(tmp_path / "k.pb")], [f"k={tmp_path / 'k.pb'}"]):
        assert main(["run", str(model), *given]) == 0
        assert "[0] 42" in capsys.readouterr().out


def test_random_inputs_repeat(model: Path, tmp_path: Path) -> None:
    found = []
    for i, seed in enumerate((1, 1, 2)):
        assert main(["run", str(model), "--seed", str(seed), "--size", "N=3", "-o", str(tmp_path / f"{i}.npz")]) == 0
        found.append(np.load(tmp_path / f"{i}.npz")["y"])
    assert found[0].shape == (3, 4)
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_verify_agrees_and_differs(model: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    assert main(["run", str(model), "--verify"]) == 0
    assert "agrees" in capsys.readouterr().out
    monkeypatch.setattr(run, "difference", lambda *_: run.Difference(1.0, 1.0, False, "on purpose"))
    assert main(["run", str(model), "--verify"]) == 1
    assert "differs on purpose" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ours", "theirs", "within"),
    [
        ([1.0, 2.0], [1.0, 2.0], True),
        ([1.0, 2.0], [1.0, 2.1], False),
        ([0.0005, 1.0], [0.0, 1.0], True),  # within the share of the largest value
        ([np.nan, np.inf], [np.nan, np.inf], True),
        ([np.nan, 1.0], [1.0, 1.0], False),
        ([1.0], [1.0, 2.0], False),
        ([], [], True),
    ],
)
def test_difference(ours: list, theirs: list, within: bool) -> None:
    assert run.difference(np.array(ours), np.array(theirs), 1e-3, 1e-3).within is within


def test_bench_measures(model: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("onnxruntime")
    assert main(["bench", str(model), "--runs", "3", "--warmup", "1", "--compare"]) == 0
    shown = capsys.readouterr().out
    assert "one thread" in shown and "Intaglio" in shown and "times ONNX Runtime's speed" in shown
    assert main(["bench", str(model), "--runs", "1", "--warmup", "0", "--threads", "3"]) == 0
    assert "3 threads" in capsys.readouterr().out


def test_info_and_check(model: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["info", str(model)]) == 0
    shown = capsys.readouterr().out
    assert "Nx4" in shown and "Relu" in shown
    assert main(["check", str(model)]) == 0
    assert "can be compiled" in capsys.readouterr().out


def test_check_reports_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    text = '<ir_version: 10, opset_import: ["" : 20]>\nm (float[2] x) => (float[2] z) { y = NoSuchOp (x) z = Add (y, missing) }'
    path = tmp_path / "bad.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    assert main(["check", str(path)]) == 1
    shown = capsys.readouterr().err
    assert "ITG1004" in shown and "ITG1002" in shown and "2 problems" in shown


@pytest.mark.parametrize(
    ("code", "command"),
    [
        ("ITG0101", ["run", "there-is-none.onnx"]),
        ("ITG7020", ["run", "there-is-none.so"]),
        ("ITG7101", ["compile", "MODEL", "--cpu", "z80"]),
        ("ITG7403", ["run", "MODEL", "there-is-none.npy"]),
        ("ITG7403", ["run", "MODEL", "k=picture.bmp"]),
        ("ITG7404", ["run", "MODEL", "k=FILE", "FILE", "FILE"]),
        ("ITG7405", ["run", "there-is-none.so", "--verify"]),
        ("ITG7406", ["run", "MODEL", "-o", "outputs.txt"]),
        ("ITG7407", ["bench", "MODEL", "--runs", "0"]),
        ("ITG5530", ["run", "MODEL", "--threads", "-1"]),
        ("ITG7408", ["compile", "MODEL", "-o", "model.exe"]),
        ("ITG7408", ["compile", "MODEL", "-o", "model.o", "--emit", "so"]),
    ],
)
def test_errors_are_messages(code: str, command: list[str], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    np.save(tmp_path / "k.npy", np.array([1]))
    places = {"MODEL": str(model), "FILE": str(tmp_path / "k.npy")}
    words = [word.replace("FILE", places["FILE"]) if "FILE" in word else places.get(word, word) for word in command]
    assert main(words) == 1
    shown = capsys.readouterr().err
    assert code in shown and "Traceback" not in shown


@pytest.mark.parametrize("words", [[], ["engrave"], ["compile"], ["compile", "m", "--dim", "N"], ["compile", "m", "--emit", "c"]])
def test_wrong_usage_ends_with_two(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_levels_are_the_pipelines() -> None:
    assert arguments.IR_LEVELS == LEVELS
