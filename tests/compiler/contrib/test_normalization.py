"""Normalisations of com.microsoft against ONNX Runtime; GroupNorm, which its CPU lacks, against its formula."""

from __future__ import annotations

import numpy as np
import pytest

rng = np.random.default_rng(0)
HALF = {"rtol": 5e-3, "atol": 5e-3}


def normal(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("skip", [(2, 3, 8), (1, 3, 8), (3, 8)])
def test_skip_layer_normalization(agrees, skip):
    agrees("SkipLayerNormalization", normal(2, 3, 8), normal(*skip), normal(8), normal(8), normal(8), outputs=["y", "", "", "sum"])


def test_skip_layer_normalization_with_less(agrees):
    agrees("SkipLayerNormalization", normal(2, 3, 8), normal(2, 3, 8), normal(8), epsilon=1e-3)
    agrees("SkipSimplifiedLayerNormalization", normal(2, 3, 8), normal(2, 3, 8), normal(8), epsilon=1e-3)


def test_skip_statistics(agrees):
    x, skip, gamma = normal(2, 3, 8), normal(2, 3, 8), normal(8)
    total = x + skip
    mean = total.mean(axis=-1, keepdims=True)
    inverse = 1 / np.sqrt(total.var(axis=-1, keepdims=True) + 1e-12)
    expected = [(total - mean) * inverse * gamma, mean, inverse]
    agrees("SkipLayerNormalization", x, skip, gamma, outputs=3, expected=expected)


@pytest.mark.parametrize("op", ["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"])
def test_skip_of_half(agrees, op):
    x, skip, gamma, bias = (normal(*s, dtype=np.float16) for s in ((2, 3, 8), (2, 3, 8), (8,), (8,)))
    between = (None, bias) if op == "SkipLayerNormalization" else (bias,)
    agrees(op, x, skip, gamma, *between, outputs=["y", "", "", "sum"], **HALF)


@pytest.mark.parametrize("shape", [(2, 3, 8), (4, 8), (0, 3, 8)])
def test_skip_simplified(agrees, shape):
    agrees("SkipSimplifiedLayerNormalization", normal(*shape), normal(*shape), normal(8), normal(8), outputs=["y", "", "", "sum"])


@pytest.mark.parametrize("axis", [-1, 1])
def test_simplified(agrees, axis):
    x, scale = normal(2, 3, 8), normal(8) if axis == -1 else normal(3, 8)
    (y,) = agrees("SimplifiedLayerNormalization", x, scale, axis=axis, epsilon=1e-3, domain="")
    agrees("SimplifiedLayerNormalization", x, scale, axis=axis, epsilon=1e-3, expected=[y], sizes=(True,))
    axes = (2,) if axis == -1 else (1, 2)
    inverse = 1 / np.sqrt((x * x).mean(axis=axes, keepdims=True) + 1e-3)
    agrees("SimplifiedLayerNormalization", x, scale, axis=axis, epsilon=1e-3, outputs=2, expected=[y, inverse], sizes=(True,))


def test_simplified_of_half(agrees):
    agrees("SimplifiedLayerNormalization", normal(2, 8, dtype=np.float16), normal(8, dtype=np.float16), domain="", **HALF)


def embedding(dtype=np.float32):
    ids, segments = rng.integers(0, 20, (2, 5)).astype(np.int32), rng.integers(0, 2, (2, 5)).astype(np.int32)
    return ids, segments, *(normal(*s, dtype=dtype) for s in ((20, 8), (7, 8), (2, 8), (8,), (8,)))


@pytest.mark.parametrize("positions", [None, (2, 5), (1, 5)])
@pytest.mark.parametrize("masked", [False, True])
def test_embed_layer_normalization(agrees, positions, masked):
    ids = None if positions is None else rng.integers(0, 7, positions).astype(np.int32)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32) if masked else None
    agrees("EmbedLayerNormalization", *embedding(), mask, ids, outputs=3)


def test_embed_layer_normalization_without_segments(agrees):
    ids, _, words, places, _, gamma, beta = embedding(np.float16)
    agrees("EmbedLayerNormalization", ids, None, words, places, None, gamma, beta, outputs=2, **HALF)


@pytest.mark.parametrize("channels_last", [0, 1])
@pytest.mark.parametrize("activation", [0, 1])
def test_group_norm(agrees, channels_last, activation):
    x, gamma, beta = normal(2, 3, 4, 6), normal(6), normal(6)
    groups = x.reshape(2, 12, 3, 2)
    mean, variance = (f(axis=(1, 3), keepdims=True) for f in (groups.mean, groups.var))
    y = ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape) * gamma + beta
    y = y / (1 + np.exp(-y)) if activation else y
    if not channels_last:
        x, y = (np.ascontiguousarray(t.transpose(0, 3, 1, 2)) for t in (x, y))
    agrees("GroupNorm", x, gamma, beta, groups=3, activation=activation, channels_last=channels_last, expected=[y])


def test_refused(codes):
    x = normal(2, 3, 4, 6)
    assert codes("GroupNorm", x, normal(6), normal(6), groups=3, activation=2) == ["ITG3001 activation 2"]
    assert codes("GroupNorm", x, normal(6), normal(6), groups=3) == ["ITG1103 attribute activation is required and missing"]
    assert codes("SimplifiedLayerNormalization", x, normal(6), domain="", stash_type=16) == ["ITG3001 stash_type 16"]
