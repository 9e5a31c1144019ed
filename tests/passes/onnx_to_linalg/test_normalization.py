"""Normalisations against float64 numpy: shapes, axes, element types, training mode, large means, random dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

Run = Callable[..., Any]
TYPES = [("float32", 1e-5), ("float64", 1e-12), ("float16", 4e-3), (ml_dtypes.bfloat16, 3e-2)]
EPSILON = float(np.float32(1e-5))  # attributes are float32


def normal(*shape: int, seed: int = 0, mean: float = 0.5) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 2, shape)


def _standard(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + EPSILON)


def _close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.astype(np.float64), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("type", "tolerance"), TYPES)
@pytest.mark.parametrize("open_dims", [False, True])
def test_layer(run: Run, type: Any, tolerance: float, open_dims: bool) -> None:
    x, scale, bias = (a.astype(type) for a in (normal(2, 3, 8), normal(8, seed=1), normal(8, seed=2)))
    wide, s, c = (a.astype(np.float64) for a in (x, scale, bias))
    y, mean, inverse = run("LayerNormalization", x, scale, bias, outputs=3, open_dims=open_dims)
    _close(y, _standard(wide, (2,)) * s + c, tolerance)
    _close(mean, wide.mean(2, keepdims=True), max(tolerance, 1e-6))
    _close(inverse, 1 / np.sqrt(wide.var(2, keepdims=True) + EPSILON), max(tolerance, 1e-6))
    _close(run("LayerNormalization", x, scale, axis=1), _standard(wide, (1, 2)) * s, tolerance)
    _close(run("RMSNormalization", x, scale), wide / np.sqrt((wide**2).mean(2, keepdims=True) + EPSILON) * s, tolerance)


def test_rows_longer_than_the_stack_holds(run: Run) -> None:
    x, scale = normal(3, 6001).astype(np.float32), np.ones(6001, np.float32)
    _close(run("LayerNormalization", x, scale), _standard(x.astype(np.float64), (1,)), 1e-5)


def test_large_means_keep_the_variance(run: Run) -> None:
    x = (normal(4, 256) + 1e4).astype(np.float32)
    _close(run("LayerNormalization", x, np.ones(256, np.float32)), _standard(x.astype(np.float64), (1,)), 2e-3)


@pytest.mark.parametrize("scale_shape", [(1,), (3, 1), (2, 3, 8), ()])
def test_layer_scales_broadcast(run: Run, scale_shape: tuple[int, ...]) -> None:
    x, scale = normal(2, 3, 8), np.asarray(normal(*scale_shape, seed=1))
    _close(run("LayerNormalization", x, scale), _standard(x, (2,)) * scale, 1e-12)


@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 3, 4), (1, 6, 2, 3, 2), (0, 6, 3), (2, 6)])
@pytest.mark.parametrize("open_dims", [False, True])
def test_instance_and_group(run: Run, shape: tuple[int, ...], open_dims: bool) -> None:
    for type, tolerance in TYPES[:3]:
        x, scale, bias = (a.astype(type) for a in (normal(*shape), normal(6, seed=1), normal(6, seed=2)))
        by_channel = (6, *(1,) * (len(shape) - 2))
        wide, s, c = x.astype(np.float64), scale.astype(np.float64).reshape(by_channel), bias.astype(np.float64).reshape(by_channel)
        found = run("InstanceNormalization", x, scale, bias, open_dims=open_dims)
        _close(found, _standard(wide, tuple(range(2, len(shape)))) * s + c, tolerance)
        for groups in (1, 3, 6):
            rows = wide.reshape(shape[0], groups, *((-1,) if shape[0] else (6 // groups * 3,)))
            expected = _standard(rows, (2,)).reshape(shape) * s + c
            found = run("GroupNormalization", x, scale, bias, num_groups=groups, open_dims=open_dims)
            _close(found, expected, tolerance)


@pytest.mark.parametrize("shape", [(4, 3, 5, 2), (4, 3), (2, 3, 0), (6,)])
@pytest.mark.parametrize("open_dims", [False, True])
def test_batch(run: Run, shape: tuple[int, ...], open_dims: bool) -> None:
    channels = shape[1] if len(shape) > 1 else 1
    for type, tolerance in TYPES:
        arrays = normal(*shape), normal(channels, seed=1), normal(channels, seed=2), normal(channels, seed=3), normal(channels, seed=4) ** 2
        x, scale, bias, mean, variance = (a.astype(type) for a in arrays)
        column = (channels, *(1,) * (len(shape) - 2)) if len(shape) > 1 else (1,)
        wide, s, c, m, v = (a.astype(np.float64) for a in (x, *(p.reshape(column) for p in (scale, bias, mean, variance))))
        found = run("BatchNormalization", x, scale, bias, mean, variance, open_dims=open_dims)
        _close(found, (wide - m) / np.sqrt(v + EPSILON) * s + c, 3 * tolerance)


def test_batch_in_training(run: Run) -> None:
    x, scale, bias, mean, variance = normal(4, 3, 5), normal(3, seed=1), normal(3, seed=2), normal(3, seed=3), normal(3, seed=4) ** 2
    found = run("BatchNormalization", x, scale, bias, mean, variance, training_mode=1, momentum=0.75, outputs=3, open_dims=True)
    column = (3, 1)
    _close(found[0], _standard(x, (0, 2)) * scale.reshape(column) + bias.reshape(column), 1e-12)
    _close(found[1], 0.75 * mean + 0.25 * x.mean((0, 2)), 1e-12)
    _close(found[2], 0.75 * variance + 0.25 * x.var((0, 2)), 1e-12)


@pytest.mark.parametrize("size", [1, 4, 5, 21])
@pytest.mark.parametrize("open_dims", [False, True])
def test_lrn(run: Run, size: int, open_dims: bool) -> None:
    x = normal(2, 7, 3)
    squares = np.zeros_like(x)
    for c in range(7):
        squares[:, c] = (x[:, max(0, c - (size - 1) // 2) : c + size // 2 + 1] ** 2).sum(1)
    expected = x / (2 + 0.5 / size * squares) ** 0.5
    _close(run("LRN", x, size=size, alpha=0.5, beta=0.5, bias=2.0, open_dims=open_dims), expected, 1e-6)


def test_mean_variance_over_any_axes(run: Run) -> None:
    x = normal(2, 3, 4)
    for axes in ((0,), (1, 2), (-1, 0), (0, 1, 2)):
        expected = (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + 1e-9)
        _close(run("MeanVarianceNormalization", x, axes=axes), expected, 1e-9)


@pytest.mark.parametrize("type", ["float32", "float16"])
def test_dropout_drops_its_share(run: Run, type: str) -> None:
    x = np.full((40, 50), 3, type)
    for ratio in (0.25, 0.8):
        y, mask = run("Dropout", x, np.array(ratio, np.float32), np.array(True), outputs=2, open_dims=True)
        assert abs((~mask).mean() - ratio) < 0.05
        np.testing.assert_allclose(y, np.where(mask, 3 / (1 - ratio), 0), rtol=1e-3)
    again = run("Dropout", x, np.array(0.8, np.float32), np.array(True), outputs=2, seed=7)
    assert (again[1] != mask).any()
    assert not run("Dropout", x, np.array(1, np.float32), np.array(True)).any()


def test_dropout_without_training_is_nothing(run: Run) -> None:
    x = normal(3, 4)
    for training in (None, np.array(False)):
        y, mask = run("Dropout", x, np.array(0.5), training, outputs=2)
        np.testing.assert_array_equal(y, x)
        assert mask.all()
    _close(run("Dropout", x, None, np.array(False), constants=[2]), x, 0)
