"""Attention in its forms and what goes with it: rotary embeddings, linear attention, the SwiGLU gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import operand_def, opt_operand_def, opt_result_def, result_def

from .base import OnnxOp, element_of, float_attr, int_attr, operator, str_attr, tensor
from .checks import at_least, data_type_in, divide, of_rank, one_of, require_broadcast_to, require_vector, same_shape, show
from .dims import Dim, Shape, mod
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_NUMERIC, BF16, BOOL, BY_NAME, F32, I64

_SHORT_FLOATS = (BY_NAME["float16"].ir, *F32, *BF16)


@dataclass(frozen=True)
class Heads:
    """Sizes of an attention, whatever the rank of its operands. Key and value lengths are those of this call and with the past."""

    batch: Dim
    query_heads: Dim
    kv_heads: Dim
    queries: Dim
    keys: Dim
    total: Dim
    head_size: Dim
    value_size: Dim


@operator(since=25)
class AttentionOp(OnnxOp):
    """softmax(q k' scale + mask) v for each head, query heads sharing key and value heads in groups.

    q (B, Hq, S, E), k (B, H, L, E), v (B, H, L, F), or rank 3 with heads folded into the last axis: q (B, S, Hq*E) and so on.
    past_key (B, H, P, E) and past_value (B, H, P, F) stand before k and v, giving present ones of length P + L. attn_mask
    broadcasts to (B, Hq, S, P + L), its last axis may be shorter. y: (B, Hq, S, F) or (B, S, Hq*F).
    https://onnx.ai/onnx/operators/onnx__Attention.html
    """

    name = "onnx.Attention"
    q = operand_def(tensor("T1", ALL_FLOATS))
    k = operand_def(tensor("T1", ALL_FLOATS))
    v = operand_def(tensor("T2", ALL_FLOATS))
    attn_mask = opt_operand_def(tensor("U", (*ALL_NUMERIC, *BOOL)))
    past_key = opt_operand_def(tensor("T1", ALL_FLOATS))
    past_value = opt_operand_def(tensor("T2", ALL_FLOATS))
    nonpad_kv_seqlen = opt_operand_def(tensor("", I64))
    y = result_def(tensor("T1", ALL_FLOATS))
    present_key = opt_result_def(tensor("T1", ALL_FLOATS))
    present_value = opt_result_def(tensor("T2", ALL_FLOATS))
    qk_matmul_output = opt_result_def(tensor("T1", ALL_FLOATS))
    is_causal = int_attr(0)
    kv_num_heads = int_attr()
    left_window_size = int_attr(-1)
    q_num_heads = int_attr()
    qk_matmul_output_mode = int_attr(0)
    right_window_size = int_attr(-1)
    scale = float_attr()
    softcap = float_attr(0.0)
    softmax_precision = int_attr()

    def heads(self, shapes: Shapes) -> Heads:
        """All sizes; the lowering asks this too. Raises ShapeError where operands contradict each other."""
        q_heads, kv_heads = self.attr("q_num_heads"), self.attr("kv_num_heads")
        batch, query_heads, queries, head_size = self._split(shapes, self.q, "Q", "q_num_heads", q_heads)
        key_batch, key_heads, keys, key_size = self._split(shapes, self.k, "K", "kv_num_heads", kv_heads)
        value_batch, value_heads, values, value_size = self._split(shapes, self.v, "V", "kv_num_heads", kv_heads)
        for other in (key_batch, value_batch):
            batch = shapes.require_equal(self, batch, other, "the batch sizes of Q, K and V")
        head_size = shapes.require_equal(self, head_size, key_size, "the head sizes of Q and K")
        kv = shapes.require_equal(self, key_heads, value_heads, "the numbers of heads of K and V")
        keys = shapes.require_equal(self, keys, values, "the sequence lengths of K and V")
        divide(self, query_heads, kv, "the number of query heads")
        shapes.require_equal(self, mod(query_heads, kv), 0, "the query heads left over when key heads share them and 0")
        past = self._past(shapes, batch, kv, head_size, value_size)
        return Heads(batch, query_heads, kv, queries, keys, past + keys, head_size, value_size)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "qk_matmul_output_mode", 0, 1, 2, 3)
        at_least(self, "left_window_size", -1)
        at_least(self, "right_window_size", -1)
        data_type_in(self, "softmax_precision", ALL_FLOATS)
        self._check_cache_use()
        h = self.heads(shapes)
        require_vector(self, shapes, self.nonpad_kv_seqlen, h.batch, "nonpad_kv_seqlen")
        scores = (h.batch, h.query_heads, h.queries, h.total)
        if self.attn_mask is not None:
            self._check_mask(shapes.of(self.attn_mask), scores)
        y = (h.batch, h.query_heads, h.queries, h.value_size)
        if shapes.rank(self.q) == 3:
            y = (h.batch, h.queries, h.query_heads * h.value_size)
        return y, (h.batch, h.kv_heads, h.total, h.head_size), (h.batch, h.kv_heads, h.total, h.value_size), scores

    def _split(self, shapes: Shapes, value: SSAValue, what: str, name: str, count: int | None) -> Shape:
        """(batch, heads, length, size) of q, k or v of rank 3 or 4; `count` is the attribute `name`."""
        shape = of_rank(self, shapes, value, what, 3, 4)
        if len(shape) != shapes.rank(self.q):
            raise self.fail("ITG2140", f"Q, K and V must have one rank, but {what} is {show(shape)} and Q is {show(shapes.of(self.q))}")
        if len(shape) == 4:
            batch, found, length, size = shape
            heads = found if count is None else shapes.require_equal(self, found, count, f"the heads of {what} and {name}")
            return batch, heads, length, size
        heads = at_least(self, name, 1)
        return shape[0], heads, shape[1], divide(self, shape[2], heads, f"the last dimension of {what}")

    def _past(self, shapes: Shapes, batch: Dim, heads: Dim, key_size: Dim, value_size: Dim) -> Dim:
        """The length of the past, 0 without one."""
        if self.past_key is None or self.past_value is None:
            return 0
        past = of_rank(self, shapes, self.past_key, "past_key", 4)[2]
        same_shape(self, shapes, shapes.of(self.past_key), (batch, heads, past, key_size), "past_key and what K asks for")
        same_shape(self, shapes, shapes.of(self.past_value), (batch, heads, past, value_size), "past_value and what V asks for")
        return past

    def _check_cache_use(self) -> None:
        if (self.past_key is None) != (self.past_value is None):
            raise self.fail("ITG2147", "past_key and past_value must be given together")
        if self.nonpad_kv_seqlen is not None and self.past_key is not None:
            raise self.fail("ITG2147", "nonpad_kv_seqlen cannot be combined with past_key and past_value")

    def _check_mask(self, mask: Shape, scores: Shape) -> None:
        if len(mask) not in (1, 2, 3, 4):
            raise self.fail("ITG2140", f"attn_mask must have rank 1 to 4, but has shape {show(mask)}")
        require_broadcast_to(self, (*mask[:-1], 1), scores, "attn_mask")
        if isinstance(mask[-1], int) and isinstance(scores[-1], int) and mask[-1] > scores[-1]:
            raise self.fail("ITG2105", f"attn_mask covers {mask[-1]} keys, but there are only {scores[-1]}")


@operator(since=23)
class RotaryEmbeddingOp(OnnxOp):
    """Rotates pairs of x (B, H, S, E), or (B, S, H*E), by position; the first rotary_embedding_dim = R of E (0: all) take part.

    cos_cache and sin_cache: (positions, R/2) looked up by position_ids (B, S), or (B, S, R/2) without them; y: of x's shape.
    https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
    """

    name = "onnx.RotaryEmbedding"
    x = operand_def(tensor("T", _SHORT_FLOATS))
    cos_cache = operand_def(tensor("T", _SHORT_FLOATS))
    sin_cache = operand_def(tensor("T", _SHORT_FLOATS))
    position_ids = opt_operand_def(tensor("M", I64))
    y = result_def(tensor("T", _SHORT_FLOATS))
    interleaved = int_attr(0)
    num_heads = int_attr()
    rotary_embedding_dim = int_attr(0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "interleaved", 0, 1)
        x = of_rank(self, shapes, self.x, "X", 3, 4)
        batch, length, size = (x[0], x[2], x[3]) if len(x) == 4 else (x[0], x[1], self._head_size(x[2]))
        rotated = at_least(self, "rotary_embedding_dim", 0) or size
        if isinstance(rotated, int) and isinstance(size, int) and rotated > size:
            raise self.fail("ITG2142", f"rotary_embedding_dim is {rotated}, more than the head size {size}")
        half = divide(self, rotated, 2, "the rotated size")
        cos = of_rank(self, shapes, self.cos_cache, "cos_cache", 3 if self.position_ids is None else 2)
        cos = same_shape(self, shapes, cos, shapes.of(self.sin_cache), "cos_cache and sin_cache")
        shapes.require_equal(self, cos[-1], half, "the last dimension of cos_cache and half the rotated size")
        if self.position_ids is None:
            same_shape(self, shapes, cos[:2], (batch, length), "cos_cache and X's batch and sequence")
        else:
            same_shape(self, shapes, shapes.of(self.position_ids), (batch, length), "position_ids and X's batch and sequence")
        return (x,)

    def _head_size(self, hidden: Dim) -> Dim:
        return divide(self, hidden, at_least(self, "num_heads", 1), "the last dimension of X")


@operator(since=27)
class LinearAttentionOp(OnnxOp):
    """Attention as a recurrence over a state matrix a head: query (B, S, Hq*K), key (B, S, H*K), value (B, S, H*V) to (B, S, Hq*V).

    past_state and present_state: (B, H, K, V); decay: (B, S, H*K) or (B, S, H); beta: (B, S, H) or (B, S, 1).
    https://onnx.ai/onnx/operators/onnx__LinearAttention.html
    """

    name = "onnx.LinearAttention"
    query = operand_def(tensor("T", _SHORT_FLOATS))
    key = operand_def(tensor("T", _SHORT_FLOATS))
    value = operand_def(tensor("T", _SHORT_FLOATS))
    past_state = opt_operand_def(tensor("S", _SHORT_FLOATS))
    decay = opt_operand_def(tensor("T", _SHORT_FLOATS))
    beta = opt_operand_def(tensor("T", _SHORT_FLOATS))
    output = result_def(tensor("T", _SHORT_FLOATS))
    present_state = result_def(tensor("S", _SHORT_FLOATS))
    chunk_size = int_attr(64)
    kv_num_heads = int_attr(required=True)
    q_num_heads = int_attr(required=True)
    scale = float_attr(0.0)
    update_rule = str_attr("gated_delta")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        rule = one_of(self, "update_rule", "linear", "gated", "delta", "gated_delta")
        query_heads, heads = at_least(self, "q_num_heads", 1), at_least(self, "kv_num_heads", 1)
        divide(self, query_heads, heads, "q_num_heads")
        query = of_rank(self, shapes, self.query, "query", 3)
        key, value = of_rank(self, shapes, self.key, "key", 3), of_rank(self, shapes, self.value, "value", 3)
        for what, other in (("key", key), ("value", value)):
            same_shape(self, shapes, query[:2], other[:2], f"query's and {what}'s batch and sequence")
        key_size = divide(self, query[2], query_heads, "the last dimension of query")
        shapes.require_equal(self, key[2], key_size * heads, "the last dimension of key and kv_num_heads times the head size")
        value_size = divide(self, value[2], heads, "the last dimension of value")
        self._check_gate(shapes, self.decay, "decay", rule in ("gated", "gated_delta"), query, (heads, key[2]))
        self._check_gate(shapes, self.beta, "beta", rule in ("delta", "gated_delta"), query, (heads, 1))
        state = (query[0], heads, key_size, value_size)
        if self.past_state is not None:
            same_shape(self, shapes, shapes.of(self.past_state), state, "past_state and present_state")
        return (query[0], query[1], value_size * query_heads), state

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return None, element_of(self.query if self.past_state is None else self.past_state)

    def _check_gate(self, shapes: Shapes, gate: SSAValue | None, what: str, required: bool, query: Shape, sizes: tuple[Dim, Dim]) -> None:
        """Checks decay or beta: (B, S, n) with n one of `sizes`."""
        if gate is None:
            if required:
                raise self.fail("ITG2147", f"{what} must be given for update_rule {self.attr('update_rule')!r}")
            return
        shape = of_rank(self, shapes, gate, what, 3)
        same_shape(self, shapes, query[:2], shape[:2], f"query's and {what}'s batch and sequence")
        if isinstance(shape[2], int) and all(isinstance(s, int) and s != shape[2] for s in sizes):
            raise self.fail("ITG2104", f"the last dimension of {what} is {shape[2]}, expected {sizes[0]} or {sizes[1]}")


@operator(since=28)
class SwiGLUOp(OnnxOp):
    """a sigmoid(alpha a) b of two tensors of one shape. https://onnx.ai/onnx/operators/onnx__SwiGLU.html"""

    name = "onnx.SwiGLU"
    a = operand_def(tensor("T", ALL_FLOATS))
    b = operand_def(tensor("T", ALL_FLOATS))
    y = result_def(tensor("T", ALL_FLOATS))
    alpha = float_attr(1.0)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (same_shape(self, shapes, shapes.of(self.a), shapes.of(self.b), "A and B"),)
