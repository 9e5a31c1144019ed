"""Views, transposes and shapes of tensors whose sizes only the run knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from intaglio.errors import IntaglioError

Run = Callable[..., Any]
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize("target", [(6, 4), (-1, 2), (0, -1, 2), (2, 0, 4), (24, 1, 1)])
def test_reshape(run: Run, target: tuple[int, ...]):
    wanted = [X.shape[k] if d == 0 else d for k, d in enumerate(target)]
    for constants in ((), (1,)):
        found = run("Reshape", X, np.array(target), open_dims=(0,), constants=constants)
        np.testing.assert_array_equal(found, X.reshape(wanted))


def test_reshape_that_does_not_fit(run: Run):
    with pytest.raises(IntaglioError, match="ITG5005"):
        run("Reshape", X, np.array([5, 5]))
    with pytest.raises(IntaglioError, match="ITG500"):
        run("Reshape", X, np.array([5, -1]))


@pytest.mark.parametrize("axes", [(0,), (-1, 1), (3, 0), (-2,)])
def test_unsqueeze_and_squeeze(run: Run, axes: tuple[int, ...]):
    expected = np.expand_dims(X, axes)
    for constants in ((), (1,)):
        np.testing.assert_array_equal(run("Unsqueeze", X, np.array(axes), constants=constants), expected)
        np.testing.assert_array_equal(run("Squeeze", expected, np.array(axes), constants=constants), X)


@pytest.mark.parametrize("axes", [(5, 0), (-6, 0), (1, -4)])
def test_axes_that_are_none(run: Run, axes: tuple[int, ...]):
    with pytest.raises(IntaglioError, match="ITG5030"):
        run("Unsqueeze", X, np.array(axes))


def test_squeeze_of_more_than_one(run: Run):
    with pytest.raises(IntaglioError, match="ITG5005"):
        run("Squeeze", X, np.array([1]))
    with pytest.raises(IntaglioError, match="ITG5002"):
        run("Squeeze", X, np.array([1]), constants=(1,), open_dims=(0,))


@pytest.mark.parametrize("perm", [(2, 0, 1), (1, 0, 2), (0, 2, 1), (0, 1, 2)])
def test_transpose(run: Run, perm: tuple[int, ...]):
    for x in (X, X[:1], X[:, :0], X > 5):
        for open_dims in (False, True):
            np.testing.assert_array_equal(run("Transpose", x, open_dims=open_dims, perm=perm), x.transpose(perm))


def test_expand(run: Run):
    x = X[:, :1]
    for shape in ((2, 3, 4), (5, 1, 1, 1), (0, 2, 1, 4)):
        np.testing.assert_array_equal(run("Expand", x, np.array(shape)), np.broadcast_to(x, np.broadcast_shapes(x.shape, shape)))
    with pytest.raises(IntaglioError, match="ITG5006"):
        run("Expand", x, np.array([3, 1, 4]), open_dims=(0,))
    with pytest.raises(IntaglioError, match="ITG5004"):
        run("Expand", x, np.array([-1, 1, 1]))


def test_shape_and_size(run: Run):
    np.testing.assert_array_equal(run("Shape", X, open_dims=True), X.shape)
    np.testing.assert_array_equal(run("Shape", X, open_dims=True, start=-2, end=-1), X.shape[-2:-1])
    np.testing.assert_array_equal(run("Shape", X, open_dims=True, start=3), np.zeros(0, np.int64))
    assert run("Size", X, open_dims=True) == X.size
