"""Ranges, filled tensors and conversions against numpy: every element type, sizes that the run reads, nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from intaglio.errors import IntaglioError
from onnx import TensorProto, numpy_helper

Run = Callable[..., Any]
NARROW = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn", "float8_e8m0fnu")
NUMBERS: dict[str, int] = dict(zip(NARROW, (17, 18, 19, 20, 23, 24), strict=True))


@pytest.mark.parametrize(("start", "limit", "delta"), [(0, 4, 1.25), (5, -1, -2.5), (1, 1, 1), (1, 0, 1), (-2, 7, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32, np.int16])
def test_range(run: Run, dtype: Any, start: float, limit: float, delta: float):
    bounds = [np.array(v, dtype) for v in (start, limit, delta)]
    np.testing.assert_allclose(run("Range", *bounds), np.arange(*(b.item() for b in bounds)), rtol=1e-6)


@pytest.mark.parametrize("bounds", [(0, 5, 0), (0.0, 5.0, 0.0), (0.0, np.inf, 1.0)])
def test_range_without_end(run: Run, bounds: Any):
    with pytest.raises(IntaglioError, match="ITG5004"):
        run("Range", *(np.array(v, np.int64 if isinstance(v, int) else np.float32) for v in bounds))


def test_filled(run: Run):
    value = numpy_helper.from_array(np.array([-3], np.int16))
    for shape in ((2, 3), (0, 4), ()):
        found = run("ConstantOfShape", np.array(shape, np.int64), value=value)
        np.testing.assert_array_equal(found, np.full(shape, -3, np.int16))
    with pytest.raises(IntaglioError, match="ITG5004"):
        run("ConstantOfShape", np.array([2, -3]), value=value)


def test_eye(run: Run):
    for k in (-1, 0, 2, 9):
        found = run("EyeLike", np.zeros((3, 5), np.float32), open_dims=True, k=k, dtype=TensorProto.BOOL)
        np.testing.assert_array_equal(found, np.eye(3, 5, k, dtype=bool))


def test_one_hot(run: Run):
    indices, values = np.array([[0, 2], [-1, 5]], np.int32), np.array([-1, 4], np.int8)
    expected = np.where((indices % 3)[..., None] == np.arange(3), 4, -1)
    expected[1, 1] = -1  # 5 is no index
    np.testing.assert_array_equal(run("OneHot", indices, np.array(3.0, np.float32), values, open_dims=True), expected)
    np.testing.assert_array_equal(run("OneHot", indices, np.array([3]), values, axis=0), np.moveaxis(expected, -1, 0))


TYPES = (np.float32, np.float16, np.float64, ml_dtypes.bfloat16, np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64, np.bool_)


@pytest.mark.parametrize("source", TYPES)
def test_cast(run: Run, source: Any):
    x = np.array([0, 1, 2, 3, 100], np.float32).astype(source)
    for target in TYPES:
        found = run("Cast", x, to=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(target)))
        assert found.dtype == target
        np.testing.assert_array_equal(found, x.astype(target))


def test_cast_saturates(run: Run):
    x = np.array([1e30, -1e30, np.nan, -0.9, 255.9], np.float32)
    np.testing.assert_array_equal(run("Cast", x, to=TensorProto.UINT8), [255, 0, 0, 0, 255])
    np.testing.assert_array_equal(run("Cast", x, to=TensorProto.INT64), [2**63 - 1, -(2**63), 0, 0, 255])


@pytest.mark.parametrize("name", NARROW)
def test_decode(run: Run, name: str):
    codes = np.arange(16 if name.startswith("float4") else 256, dtype=np.uint8).view(getattr(ml_dtypes, name))
    np.testing.assert_array_equal(run("Cast", codes, to=TensorProto.FLOAT), codes.astype(np.float32))


@pytest.mark.parametrize("name", NARROW[:5])
def test_encode(run: Run, name: str):
    dtype = getattr(ml_dtypes, name)
    codes = np.arange(8 if name.startswith("float4") else 0x7B, dtype=np.uint8).view(dtype).astype(np.float32)
    middles = (codes[1:] + codes[:-1]) / 2
    x = np.concatenate([codes, middles, np.nextafter(middles, np.float32(0)), np.nextafter(middles, np.float32(1e9))])
    x = np.concatenate([x, -x])
    found = run("Cast", x, to=NUMBERS[name])
    np.testing.assert_array_equal(found.view(np.uint8), x.astype(dtype).view(np.uint8))


@pytest.mark.parametrize("name", NARROW[:4])
def test_encode_beyond(run: Run, name: str):
    dtype = getattr(ml_dtypes, name)
    x = np.array([1e9, -1e9, np.inf, np.nan], np.float32)
    top = float(ml_dtypes.finfo(dtype).max)
    found = run("Cast", x, to=NUMBERS[name]).astype(np.float32)
    np.testing.assert_array_equal(found, np.array([top, -top, top, np.nan], np.float32))
    found = run("Cast", x, to=NUMBERS[name], saturate=0).astype(np.float32)
    beyond = np.inf if name == "float8_e5m2" else np.nan
    np.testing.assert_array_equal(found, np.array([beyond, -beyond, beyond, np.nan], np.float32))


@pytest.mark.parametrize(("name", "number"), [("int4", 22), ("uint4", 21), ("int2", 26), ("uint2", 25)])
def test_small_integers(run: Run, name: str, number: int):
    dtype = getattr(ml_dtypes, name)
    codes = np.arange(1 << int(name[-1]), dtype=np.uint8).view(dtype)
    np.testing.assert_array_equal(run("Cast", codes, to=TensorProto.INT32), codes.astype(np.int32))
    wide = np.arange(-20, 20, dtype=np.int32)
    np.testing.assert_array_equal(run("Cast", wide, to=number).astype(np.int32), wide.astype(dtype).astype(np.int32))


def test_bit_cast(run: Run):
    x = np.array([1.5, -0.0, np.inf], np.float32)
    np.testing.assert_array_equal(run("BitCast", x, to=TensorProto.UINT32), x.view(np.uint32))
    np.testing.assert_array_equal(run("BitCast", x.astype(np.float16), to=TensorProto.INT16), x.astype(np.float16).view(np.int16))
    np.testing.assert_array_equal(run("BitCast", np.array([-1], np.int8), to=TensorProto.UINT8), [255])
