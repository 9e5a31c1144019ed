"""Preparing features: selecting, scaling, imputing, normalising, one-hot encoding, joining."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....dialects.onnx.ml import features as ops
from ....dialects.onnx.types import BY_NUMPY
from ...scalar import BOOL, DOUBLE, FLOAT, INT64, STRING, Number, Scalar
from ..builder import Lowering, Tensor
from ..guards import require_elements
from ..reduction import MAX, SUM, fold
from ..registry import lower
from ..slicing import join
from .scoring import precision, require_features


def _table(b: Lowering, values: Any, dtype: Any) -> Tensor:
    """A list of the attributes as a constant vector."""
    array = np.asarray(values, dtype)
    return b.constant(array, BY_NUMPY[array.dtype])


@lower(ops.ArrayFeatureExtractorOp)
def array_feature_extractor(b: Lowering, op: ops.ArrayFeatureExtractorOp, x: Tensor, y: Tensor) -> Tensor:
    size, shape = x.shape[-1], b.shapes.of(op.z)
    require_elements(b, size, y.size, "the last axis of x")
    picks = b.reshape(y, (y.size,))

    def element(*i: Any) -> Scalar:
        where = b.s.wrapped_index(picks[i[-1]], b.index(size))
        return x[(*i[:-1], where)] if x.rank > 1 else x[where]

    return b.compute(shape, x.type, element)


@lower(ops.BinarizerOp)
def binarizer(b: Lowering, op: ops.BinarizerOp, x: Tensor) -> Tensor:
    threshold = op.attr("threshold")

    def element(*i: Any) -> Scalar:
        # A whole number meets a threshold that need not be one.
        above = (x[i] if x.type.is_float else b.s.cast(x[i], DOUBLE)) > threshold
        return b.s.select(above, b.s.const(1, x.type), 0)

    return b.compute(x.shape, x.type, element)


@lower(ops.ImputerOp)
def imputer(b: Lowering, op: ops.ImputerOp, x: Tensor) -> Tensor:
    kind = "floats" if x.type.is_float else "int64s"
    missing: Number = op.attr("replaced_value_float" if x.type.is_float else "replaced_value_int64")
    given = op.attr(f"imputed_value_{kind}")
    if not given:
        raise op.fail("ITG2203", f"imputed_value_{kind} must be given for x of {x.type.name}")
    values = _table(b, given, x.type.numpy)
    if len(given) > 1:
        require_features(b, x, len(given))

    def element(*i: Any) -> Scalar:
        here = x[i]
        found = b.s.isnan(here) if missing != missing else here.equals(missing)
        return b.s.select(found, values.at(i) if x.rank else values.scalar(), here)

    return b.compute(x.shape, x.type, element)


@lower(ops.NormalizerOp)
def normalizer(b: Lowering, op: ops.NormalizerOp, x: Tensor) -> Tensor:
    type, norm, axes = precision(x), op.attr("norm"), (x.rank - 1,)

    def size(v: Scalar, *i: Any) -> Scalar:
        v = b.s.cast(v, type)
        # The specification's largest element is no absolute value; the reference takes one, ONNX Runtime does not.
        return {"MAX": lambda: v, "L1": lambda: b.s.abs(v), "L2": lambda: v * v}[norm]()

    total = fold(b, x, axes, MAX if norm == "MAX" else SUM, type, size)

    def divisor(*i: Any) -> Scalar:
        whole = b.s.sqrt(total[i]) if norm == "L2" else total[i]
        return b.s.select(whole.equals(0), b.s.const(1.0, type), whole)

    by = b.compute(total.shape, type, divisor)
    return b.compute(x.shape, FLOAT, lambda *i: b.s.cast(b.s.cast(x[i], type) / by.at(i), FLOAT))


@lower(ops.ScalerOp)
def scaler(b: Lowering, op: ops.ScalerOp, x: Tensor) -> Tensor:
    type = precision(x)
    offset, scale = (_table(b, op.attr(name) or (default,), type.numpy) for name, default in (("offset", 0.0), ("scale", 1.0)))
    for factor in (offset, scale):
        if factor.size != 1:
            require_features(b, x, int(factor.shape[0]))  # type: ignore[arg-type]

    def element(*i: Any) -> Scalar:
        moved, by = (factor.at(i) if x.rank else factor.scalar() for factor in (offset, scale))
        return b.s.cast((b.s.cast(x[i], type) - moved) * by, FLOAT)

    return b.compute(x.shape, FLOAT, element)


@lower(ops.OneHotEncoderOp)
def one_hot_encoder(b: Lowering, op: ops.OneHotEncoderOp, x: Tensor) -> Tensor:
    if x.type is STRING:
        x, categories = b.retype(x, INT64), _table(b, b.texts.numbers(op.attr("cats_strings") or ()), np.int64)
    else:
        categories = _table(b, op.attr("cats_int64s") or (), np.int64)
    count = categories.shape[0]

    def hit(i: tuple[Any, ...], k: Any) -> Scalar:
        return b.s.cast(x[i], INT64).equals(categories[k])

    known: Tensor | None = None
    if not op.attr("zeros"):
        known = b.reduce(x.shape, (count,), BOOL, lambda i, r: hit(i, r[0]), lambda a, v: a | v, False)

    def element(*i: Any) -> Scalar:
        if known is not None:
            b.s.check(known[i[:-1]], "ITG5050")
        return b.s.select(hit(i[:-1], i[-1]), b.s.const(1.0, FLOAT), 0.0)

    return b.compute(b.shapes.of(op.y), FLOAT, element)


@lower(ops.FeatureVectorizerOp)
def feature_vectorizer(b: Lowering, op: ops.FeatureVectorizerOp, inputs: list[Tensor]) -> Tensor:
    sizes = op.attr("inputdimensions")
    rows = b.shapes.of(op.y)[0]
    parts: list[Tensor] = []
    for k, x in enumerate(inputs):
        matrix = b.reshape(x, (rows, x.shape[-1]))
        parts.append(_resized(b, matrix, matrix.shape[1] if sizes is None else sizes[k]))
    return join(b, parts, 1, b.shapes.of(op.y))


def _resized(b: Lowering, x: Tensor, width: Any) -> Tensor:
    """The columns of a matrix as float, cut or filled with zeros to a width."""
    rows, given = x.shape
    if given == width or (isinstance(given, int) and isinstance(width, int) and given > width):
        return b.compute((rows, width), FLOAT, lambda i, j: b.s.cast(x[i, j], FLOAT))
    if given == 0:
        return b.compute((rows, width), FLOAT, lambda i, j: b.s.const(0.0, FLOAT))

    def element(i: Any, j: Any) -> Scalar:
        inside = j < b.index(given)
        filled = b.s.select(inside, j.to_scalar(), 0)
        return b.s.select(inside, b.s.cast(x[i, filled], FLOAT), 0.0)

    if not isinstance(given, int):
        require_elements(b, given, width, "a row of features")
    return b.compute((rows, width), FLOAT, element)
