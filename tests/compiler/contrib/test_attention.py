"""Attention of com.microsoft in its modes against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

rng = np.random.default_rng(0)
BATCH, QUERIES, HEADS, SIZE = 2, 3, 2, 4
HIDDEN = HEADS * SIZE
INPUT = {0: ("b", "s", "8")}


def normal(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def ints(values):
    return np.array(values, np.int32)


def projection(dtype=np.float32):
    return normal(BATCH, QUERIES, HIDDEN, dtype=dtype), normal(HIDDEN, 3 * HIDDEN, dtype=dtype), normal(3 * HIDDEN, dtype=dtype)


MASKS = {
    "lengths": (ints([3, 2]), ("b",)),
    "ends and starts": (ints([3, 3, 0, 1]), ("2*b",)),
    "keys": (ints([[1, 1, 0], [0, 1, 1]]), ("b", "t")),
    "queries and keys": (ints([[[1, 0, 1], [0, 1, 0], [1, 1, 0]], [[0, 0, 1], [1, 1, 1], [1, 0, 0]]]), ("b", "s", "t")),
    "nothing seen": (ints([[0, 0, 0], [1, 1, 1]]), ("b", "t")),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("unidirectional", [0, 1])
def test_masks(agrees, name, unidirectional):
    mask, dims = MASKS[name]
    sizes = (False,) if dims == ("2*b",) else (bool(unidirectional),)
    agrees("Attention", *projection(), mask, num_heads=HEADS, unidirectional=unidirectional, dims={**INPUT, 3: dims}, sizes=sizes)


def test_lengths_and_running_sums(agrees):
    x, w, b = projection()
    (expected,) = agrees("Attention", x, w, b, ints([3, 2]), num_heads=HEADS, sizes=(False,))
    agrees("Attention", x, w, b, ints([3, 2, 0, 3, 6, 0, 3, 5]), num_heads=HEADS, expected=[expected], sizes=(False,))


def test_mask_of_a_square(agrees):
    """(B, 1, M, M): the rows of the queries, the columns of the keys."""
    x, w, b = projection()
    square = np.tril(np.ones((2, 1, 5, 5), np.int32))
    (expected,) = agrees("Attention", x, w, b, num_heads=HEADS, unidirectional=1, sizes=(False,))
    agrees("Attention", x, w, b, square, num_heads=HEADS, expected=[expected], dims=INPUT)


@pytest.mark.parametrize("bias", [(2, 2), (1, 2), (2, 1)])
def test_bias(agrees, bias):
    agrees("Attention", *projection(), None, None, normal(*bias, QUERIES, QUERIES), num_heads=HEADS, scale=0.3, sizes=(True,))


def test_past(agrees):
    past = normal(2, BATCH, HEADS, 2, SIZE)
    mask = ints([[1, 1, 1, 1, 0], [0, 1, 1, 1, 1]])
    agrees("Attention", *projection(), mask, past, num_heads=HEADS, unidirectional=1, mask_filter_value=-50.0, outputs=2, dims=INPUT)


def test_values_of_another_size(agrees):
    x = normal(BATCH, QUERIES, 6)
    agrees("Attention", x, normal(6, 8 + 8 + 12), normal(28), num_heads=HEADS, qkv_hidden_sizes=[8, 8, 12])
    agrees("Attention", x, normal(6, 24), num_heads=HEADS)


def test_a_mask_whose_size_is_not_told(codes, agrees):
    x, w, b = projection()
    with pytest.raises(Exception, match="not told to be the batch"):
        agrees("Attention", x, w, b, ints([3, 2]), num_heads=HEADS, expected=[x], sizes=(True,))
    assert codes("Attention", x, w, b, num_heads=HEADS, do_rotary=1) == ["ITG3001 do_rotary = 1"]


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("past", [False, True])
def test_qattention(agrees, columns, past):
    x = rng.integers(0, 256, (BATCH, QUERIES, HIDDEN)).astype(np.uint8)
    w = rng.integers(-60, 60, (HIDDEN, 3 * HIDDEN)).astype(np.int8)
    scale = rng.uniform(0.001, 0.01, 3 * HIDDEN).astype(np.float32) if columns else np.array(0.005, np.float32)
    zero = rng.integers(-5, 5, 3 * HIDDEN).astype(np.int8) if columns else np.array(3, np.int8)
    before = normal(2, BATCH, HEADS, 2, SIZE) if past else None
    agrees(
        "QAttention", x, w, normal(3 * HIDDEN), np.array(0.02, np.float32), scale, None if past else ints([3, 2]),
        np.array(120, np.uint8), zero, before,
        num_heads=HEADS, unidirectional=int(past), outputs=2 if past else 1, dims={**INPUT, 5: ("b",)}, rtol=1e-3, atol=1e-4,
        constants=(1, 2, 3, 4, 6, 7),
    )  # fmt: skip


def qkv(keys=QUERIES, value=HIDDEN, dtype=np.float32):
    return normal(BATCH, QUERIES, HIDDEN, dtype=dtype), normal(BATCH, keys, HIDDEN, dtype=dtype), normal(BATCH, keys, value, dtype=dtype)


@pytest.mark.parametrize("keys", [3, 5])
def test_multi_head(agrees, keys):
    agrees("MultiHeadAttention", *qkv(keys, 12), normal(8 + 8 + 12), num_heads=HEADS)
    agrees("MultiHeadAttention", *qkv(keys), num_heads=HEADS, scale=0.4)


@pytest.mark.parametrize("name", ["lengths", "keys", "queries and keys"])
def test_multi_head_masks(agrees, name):
    mask, dims = MASKS[name]
    inputs = (*qkv(), None, mask, normal(1, HEADS, QUERIES, QUERIES))
    agrees("MultiHeadAttention", *inputs, num_heads=HEADS, dims={**INPUT, 4: dims}, sizes=(True,))


def test_multi_head_with_past(agrees):
    past = normal(BATCH, HEADS, 2, SIZE), normal(BATCH, HEADS, 2, SIZE)
    agrees("MultiHeadAttention", *qkv(), normal(24), None, None, *past, num_heads=HEADS, unidirectional=1, outputs=3)


def test_multi_head_shows_scores(agrees):
    agrees(
        "MultiHeadAttention",
        *qkv(),
        None,
        None,
        normal(1, HEADS, QUERIES, QUERIES),
        num_heads=HEADS,
        outputs=["y", "", "", "qk"],
        types=(1, 1),
    )


def test_multi_head_cross(agrees):
    """Keys and values that have heads already, and their bias."""
    k, v = normal(BATCH, HEADS, 5, SIZE), normal(BATCH, HEADS, 5, SIZE)
    agrees("MultiHeadAttention", normal(BATCH, QUERIES, HIDDEN), k, v, num_heads=HEADS)


def test_multi_head_packed(agrees):
    q, k, v = qkv(5)
    bias = normal(24)
    (expected,) = agrees("MultiHeadAttention", q, k, v, bias, num_heads=HEADS, sizes=(False,))
    kv = np.stack([x.reshape(BATCH, 5, HEADS, SIZE) for x in (k, v)], axis=3)
    agrees("MultiHeadAttention", q, kv, None, bias, num_heads=HEADS, expected=[expected])
    q = normal(BATCH, 5, HIDDEN)
    (expected,) = agrees("MultiHeadAttention", q, k, v, bias, num_heads=HEADS, sizes=(False,))
    packed = np.stack([x.reshape(BATCH, 5, HEADS, SIZE) for x in (q, k, v)], axis=3)
    agrees("MultiHeadAttention", packed, None, None, bias, num_heads=HEADS, expected=[expected])


def test_multi_head_refused(codes):
    past = normal(BATCH, HEADS, 2, SIZE), normal(BATCH, HEADS, 2, SIZE)
    found = codes("MultiHeadAttention", *qkv(), None, None, None, *past, ints([2]), num_heads=HEADS)
    assert found == ["ITG3001 past_sequence_length = given"]
    assert codes("MultiHeadAttention", qkv()[0], num_heads=HEADS) == ["ITG1006 key is missing, and query is not packed"]


def test_ranks_and_heads(codes):
    x, w, b = projection()
    assert codes("Attention", x, w, b, num_heads=0) == ["ITG1105 0 heads do not divide a hidden size of 8"]
    assert codes("MultiHeadAttention", x, x, x, num_heads=3) == ["ITG1105 3 heads do not divide a hidden size of 8"]
    assert codes("Attention", x[0], w, b, num_heads=HEADS) == ["ITG2140 x0 must have rank 3, but has rank 2"]
    assert codes("MultiHeadAttention", x[0], x, x, num_heads=HEADS) == ["ITG2140 x0 must have rank 3 or 5, but has rank 2"]
