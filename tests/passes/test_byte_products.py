"""Products of bytes against numpy's of integers: every type, zero point, size and processor gives the same, exactly."""

from __future__ import annotations

from typing import Any

import intaglio
import numpy as np
import pytest
from intaglio.backends.target import host_target

onnx = pytest.importorskip("onnx")

from onnx import helper, numpy_helper  # noqa: E402

CPUS = [c for c in ("host", "x86-64-v3", "x86-64") if c == "host" or host_target().triple.startswith("x86_64")]
BYTES = [np.uint8, np.int8]


def draw(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def session(
    op: str, feeds: dict[str, np.ndarray], constants: dict[str, np.ndarray], cpu: str = "host", dims: Any = None, **attributes: Any
) -> Any:
    """One operator on its inputs in the order a, b, p, q, as far as they are given."""
    given = feeds | constants
    names = [n if n in given else "" for n in "abpq"]
    ports = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), (dims or {}).get(n, x.shape)) for n, x in feeds.items()
    ]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)],
        "bytes",
        ports,
        [helper.make_tensor_value_info("y", onnx.TensorProto.INT32, None)],
        [numpy_helper.from_array(x, n) for n, x in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    return intaglio.compile(model, cpu=cpu, opt_level=1).session()


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("right", BYTES)
@pytest.mark.parametrize("left", BYTES)
def test_types_and_zero_points(left: Any, right: Any, constant: bool, cpu: str) -> None:
    a, b, p, q = draw((17, 70), left), draw((70, 37), right, 1), draw((17,), left, 2), draw((37,), right, 3)
    weights = {"b": b, "q": q} if constant else {}
    feeds = {"a": a, "p": p} | ({} if constant else {"b": b, "q": q})
    (got,) = session("MatMulInteger", feeds, weights, cpu).run(None, feeds)
    np.testing.assert_array_equal(got, (a.astype(int) - p[:, None].astype(int)) @ (b.astype(int) - q.astype(int)))


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 1), (1, 1)),
        ((1, 64), (64, 100)),
        ((5, 3), (3, 7)),
        ((15, 100), (100, 33)),
        ((29, 1024), (1024, 16)),
        ((3, 0), (0, 2)),
        ((0, 4), (4, 2)),
        ((3, 1, 5, 20), (1, 2, 20, 9)),
        ((2, 1, 5, 20), (20, 9)),
        ((20,), (20, 9)),
        ((5, 20), (20,)),
        ((2, 5, 7), (7,)),
    ],
    ids=str,
)
def test_sizes(left: tuple[int, ...], right: tuple[int, ...], constant: bool) -> None:
    a, b, p = draw(left, np.uint8), draw(right, np.int8, 1), np.array(200, np.uint8)
    feeds = {"a": a, "p": p} | ({} if constant else {"b": b})
    (got,) = session("MatMulInteger", feeds, {"b": b} if constant else {}).run(None, feeds)
    np.testing.assert_array_equal(got, np.matmul(a.astype(int) - 200, b.astype(int)))


@pytest.mark.parametrize("zero", [None, 128, 130])
def test_unsigned_weights(zero: int | None) -> None:
    """Those that are signed bytes once less their zero point, and those that are not."""
    a, b = draw((9, 24), np.int8), draw((24, 20), np.uint8, 1)
    constants = {"b": b} | ({} if zero is None else {"q": np.array(zero, np.uint8)})
    (got,) = session("MatMulInteger", {"a": a}, constants).run(None, {"a": a})
    np.testing.assert_array_equal(got, a.astype(int) @ (b.astype(int) - (zero or 0)))


def test_open_dimensions() -> None:
    a, b, p = draw((2, 3), np.uint8), draw((3, 4), np.int8), np.array(3, np.uint8)
    run = session("MatMulInteger", {"a": a, "b": b, "p": p}, {}, dims={"a": ("M", "K"), "b": ("K", "N")}).run
    for m, k, n in [(1, 1, 1), (1, 40, 3), (13, 14, 15), (14, 16, 32), (31, 33, 65), (2, 0, 3), (0, 3, 2), (64, 5, 1)]:
        a, b = draw((m, k), np.uint8), draw((k, n), np.int8, 1)
        np.testing.assert_array_equal(run(None, {"a": a, "b": b, "p": p})[0], (a.astype(int) - 3) @ b.astype(int))


def test_sums_wrap_around() -> None:
    depth = 1 << 18
    a, b = np.full((1, depth), 255, np.uint8), np.full((depth, 1), -128, np.int8)
    (got,) = session("MatMulInteger", {"a": a, "b": b}, {}).run(None, {"a": a, "b": b})
    assert got.item() == np.int64(-255 * 128 * depth).astype(np.int32)
