"""Normalisations by statistics of a batch, an instance, a layer, a group or a neighbourhood, and Dropout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.onnx import normalization as ops
from ...dialects.onnx.dims import floordiv, product
from ...dialects.onnx.types import ElementType
from ..scalar import BOOL, DOUBLE, FLOAT, Scalar
from .builder import Lowering, Tensor, element_type
from .elementwise import check_plain, wide
from .random import position, seed_of, uniform
from .reduction import SUM, fold, moments, size_scalar
from .registry import lower

UNROLLED_WINDOW = 16
"""LRN windows of up to this many channels (5 is usual) are written out, so that the loop over pixels stays innermost."""


def _computed(*types: ElementType) -> ElementType:
    """The type to compute in for operands of several float types."""
    return DOUBLE if DOUBLE in types else FLOAT


def _inverse_deviation(b: Lowering, variance: Tensor, epsilon: float, type: ElementType) -> Tensor:
    return b.compute(variance.shape, type, lambda *i: 1.0 / b.s.sqrt(b.s.cast(variance[i], type) + epsilon))


# -- batch -------------------------------------------------------------------------------------------------------------------


@lower(ops.BatchNormalizationOp)
def batch_normalization(
    b: Lowering, op: ops.BatchNormalizationOp, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> tuple[Tensor | None, ...]:
    type = _computed(x.type, scale.type, mean.type)
    if not op.attr("training_mode"):
        return _by_channel(b, op, x, scale, bias, mean, variance, type), None, None
    axes = [k for k in range(x.rank) if k != 1]
    batch_mean, batch_variance = (b.reshape(t, mean.shape) for t in moments(b, x, axes, type))
    y = _by_channel(b, op, x, scale, bias, batch_mean, batch_variance, type)
    return y, _running(b, op, mean, batch_mean), _running(b, op, variance, batch_variance)


def _by_channel(
    b: Lowering, op: ops.BatchNormalizationOp, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, type: ElementType
) -> Tensor:
    inverse = _inverse_deviation(b, variance, op.attr("epsilon"), type)
    factor = b.compute(inverse.shape, type, lambda c: b.s.cast(scale[c], type) * inverse[c])

    def element(*i: Any) -> Scalar:
        c = i[1] if x.rank > 1 else 0
        y = (b.s.cast(x[i], type) - b.s.cast(mean[c], type)) * factor[c] + b.s.cast(bias[c], type)
        return b.s.cast(y, x.type)

    return b.compute(x.shape, x.type, element, doc="BatchNormalization")


def _running(b: Lowering, op: ops.BatchNormalizationOp, old: Tensor, new: Tensor) -> Tensor:
    """The running statistic moved towards the batch's."""
    momentum = op.attr("momentum")

    def element(c: Any) -> Scalar:
        return b.s.cast(b.s.cast(old[c], new.type) * momentum + new[c] * (1 - momentum), old.type)

    return b.compute(old.shape, old.type, element)


# -- instance, group ---------------------------------------------------------------------------------------------------------


@lower(ops.InstanceNormalizationOp)
def instance_normalization(b: Lowering, op: ops.InstanceNormalizationOp, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """The spatial axes become one, so that an instance's channel is one row."""
    flat = b.reshape(x, (*x.shape[:2], product(x.shape[2:])))
    y = _standardised(b, flat, (2,), op.attr("epsilon"), x.type, lambda z, n, c, i: z * scale_at(b, scale, c) + scale_at(b, bias, c))
    return b.reshape(y, x.shape)


def scale_at(b: Lowering, x: Tensor, *i: Any) -> Scalar:
    """A parameter's element in the type that its element type is computed in."""
    return b.s.cast(x[i], wide(x.type))


@lower(ops.GroupNormalizationOp)
def group_normalization(b: Lowering, op: ops.GroupNormalizationOp, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Groups become an axis of their own: a row is the channels of one group with all their pixels."""
    groups = op.attr("num_groups")
    channels = floordiv(x.shape[1], groups)
    split = b.reshape(x, (x.shape[0], groups, channels, product(x.shape[2:])))
    by_group, shift = (b.reshape(t, (groups, channels)) for t in (scale, bias))

    def element(z: Scalar, n: Any, g: Any, c: Any, i: Any) -> Scalar:
        return z * scale_at(b, by_group, g, c) + scale_at(b, shift, g, c)

    return b.reshape(_standardised(b, split, (2, 3), op.attr("epsilon"), x.type, element), x.shape)


def _standardised(b: Lowering, x: Tensor, axes: Sequence[int], epsilon: float, to: ElementType, after: Callable[..., Scalar]) -> Tensor:
    """after(z, *indices) of the elements moved and scaled to mean 0 and variance 1 over the axes."""
    type = wide(x.type)
    mean, variance = moments(b, x, axes, type)
    inverse = _inverse_deviation(b, variance, epsilon, type)

    def element(*i: Any) -> Scalar:
        return b.s.cast(after((b.s.cast(x[i], type) - mean.at(i)) * inverse.at(i), *i), to)

    return b.compute(x.shape, to, element)


# -- layer -------------------------------------------------------------------------------------------------------------------


@lower(ops.LayerNormalizationOp)
def layer_normalization(
    b: Lowering, op: ops.LayerNormalizationOp, x: Tensor, scale: Tensor, bias: Tensor | None
) -> tuple[Tensor | None, ...]:
    type, axes = wide(x.type), range(op.attr("axis") % x.rank, x.rank)
    mean, variance = moments(b, x, axes, type)
    inverse = _inverse_deviation(b, variance, op.attr("epsilon"), type)

    def element(*i: Any) -> Scalar:
        y = (b.s.cast(x[i], type) - mean.at(i)) * inverse.at(i) * b.s.cast(scale.at(i), type)
        return b.s.cast(y if bias is None else y + b.s.cast(bias.at(i), type), x.type)

    y = b.compute(x.shape, x.type, element, doc="LayerNormalization")
    statistics = [t if v is None else b.cast(t, element_type(v)) for t, v in ((mean, op.mean), (inverse, op.inv_std_dev))]
    return y, *statistics


@lower(ops.RMSNormalizationOp)
def rms_normalization(b: Lowering, op: ops.RMSNormalizationOp, x: Tensor, scale: Tensor) -> Tensor:
    to, axes = element_type(op.y), range(op.attr("axis") % x.rank, x.rank)
    type = _computed(x.type, scale.type)
    n = product(x.shape[a] for a in axes)

    def square(v: Scalar, *i: Any) -> Scalar:
        v = b.s.cast(v, type)
        return v * v

    squares = fold(b, x, tuple(axes), SUM, type, square)
    mean = b.compute(squares.shape, type, lambda *i: squares[i] / size_scalar(b, n, type))
    inverse = _inverse_deviation(b, mean, op.attr("epsilon"), type)

    def element(*i: Any) -> Scalar:
        return b.s.cast(b.s.cast(x[i], type) * inverse.at(i) * b.s.cast(scale.at(i), type), to)

    return b.compute(x.shape, to, element, doc="RMSNormalization")


# -- neighbourhood -----------------------------------------------------------------------------------------------------------


def _power(b: Lowering, base: Scalar, exponent: float, type: ElementType) -> Scalar:
    """base ** exponent; the three quarters that everybody takes by square roots, which are faster and no less exact."""
    if exponent != 0.75:
        return b.s.pow(base, b.s.const(exponent, type))
    root = b.s.sqrt(base)
    return root * b.s.sqrt(root)


@lower(ops.LRNOp)
def lrn(b: Lowering, op: ops.LRNOp, x: Tensor) -> Tensor:
    """On planes as rows: those of a picture are short beside vectors, and their ends take square roots one by one."""
    type, size = wide(x.type), op.attr("size")
    before, (batch, channels, *spatial) = (size - 1) // 2, x.shape
    rows = b.reshape(x, (batch, channels, product(spatial)))

    def square(i: Sequence[Any], k: Any) -> Scalar:
        """The square of the window's k-th channel, 0 beyond the ends."""
        c = i[1] + (k - before)
        inside = (c >= 0) & (c < b.index(channels))
        v = b.s.cast(rows[i[0], b.s.select(inside, c, 0), i[2]], type)
        return b.s.select(inside, v * v, 0.0)

    def window(*i: Any) -> Scalar:
        total = square(i, 0)
        for k in range(1, size):
            total = total + square(i, k)
        return total

    if size <= UNROLLED_WINDOW:
        squares = b.compute(rows.shape, type, window)
    else:
        squares = b.reduce(rows.shape, (size,), type, lambda i, r: square(i, r[0]), lambda a, v: a + v, 0.0)
    alpha, beta, bias = op.attr("alpha") / size, op.attr("beta"), op.attr("bias")

    def element(*i: Any) -> Scalar:
        return b.s.cast(b.s.cast(rows[i], type) / _power(b, squares[i] * alpha + bias, beta, type), x.type)

    return b.reshape(b.compute(rows.shape, x.type, element, doc="LRN"), x.shape)


# -- dropout -----------------------------------------------------------------------------------------------------------------


@lower(ops.DropoutOp)
def dropout(b: Lowering, op: ops.DropoutOp, data: Tensor, ratio: Tensor | None, training: Tensor | None) -> tuple[Tensor, Tensor | None]:
    known = None if training is None else training.constant
    if training is None or (known is not None and not known.any()):
        kept = None if op.mask is None else b.compute(data.shape, BOOL, lambda *i: b.s.const(True, BOOL))
        return data, kept
    check_plain(b, data.type)
    return _random_dropout(b, op, data, ratio, training)


def _random_dropout(b: Lowering, op: ops.DropoutOp, data: Tensor, ratio: Tensor | None, training: Tensor) -> tuple[Tensor, Tensor]:
    """Elements draw their chance from their position and the seed, so that mask and output agree."""
    seed = seed_of(b, op)

    def rate() -> Scalar:
        given = b.s.const(0.5, FLOAT) if ratio is None else b.s.cast(ratio.scalar(), FLOAT)
        return b.s.select(training.scalar(), given, 0.0)

    def keeps(*i: Any) -> Scalar:
        return uniform(b, seed, position(b, i, data.shape)) >= b.s.cast(rate(), DOUBLE)

    def element(*i: Any) -> Scalar:
        type = wide(data.type)
        scaled = b.s.cast(data[i], type) * b.s.cast(1.0 / (1.0 - rate()), type)
        return b.s.cast(b.s.select(mask[i], scaled, 0.0), data.type)

    mask = b.compute(data.shape, BOOL, keeps)
    return b.compute(data.shape, data.type, element, doc="Dropout"), mask
