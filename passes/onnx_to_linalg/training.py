"""The operators of ai.onnx.preview.training: one step of each optimiser, everything about one tensor in one pass over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.onnx.training import AdagradOp, AdamOp, MomentumOp, OptimizerOp
from ..scalar import DOUBLE, Scalar
from .builder import Lowering, Tensor, element_type
from .registry import lower

Step = Callable[[Scalar, Scalar, Sequence[Scalar]], Sequence[Scalar]]
"""(x, its gradient, regularised, and its state) -> (new x, and its new state)."""


def _steps(b: Lowering, op: OptimizerOp, inputs: list[Tensor], step: Step) -> list[Tensor]:
    """Applies a step to every tensor; results stand in groups, as the operands do."""
    count, pull = op.tensors, op.attr("norm_coefficient")
    made: list[tuple[Tensor, ...]] = []
    for i in range(count):
        x, gradient, *state = inputs[i::count]
        types = [element_type(r) for r in op.results[i::count]]

        def element(*at: Any, x: Tensor = x, gradient: Tensor = gradient, state: Any = state, types: Any = types) -> Sequence[Scalar]:
            here = x[at]
            slope = b.s.cast(gradient[at], here.type)
            new = step(here, slope + here * pull if pull else slope, [b.s.cast(s[at], here.type) for s in state])
            return [b.s.cast(value, type) for value, type in zip(new, types, strict=True)]

        made.append(b.compute_many(b.shapes.of(op.results[i]), types, element))
    return [group[k] for k in range(op.GROUPS_IN - 1) for group in made]


def _once(b: Lowering, element: Callable[[], Scalar]) -> Tensor:
    """A scalar of the step, worked out once and not for every element."""
    return b.compute((), DOUBLE, element)


def _like(b: Lowering, x: Tensor, like: Scalar) -> Scalar:
    """The only element of a tensor in the type of another scalar."""
    return b.s.cast(x.scalar(), like.type)


@lower(AdagradOp)
def adagrad(b: Lowering, op: AdagradOp, r: Tensor, t: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    decay, epsilon = op.attr("decay_factor"), op.attr("epsilon")
    rate = _once(b, lambda: b.s.cast(r.scalar(), DOUBLE) / (b.s.cast(t.scalar(), DOUBLE) * decay + 1.0))

    def step(x: Scalar, gradient: Scalar, state: Sequence[Scalar]) -> Sequence[Scalar]:
        squares = state[0] + gradient * gradient
        return x - _like(b, rate, x) * gradient / (b.s.sqrt(squares) + epsilon), squares

    return _steps(b, op, inputs, step)


@lower(MomentumOp)
def momentum(b: Lowering, op: MomentumOp, r: Tensor, t: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    alpha, beta, nesterov = op.attr("alpha"), op.attr("beta"), op.attr("mode") == "nesterov"

    def step(x: Scalar, gradient: Scalar, state: Sequence[Scalar]) -> Sequence[Scalar]:
        # The first step takes the gradient whole.
        share = b.s.select(t.scalar() > 0, b.s.const(beta, x.type), 1.0)
        velocity = state[0] * alpha + share * gradient
        direction = gradient + velocity * alpha if nesterov else velocity
        return x - _like(b, r, x) * direction, velocity

    return _steps(b, op, inputs, step)


@lower(AdamOp)
def adam(b: Lowering, op: AdamOp, r: Tensor, t: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    alpha, beta, epsilon, decay = op.attr("alpha"), op.attr("beta"), op.attr("epsilon"), op.attr("norm_coefficient_post")

    def corrected() -> Scalar:
        """The rate without the bias of means that began at zero."""
        plain, steps = b.s.cast(r.scalar(), DOUBLE), b.s.cast(t.scalar(), DOUBLE)
        mean = 1.0 - b.s.pow(b.s.const(alpha, DOUBLE), steps)
        square = 1.0 - b.s.pow(b.s.const(beta, DOUBLE), steps)
        return b.s.select(steps > 0.0, plain * b.s.sqrt(square) / mean, plain)

    rate = _once(b, corrected)

    def step(x: Scalar, gradient: Scalar, state: Sequence[Scalar]) -> Sequence[Scalar]:
        mean = state[0] * alpha + gradient * (1.0 - alpha)
        square = state[1] * beta + gradient * gradient * (1.0 - beta)
        moved = x - _like(b, rate, x) * mean / (b.s.sqrt(square) + epsilon)
        return moved * (1.0 - decay) if decay else moved, mean, square

    return _steps(b, op, inputs, step)
