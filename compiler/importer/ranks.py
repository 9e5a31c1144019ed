"""Ranks that a file declares of the values that nodes make; `build` passes them on to shape inference.

They tell what operands cannot: how many dimensions a Reshape has whose target shape is an input of open length.
"""

from __future__ import annotations

from ...dialects.onnx.elementwise import UnaryOp
from ...dialects.onnx.reduction import AlongAxisOp
from ...dialects.onnx.registry import OPERATORS
from ...dialects.onnx.tensor import CastLikeOp, CastOp, IdentityOp
from .graph import Graph, Name

_KEEPING = (UnaryOp, AlongAxisOp, CastOp, CastLikeOp, IdentityOp)
"""Operators whose result has the shape of their first operand."""


def declared_ranks(graph: Graph) -> dict[Name, int]:
    """The ranks declared of outputs and of values between, and of what becomes them by operators that keep shapes."""
    ranks: dict[Name, int] = {}
    for info in (*graph.values, *graph.outputs):
        if info.type.tensor_type.HasField("shape"):
            ranks[info.name] = len(info.type.tensor_type.shape.dim)
    for node in reversed(graph.nodes):
        cls = OPERATORS.get((node.domain, node.op_type))
        if cls is not None and issubclass(cls, _KEEPING) and node.inputs and node.outputs[0] in ranks:
            ranks.setdefault(node.inputs[0], ranks[node.outputs[0]])
    return ranks
