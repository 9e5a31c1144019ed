"""Images: resizing, sampling at given places, decoding, and choosing boxes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from typing_extensions import override
from xdsl.irdl import operand_def, opt_operand_def, result_def

from .base import OnnxOp, float_attr, int_attr, ints_attr, operator, str_attr, tensor
from .checks import axes_in, listed, listed_as, of_rank, of_rank_at_least, one_of, require_scalar, require_vector, show
from .dims import Dim, Shape, floordiv
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_TENSOR, ALL_TENSOR_BF16, BY_NAME, F32, FLOATS, I64

_UINT8 = (BY_NAME["uint8"].ir,)
_EXACT = 2**31
"""A symbolic size is scaled by fractions whose terms stay below this, so that the shape code cannot overflow 64 bits."""


@operator(since=19)
class ResizeOp(OnnxOp):
    """Resamples x to `sizes`, or to floor(size * scale) along each axis; `axes` tells which axes those (and roi) speak of.

    roi counts only for tf_crop_and_resize, where it multiplies the size by its extent. https://onnx.ai/onnx/operators/onnx__Resize.html
    """

    name = "onnx.Resize"
    x = operand_def(tensor("T1", ALL_TENSOR_BF16))
    roi = opt_operand_def(tensor("T2", FLOATS))
    scales = opt_operand_def(tensor("", F32))
    sizes = opt_operand_def(tensor("", I64))
    y = result_def(tensor("T1", ALL_TENSOR_BF16))
    antialias = int_attr(0)
    axes = ints_attr()
    coordinate_transformation_mode = str_attr("half_pixel")
    cubic_coeff_a = float_attr(-0.75)
    exclude_outside = int_attr(0)
    extrapolation_value = float_attr(0.0)
    keep_aspect_ratio_policy = str_attr("stretch")
    mode = str_attr("nearest")
    nearest_mode = str_attr("round_prefer_floor")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        self._check_attributes()
        x = shapes.of(self.x)
        axes = self.resized_axes(len(x))
        if self.coordinates_from_roi:
            require_vector(self, shapes, self.roi, 2 * len(axes), "roi")
        # Exporters write an unused scales or sizes as an empty tensor.
        by_scales = self.scales is not None and shapes.of(self.scales) != (0,)
        by_sizes = self.sizes is not None and shapes.of(self.sizes) != (0,)
        if by_scales == by_sizes:
            raise self.fail("ITG2147", "exactly one of scales and sizes must be given")
        output = self._scaled(shapes, x, axes) if by_scales else self._sized(shapes, x, axes)
        result = list(x)
        for axis, size in zip(axes, output, strict=True):
            result[axis] = size
        return (tuple(result),)

    @property
    def coordinates_from_roi(self) -> bool:
        return self.attr("coordinate_transformation_mode") == "tf_crop_and_resize"

    def resized_axes(self, rank: int) -> tuple[int, ...]:
        """The axes that roi, scales and sizes speak of, counted from the front."""
        axes = self.attr("axes")
        return tuple(range(rank)) if axes is None else axes_in(self, axes, rank)

    def _check_attributes(self) -> None:
        one_of(self, "mode", "nearest", "linear", "cubic")
        one_of(self, "nearest_mode", "round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        one_of(self, "keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller")
        one_of(
            self,
            "coordinate_transformation_mode",
            "half_pixel",
            "half_pixel_symmetric",
            "pytorch_half_pixel",
            "align_corners",
            "asymmetric",
            "tf_crop_and_resize",
        )
        if self.coordinates_from_roi and self.roi is None:
            raise self.fail("ITG2147", "roi must be given for tf_crop_and_resize")

    def _scaled(self, shapes: Shapes, x: Shape, axes: Sequence[int]) -> list[Dim]:
        require_vector(self, shapes, self.scales, len(axes), "scales")
        scales = shapes.constant(self.scales)
        roi = shapes.constant(self.roi) if self.coordinates_from_roi else np.repeat([0.0, 1.0], len(axes)).astype(np.float32)
        if scales is None or roi is None:
            return [shapes.result_symbol(self.y, axis) for axis in axes]
        if not (np.isfinite(scales) & (scales > 0)).all() or not np.isfinite(roi).all():
            raise self.fail("ITG2142", f"scales are {scales.tolist()} and roi {roi.tolist()}, expected positive and finite numbers")
        starts, ends = roi[: len(axes)], roi[len(axes) :]
        factors = [Fraction(float(s)) * (Fraction(float(e)) - Fraction(float(b))) for s, b, e in zip(scales, starts, ends, strict=True)]
        return [_scaled_dim(self, shapes, x[axis], factor, axis) for axis, factor in zip(axes, factors, strict=True)]

    def _sized(self, shapes: Shapes, x: Shape, axes: Sequence[int]) -> list[Dim]:
        assert self.sizes is not None
        sizes = listed(self, shapes, self.sizes, len(axes), "sizes")
        if any(isinstance(s, int) and s < 0 for s in sizes):
            raise self.fail("ITG2144", f"sizes are {show(sizes)}, expected none negative")
        if self.attr("keep_aspect_ratio_policy") == "stretch":
            return list(sizes)
        known = [(s, x[axis]) for s, axis in zip(sizes, axes, strict=True)]
        ratios = [Fraction(s, d) for s, d in known if isinstance(s, int) and isinstance(d, int) and d > 0]
        if any(d == 0 for _, d in known):
            raise self.fail("ITG2144", f"the aspect ratio of an empty input ({show(x)}) cannot be kept")
        if len(ratios) < len(known):
            return [shapes.result_symbol(self.y, axis) for axis in axes]
        scale = min(ratios) if self.attr("keep_aspect_ratio_policy") == "not_larger" else max(ratios)
        return [int(scale * d + Fraction(1, 2)) if isinstance(d, int) else d for _, d in known]


def _scaled_dim(op: OnnxOp, shapes: Shapes, size: Dim, factor: Fraction, axis: int) -> Dim:
    """floor(size * factor), exact; a symbol of the op's result where only the run can tell."""
    if factor < 0 or (isinstance(size, int) and size * factor >= 2**62):
        raise op.fail("ITG2144", f"axis {axis} of size {size} cannot be scaled by {float(factor):g}")
    if isinstance(size, int) or max(factor.numerator, factor.denominator) < _EXACT:
        return floordiv(size * factor.numerator, factor.denominator)
    return shapes.result_symbol(op.results[0], axis)


@operator(since=10)
class UpsampleOp(OnnxOp):
    """Resamples x to floor(size * scale) along each axis. Deprecated: Resize took its place.

    https://onnx.ai/onnx/operators/onnx__Upsample.html
    """

    name = "onnx.Upsample"
    x = operand_def(tensor("T", ALL_TENSOR))
    scales = operand_def(tensor("", F32))
    y = result_def(tensor("T", ALL_TENSOR))
    mode = str_attr("nearest")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "mode", "nearest", "linear")
        x = shapes.of(self.x)
        require_vector(self, shapes, self.scales, len(x), "scales")
        scales = shapes.constant(self.scales)
        if scales is None:
            return (tuple(shapes.result_symbol(self.y, axis) for axis in range(len(x))),)
        if not (np.isfinite(scales) & (scales >= 1)).all():
            raise self.fail("ITG2142", f"scales are {scales.tolist()}, expected finite numbers of at least 1")
        factors = [Fraction(float(s)) for s in scales]
        return (tuple(_scaled_dim(self, shapes, size, factor, axis) for axis, (size, factor) in enumerate(zip(x, factors, strict=True))),)


@operator(since=22)
class GridSampleOp(OnnxOp):
    """x (N, C, D1, .., Dr) sampled at grid (N, O1, .., Or, r), places from -1 to 1 innermost axis first, to (N, C, O1, .., Or).

    https://onnx.ai/onnx/operators/onnx__GridSample.html
    """

    name = "onnx.GridSample"
    x = operand_def(tensor("T1", ALL_TENSOR_BF16))
    grid = operand_def(tensor("T2", ALL_FLOATS))
    y = result_def(tensor("T1", ALL_TENSOR_BF16))
    align_corners = int_attr(0)
    mode = str_attr("linear")
    padding_mode = str_attr("zeros")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "mode", "linear", "nearest", "cubic")
        one_of(self, "padding_mode", "zeros", "border", "reflection")
        x = of_rank_at_least(self, shapes, self.x, "the input", 3)
        grid = of_rank(self, shapes, self.grid, "grid", len(x))
        shapes.require_equal(self, grid[-1], len(x) - 2, "the last dimension of grid and the number of spatial axes")
        batch = shapes.require_equal(self, x[0], grid[0], "the batch sizes of X and grid")
        return ((batch, x[1], *grid[1:-1]),)


@operator(since=20)
class AffineGridOp(OnnxOp):
    """Sampling places of affine maps: theta (N, r, r+1) and size (N, C, D1, .., Dr), r 2 or 3, to (N, D1, .., Dr, r).

    https://onnx.ai/onnx/operators/onnx__AffineGrid.html
    """

    name = "onnx.AffineGrid"
    theta = operand_def(tensor("T1", ALL_FLOATS))
    size = operand_def(tensor("T2", I64))
    grid = result_def(tensor("T1", ALL_FLOATS))
    align_corners = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "align_corners", 0, 1)
        batch, rows, columns = of_rank(self, shapes, self.theta, "theta", 3)
        size = listed_as(self, shapes, self.size, rows + 2 if isinstance(rows, int) else shapes.declared_rank(self.grid), "size")
        if len(size) not in (4, 5):
            raise self.fail("ITG2143", f"size has {len(size)} elements, expected 4 or 5")
        if any(isinstance(d, int) and d < 0 for d in size):
            raise self.fail("ITG2144", f"size is {show(size)}, expected no negative dimension")
        spatial = len(size) - 2
        shapes.require_equal(self, rows, spatial, "the second dimension of theta and the number of spatial axes")
        shapes.require_equal(self, columns, spatial + 1, "the last dimension of theta and the number of spatial axes plus 1")
        batch = shapes.require_equal(self, batch, size[0], "the batch sizes of theta and size")
        return ((batch, *size[2:], spatial),)


@operator(since=20)
class ImageDecoderOp(OnnxOp):
    """The pixels (H, W, C) of an encoded image file, C 3 or, for Grayscale, 1; empty where it cannot be decoded.

    https://onnx.ai/onnx/operators/onnx__ImageDecoder.html
    """

    name = "onnx.ImageDecoder"
    encoded_stream = operand_def(tensor("T1", _UINT8))
    image = result_def(tensor("T2", _UINT8))
    pixel_format = str_attr("RGB")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        of_rank(self, shapes, self.encoded_stream, "encoded_stream", 1)
        channels = 1 if one_of(self, "pixel_format", "RGB", "BGR", "Grayscale") == "Grayscale" else 3
        return ((shapes.result_symbol(self.image, 0), shapes.result_symbol(self.image, 1), channels),)


@operator(since=11)
class NonMaxSuppressionOp(OnnxOp):
    """Boxes (N, S, 4) with scores (N, C, S) that overlap no better one: rows (batch, class, box), as many as were chosen.

    https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
    """

    name = "onnx.NonMaxSuppression"
    boxes = operand_def(tensor("", F32))
    scores = operand_def(tensor("", F32))
    max_output_boxes_per_class = opt_operand_def(tensor("", I64))
    iou_threshold = opt_operand_def(tensor("", F32))
    score_threshold = opt_operand_def(tensor("", F32))
    selected_indices = result_def(tensor("", I64))
    center_point_box = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "center_point_box", 0, 1)
        batch, count, four = of_rank(self, shapes, self.boxes, "boxes", 3)
        score_batch, _, score_count = of_rank(self, shapes, self.scores, "scores", 3)
        shapes.require_equal(self, four, 4, "the last dimension of boxes and 4")
        shapes.require_equal(self, batch, score_batch, "the batch sizes of boxes and scores")
        shapes.require_equal(self, count, score_count, "the numbers of boxes and of scores")
        limits = (
            ("max_output_boxes_per_class", self.max_output_boxes_per_class),
            ("iou_threshold", self.iou_threshold),
            ("score_threshold", self.score_threshold),
        )
        for what, value in limits:
            require_scalar(self, shapes, value, what)
        return ((shapes.result_symbol(self.selected_indices), 3),)
