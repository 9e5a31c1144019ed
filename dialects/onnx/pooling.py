"""Pools: over windows, over whole planes, over regions of interest, and MaxUnpool."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.irdl import operand_def, opt_operand_def, opt_result_def, result_def

from .base import OnnxOp, float_attr, int_attr, ints_attr, operator, str_attr, tensor
from .checks import at_least, listed, of_rank, of_rank_at_least, one_of, require_vector, same_shape, show
from .dims import Dim, Shape
from .shapes import Shapes
from .types import ALL_FLOATS, BY_NAME, I64
from .windows import CeilWindowOp, ExplicitWindowOp, Windows, spatial_ints, spatial_pads, windows

_MAX_TYPES = (*ALL_FLOATS, BY_NAME["int8"].ir, BY_NAME["uint8"].ir)


class PoolOp(CeilWindowOp):
    """Base of pools over windows: (N, C, D1, ..) to (N, C, O1, ..). Every result has that shape."""

    kernel_shape = ints_attr(required=True)

    def windows(self, shapes: Shapes) -> Windows:
        """Resolved pads and output sizes; the lowering asks this too."""
        spatial = shapes.of(self.operands[0])[2:]
        return windows(self, spatial, spatial_ints(self, "kernel_shape", len(spatial), 1, 1))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        batch, channels, *_ = of_rank_at_least(self, shapes, self.operands[0], "the input", 3)
        shape = (batch, channels, *self.windows(shapes).output)
        return shape, shape


@operator(since=22)
class AveragePoolOp(PoolOp):
    """The mean of each window, pads counted only with count_include_pad. https://onnx.ai/onnx/operators/onnx__AveragePool.html"""

    name = "onnx.AveragePool"
    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    count_include_pad = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return super().infer_shapes(shapes)[:1]


@operator(since=22)
class MaxPoolOp(PoolOp):
    """The largest element of each window, and its flat index in the input. https://onnx.ai/onnx/operators/onnx__MaxPool.html"""

    name = "onnx.MaxPool"
    x = operand_def(tensor("T", _MAX_TYPES))
    y = result_def(tensor("T", _MAX_TYPES))
    indices = opt_result_def(tensor("I", I64))
    storage_order = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "storage_order", 0, 1)
        return super().infer_shapes(shapes)


@operator(since=22)
class LpPoolOp(PoolOp):
    """The p-norm of each window. https://onnx.ai/onnx/operators/onnx__LpPool.html"""

    name = "onnx.LpPool"
    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    p = int_attr(2)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        at_least(self, "p", 1)
        return super().infer_shapes(shapes)[:1]


class GlobalPoolOp(OnnxOp):
    """Base of pools over whole planes: (N, C, D1, ..) to (N, C, 1, ..)."""

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        batch, channels, *spatial = of_rank_at_least(self, shapes, self.operands[0], "the input", 2)
        return ((batch, channels, *(1 for _ in spatial)),)


@operator(since=22)
class GlobalAveragePoolOp(GlobalPoolOp):
    """The mean of each channel. https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html"""

    name = "onnx.GlobalAveragePool"
    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))


@operator(since=22)
class GlobalMaxPoolOp(GlobalPoolOp):
    """The largest element of each channel. https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html"""

    name = "onnx.GlobalMaxPool"
    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))


@operator(since=22)
class GlobalLpPoolOp(GlobalPoolOp):
    """The p-norm of each channel. https://onnx.ai/onnx/operators/onnx__GlobalLpPool.html"""

    name = "onnx.GlobalLpPool"
    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    p = int_attr(2)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        at_least(self, "p", 1)
        return super().infer_shapes(shapes)


@operator(since=22)
class MaxUnpoolOp(ExplicitWindowOp):
    """Puts pooled elements back at their flat indices, zeros elsewhere: (N, C, D1, ..) to (N, C, O1, ..).

    O = stride (D - 1) + k - pads, or output_shape, which holds all dimensions. https://onnx.ai/onnx/operators/onnx__MaxUnpool.html
    """

    name = "onnx.MaxUnpool"
    x = operand_def(tensor("T1", ALL_FLOATS))
    indices = operand_def(tensor("T2", I64))
    output_shape = opt_operand_def(tensor("T2", I64))
    output = result_def(tensor("T1", ALL_FLOATS))
    kernel_shape = ints_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        x = of_rank_at_least(self, shapes, self.x, "the input", 3)
        same_shape(self, shapes, x, shapes.of(self.indices), "X and I")
        if self.output_shape is not None:
            return (self._asked(shapes, x, listed(self, shapes, self.output_shape, len(x), "output_shape")),)
        return ((*x[:2], *self.unpooled(x[2:])),)

    def _asked(self, shapes: Shapes, x: Shape, asked: Shape) -> Shape:
        if any(isinstance(d, int) and d < 0 for d in asked):
            raise self.fail("ITG2144", f"output_shape {show(asked)} has a negative dimension")
        batch, channels = (shapes.require_equal(self, a, b, "output_shape and the input") for a, b in zip(asked[:2], x[:2], strict=True))
        return (batch, channels, *asked[2:])

    def unpooled(self, spatial: Shape) -> Shape:
        """The spatial sizes that the window attributes give; the lowering asks this too."""
        kernel = spatial_ints(self, "kernel_shape", len(spatial), 1, 1)
        strides = spatial_ints(self, "strides", len(spatial), 1, 1)
        begins, ends = spatial_pads(self, len(spatial))
        output: list[Dim] = []
        for size, taps, stride, begin, end in zip(spatial, kernel, strides, begins, ends, strict=True):
            unpooled = (size - 1) * stride + taps - begin - end
            if isinstance(unpooled, int) and unpooled < 0:
                raise self.fail("ITG2144", f"pads {begin} and {end} leave nothing of an axis of size {size}")
            output.append(unpooled)
        return tuple(output)


@operator(since=22)
class MaxRoiPoolOp(OnnxOp):
    """The largest elements of regions, cut into a grid: x (N, C, H, W), rois (R, 5) as batch, x1, y1, x2, y2 to (R, C, *pooled_shape).

    https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html
    """

    name = "onnx.MaxRoiPool"
    x = operand_def(tensor("T", ALL_FLOATS))
    rois = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    pooled_shape = ints_attr(required=True)
    spatial_scale = float_attr(1.0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        x = of_rank(self, shapes, self.x, "the input", 4)
        regions, five = of_rank(self, shapes, self.rois, "rois", 2)
        shapes.require_equal(self, five, 5, "the last dimension of rois and 5")
        return ((regions, x[1], *spatial_ints(self, "pooled_shape", 2, 1, 1)),)


@operator(since=22)
class RoiAlignOp(OnnxOp):
    """Pools regions sampled bilinearly: x (N, C, H, W), rois (R, 4), batch_indices (R) to (R, C, output_height, output_width).

    https://onnx.ai/onnx/operators/onnx__RoiAlign.html
    """

    name = "onnx.RoiAlign"
    x = operand_def(tensor("T1", ALL_FLOATS))
    rois = operand_def(tensor("T1", ALL_FLOATS))
    batch_indices = operand_def(tensor("T2", I64))
    y = result_def(tensor("T1", ALL_FLOATS))
    coordinate_transformation_mode = str_attr("half_pixel")
    mode = str_attr("avg")
    output_height = int_attr(1)
    output_width = int_attr(1)
    sampling_ratio = int_attr(0)
    spatial_scale = float_attr(1.0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "coordinate_transformation_mode", "half_pixel", "output_half_pixel")
        one_of(self, "mode", "avg", "max")
        at_least(self, "sampling_ratio", 0)
        x = of_rank(self, shapes, self.x, "the input", 4)
        regions, four = of_rank(self, shapes, self.rois, "rois", 2)
        shapes.require_equal(self, four, 4, "the last dimension of rois and 4")
        require_vector(self, shapes, self.batch_indices, regions, "batch_indices")
        return ((regions, x[1], at_least(self, "output_height", 1), at_least(self, "output_width", 1)),)
