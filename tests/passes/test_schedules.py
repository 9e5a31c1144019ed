"""Schedules of contractions: what is written is read back or refused, and any of them computes the same."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from intaglio.backends.cpu import build  # noqa: E402
from intaglio.backends.target import host_target  # noqa: E402
from intaglio.compiler.importer import import_model  # noqa: E402
from intaglio.compiler.pipeline import dispatch_level, linalg_level, loops_level, onnx_level  # noqa: E402
from intaglio.dialects.dispatch import DISPATCH, ContractOp  # noqa: E402
from intaglio.dialects.schedule import Schedule, ScheduleAttr  # noqa: E402
from intaglio.proto.files import load_model  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from xdsl.context import Context  # noqa: E402
from xdsl.parser import Parser  # noqa: E402
from xdsl.utils.exceptions import ParseError, VerifyException  # noqa: E402


def parse(text: str) -> Schedule:
    context = Context()
    context.load_dialect(DISPATCH)
    attribute = Parser(context, f"#dispatch.schedule<{text}>").parse_attribute()
    assert isinstance(attribute, ScheduleAttr)
    return attribute.data


def test_a_schedule_is_read_as_it_is_printed() -> None:
    schedule = Schedule(2, 7, 0, 3, 64, 4)
    assert parse(str(ScheduleAttr(schedule)).removeprefix("#dispatch.schedule<").removesuffix(">")) == schedule
    assert parse("across = 3") == Schedule(across=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows = 2", 'no "rows", only down, across'),
        ("across = 0", "at least 1"),
        ("part = -1", "at least 0"),
        ("even = 1", "several rows"),
        ("down = 2, across = 64", "has 128 rows"),
        ("unroll = 1000", "1000 steps"),
        ("across", "="),
    ],
)
def test_nonsense_is_refused(text: str, message: str) -> None:
    with pytest.raises((ParseError, VerifyException), match=message):
        parse(text)


def results(model: bytes, feeds: dict[str, np.ndarray], schedule: Schedule | None) -> np.ndarray:
    imported, target = import_model(load_model(model)), host_target()
    onnx_level(imported, target, winograd=False)
    program = linalg_level(imported, target)
    dispatch_level(program, target)
    *_, contract = [op for op in program.module.walk() if isinstance(op, ContractOp)]
    assert contract.schedule is not None
    if schedule is not None:
        contract.schedule = ScheduleAttr(schedule)
    program.module.verify()
    loops_level(program, target)
    return build(program.module, program.weights, machine=target.machine(1)).session(num_threads=2).run(None, feeds)[0]


def of_nodes(x: list[int | str], *nodes: onnx.NodeProto, **weights: tuple[int, ...]) -> bytes:
    draw = np.random.default_rng(0)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", x), ("y", None))]
    constants = [numpy_helper.from_array(draw.standard_normal(shape).astype(np.float32), name) for name, shape in weights.items()]
    graph = helper.make_graph(nodes, "few", ports[:1], ports[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


@pytest.mark.parametrize("m", [29, "M"])
def test_products_are_the_same_by_any_schedule(m: int | str) -> None:
    model = of_nodes([m, 70], helper.make_node("MatMul", ["x", "w"], ["y"]), w=(70, 83))
    feeds = {"x": np.random.default_rng(1).standard_normal((29, 70)).astype(np.float32)}
    expected = results(model, feeds, None)
    for across, even, part, ahead in ((1, 0, 2, 0), (8, 0, 0, 64), (8, 1, 1, 0), (2, 1, 0, 0), (29, 1, 0, 0)):
        np.testing.assert_array_equal(results(model, feeds, Schedule(1, across, even, part, ahead)), expected)


@pytest.mark.parametrize("taps", [1, 3])
def test_convolutions_are_the_same_by_any_schedule(taps: int) -> None:
    nodes = helper.make_node("Conv", ["x", "v"], ["a"]), helper.make_node("Conv", ["a", "w"], ["y"], pads=[taps // 2] * 4)
    model = of_nodes([2, 20, 9, 7], *nodes, v=(20, 20, 1, 1), w=(40, 20, taps, taps))
    feeds = {"x": np.random.default_rng(1).standard_normal((2, 20, 9, 7)).astype(np.float32)}
    expected = results(model, feeds, None)
    for down, across, even, part in ((1, 1, 0, 0), (2, 3, 0, 0), (2, 3, 0, 3), (9, 1, 0, 1), (1, 7, 0, 1), (1, 5, 1, 2)):
        np.testing.assert_array_equal(results(model, feeds, Schedule(down, across, even, part, 0, 2)), expected)


def test_depthwise_convolutions_are_the_same_by_any_schedule() -> None:
    nodes = helper.make_node("Conv", ["x", "w"], ["a"]), helper.make_node("Conv", ["a", "d"], ["y"], pads=[1] * 4, group=32)
    model = of_nodes([1, 32, 9, 11], *nodes, w=(32, 32, 1, 1), d=(32, 1, 3, 3))
    feeds = {"x": np.random.default_rng(1).standard_normal((1, 32, 9, 11)).astype(np.float32)}
    expected = results(model, feeds, None)
    for across, part in ((1, 0), (4, 2), (11, 0)):
        np.testing.assert_array_equal(results(model, feeds, Schedule(1, across, part=part)), expected)
