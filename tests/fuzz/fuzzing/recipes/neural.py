"""Recurrent layers, attention, and losses."""

from __future__ import annotations

import numpy as np

from ..draw import Draw
from ..schemas import BOOL, FLOAT, INT32, dtype
from .registry import recipe

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_ACTIVATIONS = ("Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "Softplus", "Elu", "LeakyRelu")


@recipe("RNN", "GRU", "LSTM")
def recurrent(d: Draw) -> None:
    gates, hidden = _GATES[d.operator], d.attribute("hidden_size", d.between(1, 5))
    direction = d.maybe("direction", lambda: d.pick(["forward", "reverse", "bidirectional"]))
    layout = d.maybe("layout", lambda: d.between(0, 1))
    ways = 2 if direction == "bidirectional" else 1
    steps, batch, width = d.size(1, 5), d.size(1, 4), d.size(1, 5)
    state = [batch, ways, hidden] if layout else [ways, batch, hidden]
    d.data("T", [batch, steps, width] if layout else [steps, batch, width])
    d.data("T", [ways, gates * hidden, width], -1, 1)
    d.data("T", [ways, gates * hidden, hidden], -1, 1)
    form = d.between(0, 4 if d.operator == "LSTM" else 2)
    if form:
        d.data("T", [ways, 2 * gates * hidden], -1, 1)
    if form > 1:
        if d.flag():
            d.ints(d.choices.rng().integers(1, steps + 1, batch) if steps else np.zeros(batch), INT32, "data")
        else:
            d.skip()
        d.data("T", state, -1, 1)
    if form > 2:
        d.data("T", state, -1, 1)
    if form > 3:
        d.data("T", [ways, 3 * hidden], -1, 1)
    if d.operator == "GRU":
        d.maybe("linear_before_reset", lambda: d.between(0, 1))
    if d.operator == "LSTM":
        d.maybe("input_forget", lambda: d.between(0, 1))
    if d.flag(3):
        d.attribute("clip", d.real(0.5, 2))
    if d.flag(3):
        count = ways * {"RNN": 1, "GRU": 2, "LSTM": 3}[d.operator]
        d.attribute("activations", [d.pick(_ACTIVATIONS) for _ in range(count)])
    most = 3 if d.operator == "LSTM" else 2
    d.wanted = [d.flag() for _ in range(most)]
    if not any(d.wanted):
        d.wanted = [True]
    while not d.wanted[-1]:
        d.wanted.pop()


@recipe("Attention")
def attention(d: Draw) -> None:
    batch, heads, kv_heads = d.size(1, 2), d.pick([1, 2, 4]), 1
    kv_heads = d.pick([heads, 1])
    q_len, kv_len, past = d.size(1, 5), d.size(1, 6), 0
    width, v_width = d.pick([1, 2, 4, 8]), d.pick([4, 2, 8])
    kind = d.type("T1")
    flat = d.flag()
    if flat:
        d.attribute("q_num_heads", heads)
        d.attribute("kv_num_heads", kv_heads)

    def shape(count: int, length: int, size: int) -> list[int]:
        return [batch, length, count * size] if flat else [batch, count, length, size]

    d.type("T2", only=[kind])
    d.data("T1", shape(heads, q_len, width))
    d.data("T1", shape(kv_heads, kv_len, width))
    d.data("T2", shape(kv_heads, kv_len, v_width))
    cached = d.flag(3)
    past = d.size(1, 4) if cached else 0
    if d.flag():
        mask_kind = d.type("U", only=[kind, BOOL])
        lead = d.pick([[], [1, 1], [batch, 1], [batch, heads]])
        if mask_kind == BOOL:
            mask = d.choices.rng().random([*lead, q_len, past + kv_len]) < 0.8
            if mask.shape[-1]:
                mask[..., 0] = True  # what a row of nothing gives is not said
            d.given(mask)
        else:
            d.data("U", [*lead, q_len, past + kv_len])
    elif cached:
        d.skip()
    if cached:
        d.data("T1", [batch, kv_heads, past, width])
        d.data("T2", [batch, kv_heads, past, v_width])
    d.maybe("is_causal", lambda: d.between(0, 1))
    if d.flag():
        d.attribute("scale", d.real(0.1, 1))
    d.maybe("softcap", lambda: d.real(0.5, 4))
    mode = d.maybe("qk_matmul_output_mode", lambda: d.between(0, 3))
    d.wanted = [True, *([True, True] if cached else [False, False]), d.flag()] if cached or mode else [True]
    while not d.wanted[-1]:
        d.wanted.pop()


@recipe("FlexAttention")
def flex_attention(d: Draw) -> None:
    batch, heads, kv_heads = d.size(1, 2), d.pick([1, 2, 4]), 1
    kv_heads = d.pick([heads, 1])
    q_len, kv_len, width = d.size(1, 5), d.size(1, 6), d.pick([1, 2, 4, 8])
    d.data("T1", [batch, heads, q_len, width])
    d.data("T1", [batch, kv_heads, kv_len, width])
    d.data("T1", [batch, kv_heads, kv_len, d.pick([4, 2])])
    if d.flag():
        d.attribute("scale", d.real(0.1, 1))


@recipe("LinearAttention")
def linear_attention(d: Draw) -> None:
    batch, length = d.size(1, 2), d.size(1, 5)
    kv_heads = d.attribute("kv_num_heads", d.between(1, 2))
    heads = d.attribute("q_num_heads", kv_heads * d.between(1, 2))
    width, v_width = d.between(1, 4), d.between(1, 4)
    rule = d.maybe("update_rule", lambda: d.pick(["linear", "gated", "delta", "gated_delta"]))
    d.data("T", [batch, length, heads * width], -1, 1)
    d.data("T", [batch, length, kv_heads * width], -1, 1)
    d.data("T", [batch, length, kv_heads * v_width], -1, 1)
    if d.flag():
        d.data("S", [batch, kv_heads, width, v_width], -1, 1)
    else:
        d.type("S", only=[d.type("T")])
        d.skip()
    if "gated" in rule:
        d.data("T", [batch, length, kv_heads * (width if d.flag() else 1)], -1, 0)
    else:
        d.skip()
    if "delta" in rule:
        d.data("T", [batch, length, kv_heads if d.flag() else 1], 0, 1)
    d.maybe("scale", lambda: d.real(0.1, 1))
    d.wanted = [True, True]


@recipe("CausalConvWithState")
def causal_conv(d: Draw) -> None:
    batch, channels, length, kernel = d.size(1, 2), d.size(1, 5), d.size(1, 7), d.between(1, 4)
    d.data("T", [batch, channels, length])
    d.data("T", [channels, 1, kernel])
    form = d.between(0, 2)
    if form:
        d.data("T", [channels])
    if form == 2 and kernel > 1:
        d.data("T", [batch, channels, kernel - 1])
    d.maybe("activation", lambda: d.pick(["none", "silu", "swish"]))
    d.wanted = [True, True]


@recipe("RotaryEmbedding")
def rotary(d: Draw) -> None:
    batch, heads, length, half = d.size(1, 2), d.between(1, 3), d.size(1, 5), d.between(1, 4)
    flat = d.flag()
    extra = 2 * d.between(0, 1)
    size = 2 * half + extra
    if flat:
        d.attribute("num_heads", heads)
    if extra:
        d.attribute("rotary_embedding_dim", 2 * half)
    d.data("T", [batch, length, heads * size] if flat else [batch, heads, length, size])
    ids = d.flag()
    cache = [9, half] if ids else [batch, length, half]
    d.data("T", cache, -1, 1)
    d.data("T", cache, -1, 1)
    if ids:
        d.given(d.choices.rng().integers(0, 9, (batch, length)))
    d.maybe("interleaved", lambda: d.between(0, 1))


@recipe("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def loss(d: Draw) -> None:
    classes = d.between(1, 5)
    shape = [d.size(1, 4), *(d.size(1, 3) for _ in range(d.between(0, 2)))]
    labels = d.choices.rng().integers(0, classes, shape)
    ignored = d.flag(3)
    if ignored:
        d.attribute("ignore_index", d.pick([0, -1, 7]))
        if d.attributes["ignore_index"] not in range(classes):
            labels = np.where(d.choices.rng().random(shape) < 0.3, d.attributes["ignore_index"], labels)
    d.data("T", [shape[0], classes, *shape[1:]])
    d.given(labels, type="Tind")
    if d.flag():
        d.data("T", (classes,), 0.5, 2)
    d.maybe("reduction", lambda: d.pick(["none", "sum", "mean"]))
    if d.operator == "SoftmaxCrossEntropyLoss":
        d.outputs(2)


__all__ = ["FLOAT", "dtype"]
