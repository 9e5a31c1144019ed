"""Reading linalg-level IR: dimensions of values, maps of generics, what an operation costs; for this folder and codegen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

from xdsl.dialects import arith, func, math, tensor
from xdsl.dialects.builtin import DYNAMIC_INDEX, IntegerAttr, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorType
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from ...dialects import dispatch

Size: TypeAlias = "int | SSAValue"

_EXPENSIVE = (
    math.ExpOp, math.Exp2Op, math.ExpM1Op, math.LogOp, math.Log1pOp, math.Log2Op, math.Log10Op, math.SinOp, math.CosOp, math.TanOp,
    math.AsinOp, math.AcosOp, math.AtanOp, math.Atan2Op, math.SinhOp, math.CoshOp, math.TanhOp, math.AsinhOp, math.AcoshOp, math.AtanhOp,
    math.ErfOp, math.PowFOp, math.CbrtOp, tensor.ExtractOp, arith.DivfOp, math.SqrtOp,
)  # fmt: skip


def dims_of(value: SSAValue) -> tuple[Size, ...]:
    """The dimensions of a tensor value: ints where static, the index value that says so elsewhere."""
    shape = cast(TensorType, value.type).get_shape()
    if DYNAMIC_INDEX not in shape:
        return tuple(shape)
    owner = value.owner
    if isinstance(owner, linalg.GenericOp | linalg.FillOp):
        return dims_of(owner.outputs[cast("int", getattr(value, "index", 0))])
    if isinstance(owner, tensor.EmptyOp):
        return _fill_in(shape, list(owner.dynamic_sizes))
    if isinstance(owner, dispatch.TieShapeOp | dispatch.ReshapeOp | dispatch.SlabOp | dispatch.JoinOp | dispatch.AppendOp):
        return _fill_in(shape, list(owner.dims))
    if isinstance(owner, dispatch.InsertOp):
        return dims_of(owner.target)
    if isinstance(owner, dispatch.DecodeImageOp):
        return _fill_in(shape, [owner.height, owner.width])
    if isinstance(owner, dispatch.ContractOp):
        return _fill_in(shape, list(owner.result_dims))
    if isinstance(owner, dispatch.CallOp):
        given = list(owner.result_dims)
        for out in owner.outs:
            count = dispatch.dynamic_count([out.type])
            if out is value:
                return _fill_in(shape, given[:count])
            given = given[count:]
    raise ValueError(f"the dimensions of a result of {owner.name if isinstance(owner, Operation) else 'a block argument'} are not tied")


def logical_dims(op: dispatch.ContractOp) -> tuple[Size, ...]:
    """The dimensions that a contraction's loops run over, wherever its result lies: see `ContractOp.shape`."""
    if op.shape is None:
        return dims_of(op.result)
    open_sizes = iter(op.sizes)
    return tuple(next(open_sizes) if d == -1 else d for d in op.shape.get_values())


def _fill_in(shape: tuple[int, ...], dynamic: list[SSAValue]) -> tuple[Size, ...]:
    given = iter(dynamic)
    return tuple(next(given) if d == DYNAMIC_INDEX else d for d in shape)


def maps_of(op: linalg.GenericOp) -> list[AffineMap]:
    return [m.data for m in op.indexing_maps.data]


def is_parallel(op: linalg.GenericOp) -> bool:
    return all(t.data == IteratorType.PARALLEL for t in op.iterator_types.data)


def reduction_dims(op: linalg.GenericOp) -> list[int]:
    return [k for k, t in enumerate(op.iterator_types.data) if t.data == IteratorType.REDUCTION]


def extents_of(op: linalg.GenericOp) -> tuple[Size, ...]:
    """How often each loop of a generic runs, from operands indexed by that loop alone."""
    maps = maps_of(op)
    count = len(op.inputs)
    found = extents_from(list(zip(op.inputs, maps, strict=False)), list(zip(op.outputs, maps[count:], strict=True)))
    return tuple(found[k] for k in range(len(op.iterator_types.data)))


def extents_from(inputs: Sequence[tuple[SSAValue, AffineMap]], outputs: Sequence[tuple[SSAValue, AffineMap]]) -> dict[int, Size]:
    """The loops' extents that operands and their maps tell.

    An output says how long its loops run; for reduced loops an empty tensor among the inputs, which stands there for nothing
    else, then any input: these may be longer than the loop where one reads a part of them.
    """
    found: dict[int, Size] = {}
    pins = [pair for pair in inputs if isinstance(pair[0].owner, tensor.EmptyOp)]
    for value, map in (*outputs, *pins, *inputs):
        sizes: tuple[Size, ...] | None = None
        for axis, e in enumerate(map.results):
            if isinstance(e, AffineDimExpr) and e.position not in found:
                sizes = dims_of(value) if sizes is None else sizes
                found[e.position] = sizes[axis]
    return found


def is_identity(map: AffineMap) -> bool:
    return len(map.results) == map.num_dims and all(isinstance(e, AffineDimExpr) and e.position == k for k, e in enumerate(map.results))


def is_cheap(op: linalg.GenericOp) -> bool:
    """Whether recomputing an element costs less than storing and loading it."""
    ops = list(op.body.block.ops)
    return len(ops) <= 6 and not any(isinstance(o, _EXPENSIVE) for o in ops)


def constant_index(value: SSAValue) -> int | None:
    """The value of an index constant, else None."""
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return None


def substitute_dims(expr: AffineExpr, replacements: list[AffineExpr]) -> AffineExpr:
    return expr.replace_dims_and_symbols(replacements, [])


def expr_is_constant(expr: AffineExpr) -> bool:
    return isinstance(expr, AffineConstantExpr)


def is_host_argument(value: SSAValue) -> bool:
    return isinstance(value, BlockArgument) and isinstance(value.block.parent_op(), func.FuncOp)


def linear_terms(expr: AffineExpr) -> list[tuple[int | None, int]]:
    """An affine expression as (loop or None for the constant, coefficient) terms. Raises ValueError on division or modulo."""
    if isinstance(expr, AffineDimExpr):
        return [(expr.position, 1)]
    if isinstance(expr, AffineConstantExpr):
        return [(None, expr.value)] if expr.value else []
    if isinstance(expr, AffineBinaryOpExpr):
        if expr.kind == AffineBinaryOpKind.Add:
            return [*linear_terms(expr.lhs), *linear_terms(expr.rhs)]
        if expr.kind == AffineBinaryOpKind.Mul and isinstance(expr.rhs, AffineConstantExpr):
            return [(d, c * expr.rhs.value) for d, c in linear_terms(expr.lhs)]
        if expr.kind == AffineBinaryOpKind.Mul and isinstance(expr.lhs, AffineConstantExpr):
            return [(d, c * expr.lhs.value) for d, c in linear_terms(expr.rhs)]
    raise ValueError(f"not a linear index: {expr}")
