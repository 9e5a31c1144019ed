"""Random numbers: a hash of position and seed for every element, so that the order of computing does not matter.

A node with a seed gives the same numbers at every run; one without takes a seed from the system whenever it is computed.
"""

from __future__ import annotations

import struct
from math import pi
from typing import Any, TypeAlias

from xdsl.ir import SSAValue

from ...dialects import dispatch
from ...dialects.onnx import random as ops
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.types import BY_NAME, ElementType
from ..scalar import DOUBLE, INDEX, INT64, Scalar
from .builder import Lowering, Tensor, element_type
from .contraction import ACCUMULATORS
from .registry import lower
from .trace import Index

UINT64 = BY_NAME["uint64"]


Seed: TypeAlias = "int | SSAValue"
"""Known while compiling, or an index value of the host program that every run draws anew."""


def seed_of(b: Lowering, op: OnnxOp) -> Seed:
    """The bits of the attribute seed, an integer or a float; without one, 64 bits from the system."""
    seed = op.attr("seed")
    if seed is None:
        return b.emit(dispatch.EntropyOp())
    return int.from_bytes(struct.pack("<f", seed), "little") if isinstance(seed, float) else seed


def mixed(b: Lowering, x: Scalar) -> Scalar:
    """A bijection of 64 bits in which every bit of the argument changes half of the result's bits.

    The finaliser of splitmix64: https://doi.org/10.1145/2660193.2660195
    """
    x = (x ^ b.s.shr(x, 30)) * 0xBF58476D1CE4E5B9
    x = (x ^ b.s.shr(x, 27)) * 0x94D049BB133111EB
    return x ^ b.s.shr(x, 31)


def uniform(b: Lowering, seed: Seed, position: Scalar, stream: int = 0) -> Scalar:
    """A double from 0 up to but not 1 for a position; streams of one seed are independent."""
    if isinstance(seed, int):
        start = b.s.const(_mixed(seed * 2 + stream), UINT64)
    else:
        drawn = b.s.cast(b.s.cast(Index.value(b.trace, seed), INT64), UINT64)
        start = mixed(b, drawn + _mixed(stream))
    bits = mixed(b, start + b.s.cast(b.s.cast(position, INT64), UINT64) * 0x9E3779B97F4A7C15)
    return b.s.cast(b.s.cast(b.s.shr(bits, 11), INT64), DOUBLE) * 2.0**-53


def _mixed(x: int) -> int:
    """`mixed` of a constant."""
    mask = (1 << 64) - 1
    x = (x + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & mask
    return x ^ x >> 31


def position(b: Lowering, i: tuple[Any, ...], shape: tuple[Any, ...]) -> Scalar:
    """The flat position of an element."""
    total = b.s.const(0, INDEX)
    for index, size in zip(i, shape, strict=True):
        total = total * b.s.operand(b.index(size), INDEX) + b.s.operand(index, INDEX)
    return total


def _generated(b: Lowering, op: OnnxOp, value: Any) -> Tensor:
    """`value` of the element's flat position, as an element of the result's type."""
    (result,) = op.results
    shape, type = b.shapes.of(result), element_type(result)
    return b.compute(shape, type, lambda *i: b.s.cast(value(position(b, i, shape)), type))


@lower(ops.RandomUniformOp, ops.RandomUniformLikeOp)
def random_uniform(b: Lowering, op: ops.RandomUniformOp, *operands: Tensor) -> Tensor:
    seed, low, high = seed_of(b, op), op.attr("low"), op.attr("high")
    return _generated(b, op, lambda at: uniform(b, seed, at) * (high - low) + low)


@lower(ops.RandomNormalOp, ops.RandomNormalLikeOp)
def random_normal(b: Lowering, op: ops.RandomNormalOp, *operands: Tensor) -> Tensor:
    """Box and Muller's transform of two uniform numbers."""
    seed, mean, scale = seed_of(b, op), op.attr("mean"), op.attr("scale")

    def value(at: Scalar) -> Scalar:
        # 1 - u is never 0, whose logarithm is infinite.
        radius = b.s.sqrt(b.s.log(1.0 - uniform(b, seed, at)) * -2.0)
        return radius * b.s.cos(uniform(b, seed, at, 1) * (2.0 * pi)) * scale + mean

    return _generated(b, op, value)


@lower(ops.BernoulliOp)
def bernoulli(b: Lowering, op: ops.BernoulliOp, x: Tensor) -> Tensor:
    seed, type = seed_of(b, op), element_type(op.output)

    def element(*i: Any) -> Scalar:
        drawn = uniform(b, seed, position(b, i, x.shape)) < b.s.cast(x[i], DOUBLE)
        return b.s.cast(drawn, type)

    return b.compute(x.shape, type, element)


@lower(ops.MultinomialOp)
def multinomial(b: Lowering, op: ops.MultinomialOp, x: Tensor) -> Tensor:
    """The class with the largest log-probability plus Gumbel noise: a draw without sums of probabilities."""
    seed, type, shape = seed_of(b, op), element_type(op.output), b.shapes.of(op.output)
    wide: ElementType = ACCUMULATORS[x.type.name]
    classes = x.shape[1]

    def score(i: tuple[Any, ...], c: Scalar) -> Scalar:
        at = position(b, (*i, c), (*shape, classes))
        # Half a step away from 0, whose logarithm is infinite.
        noise = b.s.log(-b.s.log(uniform(b, seed, at) + 2.0**-54))
        return b.s.cast(b.s.cast(x[(i[0], c)], wide), DOUBLE) - noise

    lead: list[tuple[Any, ...]] = []

    def candidate(i: tuple[Any, ...], r: tuple[Any, ...]) -> Scalar:
        lead[:] = [tuple(i)]
        return b.s.cast(b.s.operand(r[0], INDEX), INT64)

    def better(best: Scalar, other: Scalar) -> Scalar:
        held, tried = (score(lead[0], b.s.cast(b.s.max(c, 0), INDEX)) for c in (best, other))
        return b.s.select((best < 0) | (tried > held), other, best)

    chosen = b.reduce(shape, (classes,), INT64, candidate, better, -1, doc="draw")
    return b.compute(shape, type, lambda *i: b.s.cast(b.s.max(chosen[i], 0), type))
