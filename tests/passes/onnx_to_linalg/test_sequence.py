"""Sequences and optionals: built, changed, read, split and joined, through loops, and in and out of a session."""

from __future__ import annotations

from typing import Any

import intaglio
import numpy as np
import pytest
from intaglio.errors import IntaglioError
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
A, B, C = (np.arange(n * 3, dtype=np.float32).reshape(n, 3) + 10 * n for n in (1, 2, 4))


def tensor(name: str, type: int = FLOAT, dims: Any = None) -> Any:
    return helper.make_tensor_value_info(name, type, dims)


def sequence(name: str, dims: Any, type: int = FLOAT) -> Any:
    return helper.make_tensor_sequence_value_info(name, type, dims)


def optional(name: str, dims: Any) -> Any:
    return helper.make_value_info(name, helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, dims)))


def session(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any] | None = None) -> Any:
    held = [numpy_helper.from_array(np.asarray(a), name) for name, a in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, held)
    return intaglio.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 26)], ir_version=11)).session()


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_changes_leave_what_they_come_from():
    """Adding at the end happens in place where it can; two lists that begin alike must still not see each other's ends."""
    nodes = [
        helper.make_node("SequenceInsert", ["s", "x"], ["one"]),
        helper.make_node("SequenceInsert", ["s", "y"], ["other"]),
        helper.make_node("SequenceInsert", ["one", "y", "front"], ["more"]),
        helper.make_node("SequenceErase", ["more"], ["less"]),
        helper.make_node("SequenceInsert", ["less", "y"], ["again"]),
        helper.make_node("SequenceErase", ["more", "front"], ["back"]),
        helper.make_node("SequenceLength", ["again"], ["n"]),
    ]
    outputs = [sequence(name, None) for name in ("one", "other", "more", "less", "again", "back")]
    run = session(
        nodes, [sequence("s", ["N", 3]), tensor("x", dims=[2, 3]), tensor("y", dims=[1, 3])], [*outputs, tensor("n", INT64)], {"front": 0}
    )
    for start in ([C, A], []):
        one, other, more, less, again, back, n = run.run(None, {"s": start, "x": B, "y": A})
        same(one, [*start, B])
        same(other, [*start, A])
        same(more, [A, *start, B])
        same(less, [A, *start])
        same(again, [A, *start, A])
        same(back, [*start, B])
        assert n == len(start) + 2


def test_positions():
    nodes = [helper.make_node("SequenceAt", ["s", "p"], ["y"])]
    run = session(nodes, [sequence("s", ["N", 3]), tensor("p", INT64, [])], [tensor("y")])
    for position in (-2, -1, 0, 1):
        np.testing.assert_array_equal(run.run(None, {"s": [A, C], "p": position})[0], [A, C][position])
    for position in (-3, 2, 2**40):
        with pytest.raises(IntaglioError, match="ITG5001"):
            run.run(None, {"s": [A, C], "p": position})
    np.testing.assert_array_equal(run.run(None, {"s": [B], "p": 0})[0], B)


@pytest.mark.parametrize(("axis", "stacked"), [(0, 0), (-1, 0), (1, 0), (0, 1), (2, 1)])
def test_join(axis, stacked):
    run = session(
        [helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=axis, new_axis=stacked)], [sequence("s", ["N", "M"])], [tensor("y")]
    )
    parts = [A, A + 1, A * 2] if stacked else [A, B, C, B[:0]] if axis == 0 else [B, B[:, :1], B[:, :0], B]
    wanted = np.stack(parts, axis) if stacked else np.concatenate(parts, axis)
    np.testing.assert_array_equal(run.run(None, {"s": parts})[0], wanted)
    for wrong in ([], [A, B.T.copy()]):
        with pytest.raises(IntaglioError, match="ITG5061"):
            run.run(None, {"s": wrong})


@pytest.mark.parametrize("axis", [0, 1])
def test_split(axis):
    nodes = [
        helper.make_node("SplitToSequence", ["x"], ["ones"], axis=axis, keepdims=0),
        helper.make_node("SplitToSequence", ["x", "two"], ["pairs"], axis=axis),
        helper.make_node("SplitToSequence", ["x", "lengths"], ["parts"], axis=axis),
    ]
    outputs = [sequence(name, None) for name in ("ones", "pairs", "parts")]
    run = session(nodes, [tensor("x", dims=["N", "M"]), tensor("two", INT64, []), tensor("lengths", INT64, ["L"])], outputs)
    x = np.arange(25, dtype=np.float32).reshape(5, 5)
    ones, pairs, parts = run.run(None, {"x": x, "two": 2, "lengths": np.array([3, 0, 2])})
    same(ones, [np.take(x, i, axis) for i in range(5)])
    same(pairs, np.split(x, [2, 4], axis))
    same(parts, np.split(x, [3, 3], axis))
    for feeds in ({"two": 0, "lengths": np.array([5])}, {"two": 1, "lengths": np.array([7, -2])}, {"two": 1, "lengths": np.array([4])}):
        with pytest.raises(IntaglioError, match="ITG5004"):
            run.run(None, {"x": x, **feeds})


def test_a_loop_gathers_parts_of_any_size():
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["c"], ["again"]),
            helper.make_node("Unsqueeze", ["i", "zero"], ["end"]),
            helper.make_node("Slice", ["x", "begin", "end"], ["part"]),
            helper.make_node("SequenceInsert", ["s", "part"], ["after"]),
        ],
        "body",
        [tensor("i", INT64, []), tensor("c", TensorProto.BOOL, []), sequence("s", None)],
        [tensor("again", TensorProto.BOOL, []), sequence("after", None)],
    )
    nodes = [helper.make_node("SequenceEmpty", [], ["none"]), helper.make_node("Loop", ["n", "", "none"], ["all"], body=body)]
    run = session(nodes, [tensor("n", INT64, []), tensor("x", dims=["N"])], [sequence("all", None)], {"zero": [0], "begin": [0]})
    x = np.arange(40, dtype=np.float32)
    for n in (0, 1, 40):
        same(run.run(None, {"n": n, "x": x})[0], [x[:i] for i in range(n)])


def test_optionals():
    nodes = [
        helper.make_node("OptionalHasElement", ["o"], ["there"]),
        helper.make_node("Identity", ["o"], ["same"]),
        helper.make_node("OptionalGetElement", ["o"], ["y"]),
    ]
    has = session(nodes[:2], [optional("o", ["N"])], [tensor("there", TensorProto.BOOL), optional("same", None)])
    there, same_ = has.run(None, {})
    assert not there and same_ is None
    there, same_ = has.run(None, {"o": A[0]})
    assert there
    np.testing.assert_array_equal(same_, A[0])
    take = session(nodes[2:], [optional("o", ["N"])], [tensor("y")])
    with pytest.raises(IntaglioError, match="ITG5062"):
        take.run(None, {"o": None})
    np.testing.assert_array_equal(take.run(None, {"o": A[0]})[0], A[0])


def test_nested_values_and_strings_cross_the_border():
    """No operator of ONNX takes sequences of sequences: they come in, and go out as they are."""
    inner = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.STRING, ["N"]))
    nested = helper.make_value_info("x", helper.make_sequence_type_proto(inner))
    run = session([], [nested], [nested])
    value = [[np.array(["a", ""], object)], [], [np.array([], object), np.array(["ü"], object)]]
    (found,) = run.run(None, {"x": value})
    assert [[t.tolist() for t in s] for s in found] == [[t.tolist() for t in s] for s in value]
    assert run.get_inputs()[0].type == "seq(seq(tensor(string)))"


def test_values_that_do_not_fit_are_refused():
    run = session([helper.make_node("Identity", ["s"], ["y"])], [sequence("s", [2, "N"])], [sequence("y", None)])
    for value, code in (([A[0]], "ITG5504"), ([A], "ITG5505"), ([B.astype(np.int64)], "ITG5503"), (7, "ITG5503"), ({}, "ITG5503")):
        with pytest.raises(IntaglioError, match=code):
            run.run(None, {"s": value})
    same(run.run(None, {"s": [B]})[0], [B])
