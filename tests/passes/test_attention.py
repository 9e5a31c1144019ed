"""Attention as one kernel against its formula in float64: odd sizes, several blocks of keys, biases, rows that see nothing, open sizes."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from intaglio.compiler.lowering import level_text  # noqa: E402
from intaglio.compiler.options import Options  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

Shape = tuple["int | str", ...]


def model(q: Shape, k: Shape, v: Shape, bias: Shape | None, *, cleaned: bool = False) -> onnx.ModelProto:
    """Scores of q k' / 2 + bias, spelt out as exporters do; `cleaned`: weights that are not numbers become zeros."""
    constants = [numpy_helper.from_array(np.float32(n), name) for n, name in ((2, "two"), (0, "zero"))]
    nodes = [
        helper.make_node("Transpose", ["k"], ["turned"], perm=[*range(len(k) - 2), len(k) - 1, len(k) - 2]),
        helper.make_node("MatMul", ["q", "turned"], ["product"]),
        helper.make_node("Div", ["product", "two"], ["scaled"]),
        helper.make_node("Add", ["bias", "scaled"], ["biased"]),
        helper.make_node("Softmax", ["biased" if bias is not None else "scaled"], ["weights"]),
        helper.make_node("IsNaN", ["weights"], ["unknown"]),
        helper.make_node("Where", ["unknown", "zero", "weights"], ["clean"]),
        helper.make_node("MatMul", ["clean" if cleaned else "weights", "v"], ["y"]),
    ]
    nodes = [n for n in nodes if (bias is not None or n.op_type != "Add") and (cleaned or n.op_type not in ("IsNaN", "Where"))]
    given = {"q": q, "k": k, "v": v, **({} if bias is None else {"bias": bias})}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in given.items()]
    graph = helper.make_graph(nodes, "attention", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)


def session(*shapes: Shape | None, cpu: str = "host", **options: bool) -> intaglio.InferenceSession:
    return intaglio.InferenceSession(model(*shapes, **options), opt_level=1, cpu=cpu)  # type: ignore[arg-type]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, bias: np.ndarray | float = 0) -> np.ndarray:
    scores = q.astype(np.float64) @ np.swapaxes(k.astype(np.float64), -1, -2) / 2 + bias
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True) @ v



@pytest.mark.parametrize(
    ("m", "n", "depth", "features"),
    [(4, 1, 1, 1), (14, 32, 16, 32), (15, 33, 17, 33), (29, 256, 8, 64), (30, 257, 40, 7), (5, 700, 64, 100)],
)
def test_sizes(m: int, n: int, depth: int, features: int) -> None:
    q, k, v = draw(2, m, depth), draw(2, n, depth, seed=1), draw(2, n, features, seed=2)
    (got,) = session(q.shape, k.shape, v.shape, None).run(None, {"q": q, "k": k, "v": v})
    np.testing.assert_allclose(got, attend(q, k, v), rtol=2e-5, atol=2e-6)


def test_open_sizes() -> None:
    run = session(("b", "m", 9), ("b", "n", 9), ("b", "n", 20), ("m", "n"))
    for b, m, n in [(1, 1, 1), (2, 3, 40), (1, 6, 300), (2, 40, 513), (1, 0, 3), (0, 5, 3)]:
        q, k, v, bias = draw(b, m, 9), draw(b, n, 9, seed=1), draw(b, n, 20, seed=2), draw(m, n, seed=3)
        (got,) = run.run(None, {"q": q, "k": k, "v": v, "bias": bias})
        np.testing.assert_allclose(got, attend(q, k, v, bias), rtol=2e-5, atol=2e-6)
    (got,) = run.run(None, {"q": draw(1, 5, 9), "k": draw(1, 0, 9), "v": draw(1, 0, 20), "bias": draw(5, 0)})
    assert got.shape == (1, 5, 20) and not got.any()


@pytest.mark.parametrize("bias", [(3, 2, 20, 35), (2, 1, 1), (1, 20, 1), (35,), (3, 1, 1, 35)])
def test_biases_and_batches_repeat(bias: tuple[int, ...]) -> None:
    q, k, v = draw(3, 2, 20, 12), draw(3, 1, 35, 12, seed=1), draw(1, 2, 35, 16, seed=2)
    extra = draw(*bias, seed=3) * 30
    (got,) = session(q.shape, k.shape, v.shape, bias).run(None, {"q": q, "k": k, "v": v, "bias": extra})
    np.testing.assert_allclose(got, attend(q, k, v, extra), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(("windows", "heads"), [((1, 4), 3), ((2, 4), 3), ((2, 1), 1)])
def test_masks_of_windows(windows: tuple[int, int], heads: int) -> None:
    """Scores (images * windows, heads, m, n), viewed as (images, windows, heads, m, n) while a mask of each window is added."""
    images, count = windows
    total, m, n, depth = images * count, 9, 35, 8
    q, k, v = draw(total, heads, m, depth), draw(total, heads, depth, n, seed=1), draw(total, heads, n, depth, seed=2)
    bias, mask = draw(1, heads, m, n, seed=3), draw(1, count, 1, m, n, seed=4)
    constants = {"half": np.float32(0.5), "split": np.array([-1, count, heads, m, n]), "joined": np.array([-1, heads, m, n])}
    nodes = [
        helper.make_node("Mul", ["q", "half"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "k"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["biased"]),
        helper.make_node("Reshape", ["biased", "split"], ["windows"]),
        helper.make_node("Add", ["windows", "mask"], ["masked"]),
        helper.make_node("Reshape", ["masked", "joined"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"]),
        helper.make_node("MatMul", ["weights", "v"], ["y"]),
    ]
    feeds = {"q": q, "k": k, "v": v, "bias": bias, "mask": mask}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name, x in feeds.items()]
    weights = [numpy_helper.from_array(x, name) for name, x in constants.items()]
    graph = helper.make_graph(nodes, "windows", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    (got,) = intaglio.InferenceSession(proto, opt_level=1).run(None, feeds)
    added = (bias[None] + mask).repeat(images, axis=0).reshape(total, heads, m, n)
    np.testing.assert_allclose(got, attend(q, np.swapaxes(k, -1, -2), v, added), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("cleaned", [False, True])
def test_rows_that_see_nothing(cleaned: bool) -> None:
    """Minus infinity over one block of keys, over all, and scores that are no numbers."""
    q, k, v = draw(6, 8), draw(300, 8, seed=1), draw(300, 4, seed=2)
    bias = np.zeros((6, 300), np.float32)
    bias[0, :256], bias[1], bias[2, 256:], bias[3, 7], bias[4, 299] = -np.inf, -np.inf, -np.inf, np.nan, np.inf
    (got,) = session(q.shape, k.shape, v.shape, bias.shape, cleaned=cleaned).run(None, {"q": q, "k": k, "v": v, "bias": bias})
    expected = attend(q, k, v, bias)
    np.testing.assert_allclose(got, np.nan_to_num(expected) if cleaned else expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("fill", [-np.inf, np.finfo(np.float32).min, -4.0])
@pytest.mark.parametrize(("shape", "inverted", "biased"), [((3, 1, 1, 33), 0, 0), ((20, 33), 1, 1), ((2, 20, 1), 0, 1)])
def test_masks(shape: tuple[int, ...], inverted: int, biased: int, fill: float) -> None:
    """Where a mask says so, scores are another number, before a bias: also in a row that sees nothing."""
    nodes = [
        helper.make_node("Transpose", ["k"], ["turned"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "turned"], ["product"]),
        helper.make_node("Div", ["product", "two"], ["scaled"]),
        helper.make_node("Where", ["mask", *(("fill", "scaled") if inverted else ("scaled", "fill"))], ["masked"]),
        helper.make_node("Add", ["masked", "bias"], ["biased"]),
        helper.make_node("Softmax", ["biased"], ["weights"]),
        helper.make_node("MatMul", ["weights", "v"], ["y"]),
    ]
    q, k, v = draw(3, 2, 20, 16), draw(3, 2, 33, 16, seed=1), draw(3, 2, 33, 8, seed=2)
    bias = draw(20, 33, seed=4) if biased else np.zeros((1,), np.float32)
    mask = np.random.default_rng(3).random(shape) < 0.5
    mask.reshape(-1, shape[-1])[0] = inverted
    given = {"q": q, "k": k, "v": v, "bias": bias}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, a.shape) for name, a in given.items()]
    inputs.append(helper.make_tensor_value_info("mask", TensorProto.BOOL, shape))
    constants = [numpy_helper.from_array(np.float32(n), name) for n, name in ((2, "two"), (fill, "fill"))]
    graph = helper.make_graph(nodes, "attention", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10).SerializeToString()
    assert "fused.attention" in level_text(built, Options(), "onnx")
    (got,) = intaglio.InferenceSession(built, opt_level=1).run(None, {**given, "mask": mask})
    scores = q.astype(np.float64) @ k.astype(np.float64).swapaxes(-1, -2) / 2
    scores = np.where(mask != inverted, scores, float(np.float32(fill))) + bias
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        wanted = powers / powers.sum(axis=-1, keepdims=True) @ v
    np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("cpu", ["x86-64-v3", "x86-64"])
def test_on_shorter_vectors(cpu: str) -> None:
    q, k, v, bias = draw(17, 20), draw(300, 20, seed=1), draw(300, 21, seed=2), draw(17, 300, seed=3)
    (got,) = session(q.shape, k.shape, v.shape, bias.shape, cpu=cpu).run(None, {"q": q, "k": k, "v": v, "bias": bias})
    np.testing.assert_allclose(got, attend(q, k, v, bias), rtol=2e-5, atol=2e-6)


def test_few_queries_and_long_values_take_the_long_way() -> None:
    for q, k, v in [((1, 8), (40, 8), (40, 8)), ((16, 8), (40, 8), (40, 300))]:
        a, b, c = draw(*q), draw(*k, seed=1), draw(*v, seed=2)
        (got,) = session(q, k, v, None, cleaned=True).run(None, {"q": a, "k": b, "v": c})
        np.testing.assert_allclose(got, attend(a, b, c), rtol=2e-5, atol=2e-6)
