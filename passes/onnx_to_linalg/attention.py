"""Attention by matrix products and a softmax of rows, rotary embeddings, linear attention, and the SwiGLU gate."""

from __future__ import annotations

from typing import Any

from ...dialects.kernel import Array, Out, cast, exp, kernel, parallel, rsqrt
from ...dialects.onnx import attention as ops
from ...dialects.onnx.dims import Dim, floordiv
from ...dialects.onnx.types import BY_NUMBER, ElementType
from ..scalar import BOOL, DOUBLE, FLOAT, INDEX, INT64, Scalar, ScalarBuilder
from .builder import Lowering, Tensor, element_type
from .contraction import ACCUMULATORS, FEW_QUERIES, attend, attends, matmul
from .few_queries import attend_few, takes
from .reduction import MAX, SUM, fold
from .registry import lower


@lower(ops.AttentionOp)
def attention(
    b: Lowering,
    op: ops.AttentionOp,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    past_key: Tensor | None,
    past_value: Tensor | None,
    valid: Tensor | None,
) -> tuple[Tensor | None, ...]:
    """Query heads that share a key head stand as more rows of one product. Between products all is in the accumulator's type."""
    h, wide = op.heads(b.shapes), _wide(op, q.type)
    group = floordiv(h.query_heads, h.kv_heads)
    keys = _with_past(b, _heads(b, k, h.kv_heads), past_key)
    values = _with_past(b, _heads(b, v, h.kv_heads), past_value)
    queries = _scaled(b, op, _heads(b, q, h.query_heads), h.head_size, wide)
    turned = b.compute((h.batch, h.kv_heads, h.head_size, h.total), wide, lambda n, a, e, j: b.s.cast(keys[(n, a, j, e)], wide))
    past = None if past_key is None else past_key.shape[2]
    result, shown = None, None
    if op.qk_matmul_output is None:
        result = _in_place(b, op, h, queries, keys, values, mask, past, valid)
        if result is None:
            result = _at_once(b, op, h, queries, turned, b.cast(values, wide), mask, past, valid)
    if result is None:
        rows = b.reshape(queries, (h.batch, h.kv_heads, group * h.queries, h.head_size))
        scores = b.reshape(matmul(b, rows, turned), (h.batch, h.query_heads, h.queries, h.total))
        capped = _softcapped(b, scores, op.attr("softcap"))
        biased = _masked(b, op, capped, h, mask, past, valid)
        probabilities = softmax(b, biased, guarded=biased is not capped)
        weights = b.reshape(probabilities, (h.batch, h.kv_heads, group * h.queries, h.total))
        result = b.reshape(matmul(b, weights, b.cast(values, wide)), (h.batch, h.query_heads, h.queries, h.value_size))
        shown = (scores, capped, biased, probabilities)[op.attr("qk_matmul_output_mode")]
    if q.rank == 3:
        result = b.reshape(b.transpose(result, (0, 2, 1, 3)), b.shapes.of(op.y))
    return (
        b.cast(result, q.type),
        keys if op.present_key is not None else None,
        values if op.present_value is not None else None,
        b.cast(shown, q.type) if shown is not None and op.qk_matmul_output is not None else None,
    )


def _in_place(
    b: Lowering,
    op: ops.AttentionOp,
    h: ops.Heads,
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None,
    past: Dim | None,
    valid: Tensor | None,
) -> Tensor | None:
    """The result for a few queries, if sizes and types allow, from keys and values where they lie, as far as they are valid."""
    rows = b.reshape(q, (h.batch, h.kv_heads, floordiv(h.query_heads, h.kv_heads) * h.queries, h.head_size))
    if not isinstance(h.queries, int) or h.queries >= FEW_QUERIES or not takes(rows, keys, values):
        return None
    placed = mask is not None or op.attr("is_causal") or op.attr("left_window_size") >= 0 or op.attr("right_window_size") >= 0
    bias = _bias(b, op, h, mask, past, valid) if placed else None
    guarded = bias is not None or valid is not None
    result = attend_few(b, rows, keys, values, bias, valid, queries=h.queries, softcap=op.attr("softcap"), zeros=guarded)
    return b.reshape(result, (h.batch, h.query_heads, h.queries, h.value_size))


def _at_once(
    b: Lowering,
    op: ops.AttentionOp,
    h: ops.Heads,
    q: Tensor,
    turned: Tensor,
    values: Tensor,
    mask: Tensor | None,
    past: Dim | None,
    valid: Tensor | None,
) -> Tensor | None:
    """The result by one contraction, if sizes and types allow: query heads that share a key head are one more axis of the batch."""
    group = floordiv(h.query_heads, h.kv_heads)
    shared = group != 1
    if shared:
        q = b.reshape(q, (h.batch, h.kv_heads, group, h.queries, h.head_size))
        turned, values = (b.reshape(x, (*x.shape[:2], 1, *x.shape[2:])) for x in (turned, values))
    if not attends(q, turned, values):
        return None
    bias = _bias(b, op, h, mask, past, valid)
    guarded = bias is not None
    if bias is not None and shared:
        heads = (1, 1) if bias.shape[1] == 1 else (h.kv_heads, group)
        bias = b.reshape(bias, (bias.shape[0], *heads, *bias.shape[2:]))
    bound = op.attr("softcap")

    def score(s: ScalarBuilder, product: Scalar, *added: Scalar) -> Scalar:
        capped = s.tanh(product / bound) * bound if bound else product
        return capped + added[0] if added else capped

    result = attend(b, q, turned, values, [] if bias is None else [bias], score, zeros=int(guarded))
    return b.reshape(result, (h.batch, h.query_heads, h.queries, h.value_size))


def _bias(b: Lowering, op: ops.AttentionOp, h: ops.Heads, mask: Tensor | None, past: Dim | None, valid: Tensor | None) -> Tensor | None:
    """What is added to scores (batch, heads, queries, keys), axes on which nothing depends being 1; None for nothing."""
    placed = op.attr("is_causal") or op.attr("left_window_size") >= 0 or op.attr("right_window_size") >= 0
    if mask is None and valid is None and not placed:
        return None
    own = (1, 1, 1, h.total) if mask is None else (*((1,) * (4 - mask.rank)), *mask.shape)
    whole = (h.batch, h.query_heads, h.queries, h.total)
    plain = own[3] == h.total and all(d in (1, w) for d, w in zip(own, whole, strict=True))
    if mask is not None and mask.type is FLOAT and valid is None and not placed and plain:
        return b.reshape(mask, own)
    needed = (valid is not None, False, bool(placed), True)
    shape = tuple(w if d != 1 or n else 1 for d, w, n in zip(own, whole, needed, strict=True))
    return b.compute(shape, FLOAT, lambda *i: _seen(b, op, i, b.s.const(0.0, FLOAT), h, mask, past, valid))


def _wide(op: ops.AttentionOp, type: ElementType) -> ElementType:
    """What scores and probabilities are computed in: at least float32."""
    asked = op.attr("softmax_precision")
    return DOUBLE if asked and BY_NUMBER[asked] is DOUBLE else ACCUMULATORS[type.name]


def _heads(b: Lowering, x: Tensor, heads: Dim) -> Tensor:
    """x as (batch, heads, length, size)."""
    if x.rank == 4:
        return x
    size = floordiv(x.shape[2], heads)
    return b.transpose(b.reshape(x, (x.shape[0], x.shape[1], heads, size)), (0, 2, 1, 3))


def _with_past(b: Lowering, x: Tensor, past: Tensor | None) -> Tensor:
    """The past and x joined along axis 2."""
    if past is None or past.shape[2] == 0:
        return x
    if x.shape[2] == 0:
        return past
    length = past.shape[2]

    def element(n: Any, h: Any, j: Any, e: Any) -> Scalar:
        j = b.s.operand(j, INDEX)
        now = j >= b.index(length)
        return b.s.select(now, x[(n, h, b.s.select(now, j - b.index(length), 0), e)], past[(n, h, b.s.select(now, 0, j), e)])

    return b.compute((*x.shape[:2], length + x.shape[2], x.shape[3]), x.type, element, doc="join")


def _scaled(b: Lowering, op: ops.AttentionOp, q: Tensor, size: Dim, wide: ElementType) -> Tensor:
    scale = op.attr("scale")

    def element(*i: Any) -> Scalar:
        value = b.s.cast(q[i], wide)
        if scale is not None:
            return value * scale
        if isinstance(size, int):
            return value * (size**-0.5 if size else 1.0)
        return value / b.s.sqrt(b.s.cast(b.s.operand(b.index(size), INDEX), wide))

    return b.compute(q.shape, wide, element)


def _softcapped(b: Lowering, scores: Tensor, bound: float) -> Tensor:
    if not bound:
        return scores
    return b.compute(scores.shape, scores.type, lambda *i: b.s.tanh(scores[i] / bound) * bound)


def _masked(
    b: Lowering, op: ops.AttentionOp, scores: Tensor, h: ops.Heads, mask: Tensor | None, past: Dim | None, valid: Tensor | None
) -> Tensor:
    """The scores plus the mask's bias, minus infinity where a query must not see a key."""
    causal, left, right = op.attr("is_causal"), op.attr("left_window_size"), op.attr("right_window_size")
    if mask is None and valid is None and not causal and left < 0 and right < 0:
        return scores

    return b.compute(scores.shape, scores.type, lambda *i: _seen(b, op, i, scores[i], h, mask, past, valid))


def _seen(
    b: Lowering,
    op: ops.AttentionOp,
    i: tuple[Any, ...],
    value: Scalar,
    h: ops.Heads,
    mask: Tensor | None,
    past: Dim | None,
    valid: Tensor | None,
) -> Scalar:
    """A score at (batch, head, query, key) plus the mask's bias, minus infinity where the query must not see the key."""
    causal, left, right = op.attr("is_causal"), op.attr("left_window_size"), op.attr("right_window_size")
    n, _, s, j = i
    seen = []
    key = b.s.cast(b.s.operand(j, INDEX), INT64)
    # How many positions on the query stands than key 0, counted from its own block.
    place = b.s.cast(b.s.operand(s, INDEX), INT64)
    if past is not None:
        place = place + b.s.cast(b.s.operand(b.index(past), INDEX), INT64)
    elif valid is not None:
        place = place + valid[n] - b.s.cast(b.s.operand(b.index(h.queries), INDEX), INT64)
    seen += [key <= place] if causal else []
    seen += [place - key <= left] if left >= 0 else []
    seen += [key - place <= right] if right >= 0 else []
    seen += [key < valid[n]] if valid is not None else []
    if mask is not None:
        bias, covered = _mask_element(b, mask, i, h.total)
        seen += covered
        if mask.type is BOOL:
            seen.append(bias)
        else:
            value = value + b.s.cast(bias, value.type)
    return b.s.select(b.s.all(seen), value, float("-inf")) if seen else value


def _mask_element(b: Lowering, mask: Tensor, i: tuple[Any, ...], total: Dim) -> tuple[Scalar, list[Scalar]]:
    """The mask's element for a score, and the condition that it covers the key: keys beyond its last axis are not seen."""
    *rows, size = mask.shape
    if size == total:
        return mask.at(i), []
    if size == 0:
        return b.s.const(0, mask.type), [b.s.const(False, BOOL)]
    covered = b.s.operand(i[-1], INDEX) < b.index(size)
    lead = []
    for d, p in zip(rows, i[4 - mask.rank : -1], strict=True):
        single = b.s.operand(b.index(d), INDEX).equals(1)
        lead.append(0 if d == 1 else b.s.select(single, 0, b.s.operand(p, INDEX)))
    return mask[(*lead, b.s.select(covered, b.s.operand(i[-1], INDEX), 0))], [covered]


def softmax(b: Lowering, x: Tensor, *, guarded: bool) -> Tensor:
    """Softmax of rows; if `guarded`, a row of nothing but minus infinity becomes zeros."""
    axes = (x.rank - 1,)
    largest = fold(b, x, axes, MAX, x.type)

    def power(*i: Any) -> Scalar:
        top = largest.at(i)
        return b.s.weight(x[i] - (b.s.select(top.equals(float("-inf")), 0.0, top) if guarded else top))

    powers = b.compute(x.shape, x.type, power)
    total = fold(b, powers, axes, SUM, x.type)

    def inverse(*i: Any) -> Scalar:
        return 1.0 / (b.s.select(total[i].equals(0), 1.0, total[i]) if guarded else total[i])

    scale = b.compute(total.shape, x.type, inverse)
    return b.compute(x.shape, x.type, lambda *i: powers[i] * scale.at(i), doc="Softmax")


@lower(ops.RotaryEmbeddingOp)
def rotary_embedding(
    b: Lowering, op: ops.RotaryEmbeddingOp, x: Tensor, cos: Tensor, sin: Tensor, positions: Tensor | None
) -> Tensor:
    """Element e of a head turns with its partner: the next one if interleaved, else the one half the rotated size away."""
    wide = ACCUMULATORS[x.type.name]
    folded = x.rank == 3
    heads = op.attr("num_heads") if folded else x.shape[1]
    size = floordiv(x.shape[2], heads) if folded else x.shape[3]
    half = cos.shape[-1]
    view = b.reshape(x, (x.shape[0], x.shape[1], heads, size)) if folded else x
    interleaved = bool(op.attr("interleaved"))

    def element(*i: Any) -> Scalar:
        n, e = i[0], b.s.operand(i[3], INDEX)
        step = i[1] if folded else i[2]
        turned = e < b.index(half * 2)
        if interleaved:
            pair, second = e // 2, (e % 2).equals(1)
            partner = b.s.select(second, e - 1, e + 1)
        else:
            second = e >= b.index(half)
            pair = b.s.select(second, e - b.index(half), e)
            partner = b.s.select(second, pair, e + b.index(half))
        pair, partner = b.s.select(turned, pair, 0), b.s.select(turned, partner, e)
        row = (n, step) if positions is None else (b.s.wrapped_index(positions[(n, step)], b.index(cos.shape[0])),)
        c, s = (b.s.cast(t[(*row, pair)], wide) for t in (cos, sin))
        own, other = b.s.cast(view[i], wide), b.s.cast(view[(*i[:3], partner)], wide)
        value = own * c + b.s.select(second, other, -other) * s
        return b.s.cast(b.s.select(turned, value, own), x.type)

    if half == 0:
        return x
    return b.reshape(b.compute(view.shape, x.type, element), x.shape)


@lower(ops.SwiGLUOp)
def swiglu(b: Lowering, op: ops.SwiGLUOp, x: Tensor, y: Tensor) -> Tensor:
    wide, alpha = ACCUMULATORS[x.type.name], op.attr("alpha")

    def element(*i: Any) -> Scalar:
        value = b.s.cast(x[i], wide)
        return b.s.cast(value * b.s.sigmoid(value * alpha) * b.s.cast(y[i], wide), x.type)

    return b.compute(b.shapes.of(op.y), x.type, element)


STATE = 100
"""Picoseconds that an element of a state takes to be changed, or to be read by a head, roughly."""


@kernel
def linear_attention(
    query: Array,
    key: Array,
    value: Array,
    past: Array | None,
    decay: Array | None,
    beta: Array | None,
    y: Out,
    state: Out,
    change: Out,
    scale: float,
):
    """One state (K, V) a head, changed at every step and read by the query heads of its group.

    query (B, S, Hq, K), key (B, S, H, K), value (B, S, H, V), decay (B, S, H, 1 or K), beta (B, S, 1 or H), state (B, H, K, V);
    change (B, H, V): what is written at a step. scale 0 stands for 1 / sqrt(K).
    """
    heads, size, width = state.shape[1], state.shape[2], state.shape[3]
    group = query.shape[2] // max(heads, 1)
    for u in parallel(state.shape[0] * heads, query.shape[1] * size * width * (STATE * (group + 2))):
        n, h = u // heads, u % heads
        factor = rsqrt(cast(max(size, 1), state)) if scale == 0.0 else cast(scale, state)
        for k in range(size):
            for v in range(width):
                if past is None:
                    state[n, h, k, v] = 0
                else:
                    state[n, h, k, v] = cast(past[n, h, k, v], state)
        for s in range(query.shape[1]):
            if decay is not None:
                for k in range(size):
                    keep = exp(cast(decay[n, s, h, k if decay.shape[3] > 1 else 0], state))
                    for v in range(width):
                        state[n, h, k, v] = state[n, h, k, v] * keep
            for v in range(width):
                change[n, h, v] = cast(value[n, s, h, v], state)
            if beta is not None:
                for k in range(size):
                    at = cast(key[n, s, h, k], state)
                    for v in range(width):
                        change[n, h, v] -= state[n, h, k, v] * at
                rate = cast(beta[n, s, h if beta.shape[2] > 1 else 0], state)
                for v in range(width):
                    change[n, h, v] = change[n, h, v] * rate
            for k in range(size):
                at = cast(key[n, s, h, k], state)
                for v in range(width):
                    state[n, h, k, v] += at * change[n, h, v]
            for g in range(group):
                for v in range(width):
                    y[n, s, h * group + g, v] = 0
                for k in range(size):
                    at = cast(query[n, s, h * group + g, k], state) * factor
                    for v in range(width):
                        y[n, s, h * group + g, v] += state[n, h, k, v] * at


@lower(ops.LinearAttentionOp)
def lower_linear_attention(
    b: Lowering, op: ops.LinearAttentionOp, q: Tensor, k: Tensor, v: Tensor, past: Tensor | None, decay: Tensor | None, beta: Tensor | None
) -> tuple[Tensor, Tensor]:
    wide, rule = ACCUMULATORS[q.type.name], op.attr("update_rule")
    heads, query_heads = op.attr("kv_num_heads"), op.attr("q_num_heads")

    def split(x: Tensor, count: int) -> Tensor:
        return b.reshape(x, (*x.shape[:2], count, floordiv(x.shape[2], count)))

    state = b.shapes.of(op.present_state)
    arrays = {
        "query": split(q, query_heads),
        "key": split(k, heads),
        "value": split(v, heads),
        "past": past,
        "decay": None if decay is None or "gated" not in rule else split(decay, heads),
        "beta": beta if "delta" in rule else None,
        "y": ((*q.shape[:2], query_heads, state[3]), wide),
        "state": (state, wide),
        "change": ((*state[:2], state[3]), wide),
    }
    y, present, _ = b.kernel(linear_attention, arrays, {"scale": op.attr("scale")})
    return b.cast(b.reshape(y, b.shapes.of(op.output)), q.type), b.cast(present, element_type(op.present_state))
