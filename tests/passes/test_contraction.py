"""Matrix products against numpy over odd sizes, types, broadcast batches and open dimensions; and the register tile's arithmetic."""

from __future__ import annotations

import itertools
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from intaglio.passes.codegen.tiles import best_plane, best_rows, best_vectors, even_rows, rows_beside  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

TYPES: dict[str, tuple[Any, float]] = {
    "float": (np.float32, 1e-6),
    "double": (np.float64, 1e-15),
    "float16": (np.float16, 1e-3),
    "bfloat16": (ml_dtypes.bfloat16, 8e-3),
}
"""ONNX's name -> (dtype, one rounding of a result). Accumulators are at least float32."""

Dims = tuple["int | str", ...]


def session(a: Dims, b: Dims, type: str = "float", constant: np.ndarray | None = None) -> intaglio.InferenceSession:
    number = helper.np_dtype_to_tensor_dtype(np.dtype(TYPES[type][0]))
    inputs = [helper.make_tensor_value_info("a", number, a)]
    if constant is None:
        inputs.append(helper.make_tensor_value_info("b", number, b))
    output = helper.make_tensor_value_info("y", number, None)
    constants = [numpy_helper.from_array(constant, "b")] if constant is not None else []
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["y"])], "product", inputs, [output], constants)
    return intaglio.InferenceSession(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10), opt_level=1)


def draw(shape: tuple[int, ...], type: str = "float", seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).uniform(-1, 1, shape)).astype(TYPES[type][0])


def check(got: np.ndarray, a: np.ndarray, b: np.ndarray, type: str = "float") -> None:
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    expected, scale = np.matmul(wide_a, wide_b), np.matmul(np.abs(wide_a), np.abs(wide_b))
    assert got.dtype == a.dtype and got.shape == expected.shape
    unit = TYPES[type][1]
    # Rounding of each product and partial sum in the accumulator, then once in the result.
    within = unit * np.abs(expected) + (1e-15 if type == "double" else 1e-6) * (scale + 1) * max(1, a.shape[-1]) ** 0.5
    assert np.all(np.abs(got.astype(np.float64) - expected) <= within), np.max(np.abs(got.astype(np.float64) - expected) - within)


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [(1, 1, 1), (1, 37, 1), (1, 64, 100), (5, 1, 7), (15, 17, 33), (29, 16, 32), (3, 5, 1), (40, 48, 16)],
)
def test_sizes(m: int, k: int, n: int, type: str) -> None:
    a, b = draw((m, k), type), draw((k, n), type, 1)
    check(session(a.shape, b.shape, type).run(None, {"a": a, "b": b})[0], a, b, type)


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize(("m", "k", "n"), [(1, 37, 50), (17, 20, 33), (16, 32, 64), (19, 40, 83), (10, 16, 96)])
def test_constant_right_operand(m: int, k: int, n: int, type: str) -> None:
    a, b = draw((m, k), type), draw((k, n), type, 1)
    check(session(a.shape, b.shape, type, b).run(None, {"a": a})[0], a, b, type)


@pytest.mark.parametrize(("m", "k", "n"), [(3, 0, 5), (0, 4, 5), (3, 4, 0)])
def test_empty(m: int, k: int, n: int) -> None:
    a, b = draw((m, k)), draw((k, n))
    (got,) = session(a.shape, b.shape).run(None, {"a": a, "b": b})
    assert got.shape == (m, n) and not got.any()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 5, 7), (2, 7, 9)),
        ((2, 5, 7), (7, 9)),
        ((5, 7), (2, 7, 9)),
        ((3, 1, 5, 7), (1, 2, 7, 9)),
        ((2, 1, 5, 20), (20, 9)),
        ((7,), (7, 9)),
        ((5, 7), (7,)),
        ((7,), (7,)),
        ((2, 5, 7), (7,)),
    ],
)
def test_batches(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = draw(left), draw(right, seed=1)
    check(session(left, right).run(None, {"a": a, "b": b})[0], a, b)


@pytest.mark.parametrize("type", ["float", "double"])
def test_open_dimensions(type: str) -> None:
    run = session(("M", "K"), ("K", "N"), type).run
    for m, k, n in [(1, 1, 1), (1, 40, 3), (13, 14, 15), (14, 16, 32), (31, 33, 65), (2, 0, 3), (0, 3, 2), (64, 5, 1)]:
        a, b = draw((m, k), type), draw((k, n), type, 1)
        check(run(None, {"a": a, "b": b})[0], a, b, type)


def test_open_batch() -> None:
    run = session(("B", "M", 24), ("B", 24, "N")).run
    for batch, m, n in [(1, 1, 1), (2, 17, 33), (3, 5, 16), (0, 2, 2)]:
        a, b = draw((batch, m, 24)), draw((batch, 24, n), seed=1)
        check(run(None, {"a": a, "b": b})[0], a, b)


def test_open_rows_with_a_constant() -> None:
    b = draw((40, 50), seed=1)
    run = session(("M", 40), (40, 50), constant=b).run
    for m in (0, 1, 2, 3, 4, 5, 13, 14, 15, 27, 28, 29):
        a = draw((m, 40))
        check(run(None, {"a": a})[0], a, b)


# -- what is fused into the store


@pytest.mark.parametrize("lead", [(1, 5), (2, 3), (4, 1), (5,), (1, 1), (2, 1, 3)], ids=str)
def test_any_broadcast_operand(lead: tuple[int, ...]) -> None:
    x, w = draw((*lead, 20)), draw((20, 33), seed=1)
    full = (*lead, 33)
    shapes = [s for n in range(len(full) + 1) for s in itertools.product(*({1, d} for d in full[n:]))]
    extras = [draw(shape, seed=2 + n) for n, shape in enumerate(shapes)]
    expected = np.matmul(x, w)
    for extra in extras:
        names = helper.make_tensor_value_info("x", 1, x.shape), helper.make_tensor_value_info("r", 1, extra.shape)
        nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Sub", ["r", "m"], ["y"])]
        output = helper.make_tensor_value_info("y", 1, full)
        graph = helper.make_graph(nodes, "store", names, [output], [numpy_helper.from_array(w, "w")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
        (got,) = intaglio.InferenceSession(model, opt_level=0).run(None, {"x": x, "r": extra})
        np.testing.assert_allclose(got, extra - expected, rtol=1e-5, atol=1e-5, err_msg=str(extra.shape))


# -- the register tile


@given(st.integers(1, 400), st.integers(1, 30))
def test_rows_cover(m: int, most: int) -> None:
    rows = best_rows(m, most)
    assert 1 <= rows <= min(m, most)
    assert rows >= min(m, max(1, most // 2))


def test_rows_divide_where_they_can() -> None:
    assert [best_rows(m, 14) for m in (1, 14, 28, 15, 16)] == [1, 14, 14, 8, 8]


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30))
def test_planes_fit(height: int, width: int, most: int) -> None:
    rows, columns = best_plane(height, width, most)
    assert 1 <= rows <= height and 1 <= columns <= width and rows * columns <= most


def test_small_planes_are_taken_across_rows() -> None:
    for height, width in itertools.product((7, 14, 28, 56), repeat=2):
        rows, columns = best_plane(height, width, 14)
        steps = -(-height // rows) * -(-width // columns)
        assert steps * rows * columns <= 1.2 * height * width


def test_one_reduced_element_under_open_batches() -> None:
    """Where the batches must be found to be equal or 1 only at run time, the reduced dimension is padded nonetheless."""
    a, b = draw((2, 3, 1), seed=1), draw((2, 1, 4), seed=2)
    check(session(["p", "m", "k"], ["q", "k", "n"]).run(None, {"a": a, "b": b})[0], a, b)


def test_tiles_of_more_vectors_have_fewer_rows() -> None:
    assert [rows_beside(14, vectors) for vectors in (0, 1, 2)] == [14, 14, 14]
    assert [rows_beside(12, 4), rows_beside(6, 4), rows_beside(4, 4), rows_beside(4, 20)] == [6, 2, 2, 1]
    assert [rows_beside(most, 2) for most in (14, 12, 6, 4)] == [14, 12, 6, 4]


def test_panels_are_as_wide_as_suits_the_columns() -> None:
    assert [best_vectors(197, n, 14, (1, 2, 3)) for n in (1, 2, 3, 4, 48)] == [1, 2, 3, 2, 3]
    assert [rows_beside(14, 3), best_rows(197, 9)] == [9, 9]


def test_sums_of_products_call_no_library_where_nothing_is_fused() -> None:
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (9, 9)) for name in ("a", "b", "y")]
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["y"])], "product", values[:2], values[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    assert b"fmaf" not in intaglio.compile(model, cpu="x86-64", opt_level=1).core.object


def test_long_rows_go_by_in_stretches() -> None:
    """Packed rows of 1024 elements, more than stay in L2 beside a panel, whose number no stretch divides."""
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("y",)]
    b, a = draw((1024, 40), seed=1), draw((151, 1024))
    nodes = [helper.make_node("Relu", ["a"], ["r"]), helper.make_node("MatMul", ["r", "b"], ["y"])]
    x = helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, a.shape)
    graph = helper.make_graph(nodes, "product", [x], values, [numpy_helper.from_array(b, "b")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    (got,) = intaglio.InferenceSession(model, opt_level=1).run(None, {"a": a})
    check(got, np.maximum(a, 0), b)


@pytest.mark.parametrize("plane", [(131, 57), (150, 7)])
@pytest.mark.parametrize(("taps", "stride"), [(1, 1), (3, 2)])
def test_large_planes_are_computed_in_parts(plane: tuple[int, int], taps: int, stride: int) -> None:
    """The last part being smaller; by one thread and by several."""
    x, w = draw((1, 20, *plane)), draw((50, 20, taps, taps), seed=1)
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[stride, stride])
    mean = helper.make_node("GlobalAveragePool", ["y"], ["mean"])  # else it stays in ONNX's layout
    ports = [helper.make_tensor_value_info(name, 1, shape) for name, shape in (("x", x.shape), ("y", None), ("mean", None))]
    graph = helper.make_graph([node, mean], "conv", ports[:1], ports[1:], [numpy_helper.from_array(w, "w")])
    program = intaglio.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10), cache=False)
    one, more = (program.session(num_threads=n).run(None, {"x": x})[0] for n in (1, 3))
    np.testing.assert_array_equal(one, more)
    high, wide = ((d - taps) // stride + 1 for d in plane)
    ends = (stride * (high - 1) + 1, stride * (wide - 1) + 1)
    windows = [x[:, :, i : i + ends[0] : stride, j : j + ends[1] : stride] for i in range(taps) for j in range(taps)]
    wanted = sum(np.einsum("nchw,kc->nkhw", v, w[:, :, n // taps, n % taps]) for n, v in enumerate(windows))
    np.testing.assert_allclose(one, wanted, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 5), (4, 33), (23, 50), (9, 48)])
def test_functions_of_products_go_by_rows(shape: tuple[int, int]) -> None:
    """Whole panels of columns and parts of them, tiles of one row and of several."""
    m, n = shape
    x, w = (np.random.default_rng(seed).standard_normal(s).astype(np.float32) for seed, s in enumerate([(m, 20), (20, n)]))
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["p"]), onnx.helper.make_node("Gelu", ["p"], ["y"])]
    inputs = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)]
    outputs = [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
    graph = onnx.helper.make_graph(nodes, "gelu", inputs, outputs, [onnx.numpy_helper.from_array(w, "w")])
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 24)], ir_version=10)
    (got,) = intaglio.InferenceSession(proto, opt_level=1).run(None, {"x": x})
    p = x.astype(np.float64) @ w
    np.testing.assert_allclose(got, p * np.vectorize(math.erfc)(-p / math.sqrt(2)) / 2, rtol=1e-5, atol=1e-5)


@given(st.integers(0, 300), st.integers(1, 14))
def test_even_tiles_cover_the_rows_once(m: int, most: int) -> None:
    rows = even_rows(m, most)
    if rows:
        count = -(-m // rows)
        longer = m - count * (rows - 1)
        assert 1 < rows <= most and 0 < longer < count
    assert [even_rows(m, 14) for m in (0, 14, 28, 49, 196)] == [0, 0, 0, 13, 0]


@pytest.mark.parametrize("m", [5, 13, 20, 56, 57, 128])
def test_rows_of_open_number_are_shared_evenly(m: int) -> None:
    b = draw((40, 100), seed=1)
    found = session(("M", 40), (40, 100), constant=b)
    a = draw((m, 40), seed=2)
    check(found.run(None, {"a": a})[0], a, b)
