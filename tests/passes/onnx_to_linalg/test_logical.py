"""Comparisons, logic and selection against numpy: element types, NaN, float8, broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

Run = Callable[..., Any]
TYPES = ("int8", "int64", "uint8", "uint64", "float16", "float32", "float64", ml_dtypes.bfloat16)
COMPARISONS = {
    "Equal": np.equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
}


@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons(run: Run, op: str) -> None:
    rng = np.random.default_rng(0)
    for type in TYPES:
        x, y = rng.integers(0, 200, (4, 1, 6)).astype(type), rng.integers(0, 200, (5, 1)).astype(type)
        x[0], y[:1] = y[2], 3
        np.testing.assert_array_equal(run(op, x, y, open_dims=True), COMPARISONS[op](x, y), err_msg=str(type))


def test_nan_equals_nothing(run: Run) -> None:
    x = np.array([np.nan, np.nan, 1], np.float32)
    y = np.array([np.nan, 1, np.nan], np.float32)
    for op in COMPARISONS:
        assert not run(op, x, y).any()


@pytest.mark.parametrize(("op", "expected"), [("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.logical_xor), ("Equal", np.equal)])
def test_logic(run: Run, op: str, expected: Callable[..., Any]) -> None:
    x, y = np.array([[False], [True]]), np.array([False, True, True])
    np.testing.assert_array_equal(run(op, x, y), expected(x, y))
    np.testing.assert_array_equal(run("Not", x), ~x)


@pytest.mark.parametrize("type", ["int8", "uint16", "int32", "uint64"])
def test_bits(run: Run, type: str) -> None:
    rng = np.random.default_rng(1)
    x, y = (rng.integers(0, 120, 33).astype(type) for _ in range(2))
    for op, expected in (("BitwiseAnd", x & y), ("BitwiseOr", x | y), ("BitwiseXor", x ^ y)):
        np.testing.assert_array_equal(run(op, x, y), expected)
    np.testing.assert_array_equal(run("BitwiseNot", x), ~x)


@pytest.mark.parametrize("type", [bool, "int8", "uint32", "float16", "float64", ml_dtypes.bfloat16])
def test_where_broadcasts_all_three(run: Run, type: Any) -> None:
    c = np.array([[True], [False]])
    x, y = np.array([1, 0, 1]).astype(type), np.array([[[0]], [[1]]]).astype(type)
    np.testing.assert_array_equal(run("Where", c, x, y), np.where(c, x, y))
    np.testing.assert_array_equal(run("Where", c, x, y, open_dims=True), np.where(c, x, y))


FLOAT8 = [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2, ml_dtypes.float8_e5m2fnuz]


@pytest.mark.parametrize("type", ["float16", ml_dtypes.bfloat16, "float32", "float64", *FLOAT8])
def test_tests_of_floats(run: Run, type: Any) -> None:
    if np.dtype(type).itemsize == 1:
        x = np.arange(256, dtype=np.uint8).view(type)
    else:
        x = np.array([0, -0.0, 1, np.inf, -np.inf, np.nan, -np.nan, 60000], type)
    plain = x.astype(np.float64)
    np.testing.assert_array_equal(run("IsNaN", x), np.isnan(plain))
    np.testing.assert_array_equal(run("IsInf", x), np.isinf(plain))
    np.testing.assert_array_equal(run("IsInf", x, detect_negative=0), np.isposinf(plain))
    np.testing.assert_array_equal(run("IsInf", x, detect_positive=0), np.isneginf(plain))
