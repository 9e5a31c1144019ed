"""Random numbers: distributions, seeds, element types."""

import numpy as np
import pytest


def test_uniform(run):
    y = run("RandomUniform", shape=[200, 500], low=2.0, high=4.0)
    assert y.dtype == np.float32 and y.min() >= 2 and y.max() <= 4
    assert y.mean() == pytest.approx(3, abs=0.01) and y.std() == pytest.approx(2 / 12**0.5, abs=0.01)


def test_normal_like(run):
    y = run("RandomNormalLike", np.zeros((100, 1000), np.float64), mean=1.0, scale=2.0, open_dims=True)
    assert y.mean() == pytest.approx(1, abs=0.03) and y.std() == pytest.approx(2, abs=0.03)
    assert (abs(y - 1) > 4).mean() == pytest.approx(0.0455, abs=0.005)


def test_seeds(run):
    first, again, other = (run("RandomUniform", shape=[50], seed=s) for s in (1.0, 1.0, 2.0))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(run("RandomNormal", shape=[5]), run("RandomNormal", shape=[5]))


def test_chances(run):
    y = run("Bernoulli", np.repeat(np.array([0, 0.3, 1], np.float32), 20000).reshape(3, -1), dtype=7)
    assert y.dtype == np.int64
    np.testing.assert_allclose(y.mean(axis=1), [0, 0.3, 1], atol=0.01)


def test_draws(run):
    chances = np.array([[0.1, 0.2, 0.3, 0.4], [0, 0.5, 0.5, 0]], np.float32)
    with np.errstate(divide="ignore"):
        y = run("Multinomial", np.log(chances), sample_size=20000, open_dims=True)
    assert y.dtype == np.int32
    np.testing.assert_allclose([np.bincount(row, minlength=4) / 20000 for row in y], chances, atol=0.015)
