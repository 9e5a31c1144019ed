"""Sequences and optionals: building, reading, splitting, joining."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from typing_extensions import override
from xdsl.dialects.builtin import TensorType, UnrankedTensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import operand_def, opt_operand_def, result_def, var_operand_def
from xdsl.utils.exceptions import VerifyException

from .base import OnnxOp, container_of, int_attr, operator, tensor, to_python, type_attr, value
from .containers import element_in, filled, join, kind_of, type_of
from .dims import Dim, Shape, ceildiv
from .shapes import Members, Shapes
from .types import ALL_IR14, ALL_TENSOR, ALL_TENSOR_BF16, BOOL, BY_NUMBER, I32, I64, OptionalType, SequenceType

POSITION = (*I32, *I64)
ANY_VALUE = ("tensor", "sequence")
ANY_OPTIONAL = ("optional", "optional_sequence")


class ScalarResultOp(OnnxOp):
    """Tells one scalar about its operand."""

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return ((),)


class SequenceResultOp(OnnxOp):
    """Makes one sequence. Subclasses say which tensors are in it."""

    def member_element(self) -> Attribute:
        """The members' element type."""
        return element_in(self.operands[0])

    def infer_members(self, shapes: Shapes) -> Members:
        """The shape that all members share."""
        raise NotImplementedError

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shapes.set_members(self.results[0], self.infer_members(shapes))
        return (None,)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (type_of("sequence", self.member_element(), shapes.members(self.results[0])),)


def require_scalar(op: OnnxOp, shapes: Shapes, position: SSAValue | None) -> None:
    """Checks a position: a scalar, or a 1-d tensor of size 1; a size that only the run knows is checked there."""
    if position is None:
        return
    shape = shapes.of(position)
    if len(shape) > 1 or any(isinstance(d, int) and d != 1 for d in shape):
        raise op.fail("ITG2160", f"position must be a scalar, but has shape {shape}")
    for d in shape:
        shapes.require_equal(op, d, 1, "the length of position and that of a scalar")


def require_same_elements(op: OnnxOp, values: Sequence[SSAValue]) -> None:
    """The specification gives sequence and member their own type variables; their element types must agree all the same."""
    elements = {element_in(v) for v in values}
    if len(elements) > 1:
        raise VerifyException(f"{op.op_type} mixes element types {' and '.join(sorted(map(str, elements)))}")


@operator(since=11)
class SequenceConstructOp(SequenceResultOp):
    """A sequence of the given tensors, in order. https://onnx.ai/onnx/operators/onnx__SequenceConstruct.html"""

    name = "onnx.SequenceConstruct"
    inputs = var_operand_def(tensor("T", ALL_TENSOR))
    output_sequence = result_def(value("S", ALL_TENSOR, "sequence"))

    @override
    def infer_members(self, shapes: Shapes) -> Members:
        return reduce(join, (shapes.of(v) for v in self.inputs), "empty")


@operator(since=11)
class SequenceEmptyOp(SequenceResultOp):
    """A sequence without members, to hold tensors of `dtype` (float32 if absent). https://onnx.ai/onnx/operators/onnx__SequenceEmpty.html"""

    name = "onnx.SequenceEmpty"
    output = result_def(value("S", ALL_TENSOR, "sequence"))
    dtype = int_attr()

    @override
    def member_element(self) -> Attribute:
        number = 1 if self.dtype is None else self.attr("dtype")
        if number not in BY_NUMBER:
            raise self.fail("ITG2161", f"dtype {number} is no element type", "use a number of TensorProto.DataType")
        return BY_NUMBER[number].ir

    @override
    def infer_members(self, shapes: Shapes) -> Members:
        return "empty"


@operator(since=11)
class SequenceInsertOp(SequenceResultOp):
    """The sequence with a tensor put in before `position`, at the end if absent. https://onnx.ai/onnx/operators/onnx__SequenceInsert.html"""

    name = "onnx.SequenceInsert"
    input_sequence = operand_def(value("S", ALL_TENSOR, "sequence"))
    member = operand_def(tensor("T", ALL_TENSOR))
    position = opt_operand_def(tensor("I", POSITION))
    output_sequence = result_def(value("S", ALL_TENSOR, "sequence"))

    @override
    def verify_(self) -> None:
        require_same_elements(self, (self.input_sequence, self.member))

    @override
    def infer_members(self, shapes: Shapes) -> Members:
        require_scalar(self, shapes, self.position)
        return join(shapes.members(self.input_sequence), shapes.of(self.member))


@operator(since=11)
class SequenceEraseOp(SequenceResultOp):
    """The sequence without the member at `position`, the last if absent. https://onnx.ai/onnx/operators/onnx__SequenceErase.html"""

    name = "onnx.SequenceErase"
    input_sequence = operand_def(value("S", ALL_TENSOR, "sequence"))
    position = opt_operand_def(tensor("I", POSITION))
    output_sequence = result_def(value("S", ALL_TENSOR, "sequence"))

    @override
    def infer_members(self, shapes: Shapes) -> Members:
        require_scalar(self, shapes, self.position)
        return shapes.members(self.input_sequence)


@operator(since=11)
class SequenceLengthOp(ScalarResultOp):
    """The number of members, a scalar. https://onnx.ai/onnx/operators/onnx__SequenceLength.html"""

    name = "onnx.SequenceLength"
    input_sequence = operand_def(value("S", ALL_TENSOR, "sequence"))
    length = result_def(tensor("I", I64))


@operator(since=11)
class SequenceAtOp(OnnxOp):
    """The member at `position`; negative positions count from the end. https://onnx.ai/onnx/operators/onnx__SequenceAt.html

    Dimensions in which members differ are known once it has run; members of differing rank are refused.
    """

    name = "onnx.SequenceAt"
    input_sequence = operand_def(value("S", ALL_TENSOR, "sequence"))
    position = operand_def(tensor("I", POSITION))
    member = result_def(tensor("T", ALL_TENSOR))

    @override
    def verify_(self) -> None:
        require_same_elements(self, (self.input_sequence, self.member))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_scalar(self, shapes, self.position)
        members = ranked_members(self, shapes, self.input_sequence)
        return (filled(members, lambda axis: shapes.result_symbol(self.member, axis)),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (element_in(self.input_sequence),)


def ranked_members(op: OnnxOp, shapes: Shapes, sequence: SSAValue) -> tuple[Dim | None, ...]:
    """The members' shape, or a ShapeError where their rank is not known."""
    members = shapes.members(sequence)
    if members == "empty":
        raise op.fail("ITG2162", "reads a sequence that is always empty")
    if members is None:
        raise op.fail("ITG2162", "the rank of the sequence's members is not known", "declare it, or give all members the same rank")
    return members


@operator(since=11)
class ConcatFromSequenceOp(OnnxOp):
    """Joins all members along `axis`, a new one if `new_axis` is 1. https://onnx.ai/onnx/operators/onnx__ConcatFromSequence.html

    Members (d0, .., a, .., dn) give (d0, .., sum a, .., dn), or (d0, .., count, .., dn) on a new axis.
    """

    name = "onnx.ConcatFromSequence"
    input_sequence = operand_def(value("S", ALL_TENSOR, "sequence"))
    concat_result = result_def(tensor("T", ALL_TENSOR))
    axis = int_attr(required=True)
    new_axis = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        members = ranked_members(self, shapes, self.input_sequence)
        new_axis, axis = self.attr("new_axis"), self.attr("axis")
        if new_axis not in (0, 1):
            raise self.fail("ITG2163", f"new_axis must be 0 or 1, but is {new_axis}")
        rank = len(members) + new_axis
        if not -rank <= axis < rank:
            raise self.fail("ITG2164", f"axis {axis} is out of range for a result of rank {rank}")
        axis %= rank
        joined = (*members[:axis], None, *members[axis + 1 - new_axis :])
        return (filled(joined, lambda i: shapes.result_symbol(self.concat_result, i)),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (element_in(self.input_sequence),)


@operator(since=24)
class SplitToSequenceOp(SequenceResultOp):
    """Cuts a tensor along `axis` into a sequence of pieces. https://onnx.ai/onnx/operators/onnx__SplitToSequence.html

    `split` is a scalar piece length (the last piece may be shorter) or the list of lengths, which sum to the dimension. Without
    it every piece is one long, and keepdims = 0 drops the axis.
    """

    name = "onnx.SplitToSequence"
    input = operand_def(tensor("T", ALL_TENSOR_BF16))
    split = opt_operand_def(tensor("I", POSITION))
    output_sequence = result_def(value("S", ALL_TENSOR_BF16, "sequence"))
    axis = int_attr(0)
    keepdims = int_attr(1)

    @override
    def infer_members(self, shapes: Shapes) -> Members:
        shape, axis = shapes.of(self.input), self.attr("axis")
        if not -len(shape) <= axis < len(shape):
            raise self.fail("ITG2164", f"axis {axis} is out of range for rank {len(shape)}")
        axis %= len(shape)
        if self.split is None:
            piece = (1,) if self.attr("keepdims") else ()
        else:
            piece = (self._piece(shapes, shape[axis], self.split),)
        return (*shape[:axis], *piece, *shape[axis + 1 :])

    def _piece(self, shapes: Shapes, size: Dim, split: SSAValue) -> Dim | None:
        """The length all pieces share, None where they differ."""
        if shapes.rank(split) > 1:
            raise self.fail("ITG2165", f"split must be a scalar or 1-d, but has shape {shapes.of(split)}")
        lengths = shapes.ints(split)
        if lengths is None:
            return None
        scalar = shapes.rank(split) == 0
        if any(n < 0 or (scalar and n == 0) for n in lengths):
            raise self.fail("ITG2165", f"split lengths must be positive, but are {list(lengths)}")
        if scalar:
            (length,) = lengths
            if isinstance(size, int) and size <= length:
                return size if size else None
            return length if isinstance(size, int) and ceildiv(size, length) * length == size else None
        if isinstance(size, int) and sum(lengths) != size:
            raise self.fail("ITG2165", f"split lengths {list(lengths)} sum to {sum(lengths)}, but the dimension is {size}")
        return lengths[0] if len(set(lengths)) == 1 else None


@operator(since=28)
class OptionalOp(OnnxOp):
    """Wraps a value, or makes an empty optional of the type `type`. https://onnx.ai/onnx/operators/onnx__Optional.html"""

    name = "onnx.Optional"
    input = opt_operand_def(value("V", ALL_IR14, *ANY_VALUE))
    output = result_def(value("O", ALL_IR14, *ANY_OPTIONAL))
    type = type_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        if self.input is not None:
            content = shapes.of(self.input) if kind_of(self.input) == "tensor" else shapes.members(self.input)
            shapes.set_members(self.output, content)
        return (None,)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        if self.input is not None:
            return (
                type_of(f"optional_{kind_of(self.input)}".removesuffix("_tensor"), element_in(self.input), shapes.members(self.output)),
            )
        content = to_python(self.type)
        if not isinstance(content, TensorType | UnrankedTensorType | SequenceType):
            raise self.fail("ITG2166", "needs an input, or the attribute `type` with a tensor or sequence type")
        return (OptionalType(content),)


@operator(since=28)
class OptionalGetElementOp(OnnxOp):
    """The content of an optional, or a tensor or sequence as it is. https://onnx.ai/onnx/operators/onnx__OptionalGetElement.html"""

    name = "onnx.OptionalGetElement"
    input = operand_def(value("O", ALL_IR14, *ANY_VALUE, *ANY_OPTIONAL))
    output = result_def(value("V", ALL_IR14, *ANY_VALUE))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        if kind_of(self.input) == "tensor":
            return (shapes.of(self.input),)
        members = shapes.members(self.input)
        if kind_of(self.input).endswith("sequence"):
            shapes.set_members(self.output, members)
            return (None,)
        if not isinstance(members, tuple):
            raise self.fail("ITG2162", "the rank of the optional's content is not known", "declare it in the model")
        return (filled(members, lambda axis: shapes.result_symbol(self.output, axis)),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        kind, element = container_of(self.input.type)
        return (type_of("sequence", element, shapes.members(self.output)) if kind.endswith("sequence") else element,)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return (shapes.contents(self.input) if kind_of(self.input) == "tensor" else None,)


@operator(since=28)
class OptionalHasElementOp(ScalarResultOp):
    """Whether an optional holds something, a scalar. https://onnx.ai/onnx/operators/onnx__OptionalHasElement.html"""

    name = "onnx.OptionalHasElement"
    input = opt_operand_def(value("O", ALL_IR14, *ANY_VALUE, *ANY_OPTIONAL))
    output = result_def(tensor("B", BOOL))

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        if self.input is None:
            return (0,)
        return (1,) if kind_of(self.input) in ANY_VALUE else ()
