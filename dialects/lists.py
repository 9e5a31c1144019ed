"""The list dialect: values that hold values. A sequence, an optional (of no or one item) and a map (its keys, its values) are lists.

Lists are the host program's own, whatever the device; the operations stand on every level from linalg down to hal, where their tensors
become buffers. A list never changes: what adds an item gives a new list, which may share the old one's memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IndexType, IntegerAttr, TensorType, i64
from xdsl.ir import Attribute, Dialect, ParametrizedAttribute, SSAValue, TypeAttribute
from xdsl.irdl import (
    AnyAttr,
    AttrSizedOperandSegments,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import Pure

from .dispatch import HostOp


@irdl_attr_definition
class ListType(ParametrizedAttribute, TypeAttribute):
    """Tensors of one element type and any shapes, or lists, in order."""

    name = "list.list"


LIST = ListType()
INDEX = IndexType()


@irdl_op_definition
class EmptyOp(HostOp):
    """A list without items."""

    name = "list.empty"
    result = result_def(ListType)
    traits = traits_def(Pure())

    def __init__(self) -> None:
        super().__init__(result_types=[LIST])


@irdl_op_definition
class LengthOp(HostOp):
    """How many items there are."""

    name = "list.length"
    list = operand_def(ListType)
    result = result_def(IndexType)
    traits = traits_def(Pure())

    def __init__(self, list: SSAValue) -> None:
        super().__init__(operands=[list], result_types=[INDEX])


@irdl_op_definition
class EraseOp(HostOp):
    """The list without the item at a position, which whoever builds it keeps in range."""

    name = "list.erase"
    list = operand_def(ListType)
    position = operand_def(IndexType)
    result = result_def(ListType)
    traits = traits_def(Pure())

    def __init__(self, list: SSAValue, position: SSAValue) -> None:
        super().__init__(operands=[list, position], result_types=[LIST])


@irdl_op_definition
class InsertOp(HostOp):
    """The list with a copy of a tensor before a position from 0 to its length, which whoever builds it keeps in range.

    dims: the tensor's dimensions, all of them; width: bytes of an element.
    """

    name = "list.insert"
    list = operand_def(ListType)
    position = operand_def(IndexType)
    value = operand_def(AnyAttr())
    dims = var_operand_def(IndexType)
    width = prop_def(IntegerAttr)
    result = result_def(ListType)
    traits = traits_def(Pure())
    irdl_options = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())

    def __init__(self, list: SSAValue, position: SSAValue, value: SSAValue, dims: Sequence[SSAValue], width: int) -> None:
        super().__init__(
            operands=[list, position, value, [*dims]], properties={"width": IntegerAttr(width, i64)}, result_types=[LIST]
        )


@irdl_op_definition
class NestOp(HostOp):
    """The list with another list as an item before a position, as `list.insert`."""

    name = "list.nest"
    list = operand_def(ListType)
    position = operand_def(IndexType)
    value = operand_def(ListType)
    result = result_def(ListType)
    traits = traits_def(Pure())

    def __init__(self, list: SSAValue, position: SSAValue, value: SSAValue) -> None:
        super().__init__(operands=[list, position, value], result_types=[LIST])


@irdl_op_definition
class AtOp(HostOp):
    """The tensor at a position, which whoever builds it keeps in range, and its dimensions, one for each of `dims`.

    Fails the run (ITG5065) where the item has another rank than there are `dims`.
    """

    name = "list.at"
    list = operand_def(ListType)
    position = operand_def(IndexType)
    value = result_def(AnyAttr())
    dims = var_result_def(IndexType)
    traits = traits_def(Pure())

    def __init__(self, list: SSAValue, position: SSAValue, result_type: TensorType, rank: int) -> None:
        super().__init__(operands=[list, position], result_types=[result_type, [INDEX] * rank])


@irdl_op_definition
class UnnestOp(HostOp):
    """The list at a position of a list of lists, which whoever builds it keeps in range."""

    name = "list.unnest"
    list = operand_def(ListType)
    position = operand_def(IndexType)
    result = result_def(ListType)
    traits = traits_def(Pure())

    def __init__(self, list: SSAValue, position: SSAValue) -> None:
        super().__init__(operands=[list, position], result_types=[LIST])


@irdl_op_definition
class JoinOp(HostOp):
    """All tensors of a list one after the other, as one row: what joining them along an axis begins with.

    flat: every element, item after item; lengths: each item's size along `axis`, int64; dims: the items' dimensions, which must be
    equal but for that axis, where the sum of the lengths stands. axis -1: all dimensions must be equal, and each length is 1.
    Fails the run (ITG5061) for an empty list, for another rank than there are `dims`, and for dimensions that differ.
    """

    name = "list.join"
    list = operand_def(ListType)
    axis = prop_def(IntegerAttr)
    width = prop_def(IntegerAttr)
    flat = result_def(AnyAttr())
    lengths = result_def(AnyAttr())
    dims = var_result_def(IndexType)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def __init__(self, list: SSAValue, axis: int, width: int, types: Sequence[Attribute], rank: int) -> None:
        super().__init__(
            operands=[list],
            properties={"axis": IntegerAttr(axis, i64), "width": IntegerAttr(width, i64)},
            result_types=[*types, [INDEX] * rank],
        )


LISTS = Dialect("list", [EmptyOp, LengthOp, EraseOp, InsertOp, NestOp, AtOp, UnnestOp, JoinOp], [ListType])
