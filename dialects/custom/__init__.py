"""Operators that are not ONNX's: how one is declared, by a kernel with a shape rule or by a decomposition into other operators.

Users declare theirs with `operator` and `decomposition`; the importer's folder contrib declares those of com.microsoft the same way.
docs/custom-operators.md is the guide.
"""

from .definition import Attribute, CustomError, CustomOperator, Input, decomposition, operator
from .kernels import KernelOp, Operand, TensorSpec

__all__ = [
    "Attribute",
    "CustomError",
    "CustomOperator",
    "Input",
    "KernelOp",
    "Operand",
    "TensorSpec",
    "decomposition",
    "operator",
]
