"""Tensors to numpy and back, in every element type, against the onnx package; and tensors that lie."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from intaglio.proto.errors import TensorError
from intaglio.proto.onnx_pb2 import SparseTensorProto, TensorProto
from intaglio.proto.tensors import (
    ELEMENT_TYPES,
    element_type,
    from_array,
    raw_bytes,
    sparse_to_dense,
    to_array,
)
from onnx import helper, numpy_helper

NUMERIC = [kind for kind in ELEMENT_TYPES if kind.bits]
SHAPES = [(), (0,), (1,), (2, 0, 3), (5,), (3, 1, 7), (2, 3, 4)]
ids = [kind.name for kind in NUMERIC]


def _sample(kind, shape, seed=0) -> np.ndarray:
    """Random bit patterns, so NaNs and every code of the small types are among them."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    if kind.dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(bool)
    codes = rng.integers(0, 256, size * kind.dtype.itemsize, np.uint8)
    if kind.is_packed:
        codes &= (1 << kind.bits) - 1
    return codes.view(kind.dtype).reshape(shape)


def _same(a, b) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def test_the_table_is_onnx():
    assert {k.number for k in ELEMENT_TYPES} == set(TensorProto.DataType.values()) - {0}
    for kind in ELEMENT_TYPES:
        assert TensorProto.DataType.Name(kind.number) == kind.name
        assert helper.tensor_dtype_to_np_dtype(kind.number) == kind.dtype
        assert helper.tensor_dtype_to_field(kind.number) == kind.field
        assert element_type(kind.number) is element_type(kind.name) is element_type(kind.dtype) is kind


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", NUMERIC, ids=ids)
def test_round_trip_is_byte_equal_to_onnx(kind, shape):
    array = _sample(kind, shape)
    ours, theirs = from_array(array, "w"), numpy_helper.from_array(array, "w")
    assert ours.SerializeToString() == theirs.SerializeToString()
    for tensor in (ours, TensorProto.FromString(theirs.SerializeToString()), theirs):
        back = to_array(tensor)
        assert _same(back, array)
        assert back.flags.c_contiguous and back.flags.aligned and not back.flags.writeable
    assert _same(numpy_helper.to_array(onnx.TensorProto.FromString(ours.SerializeToString())), array)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", NUMERIC, ids=ids)
def test_typed_fields(kind, shape):
    array = _sample(kind, shape, seed=1)
    theirs = helper.make_tensor("w", kind.number, shape, array.reshape(-1))
    tensor = TensorProto.FromString(theirs.SerializeToString())
    assert not tensor.HasField("raw_data")
    # make_tensor goes through float32 for some types and loses NaN payloads: its own reader is the reference.
    assert _same(to_array(tensor), numpy_helper.to_array(theirs))


@pytest.mark.parametrize("kind", [element_type("float16"), element_type("bfloat16")], ids=lambda k: k.name)
def test_sign_extended_bit_patterns(kind):
    tensor = TensorProto(dims=[1], data_type=kind.number, int32_data=[-1])
    assert to_array(tensor).view(np.uint16)[0] == 0xFFFF


@given(hnp.arrays(st.sampled_from(["<f4", ">f4", "<i8", ">u2", "<c8", ">c16", "?"]), hnp.array_shapes(max_dims=5)))
def test_any_shape_order_and_layout(array):
    back = to_array(from_array(array.T))
    np.testing.assert_array_equal(back, array.T)
    assert back.dtype == array.dtype.newbyteorder("=")


@given(st.sampled_from([2, 4, 6]), st.integers(0, 70), st.randoms(use_true_random=False))
def test_any_count_packs_as_onnx_does(bits, count, random):
    kinds = [kind for kind in NUMERIC if kind.bits == bits]
    array = np.array([random.randrange(1 << bits) for _ in range(count)], np.uint8).view(kinds[0].dtype)
    assert raw_bytes(array) == numpy_helper.from_array(array).raw_data
    assert _same(to_array(from_array(array)), array)


@given(hnp.arrays(object, hnp.array_shapes(min_dims=0, min_side=0), elements=st.text()))
def test_strings(array):
    tensor = from_array(array, "s")
    assert tensor.SerializeToString() == numpy_helper.from_array(array, "s").SerializeToString()
    np.testing.assert_array_equal(to_array(tensor), array)


def test_strings_that_are_no_utf8_survive():
    tensor = from_array(np.array([b"\xff\xfe", "\u00e9"], object))
    assert list(tensor.string_data) == [b"\xff\xfe", "\u00e9".encode()]
    assert list(from_array(to_array(tensor)).string_data) == list(tensor.string_data)
    assert to_array(from_array(np.array(["a", "bc"]))).tolist() == ["a", "bc"]
    assert to_array(from_array(np.array([b"a", b"bc"]))).tolist() == ["a", "bc"]


def test_bools_are_normalised():
    tensor = TensorProto(dims=[3], data_type=TensorProto.BOOL, raw_data=b"\x00\x02\xff")
    assert to_array(tensor).view(np.uint8).tolist() == [0, 1, 1]
    assert to_array(TensorProto(dims=[2], data_type=9, int32_data=[0, 7])).view(np.uint8).tolist() == [0, 1]


def _tensor(**fields) -> TensorProto:
    return TensorProto(**{"name": "w", "data_type": TensorProto.FLOAT, **fields})


LIES = [
    ("ITG0201", _tensor(data_type=0)),
    ("ITG0201", _tensor(data_type=99)),
    ("ITG0201", _tensor(data_type=-1)),
    ("ITG0202", _tensor(dims=[-1])),
    ("ITG0202", _tensor(dims=[1 << 62, 1 << 62])),
    ("ITG0202", _tensor(dims=[0, 1 << 62, 4])),
    ("ITG0202", _tensor(dims=[1] * 65, float_data=[1])),
    ("ITG0203", _tensor(dims=[1 << 40])),
    ("ITG0203", _tensor(dims=[1 << 40], raw_data=b"1234")),
    ("ITG0203", _tensor(dims=[2], raw_data=b"1234567")),
    ("ITG0203", _tensor(dims=[2], raw_data=b"1" * 9)),
    ("ITG0203", _tensor(raw_data=b"")),
    ("ITG0203", _tensor(dims=[0], float_data=[1])),
    ("ITG0203", _tensor(dims=[3], data_type=TensorProto.INT4, raw_data=b"1")),
    ("ITG0203", _tensor(dims=[3], data_type=TensorProto.INT4, int32_data=[1, 2, 3])),
    ("ITG0203", _tensor(dims=[2], data_type=TensorProto.COMPLEX64, float_data=[1, 2])),
    ("ITG0203", _tensor(dims=[2], data_type=TensorProto.STRING, string_data=[b"x"])),
    ("ITG0204", _tensor(dims=[1], int32_data=[1])),
    ("ITG0204", _tensor(dims=[1], float_data=[1], raw_data=b"1234")),
    ("ITG0204", _tensor(dims=[1], float_data=[1], int64_data=[1])),
    ("ITG0204", _tensor(dims=[1], data_type=TensorProto.STRING, raw_data=b"x")),
    ("ITG0205", _tensor(dims=[1], data_type=TensorProto.INT8, int32_data=[128])),
    ("ITG0205", _tensor(dims=[1], data_type=TensorProto.UINT8, int32_data=[-1])),
    ("ITG0205", _tensor(dims=[1], data_type=TensorProto.FLOAT16, int32_data=[65536])),
    ("ITG0205", _tensor(dims=[1], data_type=TensorProto.FLOAT6E2M3, int32_data=[64])),
    ("ITG0205", _tensor(dims=[1], data_type=TensorProto.UINT32, uint64_data=[1 << 32])),
    ("ITG0206", _tensor(segment=TensorProto.Segment(begin=0, end=1))),
]


@pytest.mark.parametrize("code, tensor", LIES)
def test_lies_are_refused(code, tensor):
    with pytest.raises(TensorError) as caught:
        to_array(tensor)
    assert caught.value.code == code
    assert str(caught.value).startswith(f'{code} tensor "w": ')


@given(st.binary(max_size=200))
def test_random_messages_never_do_worse(data):
    tensor = TensorProto()
    try:
        tensor.ParseFromString(data)
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT
        to_array(tensor)
    except Exception as error:
        assert type(error).__name__ in ("TensorError", "DecodeError")


FOREIGN = [np.array([1], ml_dtypes.float8_e4m3), np.array(["2020"], "M8[Y]"), np.zeros(2, "f4,i4")]


@pytest.mark.parametrize("array", FOREIGN, ids=lambda array: str(array.dtype))
def test_foreign_dtypes_are_refused(array):
    with pytest.raises(TensorError, match="ITG0207"):
        from_array(array, "w")


def test_foreign_objects_are_refused():
    with pytest.raises(TensorError, match="ITG0207"):
        from_array(np.array([1, "a"], object))


def _sparse(values, indices, dims) -> SparseTensorProto:
    return SparseTensorProto(values=from_array(values, "w"), indices=from_array(np.array(indices, np.int64)), dims=dims)


def test_sparse():
    values = np.array([1, 2, 3], np.float32)
    dense = np.array([[0, 1, 0], [2, 0, 3]], np.float32)
    np.testing.assert_array_equal(sparse_to_dense(_sparse(values, [1, 3, 5], [2, 3])), dense)
    np.testing.assert_array_equal(sparse_to_dense(_sparse(values, [[0, 1], [1, 0], [1, 2]], [2, 3])), dense)
    strings = sparse_to_dense(_sparse(np.array(["a"], object), [1], [2]))
    assert strings.tolist() == ["", "a"]
    assert sparse_to_dense(_sparse(np.zeros(0, np.int8), np.zeros((0, 2)), [2, 2])).tolist() == [[0, 0], [0, 0]]


ONE = np.ones(1, np.float32)
SPARSE_LIES = [
    ("ITG0208", _sparse(ONE, [6], [2, 3])),
    ("ITG0208", _sparse(ONE, [-1], [2, 3])),
    ("ITG0208", _sparse(ONE, [[0, 3]], [2, 3])),
    ("ITG0208", _sparse(ONE, [[0, 0, 0]], [2, 3])),
    ("ITG0208", _sparse(ONE, [0, 1], [2, 3])),
    ("ITG0208", _sparse(np.ones(2, np.float32), [1, 1], [2, 3])),
    ("ITG0208", _sparse(np.ones(2, np.float32), [[1, 0], [0, 1]], [2, 3])),
    ("ITG0208", _sparse(np.ones((1, 1), np.float32), [0], [2, 3])),
    ("ITG0208", SparseTensorProto(values=from_array(ONE), indices=from_array(ONE), dims=[2])),
    ("ITG0202", _sparse(ONE, [0], [1 << 20, 1 << 20])),
    ("ITG0202", _sparse(ONE, [0], [-1])),
    ("ITG0201", SparseTensorProto(dims=[1])),
]


@pytest.mark.parametrize("code, sparse", SPARSE_LIES)
def test_sparse_lies_are_refused(code, sparse):
    with pytest.raises(TensorError) as caught:
        sparse_to_dense(sparse)
    assert caught.value.code == code
