"""Transposed, deformable and causal convolutions, and Col2Im, against plain loops."""

import itertools

import numpy as np
import pytest

rng = np.random.default_rng(0)


def scattered(x, w, bias, strides, pads, dilations, group, output):
    """Every input element adds its kernel to the output."""
    axes = len(output)
    y = np.zeros((x.shape[0], w.shape[1] * group, *output), np.float64)
    per_group = x.shape[1] // group
    for n, c in itertools.product(range(x.shape[0]), range(x.shape[1])):
        first = c // per_group * w.shape[1]
        for i in itertools.product(*map(range, x.shape[2:])):
            for tap in itertools.product(*map(range, w.shape[2:])):
                place = [i[k] * strides[k] + tap[k] * dilations[k] - pads[k] for k in range(axes)]
                if all(0 <= p < d for p, d in zip(place, output, strict=True)):
                    y[(n, slice(first, first + w.shape[1]), *place)] += x[(n, c, *i)] * w[(c, slice(None), *tap)]
    return y + bias.reshape(-1, *[1] * axes)


@pytest.mark.parametrize(
    ("shape", "weight", "attributes"),
    [
        ((1, 2, 5), (2, 3, 3), {}),
        ((2, 2, 4, 3), (2, 1, 3, 2), {"strides": [2, 3], "pads": [1, 0, 0, 1], "dilations": [1, 2]}),
        ((1, 4, 3, 3), (4, 2, 2, 2), {"group": 2, "strides": [2, 2], "output_padding": [1, 0]}),
        ((1, 1, 2, 2, 2), (1, 2, 2, 1, 3), {"strides": [1, 2, 1]}),
        ((1, 3, 9, 20), (3, 5, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((2, 3, 5, 6), (3, 4, 5, 2), {"strides": [3, 2], "pads": [4, 1, 3, 0], "output_padding": [2, 1]}),
        ((1, 3, 5, 6), (3, 4, 2, 3), {"strides": [1, 4], "pads": [0, 1, 1, 0], "dilations": [3, 2]}),
    ],
)
@pytest.mark.parametrize(("open_dims", "constants"), [(False, ()), (True, ()), (False, (1,))], ids=["known", "open", "constant filters"])
def test_transposed(run, shape, weight, attributes, open_dims, constants):
    group, axes = attributes.get("group", 1), len(shape) - 2
    x, w = rng.standard_normal(shape).astype(np.float32), rng.standard_normal(weight).astype(np.float32)
    bias = rng.standard_normal(weight[1] * group).astype(np.float32)
    y = run("ConvTranspose", x, w, bias, open_dims=open_dims, constants=constants, **attributes)
    defaults = {"strides": [1] * axes, "pads": [0] * axes, "dilations": [1] * axes}
    settings = [attributes.get(name, default) for name, default in defaults.items()]
    np.testing.assert_allclose(y, scattered(x, w, bias, *settings, group, y.shape[2:]), rtol=1e-4, atol=1e-4)


def test_transposed_halves_are_summed_in_float(run):
    x, w = np.full((1, 512, 4), 0.1, np.float16), np.full((512, 1, 1), 0.1, np.float16)
    np.testing.assert_allclose(run("ConvTranspose", x, w), 512 * np.float32(np.float16(0.1)) ** 2, rtol=1e-3)


@pytest.mark.parametrize("open_dims", [False, True])
def test_deformable_without_offsets_is_a_convolution(run, open_dims):
    x, w = rng.standard_normal((1, 4, 6, 5)).astype(np.float32), rng.standard_normal((2, 2, 3, 2)).astype(np.float32)
    attributes = {"group": 2, "strides": [1, 2], "pads": [1, 0, 1, 1]}
    plain = run("Conv", x, w, **attributes)
    offset = np.zeros((1, 2 * 6, *plain.shape[2:]), np.float32)
    mask = np.full((1, 6, *plain.shape[2:]), 0.5, np.float32)
    y = run("DeformConv", x, w, offset, None, mask, open_dims=open_dims, **attributes)
    np.testing.assert_allclose(y, plain * 0.5, rtol=1e-4, atol=1e-5)


def test_deformable_samples_between_elements_and_outside(run):
    x, w = np.array([[[[1, 3], [5, 7]]]], np.float32), np.ones((1, 1, 1, 1), np.float32)
    offset = np.zeros((1, 2, 2, 2), np.float32)
    offset[0, :, 0, 0] = 0.5, 0.5
    offset[0, :, 1, 1] = 0.25, 5
    np.testing.assert_allclose(run("DeformConv", x, w, offset), [[[[4, 3], [5, 0]]]])


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.float16])
def test_columns_to_image(run, dtype):
    x = rng.integers(0, 9, (2, 3 * 4, 6)).astype(dtype)
    shapes = np.array([5, 4], np.int64), np.array([2, 2], np.int64)
    y = run("Col2Im", x, *shapes, constants=(1, 2), strides=[2, 1])
    expected = np.zeros((2, 3, 5, 4), dtype)
    columns = x.reshape(2, 3, 2, 2, 2, 3)
    for i, j, r, c in itertools.product(range(2), range(2), range(2), range(3)):
        expected[:, :, r * 2 + i, c + j] += columns[:, :, i, j, r, c]
    np.testing.assert_array_equal(y, expected)
