"""Products of bytes summed in int32, exactly: packed contractions of the bytes as they are, from which sums along rows and columns take
what the zero points add, sum of (x - p)(y - q) = sum of x y - p sum of y - q sum of x + k p q. For matrices and blocked convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects.builtin import UnitAttr

from ...dialects import dispatch
from ...dialects.onnx.dims import Shape, ceildiv, product
from ...dialects.onnx.types import BY_NAME, ElementType
from ..scalar import INDEX, INT32, Scalar
from .builder import Lowering, Tensor
from .contraction import (
    divides,
    own_batch,
    pack_lhs,
    pack_panels,
    pack_pays,
    padded_element,
    panel_width,
    repeats_plainly,
    tile_rows,
    weight_id,
)

GROUP = dispatch.GROUP
LINE, SHORT = 64, 16
"""Reduced elements in a block: a cache line of bytes, where that divides them."""

INT8, UINT8 = BY_NAME["int8"], BY_NAME["uint8"]
_OFFSET = 128
"""What lies between a byte read as unsigned and read as signed once its highest bit is turned."""


@dataclass(frozen=True)
class Operand:
    """Bytes as dot products take them, and what is to be taken off them: a zero point, read at some indices, plus an offset.

    zero_point None is one of 0; no zero point and no offset: the bytes are the values.
    """

    bytes: Tensor
    zero_point: Tensor | None
    offset: int = 0

    @property
    def is_plain(self) -> bool:
        return self.zero_point is None and not self.offset

    def zero(self, b: Lowering, read: Callable[[Tensor], Scalar]) -> Scalar:
        if self.zero_point is None:
            return b.s.const(self.offset, INT32)
        value = b.s.cast(read(self.zero_point), INT32)
        return value + self.offset if self.offset else value


def left_operand(b: Lowering, x: Tensor, zero_point: Tensor | None) -> Operand:
    """x with the sign that the target's dot products want on the left."""
    return _signed_as(b, x, _unless_zero(b, zero_point), b.target is not None and b.target.signed_bytes)


def right_operand(b: Lowering, y: Tensor, zero_point: Tensor | None, axis: int) -> Operand:
    """y as signed bytes; zero points lie along `axis`. They are taken off constants here, where the differences still are bytes."""
    known, zeros = known_array(b, y), np.zeros(1, np.int16) if zero_point is None else known_array(b, zero_point)
    if weight_id(y) is not None and known is not None and zeros is not None:
        shape = [1] * y.rank
        if zeros.size > 1:
            shape = list(zeros.shape) if zeros.ndim > 1 else [-1 if n == axis % y.rank else 1 for n in range(y.rank)]
        centred = known.reshape([int(d) for d in y.shape]).astype(np.int16) - zeros.reshape(shape).astype(np.int16)  # type: ignore[arg-type]
        if not centred.size or (centred.min() >= -_OFFSET and centred.max() < _OFFSET):
            name = "" if zero_point is None else weight_id(zero_point) or "-".join(map(str, zeros.reshape(-1)))
            id = f"{weight_id(y)}:less:{name}:{axis % y.rank}"
            return Operand(b.constant(centred.astype(np.int8), INT8, id), None)
    return _signed_as(b, y, _unless_zero(b, zero_point), True)


def known_array(b: Lowering, x: Tensor) -> np.ndarray | None:
    """A constant's elements."""
    id = weight_id(x)
    return b.weights[id] if id is not None else x.constant


def _unless_zero(b: Lowering, zero_point: Tensor | None) -> Tensor | None:
    known = None if zero_point is None else known_array(b, zero_point)
    return None if known is not None and np.all(known == 0) else zero_point


def _signed_as(b: Lowering, x: Tensor, zero_point: Tensor | None, signed: bool) -> Operand:
    if x.type.is_signed == signed:
        return Operand(x, zero_point)
    offset, type = (-_OFFSET, INT8) if signed else (_OFFSET, UINT8)
    known, id = known_array(b, x), weight_id(x)
    if id is not None and known is not None:
        turned = b.constant((known.astype(np.int16) + offset).astype(type.numpy), type, f"{id}:{type.name}")
    else:
        turned = b.compute(x.shape, type, lambda *i: b.s.cast(b.s.cast(x[i], INT32) + offset, type))
    known_zero = None if zero_point is None else known_array(b, zero_point)
    if known_zero is not None and np.all(known_zero.astype(np.int16) == -offset):
        return Operand(turned, None)
    return Operand(turned, zero_point, offset)


def at(t: Tensor, i: Sequence[Any], axis: int) -> Scalar:
    """A scale or zero point of a matrix element: one value, one for each position along `axis`, or broadcast."""
    if t.shape == (1,) * t.rank:
        return t.scalar()
    return t.at((i[axis],)) if t.rank == 1 else t.at(i)


# -- matrices


def byte_matmul(b: Lowering, x: Tensor, x_zero: Tensor | None, y: Tensor, y_zero: Tensor | None) -> Tensor:
    """numpy.matmul of x - x_zero and y - y_zero in int32. Zero points of x go by rows, those of y by columns."""
    if x.rank == 1:
        result = byte_matmul(b, b.reshape(x, (1, *x.shape)), x_zero, y, y_zero)
        return b.reshape(result, (*result.shape[:-2], result.shape[-1]))
    if y.rank == 1:
        result = byte_matmul(b, x, x_zero, b.reshape(y, (*y.shape, 1)), y_zero)
        return b.reshape(result, result.shape[:-1])
    left, right = left_operand(b, x, x_zero), right_operand(b, y, y_zero, -1)
    batch = b.shapes.broadcast(b.op, x.shape[:-2], y.shape[:-2])  # type: ignore[arg-type]
    shape, depth = (*batch, x.shape[-2], y.shape[-1]), x.shape[-1]
    total = _product(b, left.bytes, right.bytes, shape)
    if left.is_plain and right.is_plain:
        return total
    columns = None if left.is_plain else _column_sums(b, right.bytes)
    rows = None if right.is_plain else _row_sums(b, left.bytes)

    def element(*i: Any) -> Scalar:
        value = total[i]
        p = None if columns is None else left.zero(b, lambda t: at(t, i, -2))
        q = None if rows is None else right.zero(b, lambda t: at(t, i, -1))
        if columns is not None and p is not None:
            value = value - p * columns.at(i)
        if rows is not None and q is not None:
            value = value - q * rows.at(i)
        if p is not None and q is not None:
            value = value + p * q * b.s.cast(b.s.operand(b.index(depth), INDEX), INT32)
        return value

    return b.compute(shape, INT32, element)


def _product(b: Lowering, x: Tensor, y: Tensor, shape: Shape) -> Tensor:
    """x times y as their bytes stand."""
    batch = len(shape) - 2
    if all(d == 1 for d in y.shape[:-2]):
        rows = (*([1] * (batch - x.rank + 2)), *x.shape[:-1])
        flat = b.reshape(x, (product(x.shape[:-1]), x.shape[-1]))
        return _contract(b, flat, b.reshape(y, y.shape[-2:]), (*rows, shape[-1]), 0)
    return _contract(b, x, y, shape, batch)


def _contract(b: Lowering, x: Tensor, y: Tensor, shape: Shape, batch: int) -> Tensor:
    k, lead = x.shape[-1], shape[:batch]
    if k == 0:
        return b.compute(shape, INT32, lambda *_: b.s.const(0, INT32))
    block = LINE if divides(k, LINE) else SHORT if not isinstance(k, int) or k > SHORT else -(-k // GROUP) * GROUP
    width = panel_width(b, shape[-1], 32)
    packed = not divides(k, GROUP) or not repeats_plainly(x, lead) or pack_pays(b, x, block, tile_rows(b, width, 32))
    lhs = pack_lhs(b, x, lead, block) if packed else x
    layout = (int(packed), 1, block, width)
    rhs = _pack_rhs(b, y, lead, block, width)
    op = dispatch.ContractOp("matmul", lhs.value, rhs.value, b.tensor_type(shape, INT32), b.dims(shape), batch=batch, layout=layout)
    return emit_signed(b, op, x.type, shape)


def emit_signed(b: Lowering, op: dispatch.ContractOp, left: ElementType, shape: Shape) -> Tensor:
    """Emits a contraction whose left operand has bytes of type `left`."""
    if left.is_signed:
        op.properties["signed"] = UnitAttr()  # type: ignore[type-var]
    b.emit(op)
    return Tensor(b, op.result, tuple(shape), INT32)


def _pack_rhs(b: Lowering, y: Tensor, batch: Shape, block: int, width: int) -> Tensor:
    """y (batch.., k, n) as (batch.., n/width, k/block, block/4, width, 4), at compile time where y is a weight."""
    *own, k, n = y.shape
    weight = weight_id(y)
    if weight is not None:
        id = f"{weight}:bytes{block}x{width}:{'x'.join(map(str, y.shape))}"
        if id not in b.weights:
            array = b.weights[weight].reshape([int(d) for d in y.shape])  # type: ignore[arg-type]
            b.weights[id] = in_groups(pack_panels(array, block, width))
        return b.constant(b.weights[id], INT8, id)
    lead = own_batch(batch, own)
    rank = len(lead)

    def element(*i: Any) -> Scalar:
        panel, kb, c, w, t = i[rank:]
        return padded_element(b, y, (*i[:rank], kb * block + c * GROUP + t, panel * width + w), -2, k, block, (-1, n, width))

    shape = (*lead, ceildiv(n, width), ceildiv(k, block), block // GROUP, width, GROUP)
    return b.compute(shape, INT8, element, doc="pack rhs")


def in_groups(panels: np.ndarray) -> np.ndarray:
    """(.., c, w) as (.., c/4, w, 4)."""
    *lead, c, w = panels.shape
    return np.ascontiguousarray(panels.reshape(*lead, c // GROUP, GROUP, w).swapaxes(-1, -2))


def _column_sums(b: Lowering, y: Tensor) -> Tensor:
    """Sums of y (.., k, n) over k, as (.., 1, n)."""
    id = weight_id(y)
    if id is not None:
        sums = b.weights[id].reshape([int(d) for d in y.shape]).sum(-2, dtype=np.int32, keepdims=True)  # type: ignore[arg-type]
        return b.constant(sums, INT32, f"{id}:sums")
    *lead, k, n = y.shape
    axes = [*range(len(lead)), None, len(lead)]
    return _sums(b, (*lead, n), k, lambda i, r: y[(*i[:-1], r[0], i[-1])], axes)


def _row_sums(b: Lowering, x: Tensor) -> Tensor:
    """Sums of x (.., m, k) over k, as (.., m, 1)."""
    *lead, k = x.shape
    return _sums(b, tuple(lead), k, lambda i, r: x[(*i, r[0])], [*range(len(lead)), None])


def _sums(b: Lowering, shape: Shape, depth: Any, read: Callable[[Any, Any], Scalar], axes: Sequence[int | None]) -> Tensor:
    return b.reduce(shape, (depth,), INT32, lambda i, r: b.s.cast(read(i, r), INT32), lambda a, v: a + v, 0, out_axes=axes)
