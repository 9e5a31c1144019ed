"""Shape analysis of a module read from text, so that passes of this folder can run on their own (intaglio-opt, lit tests)."""

from __future__ import annotations

from abc import abstractmethod

from typing_extensions import override
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import DYNAMIC_INDEX, ArrayAttr, IntegerAttr, ModuleOp, StringAttr, TensorType
from xdsl.ir import Block
from xdsl.passes import ModulePass

from ...dialects.onnx.shapes import Shapes
from .weights import Weights


class OnnxPass(ModulePass):
    """Base of passes on the onnx level that run by name: infers every function's shapes, then rewrites its block."""

    @override
    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.ops:
            if isinstance(function, func.FuncOp):
                weights = Weights({})
                shapes = analyse(function, weights)
                self.rewrite(function.body.block, shapes, weights)

    @abstractmethod
    def rewrite(self, block: Block, shapes: Shapes, weights: Weights) -> bool:
        """Rewrites one block; whether anything changed."""


def analyse(function: func.FuncOp, weights: Weights) -> Shapes:
    """Infers a function from its argument types and their `onnx.dims` attributes."""
    shapes = Shapes(weights.arrays)
    for position, argument in enumerate(function.body.block.args):
        declared = function.arg_attrs.data[position].data.get("onnx.dims") if function.arg_attrs is not None else None
        if isinstance(declared, ArrayAttr):
            names = [d.data if isinstance(d, StringAttr) else d.value.data for d in declared if isinstance(d, StringAttr | IntegerAttr)]
        else:
            assert isinstance(argument.type, TensorType)
            names = [None if d == DYNAMIC_INDEX else d for d in argument.type.get_shape()]
        shapes.declare_argument(argument, names)
    shapes.infer_block(function.body.block)
    return shapes
