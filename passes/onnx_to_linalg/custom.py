"""Operators that are not ONNX's and have a kernel: one lowering for them all, a call of the kernel."""

from __future__ import annotations

from typing import Any

from ...dialects.custom import KernelOp
from ...dialects.onnx.types import BY_NAME
from .builder import Lowering, Tensor
from .registry import lower


@lower(KernelOp)
def custom_kernel(b: Lowering, op: KernelOp, *operands: Tensor | None) -> tuple[Tensor, ...]:
    specs = op.specs(b.shapes)
    arrays: dict[str, Any] = dict(zip(op.INPUTS, operands, strict=True))
    arrays |= {name: (spec.shape, BY_NAME[spec.type]) for name, spec in specs.items()}
    found = dict(zip(specs, b.kernel(op.KERNEL, arrays, op.constants()), strict=True))
    return tuple(found[name] for name in op.RESULTS)
