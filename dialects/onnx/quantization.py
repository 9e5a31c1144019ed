"""Linear quantisation and back: scales for a whole tensor, along an axis, or in blocks."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import operand_def, opt_operand_def, result_def

from .base import OnnxOp, element_of, int_attr, operator, tensor
from .checks import at_least, axis_in, data_type_in, require_scalar, require_vector, same_shape, show
from .dims import Shape, ceildiv
from .shapes import Shapes
from .types import BF16, BY_NAME, E8M0, F32, FLOAT4, FLOAT6, FLOAT8, I32, INT2, INT4

_SHORT_FLOATS = (BY_NAME["float16"].ir, *F32, *BF16)
_QUANTISED = (*(BY_NAME[n].ir for n in ("int8", "uint8", "int16", "uint16")), *INT4, *INT2, *FLOAT8, *FLOAT6, *FLOAT4)


class LinearQuantisationOp(OnnxOp):
    """Base of QuantizeLinear and DequantizeLinear: the result has the shape of x, whatever the granularity of the scale."""

    axis = int_attr(1)
    block_size = int_attr(0)
    output_dtype = int_attr(0)

    def granularity(self, x: Shape, scale: Shape) -> tuple[str, int]:
        """("tensor", 0), ("axis", axis) or ("block", axis); the lowering asks this too."""
        if scale == ():
            return "tensor", 0
        if len(scale) == 1 and len(x) <= 1 and not self.attr("block_size"):
            return ("axis", 0) if scale != (1,) else ("tensor", 0)
        if scale == (1,) and len(x) != 1:
            return "tensor", 0
        axis = axis_in(self, self.attr("axis"), len(x))
        return ("axis" if len(scale) == 1 and not self.attr("block_size") else "block"), axis

    def _check(self, shapes: Shapes, value: SSAValue, scale: SSAValue, zero_point: SSAValue | None) -> Shape:
        """The shape of x after checking scale and zero point against it."""
        block = at_least(self, "block_size", 0)
        x, s = shapes.of(value), shapes.of(scale)
        granularity, axis = self.granularity(x, s)
        if granularity == "tensor":
            require_scalar(self, shapes, zero_point, "the zero point")
        elif zero_point is not None:
            same_shape(self, shapes, s, shapes.of(zero_point), "scale and zero point")
        if granularity == "axis":
            require_vector(self, shapes, scale, x[axis] if x else 1, "the scale")
        elif granularity == "block":
            self._check_blocks(shapes, x, s, axis, block)
        return x

    def _check_blocks(self, shapes: Shapes, x: Shape, scale: Shape, axis: int, block: int) -> None:
        if len(scale) != len(x):
            raise self.fail("ITG2140", f"a scale of shape {show(scale)} fits an input of shape {show(x)} neither by axis nor by blocks")
        if not block:
            raise self.fail("ITG2142", f"block_size must be given for a scale of shape {show(scale)}")
        expected = (*x[:axis], ceildiv(x[axis], block), *x[axis + 1 :])
        same_shape(self, shapes, scale, expected, "the scale and the input's blocks")


@operator(since=28)
class QuantizeLinearOp(LinearQuantisationOp):
    """saturate(round(x / y_scale) + y_zero_point), of x's shape, in the type of y_zero_point, output_dtype, or uint8.

    The scale is a scalar, a vector along `axis`, or x's shape with one scale for each block_size elements along `axis`.
    https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
    """

    name = "onnx.QuantizeLinear"
    x = operand_def(tensor("T1", (*_SHORT_FLOATS, *I32)))
    y_scale = operand_def(tensor("T2", (*_SHORT_FLOATS, *I32, *E8M0)))
    y_zero_point = opt_operand_def(tensor("T3", _QUANTISED))
    y = result_def(tensor("T3", _QUANTISED))
    precision = int_attr(0)
    saturate = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        data_type_in(self, "precision", (*_SHORT_FLOATS, BY_NAME["double"].ir))
        return (self._check(shapes, self.x, self.y_scale, self.y_zero_point),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        asked = data_type_in(self, "output_dtype", _QUANTISED)
        if self.y_zero_point is None:
            return (asked or BY_NAME["uint8"].ir,)
        if asked is not None and asked != element_of(self.y_zero_point):
            raise self.fail("ITG2142", f"output_dtype ({asked}) differs from the type of y_zero_point ({element_of(self.y_zero_point)})")
        return (element_of(self.y_zero_point),)


@operator(since=28)
class DequantizeLinearOp(LinearQuantisationOp):
    """(x - x_zero_point) x_scale, of x's shape, in output_dtype or the scale's type; the scale as for QuantizeLinear.

    https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html
    """

    name = "onnx.DequantizeLinear"
    x = operand_def(tensor("T1", (*_QUANTISED, *I32)))
    x_scale = operand_def(tensor("T2", (*_SHORT_FLOATS, *E8M0)))
    x_zero_point = opt_operand_def(tensor("T1", (*_QUANTISED, *I32)))
    y = result_def(tensor("T3", _SHORT_FLOATS))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (self._check(shapes, self.x, self.x_scale, self.x_zero_point),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        asked = data_type_in(self, "output_dtype", _SHORT_FLOATS)
        if asked is None and element_of(self.x_scale) in E8M0:
            raise self.fail("ITG2142", "output_dtype must be given where the scale is float8e8m0")
        return (asked or element_of(self.x_scale),)


@operator(since=11)
class DynamicQuantizeLinearOp(OnnxOp):
    """x as uint8 with scale and zero point that cover x's range and 0: y of x's shape, both others scalars.

    https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
    """

    name = "onnx.DynamicQuantizeLinear"
    x = operand_def(tensor("T1", F32))
    y = result_def(tensor("T2", (BY_NAME["uint8"].ir,)))
    y_scale = result_def(tensor("", F32))
    y_zero_point = result_def(tensor("T2", (BY_NAME["uint8"].ir,)))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return shapes.of(self.x), (), ()
