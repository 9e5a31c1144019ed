"""Lists on the linalg level: making them and reading their items. The sequence, control and ai.onnx.ml families build on it."""

from __future__ import annotations

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from ...dialects import lists
from ...dialects.onnx.dims import Dim
from ..scalar import INDEX, ScalarBuilder
from .builder import List, Lowering, Tensor, element_type
from .rounds import tied


def empty(b: Lowering) -> List:
    return List(b.emit(lists.EmptyOp()))


def length(b: Lowering, x: List) -> SSAValue:
    return b.emit(lists.LengthOp(x.value))


def insert(b: Lowering, x: List, position: SSAValue, item: Tensor | List) -> List:
    """The list with an item before a position that is in range."""
    if isinstance(item, List):
        return List(b.emit(lists.NestOp(x.value, position, item.value)))
    dims = [b.dim(d) for d in item.shape]
    return List(b.emit(lists.InsertOp(x.value, position, item.value, dims, item.type.stored.itemsize)))


def append(b: Lowering, x: List, item: Tensor | List) -> List:
    return insert(b, x, length(b, x), item)


def take(b: Lowering, x: List, position: SSAValue, like: SSAValue) -> Tensor | List:
    """The item at a position that is in range, as `like`, a value of the onnx level, describes it.

    Sizes that only running tells become known by it; what is known before must hold, else the run ends with ITG5065.
    """
    if not isinstance(like.type, TensorType):
        return List(b.emit(lists.UnnestOp(x.value, position)))
    shape = b.shapes.of(like)
    op = lists.AtOp(x.value, position, b.tensor_type(shape, element_type(like)), len(shape))
    b.emit(op)
    for axis, (d, found) in enumerate(zip(shape, op.dims, strict=True)):
        if is_told(b, like, axis, d):
            b.define_symbol(str(d), found)
            continue
        s = ScalarBuilder(b.block)
        same = s.wrap(found, INDEX).equals(s.wrap(b.dim(d), INDEX))
        b.require(same.value, "ITG5065", f"dimension {axis} of the item must be {d}")
    return tied(b, op.value, shape, like)


def is_told(b: Lowering, like: SSAValue, axis: int, d: Dim) -> bool:
    """Whether a dimension is one that only reading the value tells: of a result, or of an argument of a region."""
    if isinstance(d, int):
        return False
    return d in (b.shapes.result_symbol(like, axis), b.shapes.fresh_argument_dim(like, axis))


def unwrap(b: Lowering, x: List, like: SSAValue) -> Tensor | List:
    """What an optional holds, as `take` gives it; the run ends with ITG5062 where it is empty."""
    s = ScalarBuilder(b.block)
    b.require((s.wrap(length(b, x), INDEX) > 0).value, "ITG5062", "the optional is empty")
    return take(b, x, b.dim(0), like)
