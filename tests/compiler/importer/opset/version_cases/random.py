"""Random numbers: their type, and a mean and a spread that the seed makes sure of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .model import case

Feeds = Mapping[str, np.ndarray]


def like(dtype: Any, mean: float, spread: float) -> Callable[[Feeds, list[Any]], None]:
    def judge(feeds: Feeds, found: list[Any]) -> None:
        (y,) = found
        assert y.dtype == dtype and y.shape == (40, 50)
        assert abs(y.mean() - mean) < 0.1 and abs(y.std() - spread) < 0.1

    return judge


EMPTY = np.zeros((40, 50), np.float64)
case("RandomNormal", "1-", "y = RandomNormal <shape = [40, 50], mean = 2.0, scale = 0.5, seed = 1.0> ()", judge=like(np.float32, 2, 0.5))
case("RandomNormalLike", "1-", "y = RandomNormalLike <seed = 1.0> (x)", x=EMPTY, judge=like(np.float64, 0, 1))
case("RandomUniform", "1-", "y = RandomUniform <shape = [40, 50], low = 1.0, high = 3.0, seed = 1.0> ()", judge=like(np.float32, 2, 0.577))
case("RandomUniformLike", "1-", "y = RandomUniformLike <seed = 1.0, dtype = 1> (x)", x=EMPTY, judge=like(np.float32, 0.5, 0.289))
case("Bernoulli", "15-", "y = Bernoulli <seed = 1.0, dtype = 1> (x)", x=np.full((40, 50), 0.25), judge=like(np.float32, 0.25, 0.433))


def drawn(feeds: Feeds, found: list[Any]) -> None:
    (y,) = found
    assert y.dtype == np.int32 and y.shape == (2, 1000)
    np.testing.assert_allclose([(y[0] == k).mean() for k in range(3)], [0.5, 0.25, 0.25], atol=0.1)
    assert (y[1] == 1).all()


CHANCES = np.log(np.float32([[2, 1, 1], [1e-9, 1, 1e-9]]))
case("Multinomial", "7-", "y = Multinomial <sample_size = 1000, seed = 1.0> (x)", x=CHANCES, judge=drawn)
