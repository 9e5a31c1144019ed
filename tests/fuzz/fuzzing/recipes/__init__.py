"""What a schema cannot say of an operator's valid inputs: shapes that go together, ranges of attributes and of indices."""

from . import (  # noqa: F401 - each registers its operators
    control,
    convolution,
    elementwise,
    image,
    indexing,
    matmul,
    ml,
    moving,
    neural,
    quantization,
    reduction,
    sequences,
    signal,
    text,
    training,
)
from .registry import RECIPES

__all__ = ["RECIPES"]
