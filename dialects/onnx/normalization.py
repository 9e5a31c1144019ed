"""Normalisations by statistics of a batch, an instance, a layer, a group or a neighbourhood, and Dropout."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.ir import Attribute
from xdsl.irdl import operand_def, opt_operand_def, opt_result_def, result_def

from .base import OnnxOp, float_attr, int_attr, operator, tensor
from .checks import (
    at_least,
    axis_in,
    data_type_in,
    divide,
    of_rank_at_least,
    require_broadcast_to,
    require_scalar,
    require_vector,
)
from .dims import Shape
from .shapes import Shapes
from .types import ALL_FLOATS, BF16, BOOL, F32, FLOAT8

EPSILON = 1e-5
_STASH = (*F32, *BF16)


@operator(since=15)
class BatchNormalizationOp(OnnxOp):
    """scale (x - mean) / sqrt(var + epsilon) + b for each channel of x (N, C, D1, ..); the other operands are of shape (C).

    With training_mode mean and variance are the batch's own, and the further results are the running ones, (C).
    https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
    """

    name = "onnx.BatchNormalization"
    x = operand_def(tensor("T", ALL_FLOATS))
    scale = operand_def(tensor("T1", ALL_FLOATS))
    b = operand_def(tensor("T1", ALL_FLOATS))
    input_mean = operand_def(tensor("T2", ALL_FLOATS))
    input_var = operand_def(tensor("T2", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    running_mean = opt_result_def(tensor("T2", ALL_FLOATS))
    running_var = opt_result_def(tensor("T2", ALL_FLOATS))
    epsilon = float_attr(EPSILON)
    momentum = float_attr(0.9)
    training_mode = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        x = of_rank_at_least(self, shapes, self.x, "the input", 1)
        if not self.attr("training_mode") and (self.running_mean is not None or self.running_var is not None):
            raise self.fail("ITG2147", "running_mean and running_var are results of training_mode=1 only")
        channels = x[1] if len(x) > 1 else 1
        parameters = (("scale", self.scale), ("B", self.b), ("input_mean", self.input_mean), ("input_var", self.input_var))
        for what, value in parameters:
            require_vector(self, shapes, value, channels, what)
        return x, (channels,), (channels,)


@operator(since=22)
class InstanceNormalizationOp(OnnxOp):
    """scale (x - mean) / sqrt(var + epsilon) + b for each channel of each instance of x (N, C, D1, ..); scale and b: (C).

    https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html
    """

    name = "onnx.InstanceNormalization"
    input = operand_def(tensor("T", ALL_FLOATS))
    scale = operand_def(tensor("T", ALL_FLOATS))
    b = operand_def(tensor("T", ALL_FLOATS))
    output = result_def(tensor("T", ALL_FLOATS))
    epsilon = float_attr(EPSILON)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        x = of_rank_at_least(self, shapes, self.input, "the input", 2)
        require_vector(self, shapes, self.scale, x[1], "scale")
        require_vector(self, shapes, self.b, x[1], "B")
        return (x,)


@operator(since=21)
class GroupNormalizationOp(OnnxOp):
    """scale (x - mean) / sqrt(var + epsilon) + bias for each of num_groups groups of channels of x (N, C, D1, ..); scale, bias: (C).

    https://onnx.ai/onnx/operators/onnx__GroupNormalization.html
    """

    name = "onnx.GroupNormalization"
    x = operand_def(tensor("T", ALL_FLOATS))
    scale = operand_def(tensor("T", ALL_FLOATS))
    bias = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    epsilon = float_attr(EPSILON)
    num_groups = int_attr(required=True)
    stash_type = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        data_type_in(self, "stash_type", ALL_FLOATS)
        x = of_rank_at_least(self, shapes, self.x, "the input", 2)
        divide(self, x[1], at_least(self, "num_groups", 1), "the number of channels")
        require_vector(self, shapes, self.scale, x[1], "scale")
        require_vector(self, shapes, self.bias, x[1], "bias")
        return (x,)


@operator(since=17)
class LayerNormalizationOp(OnnxOp):
    """scale (x - mean) / sqrt(var + epsilon) + b over the axes from `axis` on; scale and b broadcast to x.

    mean and inv_std_dev have x's shape with 1 from `axis` on, and the element type stash_type.
    https://onnx.ai/onnx/operators/onnx__LayerNormalization.html
    """

    name = "onnx.LayerNormalization"
    x = operand_def(tensor("T", ALL_FLOATS))
    scale = operand_def(tensor("T", ALL_FLOATS))
    b = opt_operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    mean = opt_result_def(tensor("U", _STASH))
    inv_std_dev = opt_result_def(tensor("U", _STASH))
    axis = int_attr(-1)
    epsilon = float_attr(EPSILON)
    stash_type = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        x = shapes.of(self.x)
        axis = axis_in(self, self.attr("axis"), len(x))
        require_broadcast_to(self, shapes.of(self.scale), x, "Scale")
        if self.b is not None:
            require_broadcast_to(self, shapes.of(self.b), x, "B")
        statistics = (*x[:axis], *(1 for _ in x[axis:]))
        return x, statistics, statistics

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        stash = data_type_in(self, "stash_type", _STASH)
        return None, stash, stash


@operator(since=23)
class RMSNormalizationOp(OnnxOp):
    """scale x / sqrt(mean(x^2) + epsilon) over the axes from `axis` on, in scale's element type; scale broadcasts to those axes.

    https://onnx.ai/onnx/operators/onnx__RMSNormalization.html
    """

    name = "onnx.RMSNormalization"
    x = operand_def(tensor("T", ALL_FLOATS))
    scale = operand_def(tensor("V", ALL_FLOATS))
    y = result_def(tensor("V", ALL_FLOATS))
    axis = int_attr(-1)
    epsilon = float_attr(EPSILON)
    stash_type = int_attr(1)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        x = shapes.of(self.x)
        axis_in(self, self.attr("axis"), len(x))
        data_type_in(self, "stash_type", ALL_FLOATS)
        require_broadcast_to(self, shapes.of(self.scale), x, "scale")
        return (x,)


@operator(since=13)
class LRNOp(OnnxOp):
    """x / (bias + alpha / size * s)^beta, s the sum of squares over `size` neighbouring channels of x (N, C, D1, ..).

    https://onnx.ai/onnx/operators/onnx__LRN.html
    """

    name = "onnx.LRN"
    x = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    alpha = float_attr(0.0001)
    beta = float_attr(0.75)
    bias = float_attr(1.0)
    size = int_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        at_least(self, "size", 1)
        return (of_rank_at_least(self, shapes, self.x, "the input", 2),)


@operator(since=22)
class DropoutOp(OnnxOp):
    """The input where training_mode is absent or false; else random elements, a fraction `ratio`, are 0 and the rest scaled up.

    mask, of the same shape, tells which elements were kept. https://onnx.ai/onnx/operators/onnx__Dropout.html
    """

    name = "onnx.Dropout"
    data = operand_def(tensor("T", (*ALL_FLOATS, *FLOAT8)))
    ratio = opt_operand_def(tensor("T1", (*ALL_FLOATS, *FLOAT8)))
    training_mode = opt_operand_def(tensor("T2", BOOL))
    output = result_def(tensor("T", (*ALL_FLOATS, *FLOAT8)))
    mask = opt_result_def(tensor("T2", BOOL))
    seed = int_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_scalar(self, shapes, self.ratio, "ratio")
        require_scalar(self, shapes, self.training_mode, "training_mode")
        data = shapes.of(self.data)
        return data, data
