"""Attention with merged projections, with several heads, and quantised; masks of every documented kind become biases of scores."""

from __future__ import annotations

from collections.abc import Sequence

from ....dialects.custom import decomposition
from ..values import Dim, Graph, Value
from .common import BYTES, DOMAIN, SHORT_FLOATS

_MASKED = -10000.0
"""What masked scores get, if the node says nothing else: a row of which all is masked attends to all of it, unlike with infinity."""


def split_heads(x: Value, heads: int) -> Value:
    """(B, S, N H) as (B, N, S, H). Raises ImportProblem (ITG1105) for a number of heads that does not divide the hidden size."""
    hidden = x.shape[2]
    if heads < 1 or (hidden is not None and hidden % heads):
        raise x.graph.problem("ITG1105", f"{heads} heads do not divide a hidden size of {x.extent(2)}")
    size: Dim = -1 if hidden is None else hidden // heads
    return x.reshape(x.dim(0), x.dim(1), heads, size).transpose(0, 2, 1, 3)


def join_heads(x: Value) -> Value:
    """(B, N, S, H) as (B, S, N H)."""
    return x.transpose(0, 2, 1, 3).reshape(x.dim(0), x.dim(2), x.dim(1) * x.dim(3))


def positions(g: Graph, count: Dim) -> Value:
    """0, 1, .. as int64."""
    end = g.constant(count) if isinstance(count, int) else count.reshape()
    return g.Range(g.constant(0), end, g.constant(1))


def mask_bias(g: Graph, mask: Value, x: Value, queries: Dim, keys: Dim, masked: float) -> Value:
    """A mask as what is added to scores (B, N, S, T): 0 where a query sees a key, else `masked`.

    mask: 0 and 1 of shape (B, T), (B, S, T), or (B, 1, M, M) with M at least T; the number of keys of each row (B); the ends and then
    the starts of the keys (2 B); or lengths and then running sums (3 B + 2). x: a tensor whose first dimension is B.
    """
    if mask.rank == 1:
        seen = _within(g, mask, x, keys)
    elif mask.rank in (2, 3):
        seen = g.Greater(mask.unsqueeze(*((1, 2) if mask.rank == 2 else (1,))), mask.like(0))
    elif mask.rank == 4:
        rows = mask.slice(2, keys - queries, keys) if keys is not queries else mask.slice(2, 0, queries)
        seen = g.Greater(rows.slice(3, 0, keys), mask.like(0))
    else:
        raise g.unsupported(f"a mask of rank {mask.rank}")
    least = -65504.0 if x.type == "float16" else masked
    return g.Where(seen, x.like(0), x.like(max(masked, least)))


def _within(g: Graph, mask: Value, x: Value, keys: Dim) -> Value:
    """Where the keys of each row lie, from a mask of rank 1: (B, 1, 1, T)."""
    length, batch = mask.extent(0), x.extent(0)
    if length is None or batch is None or length not in (batch, 2 * batch, 3 * batch + 2):
        hint = "Declare its dimension with the batch's name, or fix both."
        raise g.unsupported(f"a mask of one dimension ({length}) that is not told to be the batch ({batch}) or twice that", hint)
    place = positions(g, keys).cast("int32").reshape(1, 1, 1, keys)
    size = x.dim(0)
    seen = g.Less(place, mask.slice(0, 0, size).reshape(size, 1, 1, 1))
    if length == batch or length != 2 * batch:
        return seen
    return g.And(seen, g.GreaterOrEqual(place, mask.slice(0, size, 2 * size).reshape(size, 1, 1, 1)))


def added(a: Value | None, b: Value | None) -> Value | None:
    """The sum of two biases of which either may lack."""
    return b if a is None else a if b is None else a + b


def _projected(
    g: Graph,
    qkv: Value,
    sizes: Sequence[Dim],
    mask: Value | None,
    past: Value | None,
    bias: Value | None,
    *,
    heads: int,
    unidirectional: int,
    masked: float,
    scale: float | None,
) -> tuple[Value, Value | None]:
    """Attention of projected q, k and v, joined along the last axis of (B, S, ..), and the present state (2, B, N, T, H)."""
    q, k, v = (split_heads(part, heads) for part in qkv.split(2, *sizes))
    before = None if past is None else [part.squeeze(0) for part in past.of_rank(5).split(0, 1, 1)]
    queries: Dim = qkv.dim(1)
    keys = queries if past is None else queries + past.dim(3)
    if mask is not None:
        bias = added(bias, mask_bias(g, mask, qkv, queries, keys, masked))
    y, key, value = g.op(
        "Attention", q, k, v, bias, *(before or ()), is_causal=unidirectional, scale=scale or None, outputs=3
    )  # fmt: skip
    present = g.Concat(key.unsqueeze(0), value.unsqueeze(0), axis=0) if g.wants("present") else None
    return join_heads(y), present


def _refuse(g: Graph, **attributes: object) -> None:
    """Refuses attributes that are given and are not 0."""
    for name, value in attributes.items():
        if value:
            raise g.unsupported(f"{name} = {value}")


@decomposition(
    DOMAIN,
    outputs=["output", "present"],
    types={"input weights bias past attention_bias": SHORT_FLOATS, "mask_index": ["int32"], "past_sequence_length": ["int32"]},
)
def Attention(
    g: Graph,
    input: Value,
    weights: Value,
    bias: Value | None = None,
    mask_index: Value | None = None,
    past: Value | None = None,
    attention_bias: Value | None = None,
    past_sequence_length: Value | None = None,
    *,
    do_rotary: int = 0,
    mask_filter_value: float = _MASKED,
    num_heads: int,
    past_present_share_buffer: int = 0,
    qkv_hidden_sizes: list[int] | None = None,
    rotary_embedding_dim: int = 0,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Value, Value | None]:
    """Attention of q, k and v that one product with merged weights gives."""
    _refuse(g, do_rotary=do_rotary, past_present_share_buffer=past_present_share_buffer)
    qkv = input.of_rank(3) @ weights.of_rank(2)
    qkv = qkv if bias is None else qkv + bias
    sizes: Sequence[Dim] = qkv_hidden_sizes or (weights.dim(1) // 3,) * 3
    return _projected(
        g, qkv, sizes, mask_index, past, attention_bias, heads=num_heads, unidirectional=unidirectional, masked=mask_filter_value,
        scale=scale,
    )  # fmt: skip


@decomposition(
    DOMAIN,
    outputs=["output", "present"],
    types={
        "input": BYTES, "weight": BYTES, "bias input_scale weight_scale past": ["float", "float16"], "mask_index": ["int32"],
        "input_zero_point": BYTES, "weight_zero_point": BYTES,
    },
)  # fmt: skip
def QAttention(
    g: Graph,
    input: Value,
    weight: Value,
    bias: Value,
    input_scale: Value,
    weight_scale: Value,
    mask_index: Value | None = None,
    input_zero_point: Value | None = None,
    weight_zero_point: Value | None = None,
    past: Value | None = None,
    *,
    do_rotary: int = 0,
    mask_filter_value: float = _MASKED,
    num_heads: int,
    past_present_share_buffer: int = 0,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Value, Value | None]:
    """Attention whose projection is a product of bytes; the weight's scale is one or one a column."""
    _refuse(g, do_rotary=do_rotary, past_present_share_buffer=past_present_share_buffer)
    zero = None if input_zero_point is None else input_zero_point.reshape()
    total = g.MatMulInteger(input.of_rank(3), weight.of_rank(2), zero, weight_zero_point).cast("float")
    qkv = total * (input_scale.reshape().cast("float") * weight_scale.cast("float")) + bias.cast("float")
    return _projected(
        g, qkv.cast(bias.type), (weight.dim(1) // 3,) * 3, mask_index, past, None, heads=num_heads, unidirectional=unidirectional,
        masked=mask_filter_value, scale=scale,
    )  # fmt: skip


@decomposition(
    DOMAIN,
    outputs=["output", "present_key", "present_value", "qk"],
    types={
        "query key value bias attention_bias past_key past_value": SHORT_FLOATS, "key_padding_mask": ["int32"],
        "past_sequence_length": ["int32"], "cache_indirection": ["int32"],
    },
)  # fmt: skip
def MultiHeadAttention(
    g: Graph,
    query: Value,
    key: Value | None = None,
    value: Value | None = None,
    bias: Value | None = None,
    key_padding_mask: Value | None = None,
    attention_bias: Value | None = None,
    past_key: Value | None = None,
    past_value: Value | None = None,
    past_sequence_length: Value | None = None,
    cache_indirection: Value | None = None,
    *,
    mask_filter_value: float = _MASKED,
    num_heads: int,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Value | None, ...]:
    """Attention of q (B, S, N H), k and v, of one packed (B, S, N, 3, H), or of q and a packed (B, L, N, 2, H); k and v may have heads."""
    _refuse(g, past_sequence_length=past_sequence_length and "given", cache_indirection=cache_indirection and "given")
    q, k, v = _heads_of(g, query, key, value, bias, num_heads)
    keys: Dim = k.dim(2) if past_key is None else k.dim(2) + past_key.of_rank(4).dim(2)
    if key_padding_mask is not None:
        attention_bias = added(attention_bias, mask_bias(g, key_padding_mask, query, q.dim(2), keys, mask_filter_value))
    y, present_key, present_value, scores = g.op(
        "Attention", q, k, v, attention_bias, past_key, past_value,
        is_causal=unidirectional, scale=scale or None, qk_matmul_output_mode=2, outputs=4,
    )  # fmt: skip
    return join_heads(y), present_key, present_value, scores


def _heads_of(g: Graph, query: Value, key: Value | None, value: Value | None, bias: Value | None, heads: int) -> list[Value]:
    """q, k and v as (B, N, S, H), with their bias."""
    if query.of_rank(3, 5).rank == 5:
        return _unpacked(query, bias, 3)
    if key is None:
        raise g.problem("ITG1006", "key is missing, and query is not packed")
    if key.of_rank(3, 4, 5).rank == 5:
        parts = None if bias is None else _shares(bias, query.dim(2), key.dim(2) * key.dim(4))
        q = query if parts is None else query + parts[0]
        return [split_heads(q, heads), *_unpacked(key, None if parts is None else g.Concat(*parts[1:], axis=0), 2)]
    if value is None:
        raise g.problem("ITG1006", "value is missing, and key is not packed")
    value.of_rank(key.rank)
    if key.rank == 4:  # they have heads, and their bias, already
        hidden = query.dim(2)
        return [split_heads(query if bias is None else query + bias.slice(0, 0, hidden), heads), key, value]
    if bias is not None:
        q, k, v = bias.split(0, query.dim(2), key.dim(2), value.dim(2))
        query, key, value = query + q, key + k, value + v
    return [split_heads(x, heads) for x in (query, key, value)]


def _shares(bias: Value, query: Dim, key: Dim) -> list[Value]:
    return bias.split(0, query, key, key)


def _unpacked(packed: Value, bias: Value | None, count: int) -> list[Value]:
    """(B, S, N, count, H) as that many (B, N, S, H). The bias holds its parts one behind the other, each of N H."""
    if bias is not None:
        parts = bias.reshape(count, packed.dim(2), packed.dim(4)).transpose(1, 0, 2)
        packed = packed + parts
    return [part.squeeze(3).transpose(0, 2, 1, 3) for part in packed.split(3, *(1,) * count)]
