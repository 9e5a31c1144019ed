"""The padding that windows read through: pools and the plainly looped convolutions call it; it reaches as far as windows do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.dims import Dim, maximum, non_negative
from ...dialects.onnx.windows import Windows
from ..scalar import INDEX, Number, ScalarBuilder
from .builder import Lowering, Tensor


def padded(b: Lowering, op: OnnxOp, x: Tensor, found: Windows, fill: Number | Tensor) -> Tensor:
    """x (.., D1, .., Dk) with its last k axes padded by `fill`, as far as the windows reach: tap t of window o stands at
    o * stride + t * dilation. `fill` is a number or a tensor of one element. x itself where no window reaches beyond it."""
    if _fits(op, x, found):
        return x
    lead = x.rank - len(found.kernel)
    reach = [maximum((o - 1) * s + e, 0) for o, s, e in zip(found.output, found.strides, found.extent, strict=True)]
    shape = (*x.shape[:lead], *reach)

    def element(*i: Any) -> Any:
        places = [j - b.index(begin) for j, begin in zip(i[lead:], found.pads_begin, strict=True)]
        inside = b.s.all([c for p, size in zip(places, x.shape[lead:], strict=True) for c in within(b, p, size)])
        safe = [b.s.select(inside, b.s.operand(p, INDEX), 0) for p in places]
        value = fill.scalar() if isinstance(fill, Tensor) else b.s.const(fill, x.type)
        return b.s.select(inside, x[(*i[:lead], *safe)], value)

    require_elements(b, x, range(lead, x.rank))
    return b.compute(shape, x.type, element, doc="pad")


def within(b: Lowering, place: Any, size: Dim) -> list[Any]:
    """The conditions under which an index lies in an axis of this size."""
    return [place >= 0, place < b.index(size)]


def require_elements(b: Lowering, x: Tensor, axes: Sequence[int]) -> None:
    """Ends the run where an axis of x is empty that padding or sampling reads at some clamped place."""
    for axis in axes:
        size = x.shape[axis]
        if isinstance(size, int) and size > 0:
            continue
        s = ScalarBuilder(b.block)
        b.require((s.wrap(b.dim(size), INDEX) > 0).value, "ITG5020", f"axis {axis} of the input is empty")


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
