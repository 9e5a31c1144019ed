"""Random numbers: their distributions, seeds that repeat and runs that do not, element types.

Bounds stand six standard deviations off (or where chi-square is passed once in 1e9), so that runs without a seed do not fail by chance.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import intaglio
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

N = 100_000
DRAWS = {
    "uniform": ("RandomUniform", [], {"shape": [N], "low": 2.0, "high": 4.0}),
    "normal": ("RandomNormal", [], {"shape": [N], "mean": 1.0, "scale": 2.0}),
    "uniform_like": ("RandomUniformLike", ["like"], {"dtype": TensorProto.DOUBLE}),
    "normal_like": ("RandomNormalLike", ["like"], {"dtype": TensorProto.DOUBLE}),
    "bernoulli": ("Bernoulli", ["chances"], {"dtype": TensorProto.INT64}),
    "multinomial": ("Multinomial", ["logits"], {"sample_size": N}),
}
CHANCES = np.array([0.1, 0.2, 0.3, 0.4], np.float32)


def session_of(seed: float | None) -> intaglio.InferenceSession:
    """One model of every generator, and dropout in training; `like` is of open length."""
    given = {} if seed is None else {"seed": seed}
    nodes = [helper.make_node(op, inputs, [name], **attributes, **given) for name, (op, inputs, attributes) in DRAWS.items()]
    nodes.append(helper.make_node("Dropout", ["like", "ratio", "on"], ["dropped", "mask"], **({} if seed is None else {"seed": int(seed)})))
    held = {
        "chances": np.repeat(np.array([0, 0.3, 1], np.float32), N).reshape(3, N),
        "logits": np.log(CHANCES)[None] + 5,
        "ratio": np.float32(0.3),
        "on": np.array(True),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("like", TensorProto.FLOAT, ["n"])],
        [helper.make_empty_tensor_value_info(name) for name in (*DRAWS, "dropped", "mask")],
        [numpy_helper.from_array(np.asarray(x), name) for name, x in held.items()],
    )
    return intaglio.InferenceSession(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10))


def drawn(session: intaglio.InferenceSession) -> dict[str, np.ndarray]:
    return dict(zip((*DRAWS, "dropped", "mask"), session.run(None, {"like": np.full(N, 3, np.float32)}), strict=True))


@pytest.fixture(scope="module", params=[None, 7.0], ids=["unseeded", "seeded"])
def session(request: pytest.FixtureRequest) -> Any:
    return session_of(request.param), request.param is not None


@pytest.fixture(scope="module")
def values(session: Any) -> dict[str, np.ndarray]:
    return drawn(session[0])


def is_flat(counts: np.ndarray, expected: np.ndarray) -> bool:
    """Whether counts differ from those expected by no more than chance: chi-square, with Wilson and Hilferty's approximation."""
    freedom = len(counts) - 1
    limit = freedom * (1 - 2 / (9 * freedom) + 6 * (2 / (9 * freedom)) ** 0.5) ** 3
    return float(((counts - expected) ** 2 / expected).sum()) < limit


@pytest.mark.parametrize(("name", "low", "high", "dtype"), [("uniform", 2, 4, np.float32), ("uniform_like", 0, 1, np.float64)])
def test_uniform(values, name, low, high, dtype):
    y = values[name]
    assert y.dtype == dtype and y.shape == (N,) and y.min() >= low and y.max() <= high
    unit = (y.astype(np.float64) - low) / (high - low)
    assert abs(unit.mean() - 1 / 2) < 6 * (1 / 12 / N) ** 0.5
    assert abs(unit.var() - 1 / 12) < 6 * (1 / 180 / N) ** 0.5
    assert is_flat(np.histogram(unit, 64, (0, 1))[0], np.full(64, N / 64))
    pairs = np.histogram2d(unit[::2], unit[1::2], 8, [(0, 1), (0, 1)])[0].ravel()
    assert is_flat(pairs, np.full(64, N / 2 / 64))


@pytest.mark.parametrize(("name", "mean", "scale", "dtype"), [("normal", 1, 2, np.float32), ("normal_like", 0, 1, np.float64)])
def test_normal(values, name, mean, scale, dtype):
    y = values[name]
    assert y.dtype == dtype and y.shape == (N,)
    unit = (y.astype(np.float64) - mean) / scale
    assert abs(unit.mean()) < 6 / N**0.5
    assert abs(unit.var() - 1) < 6 * (2 / N) ** 0.5
    assert abs((unit[1:] * unit[:-1]).mean()) < 6 / N**0.5
    edges = [-np.inf, *(NormalDist().inv_cdf(k / 32) for k in range(1, 32)), np.inf]
    assert is_flat(np.histogram(unit, edges)[0], np.full(32, N / 32))


def test_bernoulli(values):
    y = values["bernoulli"]
    assert y.dtype == np.int64 and set(np.unique(y)) == {0, 1}
    never, some, always = y.mean(axis=1)
    assert (never, always) == (0, 1) and abs(some - 0.3) < 6 * (0.3 * 0.7 / N) ** 0.5


def test_multinomial(values):
    y = values["multinomial"]
    assert y.dtype == np.int32 and y.shape == (1, N)
    assert is_flat(np.bincount(y[0], minlength=4), CHANCES * N)


def test_dropout(values):
    y, mask = values["dropped"], values["mask"]
    assert mask.dtype == np.bool_ and abs(mask.mean() - 0.7) < 6 * (0.3 * 0.7 / N) ** 0.5
    np.testing.assert_allclose(y, np.where(mask, 3 / 0.7, 0), rtol=1e-6)


def test_runs(session, values):
    """A seed repeats; without one no two runs are alike."""
    made, seeded = session
    again = drawn(made)
    for name, y in values.items():
        assert np.array_equal(y, again[name]) == seeded, name


def test_seeds():
    """Another session gives the same numbers for the same seed, others for another one."""
    first, again, other = (drawn(session_of(seed)) for seed in (1.0, 1.0, 2.0))
    for name, y in first.items():
        assert np.array_equal(y, again[name]) and not np.array_equal(y, other[name]), name


def test_nodes_without_seeds_differ():
    nodes = [helper.make_node("RandomUniform", [], [name], shape=[20]) for name in "ab"]
    graph = helper.make_graph(nodes, "g", [], [helper.make_empty_tensor_value_info(name) for name in "ab"])
    a, b = intaglio.InferenceSession(helper.make_model(graph, ir_version=10)).run(None, {})
    assert not np.array_equal(a, b)


def test_rounds_of_a_loop_differ():
    body = helper.make_graph(
        [
            helper.make_node("RandomNormal", [], ["r"], shape=[3]),
            helper.make_node("Identity", ["c"], ["d"]),
        ],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("d", TensorProto.BOOL, []), helper.make_tensor_value_info("r", TensorProto.FLOAT, [3])],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["rounds", ""], ["y"], body=body)],
        "g",
        [],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.array(5), "rounds")],
    )
    (y,) = intaglio.InferenceSession(helper.make_model(graph, ir_version=10)).run(None, {})
    assert y.shape == (5, 3) and len(np.unique(y)) == 15


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_short_floats(run, dtype):
    y = np.asarray(run("RandomUniform", shape=[2000], low=-1.0, high=1.0, dtype=dtype)).astype(np.float64)
    assert y.min() >= -1 and y.max() <= 1 and abs(y.mean()) < 6 * (1 / 3 / 2000) ** 0.5


def test_chances_that_are_open(run):
    y = run("Bernoulli", np.full((2, 3), 1.0), open_dims=True)
    assert y.dtype == np.float64 and y.tolist() == [[1] * 3] * 2
