"""Files that are no models: empty, cut short, random, or pointing at data that is missing or none of their business."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import intaglio
import numpy as np
import onnx
import pytest
from onnx import external_data_helper, helper

Graph = Callable[..., onnx.ModelProto]
Refused = Callable[..., list[intaglio.IntaglioError]]


@pytest.fixture
def good(graph: Graph) -> onnx.ModelProto:
    return graph([helper.make_node("MatMul", ["x", "w"], ["y"], name="n")], {"x": [2, 3]}, {"w": np.ones((3, 4), np.float32)})


def test_nothing(refused: Refused, tmp_path: Path) -> None:
    empty = tmp_path / "empty.onnx"
    empty.touch()
    refused(tmp_path / "absent.onnx", "ITG0101")
    refused(tmp_path, "ITG0102")
    refused(empty, "ITG0103")
    refused(b"", "ITG0103")


@pytest.mark.parametrize("what", [None, 7, [], np.zeros(3), pytest.param(object(), id="object")], ids=repr)
def test_what_is_no_file(refused: Refused, what: object) -> None:
    refused(what, "ITG0111")


@pytest.mark.parametrize("text", [b"<html></html>", b"{}", b"PK\x03\x04", b"\x7fELF", b"\x00" * 100, b"\xff" * 100, b"# ONNX\n" * 50])
def test_other_formats(refused: Refused, text: bytes) -> None:
    refused(text)


def test_every_truncation(refused: Refused, good: onnx.ModelProto) -> None:
    """A cut may leave a valid message, but never one with all that the graph needs; the last cuts only lose metadata."""
    whole = good.SerializeToString()
    opset = len(whole) - len(onnx.OperatorSetIdProto(version=20).SerializeToString()) - 2
    for length in range(0, opset, 3):
        refused(whole[:length])


def test_random_bytes(refused: Refused) -> None:
    rng = np.random.default_rng(3)
    for length in (1, 2, 7, 30, 200, 5000):
        for _ in range(10):
            refused(rng.bytes(length))


def test_a_wrong_library(tmp_path: Path) -> None:
    for name, content in (("text.so", b"no library"), ("empty.so", b""), ("cut.so", b"\x7fELF\x02\x01\x01")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(intaglio.IntaglioError) as caught:
            intaglio.load(path)
        assert caught.value.code == "ITG7020"
    with pytest.raises(intaglio.IntaglioError, match="ITG7020"):
        intaglio.InferenceSession(tmp_path / "absent.so")


@pytest.fixture
def external(good: onnx.ModelProto, tmp_path: Path) -> Callable[..., Path]:
    """The good model with its weight in the file that `entries` say."""

    def make(content: bytes | None = np.ones((3, 4), np.float32).tobytes(), **entries: str) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        if content is not None:
            (folder / "w.bin").write_bytes(content)
        tensor = good.graph.initializer[0]
        external_data_helper.set_external_data(tensor, "w.bin")
        tensor.ClearField("raw_data")
        del tensor.external_data[:]
        for key, value in {"location": "w.bin", **entries}.items():
            tensor.external_data.add(key=key, value=value)
        (folder / "m.onnx").write_bytes(good.SerializeToString())
        return folder / "m.onnx"

    return make


def test_external_data_that_is_there(external: Callable[..., Path]) -> None:
    assert intaglio.compile(external()).session().run(None, {"x": np.ones((2, 3), np.float32)})[0].tolist() == [[3] * 4] * 2


def test_missing_external_data(refused: Refused, external: Callable[..., Path]) -> None:
    refused(external(content=None), "ITG0122")


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "a/../../secret.bin", "..", ""])
def test_escaping_external_data(refused: Refused, external: Callable[..., Path], tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(48))
    refused(external(location=location))


def test_escape_by_link(refused: Refused, external: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(48))
    path = external(content=None)
    (path.parent / "w.bin").symlink_to(tmp_path / "secret.bin")
    refused(path, "ITG0121")


EXTENTS = [{"offset": "8"}, {"length": "480"}, {"offset": str(2**62)}, {"offset": "-4"}, {"length": "x"}, {"length": "8"}]


@pytest.mark.parametrize("entries", EXTENTS, ids=str)
def test_external_data_of_a_wrong_extent(refused: Refused, external: Callable[..., Path], entries: dict[str, str]) -> None:
    refused(external(**entries))


def test_bytes_have_no_folder(refused: Refused, external: Callable[..., Path]) -> None:
    refused(external().read_bytes(), "ITG0124")
