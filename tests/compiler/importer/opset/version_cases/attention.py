"""Attention and what belongs to it."""

from __future__ import annotations

import numpy as np

from .model import bools, case, floats, ints

FOUR = {"q": floats(2, 4, 3, 8), "k": floats(2, 2, 5, 8), "v": floats(2, 2, 5, 8)}
PAST = {"kp": floats(2, 2, 3, 8), "vp": floats(2, 2, 3, 8)}

case("Attention", "23-", "y = Attention(q, k, v)", **FOUR, by="reference")
case("Attention", "23-", "y = Attention <is_causal = 1, softcap = 2.0> (q, k, v)", **FOUR, by="reference")
case("Attention", "23-", "y, kn, vn, s = Attention <scale = 0.5> (q, k, v, mask, kp, vp)", **FOUR, **PAST, mask=bools(3, 8), by="reference")
FLAT = {"q": floats(2, 3, 16), "k": floats(2, 5, 8), "v": floats(2, 5, 8)}
case("Attention", "23-", "y = Attention <q_num_heads = 4, kv_num_heads = 2> (q, k, v)", **FLAT, by="reference")
case("Attention", "24-", "y = Attention <is_causal = 1> (q, k, v, , , , n)", **FOUR, n=ints(5, 4), by="reference")
case("Attention", "25", "y = Attention <left_window_size = 1, right_window_size = 0> (q, k, v)", **FOUR, by="reference")
HALVES = {"x": floats(2, 2, 3, 8), "c": floats(4, 4), "s": floats(4, 4), "p": np.int64([[0, 1, 2], [1, 2, 3]])}
case("RotaryEmbedding", "23", "y = RotaryEmbedding(x, c, s, p)", **HALVES)
case("RotaryEmbedding", "23", "y = RotaryEmbedding <interleaved = 1> (x, c, s, p)", **HALVES)
case("ai.onnx.preview.FlexAttention", "1", "y = ai.onnx.preview.FlexAttention(q, k, v)", **FOUR)
LINEAR = {"q": floats(1, 3, 8), "k": floats(1, 3, 8), "v": floats(1, 3, 8), "d": -np.abs(floats(1, 3, 8)), "b": np.abs(floats(1, 3, 2))}
RULE = 'q_num_heads = 2, kv_num_heads = 2, update_rule = "gated_delta"'
case("LinearAttention", "27", f"y, n = LinearAttention <{RULE}> (q, k, v, , d, b)", **LINEAR, by="reference", near=1e-4)
case(
    "CausalConvWithState",
    "27",
    'y, n = CausalConvWithState <activation = "silu"> (x, w, b)',
    x=floats(2, 3, 6),
    w=floats(3, 1, 3),
    b=floats(3),
    by="reference",
)
