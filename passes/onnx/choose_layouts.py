"""Gives convolutional regions channel-blocked activations: packs where a region begins, unpacks where it ends, nothing in between.

A value has its ONNX layout, its blocked layout, or both; each is made where it is first asked for. Elementwise operators, pools,
concatenation and the like follow the layout of their operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from typing_extensions import override
from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, StringAttr, TensorType, f32, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ...dialects import blocked
from ...dialects.onnx import activation, conv, elementwise, image, pooling, quantization, reduction, reshaping, slicing
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.dims import Shape
from ...dialects.onnx.shapes import Shapes
from ...dialects.onnx.tensor import CastOp, ConstantOp, IdentityOp
from .analysis import OnnxPass
from .weights import Weights

BLOCK = blocked.BLOCK

GROUP = 4
"""Bytes that dot products take at once: so wide are the blocks of few channels."""

MOST_EXACT = 256
"""As many products of differences of bytes add up exactly in float32, 24 bits: depthwise convolutions of bytes are of so many."""

FULL = 0.9
"""Lanes used on ONNX's own layout, at least, where a convolution stays on it; packing and unpacking take about a tenth of one."""

_ZERO_SAFE: tuple[type[OnnxOp], ...] = (
    activation.ReluOp, activation.LeakyReluOp, activation.SigmoidOp, activation.HardSigmoidOp, activation.HardSwishOp, activation.TanhOp,
    activation.EluOp, activation.SeluOp, activation.GeluOp, activation.SoftplusOp, activation.MishOp, activation.SwishOp,
    elementwise.ClipOp, elementwise.AddOp, elementwise.SubOp, elementwise.MulOp, elementwise.AbsOp, elementwise.NegOp,
    elementwise.SumOp, elementwise.MaxOp, elementwise.MinOp, IdentityOp, CastOp,
    quantization.QuantizeLinearOp, quantization.DequantizeLinearOp,
)  # fmt: skip
"""Elementwise operators that keep finite padding lanes finite."""

_LEADING = (pooling.MaxPoolOp, pooling.AveragePoolOp, pooling.GlobalAveragePoolOp, reduction.ReduceMeanOp)
"""Operators beside convolutions for which a tensor is worth packing."""


class ChooseLayouts(OnnxPass):
    """Gives convolutional regions channel-blocked activations."""

    name = "choose-layouts"

    @override
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        return choose_layouts(block, shapes, weights)


def choose_layouts(block: Block, shapes: Shapes, weights: Weights) -> bool:
    """Rewrites a block of the onnx level; whether anything changed."""
    return _Chooser(block, shapes, weights).run()


class _Chooser:
    def __init__(self, block: Block, shapes: Shapes, weights: Weights) -> None:
        self.block, self.shapes, self.weights = block, shapes, weights
        self.blocked: dict[SSAValue, SSAValue] = {}
        self.at: Operation | None = None

    def run(self) -> bool:
        for op in list(self.block.ops):
            self.at = op
            rewrite = _REWRITES.get(type(op))
            result = rewrite(self, op) if rewrite is not None else None
            if result is not None:  # else the rewrite declined, or replaced the operation itself
                self.blocked[op.results[0]] = result
                self._replace_plain_uses(op)
        return bool(self.blocked)

    # -- building

    def insert(self, cls: type[OnnxOp], operands: Sequence[Any], properties: dict[str, Attribute]) -> SSAValue:
        assert self.at is not None
        op = cls.build(operands=list(operands), result_types=[TensorType(f32, [])], properties=properties)
        op.location = self.at.location
        self.block.insert_op_before(op, self.at)
        self.shapes.infer_op(op)
        return op.results[0]

    def get(self, value: SSAValue, block: int = BLOCK) -> SSAValue:
        """The value in blocked layout, packed here if it is not yet."""
        if value in self.blocked and block == BLOCK:
            return self.blocked[value]
        packed = self.insert(blocked.PackOp, [value], {"block": IntegerAttr(block, i64)})
        if block == BLOCK:
            self.blocked[value] = packed
        return packed

    def _replace_plain_uses(self, op: Operation) -> None:
        """The op's plain result is now an unpack of the blocked one, placed after it; unused, it goes."""
        (plain,) = op.results[:1]
        self._unpack_after(op, plain, self.blocked.pop(plain))
        op.detach()
        op.erase()

    def _unpack_after(self, op: Operation, plain: SSAValue, packed: SSAValue) -> None:
        channels = self.shapes.of(plain)[1]
        assert isinstance(channels, int)
        unpack = blocked.UnpackOp.build(operands=[packed], result_types=[plain.type], properties={"channels": IntegerAttr(channels, i64)})
        unpack.location = op.location
        self.block.insert_op_after(unpack, op)
        self.shapes.infer_op(unpack)
        unpack.results[0].name_hint = plain.name_hint
        plain.replace_all_uses_with(unpack.results[0])
        self.blocked[unpack.results[0]] = packed

    # -- what follows which layout

    def conv(self, op: conv.ConvOp) -> SSAValue | None:
        shape, filters = self.shapes.of(op.x), self.shapes.of(op.w)
        windows = op.windows(self.shapes)
        if len(shape) != 4 or not _all_ints(filters) or not isinstance(shape[1], int) or not self._float(op.x):
            return None
        if not self._is_weight(op.w) or (op.b is not None and not self._is_weight(op.b)):
            return None
        pads = (*windows.pads_begin, *windows.pads_end)
        group, channels = op.attr("group"), shape[1]
        depthwise = group == channels == filters[0] and group > 1
        if not _all_ints(pads) or (group != 1 and not depthwise) or 0 in filters:
            return None
        if self._stands_alone(op, depthwise, filters):
            return None
        small = channels if channels <= 4 else BLOCK
        source = self.get(op.x, BLOCK if depthwise or op.x in self.blocked else small)
        scale = None
        if not depthwise and (scaled := self._scaled(op, source)) is not None:
            source, scale = scaled
        properties = _window(windows.kernel, windows.strides, windows.dilations, pads)
        properties["depthwise"] = IntegerAttr(int(depthwise), i64)
        return self.insert(blocked.ConvOp, [source, op.w, op.b if op.b is not None else [], scale if scale is not None else []], properties)

    def byte_conv(self, op: conv.ConvIntegerOp | conv.QLinearConvOp) -> SSAValue | None:
        shape, filters = self.shapes.of(op.x), self.shapes.of(op.w)
        windows = op.windows(self.shapes)
        if len(shape) != 4 or not _all_ints(filters) or not isinstance(shape[1], int) or 0 in filters or not self._is_weight(op.w):
            return None
        fields = [getattr(op, name) for name, *_ in op.operand_defs()]
        channels_own = [v for v in fields if v is not None and v is not op.x and self.shapes.of(v) not in ((), (1,))]
        pads = (*windows.pads_begin, *windows.pads_end)
        if not _all_ints(pads) or not all(map(self._is_weight, channels_own)):
            return None
        group, channels, taps = op.attr("group"), shape[1], math.prod(cast("tuple[int, ...]", filters[2:]))
        depthwise = group == channels == filters[0] and group > 1
        if (group != 1 and not depthwise) or (depthwise and (taps > MOST_EXACT or not self._is_plain(op.w_zero_point))):
            return None
        block = BLOCK if depthwise or channels > GROUP or op.x in self.blocked else GROUP
        properties = _window(windows.kernel, windows.strides, windows.dilations, pads)
        properties["depthwise"] = IntegerAttr(int(depthwise), i64)
        operands = [[] if v is None else v for v in (self.get(op.x, block), *fields[1:])]
        return self.insert(blocked.QLinearConvOp if isinstance(op, conv.QLinearConvOp) else blocked.ConvIntegerOp, operands, properties)

    def _is_plain(self, value: SSAValue | None) -> bool:
        return value is None or self._is_weight(value)

    def _stands_alone(self, op: conv.ConvOp, depthwise: bool, filters: Shape) -> bool:
        """Whether nothing around a convolution is blocked: then it runs as fast on ONNX's own layout, and nothing is packed, if rows of
        its result fill vectors. Those of 3x3 taps are left for Winograd's algorithm, planes of open size for kernels that take them."""
        windows = op.windows(self.shapes)
        if depthwise:
            return op.x not in self.blocked and _all_ints((*self.shapes.of(op.x)[2:], *windows.output)) and not self._goes_on(op.y)
        winograd = filters[2:] == (3, 3) and (*windows.strides, *windows.dilations) == (1, 1, 1, 1)
        if op.x in self.blocked or winograd or not _all_ints((*self.shapes.of(op.x)[2:], *windows.output)):
            return False
        height, width = cast("tuple[int, int]", windows.output)
        row = height * width if filters[2:] == (1, 1) else width
        return row >= FULL * -(-row // BLOCK) * BLOCK and not self._goes_on(op.y)

    def _goes_on(self, value: SSAValue) -> bool:
        """Whether an operator that has fast kernels for blocked tensors reads the value, or what comes of it by others that follow."""
        pending, seen = [value], {value}
        while pending:
            for user in (use.operation for use in pending.pop().uses):
                depthwise = isinstance(user, conv.ConvOp) and user.attr("group") == self.shapes.of(user.x)[1]
                if isinstance(user, _LEADING) or (isinstance(user, conv.ConvOp) and user.attr("group") == 1):
                    return True
                if depthwise or isinstance(user, (*_ZERO_SAFE, slicing.ConcatOp, slicing.SplitOp, image.ResizeOp)):
                    pending += [r for r in user.results if r not in seen]
                    seen.update(user.results)
        return False

    def _scaled(self, op: conv.ConvOp, source: SSAValue) -> tuple[SSAValue, SSAValue] | None:
        """(x, scale) where the convolution's input is x with each channel scaled, as squeeze and excitation do, and only the convolution
        reads it: scaling the filters instead takes less than scaling the plane."""
        mul, plane, filters = source.owner, self.shapes.of(source), self.shapes.of(op.w)
        if not isinstance(mul, elementwise.MulOp) or len(list(op.x.uses)) != 1 or not _all_ints(plane) or not _all_ints(filters):
            return None
        batch, blocks, height, width, _ = cast("tuple[int, ...]", plane)
        if batch != 1 or height * width <= math.prod(cast("tuple[int, ...]", (filters[0], *filters[2:]))):
            return None
        for x, scale in (mul.operands, reversed(mul.operands)):
            if self.shapes.of(x) == plane and self.shapes.of(scale) == (1, blocks, 1, 1, BLOCK):
                return x, scale
        return None

    def pool(self, op: pooling.MaxPoolOp | pooling.AveragePoolOp) -> SSAValue | None:
        if op.x not in self.blocked or not self._float(op.x) or (isinstance(op, pooling.MaxPoolOp) and op.indices is not None):
            return None
        windows = op.windows(self.shapes)
        axes = (windows.pads_begin, windows.pads_end, windows.extent, self.shapes.of(op.x)[2:], windows.output)
        if not all(_all_ints(sizes) for sizes in axes):
            return None
        begins, ends, extent, spatial, output = cast("tuple[tuple[int, ...], ...]", axes)
        needed = [(o - 1) * s + e - d - p for o, s, e, d, p in zip(output, windows.strides, extent, spatial, begins, strict=True)]
        actual = [max(n, 0) if n > e else e for n, e in zip(needed, ends, strict=True)]
        properties = _window(windows.kernel, windows.strides, windows.dilations, (*begins, *actual))
        properties["kind"] = StringAttr("max" if isinstance(op, pooling.MaxPoolOp) else "average")
        properties["overhang"] = DenseArrayBase.from_list(i64, [a - e for a, e in zip(actual, ends, strict=True)])
        if isinstance(op, pooling.AveragePoolOp):
            properties["count_include_pad"] = IntegerAttr(op.attr("count_include_pad"), i64)
        return self.insert(blocked.PoolOp, [self.blocked[op.x]], properties)

    def global_average(self, op: pooling.GlobalAveragePoolOp) -> SSAValue | None:
        return self._mean(op.x) if op.x in self.blocked else None

    def reduce_mean(self, op: reduction.ReduceMeanOp) -> SSAValue | None:
        """A mean over the plane. Where it drops the plane's dimensions, the small result is unpacked at once."""
        data = op.operands[0]
        axes = self.shapes.ints(op.operands[1]) if len(op.operands) > 1 else None
        if data not in self.blocked or axes is None or {a % 4 for a in axes} != {2, 3}:
            return None
        mean = self._mean(data)
        if op.attr("keepdims"):
            return mean
        channels = self.shapes.of(data)[1]
        assert isinstance(channels, int)
        plain = self.insert(blocked.UnpackOp, [mean], {"channels": IntegerAttr(channels, i64)})
        flat = self.insert(reshaping.SqueezeOp, [plain, self._ints([2, 3])], {})
        op.results[0].replace_all_uses_with(flat)
        return None

    def split(self, op: slicing.SplitOp) -> None:
        """Parts of whole blocks stay blocked."""
        data = op.operands[0]
        if data not in self.blocked or op.attr("axis") % 4 != 1 or len(self.shapes.of(data)) != 4:
            return None
        channels = [self.shapes.of(r)[1] for r in op.results]
        if any(not isinstance(c, int) or c % BLOCK for c in channels):
            return None
        sizes = self._ints([c // BLOCK for c in channels if isinstance(c, int)])
        new = slicing.SplitOp.build(
            operands=[self.blocked[data], [sizes]],
            result_types=[[TensorType(f32, [])] * len(channels)],
            properties={"axis": IntegerAttr(1, i64)},
        )
        new.location = op.location
        self.block.insert_op_before(new, op)
        self.shapes.infer_op(new)
        for plain, packed in zip(op.results, new.results, strict=True):
            self._unpack_after(op, plain, packed)
        op.detach()
        op.erase()
        return None

    def resize(self, op: image.ResizeOp) -> SSAValue | None:
        """Nearest-neighbour scaling of the plane works on blocks as on channels."""
        if op.x not in self.blocked or op.attr("mode") != "nearest" or op.attr("axes") is not None or op.roi is not None:
            return None
        scales, sizes = self.shapes.constant(op.scales), self.shapes.ints(op.sizes)
        if scales is not None and scales.size == 4 and scales[0] == scales[1] == 1:
            given = [[], self._constant(np.append(scales, np.float32(1)).astype(np.float32)), []]
        elif sizes is not None and len(sizes) == 4:
            shape = self.shapes.of(self.blocked[op.x])
            if not _all_ints(shape) or op.attr("keep_aspect_ratio_policy") != "stretch":
                return None
            given = [[], [], self._ints([*(int(d) for d in shape[:2]), *sizes[2:], BLOCK])]  # type: ignore[arg-type]
        else:
            return None
        return self.insert(image.ResizeOp, [self.blocked[op.x], *given], dict(_own_properties(op)))

    def _mean(self, value: SSAValue) -> SSAValue:
        axes = self._ints([2, 3])
        return self.insert(reduction.ReduceMeanOp, [self.blocked[value], axes], {"keepdims": IntegerAttr(1, i64)})

    def elementwise(self, op: OnnxOp) -> SSAValue | None:
        """Follows if an operand is blocked and the others are alike, scalar, or constant along the channels."""
        lead = [v for v in op.operands if v in self.blocked]
        if not lead or len(op.results) != 1 or _element(op.results[0]) not in blocked.ELEMENTS:
            return None
        shape = self.shapes.of(op.results[0])
        if all(self.shapes.of(v) != shape for v in lead):
            return None
        packable = [self._packable(v, shape) for v in op.operands]
        if not all(packable):
            return None
        operands = [make() for make in packable if make is not None]
        slots: list[Any] = []
        rest = iter(operands)
        for name, _, optional, variadic in op.operand_defs():
            field = getattr(op, name)
            if field is None:
                slots.append([])
            elif variadic:
                slots.append([next(rest) for _ in field])
            else:
                slots.append([next(rest)] if optional else next(rest))
        return self.insert(type(op), slots, dict(_own_properties(op)))

    def _packable(self, value: SSAValue, shape: Shape) -> Callable[[], SSAValue] | None:
        own = self.shapes.of(value)
        if all(d == 1 for d in own) and (len(own) == 0 or self._is_weight(value)):
            return (lambda: value) if not own else (lambda: self._reshaped_scalar(value))
        if value in self.blocked and own == shape:
            return lambda: self.blocked[value]
        if value in self.blocked and own == (shape[0], shape[1], 1, 1):
            return lambda: self.blocked[value]
        if own == shape:
            return lambda: self.get(value)
        per_channel = len(own) >= 3 and own[-3:] == (shape[1], 1, 1) and all(d == 1 for d in own[:-3])
        if per_channel and self._is_weight(value):
            return lambda: self._channel_weight(value)
        return None

    def _reshaped_scalar(self, value: SSAValue) -> SSAValue:
        array = self.shapes.constant(value)
        assert array is not None
        return self._constant(array.reshape(()))

    def _channel_weight(self, value: SSAValue) -> SSAValue:
        array = self.shapes.constant(value)
        assert array is not None
        flat = array.reshape(-1)
        padded = np.zeros(-(-flat.size // BLOCK) * BLOCK, flat.dtype)
        padded[: flat.size] = flat
        return self._constant(padded.reshape(1, -1, 1, 1, BLOCK))

    def concat(self, op: slicing.ConcatOp) -> SSAValue | None:
        values = list(op.operands)
        shape = self.shapes.of(op.results[0])
        if len(shape) != 4 or op.attr("axis") % 4 != 1 or not any(v in self.blocked for v in values):
            return None
        channels = [self.shapes.of(v)[1] for v in values]
        if any(not isinstance(c, int) or c % BLOCK for c in channels):
            return None
        return self.insert(slicing.ConcatOp, [[self.get(v) for v in values]], {"axis": IntegerAttr(1, i64)})

    # -- helpers

    def _is_weight(self, value: SSAValue) -> bool:
        return isinstance(value.owner, ConstantOp)

    def _float(self, value: SSAValue) -> bool:
        return _element(value) == f32

    def _ints(self, values: Sequence[int]) -> SSAValue:
        return self._constant(np.array(values, np.int64))

    def _constant(self, array: np.ndarray) -> SSAValue:
        assert self.at is not None
        op = self.weights.constant(array)
        self.block.insert_op_before(op, self.at)
        self.shapes.infer_op(op)
        return op.output


def _element(value: SSAValue) -> Attribute | None:
    return value.type.element_type if isinstance(value.type, TensorType) else None


def _own_properties(op: OnnxOp) -> Sequence[tuple[str, Attribute]]:
    return [(k, v) for k, v in op.properties.items() if not k.endswith("SegmentSizes")]


def _all_ints(values: Sequence[Any]) -> bool:
    return all(isinstance(v, int) for v in values)


def _window(kernel: Sequence[Any], strides: Sequence[int], dilations: Sequence[int], pads: Sequence[Any]) -> dict[str, Attribute]:
    named = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}
    return {name: DenseArrayBase.from_list(i64, [int(v) for v in values]) for name, values in named.items()}


_REWRITES: dict[type[Operation], Callable[[_Chooser, Any], SSAValue | None]] = {
    conv.ConvOp: _Chooser.conv,
    conv.ConvIntegerOp: _Chooser.byte_conv,
    conv.QLinearConvOp: _Chooser.byte_conv,
    pooling.MaxPoolOp: _Chooser.pool,
    pooling.AveragePoolOp: _Chooser.pool,
    pooling.GlobalAveragePoolOp: _Chooser.global_average,
    reduction.ReduceMeanOp: _Chooser.reduce_mean,
    slicing.ConcatOp: _Chooser.concat,
    slicing.SplitOp: _Chooser.split,
    image.ResizeOp: _Chooser.resize,
    **dict.fromkeys(_ZERO_SAFE, _Chooser.elementwise),
}
