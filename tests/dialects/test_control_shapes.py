"""Shapes through subgraphs: branches joined, carried values settled, scans stacked, sequences mapped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from intaglio.dialects.onnx.base import OnnxOp
from intaglio.dialects.onnx.control import YieldOp
from intaglio.dialects.onnx.dims import symbol
from intaglio.dialects.onnx.registry import OPERATORS
from intaglio.dialects.onnx.shapes import Shapes, Source
from intaglio.dialects.onnx.types import OptionalType, SequenceType
from intaglio.errors import ShapeError
from xdsl.builder import ImplicitBuilder
from xdsl.dialects.builtin import DYNAMIC_INDEX, DenseArrayBase, IntegerAttr, NoneType, TensorType, f32, f64, i1, i64
from xdsl.dialects.test import TestOp
from xdsl.ir import Block, Region, SSAValue
from xdsl.utils.exceptions import VerifyException

N = symbol("N")
Body = Callable[..., Sequence[SSAValue]]


class Model:
    """Builds operators and infers the outermost ones at once."""

    def __init__(self) -> None:
        self.shapes = Shapes()

    def input(self, *dims: int | str, element: Any = f32) -> SSAValue:
        value = TestOp(result_types=[TensorType(element, [d if isinstance(d, int) else DYNAMIC_INDEX for d in dims])]).results[0]
        self.shapes.declare_argument(value, dims)
        return value

    def constant(self, content: Any, dtype: Any = np.int64) -> SSAValue:
        array = np.array(content, dtype)
        value = self.input(*array.shape, element=i1 if dtype is np.bool_ else i64)
        self.shapes.set_constant(value, array)
        return value

    def run(self, op_type: str, *operands: Any, results: int = 1, **given: Any) -> OnnxOp:
        """Builds one operator and infers it, result types included."""
        op = node(op_type, *operands, results=results, **given)
        self.shapes.infer_op(op)
        op.verify(verify_nested_ops=False)
        return op

    def shape(self, op: OnnxOp, index: int = 0) -> tuple[Any, ...]:
        return self.shapes.of(op.results[index])


def node(op_type: str, *operands: Any, results: int = 1, regions: Sequence[Region] = (), **attributes: int | list[int]) -> OnnxOp:
    """An operator with untyped results; operands in order, None for an absent one."""
    cls = OPERATORS["", op_type]
    groups = [operands[i:] if variadic else operands[i : i + 1] for i, (*_, variadic) in enumerate(cls.operand_defs())]
    present = [[v for v in group if v is not None] for group in groups]
    untyped = [NoneType()] * results
    types = [untyped if variadic else untyped[:1] for *_, variadic in cls.result_defs()]
    properties = {k: IntegerAttr(v, i64) if isinstance(v, int) else DenseArrayBase.from_list(i64, v) for k, v in attributes.items()}
    return cls.build(operands=present, result_types=types, properties=properties, regions=list(regions))


def inner(op_type: str, *operands: Any, **given: Any) -> SSAValue:
    """The only result of an operator in a subgraph."""
    return node(op_type, *operands, **given).results[0]


def subgraph(arguments: int, body: Body) -> Region:
    block = Block(arg_types=[NoneType()] * arguments)
    with ImplicitBuilder(block):
        YieldOp(operands=[list(body(*block.args))])
    return Region(block)


@pytest.fixture
def model() -> Model:
    return Model()


def branches(then: Body, otherwise: Body) -> list[Region]:
    return [subgraph(0, then), subgraph(0, otherwise)]


def test_if_keeps_dimensions_that_agree(model: Model) -> None:
    a, b, cond = model.input("N", 3), model.input("N", 4), model.input(element=i1)
    op = model.run("If", cond, regions=branches(lambda: [inner("Relu", a)], lambda: [inner("Relu", b)]))
    batch, width = model.shape(op)
    assert batch == N
    assert model.shapes.sources[str(width)] == Source("result", op.results[0], 1)
    assert op.results[0].type == TensorType(f32, [DYNAMIC_INDEX, DYNAMIC_INDEX])


def test_if_of_known_condition_takes_one_branch(model: Model) -> None:
    a, b = model.input(2, 3), model.input(4)
    op = model.run("If", model.constant(False, np.bool_), regions=branches(lambda: [inner("Add", a, b)], lambda: [inner("Relu", b)]))
    assert model.shape(op) == (4,)


def test_if_refuses_differing_ranks_and_types(model: Model) -> None:
    cond, a = model.input(element=i1), model.input(2, 3)
    for other in (model.input(4), model.input(2, 3, element=f64)):
        with pytest.raises(ShapeError):
            model.run("If", cond, regions=branches(lambda: [a], lambda other=other: [other]))


def test_if_gives_contents_that_both_branches_agree_on(model: Model) -> None:
    cond, x = model.input(element=i1), model.input("N", 4)
    same = branches(lambda: [inner("Shape", x)], lambda: [inner("Shape", inner("Relu", x))])
    contents = model.shapes.contents(model.run("If", cond, regions=same).results[0])
    assert contents is not None and list(contents) == [N, 4]


def test_what_a_branch_alone_knows_does_not_leave_it(model: Model) -> None:
    cond, x = model.input(element=i1), model.input("N", element=i64)

    def count() -> list[SSAValue]:
        return [inner("NonZero", x)]

    op = model.run("If", cond, regions=branches(count, count))
    assert model.shape(op)[0] == 1
    assert model.shapes.sources[str(model.shape(op)[1])].value is op.results[0]


def test_loop_stacks_scan_outputs_by_trip_count(model: Model) -> None:
    x, trips = model.input("N", 3), model.constant(5)
    body = subgraph(3, lambda i, c, v: [c, inner("Relu", v), v])
    op = model.run("Loop", trips, None, x, results=2, regions=[body])
    assert model.shape(op) == (N, 3)
    assert model.shape(op, 1) == (5, N, 3)
    assert op.results[1].type == TensorType(f32, [5, DYNAMIC_INDEX, 3])


def test_loop_reads_its_trip_count_at_run_time(model: Model) -> None:
    trips = model.input(element=i64)
    op = model.run("Loop", trips, None, model.input(2), results=2, regions=[subgraph(3, lambda i, c, v: [c, v, i])])
    (length,) = model.shape(op, 1)
    assert "max" in str(length)
    assert Source("element", trips, 0) in model.shapes.sources.values()


def test_loop_that_may_stop_early(model: Model) -> None:
    x, cond, trips = model.input(2), model.constant(True, np.bool_), model.constant(5)
    stop = subgraph(3, lambda i, c, v: [inner("Less", i, i), v, v])
    go_on = subgraph(3, lambda i, c, v: [inner("Identity", c), v, v])
    assert model.shape(model.run("Loop", trips, cond, x, results=2, regions=[go_on]), 1) == (5, 2)
    op = model.run("Loop", trips, cond, x, results=2, regions=[stop])
    assert model.shapes.sources[str(model.shape(op, 1)[0])] == Source("result", op.results[1], 0)
    assert model.shape(model.run("Loop", trips, model.constant(False, np.bool_), x, results=2, regions=[go_on.clone()]), 1) == (0, 2)


def test_loop_widens_dimensions_that_change(model: Model) -> None:
    x = model.input(2, 3)
    body = subgraph(3, lambda i, c, v: [c, inner("Concat", v, v, axis=0), inner("Relu", v)])
    op = model.run("Loop", model.constant(4), None, x, results=2, regions=[body])
    argument = body.block.args[2]
    rows, columns = model.shapes.of(argument)
    assert model.shapes.sources[str(rows)] == Source("dim", argument, 0) and columns == 3
    assert argument.type == TensorType(f32, [DYNAMIC_INDEX, 3])
    assert model.shape(op)[1] == 3 and model.shapes.sources[str(model.shape(op)[0])].value is op.results[0]
    assert model.shape(op, 1)[0] == 4 and model.shape(op, 1)[2] == 3


def test_loop_forgets_contents_of_the_first_round(model: Model) -> None:
    body = subgraph(3, lambda i, c, v: [c, inner("Concat", v, v, axis=0), inner("Shape", v)])
    op = model.run("Loop", model.constant(4), None, model.input(2, 3), results=2, regions=[body])
    contents = model.shapes.contents(body.block.last_op.operands[2])  # pyright: ignore[reportOptionalMemberAccess]
    assert contents is not None and contents[0] == model.shapes.of(body.block.args[2])[0]
    assert model.shape(op, 1) == (4, 2)


def test_loop_fills_an_empty_sequence(model: Model) -> None:
    x, empty = model.input("N", 3), model.run("SequenceEmpty")
    body = subgraph(3, lambda i, c, s: [c, inner("SequenceInsert", s, x)])
    op = model.run("Loop", model.constant(4), None, empty.results[0], regions=[body])
    assert op.results[0].type == SequenceType(TensorType(f32, [DYNAMIC_INDEX, 3]))
    assert model.shapes.members(op.results[0]) == (N, 3)
    assert model.shape(model.run("SequenceAt", op.results[0], model.constant(0))) == (N, 3)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (lambda i, c, v: [c, inner("NonZero", v)], "ITG2226"),
        (lambda i, c, v: [c, inner("Shape", inner("Add", v, v))], "ITG2226"),
        (lambda i, c, v: [c, inner("ConcatFromSequence", inner("SequenceConstruct", v, v), axis=0, new_axis=1)], "ITG2227"),
        (lambda i, c, v: [c, v, v], "ITG2221"),
        (lambda i, c, v: [c], "ITG2221"),
    ],
)
def test_loop_refuses(model: Model, body: Body, code: str) -> None:
    with pytest.raises(ShapeError, match=code):
        model.run("Loop", model.constant(4), None, model.input(2), regions=[subgraph(3, body)])


def test_subgraphs_are_verified() -> None:
    x = TestOp(result_types=[TensorType(f32, [])]).results[0]
    trips = TestOp(result_types=[TensorType(i64, [])]).results[0]
    with pytest.raises(VerifyException, match="ITG2221"):
        typed_loop(trips, x, subgraph(2, lambda i, c: [c, x])).verify_()
    with pytest.raises(VerifyException, match="ITG2220"):
        typed_loop(trips, x, Region(Block())).verify_()


def typed_loop(trips: SSAValue, x: SSAValue, body: Region) -> OnnxOp:
    return OPERATORS["", "Loop"].build(operands=[[trips], [], [x]], result_types=[[x.type]], regions=[body])


def test_deeply_nested_loops_settle_in_time(model: Model) -> None:
    def grow(depth: int) -> Body:
        def body(i: SSAValue, c: SSAValue, v: SSAValue) -> list[SSAValue]:
            deeper = inner("Loop", i, None, v, regions=[subgraph(3, grow(depth - 1))]) if depth else v
            return [c, inner("Concat", deeper, v, axis=0)]

        return body

    start = time.perf_counter()
    op = model.run("Loop", model.constant(3), None, model.input(2, 3), regions=[subgraph(3, grow(12))])
    assert model.shape(op)[1] == 3
    assert time.perf_counter() - start < 5


def test_scan(model: Model) -> None:
    state, x, y = model.input("N", 3), model.input(7, "N"), model.input(5, 7)

    def step(s: SSAValue, a: SSAValue, b: SSAValue) -> list[SSAValue]:
        return [inner("Relu", s), inner("Relu", s), b]

    op = model.run(
        "Scan", state, x, y, results=3, regions=[subgraph(3, step)], num_scan_inputs=2, scan_input_axes=[0, -1], scan_output_axes=[1, -1]
    )
    assert [model.shape(op, i) for i in range(3)] == [(N, 3), (N, 7, 3), (5, 7)]
    assert op.results[1].type == TensorType(f32, [DYNAMIC_INDEX, 7, 3])


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"num_scan_inputs": 3}, "ITG2229"),
        ({"num_scan_inputs": 0}, "ITG2229"),
        ({"num_scan_inputs": 1, "scan_input_axes": [0, 0]}, "ITG2229"),
        ({"num_scan_inputs": 1, "scan_input_axes": [2]}, "ITG2164"),
        ({"num_scan_inputs": 1, "scan_output_axes": [-3]}, "ITG2164"),
        ({"num_scan_inputs": 1, "scan_output_directions": [2]}, "ITG2229"),
        ({"num_scan_inputs": 2, "scan_input_axes": [0, 0]}, "ITG2104"),
    ],
)
def test_scan_refuses(model: Model, attributes: dict[str, Any], code: str) -> None:
    with pytest.raises(ShapeError, match=code):
        model.run("Scan", model.input(3), model.input(7, 3), results=2, regions=[subgraph(2, lambda s, x: [s, x])], **attributes)


def test_sequence_map(model: Model) -> None:
    a, b = model.input("N", 3), model.input("M", 3)
    sequence = model.run("SequenceConstruct", a, b).results[0]
    body = subgraph(2, lambda x, y: [inner("Add", x, y), inner("Shape", x)])
    op = model.run("SequenceMap", sequence, model.input(1, 3), results=2, regions=[body])
    assert [model.shapes.members(r) for r in op.results] == [(None, 3), (2,)]
    assert [r.type for r in op.results] == [
        SequenceType(TensorType(f32, [DYNAMIC_INDEX, 3])),
        SequenceType(TensorType(i64, [2])),
    ]


def test_sequences_know_what_their_members_share(model: Model) -> None:
    sequence = model.run("SequenceConstruct", model.input("N", 3), model.input("N", 4)).results[0]
    assert model.shapes.members(sequence) == (N, None)
    at = model.run("SequenceAt", sequence, model.constant(-1))
    assert model.shape(at)[0] == N and model.shapes.sources[str(model.shape(at)[1])] == Source("result", at.results[0], 1)
    assert model.shape(model.run("ConcatFromSequence", sequence, axis=-1))[0] == N
    assert model.shape(model.run("SequenceLength", sequence)) == ()
    mixed = model.run("SequenceInsert", sequence, model.input(3)).results[0]
    with pytest.raises(ShapeError, match="ITG2162"):
        model.run("SequenceAt", mixed, model.constant(0))


def test_concat_from_sequence(model: Model) -> None:
    sequence = model.run("SequenceConstruct", model.input(2, 3), model.input(2, 3)).results[0]
    assert model.shape(model.run("ConcatFromSequence", sequence, axis=0))[1:] == (3,)
    assert model.shape(model.run("ConcatFromSequence", sequence, axis=-1, new_axis=1))[:2] == (2, 3)
    for attributes in ({"axis": 2}, {"axis": -4, "new_axis": 1}, {"axis": 0, "new_axis": 2}):
        with pytest.raises(ShapeError, match="ITG216"):
            model.run("ConcatFromSequence", sequence, **attributes)


@pytest.mark.parametrize(
    ("split", "attributes", "members"),
    [
        (None, {}, (1, 6)),
        (None, {"keepdims": 0, "axis": -1}, (4,)),
        (2, {"axis": 1}, (4, 2)),
        (4, {"axis": 1}, (4, None)),
        (9, {"axis": 1}, (4, 6)),
        ([1, 3], {}, (None, 6)),
        ([2, 2], {"keepdims": 0}, (2, 6)),
        ("runtime", {}, (None, 6)),
    ],
)
def test_split_to_sequence(model: Model, split: Any, attributes: dict[str, int], members: Any) -> None:
    lengths = None if split is None else model.input(3, element=i64) if split == "runtime" else model.constant(split)
    op = model.run("SplitToSequence", model.input(4, 6), lengths, **attributes)
    assert model.shapes.members(op.results[0]) == members


@pytest.mark.parametrize(("split", "axis"), [([1, 2], 0), ([-1, 5], 0), (0, 0), ([[4]], 0), (1, 2), (1, -3)])
def test_split_to_sequence_refuses(model: Model, split: Any, axis: int) -> None:
    with pytest.raises(ShapeError):
        model.run("SplitToSequence", model.input(4, 6), model.constant(split), axis=axis)


def test_optionals(model: Model) -> None:
    some = model.run("Optional", model.input("N", 3)).results[0]
    assert some.type == OptionalType(TensorType(f32, [DYNAMIC_INDEX, 3]))
    assert model.shape(model.run("OptionalGetElement", some)) == (N, 3)
    sequence = model.run("SequenceConstruct", model.input("N")).results[0]
    wrapped = model.run("Optional", sequence).results[0]
    assert wrapped.type == OptionalType(SequenceType(TensorType(f32, [DYNAMIC_INDEX])))
    content = model.run("OptionalGetElement", wrapped).results[0]
    assert content.type == sequence.type and model.shapes.members(content) == (N,)
    assert model.shapes.constant(model.run("OptionalHasElement", sequence).results[0]) == np.array(True)
    assert model.shapes.constant(model.run("OptionalHasElement", None).results[0]) == np.array(False)
    assert model.shapes.constant(model.run("OptionalHasElement", some).results[0]) is None
    with pytest.raises(ShapeError, match="ITG2166"):
        model.run("Optional", None)
