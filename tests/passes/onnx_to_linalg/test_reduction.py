"""Reductions against numpy: every axis set, axes of the run, empty and open dimensions, element types, NaN, infinities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import intaglio
import ml_dtypes
import numpy as np
import pytest

Run = Callable[..., Any]


def _log_sum_exp(x: np.ndarray, **k: Any) -> np.ndarray:
    return np.log(np.sum(np.exp(x), **k))


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceSum": np.sum,
    "ReduceProd": np.prod,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceMean": np.mean,
    "ReduceL1": lambda x, **k: np.sum(np.abs(x), **k),
    "ReduceL2": lambda x, **k: np.sqrt(np.sum(x * x, **k)),
    "ReduceSumSquare": lambda x, **k: np.sum(x * x, **k),
    "ReduceLogSum": lambda x, **k: np.log(np.sum(x, **k)),
    "ReduceLogSumExp": _log_sum_exp,
}


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


KNOWN_OR_NOT = pytest.mark.parametrize("constants", [(1,), ()], ids=["axes known", "axes of the run"])


def _check(run: Run, op: str, axes: tuple[int, ...], keepdims: int, constants: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.5, (3, 4, 5)).astype(np.float32)
    found = run(op, x, i64(*axes), keepdims=keepdims, constants=constants)
    expected = REDUCTIONS[op](x, axis=axes, keepdims=bool(keepdims))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@KNOWN_OR_NOT
@pytest.mark.parametrize("op", REDUCTIONS)
def test_each(run: Run, op: str, constants: tuple[int, ...]) -> None:
    _check(run, op, (0, -1), 0, constants)


@KNOWN_OR_NOT
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [(0,), (1,), (-1,), (1, -3), (0, 1, 2)])
def test_axes(run: Run, axes: tuple[int, ...], keepdims: int, constants: tuple[int, ...]) -> None:
    _check(run, "ReduceLogSumExp", axes, keepdims, constants)


@pytest.mark.parametrize("open_dims", [False, True])
def test_without_axes(run: Run, open_dims: bool) -> None:
    x = np.random.default_rng(1).uniform(0.5, 1.5, (3, 4)).astype(np.float64)
    for op, expected in REDUCTIONS.items():
        np.testing.assert_allclose(run(op, x, keepdims=0, open_dims=open_dims), expected(x), rtol=1e-12, err_msg=op)
    np.testing.assert_allclose(run("ReduceSumSquare", x, noop_with_empty_axes=1), x * x)
    np.testing.assert_array_equal(run("ReduceSum", x[0, 0]), x[0, 0])


@KNOWN_OR_NOT
@pytest.mark.parametrize("shape", [(2, 0), (0, 2)])
def test_empty(run: Run, shape: tuple[int, int], constants: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.float32)
    with np.errstate(all="ignore"):
        for op, of_nothing in (("ReduceSum", 0), ("ReduceProd", 1), ("ReduceMax", -np.inf), ("ReduceMin", np.inf), ("ReduceMean", np.nan)):
            found = run(op, x, i64(1), keepdims=0, constants=constants, open_dims=[0])
            expected = np.full(shape[0], of_nothing if shape[1] == 0 else 0, np.float32)
            np.testing.assert_array_equal(found, expected, err_msg=op)


@pytest.mark.parametrize("type", ["int32", "int64", "uint32", "uint64"])
def test_integers(run: Run, type: str) -> None:
    x = np.random.default_rng(2).integers(0 if type.startswith("u") else -9, 9, (6, 7)).astype(type)
    for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare"):
        np.testing.assert_array_equal(run(op, x, i64(1), keepdims=0), REDUCTIONS[op](x.astype(object), axis=1).astype(type), err_msg=op)
    exact = np.trunc(x.sum(axis=1) / 7).astype(type)
    np.testing.assert_array_equal(run("ReduceMean", x, i64(1), keepdims=0, constants=[1]), exact)
    np.testing.assert_array_equal(run("ReduceProd", x, i64(1), keepdims=0, constants=[1]), np.prod(x, axis=1, dtype=type))
    np.testing.assert_array_equal(run("ReduceL2", x, i64(1), keepdims=0), np.sqrt((x * x).sum(axis=1)).astype(type))


@pytest.mark.parametrize("type", ["int8", "uint8", "bool"])
def test_extremes_of_bytes(run: Run, type: str) -> None:
    x = np.random.default_rng(3).integers(0, 2 if type == "bool" else 250, (5, 40)).astype(np.uint8).astype(type)
    for constants in ((1,), ()):
        np.testing.assert_array_equal(run("ReduceMax", x, i64(1), keepdims=0, constants=constants), x.max(axis=1))
        np.testing.assert_array_equal(run("ReduceMin", x, i64(1), keepdims=0, constants=constants), x.min(axis=1))


@pytest.mark.parametrize("type", ["float16", ml_dtypes.bfloat16])
def test_short_floats_are_summed_in_float(run: Run, type: Any) -> None:
    """Ten thousand ones: a 16-bit running sum would stop at 2048 or 256."""
    x = np.ones((2, 10000), type)
    assert run("ReduceSum", x, i64(1), keepdims=0).tolist() == np.array([10000, 10000], type).tolist()
    assert run("ReduceMean", x, i64(1), keepdims=0, constants=[1]).tolist() == [1, 1]


def test_log_sum_exp_of_large_numbers(run: Run) -> None:
    x = np.array([[1000, 1000], [-1000, -1000], [np.inf, 0], [-np.inf, -np.inf]], np.float32)
    expected = np.array([1000 + np.log(2), -1000 + np.log(2), np.inf, -np.inf], np.float32)
    for constants in ((1,), ()):
        np.testing.assert_allclose(run("ReduceLogSumExp", x, i64(1), keepdims=0, constants=constants), expected, rtol=1e-6)


@pytest.mark.parametrize("axes", [(0, 0), (0, -2), (2,), (-3,)])
def test_wrong_axes_of_the_run_are_errors(run: Run, axes: tuple[int, ...]) -> None:
    with pytest.raises(intaglio.IntaglioError, match="ITG5030"):
        run("ReduceSum", np.ones((2, 3), np.float32), i64(*axes), keepdims=0)


@pytest.mark.parametrize(("type", "axis"), [("int8", 0), ("uint64", 1), ("float16", 2), ("float32", -1)])
def test_extreme_indices(run: Run, type: str, axis: int) -> None:
    x = np.random.default_rng(4).integers(0, 4, (3, 5, 4)).astype(type)
    for op, best in (("ArgMax", np.argmax), ("ArgMin", np.argmin)):
        np.testing.assert_array_equal(run(op, x, axis=axis, keepdims=0, open_dims=True), best(x, axis=axis))
        last = x.shape[axis] - 1 - best(np.flip(x, axis), axis=axis)
        np.testing.assert_array_equal(run(op, x, axis=axis, keepdims=0, select_last_index=1), last)


def test_extreme_index_of_nan_is_the_first(run: Run) -> None:
    x = np.array([[1, np.nan, 3, np.nan], [np.inf, -np.inf, np.inf, 0]], np.float32)
    np.testing.assert_array_equal(run("ArgMax", x, axis=1, keepdims=0), np.argmax(x, axis=1))
    np.testing.assert_array_equal(run("ArgMin", x, axis=1, keepdims=0), np.argmin(x, axis=1))


def test_extreme_index_of_nothing_is_an_error(run: Run) -> None:
    assert run("ArgMax", np.zeros((0, 0), np.float32), axis=1, keepdims=0, open_dims=True).shape == (0,)
    with pytest.raises(intaglio.IntaglioError, match="ITG5020"):
        run("ArgMax", np.zeros((2, 0), np.float32), axis=1, keepdims=0, open_dims=True)


@pytest.mark.parametrize(
    ("shape", "axis", "type"),
    [((3, 4, 5), 0, "float32"), ((3, 4, 5), -2, "int64"), ((3, 3, 5), 2, "float16"), ((6,), 0, "uint32"), ((2, 0, 3), 1, "float64")],
)
def test_running(run: Run, shape: tuple[int, ...], axis: int, type: str) -> None:
    x = np.random.default_rng(5).integers(1, 3, shape).astype(type)
    at = np.array(axis, np.int32)
    np.testing.assert_array_equal(run("CumSum", x, at), np.cumsum(x, axis).astype(type))
    np.testing.assert_array_equal(run("CumProd", x, at, open_dims=True), np.cumprod(x, axis).astype(type))
    backwards = np.flip(np.cumsum(np.flip(x, axis), axis), axis).astype(type)
    np.testing.assert_array_equal(run("CumSum", x, at, reverse=1), backwards)
    np.testing.assert_array_equal(run("CumSum", x, at, reverse=1, exclusive=1), backwards - x)


def test_running_along_no_axis_is_an_error(run: Run) -> None:
    with pytest.raises(intaglio.IntaglioError, match="ITG5031"):
        run("CumSum", np.ones((2, 3), np.float32), np.array(2, np.int64))


def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("open_dims", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis", "type", "tolerance"),
    [
        ((2, 3, 4), 2, "float32", 1e-5),
        ((2, 3, 4), 1, "float32", 1e-5),
        ((2, 3, 4), 0, "float64", 1e-12),
        ((3, 5000), 1, "float32", 1e-5),
        ((4, 33), -1, "float16", 2e-3),
        ((2, 1), 1, "float32", 1e-5),
        ((3, 0, 2), 0, "float32", 1e-5),
    ],
)
def test_softmax(run: Run, shape: tuple[int, ...], axis: int, type: str, tolerance: float, open_dims: bool) -> None:
    x = (30 * np.random.default_rng(6).normal(size=shape)).astype(type)
    exact = _softmax(x.astype(np.float64), axis)
    np.testing.assert_allclose(run("Softmax", x, axis=axis, open_dims=open_dims), exact, rtol=tolerance, atol=1e-7)
    logarithms = run("LogSoftmax", x, axis=axis, open_dims=open_dims)
    np.testing.assert_allclose(logarithms, np.log(np.maximum(exact, 1e-300)), rtol=tolerance, atol=tolerance)
    hard = run("Hardmax", x, axis=axis, open_dims=open_dims)
    np.testing.assert_array_equal(hard.argmax(axis), x.argmax(axis))
    np.testing.assert_array_equal(hard.sum(axis), np.ones_like(hard.sum(axis)))


def test_along_empty_axes(run: Run) -> None:
    x = np.zeros((2, 0, 3), np.float32)
    for op in ("Softmax", "LogSoftmax", "Hardmax", "LpNormalization"):
        assert run(op, x, axis=1, open_dims=True).shape == (2, 0, 3)


def test_lp_norm_of_zeros_is_zero(run: Run) -> None:
    x = np.array([[0, 0], [3, -4]], np.float64)
    np.testing.assert_allclose(run("LpNormalization", x, axis=1), [[0, 0], [0.6, -0.8]])
    np.testing.assert_allclose(run("LpNormalization", x, axis=1, p=1), [[0, 0], [3 / 7, -4 / 7]])
