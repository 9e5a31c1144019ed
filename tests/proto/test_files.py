"""Model files: what loads, what is saved, and that no bytes at all do worse than a ModelFileError."""

from __future__ import annotations

import io
import os

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intaglio.proto.errors import IntaglioError, ModelFileError
from intaglio.proto.files import load_model, save_model, tensors_of
from intaglio.proto.onnx_pb2 import AttributeProto, GraphProto, ModelProto, TensorProto
from intaglio.proto.tensors import from_array, to_array
from intaglio.proto.wire import serialize


def _model(*tensors: TensorProto) -> ModelProto:
    model = ModelProto(ir_version=10, producer_name="test")
    model.opset_import.add(domain="", version=21)
    model.graph.name = "main"
    node = model.graph.node.add(name="n\u00e9", op_type="Add", input=["x", "w"], output=["y"])
    node.attribute.add(name="a", type=AttributeProto.INTS, ints=[1, 2])
    model.graph.initializer.extend(tensors or [from_array(np.arange(6, dtype=np.float32), "w")])
    return model


BYTES = _model().SerializeToString()


def _refused(code: str, source, **options) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        load_model(source, **options)
    assert caught.value.code == code, str(caught.value)
    assert caught.value.hint
    return caught.value


def test_every_source(tmp_path):
    path = tmp_path / "m.onnx"
    save_model(_model(), path)
    assert path.read_bytes() == BYTES
    for source in (path, str(path), BYTES, bytearray(BYTES), memoryview(BYTES), io.BytesIO(BYTES),
                   _model(), onnx.load(path)):  # fmt: skip
        assert load_model(source).model == _model()
    loaded = load_model(path)
    assert (loaded.base_dir, loaded.path, loaded.name) == (tmp_path, path, "m.onnx")
    with open(path, "rb") as file:
        assert load_model(file).base_dir == tmp_path
    assert load_model(BYTES).base_dir is None
    assert load_model(BYTES, base_dir=tmp_path).base_dir == tmp_path
    model = _model()
    assert load_model(model).model is model


def test_paths_that_are_no_model(tmp_path):
    _refused("ITG0101", tmp_path / "none.onnx")
    _refused("ITG0102", tmp_path)
    _refused("ITG0102", "a\0b")
    (tmp_path / "empty.onnx").touch()
    _refused("ITG0103", tmp_path / "empty.onnx")
    _refused("ITG0103", b"")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        _refused("ITG0102", tmp_path / "pipe")
    huge = tmp_path / "huge.onnx"
    with open(huge, "wb") as file:
        file.truncate(1 << 32)  # sparse: takes no room
    _refused("ITG0109", huge)


@pytest.mark.parametrize("source", [3, None, [BYTES], object()])
def test_no_source(source):
    _refused("ITG0111", source)


def test_files_open_as_text_or_closed(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"plain text")
    with open(path) as file:
        _refused("ITG0111", file)
    _refused("ITG0102", file)


@pytest.mark.parametrize("data, hint", [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    (b"PK\x03\x04" + bytes(60), "zip"),
    (b"<!DOCTYPE html><html></html>", "download"),
    (b'{"irVersion": 10}', "JSON"),
    (b"\x89HDF\r\n\x1a\n" + bytes(60), "tf2onnx"),
])  # fmt: skip
def test_strangers_are_recognised(data, hint):
    assert hint in _refused("ITG0104", data).hint


@pytest.mark.parametrize("field", ["graph", "ir_version", "opset_import"])
def test_a_part_is_missing(field):
    model = _model()
    model.ClearField(field)
    _refused("ITG0107", model.SerializeToString())
    _refused("ITG0107", model)


def test_ir_versions():
    model = _model()
    for version, code in ((0, "ITG0107"), (-1, "ITG0107"), (15, "ITG0108"), (1 << 62, "ITG0108")):
        model.ir_version = version
        _refused(code, model)
    model.ir_version = 2
    del model.opset_import[:]
    assert load_model(model).model is model  # before version 3 there was no opset_import


def test_every_truncation_is_refused():
    codes = []
    for size in range(1, len(BYTES)):
        with pytest.raises(ModelFileError) as caught:
            load_model(BYTES[:size])
        codes.append(caught.value.code)
    # Between two fields of the root nothing is cut: there, a part is missing.
    assert set(codes) == {"ITG0105", "ITG0107"}
    assert codes.count("ITG0107") <= 3


def test_names_that_are_no_utf8():
    error = _refused("ITG0112", BYTES.replace("n\u00e9".encode(), b"n\xff\xff"))
    assert "ModelProto.graph.node.name" in error.message


def test_deep_nesting():
    graph = GraphProto()
    for _ in range(30):
        outer = GraphProto()
        outer.node.add().attribute.add().g.CopyFrom(graph)
        graph = outer
    model = _model()
    model.graph.CopyFrom(graph)
    assert load_model(model.SerializeToString()).model == model
    for levels in (40, 1000):
        _refused("ITG0106", _nested(levels))


def _nested(levels: int) -> bytes:
    """A model whose graph has a node with an attribute with a graph ... so many times over."""
    data = b""
    for _ in range(levels):
        for tag in (b"\x32", b"\x2a", b"\x0a"):  # AttributeProto.g, NodeProto.attribute, GraphProto.node
            data = tag + _varint(len(data)) + data
    return b"\x3a" + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _touch(model: ModelProto) -> None:
    """Looks at every name and every tensor."""
    str(model)
    for tensor in tensors_of(model):
        to_array(tensor)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes(data):
    try:
        _touch(load_model(data).model)
    except IntaglioError as error:
        assert error.code[:3] == "ITG"


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(st.integers(0, len(BYTES) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes(flips):
    data = bytearray(BYTES)
    for at, value in flips:
        data[at] = value
    try:
        _touch(load_model(bytes(data)).model)
    except IntaglioError as error:
        assert error.code[:3] == "ITG"


def test_saving_fails_whole(tmp_path):
    with pytest.raises(ModelFileError, match="ITG0110"):
        save_model(_model(), tmp_path / "none" / "m.onnx")
    with pytest.raises(ModelFileError, match="ITG0110"):
        save_model(_model(), tmp_path)
    for name in ("../d", "a/b", "", ".."):
        with pytest.raises(ModelFileError, match="ITG0110"):
            save_model(_model(), tmp_path / "m.onnx", external_data=name)
    for name in ("", "a\0b"):
        with pytest.raises(ModelFileError, match="ITG0110"):
            save_model(_model(), name)
    with pytest.raises(ModelFileError, match="ITG0110"):
        save_model(_model(), tmp_path / "m.onnx", external_data="m.onnx")
    path = tmp_path / "m.onnx"
    save_model(_model(), path)
    damaged = _model(TensorProto(name="w", data_type=1, dims=[2000]))
    with pytest.raises(IntaglioError, match="ITG0203"):
        save_model(damaged, path, external_data="d")
    assert path.read_bytes() == BYTES
    assert os.listdir(tmp_path) == ["m.onnx"]


def test_over_two_gigabytes_needs_external_data():
    class Huge:
        def ByteSize(self) -> int:
            return 1 << 31

    with pytest.raises(ModelFileError, match="ITG0109"):
        serialize(Huge(), "m.onnx")
