"""Models of every version of every operator, by family; `CASES` holds them all once this package is imported."""

from __future__ import annotations

from . import (  # noqa: F401  # noqa: F401
    activation,
    arithmetic,
    attention,
    control,
    conv,
    image,
    indexing,
    learning,
    logical,
    loss,
    ml,
    norm,
    quantization,
    random,
    reduction,
    rnn,
    sequence,
    shaping,
    signal,
    strings,
    tensor,
)
from .model import CASES, Case, cases_of, in_a_loop

__all__ = ["CASES", "Case", "cases_of", "in_a_loop"]
