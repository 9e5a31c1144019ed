"""Operators on bytes with scales and zero points, against ONNX Runtime; it may round the other way, so results may differ by one."""

from __future__ import annotations

import numpy as np
import pytest

rng = np.random.default_rng(0)


def quanta(*shape, dtype=np.uint8):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, endpoint=True).astype(dtype)


def weights(*shape, dtype=np.uint8):
    """Signed ones stay small: on older processors ONNX Runtime adds two products in 16 bits, which saturate."""
    return rng.integers(-60, 60, shape).astype(dtype) if dtype is np.int8 else quanta(*shape)


def scale(x):
    return np.array(x, np.float32)


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
def test_binary(agrees, op, dtype):
    a, b = quanta(2, 3, 5, dtype=dtype), quanta(3, 1, dtype=dtype)
    zero, factor = np.array(7, dtype), scale(0.02 if op == "QLinearMul" else 0.1)
    agrees(op, a, scale(0.05), zero, b, scale(0.03), zero, factor, zero, quanta=1)


def test_binary_without_zero_points(agrees):
    for a, b in ((quanta(4), quanta(4)), (quanta(0), quanta(1))):
        y = np.clip(np.round((a * np.float32(0.05) + b * np.float32(0.03)) / np.float32(0.1)), 0, 255).astype(np.uint8)
        agrees("QLinearAdd", a, scale(0.05), None, b, scale(0.03), None, scale(0.1), quanta=1, expected=[y])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_unary(agrees, dtype):
    x, zero = quanta(3, 40, dtype=dtype), np.array(5, dtype)
    agrees("QLinearSigmoid", x, scale(0.05), zero, scale(1 / 256), np.array(-128 if dtype is np.int8 else 0, dtype), quanta=1)
    agrees("QLinearLeakyRelu", x, scale(0.05), zero, scale(0.05), zero, alpha=0.2, quanta=1)


def test_concat(agrees):
    a, b = quanta(2, 3, 4), quanta(2, 5, 4)
    zero = np.array(3, np.uint8)
    agrees("QLinearConcat", scale(0.1), zero, a, scale(0.05), zero, b, scale(0.2), zero, axis=1, quanta=1, constants=(0, 1))


@pytest.mark.parametrize("channels_last", [0, 1])
@pytest.mark.parametrize("options", [{}, {"pads": [1, 0, 1, 1], "strides": [2, 1]}, {"count_include_pad": 1, "pads": [1, 1, 1, 1]}])
def test_average_pool(agrees, channels_last, options):
    x = quanta(1, 6, 5, 3) if channels_last else quanta(1, 3, 6, 5)
    zero = np.array(100, np.uint8)
    options = {**options, "kernel_shape": [3, 2], "channels_last": channels_last}
    agrees("QLinearAveragePool", x, scale(0.05), zero, scale(0.04), zero, quanta=1, sizes=(bool(channels_last),), **options)


@pytest.mark.parametrize("channels_last", [0, 1])
def test_global_average_pool(agrees, channels_last):
    x, zero = quanta(2, 6, 5, 3), np.array(100, np.uint8)
    agrees("QLinearGlobalAveragePool", x, scale(0.05), zero, scale(0.04), zero, channels_last=channels_last, quanta=1)


@pytest.mark.parametrize("opset", [11, 13])
def test_softmax(agrees, opset):
    x, zero = quanta(2, 3, 4), np.array(0, np.uint8)
    agrees("QLinearSoftmax", x, scale(0.05), zero, scale(1 / 256), zero, opset=opset, axis=1, quanta=1, constants=(1, 2, 3, 4))


def test_mean_and_choice(agrees):
    zero = np.array(100, np.uint8)
    data = quanta(2, 3, 4)
    for keepdims in (0, 1):
        mean = (data - 100.0).mean(axis=(1, 2), keepdims=bool(keepdims)) * 0.05 / 0.04
        expected = [np.clip(np.round(mean) + 100, 0, 255).astype(np.uint8)]  # ONNX Runtime's CPU has it not
        options = {"axes": [1, -1], "keepdims": keepdims}
        agrees("QLinearReduceMean", data, scale(0.05), zero, scale(0.04), zero, quanta=1, expected=expected, **options)
    x, y, condition = quanta(2, 3), quanta(3), np.array([[True], [False]])
    parameters = (scale(0.04), zero)
    agrees("QLinearWhere", condition, x, scale(0.05), zero, y, scale(0.03), zero, *parameters, quanta=1, constants=(2, 3, 5, 6, 7, 8))


@pytest.mark.parametrize("channels_last", [0, 1])
def test_conv(agrees, channels_last):
    x, w, zero = quanta(1, 6, 5, 4), weights(6, 2, 3, 3, dtype=np.int8), np.array(100, np.uint8)
    x = x if channels_last else np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    parameters = (w, rng.uniform(0.01, 0.02, 6).astype(np.float32), np.zeros(6, np.int8), scale(0.5), zero)
    bias = rng.integers(-500, 500, 6).astype(np.int32)
    options = {"group": 2, "pads": [1, 1, 1, 1], "channels_last": channels_last}
    agrees("QLinearConv", x, scale(0.02), zero, *parameters, bias, constants=(1, 2, 3, 4, 5, 6, 7, 8), quanta=1, sizes=(False,), **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_conversions(agrees, dtype):
    x, zero = normal(3, 4) * 5, np.array(5, dtype)
    agrees("QuantizeLinear", x, scale(0.05), zero)
    agrees("DequantizeLinear", quanta(3, 4, dtype=dtype), scale(0.05), zero)
    along, zeros = rng.uniform(0.01, 0.1, 4).astype(np.float32), quanta(4, dtype=dtype)
    agrees("QuantizeLinear", x, along, zeros, axis=1)
    agrees("DequantizeLinear", quanta(3, 4, dtype=dtype), along, zeros, axis=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("columns", [False, True])
def test_dynamic_quantize_matmul(agrees, dtype, columns):
    a, b = normal(2, 3, 6), weights(6, 5, dtype=dtype)
    s = rng.uniform(0.01, 0.1, 5).astype(np.float32) if columns else scale(0.05)
    z = quanta(5, dtype=dtype) if columns else np.array(3, dtype)
    agrees("DynamicQuantizeMatMul", a, b, s, z, normal(5), rtol=1e-3, atol=1e-3, sizes=(columns,))
    agrees("DynamicQuantizeMatMul", a, b, s, rtol=1e-3, atol=1e-3, sizes=(True,))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("columns", [False, True])
def test_matmul_integer_to_float(agrees, dtype, columns):
    a, b = quanta(2, 3, 6), weights(6, 5, dtype=dtype)
    s = rng.uniform(0.01, 0.1, 5).astype(np.float32) if columns else scale(0.05)
    z = quanta(5, dtype=dtype) if columns else np.array(3, dtype)
    agrees("MatMulIntegerToFloat", a, b, scale(0.02), s, np.array(9, np.uint8), z, normal(5), rtol=1e-3, atol=1e-3, sizes=(columns,))
    agrees("MatMulIntegerToFloat", a, b, scale(0.02), s, rtol=1e-3, atol=1e-3, sizes=(True,))


def test_matmul_integer_to_float_refused(codes):
    found = codes("MatMulIntegerToFloat", quanta(2, 3), quanta(3, 4), np.ones(3, np.float32), scale(1))
    assert found == ["ITG3001 a_scale with one value a column of A"]


@pytest.mark.parametrize("bytes_out", [False, True])
@pytest.mark.parametrize("transposed", [0, 1])
def test_qgemm(agrees, bytes_out, transposed):
    a, b = (quanta(6, 3), weights(5, 6, dtype=np.int8)) if transposed else (quanta(3, 6), weights(6, 5, dtype=np.int8))
    s, z = rng.uniform(0.01, 0.1, 5).astype(np.float32), quanta(5, dtype=np.int8)
    c = rng.integers(-500, 500, 5).astype(np.int32)
    out = (scale(0.3), np.array(120, np.uint8)) if bytes_out else ()
    options = {"alpha": 0.75, "transA": transposed, "transB": transposed}
    agrees("QGemm", a, scale(0.02), np.array(9, np.uint8), b, s, z, c, *out, quanta=1, rtol=1e-3, atol=1e-3, sizes=(bytes_out,), **options)


def test_qgemm_without_c(agrees):
    a, b, zero = quanta(3, 6), quanta(6, 5), np.array(9, np.uint8)
    agrees("QGemm", a, scale(0.02), zero, b, scale(0.01), zero, rtol=1e-3, atol=1e-3, sizes=(True,))
