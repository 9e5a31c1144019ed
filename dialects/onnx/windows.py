"""Window arithmetic of convolutions and pools: attributes in, resolved pads and output sizes out; shape inference and lowering call it.

All sizes are `Dim`s, so a symbolic input keeps exact expressions. Formulas: https://onnx.ai/onnx/operators/onnx__MaxPool.html and
https://onnx.ai/onnx/operators/onnx__ConvTranspose.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .base import OnnxOp, int_attr, ints_attr, str_attr
from .checks import one_of
from .dims import Dim, Shape, ceildiv, floordiv, maximum, minimum
from .shapes import Shapes

AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@dataclass(frozen=True)
class Windows:
    """Windows along each spatial axis, everything resolved: window j of an axis starts at j * stride - pads_begin.

    kernel counts taps, `dilations` their distance; pads are what surrounds the input (for a transposed convolution: what is cut
    from the full output); output counts windows (for a transposed convolution: output positions).
    """

    kernel: tuple[Dim, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads_begin: tuple[Dim, ...]
    pads_end: tuple[Dim, ...]
    output: tuple[Dim, ...]

    @property
    def extent(self) -> tuple[Dim, ...]:
        """Input positions from the first to the last tap of a window, both counted."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))


class ExplicitWindowOp(OnnxOp):
    """Base of operators with explicit window attributes."""

    pads = ints_attr()
    strides = ints_attr()


class DilatedWindowOp(ExplicitWindowOp):
    """Base of operators whose windows may also be dilated."""

    dilations = ints_attr()


class WindowOp(DilatedWindowOp):
    """Base of operators that may also choose their pads themselves."""

    auto_pad = str_attr("NOTSET")


class CeilWindowOp(WindowOp):
    """Base of pools, whose last window may hang over."""

    ceil_mode = int_attr(0)


def spatial_ints(op: OnnxOp, name: str, count: int, default: int, least: int) -> tuple[int, ...]:
    """Attribute `name` as `count` integers of at least `least`; `default` each if it is absent (or the operator has none)."""
    given = op.attr(name) if hasattr(op, name) else None
    if given is None:
        return (default,) * count
    if len(given) != count:
        raise op.fail("ITG2143", f"{name} has {len(given)} values {given}, expected {count}")
    if any(v < least for v in given):
        raise op.fail("ITG2142", f"{name} is {given}, expected values of {least} or more")
    return given


def spatial_pads(op: OnnxOp, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Explicit pads as (begins, ends)."""
    pads = spatial_ints(op, "pads", 2 * count, 0, 0)
    return pads[:count], pads[count:]


def kernel_of(op: OnnxOp, shapes: Shapes, weight_spatial: Shape) -> Shape:
    """The kernel's size per axis from a weight's spatial dimensions; attribute kernel_shape must agree where present."""
    given = op.attr("kernel_shape")
    if given is None:
        given = weight_spatial
    if len(given) != len(weight_spatial):
        raise op.fail("ITG2143", f"kernel_shape {given} has {len(given)} values for a weight with {len(weight_spatial)} spatial axes")
    pairs = zip(given, weight_spatial, strict=True)
    kernel = tuple(shapes.require_equal(op, k, w, "kernel_shape and the weight's spatial dimensions") for k, w in pairs)
    if any(isinstance(k, int) and k < 1 for k in kernel):
        raise op.fail("ITG2144", f"the kernel {kernel} has no taps along some axis")
    return kernel


def windows(op: OnnxOp, spatial: Shape, kernel: Sequence[Dim]) -> Windows:
    """Windows of a convolution or pool over an input with these spatial sizes.

    Reads strides, dilations, pads, auto_pad and ceil_mode of `op`, absent ones at their default. Raises ShapeError for malformed
    attributes and for a window that does not fit its padded input.
    """
    count = len(spatial)
    strides = spatial_ints(op, "strides", count, 1, 1)
    dilations = spatial_ints(op, "dilations", count, 1, 1)
    begins, ends = spatial_pads(op, count)
    auto_pad = one_of(op, "auto_pad", *AUTO_PADS) if hasattr(op, "auto_pad") else "NOTSET"
    ceil = bool(op.attr("ceil_mode")) if hasattr(op, "ceil_mode") else False
    pads: list[tuple[Dim, Dim]] = []
    output: list[Dim] = []
    for axis, (size, taps, stride, dilation) in enumerate(zip(spatial, kernel, strides, dilations, strict=True)):
        extent = (taps - 1) * dilation + 1
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            positions = ceildiv(size, stride)
            pads.append(_split_padding((positions - 1) * stride + extent - size, upper=auto_pad == "SAME_UPPER"))
            output.append(positions)
            continue
        begin, end = (begins[axis], ends[axis]) if auto_pad == "NOTSET" else (0, 0)
        pads.append((begin, end))
        # The specification's formula for VALID rounds down whatever ceil_mode says.
        output.append(_positions(op, axis, size, extent, stride, begin, end, ceil=ceil and auto_pad == "NOTSET"))
    return Windows(tuple(kernel), strides, dilations, tuple(b for b, _ in pads), tuple(e for _, e in pads), tuple(output))


def _positions(op: OnnxOp, axis: int, size: Dim, extent: Dim, stride: int, begin: int, end: int, *, ceil: bool) -> Dim:
    """How many windows fit along an axis."""
    room = size + begin + end - extent
    if isinstance(room, int) and room < 0:
        if size == 0:
            return 0
        raise op.fail("ITG2144", f"a window of {extent} does not fit spatial axis {axis} of size {size} padded by {begin} and {end}")
    if not ceil:
        return floordiv(room, stride) + 1
    count = ceildiv(room, stride) + 1
    # A last window that would start behind the input is left out; it can only exist where the stride steps over the end pads.
    can_start_outside = not isinstance(extent, int) or stride - 1 >= extent - end
    return minimum(count, ceildiv(size + begin, stride)) if can_start_outside else count


def _split_padding(total: Dim, *, upper: bool) -> tuple[Dim, Dim]:
    """Splits padding over both sides, the odd one at the end for SAME_UPPER; never negative."""
    total = maximum(total, 0)
    half = floordiv(total, 2)
    return (half, total - half) if upper else (total - half, half)


def transposed_windows(op: OnnxOp, spatial: Shape, kernel: Sequence[Dim]) -> Windows:
    """Windows of a transposed convolution: pads are what is cut from the full output on either side.

    Reads strides, dilations, pads, auto_pad, output_padding and output_shape of `op`. Where an asked-for output is larger than the
    full one, pads are 0 and the excess at the end receives no contribution.
    """
    count = len(spatial)
    strides = spatial_ints(op, "strides", count, 1, 1)
    dilations = spatial_ints(op, "dilations", count, 1, 1)
    begins, ends = spatial_pads(op, count)
    extra = spatial_ints(op, "output_padding", count, 0, 0)
    asked = spatial_ints(op, "output_shape", count, 0, 0) if op.attr("output_shape") is not None else None
    auto_pad = one_of(op, "auto_pad", *AUTO_PADS)
    _check_output_padding(op, extra, strides, dilations)
    pads: list[tuple[Dim, Dim]] = []
    output: list[Dim] = []
    for axis, (size, taps, stride, dilation) in enumerate(zip(spatial, kernel, strides, dilations, strict=True)):
        full = (size - 1) * stride + (taps - 1) * dilation + 1 + extra[axis]
        target: Dim | None = None
        if asked is not None:
            target = asked[axis]
        elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            target = size * stride
        if target is not None:
            pads.append(_split_padding(full - target, upper=auto_pad == "SAME_UPPER"))
            output.append(target)
            continue
        begin, end = (begins[axis], ends[axis]) if auto_pad == "NOTSET" else (0, 0)
        pads.append((begin, end))
        output.append(_cut(op, axis, size, full, begin, end))
    return Windows(tuple(kernel), strides, dilations, tuple(b for b, _ in pads), tuple(e for _, e in pads), tuple(output))


def _cut(op: OnnxOp, axis: int, size: Dim, full: Dim, begin: int, end: int) -> Dim:
    """What pads leave of a transposed convolution's full output; an empty input gives an empty output."""
    left = full - begin - end
    if size == 0:
        return 0
    if isinstance(left, int) and left < 0:
        raise op.fail("ITG2144", f"pads {begin} and {end} cut more than the full output of {full} along spatial axis {axis}")
    return left


def _check_output_padding(op: OnnxOp, extra: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> None:
    if any(e >= max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        raise op.fail("ITG2142", f"output_padding {tuple(extra)} must be less than the strides {strides} or dilations {dilations}")
