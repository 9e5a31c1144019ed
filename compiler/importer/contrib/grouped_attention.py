"""Attention of decoders: query heads that share key heads, a cache that is written at each row's own place, rotary embeddings."""

from __future__ import annotations

from ....dialects.custom import decomposition
from ..values import Dim, Graph, Value
from .attention import join_heads, positions, split_heads
from .common import DOMAIN, SHORT_FLOATS


@decomposition(DOMAIN, outputs=["output"], types={"input cos_cache sin_cache": SHORT_FLOATS, "position_ids": ["int64"]})
def RotaryEmbedding(
    g: Graph,
    input: Value,
    position_ids: Value,
    cos_cache: Value,
    sin_cache: Value,
    *,
    interleaved: int = 0,
    is_packed_batching: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    scale: float = 1.0,
) -> Value:
    """Turns pairs of each head by position; a single position id is that of the first token.

    input: (B, S, N H), or (B, N, S, H). H is twice the width of the cache, or follows from num_heads.
    """
    if is_packed_batching:
        raise g.unsupported(f"is_packed_batching = {is_packed_batching}")
    if scale != 1.0:
        raise g.unsupported(f"scale = {scale}")
    x = input.of_rank(3, 4)
    cos_cache.of_rank(2)
    if input.rank == 3:
        size = cos_cache.dim(1) * 2
        heads: Dim = num_heads or input.dim(2) // size
        x = input.reshape(input.dim(0), input.dim(1), heads, input.dim(2) // heads).transpose(0, 2, 1, 3)
    if position_ids.of_rank(1, 2).rank == 1:
        position_ids = _from(g, position_ids, x)
    y = rotated(g, x, cos_cache, sin_cache, position_ids, interleaved, rotary_embedding_dim)
    return join_heads(y) if input.rank == 3 else y


def rotated(g: Graph, x: Value, cos: Value, sin: Value, position_ids: Value, interleaved: int, width: int = 0) -> Value:
    """x (B, N, S, H) turned at the positions (B, S); as much of each head as the cache is wide, or as is said, takes part."""
    if not width:
        half = cos.shape[1]
        if half is None:
            raise g.unsupported("a cache of cosines of unknown width", "Declare the shape of cos_cache.")
        width = 2 * half
    whole = x.shape[3] is not None and width >= x.shape[3]
    return g.RotaryEmbedding(x, cos, sin, position_ids, interleaved=interleaved, rotary_embedding_dim=0 if whole else width)


def _from(g: Graph, start: Value, x: Value) -> Value:
    """start, start + 1, .. for each row of x (B, N, S, H)."""
    return (start.reshape(1, 1) + positions(g, x.dim(2))).expand(x.dim(0), x.dim(2))


@decomposition(
    DOMAIN,
    outputs=["output", "present_key", "present_value", "output_qk"],
    types={
        "query key value cos_cache sin_cache attention_bias head_sink q_norm_weight k_norm_weight": SHORT_FLOATS,
        "seqlens_k": ["int32"], "total_sequence_length": ["int32"], "query_seqlens": ["int32"], "position_ids": ["int64"],
    },
)  # fmt: skip
def GroupQueryAttention(
    g: Graph,
    query: Value,
    key: Value | None,
    value: Value | None,
    past_key: Value | None,
    past_value: Value | None,
    seqlens_k: Value,
    total_sequence_length: Value,
    cos_cache: Value | None = None,
    sin_cache: Value | None = None,
    position_ids: Value | None = None,
    attention_bias: Value | None = None,
    head_sink: Value | None = None,
    k_scale: Value | None = None,
    v_scale: Value | None = None,
    q_norm_weight: Value | None = None,
    k_norm_weight: Value | None = None,
    query_seqlens: Value | None = None,
    *,
    causal: int = 1,
    do_rotary: int = 0,
    k_norm_epsilon: float | None = None,
    k_quant_type: str = "NONE",
    kv_cache_bit_width: int = 0,
    kv_num_heads: int,
    local_window_size: int = -1,
    num_heads: int,
    q_norm_epsilon: float | None = None,
    qk_norm_epsilon: float = 1e-6,
    qk_output: int = 0,
    rotary_interleaved: int = 0,
    scale: float | None = None,
    sliding_window_cache: int = 0,
    smooth_softmax: int = -1,
    softcap: float = 0.0,
    v_quant_type: str = "NONE",
) -> tuple[Value | None, ...]:
    """Attention over a cache (B, K, P, H) to which the new keys and values are written behind each row's own past.

    Row b has seqlens_k[b] + 1 keys with the new ones. Present ones are as long as the past, or total_sequence_length if that is more.
    """
    refused = {
        "kv_cache_bit_width": kv_cache_bit_width,
        "sliding_window_cache": sliding_window_cache,
        "k_quant_type": k_quant_type if k_quant_type not in ("NONE", "") else 0,
        "v_quant_type": v_quant_type if v_quant_type not in ("NONE", "") else 0,
        "query_seqlens": query_seqlens and "given",
        "k_scale": k_scale and "given",
        "v_scale": v_scale and "given",
    }
    for name, given in refused.items():
        if given:
            raise g.unsupported(f"{name} = {given}")
    if num_heads < 1 or kv_num_heads < 1 or num_heads % kv_num_heads:
        raise g.problem("ITG1105", f"num_heads is {num_heads}, which is no multiple of kv_num_heads, {kv_num_heads}")
    if qk_output not in (0, 1, 2):
        raise g.unsupported(f"qk_output = {qk_output}")
    q, k, v = _heads(g, query, key, value, num_heads, kv_num_heads)
    if q_norm_weight is not None and k_norm_weight is not None:
        q = g.RMSNormalization(q, q_norm_weight, axis=-1, epsilon=q_norm_epsilon or qk_norm_epsilon)
        k = g.RMSNormalization(k, k_norm_weight, axis=-1, epsilon=k_norm_epsilon or qk_norm_epsilon)
    new: Dim = q.dim(2)
    before = g.Max(seqlens_k.reshape(-1).cast("int64") + 1 - new, g.constant(0))
    if do_rotary:
        if cos_cache is None or sin_cache is None:
            raise g.problem("ITG1006", "cos_cache and sin_cache are missing, which do_rotary wants")
        places = position_ids if position_ids is not None else before.unsqueeze(1) + positions(g, new).unsqueeze(0)
        q, k = (rotated(g, x, cos_cache, sin_cache, places, rotary_interleaved) for x in (q, k))
    total = total_sequence_length.reshape(1).cast("int64")
    keys, values = (_cached(g, x, past, total, before) for x, past in ((k, past_key), (v, past_value)))
    if head_sink is not None or smooth_softmax == 1:
        if g.wants("output_qk"):
            raise g.unsupported("output_qk together with a sink")
        bias = _hidden(g, q, keys, before, attention_bias, causal, local_window_size)
        y = _with_sink(g, q, keys, values, bias, head_sink, kv_heads=kv_num_heads, scale=scale, softcap=softcap)
        return join_heads(y), keys, values
    # The keys of a row end with its new ones; a query sees those up to itself.
    outputs = g.op(
        "Attention", q, keys, values, attention_bias, None, None, before + new,
        is_causal=causal, left_window_size=_left(local_window_size), scale=scale or None, softcap=softcap,
        qk_matmul_output_mode=3 if qk_output == 2 else 2, outputs=4 if g.wants("output_qk") else 1,
    )  # fmt: skip
    if not isinstance(outputs, list):
        return join_heads(outputs), keys, values
    # What a query must not see shows as 0.
    y, _, _, scores = outputs
    return join_heads(y), keys, values, scores if qk_output == 2 else g.Where(g.IsInf(scores), scores.like(0), scores)


def _left(window: int) -> int:
    """How many keys before its own a query sees; -1 for all."""
    return window - 1 if window > 0 else -1


def _heads(g: Graph, query: Value, key: Value | None, value: Value | None, heads: int, kv_heads: int) -> list[Value]:
    query.of_rank(3)
    if key is not None and value is not None:
        return [split_heads(query, heads), split_heads(key.of_rank(3), kv_heads), split_heads(value.of_rank(3), kv_heads)]
    size = query.dim(2) // (heads + 2 * kv_heads)
    q, k, v = query.split(2, size * heads, size * kv_heads, size * kv_heads)
    return [split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)]


def _cached(g: Graph, x: Value, past: Value | None, total: Value, before: Value) -> Value:
    """The past (B, K, P, H) with x written to it behind `before` tokens of each row; grown to `total` where it is shorter."""
    have: Dim = x.dim(2) if past is None else past.of_rank(4).dim(2)
    more = g.Max(total - have, g.constant([0]))
    grown = g.Pad(x if past is None else past, g.vector([0, more]), None, [2])
    return grown if past is None else g.TensorScatter(grown, x, before, axis=2)


def _hidden(g: Graph, q: Value, keys: Value, before: Value, bias: Value | None, causal: int, window: int) -> Value:
    """The bias with minus infinity where a query must not see a key: (B, N, S, T)."""
    batch, queries = q.dim(0), q.dim(2)
    place = (before.unsqueeze(1) + positions(g, queries).unsqueeze(0)).reshape(batch, 1, queries, 1)
    key = positions(g, keys.dim(2)).reshape(1, 1, 1, keys.dim(2))
    seen = g.LessOrEqual(key, place) if causal else g.Less(key, before.reshape(batch, 1, 1, 1) + queries)
    if window > 0:
        seen = g.And(seen, g.LessOrEqual(place - key, g.constant(_left(window))))
    hidden = g.Where(seen, g.constant(0.0), g.constant(float("-inf")))
    if bias is None:
        return hidden
    # A bias covers the keys that there are; a cache may have room for more, which nobody sees.
    room = g.vector([0, 0, 0, 0, 0, 0, 0, keys.dim(2) - bias.dim(3)])
    return hidden + g.Pad(bias.cast("float"), room)


def _with_sink(
    g: Graph,
    q: Value,
    k: Value,
    v: Value,
    bias: Value,
    sink: Value | None,
    *,
    kv_heads: int,
    scale: float | None,
    softcap: float,
) -> Value:
    """Attention whose softmax has one score more, of nothing: the sink's of each head, 0 without one."""
    batch, heads, queries, size = q.dims()
    rows = q.cast("float").reshape(batch, kv_heads, heads // kv_heads * queries, size)
    turned = k.cast("float").transpose(0, 1, 3, 2)
    factor: Value | float = scale or (size**-0.5 if isinstance(size, int) else g.Reciprocal(g.Sqrt(size.cast("float"))))
    scores = (rows * factor @ turned).reshape(batch, heads, queries, k.dim(2))
    if softcap:
        scores = g.Tanh(scores / softcap) * softcap
    column = g.constant(0.0).reshape(1, 1, 1, 1) if sink is None else sink.cast("float").reshape(1, heads, 1, 1)
    every = g.Concat(scores + bias, column.expand(batch, heads, queries, 1), axis=3)
    weights = g.Softmax(every, axis=3).slice(3, 0, k.dim(2)).reshape(batch, kv_heads, heads // kv_heads * queries, k.dim(2))
    return (weights @ v.cast("float")).reshape(batch, heads, queries, v.dim(3)).cast(q.type)
