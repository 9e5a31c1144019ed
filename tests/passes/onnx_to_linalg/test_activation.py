"""Activations against float64 formulas: every float type, large arguments, parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

Run = Callable[..., Any]
_erf = np.vectorize(math.erf)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


CASES: dict[str, tuple[str, dict[str, Any], Callable[[np.ndarray], np.ndarray]]] = {
    "relu": ("Relu", {}, lambda x: np.maximum(x, 0)),
    "leaky": ("LeakyRelu", {"alpha": 0.25}, lambda x: np.where(x >= 0, x, 0.25 * x)),
    "threshold": ("ThresholdedRelu", {"alpha": 0.5}, lambda x: np.where(x > 0.5, x, 0)),
    "elu": ("Elu", {"alpha": 2.0}, lambda x: np.where(x >= 0, x, 2 * np.expm1(np.minimum(x, 0)))),
    "selu": ("Selu", {"alpha": 2.0, "gamma": 3.0}, lambda x: np.where(x > 0, 3 * x, 6 * np.expm1(np.minimum(x, 0)))),
    "celu": ("Celu", {"alpha": 2.0}, lambda x: np.maximum(x, 0) + np.minimum(0, 2 * np.expm1(np.minimum(x, 0) / 2))),
    "gelu": ("Gelu", {}, lambda x: x * 0.5 * (1 + _erf(x / math.sqrt(2)))),
    "gelu tanh": (
        "Gelu",
        {"approximate": "tanh"},
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "sigmoid": ("Sigmoid", {}, _sigmoid),
    "hard sigmoid": ("HardSigmoid", {"alpha": 0.5, "beta": 0.25}, lambda x: np.clip(0.5 * x + 0.25, 0, 1)),
    "hard swish": ("HardSwish", {}, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "swish": ("Swish", {"alpha": 2.0}, lambda x: x * _sigmoid(2 * x)),
    "mish": ("Mish", {}, lambda x: x * np.tanh(_softplus(x))),
    "softplus": ("Softplus", {}, _softplus),
    "softsign": ("Softsign", {}, lambda x: x / (1 + np.abs(x))),
    "tanh": ("Tanh", {}, np.tanh),
    "shrink": ("Shrink", {"bias": 0.25, "lambd": 1.0}, lambda x: np.where(x < -1, x + 0.25, np.where(x > 1, x - 0.25, 0))),
}
TYPES = {"float32": 1e-6, "float64": 1e-14, "float16": 2e-3, "bfloat16": 1e-2}


@pytest.mark.parametrize("case", CASES)
def test_formula(run: Run, case: str) -> None:
    op, attributes, formula = CASES[case]
    values = np.array([-80, -20, -5, -2, -1, -0.75, -1e-3, 0, 1e-3, 0.5, 1, 3, 15, 30, 60])
    for name, tolerance in TYPES.items():
        if case == "shrink" and name == "bfloat16":
            continue
        x = values.astype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
        with np.errstate(over="ignore"):
            expected = formula(x.astype(np.float64))
        found = run(op, x.reshape(3, 5), **attributes)
        assert found.dtype == x.dtype
        np.testing.assert_allclose(found.astype(np.float64).ravel(), expected, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("shape", [(0,), (2, 0, 3), (), (37,)])
def test_odd_shapes(run: Run, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(run("Sigmoid", np.asarray(x), open_dims=True), _sigmoid(x), rtol=1e-6)


@pytest.mark.parametrize("name", ["float32", "float64", "float16"])
def test_sigmoid_is_exact_to_its_ends(run: Run, name: str) -> None:
    """Down to the smallest normal number, and 0 or nearly below it."""
    reach = 800 if name == "float64" else 120
    x = np.array([*np.linspace(-reach, reach, 4001), np.inf, -np.inf, np.nan]).astype(name)
    with np.errstate(over="ignore"):
        expected = _sigmoid(x.astype(np.longdouble))
    tiny = float(np.finfo(name).tiny)
    np.testing.assert_allclose(run("Sigmoid", x), expected.astype(np.float64), rtol=8 * float(np.finfo(name).eps), atol=2 * tiny)


@pytest.mark.parametrize("name", ["int32", "uint64", "float16"])
def test_prelu_slopes_broadcast(run: Run, name: str) -> None:
    x = np.random.default_rng(1).integers(-9, 9, (2, 3, 4)).astype(name)
    slope = np.array([[1], [2], [3]], name)
    np.testing.assert_array_equal(run("PRelu", x, slope), np.where(x >= 0, x, x * slope))


def test_shrink_of_integers_cuts_fractions_off(run: Run) -> None:
    x = np.array([-3, -2, -1, 0, 1, 2, 3], np.int8)
    found = run("Shrink", x, lambd=1.5, bias=0.5)
    np.testing.assert_array_equal(found, np.array([-2, -1, 0, 0, 0, 1, 2], np.int8))


def test_gelu_holds_from_end_to_end(run: Run) -> None:
    """Off by less than a rounding of x; nothing is left below, and nothing is added above."""
    x = np.array([*np.linspace(-16, 16, 4001), 1e30, -1e30, np.inf, np.nan], np.float32)
    wide = x.astype(np.float64)
    exact = np.array([v * math.erfc(-v / math.sqrt(2)) / 2 for v in wide])
    found = run("Gelu", x)
    assert np.all(np.abs(found[:-2] - exact[:-2]) <= 1e-7 * np.abs(wide[:-2])) and not found[-3]
    assert found[-2] == np.inf and np.isnan(found[-1])
