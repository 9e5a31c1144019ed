"""Constants: arrays of the weight store, and small dense elements that the IR holds inline."""

from __future__ import annotations

import numpy as np

from ...dialects.onnx.base import WeightAttr
from ...dialects.onnx.tensor import ConstantOp
from .builder import Lowering, Tensor, element_type
from .registry import lower


@lower(ConstantOp)
def constant(b: Lowering, op: ConstantOp) -> Tensor:
    array = b.shapes.constant(op.output)
    assert array is not None, "shape inference knows every constant"
    id = op.value.id.data if isinstance(op.value, WeightAttr) else None
    return b.constant(np.asarray(array), element_type(op.output), id)
