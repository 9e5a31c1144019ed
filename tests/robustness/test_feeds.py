"""Feeds that do not fit the model: each is refused before anything runs, and the session still works after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import intaglio
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

F32 = np.float32
GOOD = {"x": np.ones((2, 3), F32), "z": np.ones((2, 1), F32), "k": np.array([4, 5])}


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3]),
        helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 1]),
        helper.make_tensor_value_info("k", TensorProto.INT64, ["m"]),
    ]
    nodes = [helper.make_node("Add", ["x", "z"], ["y"]), helper.make_node("Neg", ["k"], ["j"])]
    graph = helper.make_graph(nodes, "g", inputs, [onnx.ValueInfoProto(name=name) for name in "yj"])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


@pytest.fixture(scope="module")
def session(model: onnx.ModelProto) -> intaglio.InferenceSession:
    return intaglio.InferenceSession(model)


WRONG: list[tuple[str, Mapping[str, Any]]] = [
    ("ITG5510", {"x": None}),
    ("ITG5509", {"q": np.ones(2, F32)}),
    ("ITG5509", {1: np.ones(2, F32)}),
    ("ITG5503", {"x": np.ones((2, 3))}),
    ("ITG5503", {"x": np.ones((2, 3), np.float16)}),
    ("ITG5503", {"x": np.array([["a", "b", "c"]])}),
    ("ITG5503", {"x": np.array([[object()] * 3] * 2)}),
    ("ITG5503", {"x": [[1, 2, 3], [4, 5]]}),
    ("ITG5503", {"x": "text"}),
    ("ITG5503", {"x": {}}),
    ("ITG5503", {"k": np.array([1, 2], np.int32)}),
    ("ITG5503", {"k": [2**70]}),
    ("ITG5504", {"x": np.ones(3, F32)}),
    ("ITG5504", {"x": np.ones((1, 2, 3), F32)}),
    ("ITG5504", {"x": 1.0}),
    ("ITG5505", {"x": np.ones((2, 4), F32)}),
    ("ITG5505", {"x": np.ones((3, 2), F32)}),
    ("ITG5506", {"x": np.ones((5, 3), F32)}),
    ("ITG5506", {"z": np.ones((0, 1), F32)}),
]


@pytest.mark.parametrize(("code", "change"), WRONG, ids=[f"{code}-{i}" for i, (code, _) in enumerate(WRONG)])
def test_wrong_feeds(session: intaglio.InferenceSession, code: str, change: Mapping[str, Any]) -> None:
    feeds = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(intaglio.IntaglioError) as caught:
        session.run(None, feeds)
    assert caught.value.code == code and caught.value.hint
    assert str(next(iter(change))) in str(caught.value)
    assert session.run(["y"], GOOD)[0].tolist() == [[2, 2, 2]] * 2


@pytest.mark.parametrize("names", [["absent"], ["y", "x"], [3], [None]], ids=repr)
def test_wrong_outputs(session: intaglio.InferenceSession, names: list[Any]) -> None:
    with pytest.raises(intaglio.IntaglioError) as caught:
        session.run(names, GOOD)
    assert caught.value.code == "ITG5511" and caught.value.hint


def test_arrays_in_any_memory_order(session: intaglio.InferenceSession) -> None:
    wide = np.arange(24, dtype=F32).reshape(4, 6)
    for x in (wide[::2, ::2], wide.T[:2, :3], np.asfortranarray(wide[:2, :3]), wide[:2, 2::-1], wide[:2, :3].astype(">f4")):
        assert np.array_equal(session.run(["y"], {**GOOD, "x": x})[0], x + 1)
    broadcast = np.broadcast_to(F32(7), (2, 3))
    assert session.run(["y"], {**GOOD, "x": broadcast})[0].tolist() == [[8] * 3] * 2


def test_sizes_of_zero(session: intaglio.InferenceSession) -> None:
    y, j = session.run(None, {"x": np.ones((0, 3), F32), "z": np.ones((0, 1), F32), "k": np.ones(0, np.int64)})
    assert y.shape == (0, 3) and j.shape == (0,)


def test_a_closed_session(model: onnx.ModelProto) -> None:
    closed = intaglio.InferenceSession(model)
    closed.close()
    closed.close()
    with pytest.raises(intaglio.IntaglioError, match="ITG5501"):
        closed.run(None, GOOD)


def test_threads_that_there_are_not(model: onnx.ModelProto) -> None:
    for count in (-1, 1025):
        with pytest.raises(intaglio.IntaglioError, match="ITG5530"):
            intaglio.InferenceSession(model, num_threads=count)


def test_options_that_there_are_not(model: onnx.ModelProto) -> None:
    with pytest.raises(intaglio.IntaglioError, match="ITG7101"):
        intaglio.compile(model, target="toaster")
    with pytest.raises(intaglio.IntaglioError, match="ITG7103"):
        intaglio.compile(model, opt_level=9)
    with pytest.raises(intaglio.IntaglioError, match="ITG"):
        intaglio.compile(model, cpu="abacus")


def test_arrays_of_other_shapes_and_layouts_follow_each_other(session: intaglio.InferenceSession) -> None:
    """What a run fed says nothing of the next one's arrays."""
    wide = np.arange(24, dtype=F32).reshape(4, 6)
    frozen = wide[:, :3].copy()
    frozen.flags.writeable = False
    shifted = np.frombuffer(b"\0" + wide[:, :3].tobytes(), np.uint8)[1:].view(F32).reshape(4, 3)
    other = (np.zeros((0, 3), F32), wide[:, :3].T.copy().T, [[1, 2, 3]], frozen, wide[:, ::2])
    for x in (wide[:, :3], frozen, wide[:2, :3].copy(), shifted, *other):
        z = np.ones((len(x), 1), F32)
        (y,) = session.run(["y"], {**GOOD, "x": x, "z": z})
        np.testing.assert_array_equal(y, np.asarray(x, F32) + 1)
