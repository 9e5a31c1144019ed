"""Where tensors come from and what their elements are: constants, ranges, filled tensors, and conversions of element types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import ComplexType, DenseIntOrFPElementsAttr, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import operand_def, result_def

from .base import (
    OnnxOp,
    Typed,
    WeightAttr,
    element_name,
    element_of,
    float_attr,
    floats_attr,
    int_attr,
    ints_attr,
    operator,
    str_attr,
    strs_attr,
    tensor,
    tensor_attr,
)
from .checks import data_type_in, listed_as, of_rank, one_of, require_scalar, require_vector, show
from .contents import elementwise, known, moved, object_array, small
from .dims import Dim, Shape, ceildiv, equal, less, maximum, select
from .shapes import Shapes
from .types import (
    ALL_FLOATS,
    ALL_IR13,
    ALL_IR14,
    ALL_NUMERIC,
    ALL_TENSOR,
    ALL_TENSOR_BF16,
    BOOL,
    BY_IR,
    BY_NAME,
    BY_NUMPY,
    COMPLEX,
    I64,
    NUMERIC,
    STRINGS,
)


def _without(types: Sequence[Attribute], *left_out: Attribute) -> tuple[Attribute, ...]:
    return tuple(t for t in types if t not in left_out)


_CASTABLE = _without(ALL_IR14, *COMPLEX)
_CAST_LIKE = _without(ALL_IR13, *COMPLEX)
_BITS = _without(ALL_IR13, *STRINGS)
_FILLABLE = _without(_CAST_LIKE, *STRINGS)
_EYE = (*ALL_NUMERIC, *BOOL)
_ANYTHING = Typed(
    "V",
    frozenset(ALL_IR13),
    ("tensor", "sequence", "optional", "optional_sequence"),
    narrower=tuple((kind, frozenset(ALL_TENSOR)) for kind in ("sequence", "optional", "optional_sequence")),
)
_RANGE = (*ALL_FLOATS, *(BY_NAME[n].ir for n in ("int16", "int32", "int64")))


def array_of(op: OnnxOp, shapes: Shapes, attribute: WeightAttr | DenseIntOrFPElementsAttr) -> np.ndarray:
    """A tensor attribute's elements: the stored array itself, never a copy, or the small dense elements that stand in the IR."""
    if isinstance(attribute, WeightAttr):
        array = shapes.weights.get(attribute.id.data)
        if array is None:
            raise op.fail("ITG2153", f'the weight "{attribute.id.data}" is not in the weight store')
        return array
    shape, element = attribute.get_shape(), attribute.get_element_type()
    if element not in BY_IR:
        raise op.fail("ITG2153", f"{element} is no element type of ONNX")
    dtype = BY_IR[element].numpy
    if dtype == np.bool_:
        return (np.frombuffer(attribute.data.data, np.uint8) != 0).reshape(shape)
    return np.frombuffer(attribute.data.data, dtype).reshape(shape)


# -- constants ---------------------------------------------------------------------------------------------------------------


@operator(since=25)
class ConstantOp(OnnxOp):
    """A tensor known at compile time, from exactly one of the attributes.

    https://onnx.ai/onnx/operators/onnx__Constant.html
    `value` names an array of the weight store or holds small dense elements, as does `sparse_value` once unfolded; value_int,
    value_float and value_string give scalars, their plurals tensors of rank 1.
    """

    name = "onnx.Constant"
    output = result_def(tensor("T", ALL_IR13))
    sparse_value = tensor_attr()
    value = tensor_attr()
    value_float = float_attr()
    value_floats = floats_attr()
    value_int = int_attr()
    value_ints = ints_attr()
    value_string = str_attr()
    value_strings = strs_attr()

    def array(self, shapes: Shapes) -> np.ndarray:
        """The constant's elements; those of the weight store are not copied."""
        given = [name for name in _CONSTANT_DTYPES if getattr(self, name) is not None]
        if len(given) != 1:
            raise self.fail("ITG2142", f"expected exactly one value attribute, found {', '.join(given) or 'none'}")
        (name,) = given
        dtype = _CONSTANT_DTYPES[name]
        return array_of(self, shapes, getattr(self, name)) if dtype is None else np.array(self.attr(name), dtype)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        array = self.array(shapes)
        shapes.set_constant(self.output, array)
        return (array.shape,)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (_element_type(self, self.array(shapes)),)


_CONSTANT_DTYPES: dict[str, Any] = {
    "sparse_value": None,
    "value": None,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_string": np.object_,
    "value_strings": np.object_,
}
"""The attributes that may give a Constant its value, with their numpy element type; None: the tensor has its own."""


def _element_type(op: OnnxOp, array: np.ndarray) -> Attribute:
    if array.dtype not in BY_NUMPY:
        raise op.fail("ITG2153", f"numpy's {array.dtype} is no element type of ONNX")
    return BY_NUMPY[array.dtype].ir


@operator(since=25)
class ConstantOfShapeOp(OnnxOp):
    """A tensor of the shape that the 1-d operand lists, filled with the one element of `value` (default: float 0).

    https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html
    """

    name = "onnx.ConstantOfShape"
    shape = operand_def(tensor("T1", I64))
    output = result_def(tensor("T2", _FILLABLE))
    value = tensor_attr()

    def filler(self, shapes: Shapes) -> np.ndarray:
        """The element that fills the result, as an array of one element."""
        if self.value is None:
            return np.zeros(1, np.float32)
        array = array_of(self, shapes, self.value)
        if array.size != 1:
            raise self.fail("ITG2142", f"value must hold one element, but holds {array.size}")
        return array

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        rank = shapes.declared_rank(self.output)
        return (sizes(self, listed_as(self, shapes, self.shape, rank, "the shape operand")),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (_element_type(self, self.filler(shapes)),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        shape = small(shapes.of(self.output))
        filler = self.filler(shapes).reshape(())
        if shape is None or filler.dtype.kind not in "iubf" or (filler.dtype.kind == "f" and filler != 0):
            return ()
        return (object_array([int(filler)] * math.prod(shape), shape),)


def sizes(op: OnnxOp, dims: Sequence[Dim]) -> tuple[Dim, ...]:
    """Dimensions read from a shape operand, none of which may be negative."""
    if any(isinstance(d, int) and d < 0 for d in dims):
        raise op.fail("ITG2152", f"a shape of {show(tuple(dims))} has a negative dimension")
    return tuple(dims)


@operator(since=27)
class RangeOp(OnnxOp):
    """start, start + delta, .. up to limit, which is left out: max(ceil((limit - start) / delta), 0) elements.

    https://onnx.ai/onnx/operators/onnx__Range.html
    """

    name = "onnx.Range"
    start = operand_def(tensor("T", _RANGE))
    limit = operand_def(tensor("T", _RANGE))
    delta = operand_def(tensor("T", _RANGE))
    output = result_def(tensor("T", _RANGE))
    stash_type = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        for operand, what in ((self.start, "start"), (self.limit, "limit"), (self.delta, "delta")):
            require_scalar(self, shapes, operand, what)
        if BY_IR[element_of(self.start)].is_float and any(known(shapes, v) is None for v in self.operands):
            return ((self._float_count(shapes),),)
        start, limit, delta = self._bounds(shapes)
        if delta == 0:
            raise self.fail("ITG2152", "delta is 0")
        forward = ceildiv(limit - start, delta)
        backward = ceildiv(start - limit, -delta)
        return ((maximum(0, select(less(delta, 0), backward, forward)),),)

    def _bounds(self, shapes: Shapes) -> list[Dim]:
        """start, limit and delta as whole numbers, known or read at run time."""
        found = [known(shapes, v) for v in self.operands]
        return [shapes.elements(v)[0] if k is None else k.ravel()[0] for v, k in zip(self.operands, found, strict=True)]

    def _float_count(self, shapes: Shapes) -> Dim:
        """The number of elements where the bounds are not whole: computed now if they are constants, else by the run."""
        arrays = [shapes.constant(v) for v in self.operands]
        if any(a is None for a in arrays):
            return shapes.result_symbol(self.output)
        start, limit, delta = (float(a.reshape(())) for a in arrays if a is not None)
        quotient = (limit - start) / delta if delta else math.nan
        if not math.isfinite(quotient):
            raise self.fail("ITG2152", f"cannot count from {start} to {limit} in steps of {delta}")
        return max(math.ceil(quotient), 0)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        shape = small(shapes.of(self.output))
        if shape is None or any(known(shapes, v) is None for v in self.operands):
            return ()
        start, _, delta = self._bounds(shapes)
        return (object_array([start + i * delta for i in range(shape[0])], shape),)


@operator(since=22)
class EyeLikeOp(OnnxOp):
    """A matrix of x's shape with ones on the k-th diagonal, of element type `dtype` or x's own.

    https://onnx.ai/onnx/operators/onnx__EyeLike.html
    """

    name = "onnx.EyeLike"
    x = operand_def(tensor("T1", _EYE))
    y = result_def(tensor("T2", _EYE))
    dtype = int_attr()
    k = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (of_rank(self, shapes, self.x, "the input", 2),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (data_type_in(self, "dtype", _EYE) or element_of(self.x),)


@operator(since=28)
class OneHotOp(OnnxOp):
    """A new axis of size `depth` in which the element that the index names is values[1] and the others are values[0].

    https://onnx.ai/onnx/operators/onnx__OneHot.html
    indices: (d0, .., dn); output: the same with depth inserted at `axis`. Indices count from the end where negative.
    """

    name = "onnx.OneHot"
    indices = operand_def(tensor("T1", NUMERIC))
    depth = operand_def(tensor("T2", NUMERIC))
    values = operand_def(tensor("T3", ALL_TENSOR_BF16))
    output = result_def(tensor("T3", ALL_TENSOR_BF16))
    axis = int_attr(-1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.indices)
        axis, rank = self.attr("axis"), len(shape) + 1
        if not -rank <= axis < rank:
            raise self.fail("ITG2141", f"axis {axis} is out of range for the result's rank {rank}")
        require_scalar(self, shapes, self.depth, "depth")
        require_vector(self, shapes, self.values, 2, "values")
        depth = self._depth(shapes)
        if isinstance(depth, int) and depth < 1:
            raise self.fail("ITG2152", f"depth is {depth}, expected 1 or more")
        axis %= rank
        return ((*shape[:axis], depth, *shape[axis:]),)

    def _depth(self, shapes: Shapes) -> Dim:
        constant = shapes.constant(self.depth)
        if constant is None:
            return shapes.elements(self.depth)[0]
        depth = float(constant.reshape(()))
        if not math.isfinite(depth):
            raise self.fail("ITG2152", f"depth is {depth}")
        return int(depth)


# -- element types -----------------------------------------------------------------------------------------------------------


@operator(since=25)
class IdentityOp(OnnxOp):
    """The operand itself, of whatever kind. https://onnx.ai/onnx/operators/onnx__Identity.html"""

    name = "onnx.Identity"
    x = operand_def(_ANYTHING)
    y = result_def(_ANYTHING)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        if not isinstance(self.x.type, TensorType):
            shapes.set_members(self.y, shapes.members(self.x))
            return (None,)
        constant = shapes.constant(self.x)
        if constant is not None:
            shapes.set_constant(self.y, constant)
        return (shapes.of(self.x),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return moved(shapes, self.x, lambda contents: contents) if isinstance(self.x.type, TensorType) else ()


@operator(since=28)
class CastOp(OnnxOp):
    """Every element converted to the type that `to` numbers (TensorProto.DataType).

    https://onnx.ai/onnx/operators/onnx__Cast.html
    Out of range, float8 results saturate where `saturate` is set; `round_mode` ("up", "down", "nearest") is for float8e8m0.
    """

    name = "onnx.Cast"
    x = operand_def(tensor("T1", _CASTABLE))
    y = result_def(tensor("T2", _CASTABLE))
    round_mode = str_attr("up")
    saturate = int_attr(1)
    to = int_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "round_mode", "up", "down", "nearest")
        return (shapes.of(self.x),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (_target_type(self, _CASTABLE),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return _cast_contents(shapes, self.x, self.y)


@operator(since=25)
class CastLikeOp(OnnxOp):
    """Every element converted to the element type of the second operand, whose elements are not read.

    https://onnx.ai/onnx/operators/onnx__CastLike.html
    """

    name = "onnx.CastLike"
    x = operand_def(tensor("T1", _CAST_LIKE))
    target_type = operand_def(tensor("T2", _CAST_LIKE))
    y = result_def(tensor("T2", _CAST_LIKE))
    round_mode = str_attr("up")
    saturate = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "round_mode", "up", "down", "nearest")
        return (shapes.of(self.x),)

    @override
    def infer_contents(self, shapes: Shapes) -> Sequence[Any | None]:
        return _cast_contents(shapes, self.x, self.y)


@operator(since=26)
class BitCastOp(OnnxOp):
    """The bits of every element taken for an element of another type of the same width.

    https://onnx.ai/onnx/operators/onnx__BitCast.html
    """

    name = "onnx.BitCast"
    x = operand_def(tensor("T1", _BITS))
    y = result_def(tensor("T2", _BITS))
    to = int_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        target = _target_type(self, _BITS)
        if _width(target) != _width(element_of(self.x)):
            raise self.fail(
                "ITG2142",
                f"{element_name(self.x)} has {_width(element_of(self.x))} bits, {BY_IR[target].name} has {_width(target)}",
                "a bit cast needs types of one width; Cast converts values",
            )
        return (shapes.of(self.x),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (_target_type(self, _BITS),)


def _target_type(op: OnnxOp, allowed: Sequence[Attribute]) -> Attribute:
    found = data_type_in(op, "to", allowed)
    if found is None:
        raise op.fail("ITG2142", "to is 0, which is no element type of ONNX")
    return found


def _cast_contents(shapes: Shapes, x: SSAValue, y: SSAValue) -> Sequence[Any | None]:
    target = element_of(y)
    if target in BOOL:
        return elementwise(shapes, y, [x], lambda a: 1 - equal(a, 0), kind=target)
    return elementwise(shapes, y, [x], lambda a: a, kind=target)


def _width(element: Attribute) -> int:
    """Bits in an element; a bool counts as the byte it is stored in."""
    if element in BOOL:
        return 8
    if isinstance(element, ComplexType):
        return 2 * _width(element.element_type)
    return element.bitwidth  # pyright: ignore[reportAttributeAccessIssue]  # every other element type is an int or a float
