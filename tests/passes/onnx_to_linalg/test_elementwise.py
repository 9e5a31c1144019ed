"""Elementwise arithmetic against numpy: element types, broadcasting, open, empty and absent dimensions, exact corners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

BF16 = np.dtype(ml_dtypes.bfloat16)
Run = Callable[..., Any]
INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "bfloat16", "float32", "float64")


def dtype(name: str) -> np.dtype:
    return BF16 if name == "bfloat16" else np.dtype(name)


def numbers(name: str, *shape: int, low: float = -9, high: float = 9, seed: int = 0) -> np.ndarray:
    low = 0 if name.startswith("uint") else low
    values = np.random.default_rng(seed).uniform(low, high, shape)
    return values.astype(np.float32).astype(dtype(name)) if name in FLOATS else values.astype(dtype(name))


BINARY = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}


@pytest.mark.parametrize("name", (*INTS, *FLOATS))
@pytest.mark.parametrize("op", BINARY)
def test_arithmetic_rounds_and_wraps_as_numpy(run: Run, op: str, name: str) -> None:
    x, y = numbers(name, 3, 5, high=120), numbers(name, 5, high=120, seed=1)
    expected = BINARY[op](x, y)
    found = run(op, x, y)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.astype(np.float64), expected.astype(np.float64))


@pytest.mark.parametrize("shapes", [((3, 1, 5), (4, 1)), ((1,), (2, 3)), ((2, 0, 3), (1, 3)), ((), ()), ((), (4,)), ((7, 3), (7, 3))])
@pytest.mark.parametrize("open_dims", [False, True])
def test_broadcasting(run: Run, shapes: tuple[tuple[int, ...], ...], open_dims: bool) -> None:
    x, y = (numbers("float32", *s, seed=n) for n, s in enumerate(shapes))
    found = run("Sub", x, y, open_dims=open_dims)
    assert found.shape == (x - y).shape
    np.testing.assert_array_equal(found, x - y)


@pytest.mark.parametrize("name", INTS)
def test_integer_division_truncates(run: Run, name: str) -> None:
    limits = np.iinfo(name)
    x = np.array([7, limits.min, limits.max, limits.min], name)
    y = np.array([2, 3, limits.max, limits.max], name)
    if limits.min:
        x[0] = -7
    expected = [int(abs(int(a)) // abs(int(c))) * (1 if (a < 0) == (c < 0) else -1) for a, c in zip(x.tolist(), y.tolist(), strict=True)]
    np.testing.assert_array_equal(run("Div", x, y), np.array(expected, name))


@pytest.mark.parametrize("name", INTS)
@pytest.mark.parametrize("fmod", [0, 1])
def test_integer_remainders(run: Run, name: str, fmod: int) -> None:
    x, y = numbers(name, 64, low=-100, high=100), numbers(name, 64, low=-9, seed=1)
    y[y == 0] = 3
    np.testing.assert_array_equal(run("Mod", x, y, fmod=fmod), np.fmod(x, y) if fmod else np.mod(x, y))


@pytest.mark.parametrize("name", ["float32", "float64", "float16"])
@pytest.mark.parametrize("fmod", [0, 1])
def test_float_remainders_are_exact(run: Run, name: str, fmod: int) -> None:
    """Far beyond the quotients that the format holds, and at its ends."""
    tiny, huge = np.finfo(name).smallest_subnormal, np.finfo(name).max
    special = [huge, -huge, np.inf, 5.5, -5.5, -6.0, tiny, 0.0, np.nan, 6.0]
    x = np.array([v for v in special for _ in special], name)
    y = np.array([v for _ in special for v in special], name)
    with np.errstate(all="ignore"):
        # numpy's own remainder of a finite number by an infinite one of another sign is that infinity; so is ours.
        expected = np.fmod(x, y) if fmod else np.mod(x, y)
    np.testing.assert_array_equal(run("Mod", x, y, fmod=fmod), expected)


@pytest.mark.parametrize("name", ["int32", "int64"])
def test_integer_powers_are_exact(run: Run, name: str) -> None:
    x = np.array([3, -3, 7, -1, -1, 1, 0, 0, 2, 10, -1, 2], name)
    y = np.array([19, 19, 11, 1001, 1000, 5000, 0, 3, 30, 9, -3, -1], name)
    expected = [3**19, -(3**19), 7**11, -1, 1, 1, 1, 0, 2**30, 10**9, -1, 0]
    np.testing.assert_array_equal(run("Pow", x, y), np.array(expected).astype(name))


@pytest.mark.parametrize("name", ["int32", "int64", "uint8", "float64", "float32"])
def test_powers_of_mixed_types(run: Run, name: str) -> None:
    x, y = numbers("float32", 3, 4, low=0.5, high=3), numbers(name, 4, low=-3, high=5, seed=1)
    np.testing.assert_allclose(run("Pow", x, y), np.power(x, y).astype(np.float32), rtol=1e-6)
    n = numbers("int64", 6, low=-5, high=6)
    np.testing.assert_array_equal(run("Pow", n, np.float32(2)), n * n)


@pytest.mark.parametrize("name", ["uint8", "int64", "uint16", "int32"])
def test_shifts(run: Run, name: str) -> None:
    x, y = numbers(name, 40, low=-100, high=100), numbers(name, 40, low=0, high=7, seed=1)
    np.testing.assert_array_equal(run("BitShift", x, y, direction="LEFT"), x << y)
    np.testing.assert_array_equal(run("BitShift", x, y, direction="RIGHT"), x >> y)


@pytest.mark.parametrize("name", FLOATS)
def test_variadic(run: Run, name: str) -> None:
    xs = [numbers(name, 2, 1, 3), numbers(name, 4, 3, seed=1), numbers(name, 1, seed=2)]
    wide = [x.astype(np.float64) for x in xs]
    tolerance = float(ml_dtypes.finfo(dtype(name)).eps)
    for op, expected in (
        ("Sum", sum(wide)),
        ("Mean", sum(wide) / 3),
        ("Max", np.maximum(np.maximum(*wide[:2]), wide[2])),
        ("Min", np.minimum(np.minimum(*wide[:2]), wide[2])),
    ):
        np.testing.assert_allclose(run(op, *xs).astype(np.float64), expected, rtol=tolerance, atol=4 * tolerance, err_msg=op)
    np.testing.assert_array_equal(run("Sum", xs[0]), xs[0])


def test_extremes_pass_nan_on(run: Run) -> None:
    x, y = np.array([np.nan, 1, 2, np.nan], np.float32), np.array([1, np.nan, 3, np.nan], np.float32)
    for op, expected in (("Max", np.maximum(x, y)), ("Min", np.minimum(x, y))):
        np.testing.assert_array_equal(run(op, x, y), expected)
    np.testing.assert_array_equal(run("Clip", x, np.float32(0), np.float32(1.5)), np.clip(x, 0, 1.5))
    np.testing.assert_array_equal(run("Relu", x), x)
    np.testing.assert_array_equal(run("Sign", x), np.sign(x))


@pytest.mark.parametrize("name", (*INTS, *FLOATS))
def test_clip_abs_sign(run: Run, name: str) -> None:
    x = numbers(name, 3, 7)
    low, high = np.array(2, dtype(name)), np.array(5, dtype(name))
    np.testing.assert_array_equal(run("Clip", x, low, high, open_dims=True), np.minimum(np.maximum(x, low), high))
    np.testing.assert_array_equal(run("Clip", x, low), np.maximum(x, low))
    np.testing.assert_array_equal(run("Abs", x), np.abs(x))
    np.testing.assert_array_equal(run("Sign", x), np.sign(x.astype(np.float64)).astype(x.dtype))


FUNCTIONS = {
    "Ceil": np.ceil, "Floor": np.floor, "Round": np.rint, "Sqrt": np.sqrt, "Exp": np.exp, "Log": np.log, "Sin": np.sin, "Cos": np.cos,
    "Tan": np.tan, "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan, "Sinh": np.sinh, "Cosh": np.cosh, "Asinh": np.arcsinh,
    "Acosh": np.arccosh, "Atanh": np.arctanh, "Reciprocal": np.reciprocal, "Neg": np.negative,
}  # fmt: skip


@pytest.mark.parametrize("op", FUNCTIONS)
def test_functions(run: Run, op: str) -> None:
    for name, tolerance in (("float32", 3e-7), ("float64", 1e-15), ("float16", 1e-3), ("bfloat16", 8e-3)):
        x = np.concatenate([numbers(name, 30, low=-1, high=3), np.array([0.5, -0.5, 1.5, 2.5, -2.5], dtype(name))])
        with np.errstate(all="ignore"):
            expected = FUNCTIONS[op](x.astype(np.float64))
        np.testing.assert_allclose(run(op, x).astype(np.float64), expected, rtol=4 * tolerance, atol=tolerance, err_msg=name)


def test_strings_are_compared(run: Run) -> None:
    y = run("Equal", np.array([["a"], ["b"]], object), np.array(["b", "c"], object))
    np.testing.assert_array_equal(y, [[False, False], [True, False]])
