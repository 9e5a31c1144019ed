"""Derivatives of activations; those that are short formulas of others are expanded."""

from __future__ import annotations

from math import pi
from typing import Any

from ....dialects.onnx import activation as ops
from ....dialects.onnx import attention, elementwise
from ....dialects.onnx.base import OnnxOp
from .builder import Gradients, Term
from .elementwise import slope
from .registry import expansion, gradient


@slope(ops.ReluOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return g.cast_like(x > 0, x)


@slope(ops.LeakyReluOp)
def _(g: Gradients, op: ops.LeakyReluOp, x: Term, y: Term) -> Term:
    return g.where(x < 0, g.const(op.attr("alpha"), x), 1)


@gradient(ops.PReluOp)
def _(g: Gradients, op: ops.PReluOp, dy: Term) -> Any:
    x, slopes = g.terms(op.x, op.slope)
    negative = x < 0
    return g.where(negative, dy * slopes, dy), g.sum_to(g.only(negative, dy * x), slopes)


@slope(ops.ThresholdedReluOp)
def _(g: Gradients, op: ops.ThresholdedReluOp, x: Term, y: Term) -> Term:
    return g.cast_like(x > op.attr("alpha"), x)


@slope(ops.EluOp)
def _(g: Gradients, op: ops.EluOp, x: Term, y: Term) -> Term:
    return g.where(x < 0, y + op.attr("alpha"), 1)


@slope(ops.SeluOp)
def _(g: Gradients, op: ops.SeluOp, x: Term, y: Term) -> Term:
    alpha, gamma = op.attr("alpha"), op.attr("gamma")
    return g.where(x > 0, g.const(gamma, x), y + alpha * gamma)


@slope(ops.CeluOp)
def _(g: Gradients, op: ops.CeluOp, x: Term, y: Term) -> Term:
    return g.where(x < 0, y / op.attr("alpha") + 1, 1)


@slope(ops.GeluOp)
def _(g: Gradients, op: ops.GeluOp, x: Term, y: Term) -> Term:
    """phi(x) + x phi'(x), for the normal distribution's phi or its approximation by a tanh."""
    if op.attr("approximate") == "tanh":
        root = (2 / pi) ** 0.5
        t = g.call(ops.TanhOp, (x + x * x * x * 0.044715) * root)
        return (t + 1) * 0.5 + x * (1 - t * t) * ((x * x * (3 * 0.044715) + 1) * (0.5 * root))
    share = (g.call(elementwise.ErfOp, x * 0.5**0.5) + 1) * 0.5
    return share + x * g.exp(x * x * -0.5) * (2 * pi) ** -0.5


@slope(ops.SigmoidOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return y * (1 - y)


@slope(ops.HardSigmoidOp)
def _(g: Gradients, op: ops.HardSigmoidOp, x: Term, y: Term) -> Term:
    return g.cast_like(g.both(y > 0, y < 1), x) * op.attr("alpha")


@expansion(ops.HardSwishOp)
def _(g: Gradients, op: ops.HardSwishOp) -> Any:
    x = g.term(op.x)
    return (x * g.call(ops.HardSigmoidOp, x, alpha=1 / 6, beta=0.5),)


@expansion(ops.SwishOp)
def _(g: Gradients, op: ops.SwishOp) -> Any:
    x = g.term(op.x)
    return (x * g.call(ops.SigmoidOp, x * op.attr("alpha")),)


@expansion(attention.SwiGLUOp)
def _(g: Gradients, op: attention.SwiGLUOp) -> Any:
    a, b = g.terms(op.a, op.b)
    return (a * g.call(ops.SigmoidOp, a * op.attr("alpha")) * b,)


@expansion(ops.MishOp)
def _(g: Gradients, op: ops.MishOp) -> Any:
    x = g.term(op.x)
    return (x * g.call(ops.TanhOp, g.call(ops.SoftplusOp, x)),)


@slope(ops.SoftplusOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return g.call(ops.SigmoidOp, x)


@slope(ops.SoftsignOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    beyond = g.abs(x) + 1
    return 1 / (beyond * beyond)


@slope(ops.TanhOp)
def _(g: Gradients, op: OnnxOp, x: Term, y: Term) -> Term:
    return 1 - y * y


@slope(ops.ShrinkOp)
def _(g: Gradients, op: ops.ShrinkOp, x: Term, y: Term) -> Term:
    return g.cast_like(g.abs(x) > op.attr("lambd"), x)
