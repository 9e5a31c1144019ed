"""External data: found, mapped, saved; never outside the model's folder, never past a file's end."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from intaglio.proto.errors import ModelFileError, TensorError
from intaglio.proto.files import load_model, save_model, tensors_of
from intaglio.proto.onnx_pb2 import ModelProto, TensorProto
from intaglio.proto.tensors import ELEMENT_TYPES, from_array, to_array

W = np.arange(1000, dtype=np.float32).reshape(10, 100)


def _tensor(location="data.bin", dims=(4,), data_type=TensorProto.UINT8, **entries) -> TensorProto:
    tensor = TensorProto(name="w", dims=dims, data_type=data_type, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _model(*tensors: TensorProto) -> ModelProto:
    model = ModelProto(ir_version=10)
    model.opset_import.add(version=21)
    model.graph.name = "main"
    model.graph.initializer.extend(tensors)
    return model


@pytest.fixture
def folder(tmp_path):
    """tmp/model/{data.bin, sub/more.bin} and tmp/secret.bin, which no model in tmp/model may read."""
    inside = tmp_path / "model"
    (inside / "sub").mkdir(parents=True)
    (inside / "data.bin").write_bytes(bytes(range(100)))
    (inside / "sub" / "more.bin").write_bytes(b"more")
    (tmp_path / "secret.bin").write_bytes(b"secret")
    return inside


def _refused(code: str, tensor: TensorProto, folder) -> ModelFileError:
    """Reading the tensor fails, and loading the model already did."""
    with pytest.raises(ModelFileError) as caught:
        to_array(tensor, folder)
    assert caught.value.code == code, str(caught.value)
    assert caught.value.hint and '"w"' in str(caught.value)
    (folder / "m.onnx").write_bytes(_model(tensor).SerializeToString())
    with pytest.raises(ModelFileError, match=code):
        load_model(folder / "m.onnx")
    return caught.value


def test_reading(folder):
    assert to_array(_tensor(offset=3, length=4), folder).tolist() == [3, 4, 5, 6]
    assert to_array(_tensor(), str(folder)).tolist() == [0, 1, 2, 3]
    assert to_array(_tensor("sub/more.bin"), folder).tobytes() == b"more"
    assert to_array(_tensor("sub/../data.bin", offset="96"), folder).tolist() == [96, 97, 98, 99]
    assert to_array(_tensor(dims=[0], offset=100), folder).shape == (0,)
    odd = to_array(_tensor(dims=[2], offset=1, data_type=TensorProto.FLOAT), folder)
    assert odd.flags.aligned and odd.tobytes() == bytes(range(1, 9))


def test_links_that_stay_inside(folder):
    (folder / "link.bin").symlink_to("sub/more.bin")
    assert to_array(_tensor("link.bin"), folder).tobytes() == b"more"
    (folder.parent / "alias").symlink_to(folder)
    assert to_array(_tensor(), folder.parent / "alias").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("location", [
    "../secret.bin", "sub/../../secret.bin", "/etc/passwd", "//etc/passwd", "C:\\secret.bin", "C:secret.bin",
    "\\\\server\\share", "\\secret.bin", "file.link", "folder.link/secret.bin", "sub/../folder.link/secret.bin", "..",
])  # fmt: skip
def test_escapes(folder, location):
    (folder / "file.link").symlink_to(folder.parent / "secret.bin")
    (folder / "folder.link").symlink_to("..")
    _refused("ITG0121", _tensor(location, dims=[6]), folder)


@pytest.mark.parametrize("location", ["none.bin", "none/x", ".", "sub", "loop", "pipe", "x" * 5000, "data.bin/x"])
def test_no_file(folder, location):
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    _refused("ITG0122", _tensor(location), folder)


@pytest.mark.parametrize("entries", [
    {"location": ""}, {"location": "a\0b"}, {"offset": "-1"}, {"offset": "1e3"}, {"length": ""}, {"length": " 4"},
    {"length": "+4"}, {"offset": "9" * 30}, {"length": "\u0664"},
])  # fmt: skip
def test_malformed_entries(folder, entries):
    _refused("ITG0120", _tensor(**entries), folder)


def test_entries_missing_or_twice(folder):
    _refused("ITG0120", TensorProto(name="w", dims=[1], data_type=1, data_location=TensorProto.EXTERNAL), folder)
    twice = _tensor()
    twice.external_data.add(key="location", value="sub/more.bin")
    _refused("ITG0120", twice, folder)


@pytest.mark.parametrize("entries", [{"offset": 101}, {"offset": 97, "length": 4}, {"length": 101},
                                     {"offset": "9" * 18, "length": "9" * 18}])  # fmt: skip
def test_past_the_end(folder, entries):
    _refused("ITG0123", _tensor(**entries), folder)


def test_sizes_that_disagree(folder):
    with pytest.raises(TensorError, match="ITG0203"):
        to_array(_tensor(length=5), folder)
    with pytest.raises(ModelFileError, match="ITG0123"):
        to_array(_tensor(dims=[1 << 40]), folder)
    with pytest.raises(TensorError, match="ITG0204"):
        to_array(_tensor(data_type=TensorProto.STRING), folder)


def test_without_a_folder():
    tensor = _tensor()
    loaded = load_model(_model(tensor).SerializeToString())
    with pytest.raises(ModelFileError, match="ITG0124"):
        to_array(loaded.model.graph.initializer[0], loaded.base_dir)
    with pytest.raises(ModelFileError, match="ITG0124"):
        save_model(loaded, "never-written.onnx")


def test_it_is_mapped_not_read(tmp_path):
    with open(tmp_path / "data.bin", "wb") as file:
        file.truncate(5 << 30)  # sparse: takes no room on disk
        file.seek((4 << 30) + 4)
        file.write(np.float32(7).tobytes())
    array = to_array(_tensor(dims=[1 << 28, 5], data_type=TensorProto.FLOAT), tmp_path)
    assert array.nbytes == 5 << 30
    assert array.reshape(-1)[(1 << 30) + 1] == 7
    assert not array.flags.owndata and not array.flags.writeable
    del array


def test_many_tensors_of_one_file_share_its_map(folder):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    arrays = [to_array(_tensor(offset=at % 90), folder) for at in range(500)]
    assert arrays[499].tolist() == [49, 50, 51, 52]
    if before is not None:
        # A map each would be 500; a few may be opened and closed by what else runs in the process.
        assert len(os.listdir("/proc/self/fd")) <= before + 20


@pytest.mark.parametrize("kind", [kind for kind in ELEMENT_TYPES if kind.bits], ids=lambda kind: kind.name)
def test_every_type(tmp_path, kind):
    array = np.ones(7, np.uint8).astype(np.bool_ if kind.dtype == np.bool_ else np.uint8).astype(kind.dtype)
    save_model(_model(from_array(array, "w")), tmp_path / "m.onnx", external_data="d", threshold=0)
    loaded = load_model(tmp_path / "m.onnx")
    back = to_array(loaded.model.graph.initializer[0], loaded.base_dir)
    assert back.dtype == kind.dtype and back.tobytes() == array.tobytes()


def test_saving_and_moving(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    typed = TensorProto(name="v", dims=[600], data_type=TensorProto.FLOAT, float_data=range(600))
    small, text = from_array(np.float32([1]), "s"), from_array(np.array(["x"] * 2000, object), "t")
    model = _model(from_array(W, "w"), typed, small, text)
    before = model.SerializeToString()
    save_model(model, tmp_path / "a" / "m.onnx", external_data="weights")
    assert model.SerializeToString() == before
    loaded = load_model(tmp_path / "a" / "m.onnx")
    assert [t.data_location for t in loaded.model.graph.initializer] == [1, 1, 0, 0]
    theirs = onnx.load(tmp_path / "a" / "m.onnx").graph.initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(theirs[0]), W)
    save_model(loaded, tmp_path / "b" / "m.onnx")
    assert sorted(os.listdir(tmp_path / "b")) == ["m.onnx", "m.onnx.data"]
    # Over itself, while its own data is mapped.
    for _ in range(2):
        save_model(load_model(tmp_path / "b" / "m.onnx"), tmp_path / "b" / "m.onnx")
    moved = load_model(tmp_path / "b" / "m.onnx")
    for tensor, expected in zip(tensors_of(moved.model), model.graph.initializer, strict=True):
        np.testing.assert_array_equal(to_array(tensor, moved.base_dir), to_array(expected))


def test_of_the_onnx_package(tmp_path):
    model = onnx.ModelProto.FromString(_model(from_array(W, "w"), from_array(W + 1, "v")).SerializeToString())
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="d", size_threshold=0)
    loaded = load_model(tmp_path / "m.onnx")
    np.testing.assert_array_equal(to_array(loaded.model.graph.initializer[1], loaded.base_dir), W + 1)


def test_everywhere_a_tensor_may_stand():
    model = _model(from_array(W, "0"))
    model.graph.sparse_initializer.add().values.name = "1"
    attribute = model.graph.node.add().attribute
    attribute.add().t.name = "2"
    attribute.add().tensors.add().name = "3"
    attribute.add().sparse_tensor.values.name = "4"
    attribute.add().sparse_tensors.add().indices.name = "5"
    attribute.add().g.initializer.add().name = "6"
    attribute.add().graphs.add().node.add().attribute.add().t.name = "7"
    function = model.functions.add()
    function.attribute_proto.add().t.name = "8"
    function.node.add().attribute.add().t.name = "9"
    training = model.training_info.add()
    training.initialization.initializer.add().name = "a"
    training.algorithm.node.add().attribute.add().g.initializer.add().name = "b"
    assert sorted(tensor.name for tensor in tensors_of(model) if tensor.name) == list("0123456789ab")
