"""Products and convolutions of integers."""

import numpy as np
import pytest


def ints(shape, dtype, seed=0):
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


@pytest.mark.parametrize("open_dims", [False, True])
@pytest.mark.parametrize(
    ("left", "right"), [((2, 3, 5), (5, 4)), ((4,), (4, 3)), ((3, 4), (4,)), ((2, 1, 3, 2), (4, 2, 3)), ((0, 3), (3, 2))]
)
def test_matmul_integer(run, left, right, open_dims):
    x, y = ints(left, np.uint8), ints(right, np.int8, 1)
    got = run("MatMulInteger", x, y, np.array(7, np.uint8), np.array(-3, np.int8), open_dims=open_dims)
    np.testing.assert_array_equal(got, np.matmul(x.astype(np.int32) - 7, y.astype(np.int32) + 3))


def test_zero_points_by_row_and_column(run):
    x, y = ints((3, 4), np.uint8), ints((4, 2), np.uint8, 1)
    rows, columns = np.array([1, 2, 3], np.uint8), np.array([100, 200], np.uint8)
    expected = (x.astype(np.int32) - rows[:, None]) @ (y.astype(np.int32) - columns)
    np.testing.assert_array_equal(run("MatMulInteger", x, y, rows, columns), expected)


def test_qlinear_matmul_by_column(run):
    x, y = ints((3, 4), np.int8), ints((4, 2), np.int8, 1)
    scales = np.array([0.01, 0.002], np.float32)
    zero = np.zeros(2, np.int8)
    got = run("QLinearMatMul", x, np.float32(0.1), np.int8(3), y, scales, zero, np.float32(0.5), np.int8(1))
    real = (x.astype(np.int32) - 3) @ y.astype(np.int32) * (np.float32(0.1) * scales)
    np.testing.assert_allclose(got, np.clip(np.rint(real / 0.5) + 1, -128, 127), atol=1)


def convolved(x, w, group, stride):
    channels, depth, size = w.shape[0], w.shape[1], w.shape[2]
    count = (x.shape[2] - size) // stride + 1
    y = np.zeros((x.shape[0], channels, count), np.int32)
    for m in range(channels):
        first = m // (channels // group) * depth
        for o in range(count):
            y[:, m, o] = (x[:, first : first + depth, o * stride : o * stride + size] * w[m]).sum(axis=(1, 2))
    return y


@pytest.mark.parametrize("open_dims", [False, True])
@pytest.mark.parametrize("group", [1, 2])
def test_conv_integer(run, group, open_dims):
    x, w = ints((2, 4, 9), np.uint8), ints((6, 4 // group, 3), np.int8, 1)
    got = run("ConvInteger", x, w, np.array(5, np.uint8), np.array(2, np.int8), group=group, strides=[2], pads=[1, 2], open_dims=open_dims)
    wide = np.pad(x.astype(np.int32) - 5, ((0, 0), (0, 0), (1, 2)))
    np.testing.assert_array_equal(got, convolved(wide, w.astype(np.int32) - 2, group, 2))


def test_qlinear_conv_by_channel(run):
    x, w, bias = ints((1, 2, 6), np.uint8), ints((3, 2, 3), np.int8, 1), np.array([50, -7, 1000], np.int32)
    scales, zeros = np.array([0.02, 0.01, 0.03], np.float32), np.zeros(3, np.int8)
    got = run("QLinearConv", x, np.float32(0.1), np.uint8(9), w, scales, zeros, np.float32(0.7), np.uint8(128), bias)
    real = convolved(x.astype(np.int32) - 9, w.astype(np.int32), 1, 1) + bias[:, None]
    expected = np.clip(np.rint(real * (np.float32(0.1) * scales / np.float32(0.7))[:, None]) + 128, 0, 255)
    np.testing.assert_allclose(got.astype(int), expected, atol=1)
