"""Finding elements against numpy: empty and scalar tensors, NaN, ties, every type, counts that only the run knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from intaglio.errors import IntaglioError

Run = Callable[..., Any]
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.uint64, np.bool_])
def test_nonzero(run: Run, dtype: Any):
    for x in (RNG.integers(0, 2, (3, 4, 2)), np.zeros((2, 3)), np.zeros((0, 3)), np.array([0, 5])):
        np.testing.assert_array_equal(run("NonZero", x.astype(dtype), open_dims=True), np.array(np.nonzero(x)))
    assert run("NonZero", np.array(3).astype(dtype)).shape == (0, 1)


@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize("keep", [[1, 0, 1, 1], [0, 0], [0, 1, 1, 0, 0, 0, 1]])
def test_compress(run: Run, axis: int | None, keep: list[int]):
    x, mask = np.arange(20, dtype=np.int16).reshape(4, 5), np.array(keep, bool)
    size = x.size if axis is None else x.shape[axis]
    attributes = {} if axis is None else {"axis": axis}
    for constants in ((), (1,)):
        found = run("Compress", x, mask, open_dims=True, constants=constants, **attributes)
        np.testing.assert_array_equal(found, np.compress(mask[:size], x, axis))


def _unique(x: np.ndarray, axis: int | None, ascending: bool) -> list[np.ndarray]:
    y, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.reshape(-1)
    if not ascending:
        order = np.argsort(first)
        y, first, counts = np.take(y, order, axis or 0), first[order], counts[order]
        inverse = np.argsort(order)[inverse]
    return [y, first, inverse, counts]


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8, np.bool_])
def test_unique(run: Run, dtype: Any, ascending: bool):
    cases = [(RNG.integers(-90, 90, 500), None), (RNG.integers(0, 2, (2, 3)), None), (np.zeros(0), None)]
    cases.append((RNG.integers(0, 2, (2, 12, 2)), 1))
    for x, axis in cases:
        attributes = {"sorted": int(ascending)} | ({} if axis is None else {"axis": axis})
        found = run("Unique", x.astype(dtype), open_dims=True, outputs=4, **attributes)
        for part, expected in zip(found, _unique(x.astype(dtype), axis, ascending), strict=True):
            np.testing.assert_array_equal(part, expected)


def test_unique_takes_nan_once(run: Run):
    x = np.array([np.nan, 1, np.nan, -np.inf, 1], np.float32)
    np.testing.assert_array_equal(run("Unique", x), np.array([-np.inf, 1, np.nan], np.float32))
    assert run("Unique", np.array([0.0, -0.0, 0.0], np.float32)).size == 1


@pytest.mark.parametrize("largest", [1, 0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32, np.uint8, np.int64])
def test_top_k(run: Run, dtype: Any, largest: int):
    x = RNG.integers(0, 12, (3, 30, 2)).astype(dtype)
    order = np.argsort(x.astype(np.float64) * (-1 if largest else 1), axis=1, kind="stable")
    for k in (0, 1, 2, 11, 30):
        values, places = run("TopK", x, np.array([k]), open_dims=(0,), outputs=2, axis=1, largest=largest)
        np.testing.assert_array_equal(places, order[:, :k])
        np.testing.assert_array_equal(values, np.take_along_axis(x, order[:, :k], 1))


@pytest.mark.parametrize("largest", [1, 0])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.uint8])
def test_top_k_of_long_rows(run: Run, dtype: Any, largest: int):
    """Rows that are searched by columns first; some have more that are equal, or NaN, than are asked for."""
    x = RNG.integers(0, 200, (5, 1001)).astype(dtype)
    x[1, 7:], x[2] = 3, np.sort(x[2])
    if np.issubdtype(dtype, np.floating):
        x[3, ::50], x[4] = np.nan, np.nan
    keys = np.nan_to_num(x.astype(np.float64), nan=1e9) * (-1 if largest else 1)
    for k in (1, 10, 33):
        values, places = run("TopK", x, np.array([k]), outputs=2, largest=largest)
        np.testing.assert_array_equal(places, np.argsort(keys, 1, kind="stable")[:, :k])
        np.testing.assert_array_equal(values, np.take_along_axis(x, places, 1))


def test_top_k_of_nan_and_too_many(run: Run):
    x = np.array([1, np.nan, np.inf, np.nan, -5], np.float32)
    assert list(run("TopK", x, np.array([4]), outputs=2)[1]) == [1, 3, 2, 0]
    assert list(run("TopK", x, np.array([4]), outputs=2, largest=0)[1]) == [4, 0, 2, 1]
    for k in (6, -1):
        with pytest.raises(IntaglioError, match="ITG50"):
            run("TopK", x, np.array([k]), open_dims=(0,), outputs=2)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def _suppress(boxes: np.ndarray, scores: np.ndarray, limit: int, iou: float, threshold: float) -> list[tuple[int, int, int]]:
    rows: list[tuple[int, int, int]] = []
    for n in range(scores.shape[0]):
        for c in range(scores.shape[1]):
            chosen: list[int] = []
            for s in np.argsort(-scores[n, c], kind="stable"):
                if len(chosen) < limit and scores[n, c, s] > threshold and all(_overlap(boxes[n, s], boxes[n, t]) <= iou for t in chosen):
                    chosen.append(int(s))
            rows += [(n, c, s) for s in chosen]
    return rows


@pytest.mark.parametrize(("limit", "iou", "threshold"), [(5, 0.3, 0.1), (100, 0.5, 0.6), (0, 0.5, 0.0), (3, 0.0, 2.0)])
def test_non_max_suppression(run: Run, limit: int, iou: float, threshold: float):
    corner, size = RNG.random((2, 90, 2)), 0.05 + RNG.random((2, 90, 2)) / 8
    boxes, scores = np.concatenate([corner, corner + size], 2).astype(np.float32), RNG.random((2, 3, 90)).astype(np.float32).round(1)
    expected = np.array(_suppress(boxes, scores, limit, iou, threshold), np.int64).reshape(-1, 3)
    parameters = (np.array([limit]), np.array([iou], np.float32), np.array([threshold], np.float32))
    flipped = boxes[..., [2, 1, 0, 3]]
    centred = np.concatenate([(corner + size / 2)[..., ::-1], size[..., ::-1]], 2).astype(np.float32)
    for constants in ((), (2,)):
        np.testing.assert_array_equal(run("NonMaxSuppression", boxes, scores, *parameters, open_dims=(0, 1), constants=constants), expected)
    np.testing.assert_array_equal(run("NonMaxSuppression", flipped, scores, *parameters), expected)
    found = run("NonMaxSuppression", centred, scores, *parameters, center_point_box=1)
    assert found.shape == expected.shape


def test_non_max_suppression_without_limits(run: Run):
    boxes, scores = np.array([[[0, 0, 1, 1], [2, 2, 3, 3]]], np.float32), np.array([[[0.5, 0.9]]], np.float32)
    assert run("NonMaxSuppression", boxes, scores).shape == (0, 3)
    assert list(run("NonMaxSuppression", boxes, scores, np.array([9]))[:, 2]) == [1, 0]
