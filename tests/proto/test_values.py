"""Sequences, maps and optionals, against the onnx package."""

from __future__ import annotations

import numpy as np
import pytest
from intaglio.proto.errors import TensorError
from intaglio.proto.onnx_data_pb2 import MapProto, OptionalProto, SequenceProto
from intaglio.proto.onnx_pb2 import SparseTensorProto, TensorProto
from intaglio.proto.tensors import from_array
from intaglio.proto.values import from_value, load_value, optional_of, to_value
from onnx import numpy_helper

A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.array([1, 2], np.int64)

VALUES = [
    [A, A + 1],
    [],
    [[A], [A, A]],
    {1: A, 2: A + 1},
    {"a": A, "\u00e9": A},
    [{1: B}, {2: B}],
    {1: {2: A}},
    None,
    [None, None],
    [np.array(["x", "yz"], object)],
]


def _equal(a, b) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(map(_equal, a.values(), b.values()))
    return a is b


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_round_trip(value):
    proto = from_value(value, "v")
    assert proto.name == "v"
    assert _equal(to_value(type(proto).FromString(proto.SerializeToString())), value)


@pytest.mark.parametrize("value", [[A, A + 1], [], [[A], [A, A]]])
def test_lists_of_onnx(value):
    theirs = numpy_helper.from_list(value, "v")
    assert _equal(to_value(SequenceProto.FromString(theirs.SerializeToString())), value)
    assert _equal(to_value(theirs), value)  # pyright: ignore[reportArgumentType]
    assert _equal(numpy_helper.to_list(type(theirs).FromString(from_value(value, "v").SerializeToString())), value)


def test_dicts_of_onnx():
    value = {1: A, 2: A + 1}  # its from_dict fails on string keys, with numpy 2
    theirs = numpy_helper.from_dict(value, "v")
    assert _equal(to_value(MapProto.FromString(theirs.SerializeToString())), value)


@pytest.mark.parametrize("value", [None, A, [A, A]], ids=["none", "tensor", "sequence"])
def test_optionals_of_onnx(value):
    theirs = numpy_helper.from_optional(value, "v")
    assert _equal(to_value(OptionalProto.FromString(theirs.SerializeToString())), value)
    assert _equal(to_value(optional_of(value)), value)


def test_sparse_comes_dense():
    sparse = SparseTensorProto(values=from_array(A[0, :1] + 5), indices=from_array(B[:1]), dims=[3])
    proto = SequenceProto(elem_type=SequenceProto.SPARSE_TENSOR, sparse_tensor_values=[sparse])
    assert to_value(proto)[0].tolist() == [0, 5, 0]


def test_load_value(tmp_path):
    path = tmp_path / "input_0.pb"
    path.write_bytes(from_value([A]).SerializeToString())
    assert _equal(load_value(path, "sequence_type"), [A])
    assert _equal(load_value(from_array(A).SerializeToString()), A)
    with pytest.raises(TensorError, match="ITG0209"):
        load_value(path, "tensor")


def _deep(levels: int):
    value = [A]
    for _ in range(levels):
        value = [value]
    return value


def _endless():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [[A, None], {1: A, "b": A}, {1.5: A}, {1 << 64: A}, _deep(60), _endless()],
                         ids=["mixed", "keys", "float", "wide", "deep", "endless"])  # fmt: skip
def test_values_without_a_form_are_refused(value):
    with pytest.raises(TensorError, match="ITG0209"):
        from_value(value)


TENSOR = from_array(A)
LIES = [
    SequenceProto(elem_type=9),
    SequenceProto(elem_type=SequenceProto.MAP, tensor_values=[TENSOR]),
    SequenceProto(tensor_values=[TENSOR]),
    MapProto(key_type=TensorProto.INT64, keys=[1]),
    MapProto(key_type=TensorProto.FLOAT, keys=[1]),
    MapProto(key_type=TensorProto.STRING, keys=[1], string_keys=[b"a"], values=from_value([A])),
    MapProto(key_type=TensorProto.INT64, keys=[1, 1], values=from_value([A, A])),
    OptionalProto(elem_type=9),
    OptionalProto(elem_type=OptionalProto.MAP, tensor_value=TENSOR),
]


@pytest.mark.parametrize("proto", LIES, ids=range(len(LIES)))
def test_lies_are_refused(proto):
    with pytest.raises(TensorError, match="ITG0209"):
        to_value(proto)
