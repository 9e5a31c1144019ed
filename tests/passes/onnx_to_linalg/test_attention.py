"""Attention against its formula, rotary embeddings, linear attention."""

import numpy as np
import pytest

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def attend(q, k, v, bias):
    """softmax(q k' / sqrt(E) + bias) v, heads of k and v repeated for the query heads that share them; 0 where nothing is seen."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat(group, axis=1), v.repeat(group, axis=1)
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]) + bias
    top = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isinf(top), 0, top))
    return powers / np.maximum(powers.sum(axis=-1, keepdims=True), 1e-30) @ v


def causal(queries, keys, before=0):
    return np.where(np.arange(keys) <= np.arange(queries)[:, None] + before, 0, -np.inf)


@pytest.mark.parametrize("open_dims", [False, True])
@pytest.mark.parametrize("is_causal", [0, 1])
@pytest.mark.parametrize("heads", [(2, 2), (6, 2)])
def test_heads_that_share(run, heads, is_causal, open_dims):
    q, k, v = normal(2, heads[0], 5, 8), normal(2, heads[1], 7, 8), normal(2, heads[1], 7, 3)
    y = run("Attention", q, k, v, is_causal=is_causal, open_dims=open_dims)
    np.testing.assert_allclose(y, attend(q, k, v, causal(5, 7) if is_causal else 0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("open_dims", [False, True])
def test_folded_heads_with_past(run, open_dims):
    q, k, v = normal(2, 3, 4 * 8), normal(2, 3, 2 * 8), normal(2, 3, 2 * 8)
    past_key, past_value = normal(2, 2, 5, 8), normal(2, 2, 5, 8)
    y, key, value = run(
        "Attention", q, k, v, None, past_key, past_value, outputs=3, q_num_heads=4, kv_num_heads=2, is_causal=1, open_dims=open_dims
    )

    def split(x, heads):
        return x.reshape(2, 3, heads, 8).transpose(0, 2, 1, 3)

    np.testing.assert_array_equal(key, np.concatenate([past_key, split(k, 2)], axis=2))
    np.testing.assert_array_equal(value, np.concatenate([past_value, split(v, 2)], axis=2))
    expected = attend(split(q, 4), key, value, causal(3, 8, 5)).transpose(0, 2, 1, 3).reshape(2, 3, 32)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(5,), (3, 5), (1, 1, 3, 5), (2, 1, 1, 5), (2, 2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.bool_, np.float32])
def test_masks(run, shape, dtype):
    q, k, v = normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4)
    mask = rng.integers(0, 2, shape).astype(bool) if dtype is np.bool_ else normal(*shape)
    bias = np.where(mask, 0, -np.inf) if dtype is np.bool_ else mask
    bias = np.pad(bias, [(0, 0)] * (bias.ndim - 1) + [(0, 5 - shape[-1])], constant_values=-np.inf)
    np.testing.assert_allclose(run("Attention", q, k, v, mask), attend(q, k, v, bias), rtol=1e-4, atol=1e-5)


def test_a_query_that_sees_nothing_gives_zeros(run):
    q, k, v = normal(1, 1, 2, 4), normal(1, 1, 3, 4), normal(1, 1, 3, 4)
    y = run("Attention", q, k, v, np.array([[True, False, True], [False, False, False]]))
    assert (y[0, 0, 1] == 0).all() and (y[0, 0, 0] != 0).any()


def test_no_queries(run):
    assert run("Attention", normal(1, 2, 0, 4), normal(1, 2, 3, 4), normal(1, 2, 3, 4), open_dims=True).shape == (1, 2, 0, 4)


@pytest.mark.parametrize("open_dims", [False, True])
@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("heads", [(2, 2), (6, 2), (5, 1)])
@pytest.mark.parametrize("keys", [1, 3, 21])
def test_few_queries(run, keys, heads, queries, open_dims):
    q, k, v = normal(2, heads[0], queries, 32), normal(2, heads[1], keys, 32), normal(2, heads[1], keys, 48)
    opened = (1, 2) if open_dims else ()
    np.testing.assert_allclose(run("Attention", q, k, v, open_dims=opened), attend(q, k, v, 0), rtol=1e-4, atol=1e-5)
    mask = normal(2, 1, queries, keys)
    placed = np.where(np.arange(keys) <= np.arange(queries)[:, None], mask, -np.inf)
    np.testing.assert_allclose(
        run("Attention", q, k, v, mask, is_causal=1, open_dims=opened), attend(q, k, v, placed), rtol=1e-4, atol=1e-5
    )
    each = normal(1, heads[0], 1, keys)
    np.testing.assert_allclose(run("Attention", q, k, v, each, open_dims=opened), attend(q, k, v, each), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("is_causal", [0, 1])
def test_few_queries_read_valid_keys_alone(run, is_causal):
    q, k, v = normal(4, 4, 2, 16), normal(4, 2, 9, 16), normal(4, 2, 9, 16)
    valid = np.array([9, 5, 2, 0])
    seen = np.arange(9) < valid[:, None, None, None]
    if is_causal:
        seen = seen & (np.arange(9) <= np.arange(2)[:, None] + valid[:, None, None, None] - 2)
    expected = attend(q, k, v, np.where(seen, 0, -np.inf))
    for n, count in enumerate(valid):
        k[n, :, count:], v[n, :, count:] = np.nan, np.inf  # what nobody has written yet
    found = run("Attention", q, k, v, None, None, None, valid, is_causal=is_causal)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert (found[3] == 0).all()


def test_few_queries_with_past_a_bound_and_infinities(run):
    q, k, v = normal(1, 4, 1, 16), normal(1, 2, 1, 16), normal(1, 2, 1, 16)
    past_key, past_value = normal(1, 2, 6, 16), normal(1, 2, 6, 16)
    y, key, value = run("Attention", q, k, v, None, past_key, past_value, outputs=3, is_causal=1, softcap=2.0, open_dims=True)
    keys, values = np.concatenate([past_key, k], axis=2), np.concatenate([past_value, v], axis=2)
    np.testing.assert_array_equal(key, keys)
    np.testing.assert_array_equal(value, values)
    scores = np.tanh(q @ np.swapaxes(keys.repeat(2, axis=1), -1, -2) / 4 / 2) * 2
    powers = np.exp(scores)
    np.testing.assert_allclose(y, powers / powers.sum(-1, keepdims=True) @ values.repeat(2, axis=1), rtol=1e-4, atol=1e-5)
    k[:] = np.nan
    assert np.isnan(run("Attention", q, k, v)).all()


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("rotated", [0, 4])
@pytest.mark.parametrize("folded", [False, True])
def test_rotary(run, interleaved, rotated, folded):
    x, half = normal(2, 3, 5, 8), (rotated or 8) // 2
    angles = rng.uniform(0, 6, (10, half)).astype(np.float32)
    places = rng.integers(0, 10, (2, 5))
    turn = np.exp(1j * angles[places])[:, None]
    part = x[..., : 2 * half]
    pairs = part[..., 0::2] + 1j * part[..., 1::2] if interleaved else part[..., :half] + 1j * part[..., half:]
    turned = pairs * turn
    expected = x.copy()
    if interleaved:
        expected[..., 0 : 2 * half : 2], expected[..., 1 : 2 * half : 2] = turned.real, turned.imag
    else:
        expected[..., :half], expected[..., half : 2 * half] = turned.real, turned.imag
    if folded:
        x, expected = (np.ascontiguousarray(t.transpose(0, 2, 1, 3)).reshape(2, 5, 24) for t in (x, expected))
    attributes = {"interleaved": interleaved, "rotary_embedding_dim": rotated, "num_heads": 3}
    y = run("RotaryEmbedding", x, np.cos(angles), np.sin(angles), places, **attributes)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
