"""What only shows when a model runs: indices, shapes and counts that come from its inputs. The session still works after."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import intaglio
import numpy as np
import onnx
import pytest
from intaglio.passes.onnx_to_linalg import control
from onnx import TensorProto, helper

Graph = Callable[..., onnx.ModelProto]
Session = Callable[[onnx.ModelProto], intaglio.InferenceSession]
F32, I64, BOOL = np.float32, TensorProto.INT64, TensorProto.BOOL


def ends(session: intaglio.InferenceSession, *codes: str, node: str | None = "the_node", says: str = "", **feeds: Any) -> None:
    with pytest.raises(intaglio.IntaglioError) as caught:
        session.run(None, feeds)
    told = str(caught.value)
    assert says in told
    assert caught.value.code in codes, told
    assert caught.value.hint, told
    assert node is None or caught.value.node == node, told


def make(op_type: str, inputs: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs.split(), ["y"], name="the_node", **attributes)


@pytest.mark.parametrize("op_type", ["Gather", "GatherElements"])
def test_an_index_out_of_range(session: Session, graph: Graph, op_type: str) -> None:
    made = session(graph([make(op_type, "x i")], {"x": [3], "i": (I64, ["n"])}))
    x = np.arange(3, dtype=F32)
    for wrong in ([3], [-4], [2**62], [-(2**63)], [0, 1, 9]):
        ends(made, "ITG5001", x=x, i=np.array(wrong))
    assert made.run(None, {"x": x, "i": np.array([2, -3])})[0].tolist() == [2, 0]


def test_gather_nd_out_of_range(session: Session, graph: Graph) -> None:
    made = session(graph([make("GatherND", "x i")], {"x": [3, 4], "i": (I64, ["n", 2])}))
    x = np.ones((3, 4), F32)
    for wrong in ([[3, 0]], [[0, 4]], [[-4, 0]], [[0, -5]], [[2**62, 0]]):
        ends(made, "ITG5001", x=x, i=np.array(wrong))
    assert made.run(None, {"x": x, "i": np.array([[-1, -4]])})[0].tolist() == [1]


@pytest.mark.parametrize("op_type", ["ScatterElements", "ScatterND"])
def test_a_scattered_index_out_of_range(session: Session, graph: Graph, op_type: str) -> None:
    nd = op_type == "ScatterND"
    made = session(graph([make(op_type, "x i u")], {"x": [3], "i": (I64, [1, 1] if nd else [1]), "u": [1]}))
    x, u = np.zeros(3, F32), np.ones(1, F32)
    for wrong in (3, -4, 2**62):
        ends(made, "ITG5001", x=x, u=u, i=np.full((1, 1) if nd else 1, wrong))
    assert made.run(None, {"x": x, "u": u, "i": np.full((1, 1) if nd else 1, -1)})[0].tolist() == [0, 0, 1]


def test_an_impossible_view(session: Session, graph: Graph) -> None:
    made = session(graph([make("Reshape", "x s")], {"x": ["n"], "s": (I64, [2])}))
    x = np.arange(6, dtype=F32)
    for wrong in ([4, 2], [-1, 4], [-1, -1], [-2, 3], [0, 6], [2**40, 2**40], [2**62, 4], [-(2**63), 1]):
        ends(made, "ITG5004", "ITG5005", "ITG5006", x=x, s=np.array(wrong))
    assert made.run(None, {"x": x, "s": np.array([-1, 2])})[0].shape == (3, 2)


def test_an_impossible_broadcast(session: Session, graph: Graph) -> None:
    made = session(graph([make("Add", "x z")], {"x": ["n"], "z": ["m"]}))
    ends(made, "ITG5002", "ITG5006", x=np.ones(3, F32), z=np.ones(4, F32))
    assert made.run(None, {"x": np.ones(3, F32), "z": np.ones(1, F32)})[0].tolist() == [2] * 3
    expand = session(graph([make("Expand", "x s")], {"x": [3], "s": (I64, [1])}))
    for wrong in (4, 2, 0, -1):
        ends(expand, "ITG5004", "ITG5006", x=np.ones(3, F32), s=np.array([wrong]))


@contextmanager
def little_memory() -> Iterator[None]:
    """Lets this process grow by no more than 64 GiB, whatever the system would promise."""
    old = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as status:
        taken = int(status.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (64 << 30), old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


def test_a_result_larger_than_memory(session: Session, graph: Graph) -> None:
    fill = session(graph([make("ConstantOfShape", "s")], {"s": (I64, [2])}))
    with little_memory():
        for wrong in ([2**20, 2**20], [2**40, 2**40], [2**62, 2], [2**62, 2**62], [-1, 4]):
            ends(fill, "ITG5010", "ITG5004", node=None, s=np.array(wrong))
    assert fill.run(None, {"s": np.array([2, 3])})[0].shape == (2, 3)


def test_a_constant_larger_than_memory(session: Session, graph: Graph) -> None:
    with little_memory():
        made = session(graph([make("ConstantOfShape", "s")], {}, {"s": np.array([2**40])}))
        ends(made, "ITG5010", node=None)


def test_counts_and_steps(session: Session, graph: Graph) -> None:
    steps = session(graph([make("Range", "a b c")], {"a": (I64, []), "b": (I64, []), "c": (I64, [])}))
    ends(steps, "ITG5004", a=np.int64(0), b=np.int64(5), c=np.int64(0))
    with little_memory():
        ends(steps, "ITG5004", "ITG5010", node=None, a=np.int64(0), b=np.int64(2**62), c=np.int64(1))
    assert steps.run(None, {"a": np.int64(0), "b": np.int64(5), "c": np.int64(2)})[0].tolist() == [0, 2, 4]
    best = session(graph([make("TopK", "x k")], {"x": [4], "k": (I64, [1])}))
    for wrong in (5, -1, 2**62):
        ends(best, "ITG5004", "ITG5001", x=np.ones(4, F32), k=np.array([wrong]))


def test_sizes_that_must_be_one(session: Session, graph: Graph) -> None:
    made = session(graph([make("Squeeze", "x a")], {"x": ["n", 3]}, {"a": np.array([0])}))
    ends(made, "ITG5002", "ITG5005", "ITG5004", node=None, x=np.ones((2, 3), F32))
    assert made.run(None, {"x": np.ones((1, 3), F32)})[0].shape == (3,)
    every = session(graph([make("Squeeze", "x")], {"x": ["n", 1, 3]}))
    ends(every, "ITG5007", x=np.ones((1, 1, 3), F32))
    assert every.run(None, {"x": np.ones((2, 1, 3), F32)})[0].shape == (2, 3)


def test_splits_that_do_not_add_up(session: Session, graph: Graph) -> None:
    node = helper.make_node("Split", ["x", "s"], ["y", "z"], name="the_node")
    made = session(graph([node], {"x": ["n"], "s": (I64, [2])}, outputs=["y", "z"]))
    x = np.arange(5, dtype=F32)
    for wrong in ([2, 2], [6, -1], [3, 3], [2**63 - 1, 6]):
        ends(made, "ITG5002", "ITG5003", "ITG5004", "ITG5005", node=None, x=x, s=np.array(wrong))
    assert [y.tolist() for y in made.run(None, {"x": x, "s": np.array([2, 3])})] == [[0, 1], [2, 3, 4]]


def test_pads_and_slices(session: Session, graph: Graph) -> None:
    pad = session(graph([make("Pad", "x p")], {"x": [3], "p": (I64, [2])}))
    for wrong in ([-4, 0], [-2, -2], [2**62, 2**62], [-(2**63), 0]):
        with little_memory():
            ends(pad, "ITG5004", "ITG5010", node=None, x=np.ones(3, F32), p=np.array(wrong))
    assert pad.run(None, {"x": np.ones(3, F32), "p": np.array([-1, 2])})[0].tolist() == [1, 1, 0, 0]
    cut = session(graph([make("Slice", "x a b c d")], {"x": [5], **{n: (I64, [1]) for n in "abd"}}, {"c": np.array([0])}))
    x = np.arange(5, dtype=F32)
    far = 2**63 - 1
    ends(cut, "ITG5004", x=x, a=np.array([0]), b=np.array([5]), d=np.array([0]))
    for start, end, step in ((-far, far, 1), (far, -far - 1, -1), (0, far, far), (far, 0, 1), (4, -far, -2), (1, far, 2)):
        got = cut.run(None, {"x": x, "a": np.array([start]), "b": np.array([end]), "d": np.array([step])})[0]
        assert got.tolist() == x[start:end:step].tolist()


def test_empty_axes(session: Session, graph: Graph) -> None:
    made = session(graph([make("ArgMax", "x")], {"x": ["n", 2]}))
    ends(made, "ITG5020", x=np.ones((0, 2), F32))
    assert made.run(None, {"x": np.ones((1, 2), F32)})[0].shape == (1, 2)


@pytest.mark.parametrize("kind", ["INT8", "INT32", "INT64", "UINT8", "UINT64"])
@pytest.mark.parametrize("op_type", ["Div", "Mod"])
def test_integer_division_by_zero(session: Session, graph: Graph, op_type: str, kind: str) -> None:
    number = getattr(TensorProto, kind)
    made = session(graph([make(op_type, "a b")], {"a": (number, [4]), "b": (number, [4])}))
    dtype = helper.tensor_dtype_to_np_dtype(number)
    least = np.iinfo(dtype).min
    a, b = np.array([7, least, 0, 6], dtype), np.array([1, least and -1, 5, 3]).astype(dtype)
    b[1] = b[1] or 1
    wrong = b.copy()
    wrong[3] = 0
    ends(made, "ITG5008", says="6 is divided by 0", a=a, b=wrong)
    assert made.run(None, {"a": a, "b": b})[0][3] == (2 if op_type == "Div" else 0)


def test_division_by_a_constant(session: Session, graph: Graph) -> None:
    for by in (np.array(0), np.array([2, 0])):
        made = session(graph([make("Div", "a b")], {"a": (I64, [2])}, {"b": by}))
        ends(made, "ITG5008", a=np.array([4, 6]))


def test_floats_that_are_no_integers(session: Session, graph: Graph) -> None:
    made = session(graph([make("Cast", "x", to=TensorProto.INT32)], {"x": [4]}))
    assert made.run(None, {"x": np.array([np.nan, np.inf, -np.inf, 3.7], F32)})[0][3] == 3


def loop(trips: str) -> onnx.NodeProto:
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Add", ["v", "one"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", I64, []),
            helper.make_tensor_value_info("c", BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, []),
        ],
        [helper.make_tensor_value_info("d", BOOL, []), helper.make_tensor_value_info("w", TensorProto.FLOAT, [])],
    )
    return helper.make_node("Loop", [trips, "go", "x"], ["y"], name="the_node", body=body)


def test_a_loop_is_bounded_by_its_trip_count(session: Session, graph: Graph) -> None:
    made = session(graph([loop("m")], {"x": [], "m": (I64, [])}, {"go": np.array(True), "one": np.array(1, F32)}))
    for trips, expected in ((5, 5), (0, 0), (-3, 0), (-(2**63), 0)):
        assert made.run(None, {"x": np.array(0, F32), "m": np.array(trips)})[0] == expected


def test_a_loop_that_never_ends(session: Session, graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MAX_ROUNDS", 1000)
    for bound in ({}, {"m": np.array(2**63 - 1)}):
        made = session(graph([loop("m" if bound else "")], {"x": []}, {"go": np.array(True), "one": np.array(1, F32), **bound}))
        ends(made, "ITG5009", says="not ended in round 1000", x=np.array(0, F32))


@pytest.mark.parametrize(
    ("nodes", "says", "feeds"),
    [
        (make("Gather", "x i"), "index 7 is outside of [-3, 3)", {"x": np.zeros(3, F32), "i": np.array([1, 7, 9])}),
        (make("Gather", "x i"), "index -4 is outside of [-3, 3)", {"x": np.zeros((3, 8), F32), "i": np.array([-4])}),
        (make("GatherElements", "x i"), "index -9 is outside of [-3, 3)", {"x": np.zeros(3, F32), "i": np.array([0, -9], np.int32)}),
        (make("GatherND", "x i"), "index 5 is outside of [-4, 4)", {"x": np.zeros((3, 4), F32), "i": np.array([[0, 5]])}),
        (make("ScatterElements", "x i u"), "index 3 is outside", {"x": np.zeros(3, F32), "i": np.array([3]), "u": np.zeros(1, F32)}),
        (make("ScatterND", "x i u"), "index 6 is outside", {"x": np.zeros(3, F32), "i": np.array([[6]]), "u": np.zeros(1, F32)}),
        (make("Reshape", "x s"), "6 elements are not 8", {"x": np.zeros(6, F32), "s": np.array([4, 2])}),
        (make("Add", "x z"), "z0 is 4 in z and x0 is 3 in x", {"x": np.zeros(3, F32), "z": np.zeros(4, F32)}),
        (make("TopK", "x k"), "is 5, but must be at most 4", {"x": np.zeros(4, F32), "k": np.array([5])}),
        (make("ReverseSequence", "x n"), "a sequence of length 9", {"x": np.zeros((2, 2), F32), "n": np.array([1, 9])}),
        (make("CumSum", "x a"), "axis 4 is outside of [-1, 1)", {"x": np.zeros(3, F32), "a": np.array(4)}),
        (
            make("NegativeLogLikelihoodLoss", "x t"),
            "class 5 is outside of [0, 3)",
            {"x": np.zeros((2, 3), F32), "t": np.array([0, 5])},
        ),
    ],
)
def test_the_message_tells_the_value(session: Session, graph: Graph, nodes: onnx.NodeProto, says: str, feeds: dict[str, Any]) -> None:
    inputs = {
        n: (helper.np_dtype_to_tensor_dtype(x.dtype), [f"{n}{d}" for d in range(x.ndim)] if x.dtype == F32 else x.shape)
        for n, x in feeds.items()
    }
    ends(session(graph([nodes], inputs)), "ITG5001", "ITG5004", "ITG5005", "ITG5006", "ITG5031", says=says, **feeds)


def test_the_first_of_several_errors_is_told(session: Session, graph: Graph) -> None:
    made = session(graph([make("Gather", "x i")], {"x": [3], "i": (I64, ["n"])}))
    ends(made, "ITG5001", says="index 9 is", x=np.zeros(3, F32), i=np.array([0, 9, 8, 7]))


def test_names_with_places_for_numbers(session: Session, graph: Graph) -> None:
    """Whatever a node or a dimension is called, the message shows it as it is."""
    node = helper.make_node("Gather", ["x", "i"], ["y"], name="100% {} %s %lld")
    made = session(graph([node], {"x": ["a{}%d"], "i": (I64, ["n"])}))
    ends(made, "ITG5001", node="100% {} %s %lld", says="index 7 is outside of [-3, 3)", x=np.zeros(3, F32), i=np.array([7]))
