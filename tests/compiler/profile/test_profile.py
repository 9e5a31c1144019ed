"""What a program's profile says: how often, how long, which nodes, and exactly how much work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from intaglio import compile, load
from intaglio.backends.cpu.peaks import Peaks, measured_peaks
from intaglio.backends.profile import Dispatch
from intaglio.compiler.cli.main import main
from intaglio.compiler.cli.profile import profile_of
from intaglio.errors import IntaglioError

onnx = pytest.importorskip("onnx")

FLOAT = 4  # bytes


def model(text: str, weights: dict[str, tuple[int, ...]] | None = None) -> bytes:
    made = onnx.parser.parse_model('<ir_version: 10, opset_import: ["" : 20]>\n' + text)
    random = np.random.default_rng(0)
    for name, shape in (weights or {}).items():
        made.graph.initializer.append(onnx.numpy_helper.from_array(random.standard_normal(shape, np.float32), name))
    return made.SerializeToString()


def profiled(source: bytes, *runs: dict[str, np.ndarray]) -> list[Dispatch]:
    session = compile(source, profile=True, verify_ir=True, opt_level=1).session()
    for feeds in runs:
        session.run(None, feeds)
    return session.profile()


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def by_node(dispatches: list[Dispatch], node: str) -> list[Dispatch]:
    return [d for d in dispatches if d.nodes[:1] == (node,)]


PRODUCT = "m (float[N,48] x) => (float[N,40] y) { [product] a = MatMul (x, w)\n [cut] y = Relu (a) }"


def test_a_product_counts_twice_its_size_and_takes_its_followers_along():
    (found,) = profiled(model(PRODUCT, {"w": (48, 40)}), {"x": zeros(7, 48)}, {"x": zeros(9, 48)})
    assert found.nodes == ("product", "cut") and found.count == 2
    assert found.operations == sum(2 * n * 48 * 40 + n * 40 for n in (7, 9))
    weights = -(-40 // 32) * 32 * 48  # packed in panels of two vectors, on AVX-512
    assert found.bytes in [sum(FLOAT * (n * 48 + n * 40 + held) for n in (7, 9)) for held in (weights, 48 * 40, 48 * 48)]
    assert 0 < found.least_nanoseconds <= found.nanoseconds


def test_a_convolution_counts_no_padding_of_channels():
    text = "m (float[1,20,9,9] x) => (float[1,24,7,7] y) { [conv] y = Conv <dilations = [2, 2]> (x, w) }"
    found = by_node(profiled(model(text, {"w": (24, 20, 2, 2)}), {"x": zeros(1, 20, 9, 9)}), "conv")
    assert sum(d.operations or 0 for d in found) == 2 * 24 * 20 * 4 * 7 * 7


def test_whole_numbers_and_rows_count():
    text = """m (int32[6,8] x, int32[8,5] z, float[4,16] r) => (int32[6,5] y, float[4,16] s) {
      [whole] y = MatMul (x, z)\n [soft] s = Softmax (r)
    }"""
    whole = {"x": np.ones((6, 8), np.int32), "z": np.ones((8, 5), np.int32), "r": zeros(4, 16)}
    found = profiled(model(text), whole)
    assert sum(d.operations or 0 for d in by_node(found, "whole")) == 2 * 6 * 8 * 5
    # The largest of a row, x less that, its exponential, the sum, the product with the sum's inverse; and that once a row.
    (soft,) = by_node(found, "soft")
    assert soft.operations == 5 * 4 * 16 + 4 and soft.bytes == FLOAT * 2 * 4 * 16


def test_what_is_read_in_part_counts_in_part():
    text = "m (float[64,64] x) => (float[2,64] y) { [part] y = Slice (x, from, to) }"
    made = onnx.load_from_string(model(text))
    for name, value in (("from", 3), ("to", 5)):
        made.graph.initializer.append(onnx.numpy_helper.from_array(np.array([value]), name))
    found = profiled(made.SerializeToString(), {"x": zeros(64, 64)})
    assert sum(d.bytes for d in found) == FLOAT * 2 * 2 * 64
    assert all(d.operations == 0 for d in found)


def test_a_kernel_of_loops_has_no_count():
    text = "m (float[8,32] x, int64[1] k) => (float[8,k] y, int64[8,k] i) { [top] y, i = TopK (x, k) }"
    found = by_node(profiled(model(text), {"x": zeros(8, 32), "k": np.array([4])}), "top")
    assert found and any(d.operations is None for d in found)


def test_a_loop_counts_its_rounds():
    text = """m (int64 rounds, float[16] x) => (float[16] y) {
      y = Loop (rounds, , x) <body = b (int64 i, bool c, float[16] a) => (bool d, float[16] z) { d = Identity (c)\n [step] z = Exp (a) }>
    }"""
    found = by_node(profiled(model(text), {"rounds": np.array(5), "x": zeros(16)}), "step")
    assert [d.count for d in found] == [5] and found[0].operations == 5 * 16


def test_saved_programs_keep_it_and_forget_it(tmp_path: Path):
    compile(model(PRODUCT, {"w": (48, 40)}), profile=True, opt_level=1).save(tmp_path / "m.so")
    with load(tmp_path / "m.so") as session:
        session.run(None, {"x": zeros(3, 48)})
        assert [d.count for d in session.profile(reset=True)] == [1]
        assert [(d.count, d.nanoseconds, d.bytes) for d in session.profile()] == [(0, 0, 0)]


def test_without_one_it_says_so():
    session = compile(model(PRODUCT, {"w": (48, 40)}), opt_level=0).session()
    with pytest.raises(IntaglioError, match=r"(?s)ITG5531.*--profile"):
        session.profile()


PEAKS = Peaks(threads=1, operations=1e11, dram=1e10, l2=1e11)


def test_parts_of_a_run_add_up():
    dispatches = [
        Dispatch("conv_0", ("a", "b"), 2, 4000, 1500, 200, 40000),
        Dispatch("rowwise_1", ("b", "c"), 2, 2000, 900, 100, 0),
        Dispatch("conv_0", ("a",), 2, 8000, 3500, 200, None),
        Dispatch("never", ("d",), 0, 0, 0, 0, 0),
    ]
    profile = profile_of(dispatches, 2, 10e-6, PEAKS)
    assert [work.name for work in profile.dispatches] == ["conv_0", "conv_0", "rowwise_1"]
    assert [(work.name, work.seconds, work.operations) for work in profile.nodes] == [("a", 6e-6, None), ("b", 1e-6, 0)]
    assert profile.outside == pytest.approx(3e-6)
    first = profile.dispatches[1]
    assert first.operations_rate == pytest.approx(1e10) and first.intensity == 200 and profile.reach(first) == pytest.approx(0.1)
    assert profile.json()["nodes_inside_others"] == {"c": ["b"]}


@pytest.mark.parametrize("threads", [1, 2])
def test_the_machine_has_peaks(threads: int):
    peaks = measured_peaks(threads)
    assert peaks.threads == threads and peaks.operations > 1e8 and peaks.dram > 1e8 and peaks.l2 > 1e8


def test_the_command_shows_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture):
    path, told, drawn = tmp_path / "m.onnx", tmp_path / "told.json", tmp_path / "roofline.png"
    path.write_bytes(model(PRODUCT, {"w": (48, 40)}))
    pytest.importorskip("matplotlib")
    assert main(["bench", str(path), "--runs", "3", "--size", "N=8", "--profile", "--json", str(told), "--plot", str(drawn)]) == 0
    shown = capsys.readouterr().out
    assert "product" in shown and "outside of dispatches" in shown and "GFLOP/s in float32" in shown
    found = json.loads(told.read_text())
    assert found["profile"]["dispatches"][0]["operations"] == 2 * 8 * 48 * 40 + 8 * 40
    assert found["profile"]["nodes_inside_others"] == {"cut": ["product"]}
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_a_plot_needs_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    assert main(["bench", str(tmp_path / "m.onnx"), "--plot", str(tmp_path / "a.png")]) == 1
    assert "ITG7409" in (shown := capsys.readouterr().err) and "intaglio[bench]" in shown
