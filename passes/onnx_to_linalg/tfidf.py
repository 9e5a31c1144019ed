"""TfIdfVectorizer: n-grams counted by a tree of the pool's, walked from every place of a row; strings are the numbers of their texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...dialects.kernel import Array, Out, kernel
from ...dialects.onnx.string import TfIdfVectorizerOp
from ..scalar import FLOAT, INT64, STRING
from .builder import Lowering, Tensor
from .registry import lower


@dataclass(frozen=True)
class Tree:
    """The n-grams as a tree, flat: node k has the children begins[k] to begins[k + 1], whose items ascend; node 0 is the root.

    items: what leads to each node; columns: where an n-gram that ends there counts, -1 where none does.
    """

    begins: np.ndarray
    items: np.ndarray
    columns: np.ndarray


def tree_of(pool: Sequence[int], starts: Sequence[int], columns: Sequence[int], lengths: range) -> Tree:
    """The tree of the n-grams of certain lengths. starts: where the n-grams of 1, 2, .. items begin in the pool."""
    nodes: list[tuple[dict[int, int], int]] = [({}, -1)]
    found = 0
    for length, (begin, end) in enumerate(zip(starts, [*starts[1:], len(pool)], strict=True), 1):
        for at in range(begin, end - length + 1, length):
            if length in lengths:
                _insert(nodes, pool[at : at + length], columns[found])
            found += 1
    return _flattened(nodes)


def _insert(nodes: list[tuple[dict[int, int], int]], gram: Sequence[int], column: int) -> None:
    node = 0
    for item in gram:
        children = nodes[node][0]
        if item not in children:
            children[item] = len(nodes)
            nodes.append(({}, -1))
        node = children[item]
    nodes[node] = nodes[node][0], column


def _flattened(nodes: list[tuple[dict[int, int], int]]) -> Tree:
    """The nodes level by level, so that the children of one stand together."""
    order, begins, items, columns = [0], [], [0], [-1]
    for node in order:  # grows as it goes
        begins.append(len(order))
        for item, child in sorted(nodes[node][0].items()):
            order.append(child)
            items.append(item)
            columns.append(nodes[child][1])
    return Tree(*(np.array(a, np.int64) for a in ([*begins, len(order)], items, columns)))


@kernel
def count_grams(x: Array, begins: Array, items: Array, columns: Array, counts: Out, least: int, most: int, skips: int):
    """How often each n-gram stands in a row, its items `skip` places apart for each skip from 1 to `skips`; single items only once."""
    for r in range(x.shape[0]):
        for c in range(counts.shape[1]):
            counts[r, c] = 0
        for skip in range(1, skips + 1):
            for start in range(x.shape[1]):
                node = 0
                at = start
                size = 1
                while at < x.shape[1] and size <= most:
                    low = int(begins[node])
                    high = int(begins[node + 1])
                    end = high
                    while low < high:
                        middle = (low + high) // 2
                        if items[middle] < x[r, at]:
                            low = middle + 1
                        else:
                            high = middle
                    if low == end or items[low] != x[r, at]:
                        break
                    if size >= least and columns[low] >= 0 and (size > 1 or skip == 1):
                        counts[r, int(columns[low])] += 1
                    node = low
                    at += skip
                    size += 1


@lower(TfIdfVectorizerOp)
def tf_idf_vectorizer(b: Lowering, op: TfIdfVectorizerOp, x: Tensor) -> Tensor:
    strings = op.attr("pool_strings")
    pool = op.attr("pool_int64s") if strings is None else [b.texts.number(s) for s in strings]
    least, most, skips = op.attr("min_gram_length"), op.attr("max_gram_length"), op.attr("max_skip_count") + 1
    starts, indexes = op.attr("ngram_counts"), op.attr("ngram_indexes")
    _check(op, starts, indexes, len(pool))
    tree = tree_of(pool, starts, indexes, range(least, most + 1))
    rows = b.reshape(x, (1, x.shape[0])) if x.rank == 1 else x
    shape = (rows.shape[0], max(indexes) + 1)
    arrays = {
        "x": b.retype(rows, INT64) if x.type is STRING else b.cast(rows, INT64),
        "begins": b.constant(tree.begins, INT64),
        "items": b.constant(tree.items, INT64),
        "columns": b.constant(tree.columns, INT64),
        "counts": (shape, INT64),
    }
    (counts,) = b.kernel(count_grams, arrays, {"least": least, "most": most, "skips": max(skips, 1)})
    return b.reshape(_weighed(b, op, counts), b.shapes.of(op.y))


def _check(op: TfIdfVectorizerOp, starts: Sequence[int], indexes: Sequence[int], size: int) -> None:
    ends = [*starts[1:], size]
    if any(not 0 <= begin <= end <= size for begin, end in zip(starts, ends, strict=True)):
        raise op.fail("ITG2171", f"ngram_counts must ascend from 0 to the {size} items of the pool, but are {list(starts)[:8]}")
    grams = sum((end - begin) // length for length, (begin, end) in enumerate(zip(starts, ends, strict=True), 1))
    if grams > len(indexes):
        raise op.fail("ITG2171", f"the pool holds {grams} n-grams, ngram_indexes has {len(indexes)}")


def _weighed(b: Lowering, op: TfIdfVectorizerOp, counts: Tensor) -> Tensor:
    """The counts (TF), whether there are any (IDF), or the counts times the weights (TFIDF).

    The weights go by column, as ONNX Runtime and the reference have it, though the specification lists them by n-gram.
    """
    mode, given = op.attr("mode"), op.attr("weights")
    if mode == "TF" or (mode == "TFIDF" and given is None):
        return b.cast(counts, FLOAT)
    row = np.ones(int(counts.shape[1]), np.float32)  # pyright: ignore[reportArgumentType] - known from the attributes
    if given is not None:
        row[: len(given)] = given[: row.size]
    weights = b.constant(row, FLOAT)
    if mode == "IDF":
        return b.compute(counts.shape, FLOAT, lambda i, j: b.s.select(counts[i, j] > 0, weights[j], b.s.const(0.0, FLOAT)))
    return b.compute(counts.shape, FLOAT, lambda i, j: b.s.cast(counts[i, j], FLOAT) * weights[j])
