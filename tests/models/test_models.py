"""Whole models against ONNX Runtime: at the shapes they come with, at other sizes of open dimensions, and as shared libraries.

`pytest` runs the two smallest; `pytest -m models tests/models` the eight others, which takes minutes and some gigabytes.
"""

from __future__ import annotations

from pathlib import Path

import intaglio
import numpy as np
import pytest

ort = pytest.importorskip("onnxruntime")

SMALL = ("lstm_tagger", "mobilenetv2")
LARGE = (
    "bert_base_dyn",
    "efficientnet_b0",
    "gpt2_decode",
    "llama_decode",
    "swin_tiny",
    "vit_b16",
    "whisper_tiny_enc",
    "yolov8n",
)
TOLERANCE = 1e-3
"""Relative to each element, and absolute as a part of the output's largest value."""

# Other sizes of open dimensions by name, and of all others under "*".
SIZES = {
    "lstm_tagger": ({"seq": 7}, {"seq": 1}),
    "bert_base_dyn": ({"s10": 1, "s86": 1, "s11": 9}, {"s10": 3, "s86": 3, "s11": 200}),
    "gpt2_decode": ({"s12": 2, "*": 1}, {"s12": 78, "*": 77}),
    "llama_decode": ({"total": 2, "past": 1}, {"total": 101, "past": 100}),
}

Feeds = dict[str, np.ndarray]


@pytest.mark.parametrize("model", [*SMALL, *(pytest.param(name, marks=pytest.mark.models) for name in LARGE)], indirect=True)
class TestModel:
    def test_agrees_with_onnx_runtime(self, model: Path, inputs: Path, tmp_path: Path) -> None:
        """In process and from a library, at all sizes with what was compiled once."""
        program = intaglio.compile(model)
        session, library = program.session(), tmp_path / "model.so"
        program.save(library)
        loaded = intaglio.load(library)
        reference = _reference(model)
        given = dict(np.load(inputs))
        symbols = {arg.name: arg.shape for arg in session.get_inputs()}
        for sizes in ({}, *SIZES.get(model.stem, ())):
            feeds = _resized(given, symbols, sizes)
            expected = reference.run(None, feeds)
            for runner in (session, loaded):
                _compare(runner, runner.run(None, feeds), expected)
        assert bool(SIZES.get(model.stem)) == any(isinstance(d, str) for shape in symbols.values() for d in shape)


def _reference(model: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _compare(session: intaglio.Session, found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for arg, ours, theirs in zip(session.get_outputs(), found, expected, strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, arg.name
        largest = float(np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE * largest, err_msg=arg.name)


def _resized(given: Feeds, symbols: dict[str, list[int | str]], sizes: dict[str, int]) -> Feeds:
    """The inputs with open dimensions of these sizes: cut, or repeated from the start."""
    feeds = {}
    for name, array in given.items():
        for axis, size in enumerate(_evaluated(symbols[name], array.shape, sizes)):
            array = np.take(array, np.arange(size), axis=axis, mode="wrap")
        feeds[name] = np.ascontiguousarray(array)
    return feeds


def _evaluated(symbols: list[int | str], shape: tuple[int, ...], sizes: dict[str, int]) -> list[int]:
    return [
        sizes.get(symbol, sizes.get("*", size)) if isinstance(symbol, str) else size for symbol, size in zip(symbols, shape, strict=True)
    ]
