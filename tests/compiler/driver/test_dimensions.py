"""Dimensions by name: contradictions that a run refuses, and what a signature shows of sizes that are inferred."""

from __future__ import annotations

from pathlib import Path

import intaglio
import numpy as np
import pytest
from intaglio.compiler.cli.main import main

onnx = pytest.importorskip("onnx")


def compiled(text: str) -> intaglio.Program:
    return intaglio.compile(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 22]> {text}'), opt_level=0)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


REFUSED = {
    "declared": (
        "m (float[batch,3] x, float[batch,3] y) => (float z) { z = Add (x, y) }",
        {"x": ones(2, 3), "y": ones(3, 3)},
        "ITG5506",
        'dimension 0 ("batch") is 3, but it is 2 in input "x"',
    ),
    "within one input": ("m (float[S,S] x) => (float z) { z = Abs (x) }", {"x": ones(2, 3)}, "ITG5506", '("S") is 3, but it is 2'),
    "required": (
        "m (float[N,K] x, float[J,P] y) => (float z) { z = MatMul (x, y) }",
        {"x": ones(2, 3), "y": ones(4, 3)},
        "ITG5002",
        "the inner dimensions of A and B must be equal, but K is 3 in x and J is 4 in y",
    ),
    "required to be a number": (
        "m (float[A,B,C] x, int64[N] axes) => (float[D,E] z) { z = Squeeze (x, axes) }",
        {"x": ones(1, 2, 3), "axes": np.array([0, 1])},
        "ITG5002",
        "but N is 2 in axes and not 1",
    ),
    "broadcast": (
        "m (float[N,3] x, float[M,3] y) => (float z) { z = Add (x, y) }",
        {"x": ones(2, 3), "y": ones(3, 3)},
        "ITG5006",
        "N is 2 in x and M is 3 in y",
    ),
    "inferred": (
        "m (float[S] x, float[T] y) => (float z) { d = Concat <axis = 0> (x, x) z = Mul (d, y) }",
        {"x": ones(2), "y": ones(3)},
        "ITG5006",
        "T is 3 in y and 2*S is 4",
    ),
    "viewed": (
        "m (float[S,3] x, int64[L] s) => (float[R,C] z) { z = Reshape (x, s) }",
        {"x": ones(2, 3), "s": np.array([3, 3])},
        "ITG5005",
        "6 elements are not 9",
    ),
    "read": (
        "m (float[S] x, int64 n) => (float z) <int64[1] a = {0}> { e = Unsqueeze (n, a) z = Tile (x, e) }",
        {"x": ones(2), "n": np.array(-4)},
        "ITG5004",
        "(e[0]) is -4, but must not be negative",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_refuses_contradictions_by_name(name: str) -> None:
    text, feeds, code, message = REFUSED[name]
    with compiled(text).session() as session, pytest.raises(intaglio.IntaglioError) as caught:
        session.run(None, feeds)
    assert caught.value.code == code and message in caught.value.message, str(caught.value)


SIGNATURES = {
    "2*S": "m (float[S] x) => (float[T] z) { z = Concat <axis = 0> (x, x) }",
    "broadcast(M, N)": "m (float[N] x, float[M] y) => (float z) { z = Add (x, y) }",
    "floordiv(S+1, 2)": "m (float[1,1,S] x) => (float[a,b,c] z) { z = MaxPool <kernel_shape = [2], strides = [2], pads = [1,0]> (x) }",
    "found": "m (float[S] x) => (int64[one,found] z) { z = NonZero (x) }",
    "z_d1": "m (float[S] x) => (int64[one,S] z) { z = NonZero (x) }",
    "k[0]": "m (float[S] x, int64[1] k) => (float[K] v, int64[K] i) { v, i = TopK (x, k) }",
}


@pytest.mark.parametrize("shown", SIGNATURES)
def test_a_signature_shows_inferred_sizes(shown: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    program = compiled(SIGNATURES[shown])
    assert shown in map(str, program.get_outputs()[0].shape)
    with program.session() as session:
        assert session.get_outputs() == program.get_outputs()
    assert f"{shown}]" in program.header()
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 22]> {SIGNATURES[shown]}'), path)
    assert main(["info", str(path)]) == 0
    assert shown in capsys.readouterr().out


def test_lengths_come_from_the_declared_rank() -> None:
    text = "m (float[N] x, int64[L] s) => (float[R,C] z) { z = Reshape (x, s) }"
    with compiled(text).session() as session:
        (z,) = session.run(None, {"x": ones(6), "s": np.array([-1, 3])})
        assert z.shape == (2, 3)
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 22]> {text}')
    model.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(intaglio.IntaglioError, match=r"ITG2103(.|\n)*declare its length"):
        intaglio.compile(model)


def test_a_squeeze_drops_as_many_as_the_declared_rank_says() -> None:
    with compiled("m (float[A,B,C] x) => (float[D,E] z) { z = Squeeze (x) }").session() as session:
        assert session.run(None, {"x": ones(2, 1, 3)})[0].shape == (2, 3)
        assert session.run(None, {"x": ones(1, 0, 3)})[0].shape == (0, 3)
        with pytest.raises(intaglio.IntaglioError, match="ITG5002"):
            session.run(None, {"x": ones(1, 1, 3)})


@pytest.mark.parametrize("axes", [[0], [-1, 0], []])
def test_a_number_of_axes_that_the_run_tells(axes: list[int]) -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    with compiled("m (float[A,B,C] x, int64[N] axes) => (float[D,E,F] z) { z = ReduceSum (x, axes) }").session() as session:
        (z,) = session.run(None, {"x": x, "axes": np.array(axes, np.int64)})
        np.testing.assert_allclose(z, x.sum(axis=tuple(axes) if axes else None, keepdims=True))
        with pytest.raises(intaglio.IntaglioError, match="ITG5030"):
            session.run(None, {"x": x, "axes": np.array([1, 1])})


def test_one_reduced_element_and_broadcast_batches() -> None:
    """Blocks of a reduced dimension that turns out to be 1 are padded with zeros, not with the element again."""
    text = "m (float[a,b,M,K] x, float[e,1,J,n] y) => (float[p,q,r,s] z) { z = MatMul (x, y) }"
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 3, 4, 1), np.float32), rng.random((1, 1, 1, 5), np.float32)
    with compiled(text).session() as session:
        np.testing.assert_allclose(session.run(None, {"x": x, "y": y})[0], x @ y, rtol=1e-6)
