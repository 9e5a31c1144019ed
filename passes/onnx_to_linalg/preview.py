"""The operators of ai.onnx.preview: attention whose scores and probabilities go through subgraphs."""

from __future__ import annotations

from typing import Any

from ...dialects.onnx.dims import Dim, floordiv
from ...dialects.onnx.preview import FlexAttentionOp
from ...dialects.onnx.types import BY_IR
from ..scalar import DOUBLE, FLOAT, INDEX, Scalar, ScalarBuilder
from .builder import Lowering, Tensor
from .contraction import ACCUMULATORS, matmul
from .lower import lower_block
from .reduction import softmax
from .registry import lower


@lower(FlexAttentionOp)
def flex_attention(b: Lowering, op: FlexAttentionOp, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    precision = BY_IR[op.precision()]
    for type in (q.type, precision):
        if type.name not in ACCUMULATORS:
            raise b.unsupported(f"FlexAttention on {type.name} cannot be compiled yet")
    repeats = _repeats(b, q.shape[1], k.shape[1])
    factor = _root_of_scale(b, op, q)
    keys = b.transpose(_scaled(b, k, factor), (0, 1, 3, 2))
    scores = b.cast(_product(b, _scaled(b, q, factor), keys, repeats), precision)
    probabilities = softmax(b, _modified(b, op, "score_mod", scores))
    weights = _modified(b, op, "prob_mod", probabilities)
    result = _product(b, weights, b.cast(v, precision), repeats)
    return b.reshape(b.cast(result, q.type), b.shapes.of(op.y))


def _repeats(b: Lowering, heads: Dim, shared: Dim) -> Dim:
    """How many heads of q share one of k and v."""
    repeats = floordiv(heads, shared)
    if repeats * shared != heads:
        s = ScalarBuilder(b.block)
        whole = s.wrap(b.dim(repeats * shared), INDEX).equals(s.wrap(b.dim(heads), INDEX))
        b.require(whole.value, "ITG5041", "the heads of q must be a multiple of k's")
    return repeats


def _root_of_scale(b: Lowering, op: FlexAttentionOp, q: Tensor) -> Tensor:
    """The square root of the scale in the type of q and k: each takes its half, so that neither grows."""
    scale = op.attr("scale")

    def element() -> Scalar:
        if scale is not None:
            return b.s.cast(b.s.sqrt(b.s.const(scale, FLOAT)), q.type)
        size = b.s.cast(b.s.operand(b.index(q.shape[3]), INDEX), DOUBLE)
        return b.s.cast(b.s.sqrt(b.s.cast(1.0 / b.s.sqrt(size), FLOAT)), q.type)

    return b.compute((), q.type, element)


def _scaled(b: Lowering, x: Tensor, factor: Tensor) -> Tensor:
    return b.compute(x.shape, x.type, lambda *i: x[i] * factor.scalar())


def _product(b: Lowering, x: Tensor, y: Tensor, repeats: Dim) -> Tensor:
    """x (batch, heads, l, m) times y (batch, heads / repeats, m, n)."""
    if repeats == 1:
        return matmul(b, x, y)
    batch, heads, rows, reduced = x.shape
    shared = y.shape[1]
    grouped = matmul(b, b.reshape(x, (batch, shared, repeats, rows, reduced)), b.reshape(y, (y.shape[0], shared, 1, *y.shape[2:])))
    return b.reshape(grouped, (batch, heads, rows, y.shape[3]))


def _modified(b: Lowering, op: FlexAttentionOp, name: str, x: Tensor) -> Tensor:
    """What a subgraph makes of the tensor; the tensor itself where there is none."""
    if getattr(op, name) is None:
        return x
    (argument,) = op.block(name).args
    b.values[argument] = b.reshape(x, b.shapes.of(argument))
    lower_block(b, op.block(name))
    result: Any = b.values[op.yielded(name)[0]]
    return b.reshape(result, x.shape)
