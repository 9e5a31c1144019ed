"""The guard dialect: what a run must meet to go on. The importer leaves it where a model has branches in which nothing fits."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.dialects.builtin import IntegerAttr, StringAttr, i64
from xdsl.ir import Dialect, SSAValue
from xdsl.irdl import operand_def

from .onnx.base import OnnxOp, int_attr, operator, str_attr, tensor
from .onnx.dims import Shape
from .onnx.shapes import Shapes
from .onnx.types import BOOL


@operator(since=1)
class RequireOp(OnnxOp):
    """Ends the run with this error unless the scalar `cond` is what `holds` says, 1 or 0. It stands for its place: it has no results."""

    name = "guard.require"
    cond = operand_def(tensor("B", BOOL))
    holds = int_attr(1)
    code = str_attr(required=True)
    message = str_attr(required=True)

    def __init__(self, cond: SSAValue, holds: bool, code: str, message: str) -> None:
        texts = {"code": StringAttr(code), "message": StringAttr(message)}
        super().__init__(operands=[cond], properties={"holds": IntegerAttr(int(holds), i64), **texts})

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return ()


GUARD = Dialect("guard", [RequireOp])
