"""Attention of decoders with its cache, and rotary embeddings, against ONNX Runtime."""

from __future__ import annotations

import intaglio
import numpy as np
import onnx
import pytest

rng = np.random.default_rng(0)
HEADS, SHARED, SIZE = 4, 2, 16


def normal(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def ints(values):
    return np.array(values, np.int32)


def caches(positions=12, half=4, dtype=np.float32):
    angles = rng.uniform(0, 6, (positions, half))
    return np.cos(angles).astype(dtype), np.sin(angles).astype(dtype)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("rank", [3, 4])
def test_rotary(agrees, interleaved, rank):
    x = normal(2, 5, 3 * 8) if rank == 3 else normal(2, 3, 5, 8)
    cos, sin = caches()
    # The width of the cache must be told; the rest may stay open.
    dims = {2: ("p", "4"), 3: ("p", "4")}
    agrees("RotaryEmbedding", x, rng.integers(0, 12, (2, 5)), cos, sin, interleaved=interleaved, dims=dims)
    agrees("RotaryEmbedding", x, np.array([3]), cos, sin, interleaved=interleaved, dims=dims, sizes=(True,))


def test_rotary_of_a_part(agrees):
    cos, sin = caches(half=2)
    agrees("RotaryEmbedding", normal(2, 5, 24), rng.integers(0, 12, (2, 5)), cos, sin, num_heads=3, rotary_embedding_dim=4)
    half = caches(dtype=np.float16)
    agrees("RotaryEmbedding", normal(2, 5, 24, dtype=np.float16), np.array([2]), *half, rtol=1e-2, atol=5e-3, sizes=(False,))


def test_rotary_refused(codes):
    cos, sin = caches()
    x, places = normal(2, 5, 24), np.array([3])
    assert codes("RotaryEmbedding", x, places, cos, sin, is_packed_batching=1) == ["ITG3001 is_packed_batching = 1"]
    assert codes("RotaryEmbedding", x, places, cos, sin, scale=2.0) == ["ITG3001 scale = 2.0"]


def tokens(batch, count, dtype=np.float32, packed=False):
    if packed:
        return normal(batch, count, (HEADS + 2 * SHARED) * SIZE, dtype=dtype), None, None
    widths = (HEADS, SHARED, SHARED)
    return tuple(normal(batch, count, n * SIZE, dtype=dtype) for n in widths)


def past(batch, length, dtype=np.float32):
    return normal(batch, SHARED, length, SIZE, dtype=dtype), normal(batch, SHARED, length, SIZE, dtype=dtype)


NAMED = {"num_heads": HEADS, "kv_num_heads": SHARED}
WIDTHS = {0: ("b", "s", "64"), 1: ("b", "s", "32"), 2: ("b", "s", "32"), 7: ("p", "8"), 8: ("p", "8")}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rotary", [None, 0, 1])
def test_prompt(agrees, packed, rotary):
    turn = () if rotary is None else caches(half=8)
    options = {} if rotary is None else {"do_rotary": 1, "rotary_interleaved": rotary}
    dims = {**WIDTHS, 0: ("b", "s", "128")} if packed else WIDTHS
    before = past(2, 0)
    options["sizes"] = (packed,)
    agrees(
        "GroupQueryAttention", *tokens(2, 5, packed=packed), *before, ints([4, 4]), ints(5), *turn, outputs=3, **NAMED, **options, dims=dims
    )


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("room", [7, 10])
def test_token(agrees, rotary, room):
    """One token behind pasts of several lengths, in a cache with and without room."""
    turn, options = (caches(half=8), {"do_rotary": 1}) if rotary else ((), {})
    lengths, total = ([6, 4], 7) if room == 10 else ([6, 6], 7)
    before = past(2, room if room == 10 else 6)
    for cache in before:
        # What lies behind a row's own past is no one's business; ONNX Runtime clears it.
        cache[0, :, lengths[0] :] = cache[1, :, lengths[1] :] = 0
    inputs = (*tokens(2, 1), *before, ints(lengths), ints(total), *turn)
    agrees("GroupQueryAttention", *inputs, outputs=3, **NAMED, **options, dims=WIDTHS, sizes=(not rotary,))


@pytest.mark.parametrize("options", [{"softcap": 2.0}, {"local_window_size": 3}, {"scale": 0.2}, {"smooth_softmax": 1}])
def test_options(agrees, options):
    inputs = (*tokens(1, 4), *past(1, 6), ints([9]), ints(10))
    agrees("GroupQueryAttention", *inputs, outputs=3, **NAMED, **options, dims=WIDTHS, sizes=(True,))


def test_bias_and_positions(agrees):
    places = np.array([[6, 7, 9, 10]])
    inputs = (*tokens(1, 4), *past(1, 6), ints([9]), ints(10), *caches(half=8), places, normal(1, 1, 4, 10))
    agrees("GroupQueryAttention", *inputs, outputs=3, do_rotary=1, **NAMED, dims=WIDTHS)


def test_sinks(agrees):
    inputs = (*tokens(1, 4), *past(1, 6), ints([9]), ints(10), None, None, None, normal(1, 1, 4, 10), normal(HEADS))
    agrees("GroupQueryAttention", *inputs, outputs=3, **NAMED, softcap=3.0, local_window_size=5, dims=WIDTHS)


def test_both_ways(agrees):
    inputs = (*tokens(2, 4), *past(2, 0), ints([3, 3]), ints(4))
    agrees("GroupQueryAttention", *inputs, outputs=3, causal=0, **NAMED, dims=WIDTHS, sizes=(True,))


def test_half(agrees):
    inputs = (*tokens(1, 4, np.float16), *past(1, 6, np.float16), ints([9]), ints(10), *caches(half=8, dtype=np.float16))
    agrees("GroupQueryAttention", *inputs, outputs=3, do_rotary=1, **NAMED, dims=WIDTHS, rtol=1e-2, atol=5e-3, sizes=(False,))


@pytest.mark.parametrize("mode", [1, 2])
def test_shows_scores(agrees, mode):
    inputs = (*tokens(1, 4), *past(1, 6), ints([9]), ints(10))
    agrees("GroupQueryAttention", *inputs, outputs=4, qk_output=mode, **NAMED, sizes=(False,))


def test_normalised_heads(agrees):
    """Per-head normalisation, which ONNX Runtime's CPU lacks, is that of q and k beforehand."""
    (q, k, v), weights = tokens(2, 3), (normal(SIZE), normal(SIZE))

    def normalised(x, weight):
        heads = x.reshape(*x.shape[:2], -1, SIZE)
        return (heads / np.sqrt((heads**2).mean(axis=-1, keepdims=True) + 1e-6) * weight).reshape(x.shape).astype(np.float32)

    rest = (*past(2, 0), ints([2, 2]), ints(3))
    inputs = (normalised(q, weights[0]), normalised(k, weights[1]), v, *rest)
    expected = agrees("GroupQueryAttention", *inputs, outputs=3, **NAMED, sizes=(False,))
    absent = (None,) * 7
    agrees("GroupQueryAttention", q, k, v, *rest, *absent, *weights, outputs=3, **NAMED, expected=expected, dims=WIDTHS, sizes=(True,))


def test_refused(codes):
    inputs = (*tokens(1, 4), *past(1, 6), ints([9]), ints(10))
    found = codes("GroupQueryAttention", *inputs, outputs=3, num_heads=4, kv_num_heads=3)
    assert found == ["ITG1105 num_heads is 4, which is no multiple of kv_num_heads, 3"]
    for options in ({"sliding_window_cache": 1}, {"kv_cache_bit_width": 8}, {"k_quant_type": "PER_TENSOR"}, {"qk_output": 3}):
        ((name, given),) = options.items()
        assert codes("GroupQueryAttention", *inputs, outputs=3, **NAMED, **options) == [f"ITG3001 {name} = {given}"]


def test_a_cache_with_room_is_updated_where_it_lies():
    shape = f"[1,{SHARED},9,{SIZE}]"
    text = (
        f"m (float[1,1,{HEADS * SIZE}] q, float[1,1,{SHARED * SIZE}] k, float[1,1,{SHARED * SIZE}] v, float{shape} pk, float{shape} pv,"
        f" int32[1] n, int32 t) => (float[1,1,{HEADS * SIZE}] y, float{shape} nk, float{shape} nv) {{ y, nk, nv ="
        f" com.microsoft.GroupQueryAttention <num_heads = {HEADS}, kv_num_heads = {SHARED}> (q, k, v, pk, pv, n, t) }}"
    )
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1]> {text}')
    session = intaglio.compile(model, profile=True).session()
    (pk, pv), apart = past(1, 9), {}
    kept = pk.copy(), pv.copy()
    for count in range(1, 10):
        q, k, v = tokens(1, 1)
        fed = {"q": q, "k": k, "v": v, "n": ints([count - 1]), "t": np.array(count, np.int32)}
        apart = dict(zip(("y", "pk", "pv"), session.run(None, fed | {"pk": kept[0], "pv": kept[1]}), strict=True))
        kept = apart["pk"].copy(), apart["pv"].copy()
        session.profile(reset=True)
        y, *_ = session.run(None, fed | {"pk": pk, "pv": pv}, into={"nk": pk, "nv": pv})
        np.testing.assert_array_equal(y, apart["y"])
        np.testing.assert_array_equal(pk, kept[0])
        np.testing.assert_array_equal(pv, kept[1])
        assert not [d for d in session.profile() if d.count and d.kernel.startswith("pad")]
