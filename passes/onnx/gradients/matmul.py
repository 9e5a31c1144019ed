"""Derivatives of matrix products, Gemm and Einsum."""

from __future__ import annotations

from typing import Any

from ....dialects.onnx import matmul as ops
from .builder import Gradients, Term
from .registry import expansion, gradient


@gradient(ops.MatMulOp)
def _(g: Gradients, op: ops.MatMulOp, dy: Term) -> Any:
    """Vectors take part as matrices of one row or column; batches that were repeated are summed."""
    a, b = g.terms(op.a, op.b)
    left = g.unsqueeze(a, 0) if a.rank == 1 else a
    right = g.unsqueeze(b, 1) if b.rank == 1 else b
    if b.rank == 1:
        dy = g.unsqueeze(dy, dy.rank)
    if a.rank == 1:
        dy = g.unsqueeze(dy, dy.rank - 1)
    da = g.sum_to(g.matmul(dy, g.swap_last(right)), left)
    db = g.sum_to(g.matmul(g.swap_last(left), dy), right)
    return g.reshape_like(da, a), g.reshape_like(db, b)


@expansion(ops.GemmOp)
def _(g: Gradients, op: ops.GemmOp) -> Any:
    a, b, c = g.terms(op.a, op.b, op.c)
    alpha, beta = op.attr("alpha"), op.attr("beta")
    y = g.matmul(g.transpose(a, 1, 0) if op.attr("transA") else a, g.transpose(b, 1, 0) if op.attr("transB") else b)
    y = y if alpha == 1 else y * alpha
    if c is None:
        return (y,)
    return (y + (c if beta == 1 else c * beta),)


@gradient(ops.EinsumOp)
def _(g: Gradients, op: ops.EinsumOp, dy: Term) -> Any:
    """The gradient of each operand is the Einsum of dy with the other operands; what only it sums over is repeated."""
    terms, output = _letters(op)
    inputs = g.terms(*op.inputs)
    grads: list[Term] = []
    for n, (x, letters) in enumerate(zip(inputs, terms, strict=True)):
        if len(set(letters)) < len(letters):
            raise g.refused(op, "an Einsum that takes a diagonal")
        others = [(t, y) for k, (t, y) in enumerate(zip(terms, inputs, strict=True)) if k != n]
        found = {*output, *(c for t, _ in others for c in t)}
        kept = "".join(c for c in letters if c in found)
        made = g.call(ops.EinsumOp, [dy, *(y for _, y in others)], equation=f"{','.join([output, *(t for t, _ in others)])}->{kept}")
        missing = [k for k, c in enumerate(letters) if c not in found]
        # A letter may stand for a size of 1 here and a larger one elsewhere.
        grads.append(g.sum_to(g.expand(g.unsqueeze(made, *missing), x) if missing else made, x))
    return (grads,)


def _letters(op: ops.EinsumOp) -> tuple[list[str], str]:
    """The letters of every operand and of the result; an ellipsis becomes letters that are free, an implied result is spelt out."""
    equation = op.attr("equation").replace(" ", "")
    left, arrow, output = equation.partition("->")
    terms = left.split(",")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in equation]
    ranks = [len(v.type.get_shape()) for v in op.inputs]  # type: ignore[union-attr]
    spans = [rank - len(t.replace("...", "")) if "..." in t else 0 for t, rank in zip(terms, ranks, strict=True)]
    names = "".join(free[: max(spans, default=0)])
    terms = [t.replace("...", names[len(names) - span :]) for t, span in zip(terms, spans, strict=True)]
    if not arrow:
        every = "".join(t for t in terms)
        output = names + "".join(sorted(c for c in set(every) if every.count(c) == 1 and c not in names))
    return terms, output.replace("...", names)
