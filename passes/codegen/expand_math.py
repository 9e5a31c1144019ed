"""Replaces transcendental math operations by our own polynomials in arith; the codegen pipeline calls it before the loop level leaves
for LLVM, so that every target computes the same numbers and no artifact needs a libm.

What LLVM computes natively stays: fma, sqrt, copysign, absf, floor, ceil, trunc, round, roundeven.
"""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override
from xdsl.context import Context
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import BFloat16Type, Float16Type, ModuleOp, VectorType, f32
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.ir import Attribute, Block, Operation
from xdsl.passes import ModulePass
from xdsl.traits import IsolatedFromAbove

from .polynomials import exponential, logarithm, power, trigonometry
from .polynomials.builder import Constants, FloatBuilder, Real

EXPANSIONS: dict[type[Operation], Callable[..., Real]] = {
    math.ExpOp: exponential.exp,
    math.Exp2Op: exponential.exp2,
    math.ExpM1Op: exponential.expm1,
    math.SinhOp: exponential.sinh,
    math.CoshOp: exponential.cosh,
    math.TanhOp: exponential.tanh,
    math.ErfOp: exponential.erf,
    math.LogOp: logarithm.log,
    math.Log2Op: logarithm.log2,
    math.Log10Op: logarithm.log10,
    math.Log1pOp: logarithm.log1p,
    math.AsinhOp: logarithm.asinh,
    math.AcoshOp: logarithm.acosh,
    math.AtanhOp: logarithm.atanh,
    math.SinOp: trigonometry.sin,
    math.CosOp: trigonometry.cos,
    math.TanOp: trigonometry.tan,
    math.AsinOp: trigonometry.asin,
    math.AcosOp: trigonometry.acos,
    math.AtanOp: trigonometry.atan,
    math.Atan2Op: trigonometry.atan2,
    math.PowFOp: power.powf,
    math.CbrtOp: power.cbrt,
    math.RsqrtOp: power.rsqrt,
}
"""What builds each operation's value from those of its operands."""


class ExpandMath(ModulePass):
    """Expands the operations of `EXPANSIONS` everywhere in a module."""

    name = "expand-math"

    @override
    def apply(self, ctx: Context, op: ModuleOp) -> None:
        expand_math(op)


def expand_math(root: Operation) -> bool:
    """Expands every operation of `EXPANSIONS` inside `root`; whether there was any.

    Operands are f16, bf16, f32, f64 or vectors of one of them; the short floats compute in f32. Constants gather at the top of the
    function. Results differ from the exact values by at most 2.5 units in the last place, 3 for erf and 3.5 for tan, where they are
    normal numbers or subnormal ones; sin, cos and tan only up to |x| = 2^22 (f32) or 2^51 (f64), beyond which they mean nothing.
    With fastmath<afn>, exp is `exp_of_negative`, with fastmath<ninf,afn> it is `exp_to_add`. Other fast-math flags go: they would undo
    what keeps the error small.
    Raises UnsupportedError (ITG3004) for another element type.
    """
    found = [op for op in root.walk() if type(op) in EXPANSIONS]
    constants: dict[Block, Constants] = {}
    for op in found:
        top = _entry(op)
        _expand(op, constants.setdefault(top, Constants(top)))
    return bool(found)


def _expand(op: Operation, constants: Constants) -> None:
    t = op.results[0].type
    computed = _computed(t)
    b = FloatBuilder(computed, op, constants)
    operands = list(op.operands)
    if computed != t:
        operands = [b.emit(arith.ExtFOp, [operand], computed) for operand in operands]
    result = _expansion(op)(b, *(Real(b, operand) for operand in operands)).ssa
    if computed != t:
        result = b.emit(arith.TruncFOp, [result], t)
    result.name_hint = op.results[0].name_hint
    block = op.parent
    assert block is not None
    block.insert_ops_before(b.ops, op)
    op.results[0].replace_all_uses_with(result)
    block.erase_op(op)


def _expansion(op: Operation) -> Callable[..., Real]:
    """What builds the operation's value; exponentials are of three kinds."""
    fastmath = op.properties.get("fastmath")
    flags = fastmath.data if isinstance(op, math.ExpOp) and isinstance(fastmath, arith.FastMathFlagsAttr) else ()
    if FastMathFlag.APPROX_FUNC not in flags:
        return EXPANSIONS[type(op)]
    return exponential.exp_to_add if FastMathFlag.NO_INFS in flags else exponential.exp_of_negative


def _computed(t: Attribute) -> Attribute:
    """The type that values of type `t` are computed in."""
    if isinstance(t, VectorType):
        return VectorType(_computed(t.element_type), t.shape, t.scalable_dims)
    return f32 if isinstance(t, Float16Type | BFloat16Type) else t


def _entry(op: Operation) -> Block:
    """The first block of the function around `op`, which dominates it."""
    block = op.parent
    while block is not None and (region := block.parent) is not None:
        owner = region.parent
        if owner is None or owner.has_trait(IsolatedFromAbove) or owner.parent is None:
            return region.blocks.first or block
        block = owner.parent
    assert block is not None
    return block
