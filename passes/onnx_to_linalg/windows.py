"""Windows over spatial axes: padding and fold helpers that convolutions and pools of every layout share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...dialects.onnx.dims import Dim
from ..scalar import INDEX, Number
from .builder import Lowering, Tensor


def pad_axes(b: Lowering, x: Tensor, axes: Sequence[int], begins: Sequence[Dim], ends: Sequence[Dim], value: Number) -> Tensor:
    """x with `begins` and `ends` elements of `value` added along `axes`."""
    pads = {a: (p, q) for a, p, q in zip(axes, begins, ends, strict=True) if p != 0 or q != 0}
    if not pads:
        return x
    shape = tuple(d + pads[a][0] + pads[a][1] if a in pads else d for a, d in enumerate(x.shape))

    def element(*i: Any) -> Any:
        at, inside = list(i), []
        for axis, (begin, _) in pads.items():
            here = b.s.operand(i[axis] - b.index(begin), INDEX)
            limit = b.s.operand(b.index(x.shape[axis]), INDEX)
            inside.append((here >= 0) & (here < limit))
            at[axis] = b.s.max(b.s.min(here, limit - 1), 0)
        return b.s.select(b.s.all(inside), x[tuple(at)], value)

    return b.compute(shape, x.type, element, doc="pad")
