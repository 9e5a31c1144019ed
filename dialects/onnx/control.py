"""Control flow: operators whose subgraphs are regions, and the terminator of those regions.

Inference gives the block arguments their shapes, infers the region's operations and joins what leaves it. A dimension that
differs between branches or iterations, or that only means something inside, leaves as a symbol of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import TensorType, i1, i64
from xdsl.ir import Attribute, Block, BlockArgument, Operation, Region, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import IsTerminator
from xdsl.utils.exceptions import VerifyException

from ...errors import ShapeError
from .base import OnnxOp, Typed, int_attr, ints_attr, operator, tensor, value
from .containers import element_in, escaped, filled, is_local, join, kind_of, known, type_of
from .dims import Dim, Shape, maximum
from .shapes import Members, Shapes, retype
from .types import ALL_IR13, ALL_TENSOR, ALL_TENSOR_BF16, BOOL, I64

NESTING_FOR_FIXPOINT = 3
"""Loops nested deeper than this carry shapes with every dimension unknown, so that rounds do not multiply without bound."""

ROUNDS_BEFORE_WIDENING = 3
"""After this many rounds every carried dimension counts as varying; one more round then settles."""


@irdl_op_definition
class YieldOp(IRDLOperation):
    """Ends a subgraph and names its outputs; no operator of ONNX, where a subgraph lists them."""

    name = "onnx.yield"
    values = var_operand_def(AnyAttr())
    traits = traits_def(IsTerminator())


class RegionOp(OnnxOp):
    """Base of operators with subgraphs: one block a region, ended by `onnx.yield`."""

    def expected(self) -> Sequence[tuple[str, int, int]]:
        """(region's name, number of inputs, number of outputs) of each subgraph."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises ShapeError where a subgraph's inputs or outputs do not fit the operator's."""
        for name, arguments, results in self.expected():
            block = self.block(name)
            if len(block.args) != arguments:
                raise self.fail("ITG2221", f"{name} must take {arguments} inputs, but takes {len(block.args)}")
            if len(self.yielded(name)) != results:
                raise self.fail("ITG2221", f"{name} must give {results} outputs, but gives {len(self.yielded(name))}")

    @override
    def verify_(self) -> None:
        try:
            self.check()
        except ShapeError as error:
            raise VerifyException(str(error)) from error

    def block(self, name: str) -> Block:
        """The one block of a subgraph."""
        region: Region = getattr(self, name)
        if len(region.blocks) != 1 or not isinstance(region.block.last_op, YieldOp):
            raise self.fail("ITG2220", f"{name} must be one block that ends in onnx.yield")
        return region.block

    def yielded(self, name: str) -> Sequence[SSAValue]:
        """The outputs of a subgraph."""
        last = self.block(name).last_op
        assert last is not None  # `block` made sure
        return last.operands

    def leave(self, shapes: Shapes, result: SSAValue, kind: str, members: Members) -> Shape | None:
        """What `infer_shapes` returns for a result; where it is not a tensor, `members` are recorded."""
        members = escaped(self, shapes, members)
        if kind != "tensor":
            shapes.set_members(result, members)
            return None
        if not isinstance(members, tuple):
            raise self.fail("ITG2222", f"the rank of {result.name_hint or 'a result'} differs between branches or iterations")
        return filled(members, lambda axis: shapes.result_symbol(result, axis))

    def leave_element(self, shapes: Shapes, result: SSAValue, inner: SSAValue) -> Attribute:
        """What `infer_elements` returns for a result that `inner`, a subgraph's output, becomes."""
        kind, element = kind_of(inner), element_in(inner)
        return element if kind == "tensor" else type_of(kind, element, shapes.members(result))


def enter(shapes: Shapes, argument: SSAValue, kind: str, element: Attribute, members: Members) -> None:
    """Gives a block argument its type and what is known of it; varying dimensions become its own symbols."""
    shapes.forget(argument)
    if kind == "tensor" and isinstance(members, tuple):
        members = filled(members, lambda axis: shapes.fresh_argument_dim(argument, axis))
        shapes.set(argument, members)
    else:
        shapes.set_members(argument, members)
    retype(argument, type_of(kind, element, members))


def forget_block(shapes: Shapes, block: Block) -> None:
    """Drops all that an earlier round found inside, so that nothing stale survives the next."""
    for op in block.walk():
        for result in op.results:
            shapes.forget(result)
        for region in op.regions:
            for inner in region.blocks:
                for argument in inner.args:
                    shapes.forget(argument)


def declared_scalar(argument: BlockArgument) -> Shape:
    """() or, where the subgraph declares its counter or condition so, (1,)."""
    return (1,) if isinstance(argument.type, TensorType) and argument.type.get_shape() == (1,) else ()


# Every container kind; the specification leaves a few element types out of optional sequences.
ANYTHING = Typed(
    "",
    frozenset(ALL_IR13),
    ("tensor", "sequence", "optional", "optional_sequence"),
    narrower=(("optional_sequence", frozenset(ALL_TENSOR_BF16)),),
)


@operator(since=25)
class IfOp(RegionOp):
    """The outputs of `then_branch` where the scalar `cond` is true, else those of `else_branch`.

    https://onnx.ai/onnx/operators/onnx__If.html
    Both branches must give results of the same rank, unless `cond` is known at compile time: then only the branch taken counts.
    """

    name = "onnx.If"
    cond = operand_def(tensor("B", BOOL))
    outputs = var_result_def(ANYTHING)
    then_branch = region_def()
    else_branch = region_def()

    @override
    def expected(self) -> Sequence[tuple[str, int, int]]:
        return (("then_branch", 0, len(self.outputs)), ("else_branch", 0, len(self.outputs)))

    def taken(self, shapes: Shapes) -> Sequence[str]:
        """The branches that may run."""
        cond = shapes.constant(self.cond)
        if cond is None or cond.size != 1:
            return ("then_branch", "else_branch")
        return ("then_branch",) if cond.item() else ("else_branch",)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        self.check()
        if shapes.of(self.cond) not in ((), (1,)):
            raise self.fail("ITG2223", f"cond must be a scalar, but has shape {shapes.of(self.cond)}")
        for name in self.taken(shapes):
            shapes.infer_block(self.block(name))
        return [self._result(shapes, result, inner) for result, inner in self._inner(shapes)]

    def _inner(self, shapes: Shapes) -> Iterator[tuple[SSAValue, Sequence[SSAValue]]]:
        """Each result with the values it may be."""
        return zip(self.outputs, zip(*map(self.yielded, self.taken(shapes)), strict=True), strict=True)

    def _result(self, shapes: Shapes, result: SSAValue, inner: Sequence[SSAValue]) -> Shape | None:
        types = {(kind_of(v), element_in(v)) for v in inner}
        if len(types) > 1:
            found = " and ".join(sorted(f"{kind} of {element}" for kind, element in types))
            raise self.fail("ITG2224", f"the branches give {found} for one output")
        shared: list[Members] = [escaped(self, shapes, known(shapes, v)) for v in inner]
        return self.leave(shapes, result, kind_of(inner[0]), reduce(join, shared))

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return [self.leave_element(shapes, result, inner[0]) for result, inner in self._inner(shapes)]

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return [self._contents(shapes, inner) for _, inner in self._inner(shapes)]

    def _contents(self, shapes: Shapes, inner: Sequence[SSAValue]) -> np.ndarray | None:
        """The contents of an output that is the same whichever branch runs."""
        first, *rest = (shapes.contents(v) for v in inner)
        if first is None or any(is_local(self, shapes, d) for d in first.flat):
            return None
        return first if all(c is not None and np.array_equal(c, first) for c in rest) else None


class IteratingOp(RegionOp):
    """Base of operators that run `body` again and again with values carried from one iteration to the next."""

    def nesting(self) -> int:
        """How many iterating operators stand around this one."""
        depth, parent = 0, self.parent_op()
        while parent is not None:
            depth += isinstance(parent, IteratingOp)
            parent = parent.parent_op()
        return depth

    def settle(
        self, shapes: Shapes, arguments: Sequence[SSAValue], initial: Sequence[SSAValue], following: Sequence[SSAValue]
    ) -> list[Members]:
        """Infers the body until the carried values' shapes hold for every iteration, and returns them.

        Starts at the initial shapes; what an iteration changes is taken as varying in the next round.
        """
        carried: list[Members] = [known(shapes, v) for v in initial]
        if self.nesting() >= NESTING_FOR_FIXPOINT:
            carried = [_widened(m) for m in carried]
        relations = len(shapes.relations)
        for round_ in range(2 * ROUNDS_BEFORE_WIDENING + 2):
            forget_block(shapes, self.block("body"))
            del shapes.relations[relations:]
            for argument, start, members in zip(arguments, initial, carried, strict=True):
                enter(shapes, argument, kind_of(start), element_in(start), members)
            shapes.infer_block(self.block("body"))
            after: list[Members] = [self._next(shapes, *state) for state in zip(initial, carried, following, strict=True)]
            if after == carried:
                return carried
            carried = [_widened(m) for m in after] if round_ >= ROUNDS_BEFORE_WIDENING else after
        raise self.fail("ITG2225", "the shapes of carried values do not settle")

    def _next(self, shapes: Shapes, initial: SSAValue, before: Members, following: SSAValue) -> Members:
        if element_in(initial) != element_in(following):
            raise self.fail("ITG2226", f"a carried value turns from {element_in(initial)} into {element_in(following)}")
        if (kind_of(initial) == "tensor") != (kind_of(following) == "tensor"):
            raise self.fail("ITG2226", f"a carried value turns from a {kind_of(initial)} into a {kind_of(following)}")
        after = join(before, escaped(self, shapes, known(shapes, following)))
        if kind_of(initial) == "tensor" and after is None:
            ranks = f"{len(shapes.of(initial))} to {len(shapes.of(following))}"
            raise self.fail("ITG2227", f"the rank of a carried value changes from {ranks}")
        return after


def _widened(members: Members) -> Members:
    return (None,) * len(members) if isinstance(members, tuple) else None


@operator(since=25)
class LoopOp(IteratingOp):
    """Runs `body` at most M times while its condition holds. https://onnx.ai/onnx/operators/onnx__Loop.html

    body: (iteration number, condition, carried...) -> (condition, carried..., scan outputs...). Results: the carried values after
    the last iteration, then each scan output stacked along a new leading axis, as long as the trip count.
    """

    name = "onnx.Loop"
    max_trips = opt_operand_def(tensor("I", I64))
    cond = opt_operand_def(tensor("B", BOOL))
    v_initial = var_operand_def(ANYTHING)
    v_final_and_scan_outputs = var_result_def(ANYTHING)
    body = region_def()

    @override
    def expected(self) -> Sequence[tuple[str, int, int]]:
        return (("body", 2 + len(self.v_initial), 1 + len(self.v_final_and_scan_outputs)),)

    @override
    def check(self) -> None:
        super().check()
        if len(self.v_final_and_scan_outputs) < len(self.v_initial):
            found = len(self.v_final_and_scan_outputs)
            raise self.fail("ITG2221", f"has {len(self.v_initial)} carried values, but only {found} results")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        self.check()
        for scalar in (self.max_trips, self.cond):
            if scalar is not None and shapes.of(scalar) not in ((), (1,)):
                raise self.fail("ITG2223", f"M and cond must be scalars, but one has shape {shapes.of(scalar)}")
        counter, condition, *arguments = self.block("body").args
        enter(shapes, counter, "tensor", i64, declared_scalar(counter))
        enter(shapes, condition, "tensor", i1, declared_scalar(condition))
        carried = len(self.v_initial)
        inner = self.yielded("body")[1:]
        settled = self.settle(shapes, arguments, self.v_initial, inner[:carried])
        results = self.v_final_and_scan_outputs
        final = [self.leave(shapes, r, kind_of(v), m) for r, v, m in zip(results, inner, settled, strict=False)]
        return (*final, *self._scanned(shapes, results[carried:], inner[carried:]))

    def _scanned(self, shapes: Shapes, results: Sequence[SSAValue], inner: Sequence[SSAValue]) -> list[Shape]:
        if not results:
            return []
        trips = self.trip_count(shapes, results[0])
        return [(trips, *_scanned_element(self, shapes, r, v, lambda axis: axis + 1)) for r, v in zip(results, inner, strict=True)]

    def trip_count(self, shapes: Shapes, result: SSAValue) -> Dim:
        """How often the body runs: M where nothing can stop it earlier, else what the run tells of dimension 0 of `result`."""
        start = shapes.constant(self.cond)
        if start is not None and not start.all():
            return 0
        if self.max_trips is None or not self.runs_to_the_end(shapes):
            return shapes.result_symbol(result, 0)
        return maximum(shapes.elements(self.max_trips)[0], 0)

    def runs_to_the_end(self, shapes: Shapes) -> bool:
        """Whether only M ends the loop: there is no condition, or it is always true."""
        if self.cond is None:
            return True
        if shapes.constant(self.cond) is None:
            return False
        condition = self.yielded("body")[0]
        while isinstance(owner := condition.owner, Operation) and owner.name == "onnx.Identity":
            condition = owner.operands[0]
        if condition is self.block("body").args[1]:
            return True
        known_condition = shapes.constant(condition)
        return known_condition is not None and bool(known_condition.all())

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        inner = self.yielded("body")[1:]
        return [self.leave_element(shapes, r, v) for r, v in zip(self.v_final_and_scan_outputs, inner, strict=True)]


def _scanned_element(op: RegionOp, shapes: Shapes, result: SSAValue, inner: SSAValue, axis_of: Any) -> Shape:
    """The shape of one iteration's part of a scan output; `axis_of` says where its axes stand in the whole result."""
    if kind_of(inner) != "tensor":
        raise op.fail("ITG2228", f"a scan output must be a tensor, but is a {kind_of(inner)}")
    members = escaped(op, shapes, shapes.of(inner))
    assert isinstance(members, tuple)  # a tensor of known shape
    return filled(members, lambda axis: shapes.result_symbol(result, axis_of(axis)))


@operator(since=25)
class ScanOp(IteratingOp):
    """Runs `body` over slices of its last `num_scan_inputs` inputs. https://onnx.ai/onnx/operators/onnx__Scan.html

    body: (states..., slices...) -> (states..., parts...). A slice lacks the scanned axis, whose length is the trip count and
    the same for all; each part is stacked along its `scan_output_axes` entry. States keep their shape.
    """

    name = "onnx.Scan"
    initial_state_and_scan_inputs = var_operand_def(tensor("", ALL_IR13))
    final_state_and_scan_outputs = var_result_def(tensor("", ALL_IR13))
    num_scan_inputs = int_attr(required=True)
    scan_input_axes = ints_attr()
    scan_input_directions = ints_attr()
    scan_output_axes = ints_attr()
    scan_output_directions = ints_attr()
    body = region_def()

    @override
    def expected(self) -> Sequence[tuple[str, int, int]]:
        return (("body", len(self.initial_state_and_scan_inputs), len(self.final_state_and_scan_outputs)),)

    @property
    def states(self) -> int:
        """The number of state variables."""
        return len(self.initial_state_and_scan_inputs) - self.attr("num_scan_inputs")

    @override
    def check(self) -> None:
        scanned, operands, results = self.attr("num_scan_inputs"), len(self.operands), len(self.results)
        if not 1 <= scanned <= operands:
            raise self.fail("ITG2229", f"num_scan_inputs is {scanned}, but there are {operands} inputs")
        if results < self.states:
            raise self.fail("ITG2221", f"has {self.states} states, but only {results} results")
        super().check()
        for direction, count in (("input", scanned), ("output", results - self.states)):
            for kind in ("axes", "directions"):
                given = self.attr(f"scan_{direction}_{kind}")
                if given is not None and len(given) != count:
                    raise self.fail("ITG2229", f"scan_{direction}_{kind} has {len(given)} entries for {count} scan {direction}s")
            if any(d not in (0, 1) for d in self.attr(f"scan_{direction}_directions") or ()):
                raise self.fail("ITG2229", f"scan_{direction}_directions must be 0 or 1")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        self.check()
        n = self.states
        operands, inner, results = self.initial_state_and_scan_inputs, self.yielded("body"), self.final_state_and_scan_outputs
        arguments = self.block("body").args
        trips = self._enter_slices(shapes, operands[n:], arguments[n:])
        settled = self.settle(shapes, arguments[:n], operands[:n], inner[:n])
        final = [self.leave(shapes, r, "tensor", m) for r, m in zip(results, settled, strict=False)]
        axes = self.attr("scan_output_axes") or (0,) * (len(results) - n)
        parts = [self._stacked(shapes, *part, trips) for part in zip(results[n:], inner[n:], axes, strict=True)]
        return (*final, *parts)

    def _enter_slices(self, shapes: Shapes, operands: Sequence[SSAValue], arguments: Sequence[SSAValue]) -> Dim:
        """Gives the body's slices their shapes and returns the trip count."""
        trips: Dim | None = None
        axes = self.attr("scan_input_axes") or (0,) * len(operands)
        for operand, argument, axis in zip(operands, arguments, axes, strict=True):
            shape = shapes.of(operand)
            axis = self._axis(axis, len(shape), "scan_input_axes")
            trips = shape[axis] if trips is None else shapes.require_equal(self, trips, shape[axis], "the lengths of scan inputs")
            enter(shapes, argument, "tensor", element_in(operand), (*shape[:axis], *shape[axis + 1 :]))
        assert trips is not None  # there is at least one scan input
        return trips

    def _stacked(self, shapes: Shapes, result: SSAValue, inner: SSAValue, axis: int, trips: Dim) -> Shape:
        axis = self._axis(axis, shapes.rank(inner) + 1, "scan_output_axes")
        part = _scanned_element(self, shapes, result, inner, lambda i: i + (i >= axis))
        return (*part[:axis], trips, *part[axis:])

    def _axis(self, axis: int, rank: int, what: str) -> int:
        if not -rank <= axis < rank:
            raise self.fail("ITG2164", f"{what} holds {axis}, which is out of range for rank {rank}")
        return axis % rank

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return [element_in(v) for v in self.yielded("body")]


@operator(since=17)
class SequenceMapOp(RegionOp):
    """Applies `body` to the members of sequences, one of each at a time. https://onnx.ai/onnx/operators/onnx__SequenceMap.html

    Additional inputs that are tensors are the same for every member. Each output of `body` becomes a sequence as long as the first.
    """

    name = "onnx.SequenceMap"
    input_sequence = operand_def(value("S", ALL_TENSOR, "sequence"))
    additional_inputs = var_operand_def(value("", ALL_TENSOR, "tensor", "sequence"))
    out_sequence = var_result_def(value("", ALL_TENSOR, "sequence"))
    body = region_def()

    @override
    def expected(self) -> Sequence[tuple[str, int, int]]:
        return (("body", len(self.operands), len(self.out_sequence)),)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        self.check()
        block = self.block("body")
        for operand, argument in zip(self.operands, block.args, strict=True):
            members = known(shapes, operand)
            if not isinstance(members, tuple):
                raise self.fail("ITG2162", "the rank of a sequence's members is not known", "declare it, or give all members the same rank")
            enter(shapes, argument, "tensor", element_in(operand), members)
        shapes.infer_block(block)
        for result, inner in zip(self.out_sequence, self.yielded("body"), strict=True):
            shapes.set_members(result, escaped(self, shapes, shapes.of(inner)))
        return [None] * len(self.out_sequence)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        pairs = zip(self.out_sequence, self.yielded("body"), strict=True)
        return [type_of("sequence", element_in(inner), shapes.members(result)) for result, inner in pairs]
