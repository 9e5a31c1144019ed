"""Products with weights of 2, 4 and 8 bits against ONNX Runtime, and against the formula where it lacks something."""

from __future__ import annotations

import numpy as np
import pytest

rng = np.random.default_rng(0)
COLUMNS, BLOCK = 5, 16


def packed(values, bits):
    """Values of a few bits along the last axis, the first in the low bits of a byte."""
    each = 8 // bits
    values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % each)])
    parts = values.reshape(*values.shape[:-1], -1, each).astype(np.uint8) << (np.arange(each, dtype=np.uint8) * bits)
    return np.bitwise_or.reduce(parts, axis=-1).astype(np.uint8)


def case(bits, depth, rows=(2, 3), dtype=np.float32):
    blocks = -(-depth // BLOCK)
    values = rng.integers(0, 2**bits, (COLUMNS, blocks, BLOCK))
    a, scales = rng.standard_normal((*rows, depth)).astype(dtype), rng.uniform(0.1, 1, (COLUMNS, blocks)).astype(dtype)
    return a, values, scales


def options(bits, depth, **more):
    return {"N": COLUMNS, "K": depth, "bits": bits, "block_size": BLOCK, **more}


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("depth", [32, 40])
@pytest.mark.parametrize("zeros", ["none", "packed", "floats"])
def test_bits(agrees, bits, depth, zeros):
    a, values, scales = case(bits, depth)
    points = {
        "none": None,
        "packed": packed(rng.integers(0, 2**bits, scales.shape), bits),
        "floats": rng.uniform(0, 2**bits, scales.shape).astype(np.float32),
    }[zeros]
    bias = rng.standard_normal(COLUMNS).astype(np.float32)
    inputs = (a, packed(values, bits), scales, points, None, bias)
    expected = None
    if (zeros == "floats" and bits != 4) or bits == 2:
        point = 2 ** (bits - 1) if points is None else points
        if zeros == "packed":
            point = (points[..., None] >> (np.arange(8 // bits, dtype=np.uint8) * bits) & (2**bits - 1)).reshape(COLUMNS, -1)
            point = point[:, : scales.shape[1]]
        expected = [a @ weights(values, scales, point, depth).T + bias]
    agrees("MatMulNBits", *inputs, constants=(1, 2, 3, 5), expected=expected, sizes=(True,), **options(bits, depth), rtol=1e-3, atol=1e-3)


def weights(values, scales, points, depth):
    points = np.broadcast_to(points, scales.shape)
    real = (values.astype(np.float32) - points[..., None]) * scales[..., None]
    return real.reshape(COLUMNS, -1)[:, :depth].astype(np.float32)


@pytest.mark.parametrize("rows", [(), (1,), (0, 2)])
def test_rows(agrees, rows):
    a, values, scales = case(4, 48, rows)
    expected = [a @ weights(values, scales, 8, 48).T]
    agrees("MatMulNBits", a, packed(values, 4), scales, expected=expected, **options(4, 48), rtol=1e-3, atol=1e-3)


def test_flat_scales_and_groups(agrees):
    a, values, scales = case(4, 32)
    groups = rng.integers(0, 2, 32).astype(np.int32)
    real = (values.reshape(COLUMNS, 32) - 8.0) * scales[:, groups]
    expected = [(a @ real.T).astype(np.float32)]
    inputs = (a, packed(values, 4), scales.ravel(), None, groups)
    agrees("MatMulNBits", *inputs, expected=expected, sizes=(False,), **options(4, 32), rtol=1e-3, atol=1e-3)


def test_half(agrees):
    a, values, scales = case(4, 32, dtype=np.float16)
    expected = [(a.astype(np.float32) @ weights(values, scales.astype(np.float32), 8, 32).T).astype(np.float16)]
    agrees("MatMulNBits", a, packed(values, 4), scales, expected=expected, sizes=(False,), **options(4, 32), rtol=1e-2, atol=1e-2)


def test_weights_left_out(agrees):
    a, _, scales = case(4, 32)
    bias = rng.standard_normal(COLUMNS).astype(np.float32)
    expected = [np.broadcast_to(bias, (2, 3, COLUMNS))]
    inputs = (a, np.zeros((0, 2, 8), np.uint8), scales, None, None, bias)
    agrees("MatMulNBits", *inputs, constants=(1,), expected=expected, **options(4, 32))


def test_refused(codes):
    a, values, scales = case(4, 32)
    inputs = (a, packed(values, 4), scales)
    assert codes("MatMulNBits", *inputs, **options(4, 32, weight_prepacked=1)) == ["ITG3001 weight_prepacked = 1"]
    assert codes("MatMulNBits", *inputs, **options(3, 32)) == ["ITG3001 bits = 3"]
    assert [c[:7] for c in codes("MatMulNBits", *inputs, **{**options(4, 32), "block_size": 8})] == ["ITG1105"]
    assert [c[:7] for c in codes("MatMulNBits", *inputs, **options(4, 64))] == ["ITG2104"]


@pytest.mark.parametrize("wrong", ["a", "b", "scales", "zeros", "bias"])
def test_constants_of_wrong_shapes_are_refused(codes, wrong):
    a, values, scales = case(4, 32)
    inputs = {"a": a, "b": packed(values, 4), "scales": scales, "zeros": np.zeros((COLUMNS, 1), np.uint8), "g": None}
    inputs["bias"] = np.zeros(COLUMNS, np.float32)
    inputs[wrong] = np.concatenate([inputs[wrong], inputs[wrong]], axis=-1)
    assert [c[:6] for c in codes("MatMulNBits", *inputs.values(), constants=(1, 2, 3, 5), **options(4, 32))] == ["ITG210"]
