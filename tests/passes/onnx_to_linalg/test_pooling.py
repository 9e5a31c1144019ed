"""Pools against plain loops: pads, strides, dilations, ceil_mode, open dimensions, element types."""

import itertools

import numpy as np
import pytest
from intaglio.errors import IntaglioError


def windows(x, kernel, strides, pads, dilations, ceil_mode=0):
    """For every output position: (position, the window's (place, element) pairs inside the input, taps inside input and pads)."""
    axes = len(kernel)
    spatial = x.shape[2:]
    counts = []
    for k in range(axes):
        extent = (kernel[k] - 1) * dilations[k] + 1
        room = spatial[k] + pads[k] + pads[axes + k] - extent
        count = (-(-room // strides[k]) if ceil_mode else room // strides[k]) + 1
        if ceil_mode and (count - 1) * strides[k] >= spatial[k] + pads[k]:
            count -= 1
        counts.append(count)
    for out in itertools.product(range(x.shape[0]), range(x.shape[1]), *map(range, counts)):
        held, padded = [], 0
        for tap in itertools.product(*map(range, kernel)):
            place = tuple(out[2 + k] * strides[k] - pads[k] + tap[k] * dilations[k] for k in range(axes))
            padded += all(-pads[k] <= place[k] < spatial[k] + pads[axes + k] for k in range(axes))
            if all(0 <= place[k] < spatial[k] for k in range(axes)):
                held.append((place, x[(*out[:2], *place)]))
        yield out, held, padded


CASES = [
    ((1, 2, 7), {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
    ((2, 3, 6, 5), {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 0, 1], "dilations": [2, 1]}),
    ((1, 1, 5, 5), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    ((1, 1, 6, 6), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    ((1, 2, 3, 4, 3), {"kernel_shape": [2, 2, 1]}),
    ((1, 2, 4, 4), {"kernel_shape": [1, 1], "strides": [3, 3]}),
]


def settings(attributes):
    axes = len(attributes["kernel_shape"])
    names = (("strides", [1] * axes), ("pads", [0] * (2 * axes)), ("dilations", [1] * axes), ("ceil_mode", 0))
    return [attributes["kernel_shape"], *(attributes.get(name, default) for name, default in names)]


def fill(y, found, value):
    for out, held, padded in found:
        y[out] = value(held, padded)
    return y


@pytest.mark.parametrize(("shape", "attributes"), CASES)
@pytest.mark.parametrize("open_dims", [False, True])
@pytest.mark.parametrize("include", [0, 1])
def test_average(run, shape, attributes, open_dims, include):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    y = run("AveragePool", x, open_dims=open_dims, count_include_pad=include, **attributes)

    def mean(held, n):
        return sum(v for _, v in held) / (n if include else len(held))

    expected = fill(np.empty_like(y), windows(x, *settings(attributes)), mean)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("shape", "attributes"), CASES)
@pytest.mark.parametrize("open_dims", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.uint8])
def test_max(run, shape, attributes, open_dims, dtype):
    x = np.random.default_rng(1).integers(-100, 100, shape).astype(dtype)
    y = run("MaxPool", x, open_dims=open_dims, **attributes)
    np.testing.assert_array_equal(y, fill(np.empty_like(y), windows(x, *settings(attributes)), lambda held, n: max(v for _, v in held)))


@pytest.mark.parametrize(("shape", "attributes"), CASES)
@pytest.mark.parametrize("order", [0, 1])
def test_positions_of_the_largest(run, shape, attributes, order):
    x = np.random.default_rng(2).permutation(np.prod(shape)).reshape(shape).astype(np.float32)
    y, indices = run("MaxPool", x, outputs=2, storage_order=order, open_dims=bool(order), **attributes)
    spatial = shape[2:]
    for out, held, _ in windows(x, *settings(attributes)):
        place, best = max(held, key=lambda pair: pair[1])
        assert y[out] == best
        flat = np.ravel_multi_index(place, spatial, order="F" if order else "C")
        assert indices[out] == (out[0] * shape[1] + out[1]) * np.prod(spatial) + flat


def test_lp(run):
    x = np.random.default_rng(3).standard_normal((1, 2, 5, 5)).astype(np.float32)
    for p in (1, 2, 3):
        y = run("LpPool", x, kernel_shape=[2, 2], p=p)
        found = windows(x, [2, 2], [1, 1], [0] * 4, [1, 1])
        expected = fill(np.empty_like(y), found, lambda held, n, p=p: sum(abs(v) ** p for _, v in held) ** (1 / p))
        np.testing.assert_allclose(y, expected, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3), (0, 3, 4, 4), (2, 3, 1, 1, 7)])
def test_planes(run, shape):
    x = np.random.default_rng(4).standard_normal(shape).astype(np.float16)
    axes = tuple(range(2, len(shape)))
    mean = run("GlobalAveragePool", x, open_dims=True)
    np.testing.assert_allclose(mean, x.astype(np.float32).mean(axis=axes, keepdims=True), rtol=1e-2, atol=1e-3)
    np.testing.assert_array_equal(run("GlobalMaxPool", x), x.max(axis=axes, keepdims=True))
    norm = np.sqrt((x.astype(np.float32) ** 2).sum(axis=axes, keepdims=True))
    np.testing.assert_allclose(run("GlobalLpPool", x), norm, rtol=1e-2, atol=1e-3)


def test_unpooling_refuses_positions_out_of_range(run):
    x, places = np.ones((1, 1, 2), np.float32), np.array([[[0, 3]]], np.int64)
    np.testing.assert_array_equal(run("MaxUnpool", x, places, kernel_shape=[2], strides=[2]), [[[1, 0, 0, 1]]])
    with pytest.raises(IntaglioError, match="ITG5001"):
        run("MaxUnpool", x, places + 2, kernel_shape=[2], strides=[2])


def test_regions_need_a_known_image(run):
    x, rois = np.ones((1, 1, 4, 4), np.float32), np.array([[0, 0, 3, 3]], np.float32)
    y = run("RoiAlign", x, rois, np.array([0], np.int64), output_height=2, output_width=2, open_dims=True)
    assert y.shape == (1, 1, 2, 2)
    with pytest.raises(IntaglioError, match="ITG5001"):
        run("RoiAlign", x, rois, np.array([1], np.int64))
