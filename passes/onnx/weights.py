"""The weight store as passes on the onnx level change it."""

from __future__ import annotations

import itertools

import numpy as np
from xdsl.dialects.builtin import StringAttr, TensorType

from ...dialects.onnx.base import WeightAttr
from ...dialects.onnx.tensor import ConstantOp
from ...dialects.onnx.types import BY_NUMPY


class Weights:
    """Adds arrays to a program's weights and makes the constants that name them."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays
        self._serial = itertools.count()

    def constant(self, array: np.ndarray, like: str = "folded") -> ConstantOp:
        """A Constant operation for a new array; the caller inserts it and infers its shape."""
        id = next(name for n in self._serial if (name := f"{like}.{n}") not in self.arrays)
        self.arrays[id] = array
        type = TensorType(BY_NUMPY[array.dtype].ir, list(array.shape))
        return ConstantOp.build(operands=[], result_types=[type], properties={"value": WeightAttr(StringAttr(id))})
