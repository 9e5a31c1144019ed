"""What the models of ai.onnx.ml share: feature matrices, the transforms of scores, and labels by the best score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....dialects.onnx.base import OnnxOp
from ....dialects.onnx.types import ElementType
from ...scalar import DOUBLE, FLOAT, INDEX, INT64, STRING, Scalar, ScalarBuilder
from ..builder import Lowering, Tensor
from ..reduction import MAX, SUM, extreme_index, fold, softmax

NEARLY_ZERO = 1e-7
"""SOFTMAX_ZERO leaves scores this small as they are, so that 0 stays 0."""


def precision(x: Tensor) -> ElementType:
    """In which type features are computed with: double where they are, else float."""
    return DOUBLE if x.type is DOUBLE else FLOAT


def require_features(b: Lowering, x: Tensor, count: int, *, exactly: bool = True) -> None:
    """Ends the run with ITG5051 unless rows have that many features, or at least so many; known widths are refused at compile time."""
    width = x.shape[-1]
    if isinstance(width, int):
        if (width != count if exactly else width < count) and b.op is not None:
            raise b.op.fail("ITG2208", f"the model looks at {count} features, x has {width}")
        return
    found = ScalarBuilder(b.block).wrap(b.dim(width), INDEX)
    b.require((found.equals(count) if exactly else found >= count).value, "ITG5051", f"x must have {count} features a row")


def matrix(b: Lowering, x: Tensor, features: int) -> Tensor:
    """(n, f) or (f,), which is one row, as (n, f) in the type to compute in."""
    require_features(b, x, features)
    rows = x.shape[0] if x.rank == 2 else 1
    return b.cast(b.reshape(x, (rows, features)), precision(x))


def transformed(b: Lowering, scores: Tensor, how: str) -> Tensor:
    """Scores (n, c) after a post_transform, as float."""
    scores = b.cast(scores, FLOAT)
    if how == "SOFTMAX":
        return softmax(b, scores)
    if how == "SOFTMAX_ZERO":
        return _softmax_zero(b, scores)
    if how == "LOGISTIC":
        return b.compute(scores.shape, FLOAT, lambda *i: b.s.sigmoid(scores[i]))
    if how == "PROBIT":
        return b.compute(scores.shape, FLOAT, lambda *i: _probit(b.s, scores[i]))
    return scores


def _softmax_zero(b: Lowering, scores: Tensor) -> Tensor:
    largest = fold(b, scores, (1,), MAX, FLOAT)

    def power(*i: Any) -> Scalar:
        v, top = scores[i], largest.at(i)
        return b.s.select(b.s.abs(v) > NEARLY_ZERO, b.s.exp(v - top), v * b.s.exp(-top))

    powers = b.compute(scores.shape, FLOAT, power)
    total = fold(b, powers, (1,), SUM, FLOAT)
    return b.compute(scores.shape, FLOAT, lambda *i: b.s.select(total.at(i).equals(0), b.s.const(0.5, FLOAT), powers[i] / total.at(i)))


def _probit(s: ScalarBuilder, p: Scalar) -> Scalar:
    """The quantile of the normal distribution by Winitzki's approximation of the inverse error function."""
    x = p * 2.0 - 1.0
    rest = (1.0 - x) * (1.0 + x)
    log = s.log(rest)
    v = 2.0 / (np.pi * 0.147) + log * 0.5
    root = s.sqrt(s.sqrt(v * v - log * (1.0 / 0.147)) - v)
    signed = s.select(x < 0, -root, root)
    return s.select(rest.equals(0), s.const(0.0, FLOAT), signed * 1.41421356)


@dataclass(frozen=True)
class Labels:
    """Class labels: int64, or strings by their numbers in the pool."""

    values: tuple[int, ...]
    type: ElementType

    def __len__(self) -> int:
        return len(self.values)


def class_labels(b: Lowering, op: OnnxOp, integers: str) -> Labels:
    """The labels in `classlabels_strings` or in the attribute `integers`."""
    strings = op.attr("classlabels_strings")
    if strings:
        return Labels(tuple(map(b.texts.number, strings)), STRING)
    return Labels(tuple(op.attr(integers)), INT64)


def best_label(b: Lowering, scores: Tensor, labels: Labels) -> Tensor:
    """The label (n,) of each row's first largest score."""
    where = extreme_index(b, scores, 1, MAX)
    table = b.retype(b.constant(np.asarray(labels.values, np.int64), INT64), labels.type)
    return b.compute((scores.shape[0],), labels.type, lambda i: table[b.s.cast(where[i, 0], INDEX)])


def label_where(b: Lowering, rows: Any, condition: Any, yes: int, no: int, type: ElementType = INT64) -> Tensor:
    """The label (n,) by a condition on the row."""
    return b.compute((rows,), type, lambda i: b.s.select(condition(i), b.s.const(yes, type), no))


def only_label(b: Lowering, rows: Any, condition: Any, labels: Labels) -> Tensor:
    """The label (n,) of a model with one class: 1 or 0 by a condition on the row, its name or "" where it is a string."""
    return label_where(b, rows, condition, labels.values[0] if labels.type is STRING else 1, 0, labels.type)


def beside_its_negative(b: Lowering, score: Tensor) -> Tensor:
    """One score a row (n, 1) as two, (-s, s)."""
    return b.compute((score.shape[0], 2), score.type, lambda i, j: b.s.select(j.equals(0), -score[i, 0], score[i, 0]))
