"""Products of matrices, of every kind."""

from __future__ import annotations

import numpy as np

from ..draw import Draw
from ..schemas import FLOAT, FLOATS, INT8, UINT8
from .registry import recipe


def _sides(d: Draw, *, vectors: bool = True) -> tuple[list[int], list[int]]:
    """Two shapes whose product MatMul makes."""
    m, k, n = d.size(1, 17), d.size(1, 33), d.size(1, 33)
    batch = [d.size(1, 3) for _ in range(d.between(0, 2))]
    left, right = ([size if not d.flag(4) else 1 for size in batch] for _ in range(2))
    right = right[d.between(0, len(right)) :] if d.flag(3) else right
    if vectors and d.flag(6):
        return [k], [*right, k, n]
    if vectors and d.flag(6):
        return [*left, m, k], [k]
    return [*left, m, k], [*right, k, n]


@recipe("MatMul")
def matmul(d: Draw) -> None:
    for shape in _sides(d):
        d.data("T", shape)


@recipe("Gemm")
def gemm(d: Draw) -> None:
    m, k, n = d.size(1, 17), d.size(1, 33), d.size(1, 33)
    left, right = d.maybe("transA", lambda: d.between(0, 1)), d.maybe("transB", lambda: d.between(0, 1))
    d.data("T", [k, m] if left else [m, k])
    d.data("T", [n, k] if right else [k, n])
    if not d.flag(3):
        d.data("T", d.pick([(n,), (m, n), (1, n), (m, 1), (), (1,), (1, 1)]))
    if d.type("T") in FLOATS:
        d.maybe("alpha", lambda: d.real(-2, 2))
        d.maybe("beta", lambda: d.real(-2, 2))


@recipe("MatMulInteger")
def matmul_integer(d: Draw) -> None:
    left, right = _sides(d)
    d.data("T1", left, 0, 200)
    d.data("T2", right, -100, 100)
    if d.flag():
        per_row = len(left) == 2 and d.flag()
        d.data("T1", (left[0],) if per_row else (), 0, 9)
        if d.flag():
            d.data("T2", (right[1],) if len(right) == 2 and d.flag() else (), 0, 9)


@recipe("QLinearMatMul")
def q_linear_matmul(d: Draw) -> None:
    left, right = _sides(d, vectors=False)
    kinds = [UINT8, INT8]  # of float8 the reference rounds otherwise than it says
    scale = d.type("TS", only=[FLOAT])
    for text, shape in (("T1", left), ("T2", right)):
        d.type(text, only=kinds)
        d.data(text, shape, -60, 60)
        d.given(d.pick([0.25, 0.5, 0.02]), type=scale)
        d.data(text, (), 0, 9)
    d.type("T3", only=kinds)
    d.given(d.pick([8.0, 30.0, 3.0]), type=scale)
    d.data("T3", (), 0, 9)


@recipe("Einsum")
def einsum(d: Draw) -> None:
    equation = d.pick(
        [
            *("ij,jk->ik", "bij,bjk->bik", "ij->ji", "ij->i", "ii->i", "ij->", "i,j->ij", "bhid,bhjd->bhij", "ij,ij->ij", "ij,ij->"),
            *("i,i", "ij,j", "...ij,...jk->...ik", "bij,jk,bk->bi", "iij->j", "ij,ji->ij", "a...,...b->a...b", "ijk,kl->lji", "i->i"),
        ]
    )
    d.attribute("equation", equation)
    sizes = {letter: d.size(1, 6) for letter in "ijkbhdlmn" + "a"}
    middle = [d.size(1, 3) for _ in range(d.between(0, 2))]
    for term in equation.partition("->")[0].split(","):
        shape: list[int] = []
        for part in term.replace("...", "."):
            shape.extend(middle if part == "." else [sizes[part]])
        d.data("T", shape)


@recipe("TfIdfVectorizer")
def tf_idf(d: Draw) -> None:
    d.data(d.type("T", strings=False), d.shape(1, 2, most=60), 0, 4)
    d.attribute("mode", d.pick(["TF", "IDF", "TFIDF"]))
    smallest = d.attribute("min_gram_length", d.between(1, 2))
    d.attribute("max_gram_length", max(smallest, d.between(1, 2)))
    d.attribute("max_skip_count", d.between(0, 2))
    d.attribute("pool_int64s", [0, 1, 2, 3, 1, 2, 3, 4, 0, 0])
    d.attribute("ngram_counts", [0, 4])
    d.attribute("ngram_indexes", list(np.random.default_rng(d.between(0, 9)).permutation(7)))
    d.maybe("weights", lambda: [d.real(0.5, 2) for _ in range(7)])
