"""Small integer tensors whose elements shape inference knows as expressions of sizes: `lower_op` takes them from here."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue

from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.dims import SymDim
from ...dialects.onnx.tensor import ConstantOp
from ...dialects.onnx.types import BY_IR
from ..scalar import INDEX
from .builder import Lowering, Tensor, element_type

LONGEST = 32
"""Tensors of up to this many elements become a chain of selects over them."""


def known_results(b: Lowering, op: OnnxOp) -> list[Tensor] | None:
    """The results of an operator from the sizes that they are made of, which spares reading its operands; None where they are not
    all known so. Operators with subgraphs compute theirs."""
    if op.regions or not op.results or isinstance(op, ConstantOp):
        return None
    known = [_contents(b, op, r) for r in op.results]
    return None if any(k is None for k in known) else [_tensor(b, r, k) for r, k in zip(op.results, known, strict=True) if k is not None]


def _contents(b: Lowering, op: OnnxOp, result: SSAValue) -> np.ndarray | None:
    if not isinstance(result.type, TensorType) or result.type.element_type not in BY_IR or BY_IR[result.type.element_type].is_float:
        return None
    contents = b.shapes.contents(result)
    if contents is None or contents.size > LONGEST:
        return None
    symbols = {s.name for d in contents.flat if isinstance(d, SymDim) for s in d.symbols()}
    # A result's own elements, asked for as sizes by a later operator, are what computing it tells.
    return None if any(b.shapes.sources[s].value in op.results for s in symbols if s in b.shapes.sources) else contents


def _tensor(b: Lowering, result: SSAValue, contents: np.ndarray) -> Tensor:
    type = element_type(result)
    if all(isinstance(d, int) for d in contents.flat):
        return b.constant(contents.astype(type.numpy), type)
    elements = list(contents.flat)

    def element(*i: Any) -> Any:
        scalars = [b.s.cast(b.s.operand(b.index(d), INDEX), type) for d in elements]
        found = scalars[-1]
        for k in reversed(range(len(elements) - 1)):
            found = b.s.select(i[0].equals(k), scalars[k], found)
        return found

    flat = b.compute((len(elements),) if contents.ndim else (), type, element, doc="sizes")
    return b.reshape(flat, contents.shape)
