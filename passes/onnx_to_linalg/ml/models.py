"""Linear models and support vector machines: products with the weights, votes between pairs of classes, coupled probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....dialects.kernel import Array, Out, Size, cast, kernel
from ....dialects.onnx.ml.models import LinearClassifierOp, LinearRegressorOp, SVMClassifierOp, SVMRegressorOp
from ....dialects.onnx.types import ElementType
from ...scalar import FLOAT, INT64, Scalar
from ..builder import Lowering, Tensor
from ..contraction import matmul
from ..registry import lower
from .scoring import beside_its_negative, best_label, class_labels, label_where, matrix, only_label, transformed

MULTIPLIED_DEGREE = 16
"""Polynomial kernels up to this degree multiply; that also keeps the sign of negative bases."""


def _affine(b: Lowering, x: Tensor, weights: np.ndarray, offsets: np.ndarray) -> Tensor:
    """x (n, f) times weights (f, c), plus offsets (c,)."""
    product = matmul(b, x, b.constant(np.ascontiguousarray(weights, x.type.numpy), x.type))
    shift = b.constant(np.asarray(offsets, x.type.numpy), x.type)
    return b.compute(product.shape, x.type, lambda i, j: product[i, j] + shift[j])


def _offsets(given: Any, count: int, op: Any, name: str) -> np.ndarray:
    """One offset a score; none given are zeros."""
    if not given:
        return np.zeros(count)
    if len(given) != count:
        raise op.fail("ITG2208", f"there are {len(given)} {name} for {count} scores")
    return np.asarray(given)


@lower(LinearRegressorOp)
def linear_regressor(b: Lowering, op: LinearRegressorOp, x: Tensor) -> Tensor:
    targets = op.attr("targets")
    weights = np.asarray(op.attr("coefficients") or ()).reshape(targets, -1)
    scores = _affine(b, matrix(b, x, weights.shape[1]), weights.T, _offsets(op.attr("intercepts"), targets, op, "intercepts"))
    return transformed(b, scores, op.attr("post_transform"))


@lower(LinearClassifierOp)
def linear_classifier(b: Lowering, op: LinearClassifierOp, x: Tensor) -> tuple[Tensor, Tensor]:
    labels, how = class_labels(b, op, "classlabels_ints"), op.attr("post_transform")
    classes = b.shapes.of(op.z)[1]
    intercepts, given = op.attr("intercepts"), np.asarray(op.attr("coefficients"))
    rows = given.size // x.shape[-1] if isinstance(x.shape[-1], int) else len(intercepts) if intercepts else len(labels)
    weights = given.reshape(rows, -1)
    scores = _affine(b, matrix(b, x, weights.shape[1]), weights.T, _offsets(intercepts, rows, op, "intercepts"))
    if rows == 1 and classes == 2:
        scores = beside_its_negative(b, scores)
    final = transformed(b, scores, how)
    if classes == 1:
        least = 0.0 if how == "NONE" else 0.5
        return label_where(b, final.shape[0], lambda i: final[i, 0] >= least, labels.values[0], 0, labels.type), final
    return best_label(b, scores, labels), final


# -- support vector machines -------------------------------------------------------------------------------------------------


def _kernel_matrix(b: Lowering, op: SVMRegressorOp | SVMClassifierOp, x: Tensor, vectors: np.ndarray) -> Tensor:
    """The kernel function of each row of x (n, f) and each support vector (v, f): (n, v)."""
    kind = op.attr("kernel_type")
    gamma, offset, degree = (*(op.attr("kernel_params") or ()), 0.0, 0.0, 0.0)[:3]
    if kind == "RBF":
        return _distances(b, x, vectors, lambda d: b.s.exp(d * -gamma))
    dots = matmul(b, x, b.constant(np.ascontiguousarray(vectors.T, x.type.numpy), x.type))
    if kind == "LINEAR":
        return dots

    def element(*i: Any) -> Scalar:
        inner = dots[i] * gamma + offset
        return b.s.tanh(inner) if kind == "SIGMOID" else _power(b, inner, int(degree))

    return b.compute(dots.shape, x.type, element)


def _distances(b: Lowering, x: Tensor, vectors: np.ndarray, after: Callable[[Scalar], Scalar]) -> Tensor:
    """`after` of the squared distance of each row of x and each vector."""
    table = b.constant(np.ascontiguousarray(vectors, x.type.numpy), x.type)
    count, features = vectors.shape

    def square(i: tuple[Any, ...], r: tuple[Any, ...]) -> Scalar:
        apart = x[i[0], r[0]] - table[i[1], r[0]]
        return apart * apart

    squares = b.reduce((x.shape[0], count), (features,), x.type, square, lambda a, v: a + v, 0)
    return b.compute(squares.shape, x.type, lambda *i: after(squares[i]))


def _power(b: Lowering, base: Scalar, degree: int) -> Scalar:
    if not 0 <= degree <= MULTIPLIED_DEGREE:
        return b.s.pow(base, b.s.const(float(degree), base.type))
    result = b.s.const(1.0, base.type)
    for _ in range(degree):
        result = result * base
    return result


@lower(SVMRegressorOp)
def svm_regressor(b: Lowering, op: SVMRegressorOp, x: Tensor) -> Tensor:
    supports, weights, rho = op.attr("n_supports"), np.asarray(op.attr("coefficients") or ()), np.asarray(op.attr("rho") or (0.0,))
    if supports > 0:
        vectors = np.asarray(op.attr("support_vectors") or ()).reshape(supports, -1)
        values = _kernel_matrix(b, op, matrix(b, x, vectors.shape[1]), vectors)
    else:
        values = matrix(b, x, weights.size)
    scores = _affine(b, values, weights.reshape(-1, 1), rho[:1])
    if op.attr("one_class"):
        return b.compute(scores.shape, FLOAT, lambda *i: b.s.select(scores[i] > 0, b.s.const(1.0, FLOAT), -1.0))
    return transformed(b, scores, op.attr("post_transform"))


@lower(SVMClassifierOp)
def svm_classifier(b: Lowering, op: SVMClassifierOp, x: Tensor) -> tuple[Tensor, Tensor]:
    labels = class_labels(b, op, "classlabels_ints")
    weights, rho = np.asarray(op.attr("coefficients") or ()), np.asarray(op.attr("rho") or (0.0,))
    if sum(op.attr("vectors_per_class") or ()) == 0:
        return _linear_svm(b, op, x, weights.reshape(len(labels), -1), rho)
    scores = _pair_scores(b, op, x, weights, rho, len(labels))
    votes = _votes(b, scores, len(labels))
    if op.attr("prob_a"):
        final = transformed(b, _coupled(b, op, scores, len(labels)), op.attr("post_transform"))
    else:
        final = _final_scores(b, op, scores)
    return best_label(b, votes, labels), final


def _final_scores(b: Lowering, op: SVMClassifierOp, scores: Tensor) -> Tensor:
    """One score is a pair of opposite ones."""
    both = beside_its_negative(b, scores) if scores.shape[1] == 1 else scores
    return transformed(b, both, op.attr("post_transform"))


def _linear_svm(b: Lowering, op: SVMClassifierOp, x: Tensor, weights: np.ndarray, rho: np.ndarray) -> tuple[Tensor, Tensor]:
    """No support vectors: one row of coefficients a class."""
    labels = class_labels(b, op, "classlabels_ints")
    scores = _affine(b, matrix(b, x, weights.shape[1]), weights.T, np.full(len(labels), rho[0]))
    final = transformed(b, scores, op.attr("post_transform")) if len(labels) > 1 else _final_scores(b, op, scores)
    if len(labels) == 1:
        return only_label(b, scores.shape[0], lambda i: scores[i, 0] > 0, labels), final
    return best_label(b, scores, labels), final


def _pair_scores(b: Lowering, op: SVMClassifierOp, x: Tensor, weights: np.ndarray, rho: np.ndarray, classes: int) -> Tensor:
    """The decision between each pair of classes i < j: (n, pairs); above 0 it is i's."""
    counts = np.asarray(op.attr("vectors_per_class"))
    total, starts = int(counts.sum()), np.concatenate([[0], np.cumsum(counts)])
    vectors = np.asarray(op.attr("support_vectors") or ()).reshape(total, -1)
    dual = weights.reshape(-1, total)
    columns = []
    for i in range(classes):
        for j in range(i + 1, classes):
            column = np.zeros(total)
            of_i, of_j = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
            column[of_i], column[of_j] = dual[j - 1, of_i], dual[i, of_j]
            columns.append(column)
    values = _kernel_matrix(b, op, matrix(b, x, vectors.shape[1]), vectors)
    return _affine(b, values, np.stack(columns, axis=1), rho[: len(columns)])


def _pairs(classes: int) -> np.ndarray:
    return np.array([(i, j) for i in range(classes) for j in range(i + 1, classes)], np.int64)


def _votes(b: Lowering, scores: Tensor, classes: int) -> Tensor:
    """How many decisions each class wins: (n, classes)."""
    pairs = b.constant(_pairs(classes), INT64)
    count = scores.shape[1]

    def won(i: tuple[Any, ...], r: tuple[Any, ...]) -> Scalar:
        winner = b.s.select(scores[i[0], r[0]] > 0, pairs[r[0], 0], pairs[r[0], 1])
        return b.s.select(winner.equals(b.s.cast(i[1], INT64)), b.s.const(1, INT64), 0)

    return b.reduce((scores.shape[0], classes), (count,), INT64, won, lambda a, v: a + v, 0)


def _coupled(b: Lowering, op: SVMClassifierOp, scores: Tensor, classes: int) -> Tensor:
    """Class probabilities (n, classes) from Platt's probabilities of the pairs."""
    type: ElementType = scores.type
    slope, shift = (b.constant(np.asarray(op.attr(name), type.numpy), type) for name in ("prob_a", "prob_b"))

    def chance(i: Any, e: Any) -> Scalar:
        p = 1.0 - b.s.sigmoid(scores[i, e] * slope[e] + shift[e])
        return b.s.min(b.s.max(p, 1e-7), 1 - 1e-7)

    chances = b.compute(scores.shape, type, chance)
    rows = scores.shape[0]
    arrays = {"chances": chances, "y": ((rows, classes), type), "q": ((classes, classes), type), "qp": ((classes,), type)}
    return b.kernel(couple, arrays, sizes=[max(100, classes)])[0]


@kernel
def couple(chances: Array, y: Out, q: Out, qp: Out, rounds: Size):
    """Probabilities of classes from those of pairs (i wins against j), by the second method of Wu, Lin and Weng, "Probability
    estimates for multi-class classification by pairwise coupling", JMLR 5 (2004), algorithm 2."""
    k = y.shape[1]
    for row in range(y.shape[0]):
        for i in range(k):
            y[row, i] = cast(1, y) / cast(k, y)
            for j in range(k):
                q[i, j] = 0
        pair = 0
        for i in range(k):
            for j in range(i + 1, k):
                p = chances[row, pair]
                pair += 1
                q[i, i] += (1 - p) * (1 - p)
                q[j, j] += p * p
                q[i, j] = -p * (1 - p)
                q[j, i] = -p * (1 - p)
        limit = cast(0.005, y) / cast(k, y)
        for _ in range(rounds):
            whole = cast(0, y)
            for i in range(k):
                total = cast(0, y)
                for j in range(k):
                    total += q[i, j] * y[row, j]
                qp[i] = total
                whole += total * y[row, i]
            worst = cast(0, y)
            for i in range(k):
                worst = max(worst, abs(qp[i] - whole))
            if worst < limit:
                break
            for i in range(k):
                step = (whole - qp[i]) / q[i, i]
                y[row, i] += step
                whole = (whole + step * (step * q[i, i] + 2 * qp[i])) / ((1 + step) * (1 + step))
                for j in range(k):
                    qp[j] = (qp[j] + step * q[i, j]) / (1 + step)
                    y[row, j] /= 1 + step
