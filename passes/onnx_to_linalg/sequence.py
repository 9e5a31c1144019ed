"""Sequences and optionals: lists of the host program, whose items are read, added, taken out, joined and made by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, TensorType
from xdsl.ir import SSAValue

from ...dialects import lists
from ...dialects.kernel import Array, Out, Size, check, kernel
from ...dialects.onnx import sequence as ops
from ...dialects.onnx.containers import kind_of
from ...dialects.onnx.control import SequenceMapOp
from ...dialects.onnx.dims import Dim, product
from ..scalar import BOOL, INDEX, INT64, ScalarBuilder, storage
from .builder import List, Lowering, Tensor, element_type
from .guards import require_not_zero
from .lists import append, empty, insert, length, take, unwrap
from .lower import lower_block
from .registry import lower
from .rounds import Rounds
from .texts import tied as tied_row
from .trace import Index


def position_in(b: Lowering, x: List, position: Tensor | None, *, otherwise: int, end: bool) -> SSAValue:
    """A position as an index in range; negative ones count from the end, and where it is absent it is the end, less `otherwise`.

    end: whether the end itself is a position. The run ends with ITG5001 for one that is out of range.
    """
    count = length(b, x)
    s = ScalarBuilder(b.block)
    size = s.wrap(count, INDEX)
    if position is None:
        place = size - otherwise
    else:
        given = s.wrap(b.host_scalar(position).value, INDEX)
        place = s.select(given < 0, given + size, given)
    inside = (place >= 0) & (place <= size if end else place < size)
    b.require(inside.value, "ITG5001", "the position is outside of the sequence")
    return place.value


def count_tensor(b: Lowering, count: SSAValue, result: SSAValue) -> Tensor:
    """A host index as a tensor of one element, as the result of an operator."""
    return b.compute(b.shapes.of(result), INT64, lambda *_: b.s.cast(Index.value(b.trace, count).to_scalar(), INT64))


# -- sequences


@lower(ops.SequenceConstructOp)
def construct(b: Lowering, op: ops.SequenceConstructOp, inputs: list[Tensor]) -> List:
    found = empty(b)
    for item in inputs:
        found = append(b, found, item)
    return found


@lower(ops.SequenceEmptyOp)
def sequence_empty(b: Lowering, op: ops.SequenceEmptyOp) -> List:
    return empty(b)


@lower(ops.SequenceInsertOp)
def sequence_insert(b: Lowering, op: ops.SequenceInsertOp, sequence: List, item: Tensor, position: Tensor | None) -> List:
    return insert(b, sequence, position_in(b, sequence, position, otherwise=0, end=True), item)


@lower(ops.SequenceEraseOp)
def sequence_erase(b: Lowering, op: ops.SequenceEraseOp, sequence: List, position: Tensor | None) -> List:
    return List(b.emit(lists.EraseOp(sequence.value, position_in(b, sequence, position, otherwise=1, end=False))))


@lower(ops.SequenceLengthOp)
def sequence_length(b: Lowering, op: ops.SequenceLengthOp, sequence: List) -> Tensor:
    return count_tensor(b, length(b, sequence), op.length)


@lower(ops.SequenceAtOp)
def sequence_at(b: Lowering, op: ops.SequenceAtOp, sequence: List, position: Tensor) -> Tensor | List:
    return take(b, sequence, position_in(b, sequence, position, otherwise=1, end=False), op.member)


@kernel
def join(flat: Array, lengths: Array, y: Out):
    """Items (outer, lengths[k], inner) that lie one after the other, joined into (outer, sum of lengths, inner)."""
    begin = 0
    first = 0
    for k in range(lengths.size):
        size = lengths[k]
        for o in range(y.shape[0]):
            for i in range(size):
                for j in range(y.shape[2]):
                    y[o, first + i, j] = flat[begin + (o * size + i) * y.shape[2] + j]
        begin += y.shape[0] * size * y.shape[2]
        first += size


@lower(ops.ConcatFromSequenceOp)
def concat_from_sequence(b: Lowering, op: ops.ConcatFromSequenceOp, sequence: List) -> Tensor:
    result, stacked = op.concat_result, bool(op.attr("new_axis"))
    shape, type = b.shapes.of(result), element_type(result)
    axis = op.attr("axis") % len(shape)
    rank = len(shape) - stacked
    flat_type, lengths_type = (TensorType(storage(t), [DYNAMIC_INDEX]) for t in (type, INT64))
    joined = lists.JoinOp(sequence.value, -1 if stacked else axis, type.stored.itemsize, (flat_type, lengths_type), rank)
    b.emit(joined)
    count = b.new_dim(length(b, sequence))
    found: list[SSAValue] = list(joined.dims)
    if stacked:
        found.insert(axis, b.dim(count))
    _settle(b, result, found)
    flat = tied_row(b, joined.flat, product(shape), type)
    lengths = tied_row(b, joined.lengths, count, INT64)
    whole = (product(shape[:axis]), shape[axis], product(shape[axis + 1 :]))
    (y,) = b.kernel(join, {"flat": flat, "lengths": lengths, "y": (whole, type)})
    return b.reshape(y, shape)


def _settle(b: Lowering, result: SSAValue, found: Sequence[SSAValue]) -> None:
    """Defines the sizes of a result that only the run tells; the others must be as found."""
    for axis, (d, value) in enumerate(zip(b.shapes.of(result), found, strict=True)):
        if not isinstance(d, int) and d == b.shapes.result_symbol(result, axis):
            b.define_result_dim(result, axis, value)
            continue
        s = ScalarBuilder(b.block)
        same = s.wrap(value, INDEX).equals(s.wrap(b.dim(d), INDEX))
        b.require(same.value, "ITG5065", f"dimension {axis} of what is joined must be {d}")


@kernel
def sum_lengths(lengths: Array, size: Size, starts: Out):
    """Where each piece begins, and last where they end, which must be `size`; no length may be negative."""
    at = 0
    for k in range(lengths.size):
        check(lengths[k] >= 0, "ITG5004")
        starts[k] = at
        at += max(int(lengths[k]), 0)
    starts[lengths.size] = at
    check(at == size, "ITG5004")


@lower(ops.SplitToSequenceOp)
def split_to_sequence(b: Lowering, op: ops.SplitToSequenceOp, x: Tensor, split: Tensor | None) -> List:
    axis = op.attr("axis") % x.rank
    size = x.shape[axis]
    if split is not None and split.rank == 1:
        return _split_by_lengths(b, x, axis, split)
    if split is None:
        return _pieces(b, x, axis, 1, drop=not op.attr("keepdims"))
    assert op.split is not None
    (length_,) = b.shapes.elements(op.split)
    require_not_zero(b, length_, "the length of a piece")
    s = ScalarBuilder(b.block)
    piece = s.wrap(b.dim(length_), INDEX)
    b.require((piece > 0).value, "ITG5004", f"the length of a piece must be positive, not {length_}")
    return _pieces(b, x, axis, length_, drop=False) if size != 0 else empty(b)


def _pieces(b: Lowering, x: Tensor, axis: int, length_: Dim, *, drop: bool) -> List:
    """Pieces of one length along an axis, the last of which may be shorter."""
    size = b.dim(x.shape[axis])
    step = b.dim(length_)
    rounds = Rounds(b)
    found, start = rounds.carry(empty(b).value), rounds.carry(b.dim(0))

    def body(state: Sequence[SSAValue]) -> dict[int, SSAValue]:
        s = ScalarBuilder(b.block)
        begin = s.wrap(state[start], INDEX)
        share = s.min(s.wrap(size, INDEX) - begin, s.wrap(step, INDEX))
        part = _part(b, x, axis, begin.value, None if drop else b.new_dim(share.value))
        after = b.emit(arith.AddiOp(begin.value, share.value))
        return {found: append(b, List(state[found]), part).value, start: after}

    state = rounds.run(lambda state: b.emit(arith.CmpiOp(state[start], size, "slt")), body)
    return List(state[found])


def _split_by_lengths(b: Lowering, x: Tensor, axis: int, split: Tensor) -> List:
    lengths = b.cast(split, INT64)
    (starts,) = b.kernel(sum_lengths, {"lengths": lengths, "starts": ((split.shape[0] + 1,), INT64)}, sizes=[x.shape[axis]])
    count = b.dim(split.shape[0])
    rounds = Rounds(b)
    found = rounds.carry(empty(b).value)

    def body(state: Sequence[SSAValue]) -> dict[int, SSAValue]:
        here = state[Rounds.COUNT]
        begin = _element(b, starts, here)
        end = _element(b, starts, b.emit(arith.AddiOp(here, b.dim(1))))
        share = b.new_dim(b.emit(arith.SubiOp(end, begin)))
        return {found: append(b, List(state[found]), _part(b, x, axis, begin, share)).value}

    state = rounds.run(lambda state: b.emit(arith.CmpiOp(state[Rounds.COUNT], count, "slt")), body)
    return List(state[found])


def _element(b: Lowering, x: Tensor, index: SSAValue) -> SSAValue:
    """An element of a row of int64, read by the host."""
    s = ScalarBuilder(b.block)
    return s.cast(s.wrap(b.emit(tensor.ExtractOp(x.value, [index], x.value.type.element_type)), INT64), INDEX).value  # pyright: ignore


def _part(b: Lowering, x: Tensor, axis: int, begin: SSAValue, size: Dim | None) -> Tensor:
    """The slice of x of that size along an axis; for None the one there, without the axis."""
    shape = (*x.shape[:axis], *(() if size is None else (size,)), *x.shape[axis + 1 :])

    def element(*i: Any) -> Any:
        along = Index.value(b.trace, begin)
        inner = along if size is None else along + i[axis]
        return x[(*i[:axis], inner, *i[axis if size is None else axis + 1 :])]

    return b.compute(shape, x.type, element, doc="piece")


@lower(SequenceMapOp)
def sequence_map(b: Lowering, op: SequenceMapOp, sequence: List, additional: list[Tensor | List]) -> tuple[List, ...]:
    count = length(b, sequence)
    for other in additional:
        if isinstance(other, List):
            s = ScalarBuilder(b.block)
            same = s.wrap(length(b, other), INDEX).equals(s.wrap(count, INDEX))
            b.require(same.value, "ITG5002", "the sequences must be of one length")
    rounds = Rounds(b)
    found = [rounds.carry(empty(b).value) for _ in op.out_sequence]
    arguments = op.block("body").args

    def body(state: Sequence[SSAValue]) -> dict[int, SSAValue]:
        for argument, value in zip(arguments, (sequence, *additional), strict=True):
            b.values[argument] = take(b, value, state[Rounds.COUNT], argument) if isinstance(value, List) else value
        lower_block(b, op.block("body"))
        parts = [b.values[v] for v in op.yielded("body")]
        return {place: append(b, List(state[place]), part).value for place, part in zip(found, parts, strict=True)}

    state = rounds.run(lambda state: b.emit(arith.CmpiOp(state[Rounds.COUNT], count, "slt")), body)
    return tuple(List(state[place]) for place in found)


# -- optionals


@lower(ops.OptionalOp)
def optional(b: Lowering, op: ops.OptionalOp, content: Tensor | List | None) -> List:
    return empty(b) if content is None else append(b, empty(b), content)


@lower(ops.OptionalHasElementOp)
def optional_has_element(b: Lowering, op: ops.OptionalHasElementOp, x: Tensor | List | None) -> Tensor:
    if op.input is None or not kind_of(op.input).startswith("optional"):
        return b.compute((), BOOL, lambda: b.s.const(op.input is not None, BOOL))
    assert isinstance(x, List)
    count = length(b, x)
    return b.compute((), BOOL, lambda: Index.value(b.trace, count).to_scalar() > 0)


@lower(ops.OptionalGetElementOp)
def optional_get_element(b: Lowering, op: ops.OptionalGetElementOp, x: Tensor | List) -> Tensor | List:
    if not kind_of(op.input).startswith("optional"):
        return x
    assert isinstance(x, List)
    return unwrap(b, x, op.output)
