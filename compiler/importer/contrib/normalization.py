"""Normalisations of rows and groups, alone and with what ONNX Runtime fuses before them: residuals, biases, embeddings."""

from __future__ import annotations

from ....dialects.custom import decomposition
from ..values import Graph, Value
from .common import DOMAIN, FLOATS, SHORT_FLOATS
from .fused import channels_first, channels_last


@decomposition(
    DOMAIN,
    outputs=["output", "mean", "inv_std_var", "input_skip_bias_sum"],
    types={"input skip gamma beta bias": SHORT_FLOATS},
)
def SkipLayerNormalization(
    g: Graph, input: Value, skip: Value, gamma: Value, beta: Value | None = None, bias: Value | None = None, *, epsilon: float = 1e-12
) -> tuple[Value | None, ...]:
    """LayerNormalization of input + skip + bias over the last axis; skip may lack the batch."""
    total = _sum(input, skip, bias)
    wide = [None if x is None else x.cast("float") for x in (gamma, beta)]
    y, mean, inverse = g.op("LayerNormalization", total, *wide, epsilon=epsilon, outputs=3)
    return y.cast(input.type), mean, inverse, total.cast(input.type)


@decomposition(DOMAIN, outputs=["output", "mean", "inv_std_var", "input_skip_bias_sum"], types={"input skip gamma bias": SHORT_FLOATS})
def SkipSimplifiedLayerNormalization(
    g: Graph, input: Value, skip: Value, gamma: Value, bias: Value | None = None, *, epsilon: float = 1e-12
) -> tuple[Value | None, ...]:
    """RMSNormalization of input + skip + bias over the last axis."""
    if g.wants("mean"):
        raise g.unsupported("its output mean, which nothing computes")
    total = _sum(input, skip, bias)
    y, inverse = _rms(g, total, gamma.cast("float"), -1, epsilon)
    return y.cast(input.type), None, inverse, total.cast(input.type)


def _sum(x: Value, skip: Value, bias: Value | None) -> Value:
    """In float32, whatever the type: one rounding instead of three."""
    total = x.cast("float") + skip.cast("float")
    return total if bias is None else total + bias.cast("float")


def _rms(g: Graph, x: Value, scale: Value, axis: int, epsilon: float) -> tuple[Value, Value]:
    """x / sqrt(mean x^2 + epsilon) scale over the axes from `axis` on, and the factor of x."""
    axes = list(range(axis % x.rank, x.rank))
    inverse = g.Reciprocal(g.Sqrt(g.ReduceMean(x * x, axes) + epsilon))
    return x * inverse * scale, inverse


def _simplified(
    g: Graph, X: Value, scale: Value, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> tuple[Value, Value | None]:
    """RMSNormalization over the axes from `axis` on; Y has the type of the scale."""
    if stash_type != 1:
        raise g.unsupported(f"stash_type {stash_type}")
    if not g.wants("inv_std_var"):
        return g.RMSNormalization(X, scale, axis=axis, epsilon=epsilon, stash_type=1), None
    y, inverse = _rms(g, X.cast("float"), scale.cast("float"), axis, epsilon)
    return y.cast(scale.type), inverse


# ONNX Runtime defines it in ONNX's own domain, where exporters find it; some write the other one.
_DECLARED = {"name": "SimplifiedLayerNormalization", "outputs": ["Y", "inv_std_var"], "types": {"X": FLOATS, "scale": FLOATS}}
SimplifiedLayerNormalization = decomposition("", **_DECLARED)(_simplified)
SimplifiedLayerNormalizationOfMicrosoft = decomposition(DOMAIN, **_DECLARED)(_simplified)


@decomposition(
    DOMAIN,
    outputs=["output", "mask_index", "embedding_sum"],
    types={
        "input_ids segment_ids mask position_ids": ["int32"],
        "word_embedding position_embedding segment_embedding gamma beta": ["float", "float16"],
    },
)
def EmbedLayerNormalization(
    g: Graph,
    input_ids: Value,
    segment_ids: Value | None,
    word_embedding: Value,
    position_embedding: Value,
    segment_embedding: Value | None,
    gamma: Value,
    beta: Value,
    mask: Value | None = None,
    position_ids: Value | None = None,
    *,
    epsilon: float = 1e-12,
    mask_index_type: int | None = None,
) -> tuple[Value | None, ...]:
    """LayerNormalization of the sum of word, position and segment embeddings; the mask index counts the ones of each row."""
    total = g.Gather(word_embedding.of_rank(2), input_ids.of_rank(2), axis=0).cast("float")
    if position_ids is None:
        total = total + position_embedding.slice(0, 0, input_ids.dim(1)).cast("float")
    else:
        total = total + g.Gather(position_embedding, position_ids, axis=0).cast("float")
    if segment_ids is not None and segment_embedding is not None:
        total = total + g.Gather(segment_embedding, segment_ids, axis=0).cast("float")
    y = g.LayerNormalization(total, gamma.cast("float"), beta.cast("float"), epsilon=epsilon)
    return y.cast(gamma.type), _mask_index(g, input_ids, mask), total.cast(gamma.type)


def _mask_index(g: Graph, ids: Value, mask: Value | None) -> Value | None:
    if not g.wants("mask_index"):
        return None
    if mask is None:
        return g.constant(0, "int32").expand(ids.dim(0))
    return g.ReduceSum(g.Equal(mask, mask.like(1)).cast("int32"), [1], keepdims=0)


@decomposition(DOMAIN, types={"X": ["float", "float16"], "gamma beta": ["float", "float16"]})
def GroupNorm(
    g: Graph, X: Value, gamma: Value, beta: Value, *, activation: int, groups: int, channels_last: int = 1, epsilon: float = 1e-5
) -> Value:
    """GroupNormalization of an image whose channels are last, or first, then SiLU where activation is 1."""
    if activation not in (0, 1):
        raise g.unsupported(f"activation {activation}")
    x = channels_first(X.of_rank(4)) if channels_last else X
    y = g.GroupNormalization(x.cast("float"), gamma.cast("float"), beta.cast("float"), num_groups=groups, epsilon=epsilon)
    y = y * g.Sigmoid(y) if activation else y
    return (_last(y) if channels_last else y).cast(X.type)


_last = channels_last
