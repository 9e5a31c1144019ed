"""Products by Strassen's algorithm as contractions: sums of the left operand are made once for all panels of weights, and for all
products that share it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dialects import dispatch, fused
from ...dialects.onnx.dims import ceildiv, less, product, select
from ..scalar import FLOAT, INDEX, Scalar
from ..strassen import FEWEST_ROWS, LEFT
from .builder import Lowering, Tensor
from .contraction import BLOCK, pack_rhs, padded_element, panel_width
from .registry import lower


@lower(fused.StrassenMatMulOp)
def lower_strassen(b: Lowering, op: fused.StrassenMatMulOp, x: Tensor, w: Tensor) -> Tensor:
    *rows, depth = x.shape
    shape = (*rows, w.shape[1])
    left = b.reshape(x, (product(rows), depth))
    key = b.block, x.value, "strassen"
    if key not in b.packed:
        b.packed[key] = _sums(b, left)
    width = panel_width(b, w.shape[1], 32)
    panels = pack_rhs(b, w, (), BLOCK, width)
    type = b.tensor_type(shape, FLOAT)
    sums, layout = b.packed[key].value, (0, 1, BLOCK, width)
    contract = dispatch.ContractOp("strassen", left.value, panels.value, type, b.dims(shape), layout=layout, values=sums)
    b.emit(contract)
    return Tensor(b, contract.result, shape, FLOAT)


def _sums(b: Lowering, x: Tensor) -> Tensor:
    """The seven left operands (m/2, 7, k/2) of x (m, k): quarters are even and odd rows, and the halves of each. None for so few rows that
    the kernel multiplies them plainly."""
    m, k = x.shape
    assert isinstance(k, int)
    pairs = select(less(m, FEWEST_ROWS), 0, ceildiv(m, 2))

    def element(i: Any, q: Any, c: Any) -> Scalar:
        places = [(i * 2 + row, c + half) for row in range(2) for half in (0, k // 2)]
        quarters = [padded_element(b, x, at, -2, m, 2) for at in places]
        *others, found = [_signed(signs, quarters) for signs in LEFT]
        which = b.s.operand(q, INDEX)
        for n, value in enumerate(others):
            found = b.s.select(which.equals(n), value, found)
        return found

    return b.compute((pairs, len(LEFT), k // 2), FLOAT, element, doc="sum lhs")


def _signed(signs: np.ndarray, quarters: list[Scalar]) -> Scalar:
    """The sum of quarters with their signs."""
    plus, minus = ([x for s, x in zip(signs, quarters, strict=True) if s == sign] for sign in (1, -1))
    total = sum(plus[1:], start=plus[0])
    for x in minus:
        total = total - x
    return total
