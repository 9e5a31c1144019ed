"""Convolutions: plain, transposed, integer, quantised, deformable and causal, and Col2Im."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, opt_operand_def, result_def

from .base import OnnxOp, int_attr, ints_attr, operator, str_attr, tensor
from .checks import (
    at_least,
    divide,
    listed_as,
    of_rank,
    of_rank_at_least,
    one_of,
    require_scalar,
    require_scalar_or_vector,
    require_vector,
    same_shape,
    show,
)
from .dims import Dim, Shape, product
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_TENSOR_BF16, BF16, BY_NAME, F32, I32, I64
from .windows import DilatedWindowOp, WindowOp, Windows, kernel_of, transposed_windows, windows

_BYTES = (BY_NAME["int8"].ir, BY_NAME["uint8"].ir)
_MULTIPLIED = 4
"""Products of more sums than this are not formed for a check: each doubles the terms."""
_SHORT_FLOATS = (BY_NAME["float16"].ir, *F32, *BF16)


def conv_windows(op: OnnxOp, shapes: Shapes, x: Shape, w: Shape) -> tuple[Dim, Windows]:
    """(output channels M, windows) of a convolution of x (N, C, D..) with w (M, C/group, k..)."""
    if len(w) != len(x):
        raise op.fail("ITG2140", f"the weight ({show(w)}) must have the rank of the input ({show(x)})")
    group = at_least(op, "group", 1)
    shapes.require_equal(op, x[1], w[1] * group, "the input's channels and group times the weight's second dimension")
    divide(op, w[0], group, "the number of output channels")
    return w[0], windows(op, x[2:], kernel_of(op, shapes, w[2:]))


class ConvLikeOp(WindowOp):
    """Base of the convolutions of x (N, C, D1, ..) with w (M, C/group, k1, ..) to (N, M, O1, ..)."""

    group = int_attr(1)
    kernel_shape = ints_attr()

    def windows(self, shapes: Shapes) -> Windows:
        """Resolved pads and output sizes; the lowering asks this too."""
        x, w, _ = self._input_weight_bias()
        return conv_windows(self, shapes, shapes.of(x), shapes.of(w))[1]

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        x, w, bias = self._input_weight_bias()
        batch = of_rank_at_least(self, shapes, x, "the input", 3)[0]
        channels, found = conv_windows(self, shapes, shapes.of(x), shapes.of(w))
        require_vector(self, shapes, bias, channels, "the bias")
        return ((batch, channels, *found.output),)

    def _input_weight_bias(self) -> tuple[SSAValue, SSAValue, SSAValue | None]:
        raise NotImplementedError


@operator(since=22)
class ConvOp(ConvLikeOp):
    """Convolution (cross-correlation) plus bias: x (N, C, D1, ..), w (M, C/group, k1, ..), b (M) to (N, M, O1, ..).

    https://onnx.ai/onnx/operators/onnx__Conv.html
    """

    name = "onnx.Conv"
    x = operand_def(tensor("T", ALL_FLOATS))
    w = operand_def(tensor("T", ALL_FLOATS))
    b = opt_operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))

    @override
    def _input_weight_bias(self) -> tuple[SSAValue, SSAValue, SSAValue | None]:
        return self.x, self.w, self.b


@operator(since=10)
class ConvIntegerOp(ConvLikeOp):
    """Convolution of 8-bit integers less their zero points, accumulated in int32; w_zero_point may be one an output channel.

    https://onnx.ai/onnx/operators/onnx__ConvInteger.html
    """

    name = "onnx.ConvInteger"
    x = operand_def(tensor("T1", _BYTES))
    w = operand_def(tensor("T2", _BYTES))
    x_zero_point = opt_operand_def(tensor("T1", _BYTES))
    w_zero_point = opt_operand_def(tensor("T2", _BYTES))
    y = result_def(tensor("T3", I32))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        result = super().infer_shapes(shapes)
        channels = shapes.of(self.w)[0]
        require_scalar(self, shapes, self.x_zero_point, "x_zero_point")
        require_scalar_or_vector(self, shapes, self.w_zero_point, channels, "w_zero_point")
        return result

    @override
    def _input_weight_bias(self) -> tuple[SSAValue, SSAValue, SSAValue | None]:
        return self.x, self.w, None


@operator(since=10)
class QLinearConvOp(ConvLikeOp):
    """Convolution of dequantised 8-bit x and w plus int32 bias, quantised again; w's scale and zero point may be one a channel.

    https://onnx.ai/onnx/operators/onnx__QLinearConv.html
    """

    name = "onnx.QLinearConv"
    x = operand_def(tensor("T1", _BYTES))
    x_scale = operand_def(tensor("", F32))
    x_zero_point = operand_def(tensor("T1", _BYTES))
    w = operand_def(tensor("T2", _BYTES))
    w_scale = operand_def(tensor("", F32))
    w_zero_point = operand_def(tensor("T2", _BYTES))
    y_scale = operand_def(tensor("", F32))
    y_zero_point = operand_def(tensor("T3", _BYTES))
    b = opt_operand_def(tensor("T4", I32))
    y = result_def(tensor("T3", _BYTES))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        result = super().infer_shapes(shapes)
        channels = shapes.of(self.w)[0]
        for value, what in (
            (self.x_scale, "x_scale"),
            (self.x_zero_point, "x_zero_point"),
            (self.y_scale, "y_scale"),
            (self.y_zero_point, "y_zero_point"),
        ):
            require_scalar(self, shapes, value, what)
        require_scalar_or_vector(self, shapes, self.w_scale, channels, "w_scale")
        require_scalar_or_vector(self, shapes, self.w_zero_point, channels, "w_zero_point")
        return result

    @override
    def _input_weight_bias(self) -> tuple[SSAValue, SSAValue, SSAValue | None]:
        return self.x, self.w, self.b


@operator(since=22)
class ConvTransposeOp(WindowOp):
    """Transposed convolution: x (N, C, D1, ..) spread by w (C, M/group, k1, ..) plus b (M) to (N, M, O1, ..).

    O = stride (D - 1) + output_padding + dilation (k - 1) + 1 - pads, or output_shape, which then decides the pads.
    https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
    """

    name = "onnx.ConvTranspose"
    x = operand_def(tensor("T", ALL_FLOATS))
    w = operand_def(tensor("T", ALL_FLOATS))
    b = opt_operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    group = int_attr(1)
    kernel_shape = ints_attr()
    output_padding = ints_attr()
    output_shape = ints_attr()

    def windows(self, shapes: Shapes) -> Windows:
        """Resolved pads (what is cut from the full output) and output sizes; the lowering asks this too."""
        return transposed_windows(self, shapes.of(self.x)[2:], kernel_of(self, shapes, shapes.of(self.w)[2:]))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        x = of_rank_at_least(self, shapes, self.x, "the input", 3)
        w = of_rank(self, shapes, self.w, "the weight", len(x))
        group = at_least(self, "group", 1)
        shapes.require_equal(self, x[1], w[0], "the input's channels and the weight's first dimension")
        divide(self, w[0], group, "the number of input channels")
        channels = w[1] * group
        require_vector(self, shapes, self.b, channels, "the bias")
        return ((x[0], channels, *self.windows(shapes).output),)


@operator(since=22)
class DeformConvOp(DilatedWindowOp):
    """Convolution whose taps are moved by offset and weighted by mask: x (N, C, D1, ..), w (M, C/group, k1, ..) to (N, M, O1, ..).

    offset: (N, offset_group * k1 * .. * kn * n, O1, ..); mask: (N, offset_group * k1 * .. * kn, O1, ..).
    https://onnx.ai/onnx/operators/onnx__DeformConv.html
    """

    name = "onnx.DeformConv"
    x = operand_def(tensor("T", ALL_FLOATS))
    w = operand_def(tensor("T", ALL_FLOATS))
    offset = operand_def(tensor("T", ALL_FLOATS))
    b = opt_operand_def(tensor("T", ALL_FLOATS))
    mask = opt_operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    group = int_attr(1)
    kernel_shape = ints_attr()
    offset_group = int_attr(1)

    def windows(self, shapes: Shapes) -> Windows:
        """Resolved pads and output sizes; the lowering asks this too."""
        return conv_windows(self, shapes, shapes.of(self.x), shapes.of(self.w))[1]

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        x = of_rank_at_least(self, shapes, self.x, "the input", 3)
        channels, found = conv_windows(self, shapes, x, shapes.of(self.w))
        groups = at_least(self, "offset_group", 1)
        divide(self, x[1], groups, "the number of input channels")
        require_vector(self, shapes, self.b, channels, "the bias")
        taps = product(found.kernel) * groups
        same_shape(self, shapes, shapes.of(self.offset), (x[0], taps * (len(x) - 2), *found.output), "offset and what the kernel asks for")
        if self.mask is not None:
            same_shape(self, shapes, shapes.of(self.mask), (x[0], taps, *found.output), "mask and what the kernel asks for")
        return ((x[0], channels, *found.output),)


@operator(since=18)
class Col2ImOp(DilatedWindowOp):
    """Adds columns of blocks up into an image: (N, C * prod(block_shape), L) to (N, C, *image_shape), L blocks in row-major order.

    https://onnx.ai/onnx/operators/onnx__Col2Im.html
    """

    name = "onnx.Col2Im"
    input = operand_def(tensor("T", ALL_TENSOR_BF16))
    image_shape = operand_def(tensor("", I64))
    block_shape = operand_def(tensor("", I64))
    output = result_def(tensor("T", ALL_TENSOR_BF16))

    def windows(self, shapes: Shapes) -> Windows:
        """The blocks' positions over the image; `output` counts them. The lowering asks this too."""
        image, block = self._sizes(shapes)
        return windows(self, image, block)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        batch, columns, blocks = of_rank(self, shapes, self.input, "the input", 3)
        image, block = self._sizes(shapes)
        positions = self.windows(shapes).output
        if sum(not isinstance(d, int) for d in positions) <= _MULTIPLIED:
            shapes.require_equal(self, blocks, product(positions), "the input's last dimension and the number of blocks")
        return ((batch, divide(self, columns, product(block), "the input's second dimension"), *image),)

    def _sizes(self, shapes: Shapes) -> tuple[Shape, Shape]:
        lengths = [of_rank(self, shapes, v, "a shape operand", 1)[0] for v in (self.image_shape, self.block_shape)]
        rank = shapes.declared_rank(self.output)
        count = next((d for d in lengths if isinstance(d, int)), None if rank is None else rank - 2)
        image = listed_as(self, shapes, self.image_shape, count, "image_shape")
        block = listed_as(self, shapes, self.block_shape, count, "block_shape")
        if len(image) != len(block) or not image:
            raise self.fail("ITG2143", f"image_shape has {len(image)} elements and block_shape {len(block)}")
        if any(isinstance(d, int) and d < 0 for d in image) or any(isinstance(d, int) and d < 1 for d in block):
            raise self.fail("ITG2144", f"image_shape {show(image)} and block_shape {show(block)} must be positive")
        return image, block


@operator(since=27)
class CausalConvWithStateOp(OnnxOp):
    """Depthwise 1-d convolution over past and present positions: input (B, C, L), weight (C, 1, k), bias (C) to (B, C, L).

    past_state and present_state, (B, C, k - 1), are the positions before the input and the last ones of both together.
    https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html
    """

    name = "onnx.CausalConvWithState"
    input = operand_def(tensor("T", _SHORT_FLOATS))
    weight = operand_def(tensor("T", _SHORT_FLOATS))
    bias = opt_operand_def(tensor("T", _SHORT_FLOATS))
    past_state = opt_operand_def(tensor("T", _SHORT_FLOATS))
    output = result_def(tensor("T", _SHORT_FLOATS))
    present_state = result_def(tensor("T", _SHORT_FLOATS))
    activation = str_attr("none")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "activation", "none", "silu", "swish")
        x = of_rank(self, shapes, self.input, "the input", 3)
        channels, one, taps = of_rank(self, shapes, self.weight, "the weight", 3)
        shapes.require_equal(self, x[1], channels, "the channels of input and weight")
        shapes.require_equal(self, one, 1, "the weight's second dimension and 1")
        require_vector(self, shapes, self.bias, x[1], "the bias")
        if isinstance(taps, int) and taps < 1:
            raise self.fail("ITG2144", f"the kernel has {taps} taps")
        state = (x[0], x[1], taps - 1)
        if self.past_state is not None:
            same_shape(self, shapes, shapes.of(self.past_state), state, "past_state and present_state")
        return x, state
