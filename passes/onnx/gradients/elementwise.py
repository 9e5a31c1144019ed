"""Derivatives of arithmetic and of functions of one element, broadcasting undone by sums; those of choices go where the choice went."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any, TypeVar

from ....dialects.onnx import elementwise as ops
from ....dialects.onnx import logical, tensor
from ....dialects.onnx.base import OnnxOp
from .builder import Gradients, Term, is_float
from .registry import constant, gradient

_F = TypeVar("_F", bound=Callable[..., Term])


def slope(*classes: type[OnnxOp]) -> Callable[[_F], _F]:
    """Registers the derivative of functions of one element: function(g, op, x, y) for y = f(x)."""

    def register(function: _F) -> _F:
        def rule(g: Gradients, op: OnnxOp, dy: Term) -> Any:
            return (dy * function(g, op, g.term(op.operands[0]), g.term(op.results[0])),)

        gradient(*classes)(rule)
        return function

    return register


# -- arithmetic


@gradient(ops.AddOp)
def _(g: Gradients, op: ops.AddOp, dy: Term) -> Any:
    return [g.sum_to(dy, x) for x in g.terms(op.a, op.b)]


@gradient(ops.SubOp)
def _(g: Gradients, op: ops.SubOp, dy: Term) -> Any:
    a, b = g.terms(op.a, op.b)
    return g.sum_to(dy, a), g.sum_to(-dy, b)


@gradient(ops.MulOp)
def _(g: Gradients, op: ops.MulOp, dy: Term) -> Any:
    a, b = g.terms(op.a, op.b)
    return g.sum_to(dy * b, a), g.sum_to(dy * a, b)


@gradient(ops.DivOp)
def _(g: Gradients, op: ops.DivOp, dy: Term) -> Any:
    a, b, quotient = g.terms(op.a, op.b, op.c)
    return g.sum_to(dy / b, a), g.sum_to(-dy * quotient / b, b)


@gradient(ops.ModOp)
def _(g: Gradients, op: ops.ModOp, dy: Term) -> Any:
    """a mod b is a less a whole number of b, which is constant but where it jumps."""
    a, b, rest = g.terms(op.a, op.b, op.c)
    return g.sum_to(dy, a), g.sum_to(dy * (rest - a) / b, b)


@gradient(ops.PowOp)
def _(g: Gradients, op: ops.PowOp, dy: Term) -> Any:
    """Where the exponent is 0 the power is 1, whatever the base; with a base of 0 or less the exponent has no derivative."""
    x, y, z = g.terms(op.x, op.y, op.z)
    exponent = g.cast_like(y, x)
    lowered = g.call(ops.PowOp, x, g.cast_like(exponent - 1, y))
    grown = g.sum_to(g.where(exponent.equals(0), 0, dy * exponent * lowered), x)
    if not is_float(op.y):
        return (grown,)
    positive = x > 0
    log = g.log(g.where(positive, x, 1))
    return grown, g.cast_like(g.sum_to(dy * z * log, y), y)


@gradient(ops.SumOp)
def _(g: Gradients, op: ops.SumOp, dy: Term) -> Any:
    return ([g.sum_to(dy, x) for x in g.terms(*op.inputs)],)


@gradient(ops.MeanOp)
def _(g: Gradients, op: ops.MeanOp, dy: Term) -> Any:
    share = dy / len(op.inputs)
    return ([g.sum_to(share, x) for x in g.terms(*op.inputs)],)


@gradient(ops.MaxOp, ops.MinOp)
def _(g: Gradients, op: ops.MaxOp, dy: Term) -> Any:
    """Operands that are equally extreme share the gradient."""
    inputs = g.terms(*op.inputs)
    extreme = g.term(op.output)
    chosen = [g.cast_like(x.equals(extreme), dy) for x in inputs]
    share = dy / g.call(ops.SumOp, chosen)
    return ([g.sum_to(share * c, x) for c, x in zip(chosen, inputs, strict=True)],)


@gradient(ops.ClipOp)
def _(g: Gradients, op: ops.ClipOp, dy: Term) -> Any:
    """A bound takes what is clipped at it, the upper one first, as the operator has it."""
    x, low, high = g.terms(op.x, op.low, op.high)
    to_low = to_high = None
    if high is not None:
        above = (x if low is None else g.call(ops.MaxOp, [x, low])) > high
        to_high = g.sum_to(g.only(above, dy), high)
        dy = g.where(above, 0, dy)
    if low is not None:
        below = x < low
        to_low = g.sum_to(g.only(below, dy), low)
        dy = g.where(below, 0, dy)
    return dy, to_low, to_high


@gradient(logical.WhereOp)
def _(g: Gradients, op: logical.WhereOp, dy: Term) -> Any:
    condition, x, y = g.terms(op.condition, op.x, op.y)
    return None, g.sum_to(g.only(condition, dy), x), g.sum_to(g.where(condition, 0, dy), y)


# -- functions of one element


@gradient(ops.NegOp)
def _(g: Gradients, op: ops.NegOp, dy: Term) -> Any:
    return (-dy,)


@slope(ops.AbsOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return g.sign(x)


@slope(ops.ReciprocalOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return -(y * y)


@slope(ops.SqrtOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return 0.5 / y


@slope(ops.ExpOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return y


@slope(ops.LogOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return g.call(ops.ReciprocalOp, x)


@slope(ops.ErfOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return g.exp(-(x * x)) * (2 / pi**0.5)


@slope(ops.SinOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return g.call(ops.CosOp, x)


@slope(ops.CosOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return -g.call(ops.SinOp, x)


@slope(ops.TanOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return y * y + 1


@slope(ops.AsinOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return 1 / g.sqrt(1 - x * x)


@slope(ops.AcosOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return -1 / g.sqrt(1 - x * x)


@slope(ops.AtanOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return 1 / (x * x + 1)


@slope(ops.SinhOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return g.call(ops.CoshOp, x)


@slope(ops.CoshOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return g.call(ops.SinhOp, x)


@slope(ops.AsinhOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return 1 / g.sqrt(x * x + 1)


@slope(ops.AcoshOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return 1 / g.sqrt(x * x - 1)


@slope(ops.AtanhOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return 1 / (1 - x * x)


constant(ops.SignOp, ops.CeilOp, ops.FloorOp, ops.RoundOp)


# -- copies and conversions


@gradient(tensor.IdentityOp)
def _(g: Gradients, op: tensor.IdentityOp, dy: Term) -> Any:
    return (dy,)


@gradient(tensor.CastOp, tensor.CastLikeOp)
def _(g: Gradients, op: tensor.CastOp, dy: Term) -> Any:
    return (g.cast_like(dy, g.term(op.x)),)


constant(tensor.ConstantOfShapeOp, tensor.EyeLikeOp)
