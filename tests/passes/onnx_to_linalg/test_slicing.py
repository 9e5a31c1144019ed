"""Joining, cutting, padding and rearranging against numpy, with sizes and parameters that only the run knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from intaglio.errors import IntaglioError

Run = Callable[..., Any]
X = np.arange(24, dtype=np.float32).reshape(4, 6)
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.uint64, np.bool_])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat(run: Run, dtype: Any, axis: int):
    parts = [np.arange(2 * n * 3).reshape(2, n, 3).astype(dtype) if axis == 1 else np.full((2, 2, 3), n).astype(dtype) for n in range(4)]
    for open_dims in (False, True):
        np.testing.assert_array_equal(run("Concat", *parts, open_dims=open_dims, axis=axis), np.concatenate(parts, axis))


def test_concat_of_many_and_of_one(run: Run):
    parts = [np.full((3, n % 3), n, np.int32) for n in range(21)]
    np.testing.assert_array_equal(run("Concat", *parts, axis=1), np.concatenate(parts, 1))
    np.testing.assert_array_equal(run("Concat", X, axis=0), X)


def test_split(run: Run):
    for sizes in ((2, 4), (0, 6)):
        for constants in ((), (1,)):
            found = run("Split", X, np.array(sizes), open_dims=() if constants else (0,), outputs=2, constants=constants, axis=1)
            for part, expected in zip(found, np.split(X, [sizes[0]], 1), strict=True):
                np.testing.assert_array_equal(part, expected)
    assert [p.shape for p in run("Split", X, open_dims=(0,), outputs=4, axis=-1, num_outputs=4)] == [(4, 2), (4, 2), (4, 2), (4, 0)]
    with pytest.raises(IntaglioError, match="ITG50"):
        run("Split", X[:, :5], open_dims=(0,), outputs=4, axis=-1, num_outputs=4)
    with pytest.raises(IntaglioError, match="ITG5002"):
        run("Split", X, np.array([1, 1]), outputs=2, axis=1)
    with pytest.raises(IntaglioError, match="ITG5004"):
        run("Split", X, np.array([-1, 7]), outputs=2, axis=1)


bounds = st.sampled_from([-(2**63), -9, -6, -3, -1, 0, 1, 2, 5, 6, 9, 2**63 - 1])
steps = st.sampled_from([1, 2, 3, -1, -2, -7])


def _positions(size: int, start: int, end: int, step: int) -> list[int]:
    """As the specification clamps them: unlike numpy, a start far before the first element is the first when walking backwards."""
    start, end = (p + size if p < 0 else p for p in (start, end))
    if step > 0:
        return list(range(min(max(start, 0), size), min(max(end, 0), size), step))
    return list(range(min(max(start, 0), size - 1), min(max(end, -1), size - 1), step))


@FEW
@given(st.lists(st.tuples(bounds, bounds, steps), min_size=2, max_size=2))
@example([(-(2**63), -(2**63), 1), (-(2**63), 5, 1)])
@pytest.mark.parametrize("constants", [(1, 2, 3, 4), (3,), (3, 4), ()])
def test_slice(run: Run, constants: tuple[int, ...], cuts: list[tuple[int, int, int]]):
    starts, ends, strides = (np.array(v) for v in zip(*cuts, strict=True))
    found = run("Slice", X, starts, ends, np.array([1, 0]), strides, open_dims=(0,), constants=constants)
    columns, rows = (_positions(size, *cut) for cut, size in zip(cuts, (6, 4), strict=True))
    np.testing.assert_array_equal(found, X[np.ix_(rows, columns)])


def test_slice_by_zero(run: Run):
    one = np.array([1])
    for constants in ((3,), ()):
        with pytest.raises(IntaglioError, match="ITG5004"):
            run("Slice", X, one, one, one, 0 * one, constants=constants)
    with pytest.raises(IntaglioError, match="ITG5001"):
        run("Slice", X, one, one, 5 * one)


PADS = [(1, 2, 0, 1), (0, 3, 1, 3), (2, 0, 0, 0), (0, 0, 0, 5)]


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@pytest.mark.parametrize("pads", PADS)
def test_pad(run: Run, mode: str, pads: tuple[int, ...]):
    expected = np.pad(X, list(zip(pads[:2], pads[2:], strict=True)), mode)  # pyright: ignore[reportCallIssue, reportArgumentType]
    for constants in ((), (1,)):
        found = run("Pad", X, np.array(pads), open_dims=(0,), constants=constants, mode=mode)
        np.testing.assert_array_equal(found, expected)


def test_pad_cuts_off(run: Run):
    pads = np.array([-1, 1, 2, -2])
    expected = np.pad(X, [(0, 2), (1, 0)])[1:, :-2]
    for constants in ((), (1,)):
        np.testing.assert_array_equal(run("Pad", X, pads, open_dims=(0,), constants=constants), expected)
    whole = run("Pad", X, np.array([0, 0, -4, 0]))
    assert whole.shape == (0, 6)
    with pytest.raises(IntaglioError, match="ITG5004"):
        run("Pad", X, np.array([0, 0, -5, 0]), open_dims=(0,))


def test_pad_of_nothing(run: Run):
    nothing = np.zeros((0, 3), np.int8)
    np.testing.assert_array_equal(run("Pad", nothing, np.array([1, 0, 1, 1]), np.array(7, np.int8)), np.full((2, 4), 7))
    with pytest.raises(IntaglioError, match="ITG5020"):
        run("Pad", nothing, np.array([1, 0, 1, 1]), open_dims=(0,), mode="edge")


def test_pad_axes_of_the_run(run: Run):
    for mode in ("constant", "reflect"):
        found = run("Pad", X, np.array([1, 0, 2, 3]), None, np.array([-1, 0]), open_dims=(0,), mode=mode)
        np.testing.assert_array_equal(found, np.pad(X, [(0, 3), (1, 2)], mode))
    with pytest.raises(IntaglioError, match="ITG5030"):
        run("Pad", X, np.array([1, 0, 2, 3]), None, np.array([-1, 1]))


def test_pad_axes_and_types(run: Run):
    x = np.array([[True, False], [True, True]])
    found = run("Pad", x, np.array([1, 0]), np.array(True), np.array([-1]), constants=(3,))
    np.testing.assert_array_equal(found, np.pad(x, [(0, 0), (1, 0)], constant_values=True))


@pytest.mark.parametrize("repeats", [(1, 1), (2, 3), (0, 2), (4, 1)])
def test_tile(run: Run, repeats: tuple[int, ...]):
    for constants in ((), (1,)):
        np.testing.assert_array_equal(run("Tile", X, np.array(repeats), open_dims=(0,), constants=constants), np.tile(X, repeats))
    with pytest.raises(IntaglioError, match="ITG5004"):
        run("Tile", X, np.array([1, -1]))


def _center(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    for axis, size in enumerate(shape):
        old = x.shape[axis]
        if size < old:
            x = np.take(x, range((old - size) // 2, (old - size) // 2 + size), axis)
        else:
            before = (size - old) // 2
            x = np.pad(x, [(before, size - old - before) if a == axis else (0, 0) for a in range(x.ndim)])
    return x


@pytest.mark.parametrize("shape", [(4, 6), (3, 9), (7, 1), (0, 6)])
def test_center_crop_pad(run: Run, shape: tuple[int, ...]):
    for constants in ((), (1,)):
        found = run("CenterCropPad", X, np.array(shape), open_dims=() if constants else (0,), constants=constants)
        np.testing.assert_array_equal(found, _center(X, shape))


@pytest.mark.parametrize("k", [-9, -1, 0, 2, 9])
def test_trilu(run: Run, k: int):
    np.testing.assert_array_equal(run("Trilu", X, np.array(k), open_dims=True), np.triu(X, k))
    np.testing.assert_array_equal(run("Trilu", X, np.array([k]), constants=(1,), upper=0), np.tril(X, k))


def test_blocks_of_open_size(run: Run):
    x = np.arange(2 * 8 * 3 * 2, dtype=np.int16).reshape(2, 8, 3, 2)
    for mode in ("DCR", "CRD"):
        y = run("DepthToSpace", x, open_dims=True, blocksize=2, mode=mode)
        assert y.shape == (2, 2, 6, 4)
        np.testing.assert_array_equal(run("SpaceToDepth", y, open_dims=True, blocksize=2, mode=mode), x)
    with pytest.raises(IntaglioError, match="ITG5004"):
        run("DepthToSpace", x[:, :7], open_dims=True, blocksize=2)


def test_reverse_sequence(run: Run):
    x = np.arange(24).reshape(4, 3, 2)
    found = run("ReverseSequence", x, np.array([0, 2, 4]), open_dims=True)
    expected = x.copy()
    expected[:2, 1], expected[:, 2] = x[1::-1, 1], x[::-1, 2]
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(IntaglioError, match="ITG5001"):
        run("ReverseSequence", x, np.array([0, 2, 5]), open_dims=True)
