"""Gathering and scattering against numpy: signs, types, sizes that the run reads, indices that are not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from intaglio.errors import IntaglioError

Run = Callable[..., Any]
X = np.arange(4 * 6 * 5, dtype=np.float32).reshape(4, 6, 5)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize(
    "indices",
    [np.array(-1), np.array([2]), np.array([0, 2]), np.array([3, 1], np.int32), np.array([[0, 3], [-1, 1]]), np.zeros((2, 0), np.int64)],
)
def test_gather(run: Run, indices: np.ndarray, axis: int):
    for constants in ((), (1,)):
        for open_dims in ((), (0,)):
            found = run("Gather", X, indices, open_dims=open_dims, constants=constants, axis=axis)
            np.testing.assert_array_equal(found, np.take(X, indices, axis))


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.uint64, np.bool_])
def test_gather_types(run: Run, dtype: Any):
    x, indices = (X % 7).astype(dtype), np.array([1, -2, 0])
    for axis in (0, 2):
        np.testing.assert_array_equal(run("Gather", x, indices, open_dims=True, axis=axis), np.take(x, indices, axis))


@pytest.mark.parametrize("axis", [0, 2])
def test_gather_outside(run: Run, axis: int):
    for constants in ((), (1,)):
        with pytest.raises(IntaglioError, match="ITG500"):
            run("Gather", X, np.array([0, 6]), open_dims=(0,), constants=constants, axis=axis)
        with pytest.raises(IntaglioError, match="ITG500"):
            run("Gather", X, np.array([-7]), open_dims=(0,), constants=constants, axis=axis)
    with pytest.raises(IntaglioError, match="ITG50"):
        run("Gather", X[:, :, :0] if axis else X[:0], np.array([0, 0]), open_dims=True, axis=axis)


def test_gather_elements(run: Run):
    rng = np.random.default_rng(0)
    for axis in (0, 1, -1):
        indices = rng.integers(-X.shape[axis], X.shape[axis], X.shape)[:3, :2, :4]
        expected = np.take_along_axis(X[tuple(slice(None) if a == axis % 3 else slice(n) for a, n in enumerate((3, 2, 4)))], indices, axis)
        np.testing.assert_array_equal(run("GatherElements", X, indices, open_dims=True, axis=axis), expected)
    with pytest.raises(IntaglioError, match="ITG5004"):
        run("GatherElements", X, np.zeros((5, 1, 1), np.int64), open_dims=True, axis=1)
    with pytest.raises(IntaglioError, match="ITG5001"):
        run("GatherElements", X, np.full((1, 1, 1), 6), open_dims=True, axis=1)


def test_gather_slices(run: Run):
    indices = np.array([[[0, -1], [3, 2]]])
    np.testing.assert_array_equal(run("GatherND", X, indices), X[indices[..., 0], indices[..., 1]])
    batched = np.array([[0], [-1], [3], [2]])
    np.testing.assert_array_equal(run("GatherND", X, batched, open_dims=(0,), batch_dims=1), X[np.arange(4), batched[:, 0]])
    with pytest.raises(IntaglioError, match="ITG5001"):
        run("GatherND", X, np.array([[0, 6]]), open_dims=(0,))


UFUNCS = {"none": None, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@pytest.mark.parametrize("reduction", UFUNCS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int32, np.uint8, np.bool_])
def test_scatter(run: Run, reduction: str, dtype: Any):
    x, updates = (X % 4).astype(dtype), (X[:2, :3, :5] % 3).astype(dtype)
    indices = (
        np.tile(np.array([1, -5, 0])[:, None], (2, 1, 5)) if reduction != "none" else np.tile(np.array([1, -1, 0])[:, None], (2, 1, 5))
    )
    i, j = np.arange(2)[:, None, None], np.arange(5)
    expected = x.copy()
    if (ufunc := UFUNCS[reduction]) is None:
        expected[i, indices, j] = updates
    else:
        ufunc.at(expected, (i, indices, j), updates)
    for open_dims in (False, True):
        found = run("ScatterElements", x, indices, updates, open_dims=open_dims, axis=1, reduction=reduction)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("reduction", UFUNCS)
def test_scatter_slices(run: Run, reduction: str):
    indices = np.array([[0, 1], [3, -1], [0, 1 if reduction != "none" else 2]])
    updates = X[:3, 0] - 7
    expected = X.copy()
    if (ufunc := UFUNCS[reduction]) is None:
        expected[tuple(indices.T)] = updates
    else:
        ufunc.at(expected, tuple(indices.T), updates)
    np.testing.assert_array_equal(run("ScatterND", X, indices, updates, open_dims=(0, 2), reduction=reduction), expected)
    with pytest.raises(IntaglioError, match="ITG5001"):
        run("ScatterND", X, indices + 4, updates, reduction=reduction)


def test_scatter_outside(run: Run):
    one = np.ones((1, 1, 1), np.float32)
    with pytest.raises(IntaglioError, match="ITG5001"):
        run("ScatterElements", X, np.full((1, 1, 1), 6), one, axis=1)
    with pytest.raises(IntaglioError, match="ITG5004"):
        run("ScatterElements", X, np.zeros((5, 1, 1), np.int64), np.ones((5, 1, 1), np.float32), open_dims=True, axis=1)


def test_cache_updates(run: Run):
    update = -X[:, :2] - 1
    starts = np.array([0, 5, 3, 4])
    expected = X.copy()
    for n, start in enumerate(starts):
        for s in range(2):
            expected[n, (start + s) % 6] = update[n, s]
    np.testing.assert_array_equal(run("TensorScatter", X, update, starts, open_dims=True, mode="circular"), expected)
    with pytest.raises(IntaglioError, match="ITG5001"):
        run("TensorScatter", X, update, starts, open_dims=True)
    found = run("TensorScatter", X, update, None)
    np.testing.assert_array_equal(found, np.concatenate([update, X[:, 2:]], 1))
