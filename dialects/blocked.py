"""The blocked dialect: convolutional operators on channel-blocked activations (N, C/16, H, W, 16), chosen by passes/onnx/choose_layouts.

They stand beside onnx operators on the same level and follow the same contract (`OnnxOp`): channels are padded to whole blocks,
and what the padding lanes hold is not defined but finite.
"""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.ir import Dialect
from xdsl.irdl import operand_def, opt_operand_def, result_def

from .onnx.base import OnnxOp, int_attr, ints_attr, operator, str_attr, tensor
from .onnx.dims import Shape, ceildiv, floordiv
from .onnx.shapes import Shapes
from .onnx.types import ALL_FLOATS, BY_NAME, F32, I32

_BYTES = (BY_NAME["int8"].ir, BY_NAME["uint8"].ir)
ELEMENTS = (*ALL_FLOATS, *_BYTES, *I32)
"""What blocked tensors may hold."""

BLOCK = 16
"""Channels in a block: one vector of AVX-512, two of AVX2, four of NEON, and a cache line of float32."""


class BlockedOp(OnnxOp):
    """Base of the dialect's operators: those that compute do so on float32, but for quantised convolutions."""


@operator(since=1)
class PackOp(BlockedOp):
    """x (N, C, H, W) as (N, C/block, H, W, block), zero beyond C."""

    name = "blocked.pack"
    x = operand_def(tensor("T", ELEMENTS))
    y = result_def(tensor("T", ELEMENTS))
    block = int_attr(BLOCK)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        n, c, h, w = shapes.of(self.x)
        block = self.attr("block")
        return ((n, ceildiv(c, block), h, w, block),)


@operator(since=1)
class UnpackOp(BlockedOp):
    """x (N, C/block, H, W, block) as (N, channels, H, W)."""

    name = "blocked.unpack"
    x = operand_def(tensor("T", ELEMENTS))
    y = result_def(tensor("T", ELEMENTS))
    channels = int_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        n, _, h, w, _ = shapes.of(self.x)
        return ((n, self.attr("channels"), h, w),)


class WindowedOp(BlockedOp):
    """Base of convolution and pooling; pads are [top, left, bottom, right], all resolved."""

    kernel_shape = ints_attr(required=True)
    strides = ints_attr(required=True)
    dilations = ints_attr(required=True)
    pads = ints_attr(required=True)

    def plane(self, shape: Shape) -> Shape:
        """Output height and width for an input of `shape` (.., H, W, block)."""
        pads = self.attr("pads")
        sizes = []
        for axis, size in enumerate(shape[2:4]):
            extent = (self.attr("kernel_shape")[axis] - 1) * self.attr("dilations")[axis] + 1
            sizes.append(floordiv(size + pads[axis] + pads[axis + 2] - extent, self.attr("strides")[axis]) + 1)
        return tuple(sizes)

    def filtered(self, shape: Shape, filters: Shape) -> Shape:
        """What filters (M, ..) make of an input of `shape`."""
        return (shape[0], ceildiv(filters[0], BLOCK), *self.plane(shape), BLOCK)


@operator(since=1)
class ConvOp(WindowedOp):
    """Convolution of blocked x with weights w (M, C, kh, kw) in ONNX's layout, plus bias b (M); or depthwise with w (C, 1, kh, kw).

    winograd: how many outputs a tile of Winograd's algorithm has, down and across (passes/onnx/choose_winograd); empty without it.
    scale, (1, C/16, 1, 1, 16), multiplies the channels of x.
    """

    name = "blocked.conv"
    x = operand_def(tensor("T", F32))
    w = operand_def(tensor("T", F32))
    b = opt_operand_def(tensor("T", F32))
    scale = opt_operand_def(tensor("T", F32))
    y = result_def(tensor("T", F32))
    depthwise = int_attr(0)
    winograd = ints_attr(())

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (self.filtered(shapes.of(self.x), shapes.of(self.w)),)


class ByteConvOp(WindowedOp):
    """Base of convolutions of blocked bytes with weights w (M, C, kh, kw) in ONNX's layout, or depthwise with w (C, 1, kh, kw).

    Pads stand for x's zero point; w's is one, or one for each output channel.
    """

    depthwise = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (self.filtered(shapes.of(self.x), shapes.of(self.w)),)  # type: ignore[attr-defined]


@operator(since=1)
class ConvIntegerOp(ByteConvOp):
    """Sums in int32 of the products of x and w, each less its zero point."""

    name = "blocked.conv_integer"
    x = operand_def(tensor("T1", _BYTES))
    w = operand_def(tensor("T2", _BYTES))
    x_zero_point = opt_operand_def(tensor("T1", _BYTES))
    w_zero_point = opt_operand_def(tensor("T2", _BYTES))
    y = result_def(tensor("T3", I32))


@operator(since=1)
class QLinearConvOp(ByteConvOp):
    """Those sums plus bias b (M) of int32, quantised again; w_scale is one, or one for each output channel."""

    name = "blocked.qlinear_conv"
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


@operator(since=1)
class PoolOp(WindowedOp):
    """Pooling of blocked x, kind "max" or "average"; an average leaves padding out unless `count_include_pad`.

    `overhang` [bottom, right] is how much of the end pads belongs to no declared pad (ceil mode): it never counts.
    """

    name = "blocked.pool"
    x = operand_def(tensor("T", F32))
    y = result_def(tensor("T", F32))
    kind = str_attr(required=True)
    count_include_pad = int_attr(0)
    overhang = ints_attr((0, 0))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = shapes.of(self.x)
        return ((*shape[:2], *self.plane(shape), shape[4]),)


BLOCKED = Dialect("blocked", [PackOp, UnpackOp, ConvOp, ConvIntegerOp, QLinearConvOp, PoolOp])
