"""Products with weights of a few bits, packed in bytes and scaled by blocks: they are unpacked column by column, never as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....dialects.custom import Operand, TensorSpec, decomposition, operator
from ....dialects.kernel import Array, Out, cast, check, f32, isfloat, kernel, local, unroll
from ....dialects.onnx.types import BY_NAME
from ..values import Graph, Value
from .common import DOMAIN, SHORT_FLOATS


def _sizes(
    a: Operand,
    b: Operand,
    scales: Operand,
    zeros: Operand | None,
    groups: Operand | None,
    bias: Operand | None,
    *,
    bits: int,
    block: int,
    depth: int,
    columns: int,
) -> Sequence[TensorSpec]:
    *rows, _ = a.shape
    a.expect(*rows, depth)
    blocks = -(-depth // block)
    b.expect(columns, blocks, block * bits // 8)
    _expect_rows(scales, columns, blocks)
    if zeros is not None:
        _expect_rows(zeros, columns, -(-blocks * bits // 8) if zeros.type == "uint8" else blocks)
    if groups is not None:
        groups.expect(depth)
    if bias is not None:
        bias.expect(columns)
    return [TensorSpec((*rows, columns), a.type), TensorSpec((depth,), "float")]


def _expect_rows(x: Operand, rows: int, size: int) -> None:
    """Checks a matrix, or the vector that older models hold in its place."""
    x.expect(*((rows * size,) if x.rank == 1 else (rows, size)))


_LANES = 16


@operator(DOMAIN, shapes=_sizes, scratch=["column"], name="MatMulNBits.packed")
@kernel
def _packed(
    a: Array,
    b: Array,
    scales: Array,
    zeros: Array | None,
    groups: Array | None,
    bias: Array | None,
    y: Out,
    column: Out,
    bits: int,
    block: int,
    depth: int,
    columns: int,
):
    """y = a w + bias, where w[k, n] = (b - zero) scale of n and of k's block, or of the group that k names."""
    blocks = (depth + block - 1) // block
    sums = local(f32, _LANES)
    whole = depth // _LANES * _LANES
    for n in range(columns):
        for g in range(blocks):
            for j in range(min(block, depth - g * block)):
                here = g * block + j
                at = g
                if groups is not None:
                    at = int(groups[here])
                    check(at >= 0 and at < blocks, "ITG5001")
                    at = min(max(at, 0), blocks - 1)
                zero = f32(2 ** (bits - 1))
                if zeros is not None:
                    if isfloat(zeros):
                        zero = f32(zeros.flat[n * blocks + at])
                    else:
                        byte = int(zeros.flat[n * ((blocks * bits + 7) // 8) + at * bits // 8])
                        zero = f32((byte >> (at * bits % 8)) & (2**bits - 1))
                packed = int(b[n, g, j * bits // 8])
                column[here] = (f32((packed >> (j * bits % 8)) & (2**bits - 1)) - zero) * f32(scales.flat[n * blocks + at])
        for m in range(a.size // max(depth, 1)):
            # Several sums side by side are what a processor adds at once.
            for v in unroll(_LANES):
                sums[v] = 0
            for k in range(0, whole, _LANES):
                for v in unroll(_LANES):
                    sums[v] += f32(a.flat[m * depth + k + v]) * column[k + v]
            total = f32(0.0)
            for v in unroll(_LANES):
                total += sums[v]
            for k in range(whole, depth):
                total += f32(a.flat[m * depth + k]) * column[k]
            if bias is not None:
                total += f32(bias[n])
            y.flat[m * columns + n] = cast(total, y)


@decomposition(
    DOMAIN,
    types={
        "A scales bias": SHORT_FLOATS, "B": ["uint8"], "zero_points": ["uint8", *SHORT_FLOATS], "g_idx": ["int32"],
    },
)  # fmt: skip
def MatMulNBits(
    g: Graph,
    A: Value,
    B: Value,
    scales: Value,
    zero_points: Value | None = None,
    g_idx: Value | None = None,
    bias: Value | None = None,
    *,
    K: int,
    N: int,
    accuracy_level: int = 0,
    bits: int = 4,
    block_size: int,
    weight_prepacked: int = 0,
) -> Value:
    """A times weights (N, blocks, bytes) of 2, 4 or 8 bits, (w - zero_point) scale by blocks along K, plus bias.

    accuracy_level is the least accuracy asked for: sums are of float32 always. B without elements stands for a weight of zeros.
    """
    if weight_prepacked:
        raise g.unsupported(f"weight_prepacked = {weight_prepacked}")
    if bits not in (2, 4, 8):
        raise g.unsupported(f"bits = {bits}", "2, 4 and 8 can be compiled.")
    if block_size < 16 or block_size & (block_size - 1):
        raise g.problem("ITG1105", f"block_size is {block_size}, which is no power of 2 of at least 16")
    if 0 in B.shape:
        zeros = A.like(0).expand(*A.dims()[:-1], N)
        return zeros if bias is None else zeros + bias
    fits = g_idx is None and K % block_size == 0 and (bias is None or bias.shape == (N,))  # what does not is refused below
    if fits and (known := _constants(B, scales, zero_points, (N, K // block_size, block_size * bits // 8), bits)) is not None:
        weights = g.DequantizeLinear(*known, axis=1, block_size=block_size).transpose(1, 0)
        product = A.cast("float") @ weights
        return (product if bias is None else product + bias.cast("float")).cast(A.type)
    return g.op(_packed, A, B, scales, zero_points, g_idx, bias, bits=bits, block=block_size, depth=K, columns=N)


def _constants(
    b: Value, scales: Value, zeros: Value | None, shape: tuple[int, int, int], bits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """What DequantizeLinear takes of constant weights of a shape (N, blocks, bytes): codes (N, K), scales and zero points (N, blocks);
    None where it cannot."""
    packed, scale = b.constant, scales.constant
    points = None if zeros is None else zeros.constant
    type = {4: BY_NAME["uint4"], 8: BY_NAME["uint8"]}.get(bits)
    if packed is None or scale is None or type is None or (zeros is not None and (points is None or points.dtype != np.uint8)):
        return None
    columns, blocks, _ = shape
    if packed.shape != shape or not _in_rows(scale, columns, blocks):
        return None
    if points is None:
        points = np.full((columns, blocks), 1 << (bits - 1), np.uint8)
    elif _in_rows(points, columns, -(-blocks * bits // 8)):
        points = _unpacked(points.reshape(columns, -1), bits)[:, :blocks]
    else:
        return None
    codes = _unpacked(packed.reshape(columns, -1), bits)
    return codes.astype(type.numpy), scale.reshape(columns, blocks).astype(np.float32), points.astype(type.numpy)


def _in_rows(x: np.ndarray, rows: int, size: int) -> bool:
    """Whether it is a matrix of so many rows, or the vector that older models hold in its place."""
    return x.shape in ((rows, size), (rows * size,))


def _unpacked(rows: np.ndarray, bits: int) -> np.ndarray:
    """The values of a few bits in rows of bytes, the first in the low bits of a byte."""
    parts = [(rows >> np.uint8(at)) & np.uint8((1 << bits) - 1) for at in range(0, 8, bits)]
    return np.stack(parts, axis=-1).reshape(len(rows), -1)
