"""Activation functions: what each computes on one scalar."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

from ...dialects.onnx import activation as ops
from ...dialects.onnx.base import OnnxOp
from ..scalar import DOUBLE, Scalar, ScalarBuilder
from .elementwise import scalar


@scalar(ops.ReluOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return s.max(x, 0)


@scalar(ops.LeakyReluOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return s.select(x >= 0, x, x * op.attr("alpha"))


@scalar(ops.PReluOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar, slope: Scalar) -> Scalar:
    return s.select(x >= 0, x, x * slope)


@scalar(ops.ThresholdedReluOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return s.select(x > op.attr("alpha"), x, 0.0)


@scalar(ops.EluOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return s.select(x >= 0, x, op.attr("alpha") * s.expm1(x))


@scalar(ops.SeluOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    gamma = op.attr("gamma")
    return s.select(x > 0, gamma * x, gamma * op.attr("alpha") * s.expm1(x))


@scalar(ops.CeluOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    alpha = op.attr("alpha")
    return s.max(x, 0.0) + s.min(alpha * s.expm1(x / alpha), 0.0)


@scalar(ops.GeluOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return gelu_tanh(s, x) if op.attr("approximate") == "tanh" else gelu(s, x)


TAIL = (
    -0.69314718, -0.79788572, -0.31829658, -0.036393713, 0.0049043461, -0.00010111172, -0.00012653127, 2.67696e-05, -1.9214126e-06
)  # fmt: skip
"""log of the normal distribution's tail beyond a, as a polynomial in a >= 0: off by so little that the tail is by 2^-27 at most. It falls
everywhere, and beyond FAR the tail is no normal number any more."""
FAR = 13.0


def gelu(s: ScalarBuilder, x: Scalar) -> Scalar:
    """x times the normal distribution function of x: max(x, 0) less |x| times the tail beyond |x|, which takes half the work that erf does.
    In double precision by erf."""
    if x.type is DOUBLE:
        return 0.5 * x * (1.0 + s.erf(x * sqrt(0.5)))
    a = s.min(s.abs(x), FAR)
    power: Any = TAIL[-1]
    for coefficient in TAIL[-2::-1]:
        power = a * power + coefficient
    return s.max(x, 0.0) - a * s.weight(power)


def gelu_tanh(s: ScalarBuilder, x: Scalar) -> Scalar:
    """The approximation of `gelu` by tanh: (1 + tanh u) / 2 is the sigmoid of 2 u."""
    return x * s.sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x * x * x))


@scalar(ops.SigmoidOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return s.sigmoid(x)


@scalar(ops.HardSigmoidOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return _unit(s, op.attr("alpha") * x + op.attr("beta"))


@scalar(ops.HardSwishOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return x * _unit(s, x * (1 / 6) + 0.5)


def _unit(s: ScalarBuilder, x: Scalar) -> Scalar:
    """x limited to 0..1."""
    return s.max(s.min(x, 1.0), 0.0)


@scalar(ops.SwishOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return x * s.sigmoid(x * op.attr("alpha"))


@scalar(ops.MishOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    """tanh(log(1 + w)) with w = e^x is w (w + 2) / (w (w + 2) + 2), which is 1 to the last bit from x = 20 on."""
    w = s.exp(s.min(x, 20.0))
    n = w * (w + 2.0)
    return x * (n / (n + 2.0))


@scalar(ops.SoftplusOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return softplus(s, x)


def softplus(s: ScalarBuilder, x: Scalar) -> Scalar:
    """log(1 + e^x) without overflow."""
    return s.max(x, 0.0) + s.log1p(s.exp(-s.abs(x)))


@scalar(ops.SoftsignOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return x / (1.0 + s.abs(x))


@scalar(ops.TanhOp)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    return s.tanh(x)


@scalar(ops.ShrinkOp, widen=True)
def _(s: ScalarBuilder, op: OnnxOp, x: Scalar) -> Scalar:
    """The parameters are fractions, so integers are computed in double and cut off at the end."""
    y = x if x.type.is_float else s.cast(x, DOUBLE)
    bias, lambd = op.attr("bias"), op.attr("lambd")
    return s.select(y < -lambd, y + bias, s.select(y > lambd, y - bias, 0.0))
