"""Quantisation and back: granularities, element types, saturation."""

import ml_dtypes
import numpy as np
import pytest

WHOLE = [np.int8, np.uint8, np.int16, np.uint16]


def limits(dtype):
    info = np.iinfo(dtype)
    return info.min, info.max


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("open_dims", [False, True])
def test_saturates_and_rounds_to_even(run, dtype, open_dims):
    low, high = limits(dtype)
    x = np.array([0.5, 1.5, -0.5, 2.5, 1e9, -1e9, np.inf, -np.inf], np.float32)
    y = run("QuantizeLinear", x, np.float32(1), np.array(3, dtype), open_dims=open_dims)
    np.testing.assert_array_equal(y, np.clip([3, 5, 3, 5, high, low, high, low], low, high).astype(dtype))


@pytest.mark.parametrize("dtype", WHOLE)
def test_what_is_no_number_is_the_least(run, dtype):
    x = np.array([np.nan, -np.nan, 2] * 7, np.float32)
    for constants in ((), (1, 2)):
        y = run("QuantizeLinear", x, np.float32(0.5), np.array(3, dtype), constants=constants)
        np.testing.assert_array_equal(y[:3], [limits(dtype)[0], limits(dtype)[0], 7])


@pytest.mark.parametrize("dtype", [np.int8, np.uint16])
@pytest.mark.parametrize("scale", [0.02, 1.0, 3.9999998, 0.49999997, 1.7e-38, 1e38, 1e-41])
def test_divides_by_constants_as_by_any(run, dtype, scale):
    """Quotients about every half, where a unit in the last place decides."""
    scale, zero = np.float32(scale), np.array(5, dtype)
    halves = np.concatenate([np.arange(-140, 140), np.arange(65500, 65545)]) + 0.5
    with np.errstate(over="ignore"):
        at = (halves * np.float64(scale)).astype(np.float32)
        x = np.concatenate([at, *(np.nextafter(at, np.float32(end)) for end in (-np.inf, np.inf)), np.float32([np.inf, -np.inf, 3e38, 0])])
        expected = np.clip(np.rint(x / scale) + 5, *limits(dtype)).astype(dtype)
    np.testing.assert_array_equal(run("QuantizeLinear", x, scale, zero, constants=(1, 2)), expected)
    axis = run("QuantizeLinear", np.stack([x, x]), np.array([scale, 0.75], np.float32), np.full(2, 5, dtype), axis=0, constants=(1, 2))
    np.testing.assert_array_equal(axis[0], expected)


@pytest.mark.parametrize("dtype", [*WHOLE, np.int32])
@pytest.mark.parametrize("float_type", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_axis_and_back(run, dtype, float_type):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (2, 3, 4)).astype(dtype)
    scale, zero = np.array([0.5, 2, 1], float_type), np.array([0, 7, 100], dtype)
    y = run("DequantizeLinear", x, scale, zero, axis=1)
    expected = (x.astype(np.float32) - zero.reshape(1, 3, 1)) * scale.astype(np.float32).reshape(1, 3, 1)
    np.testing.assert_array_equal(y, expected.astype(float_type))
    if dtype is not np.int32:
        np.testing.assert_array_equal(run("QuantizeLinear", y, scale, zero, axis=-2), x)


@pytest.mark.parametrize("open_dims", [False, True])
def test_blocks_that_do_not_divide(run, open_dims):
    x = np.arange(10, dtype=np.float32).reshape(2, 5)
    scale = np.array([[1, 2, 4], [1, 0.5, 2]], np.float32)
    y = run("QuantizeLinear", x, scale, np.zeros((2, 3), np.int8), block_size=2, axis=1, open_dims=open_dims)
    np.testing.assert_array_equal(y, np.rint(x / np.repeat(scale, 2, axis=1)[:, :5]).astype(np.int8))


def test_empty_and_scalar(run):
    assert run("QuantizeLinear", np.empty((0, 3), np.float32), np.float32(1)).shape == (0, 3)
    assert run("QuantizeLinear", np.array(2.6, np.float32), np.float32(1)) == 3


@pytest.mark.parametrize("low", [-3.0, 0.5, -7.0])
def test_dynamic(run, low):
    x = np.linspace(low, low + 5, 12, dtype=np.float32).reshape(3, 4)
    y, scale, zero = run("DynamicQuantizeLinear", x, outputs=3, open_dims=True)
    least, most = min(low, 0.0), max(low + 5, 0.0)
    assert scale == pytest.approx((most - least) / 255, rel=1e-6)
    assert zero == np.clip(np.rint(-least / scale), 0, 255)
    np.testing.assert_array_equal(y, np.clip(np.rint(x / scale) + zero, 0, 255))


def test_dynamic_of_nothing_but_zeros(run):
    y, scale, zero = run("DynamicQuantizeLinear", np.zeros(3, np.float32), outputs=3)
    assert (y == 0).all() and zero == 0 and scale == 1
