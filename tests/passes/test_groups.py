"""Which generics join one row space, and that dispatches formed from any program keep its meaning and order."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from intaglio.passes.dispatch.form_dispatches import FormDispatches
from intaglio.passes.dispatch.fuse_elementwise import FuseElementwise
from intaglio.passes.dispatch.groups import form_groups, space_of
from intaglio.passes.verify import check_dominance
from xdsl.context import Context
from xdsl.dialects import arith, func, math, tensor
from xdsl.dialects.builtin import AffineMapAttr, FloatAttr, ModuleOp, TensorType, f32
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorTypeAttr
from xdsl.ir import Block, Region, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineExpr, AffineMap

ROWS, COLUMNS = 4, 8
FULL, ROW = TensorType(f32, [ROWS, COLUMNS]), TensorType(f32, [ROWS, 1])
d0, d1 = AffineExpr.dimension(0), AffineExpr.dimension(1)
WHOLE, LEFT, ACROSS = AffineMap(2, 0, (d0, d1)), AffineMap(2, 0, (d0, AffineConstantExpr(0))), AffineMap(2, 0, (d1, d0))


class Program:
    """A `main` under construction: tensors of 4x8 and 4x1."""

    def __init__(self, inputs: int = 1) -> None:
        self.block = Block(arg_types=[FULL] * inputs)
        self.values: list[SSAValue] = list(self.block.args)

    def emit(self, op: Any) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    def elementwise(self, *inputs: SSAValue) -> SSAValue:
        """exp of the sum of its inputs, over rows alone if all of them are row values."""
        type = FULL if FULL in [v.type for v in inputs] else ROW
        body = Block(arg_types=[f32] * (len(inputs) + 1))
        total: SSAValue = body.args[0]
        for more in body.args[1:-1]:
            body.add_op(add := arith.AddfOp(total, more))
            total = add.result
        body.add_op(exp := math.ExpOp(total))
        body.add_op(linalg.YieldOp(exp.result))
        maps = [WHOLE if v.type == FULL else LEFT for v in inputs]
        return self.generic(inputs, maps, self.emit(tensor.EmptyOp([], type)), WHOLE, body, "parallel")

    def reduction(self, value: SSAValue) -> SSAValue:
        """The sum over each row."""
        zero = self.emit(arith.ConstantOp(FloatAttr(0.0, f32)))
        start = self.emit(linalg.FillOp([zero], [self.emit(tensor.EmptyOp([], ROW))], [ROW]))
        body = Block(arg_types=[f32, f32])
        body.add_op(add := arith.AddfOp(body.args[1], body.args[0]))
        body.add_op(linalg.YieldOp(add.result))
        return self.generic([value], [WHOLE], start, LEFT, body, "reduction")

    def generic(self, inputs: Any, maps: list[AffineMap], out: SSAValue, out_map: AffineMap, body: Block, last: str) -> SSAValue:
        iterators = [IteratorTypeAttr.parallel(), getattr(IteratorTypeAttr, last)()]
        attributes = [AffineMapAttr(m) for m in (*maps, out_map)]
        result = self.emit(linalg.GenericOp(list(inputs), [out], Region(body), attributes, iterators, [out.type]))
        self.values.append(result)
        return result

    def module(self, *returned: SSAValue) -> ModuleOp:
        self.block.add_op(func.ReturnOp(*returned))
        types = [a.type for a in self.block.args], [v.type for v in returned]
        return ModuleOp([func.FuncOp("main", types, Region(self.block))])


def sizes(block: Block) -> list[int]:
    return [len(g.members) for g in form_groups(block)]


def test_softmax_is_one_group() -> None:
    p = Program()
    x = p.values[0]
    top = p.reduction(x)
    exp = p.elementwise(x, top)
    p.elementwise(exp, p.elementwise(p.reduction(exp)))
    (group,) = form_groups(p.block)
    assert group.rowwise and group.outer == (ROWS,) and group.inner == (COLUMNS,)


def test_a_producer_of_the_row_joins_its_reduction() -> None:
    p = Program()
    p.reduction(p.elementwise(p.values[0]))
    assert sizes(p.block) == [2]


def test_elementwise_alone_forms_no_row() -> None:
    p = Program()
    a = p.elementwise(p.values[0])
    p.elementwise(a, a)
    assert sizes(p.block) == [1, 1]  # chains are fuse_elementwise's business


def test_a_reader_across_rows_stays_out() -> None:
    p = Program()
    row = p.reduction(p.values[0])
    body = Block(arg_types=[f32, f32])
    body.add_op(linalg.YieldOp(body.args[0]))
    first_only = AffineMap(2, 0, (AffineConstantExpr(0), AffineConstantExpr(0)))
    p.generic([row], [first_only], p.emit(tensor.EmptyOp([], FULL)), WHOLE, body, "parallel")
    assert sizes(p.block) == [1, 1]


def test_a_group_that_would_need_itself_is_not_formed() -> None:
    # middle reads the sum across rows, last reads both: sum and last in one kernel would leave middle nowhere to run.
    p = Program()
    total = p.reduction(p.values[0])
    body = Block(arg_types=[f32, f32])
    body.add_op(linalg.YieldOp(body.args[0]))
    first_only = AffineMap(2, 0, (AffineConstantExpr(0), AffineConstantExpr(0)))
    middle = p.generic([total], [first_only], p.emit(tensor.EmptyOp([], FULL)), WHOLE, body, "parallel")
    last = p.elementwise(middle, total)
    groups = form_groups(p.block)
    of = {op: n for n, g in enumerate(groups) for op in g.members}
    assert of[total.owner] != of[last.owner]  # type: ignore[index]


def test_loops_of_extent_one_do_not_count() -> None:
    p = Program()
    row = p.elementwise(p.reduction(p.values[0]))
    space = space_of(row.owner)  # type: ignore[arg-type]
    assert space is not None and space.outer == (ROWS,) and space.loops == (0,)


steps = st.lists(st.tuples(st.sampled_from(["elementwise", "reduction"]), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=14)


@settings(max_examples=150, deadline=None)
@given(steps, st.booleans(), st.data())
def test_any_program_can_be_scheduled(drawn: list[tuple[str, int, int]], fuse: bool, data: st.DataObject) -> None:
    p = Program(2)
    for kind, a, b in drawn:
        first, second = p.values[a % len(p.values)], p.values[b % len(p.values)]
        if kind == "reduction" and first.type == FULL:
            p.reduction(first)
        else:
            p.elementwise(first, second)
    made = p.values[2:]
    returned = data.draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique=True))
    module = p.module(*dict.fromkeys([*returned, made[-1]]))
    if fuse:
        FuseElementwise().apply(Context(), module)
    FormDispatches().apply(Context(), module)
    module.verify()
    check_dominance(module)
    main = next(iter(module.ops))
    assert not any(isinstance(op, linalg.GenericOp) for op in main.walk())
