"""Control flow: branches become scf.if and loops scf.while of the host program, their bodies lowered in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import IntegerAttr, TensorType, i1
from xdsl.ir import SSAValue

from ...dialects import dispatch
from ...dialects.guard import RequireOp
from ...dialects.onnx.control import IfOp, LoopOp, RegionOp, ScanOp
from ...dialects.onnx.dims import Shape, SymDim
from ...dialects.onnx.types import OptionalType
from ..scalar import BOOL, INDEX, INT64, ScalarBuilder
from .builder import List, Lowering, Tensor, element_type
from .lists import append, empty, unwrap
from .lower import lower_block
from .registry import lower
from .rounds import Rounds, as_shape, tied
from .trace import Index

MAX_ROUNDS = 2**31
"""Of a loop without a trip count; a round takes some 50 ns at least, so that all of them take minutes."""


@lower(IfOp)
def if_(b: Lowering, op: IfOp, cond: Tensor) -> tuple[Tensor | List, ...]:
    taken = op.taken(b.shapes)
    if len(taken) == 1:
        results = _branch(b, op, taken[0])
        return _arrive(b, op.outputs, results)
    values = b.if_(b.host_scalar(cond).value, lambda: _branch(b, op, "then_branch"), lambda: _branch(b, op, "else_branch"))
    return _arrive(b, op.outputs, values)


@lower(RequireOp)
def require(b: Lowering, op: RequireOp, cond: Tensor) -> tuple[()]:
    held = b.host_scalar(cond).equals(bool(op.attr("holds")))
    b.require(held.value, op.attr("code"), op.attr("message"))
    return ()


def _branch(b: Lowering, op: IfOp, name: str) -> list[SSAValue]:
    """Lowers a branch into the current block; returns its values, as the results' types have them, and the tensors' fresh sizes."""
    lower_block(b, op.block(name))
    inner = [b.values[v] for v in op.yielded(name)]
    typed = [v.value if isinstance(v, List) else as_shape(b, v, b.shapes.of(r)) for v, r in zip(inner, op.outputs, strict=True)]
    sizes = [b.dim(t.shape[axis]) for t, r in zip(inner, op.outputs, strict=True) for axis in _fresh_axes(b, r)]
    return [*typed, *sizes]


def _arrive(b: Lowering, results: Sequence[SSAValue], values: Sequence[SSAValue]) -> tuple[Tensor | List, ...]:
    """The results of an operator with regions, from their values and then the tensors' fresh sizes."""
    arrived, sizes = values[: len(results)], iter(values[len(results) :])
    for r in results:
        for axis in _fresh_axes(b, r):
            b.define_result_dim(r, axis, next(sizes))
    return tuple(tied(b, v, b.shapes.of(r), r) if _is_tensor(r) else List(v) for v, r in zip(arrived, results, strict=True))


def _is_tensor(value: SSAValue) -> bool:
    return isinstance(value.type, TensorType)


def _fresh_axes(b: Lowering, result: SSAValue) -> list[int]:
    """The axes whose size only running the operator tells."""
    if not _is_tensor(result):
        return []
    shape = b.shapes.of(result)
    return [axis for axis, d in enumerate(shape) if isinstance(d, SymDim) and d == b.shapes.result_symbol(result, axis)]


class _Variable:
    """A tensor carried from round to round: `argument` in the body, `result` after it; sizes that vary are carried beside it."""

    def __init__(self, rounds: Rounds, argument: SSAValue, start: Tensor, result: SSAValue) -> None:
        b = rounds.b
        self.b, self.argument, self.result = b, argument, result
        self.shape = b.shapes.of(argument)
        varying = [b.shapes.fresh_argument_dim(argument, axis) for axis in range(len(self.shape))]
        # Sizes that stay are worked out before the loop: they tell that the tensor can keep its place.
        b.dims(tuple(d for d, v in zip(self.shape, varying, strict=True) if d != v))
        self.tensor = rounds.carry(as_shape(b, start, self.shape))
        self.sizes = {axis: rounds.carry(b.dim(start.shape[axis])) for axis, v in enumerate(varying) if self.shape[axis] == v}

    def enter(self, state: Sequence[SSAValue]) -> None:
        for axis, position in self.sizes.items():
            self.b.define_symbol(str(self.shape[axis]), state[position])
        self.b.values[self.argument] = tied(self.b, state[self.tensor], self.shape, self.argument)

    def follow(self, after: Tensor, source: SSAValue) -> dict[int, SSAValue]:
        sizes = {position: self.b.dim(after.shape[axis]) for axis, position in self.sizes.items()}
        return {self.tensor: as_shape(self.b, after, self.shape), **sizes}

    def leave(self, state: Sequence[SSAValue]) -> Tensor:
        for axis, position in self.sizes.items():
            self.b.define_result_dim(self.result, axis, state[position])
        return tied(self.b, state[self.tensor], self.b.shapes.of(self.result), self.result)


class _ListVariable:
    """A sequence or an optional carried from round to round.

    A body may take an optional and give what it holds: then that is wrapped for the next round, and unwrapped at the end.
    """

    def __init__(self, rounds: Rounds, argument: SSAValue, start: Tensor | List, source: SSAValue, result: SSAValue) -> None:
        self.b, self.argument, self.result = rounds.b, argument, result
        self.place = rounds.carry(self._as(argument, start, source).value)

    def enter(self, state: Sequence[SSAValue]) -> None:
        self.b.values[self.argument] = List(state[self.place])

    def follow(self, after: Tensor | List, source: SSAValue) -> dict[int, SSAValue]:
        return {self.place: self._as(self.argument, after, source).value}

    def leave(self, state: Sequence[SSAValue]) -> Tensor | List:
        last = List(state[self.place])
        return unwrap(self.b, last, self.result) if _is_optional(self.argument) and not _is_optional(self.result) else last

    def _as(self, wanted: SSAValue, value: Tensor | List, source: SSAValue) -> List:
        if _is_optional(wanted) and not _is_optional(source):
            return append(self.b, empty(self.b), value)
        assert isinstance(value, List)
        return value


def _is_optional(value: SSAValue) -> bool:
    return isinstance(value.type, OptionalType)


def _variable(
    rounds: Rounds, argument: SSAValue, start: Tensor | List, source: SSAValue, result: SSAValue
) -> _Variable | _ListVariable:
    if isinstance(argument.type, TensorType) and isinstance(start, Tensor):
        return _Variable(rounds, argument, start, result)
    return _ListVariable(rounds, argument, start, source, result)


class _Stack:
    """A scan output, one part a round along its leading axis: in place where its size is known before the loop, else appended.

    `axis` is where the result has the leading axis of the stack; `reverse` puts the last round first; `untold` is the number of rounds
    where only running them tells it.
    """

    def __init__(self, rounds: Rounds, result: SSAValue, axis: int = 0, reverse: bool = False, untold: SymDim | None = None) -> None:
        b = rounds.b
        self.b, self.result, self.reverse = b, result, reverse
        whole = b.shapes.of(result)
        self.axes = (axis, *(a for a in range(len(whole)) if a != axis))
        self.shape = tuple(whole[a] for a in self.axes)
        fresh = _fresh_axes(b, result)
        self.fresh = [k for k, a in enumerate(self.axes) if a in fresh or (k == 0 and whole[a] == untold)]
        nothing = b.dim(0)
        dims = [nothing if k in self.fresh else b.dim(d) for k, d in enumerate(self.shape) if isinstance(d, SymDim)]
        self.tensor = rounds.carry(b.emit(tensor.EmptyOp(dims, b.tensor_type(self.shape, element_type(result)))))
        self.room = rounds.carry(nothing) if self.fresh else None
        self.sizes = {k: rounds.carry(nothing) for k in self.fresh if k != 0}

    def add(self, state: Sequence[SSAValue], part: Tensor) -> dict[int, SSAValue]:
        b, count = self.b, state[Rounds.COUNT]
        if self.room is None:
            target = tied(b, state[self.tensor], self.shape, self.result).value
            place = _from_end(b, self.shape[0], count) if self.reverse else count
            return {self.tensor: b.emit(dispatch.InsertOp(part.value, target, place))}
        sizes = {k: b.dim(part.shape[k - 1]) for k in self.sizes}
        self._require_same(state, sizes)
        here, grown = self._dims(count, sizes), self._dims(b.emit(arith.AddiOp(count, b.dim(1))), sizes)
        target = b.emit(dispatch.TieShapeOp(state[self.tensor], here))
        appended = dispatch.AppendOp(part.value, target, count, state[self.room], grown)
        b.emit(appended)
        return {self.tensor: appended.result, self.room: appended.new_room, **{self.sizes[k]: v for k, v in sizes.items()}}

    def _dims(self, count: SSAValue, sizes: dict[int, SSAValue]) -> list[SSAValue]:
        """The dynamic dimensions of the stack when it holds `count` parts."""
        fixed_length = isinstance(self.shape[0], int)
        parts = [sizes[k] if k in sizes else self.b.dim(d) for k, d in enumerate(self.shape) if k > 0 and isinstance(d, SymDim)]
        return parts if fixed_length else [count, *parts]

    def _require_same(self, state: Sequence[SSAValue], sizes: dict[int, SSAValue]) -> None:
        s = ScalarBuilder(self.b.block)
        first = s.wrap(state[Rounds.COUNT], INDEX).equals(0)
        for k, size in sizes.items():
            same = s.wrap(size, INDEX).equals(s.wrap(state[self.sizes[k]], INDEX))
            self.b.require((first | same).value, "ITG5040", f"dimension {k - 1} of a scan output's part must stay the same")

    def leave(self, state: Sequence[SSAValue]) -> Tensor:
        b = self.b
        for k in self.fresh:
            b.define_result_dim(self.result, self.axes[k], state[self.sizes[k] if k else Rounds.COUNT])
        stack = tied(b, state[self.tensor], self.shape, self.result)
        if self.reverse and self.room is not None:
            forward = stack
            stack = b.compute(self.shape, stack.type, lambda i, *rest: forward[(b.index(self.shape[0]) - 1 - i, *rest)])
        return b.transpose(stack, np.argsort(self.axes).tolist()) if self.axes[0] else stack


def _from_end(b: Lowering, size: int | SymDim, index: SSAValue) -> SSAValue:
    """The index that is as far from the end as `index` from the start."""
    return b.emit(arith.SubiOp(b.emit(arith.SubiOp(b.dim(size), b.dim(1))), index))


def _finish_round(
    b: Lowering,
    state: Sequence[SSAValue],
    inner: Sequence[SSAValue],
    variables: Sequence[_Variable | _ListVariable],
    stacks: Sequence[_Stack],
) -> dict[int, SSAValue]:
    """The carried values after the body: `inner` are its results, variables first."""
    following: dict[int, SSAValue] = {}
    for part, value in zip((*variables, *stacks), inner, strict=True):
        after = b.values[value]
        if isinstance(part, _Stack):
            following |= part.add(state, after)
        else:
            following |= part.follow(after, value)
    return following


@lower(LoopOp)
def loop(b: Lowering, op: LoopOp, max_trips: Tensor | None, cond: Tensor | None, v_initial: list[Any]) -> tuple[Tensor | List, ...]:
    counter, condition, *arguments = op.block("body").args
    results = op.v_final_and_scan_outputs
    trips = None if op.max_trips is None else b.dim(b.shapes.elements(op.max_trips)[0])
    rounds = Rounds(b)
    # Without M and without a condition only the body's own can ever end the loop.
    endless = max_trips is None and cond is None
    watched = endless or not op.runs_to_the_end(b.shapes)
    going = rounds.carry(_starts(b, op, cond)) if watched or cond is not None else None
    variables = [_variable(rounds, *v) for v in zip(arguments, v_initial, op.v_initial, results, strict=False)]
    scanned = results[len(variables) :]
    untold = b.shapes.result_symbol(scanned[0], 0) if scanned else None
    stacks = [_Stack(rounds, r, untold=untold) for r in scanned]

    def goes_on(state: Sequence[SSAValue]) -> SSAValue:
        if trips is None:
            assert going is not None  # without M the condition is carried
            return state[going]
        more = b.emit(arith.CmpiOp(state[Rounds.COUNT], trips, "slt"))
        return more if going is None else b.emit(arith.AndIOp(more, state[going]))

    def body(state: Sequence[SSAValue]) -> dict[int, SSAValue]:
        _enter_counter(b, counter, state[Rounds.COUNT])
        b.values[condition] = b.constant(np.ones(_static(b.shapes.of(condition)), bool), BOOL)  # else the body would not run
        for v in variables:
            v.enter(state)
        lower_block(b, op.block("body"))
        again, *inner = op.yielded("body")
        if trips is None or _is_no_bound(b, op):
            _require_an_end(b, state[Rounds.COUNT])
        following = _finish_round(b, state, inner, variables, stacks)
        if going is not None and watched:
            following[going] = b.host_scalar(b.values[again]).value
        return following

    state = rounds.run(goes_on, body)
    return tuple(part.leave(state) for part in (*variables, *stacks))


def _is_no_bound(b: Lowering, op: LoopOp) -> bool:
    """Whether the trip count is such as exporters write where there is none."""
    known = b.shapes.ints(op.max_trips)
    return known is not None and known[0] >= 1 << 62


def _require_an_end(b: Lowering, rounds: SSAValue) -> None:
    """Without a trip count only the body can end a loop: one that never does so ends with an error, not with the process."""
    below = b.emit(arith.CmpiOp(rounds, b.dim(MAX_ROUNDS), "slt"))
    b.require(below, "ITG5009", "the loop has no trip count, and has not ended in round {}", rounds)


def _starts(b: Lowering, op: LoopOp, cond: Tensor | None) -> SSAValue:
    """Whether the first round may run, as far as `cond` says."""
    known = b.shapes.constant(op.cond)
    if cond is None or known is not None:
        return b.emit(arith.ConstantOp(IntegerAttr(int(known is None or bool(known.all())), i1)))
    return b.host_scalar(cond).value


def _enter_counter(b: Lowering, counter: SSAValue, count: SSAValue) -> None:
    """Gives the body its iteration number, as a tensor and as what a size may depend on."""
    (size,) = b.shapes.elements(counter)
    if isinstance(size, SymDim):
        b.define_symbol(str(size), count)
    b.values[counter] = b.compute(b.shapes.of(counter), INT64, lambda *_: b.s.cast(Index.value(b.trace, count).to_scalar(), INT64))


def _static(shape: Shape) -> tuple[int, ...]:
    return tuple(d for d in shape if isinstance(d, int))


@lower(ScanOp)
def scan(b: Lowering, op: ScanOp, operands: list[Tensor]) -> tuple[Tensor, ...]:
    n, results = op.states, op.final_state_and_scan_outputs
    arguments = op.block("body").args
    scanned = [_lead_with(b, x, axis) for x, axis in zip(operands[n:], _listed(op, "scan_input_axes", len(operands) - n), strict=True)]
    backwards = _listed(op, "scan_input_directions", len(scanned))
    trips = scanned[0].shape[0]
    last = b.dim(trips)
    rounds = Rounds(b)
    variables = [_Variable(rounds, a, s, r) for a, s, r in zip(arguments[:n], operands[:n], results[:n], strict=True)]
    parts = results[n:]
    axes = [a % len(b.shapes.of(r)) for a, r in zip(_listed(op, "scan_output_axes", len(parts)), parts, strict=True)]
    directions = _listed(op, "scan_output_directions", len(parts))
    stacks = [_Stack(rounds, r, a, bool(d)) for r, a, d in zip(parts, axes, directions, strict=True)]

    def body(state: Sequence[SSAValue]) -> dict[int, SSAValue]:
        count = state[Rounds.COUNT]
        for v in variables:
            v.enter(state)
        for x, argument, backward in zip(scanned, arguments[n:], backwards, strict=True):
            place = _from_end(b, trips, count) if backward else count
            b.values[argument] = b.slab(x, place)
        lower_block(b, op.block("body"))
        return _finish_round(b, state, op.yielded("body"), variables, stacks)

    state = rounds.run(lambda state: b.emit(arith.CmpiOp(state[Rounds.COUNT], last, "slt")), body)
    return tuple(part.leave(state) for part in (*variables, *stacks))


def _listed(op: RegionOp, name: str, count: int) -> Sequence[int]:
    """An attribute with one number for each of `count` inputs or outputs; all are 0 where it is absent."""
    return op.attr(name) or (0,) * count


def _lead_with(b: Lowering, x: Tensor, axis: int) -> Tensor:
    """The tensor with that axis moved to the front, so that the parts along it are contiguous."""
    axis %= x.rank
    return b.transpose(x, [axis, *(a for a in range(x.rank) if a != axis)]) if axis else x
