"""Elementwise operators: what each computes on one scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...dialects.onnx import elementwise as ops
from ...dialects.onnx.base import OnnxOp
from .builder import Lowering, Tensor, element_type
from .registry import lower


def broadcasting(*classes: type[OnnxOp]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers `function(b.s, op, *scalars) -> Scalar` as the lowering of elementwise operators with broadcasting."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        def lowering(b: Lowering, op: OnnxOp, *operands: Any) -> Tensor:
            flat = [t for o in operands for t in (o if isinstance(o, list) else [o])]
            (result,) = op.results
            return b.compute(b.shapes.of(result), element_type(result), lambda *i: function(b.s, op, *(t.at(i) for t in flat)))

        lower(*classes)(lowering)
        return function

    return register


@broadcasting(ops.AddOp)
def _(s: Any, op: OnnxOp, x: Any, y: Any) -> Any:
    return x + y
