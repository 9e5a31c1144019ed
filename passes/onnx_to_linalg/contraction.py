"""Contractions on packed operands: what MatMul, Gemm, convolutions and attention are lowered through.

The left operand is packed into blocks of the reduced dimension, the right one into panels as wide as two vectors; constants are
packed once, at compile time. Padding of the reduced dimension and of the panels is zero, so it adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd
from typing import Any

import numpy as np
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorType
from xdsl.ir import Block, Region
from xdsl.ir.affine import AffineExpr, AffineMap

from ...dialects import dispatch
from ...dialects.onnx.dims import Dim, Shape, ceildiv, product
from ..codegen.tiles import best_vectors, rows_beside
from ..dispatch.fold_moves import copied
from ..dispatch.structure import dims_of
from ..scalar import DOUBLE, FLOAT, INDEX, Scalar, ScalarBuilder
from .builder import Lowering, Tensor

BLOCK = dispatch.BLOCK
"""Reduced elements in a block, and the channel block of convolutions."""

ACCUMULATORS = {"float": FLOAT, "double": DOUBLE, "float16": FLOAT, "bfloat16": FLOAT}


def matmul(b: Lowering, x: Tensor, y: Tensor) -> Tensor:
    """numpy.matmul: x (.., m, k) times y (.., k, n), batch dimensions broadcast, vectors promoted."""
    if x.rank == 1:
        result = matmul(b, b.reshape(x, (1, *x.shape)), y)
        return b.reshape(result, (*result.shape[:-2], result.shape[-1]))
    if y.rank == 1:
        result = matmul(b, x, b.reshape(y, (*y.shape, 1)))
        return b.reshape(result, result.shape[:-1])
    batch = b.shapes.broadcast(b.op, x.shape[:-2], y.shape[:-2])  # type: ignore[arg-type]
    shape = (*batch, x.shape[-2], y.shape[-1])
    if x.type.name not in ACCUMULATORS:
        return _integer_matmul(b, x, y, shape)
    if all(d == 1 for d in y.shape[:-2]):
        rows = (*([1] * (len(batch) - x.rank + 2)), *x.shape[:-1])
        flat = b.reshape(x, (product(x.shape[:-1]), x.shape[-1]))
        return contract(b, flat, b.reshape(y, y.shape[-2:]), (*rows, shape[-1]), batch=0)
    return contract(b, x, y, shape, batch=len(batch))


def contract(b: Lowering, x: Tensor, y: Tensor, shape: Shape, *, batch: int) -> Tensor:
    """x (batch.., m, k) times y (batch.., k, n) on floats; `shape` is the result's: its first `batch` dims, then rows, then n."""
    k, n = x.shape[-1], y.shape[-1]
    block = k if isinstance(k, int) and k < BLOCK else BLOCK
    if block == 0:
        return b.compute(shape, x.type, lambda *_: b.s.const(0.0, x.type))
    type, accumulator = x.type, ACCUMULATORS[x.type.name]
    bits = 64 if accumulator is DOUBLE else 32
    width = matmul_width(b, product(shape[batch:-1]), n, bits)
    lead = shape[:batch]
    lhs_packed = pack_pays(b, x, block, tile_rows(b, width, bits))
    if not lhs_packed:
        x = b.cast(x, accumulator)  # once an element, not once for every panel that reads it
    rhs_packed = weight_id(y) is not None or (divides(k, block) and divides(n, width)) or not repeats_plainly(y, lead)
    lhs = pack_lhs(b, x, lead, block) if lhs_packed or not repeats_plainly(x, lead) else x
    rhs = pack_rhs(b, y, lead, block, width) if rhs_packed else y
    layout = (int(lhs is not x), int(rhs is not y), block, width)
    result_type = b.tensor_type(shape, accumulator)
    op = dispatch.ContractOp("matmul", lhs.value, rhs.value, result_type, b.dims(shape), batch=batch, layout=layout)
    b.emit(op)
    return b.cast(Tensor(b, op.result, tuple(shape), accumulator), type)


MOST_FEATURES = 256
"""Values of attention may be so long: the sums of a tile of queries stay in L1 beside a block of scores."""

TURNED = 1 << 14
"""Elements of keys that the kernel turns itself, on its stack; more are packed before it, once for all tiles of queries."""

FEW_QUERIES = 4
"""Attention of fewer queries reads keys and values once, in whatever kernel: packing the keys would be one more time."""


def attends(x: Tensor, keys: Tensor, values: Tensor) -> bool:
    """Whether `attend` takes these: float32, sizes of keys and values known, batches that are those of the queries or 1."""
    depth, features, queries = x.shape[-1], values.shape[-1], x.shape[-2]
    known = isinstance(depth, int) and isinstance(features, int) and depth > 0 and 0 < features <= MOST_FEATURES
    enough = not isinstance(queries, int) or queries >= FEW_QUERIES
    plain = all(t.type is FLOAT and t.rank == x.rank and repeats_plainly(t, x.shape[:-2]) for t in (keys, values))
    return known and enough and plain and x.type is FLOAT and keys.shape[-1] != 0


def attend(
    b: Lowering, x: Tensor, keys: Tensor, values: Tensor, biases: Sequence[Tensor], score: Callable[..., Scalar], *, zeros: int
) -> Tensor:
    """softmax(score) values as one contraction, for `attends`: x (batch.., m, k), keys (batch.., k, n), values (batch.., n, f).

    score(s, product, *biases) is a score of an element of x times keys, and of one of each bias, whose axes are those of
    (batch.., m, n) or 1. zeros: what rows that see nothing give, see `dispatch.ContractOp`.
    """
    (*batch, m, depth), n, features = x.shape, keys.shape[-1], values.shape[-1]
    assert isinstance(depth, int)
    block, width, count = min(depth, BLOCK), panel_width(b, n, 32), len(batch)
    whole, shape = (*batch, m, n, depth, features), (*batch, m, features)
    in_place = isinstance(n, int) and n * depth <= TURNED and _lie_turned(keys)
    body = Block(arg_types=[FLOAT.ir] * (1 + len(biases)))
    s = ScalarBuilder(body)
    body.add_op(dispatch.YieldOp(score(s, *(s.wrap(a, FLOAT) for a in body.args)).value))
    op = dispatch.ContractOp(
        "attention",
        x.value,
        (keys if in_place else pack_rhs(b, keys, tuple(batch), block, width)).value,
        b.tensor_type(shape, FLOAT),
        b.dims(shape),
        window=(zeros,),
        batch=count,
        layout=(0, int(not in_place), block, width),
        extras=[bias.value for bias in biases],
        extra_maps=[AffineMapAttr(_repeated(bias.shape)) for bias in biases],
        epilogue=Region(body),
        values=values.value,
        shape=[d if isinstance(d, int) else -1 for d in whole],
        sizes=b.dims(whole),
    )
    own = [AffineExpr.dimension(count), AffineExpr.dimension(count + 1)]
    of_keys = AffineMap(count + 2, 0, (*_repeated(keys.shape).results[:count], *reversed(own)))
    op.properties["reads"] = ArrayAttr([AffineMapAttr(map) for map in (_repeated(x.shape), of_keys, _repeated(values.shape))])
    b.emit(op)
    return Tensor(b, op.result, shape, FLOAT)


def _lie_turned(keys: Tensor) -> bool:
    """Whether features of a key lie side by side in what keys (batch.., k, n) are copied from."""
    value, sizes = keys.value, dims_of(keys.value)[-2:]
    while isinstance(owner := value.owner, dispatch.ReshapeOp) and dims_of(owner.source)[-2:] == sizes:
        value = owner.source
    source = copied(owner)
    if source is None or not isinstance(owner, linalg.GenericOp):
        return False
    map = owner.indexing_maps.data[list(owner.inputs).index(source)].data
    return map.results[-1] == AffineExpr.dimension(map.num_dims - 2)


def _repeated(shape: Shape) -> AffineMap:
    """Where an element lies in a tensor of a shape whose axes of 1 repeat."""
    return AffineMap(len(shape), 0, tuple(_axis(d, n) for n, d in enumerate(shape)))


def _axis(size: Dim, position: int) -> AffineExpr:
    return AffineExpr.constant(0) if size == 1 else AffineExpr.dimension(position)


WAY, WAYS = 4096, 9
"""Lines so many bytes apart fall on one set of L1, which holds eight of them; of one more, all come from L2 in time: nine rows of 3072
floats measured as when packed, fourteen 25 % slower."""


def pack_pays(b: Lowering, x: Tensor, block: int, rows: int) -> bool:
    """Whether the left operand is better packed than read in place: `rows` of it, those of a register tile, would evict each other from
    L1, or packing is its producer's work anyway. Rows that are no whole number of blocks are read in place, since packing would have to
    pad each."""
    k = x.shape[-1]
    if not divides(k, block):
        return False
    producer = x.value.owner
    if isinstance(producer, linalg.GenericOp) and all(t.data == IteratorType.PARALLEL for t in producer.iterator_types.data):
        return True
    size = ACCUMULATORS.get(x.type.name, x.type).stored.itemsize
    return isinstance(k, int) and rows * gcd(k * size, WAY) > WAYS * WAY


def divides(size: Dim, step: int) -> bool:
    return isinstance(size, int) and size % step == 0


def repeats_plainly(x: Tensor, batch: Shape) -> bool:
    """Whether each batch dimension is the result's own or known to be 1, so that strides say all."""
    own = x.shape[:-2]
    return all(d in (1, whole) for d, whole in zip(own, batch[len(batch) - len(own) :], strict=True))


def panel_width(b: Lowering, n: Dim, bits: int) -> int:
    """Columns of a panel: the target's, or half of it where that holds all columns."""
    width = b.target.panel(bits) if b.target is not None else 2 * 512 // bits
    return width // 2 if isinstance(n, int) and n <= width // 2 else width


def matmul_width(b: Lowering, m: Dim, n: Dim, bits: int) -> int:
    """Columns of a panel of a matrix of n columns that multiplies m rows: where the target has wider panels than others, those that take
    less work."""
    if b.target is None or not b.target.wide or b.target.panel_bytes or not isinstance(n, int):
        return panel_width(b, n, bits)
    lanes = b.target.lanes(bits)
    choices = range(1, b.target.wide + 1)
    return lanes * best_vectors(m if isinstance(m, int) and m else None, -(-n // lanes), b.target.mr, choices)


def tile_rows(b: Lowering, width: int, bits: int) -> int:
    """Rows of a register tile beside a panel's columns."""
    return rows_beside(b.target.mr, -(-width // b.target.lanes(bits))) if b.target is not None else WAYS


def pack_lhs(b: Lowering, x: Tensor, batch: Shape, block: int) -> Tensor:
    """x (batch.., m, k) as (batch.., k/block, m, block), short floats widened."""
    *own, m, k = x.shape
    type = ACCUMULATORS.get(x.type.name, x.type)
    lead = own_batch(batch, own)
    rank = len(lead)
    known = b.packed.get((b.block, x.value, lead, block))
    if known is not None:
        return known

    def element(*i: Any) -> Scalar:
        kb, row, c = i[rank:]
        return b.s.cast(padded_element(b, x, (*i[:rank], row, kb * block + c), -1, k, block), type)

    packed = b.compute((*lead, ceildiv(k, block), m, block), type, element, doc="pack lhs")
    b.packed[b.block, x.value, lead, block] = packed
    return packed


def pack_rhs(b: Lowering, y: Tensor, batch: Shape, block: int, width: int) -> Tensor:
    """y (batch.., k, n) as (batch.., n/width, k/block, block, width); packed at compile time where y is a weight, which keeps
    its own type: short floats are half to read, and each is widened for many rows."""
    *own, k, n = y.shape
    accumulator = ACCUMULATORS[y.type.name]
    weight = weight_id(y)
    if weight is not None:
        return _pack_weight(b, y, weight, block, width)
    lead = own_batch(batch, own)
    rank = len(lead)

    def element(*i: Any) -> Scalar:
        nb, kb, c, w = i[rank:]
        at = (*i[:rank], kb * block + c, nb * width + w)
        return b.s.cast(padded_element(b, y, at, -2, k, block, (-1, n, width)), accumulator)

    return b.compute((*lead, ceildiv(n, width), ceildiv(k, block), block, width), accumulator, element, doc="pack rhs")


def weight_id(x: Tensor) -> str | None:
    """The weight's id if the tensor is one of the store, as it lies there."""
    owner = x.value.owner
    return owner.id.data if isinstance(owner, dispatch.WeightOp) else None


def _pack_weight(b: Lowering, y: Tensor, weight: str, block: int, width: int) -> Tensor:
    id = f"{weight}:panels{block}x{width}:{'x'.join(map(str, y.shape))}"
    if id not in b.weights:
        array = b.weights[weight].reshape([int(d) for d in y.shape])  # type: ignore[arg-type]
        b.weights[id] = pack_panels(array, block, width)
    return b.constant(b.weights[id], y.type, id)


def pack_panels(array: np.ndarray, block: int, width: int) -> np.ndarray:
    """(.., k, n) as (.., n/width, k/block, block, width), zero beyond k and n."""
    *lead, k, n = array.shape
    blocks, panels = -(-k // block), -(-n // width)
    if (k, n) != (blocks * block, panels * width):
        pad = [(0, 0)] * len(lead) + [(0, blocks * block - k), (0, panels * width - n)]
        array = np.pad(array, pad)
    split = array.reshape(*lead, blocks, block, panels, width)
    return np.ascontiguousarray(np.moveaxis(split, -2, len(lead)))


def own_batch(batch: Shape, own: Sequence[Dim]) -> Shape:
    """The operand's batch shape at the result's rank: sizes known to be 1 stay 1 and repeat, others are the result's."""
    padded = (1,) * (len(batch) - len(own)) + tuple(own)
    return tuple(1 if o == 1 else d for o, d in zip(padded, batch, strict=True))


def padded_element(
    b: Lowering, x: Tensor, at: tuple[Any, ...], axis: int, size: Dim, block: int, other: tuple[int, Dim, int] | None = None
) -> Scalar:
    """The element, or zero beyond `size` on `axis` (and on the other axis) where blocks do not divide it; batch axes repeat."""
    own = [*b.broadcast_places(x.shape[:-2], at[len(at) - x.rank : -2]), *at[-2:]]
    checks = []
    for position, extent, step in [(axis, size, block), *([other] if other is not None else [])]:
        if isinstance(extent, int) and extent % step == 0:
            continue
        i = b.s.operand(own[position], INDEX)
        limit = b.s.operand(b.index(extent), INDEX)
        checks.append(i < limit)
        own[position] = b.s.min(i, limit - 1)
    element = x[tuple(own)]
    return b.s.select(b.s.all(checks), element, 0) if checks else element


def _integer_matmul(b: Lowering, x: Tensor, y: Tensor, shape: Shape) -> Tensor:
    """Whole-number products by plain loops."""
    rank = len(shape)

    def element(i: tuple, r: tuple) -> Scalar:  # type: ignore[type-arg]
        left = (*i[: rank - 2], i[rank - 2], r[0])
        right = (*i[: rank - 2], r[0], i[rank - 1])
        return x[b.broadcast_indices(x, left)] * y[b.broadcast_indices(y, right)]

    return b.reduce(shape, (x.shape[-1],), x.type, element, lambda a, v: a + v, 0)
