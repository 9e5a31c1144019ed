"""What the kernels of recurrent layers share: activations with their parameters, clipping, and the lengths of sequences."""

from __future__ import annotations

from collections.abc import Sequence

from .language import cast, exp, log1p, tanh
from .parse import inline

_PARAMETERS = {
    "affine": (1.0, 0.0),
    "elu": (1.0, None),
    "hardsigmoid": (0.2, 0.5),
    "leakyrelu": (0.01, None),
    "scaledtanh": (1.0, 1.0),
    "thresholdedrelu": (1.0, None),
}
"""Default alpha and beta of the activations that have them; None: has none."""


def functions_of(names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]) -> tuple[tuple[str, float, float], ...]:
    """(name, alpha, beta) of each activation; the lists of alphas and betas are used up by those that have such a parameter."""
    first, second = list(alphas), list(betas)
    functions = []
    for name in (name.lower() for name in names):
        alpha, beta = _PARAMETERS.get(name, (None, None))
        if alpha is not None and first:
            alpha = first.pop(0)
        if beta is not None and second:
            beta = second.pop(0)
        functions.append((name, alpha or 0.0, beta or 0.0))
    return tuple(functions)


@inline
def activated(x, function):
    """The activation `function`: its name in small letters, alpha, beta."""
    name, alpha, beta = function[0], function[1], function[2]
    if name == "sigmoid":
        return 1.0 / (1.0 + exp(-x))
    elif name == "tanh":
        return tanh(x)
    elif name == "relu":
        return max(x, 0.0)
    elif name == "affine":
        return x * alpha + beta
    elif name == "leakyrelu":
        return x if x >= 0.0 else x * alpha
    elif name == "thresholdedrelu":
        return x if x > alpha else cast(0, x)
    elif name == "scaledtanh":
        return tanh(x * beta) * alpha
    elif name == "hardsigmoid":
        return min(max(x * alpha + beta, 0.0), 1.0)
    elif name == "elu":
        return x if x >= 0.0 else (exp(x) - 1.0) * alpha
    elif name == "softsign":
        return x / (abs(x) + 1.0)
    else:
        return max(x, 0.0) + log1p(exp(-abs(x)))


@inline
def clipped(x, bound):
    """x within -bound and bound; anywhere where the bound is 0."""
    return min(max(x, -bound), bound) if bound > 0.0 else x


@inline
def length_of(lengths, n, steps):
    """The number of steps of sequence n."""
    if lengths is None:
        return steps
    else:
        return min(max(int(lengths[n]), 0), steps)
