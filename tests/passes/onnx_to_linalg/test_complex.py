"""Complex elements, which ONNX moves and finds but does not compute with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import intaglio
import numpy as np
import pytest

Run = Callable[..., Any]
TYPES = [np.complex64, np.complex128]


def numbers(dtype: type, *shape: int) -> np.ndarray:
    count = int(np.prod(shape))
    return (np.arange(count) % 5 - 1j * (np.arange(count) % 3)).astype(dtype).reshape(shape)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("open_dims", [False, [0]])
def test_moved(dtype: type, open_dims: bool | list[int], run: Run) -> None:
    x, i64 = numbers(dtype, 3, 4), np.int64
    for op, others, attributes, expected in (
        ("Transpose", [], {"perm": [1, 0]}, x.T),
        ("Gather", [np.array([2, 0])], {"axis": 0}, x[[2, 0]]),
        ("Pad", [np.array([1, 0, 0, 2], i64)], {}, np.pad(x, [(1, 0), (0, 2)])),
        ("Slice", [np.array([1], i64), np.array([9], i64)], {}, x[1:]),
        ("Tile", [np.array([2, 1], i64)], {}, np.tile(x, (2, 1))),
        ("Concat", [x], {"axis": 0}, np.concatenate([x, x])),
        ("ScatterND", [np.array([[1]], i64), x[:1]], {}, np.stack([x[0], x[0], x[2]])),
        ("Trilu", [], {"upper": 0}, np.tril(x)),
    ):
        constants = [n + 1 for n, other in enumerate(others) if other.dtype == i64]
        np.testing.assert_array_equal(run(op, x, *others, open_dims=open_dims, constants=constants, **attributes), expected, op)


@pytest.mark.parametrize("dtype", TYPES)
def test_zero_is_zero_of_either_sign(dtype: type, run: Run) -> None:
    x = np.array([0, complex(-0.0, 0.0), complex(0.0, -0.0), 1, 1j, complex(np.nan, 0)], dtype)
    np.testing.assert_array_equal(run("NonZero", x), [[3, 4, 5]])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_distinct(dtype: type, axis: int | None, run: Run) -> None:
    x = numbers(dtype, 15, 2)
    x = np.concatenate([x, -x, x[::2]])
    found = run("Unique", x, outputs=4, **({} if axis is None else {"axis": axis}))
    for got, want in zip(found, np.unique(x, True, True, True, axis=axis), strict=True):
        np.testing.assert_array_equal(got.reshape(-1), want.reshape(-1))


def test_lies_as_two_doubles_do(run: Run) -> None:
    """At an address that is no multiple of 16."""
    room = np.zeros(9, np.float64)
    x = room[1:].view(np.complex128) if room.ctypes.data % 16 == 0 else room[:8].view(np.complex128)
    x[:] = numbers(np.complex128, 4)
    np.testing.assert_array_equal(run("Transpose", x.reshape(2, 2), perm=[1, 0]), x.reshape(2, 2).T)


def test_sums_are_refused(run: Run) -> None:
    x = numbers(np.complex64, 3, 4)
    with pytest.raises(intaglio.IntaglioError, match="ITG3004"):
        run("ScatterND", x, np.array([[1]]), x[:1], reduction="add")
