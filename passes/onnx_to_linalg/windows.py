"""Windows over spatial axes: the padding that convolutions and pools of every layout read through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.dims import Dim, maximum, non_negative, product
from ...dialects.onnx.types import ElementType
from ...dialects.onnx.windows import Windows
from ..scalar import INDEX, Number, Scalar, ScalarBuilder
from .builder import Lowering, Tensor


def padded(b: Lowering, op: OnnxOp, x: Tensor, found: Windows, fill: Number | Tensor) -> Tensor:
    """x (.., D1, .., Dk) with its last k axes padded by `fill`, as far as the windows reach: tap t of window o stands at
    o * stride + t * dilation. `fill` is a number or a tensor of one element. x itself where no window reaches beyond it."""
    if _fits(op, x, found):
        return x
    reach = [maximum((o - 1) * s + e, 0) for o, s, e in zip(found.output, found.strides, found.extent, strict=True)]
    return _moved(b, x, range(x.rank - len(reach), x.rank), found.pads_begin, reach, fill)


def pad_axes(b: Lowering, x: Tensor, axes: Sequence[int], begins: Sequence[Dim], ends: Sequence[Dim], fill: Number | Tensor) -> Tensor:
    """x with `begins` and `ends` elements of `fill`, a number or a tensor of one element, added along `axes`."""
    if all(p == 0 for p in (*begins, *ends)):
        return x
    sizes = [x.shape[a] + p + q for a, p, q in zip(axes, begins, ends, strict=True)]
    return _moved(b, x, axes, begins, sizes, fill)


def within(b: Lowering, place: Any, size: Dim) -> list[Any]:
    """The conditions under which an index lies in an axis of this size."""
    return [place >= 0, place < b.index(size)]


def require_elements(b: Lowering, x: Tensor, axes: Sequence[int], needed_for: Dim = 1) -> None:
    """Ends the run where an axis of x is empty that padding or sampling reads at some clamped place, for as many elements."""
    for axis in axes:
        size = x.shape[axis]
        if isinstance(size, int) and size > 0:
            continue
        s = ScalarBuilder(b.block)
        held = (s.wrap(b.dim(size), INDEX) > 0) | s.wrap(b.dim(needed_for), INDEX).equals(0)
        b.require(held.value, "ITG5020", f"axis {axis} of the input is empty")


MOST_COUNTED = 1 << 16
"""Windows along an axis whose taps are counted while compiling."""


def tap_counter(
    b: Lowering, windows: Dim, between: tuple[Dim, Dim], taps: Dim, stride: int, dilation: int, begin: Dim, type: ElementType
) -> Callable[[Any], Scalar]:
    """How many taps of the window at a place of an axis lie between two places of the input, as a number of a type.

    Where sizes are known it is a constant, since vectors can read that, but not compute with a place.
    """
    low, high = between

    def before(distance: Any) -> Any:
        """How many taps of a window stand at less than this distance from its first one."""
        return b.s.max(b.s.min((distance + (dilation - 1)) // dilation, b.index(taps)), 0)

    def count(place: Any) -> Scalar:
        start = b.s.operand(place * stride - b.index(begin), INDEX)
        return b.s.cast(before(b.index(high) - start) - before(b.index(low) - start), type)

    sizes = (windows, low, high, taps, begin)
    if not all(isinstance(n, int) for n in sizes) or not 0 < cast(int, windows) <= MOST_COUNTED:
        return count
    known, *ends, most, padding = cast("tuple[int, ...]", sizes)
    starts = np.arange(known) * stride - padding
    upto_low, upto_high = (np.clip(-((starts - end) // dilation), 0, most) for end in ends)
    found = upto_high - upto_low
    if (found == found[0]).all():
        return lambda place: b.s.const(int(found[0]), type)
    counts = b.constant(found.astype(type.numpy), type)
    return lambda place: counts[(place,)]


def _moved(b: Lowering, x: Tensor, axes: Sequence[int], begins: Sequence[Dim], sizes: Sequence[Dim], fill: Number | Tensor) -> Tensor:
    """x with `begins` elements of `fill` before each of `axes`, and as many after it (or as much cut off) as gives `sizes`."""
    wanted = {a: (p, d) for a, p, d in zip(axes, begins, sizes, strict=True) if p != 0 or d != x.shape[a]}
    shape = tuple(wanted[a][1] if a in wanted else d for a, d in enumerate(x.shape))

    def element(*i: Any) -> Scalar:
        at, inside = list(i), []
        for axis, (begin, _) in wanted.items():
            place = b.s.operand(i[axis] - b.index(begin), INDEX)
            inside += within(b, place, x.shape[axis])
            at[axis] = b.s.max(b.s.min(place, b.s.operand(b.index(x.shape[axis]), INDEX) - 1), 0)
        value = fill.scalar() if isinstance(fill, Tensor) else b.s.const(fill, x.type)
        return b.s.select(b.s.all(inside), x[tuple(at)], value)

    require_elements(b, x, list(wanted), product(shape))
    return b.compute(shape, x.type, element, doc="pad")


def _fits(op: OnnxOp, x: Tensor, found: Windows) -> bool:
    """Whether all windows can be seen to lie inside the input."""
    ceil = hasattr(op, "ceil_mode") and bool(op.attr("ceil_mode"))
    spatial = x.shape[x.rank - len(found.kernel) :]
    for size, begin, end, out, stride, extent in zip(
        spatial, found.pads_begin, found.pads_end, found.output, found.strides, found.extent, strict=True
    ):
        rounded_down = end == 0 and not ceil
        if begin != 0 or not (rounded_down or non_negative(size - ((out - 1) * stride + extent))):
            return False
    return True
