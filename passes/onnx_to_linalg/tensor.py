"""Where tensors come from and what their elements are: ranges, filled tensors, and conversions of element types."""

from __future__ import annotations

from typing import Any

from ...dialects.kernel import Array, Out, ceil, check, f64, kernel
from ...dialects.onnx import tensor as ops
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.dims import Dim, SymDim
from ...dialects.onnx.types import BY_NUMBER, ElementType
from ..narrow import encode, is_narrow_float
from ..scalar import BOOL, FLOAT, INDEX, INT64, STRING, storage
from .builder import Lowering, Tensor, element_type
from .guards import require_not_zero, require_sizes
from .registry import lower
from .text_numbers import number_of, text_of


@lower(ops.IdentityOp)
def identity(b: Lowering, op: ops.IdentityOp, x: Any) -> Any:
    return x


# -- element types


@lower(ops.CastOp, ops.CastLikeOp)
def cast(b: Lowering, op: OnnxOp, x: Tensor, *_: Tensor) -> Tensor:
    type = element_type(op.results[0])
    if STRING in (type, x.type):
        x = converted(b, x, FLOAT if is_narrow_float(type) else type)
    if not is_narrow_float(type) or x.type == type:
        return b.cast(x, type)
    saturate, mode = op.attr("saturate") != 0, op.attr("round_mode")
    return b.compute(x.shape, type, lambda *i: encode(b.s, b.s.cast(x[i], FLOAT), type, saturate=saturate, round_mode=mode))


def converted(b: Lowering, x: Tensor, type: ElementType) -> Tensor:
    """The tensor in another type, with strings as numbers and numbers as strings where one of the two is."""
    if x.type == type:
        return x
    if type is STRING:
        return text_of(b, x)
    return number_of(b, x, type) if x.type is STRING else b.cast(x, type)


@lower(ops.BitCastOp)
def bit_cast(b: Lowering, op: ops.BitCastOp, x: Tensor) -> Tensor:
    type = element_type(op.y)
    if storage(x.type) == storage(type):
        return b.retype(x, type)
    if BOOL in (x.type, type):
        return b.cast(x, type)
    return b.compute(x.shape, type, lambda *i: b.s.bitcast(x[i], type))


# -- filled tensors


@lower(ops.ConstantOfShapeOp)
def constant_of_shape(b: Lowering, op: ops.ConstantOfShapeOp, _: Tensor) -> Tensor:
    type, filler = element_type(op.output), op.filler(b.shapes).reshape(-1)[0].item()
    shape = b.shapes.of(op.output)
    require_sizes(b, shape, "a dimension")
    return b.compute(shape, type, lambda *i: b.s.const(filler, type))


@lower(ops.EyeLikeOp)
def eye_like(b: Lowering, op: ops.EyeLikeOp, x: Tensor) -> Tensor:
    type, k = element_type(op.y), op.attr("k")
    return b.compute(x.shape, type, lambda i, j: b.s.select((j - i).equals(k), b.s.const(1, type), b.s.const(0, type)))


@lower(ops.OneHotOp)
def one_hot(b: Lowering, op: ops.OneHotOp, indices: Tensor, _: Tensor, values: Tensor) -> Tensor:
    shape = b.shapes.of(op.output)
    axis = op.attr("axis") % len(shape)
    require_sizes(b, (shape[axis],), "depth")

    def element(*i: Any) -> Any:
        at = b.s.cast(b.s.cast(indices[i[:axis] + i[axis + 1 :]], INT64), INDEX)
        at = b.s.select(at < 0, at + b.index(shape[axis]), at)
        return b.s.select(at.equals(i[axis]), values[1], values[0])

    return b.compute(shape, values.type, element)


# -- ranges


@kernel
def count_steps(start: Array, limit: Array, delta: Array, count: Out):
    """How many numbers there are from start on, before limit."""
    count[0] = 0
    step = f64(delta.flat[0])
    steps = (f64(limit.flat[0]) - f64(start.flat[0])) / step
    finite = steps - steps == 0.0
    check(finite and steps < 1e15, "ITG5004", "delta is 0, or there are too many numbers up to limit")
    if finite and steps > 0.0 and steps < 1e15:
        count[0] = int(ceil(steps))


@lower(ops.RangeOp)
def range_(b: Lowering, op: ops.RangeOp, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    (size,) = b.shapes.of(op.output)
    type = element_type(op.output)
    if is_own_size(b, op.output, size):
        (count,) = b.kernel(count_steps, {"start": start, "limit": limit, "delta": delta, "count": ((1,), INT64)})
        b.define_result_dim(op.output, 0, b.host_scalar(count).value)
    elif not type.is_float:
        require_not_zero(b, b.shapes.elements(op.delta)[0], "delta")
    wide = type
    if type.name in ("float16", "bfloat16"):
        wide = BY_NUMBER.get(op.attr("stash_type"), FLOAT)

    def element(i: Any) -> Any:
        first, step = b.s.cast(start.scalar(), wide), b.s.cast(delta.scalar(), wide)
        return b.s.cast(first + b.s.cast(b.s.operand(i, INDEX), wide) * step, type)

    return b.compute((size,), type, element)


def is_own_size(b: Lowering, result: Any, d: Dim) -> bool:
    """Whether a dimension of a result is one that its operator must define by `define_result_dim`."""
    source = b.shapes.sources.get(str(d)) if isinstance(d, SymDim) else None
    return source is not None and source.kind == "result" and source.value is result
