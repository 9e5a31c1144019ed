"""Einsum by pairs of operands, each a matrix product where that is what it is; determinants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...dialects.kernel import Array, Out, cast, kernel
from ...dialects.onnx.dims import broadcast, product
from ...dialects.onnx.matmul import DetOp, EinsumOp
from .builder import Lowering, Tensor, element_type
from .contraction import ACCUMULATORS, matmul
from .registry import lower

Labels = tuple[str, ...]


@lower(EinsumOp)
def einsum(b: Lowering, op: EinsumOp, inputs: list[Tensor]) -> Tensor:
    """Operands are multiplied from left to right; a label is summed over as soon as nothing further on has it."""
    equation = op.parsed([x.rank for x in inputs])
    terms = list(zip(inputs, equation.inputs, strict=True))
    x, labels = terms[0]
    x, labels = _fold(b, [(x, labels)], _needed(labels, terms[1:], equation.output))
    for n, (y, others) in enumerate(terms[1:], 1):
        later = terms[n + 1 :]
        y, others = _fold(b, [(y, others)], _needed(others, [(x, labels), *later], equation.output))
        kept = _needed((*labels, *others), later, equation.output)
        x, labels = _pair(b, (x, labels), (y, others), kept)
    x, _ = _fold(b, [(x, labels)], equation.output)
    return b.reshape(x, b.shapes.of(op.output))


def _needed(labels: Labels, others: Sequence[tuple[Tensor, Labels]], output: Labels) -> Labels:
    """The labels that the output or another operand still asks for, each once, in order."""
    wanted = {*output, *(label for _, more in others for label in more)}
    return tuple(label for label in dict.fromkeys(labels) if label in wanted)


def _read(x: Tensor, labels: Labels, at: dict[str, Any]) -> Any:
    return x.at([at[label] for label in labels])


def _fold(b: Lowering, terms: Sequence[tuple[Tensor, Labels]], kept: Labels) -> tuple[Tensor, Labels]:
    """The product of the terms' elements at equal labels, summed over all but `kept`, laid out in that order."""
    (x, labels), *_ = terms
    if len(terms) == 1 and labels == kept:
        return x, labels
    summed = tuple(dict.fromkeys(label for _, more in terms for label in more if label not in kept))
    type = ACCUMULATORS.get(x.type.name, x.type) if summed else x.type

    def term(i: Sequence[Any], r: Sequence[Any]) -> Any:
        at = dict(zip((*kept, *summed), (*i, *r), strict=True))
        value: Any = None
        for t, more in terms:
            element = b.s.cast(_read(t, more, at), type)
            value = element if value is None else value * element
        return value

    shape, over = tuple(_size(terms, label) for label in kept), tuple(_size(terms, label) for label in summed)
    if not summed:
        return b.compute(shape, type, lambda *i: term(i, ())), kept
    total = b.reduce(shape, over, type, term, lambda a, v: a + v, 0)
    return b.cast(total, x.type), kept


def _size(terms: Sequence[tuple[Tensor, Labels]], label: str) -> Any:
    size: Any = 1
    for x, labels in terms:
        for own, d in zip(labels, x.shape, strict=True):
            if own == label:
                size = broadcast(size, d) if label.isdigit() else d
    return size


def _pair(b: Lowering, left: tuple[Tensor, Labels], right: tuple[Tensor, Labels], kept: Labels) -> tuple[Tensor, Labels]:
    """The product of two operands without repeated labels, summed over the labels that are not kept."""
    (x, xs), (y, ys) = left, right
    inner = tuple(label for label in xs if label in ys and label not in kept)
    batch = tuple(label for label in kept if label in xs and label in ys)
    rows = tuple(label for label in kept if label not in ys)
    columns = tuple(label for label in kept if label not in xs)
    uneven = any(_size([left], label) != _size([right], label) for label in inner)
    alone = set(xs) | set(ys) != {*batch, *rows, *columns, *inner}
    if not (rows and columns and inner) or uneven or alone or x.type.name not in ACCUMULATORS:
        return _fold(b, [left, right], kept)
    x, _ = _fold(b, [left], (*batch, *rows, *inner))
    y, _ = _fold(b, [right], (*batch, *inner, *columns))
    lead, depth = len(batch), product(x.shape[len(batch) + len(rows) :])
    row_shape, column_shape = x.shape[lead : lead + len(rows)], y.shape[lead + len(inner) :]
    flat_x = b.reshape(x, (*x.shape[:lead], product(row_shape), depth))
    flat_y = b.reshape(y, (*y.shape[:lead], depth, product(column_shape)))
    result = matmul(b, flat_x, flat_y)
    return b.reshape(result, (*result.shape[:lead], *row_shape, *column_shape)), (*batch, *rows, *columns)


@kernel
def determinant(x: Array, y: Out, work: Out):
    """Elimination with the largest pivot of each column; `work` holds one matrix, in the computing type."""
    n = work.shape[0]
    for m in range(y.size):
        for i in range(n * n):
            work.flat[i] = cast(x.flat[m * n * n + i], work)
        result = cast(1, work)
        for column in range(n):
            pivot = column
            for row in range(column + 1, n):
                if abs(work[row, column]) > abs(work[pivot, column]):
                    pivot = row
            if pivot != column:
                result = -result
                for k in range(n):
                    work[pivot, k], work[column, k] = work[column, k], work[pivot, k]
            result *= work[column, column]
            if work[column, column] != 0:
                for row in range(column + 1, n):
                    factor = work[row, column] / work[column, column]
                    for k in range(column, n):
                        work[row, k] = work[row, k] - factor * work[column, k]
        y.flat[m] = cast(result, y)


@lower(DetOp)
def det(b: Lowering, op: DetOp, x: Tensor) -> Tensor:
    wide = ACCUMULATORS[x.type.name]
    size = (x.shape[-1], x.shape[-1])
    return b.kernel(determinant, {"x": x, "y": (b.shapes.of(op.y), element_type(op.y)), "work": (size, wide)})[0]
