"""Normalisations and dropout: training told by attributes, by outputs and by inputs; statistics of other shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .model import case, floats, positive, scalar

X = floats(2, 3, 4, 2)
FIVE = {"x": X, "s": floats(3), "b": floats(3), "m": floats(3), "v": positive(3)}
CHANNEL = (slice(None), None, None)


def normal(x: np.ndarray, s: np.ndarray, b: np.ndarray, m: np.ndarray, v: np.ndarray) -> np.ndarray:
    s, b, m, v = (p[CHANNEL] if p.ndim == 1 and x.ndim == 4 else p for p in (s, b, m, v))
    return ((x - m) / np.sqrt(v + np.float32(1e-5)) * s + b).astype(np.float32)


def trained(x: np.ndarray, s: np.ndarray, b: np.ndarray, m: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    running = (np.float32(0.9) * old + np.float32(0.1) * new for old, new in ((m, mean), (v, variance)))
    return normal(x, s, b, mean, variance), *running


def unsaved(*found: Any) -> tuple[Any, ...]:
    return found[:3]


case(
    "BatchNormalization",
    "1",
    "y = BatchNormalization <is_test = 1, consumed_inputs = [0, 0, 0, 1, 1]> (x, s, b, m, v)",
    **FIVE,
    want=normal,
)
case("BatchNormalization", "1-6", "y = BatchNormalization <is_test = 1> (x, s, b, m, v)", **FIVE, want=normal)
case("BatchNormalization", "1-6", "y = BatchNormalization(x, s, b, m, v)", **FIVE, want=lambda *f: trained(*f)[0])
case("BatchNormalization", "1-6", "y, p, q = BatchNormalization(x, s, b, m, v)", **FIVE, want=trained)
PER_FEATURE = {"x": floats(4, 3, 2), "s": floats(3, 2), "b": floats(3, 2), "m": floats(3, 2), "v": positive(3, 2)}
case("BatchNormalization", "6", "y = BatchNormalization <is_test = 1, spatial = 0> (x, s, b, m, v)", **PER_FEATURE, want=normal)
case("BatchNormalization", "7", "y = BatchNormalization <spatial = 0> (x, s, b, m, v)", **PER_FEATURE, want=normal)
case("BatchNormalization", "7-9", "y = BatchNormalization(x, s, b, m, v)", **FIVE)
case("BatchNormalization", "7-9", "y, p, q = BatchNormalization(x, s, b, m, v)", **FIVE, want=trained)
case("BatchNormalization", "14-", "y = BatchNormalization <epsilon = 0.01> (x, s, b, m, v)", **FIVE)
case("BatchNormalization", "14-", "y, p, q = BatchNormalization <training_mode = 1> (x, s, b, m, v)", **FIVE, by="reference")

case(
    "InstanceNormalization",
    "1",
    "y = InstanceNormalization <consumed_inputs = [0, 0, 0]> (x, s, b)",
    x=X,
    s=floats(3),
    b=floats(3),
    want=lambda x, s, b: normal_of(x, (2, 3), s[CHANNEL], b[CHANNEL]),
)
case("InstanceNormalization", "6-", "y = InstanceNormalization(x, s, b)", x=X, s=floats(3), b=floats(3))


def normal_of(x: np.ndarray, axes: tuple[int, ...], s: Any = 1, b: Any = 0, epsilon: float = 1e-5) -> np.ndarray:
    centred = x - x.mean(axes, keepdims=True)
    return (centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon) * s + b).astype(x.dtype)


def per_group(x: np.ndarray, s: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Up to operator set 20 scale and bias held one value a group."""
    grouped = x.reshape(x.shape[0], len(s), -1)
    return normal_of(grouped, (2,), s[:, None], b[:, None]).reshape(x.shape)


GROUPED = floats(2, 4, 3)
case("GroupNormalization", "18", "y = GroupNormalization <num_groups = 2> (x, s, b)", x=GROUPED, s=floats(2), b=floats(2), want=per_group)
# All of it was computed in the type of the data; now in float unless told otherwise.
DOUBLE = {"x": GROUPED.astype(np.float64) + 1e4, "s": np.float64([1, 2]), "b": np.float64([0, 1])}
case("GroupNormalization", "18", "y = GroupNormalization <num_groups = 2> (x, s, b)", **DOUBLE, want=per_group, near=1e-9)
case("GroupNormalization", "21", "y = GroupNormalization <num_groups = 2> (x, s, b)", x=GROUPED, s=floats(4), b=floats(4))
case("LayerNormalization", "17", "y, m, d = LayerNormalization <axis = 1> (x, s, b)", x=GROUPED, s=floats(4, 3), b=floats(4, 3))
case("RMSNormalization", "23", "y = RMSNormalization(x, s)", x=GROUPED, s=floats(3))
case("LRN", "1-", "y = LRN <size = 3, alpha = 0.01> (x)", x=X)
case("LpNormalization", "1-", "y = LpNormalization <axis = 1, p = 1> (x) z = LpNormalization(x)", x=X)
case("MeanVarianceNormalization", "9-", "y = MeanVarianceNormalization(x)", x=X)
case("MeanVarianceNormalization", "9-", "y = MeanVarianceNormalization <axes = [1]> (x)", x=X)

# -- dropout

MANY = np.ones(1000, np.float32)


def dropped(feeds: Mapping[str, np.ndarray], found: list[Any]) -> None:
    """A quarter of the elements is gone, the rest is scaled; the mask, where there is one, tells which."""
    y = found[0]
    assert np.isin(y, [0, np.float32(1 / 0.75)]).all() and 0.15 < (y == 0).mean() < 0.35
    for mask in found[1:]:
        np.testing.assert_array_equal(mask.astype(np.bool_), y != 0)


def mask_of_float(feeds: Mapping[str, np.ndarray], found: list[Any]) -> None:
    dropped(feeds, found)
    assert found[1].dtype == np.float32


def mask_of_bool(feeds: Mapping[str, np.ndarray], found: list[Any]) -> None:
    dropped(feeds, found)
    assert found[1].dtype == np.bool_


case("Dropout", "1", "y = Dropout <ratio = 0.25, is_test = 1, consumed_inputs = [0]> (x)", x=X, want=lambda x: x)
case("Dropout", "1-6", "y, mask = Dropout <ratio = 0.25> (x)", x=MANY, judge=mask_of_float)
case("Dropout", "1-6", "y = Dropout <ratio = 0.25> (x)", x=MANY, judge=dropped)
case("Dropout", "1-6", "y = Dropout <is_test = 1> (x)", x=X, want=lambda x: x)
case("Dropout", "7", "y, mask = Dropout <ratio = 0.25> (x)", x=X, want=lambda x: (x, np.ones_like(x)))
case("Dropout", "10", "y, mask = Dropout <ratio = 0.25> (x)", x=X, want=lambda x: (x, np.ones(x.shape, np.bool_)))
case("Dropout", "12-", "y, mask = Dropout(x)", x=X, want=lambda x: (x, np.ones(x.shape, np.bool_)))
TRAINING = {"ratio": scalar(0.25, np.float32), "training": scalar(True, np.bool_)}
case("Dropout", "12-", "y, mask = Dropout <seed = 1> (x, ratio, training)", x=MANY, **TRAINING, held="ratio training", judge=mask_of_bool)
