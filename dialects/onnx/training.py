"""The operators of ai.onnx.preview.training: gradients and one step of each optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from typing_extensions import override
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import operand_def, var_operand_def, var_result_def

from .base import OnnxOp, element_of, float_attr, operator, str_attr, strs_attr, tensor
from .dims import Shape
from .shapes import Shapes
from .types import ALL_TENSOR, F32, F64, FLOATS, I64

REAL = (*F32, *F64)


class OptimizerOp(OnnxOp):
    """One step on several tensors at once: `inputs` holds `GROUPS_IN` groups of equally many tensors, all tensors to be optimised
    first, then their gradients, then the optimiser's own state; `outputs` holds the new tensors and the new state."""

    GROUPS_IN: ClassVar[int]

    @property
    def tensors(self) -> int:
        """How many tensors are optimised."""
        given, made = self.operands[2:], self.results
        count = len(given) // self.GROUPS_IN
        if len(given) != count * self.GROUPS_IN or len(made) != count * (self.GROUPS_IN - 1):
            raise self.fail("ITG2180", f"{len(given)} inputs cannot give {len(made)} outputs; each tensor takes {self.GROUPS_IN} inputs")
        return count

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        rate, steps, *given = shapes.of(self.operands[0]), shapes.of(self.operands[1]), *map(shapes.of, self.operands[2:])
        count = self.tensors
        if rate not in ((), (1,)) or steps not in ((), (1,)):
            raise self.fail("ITG2181", f"R and T must be scalars, but have shapes {rate} and {steps}")
        for i in range(count, len(given)):
            self._require_same(shapes, given[i % count], given[i])
        return [*given[:count], *given[2 * count :]]

    def _require_same(self, shapes: Shapes, x: Shape, other: Shape) -> None:
        if len(x) != len(other):
            raise self.fail("ITG2181", f"a gradient or state has rank {len(other)}, its tensor {len(x)}")
        for a, b in zip(x, other, strict=True):
            shapes.require_equal(self, a, b, "the dimensions of a tensor and its gradient or state")

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        count, given = self.tensors, self.operands[2:]
        return [element_of(v) for v in (*given[:count], *given[2 * count :])]


@operator(since=1)
class AdagradOp(OptimizerOp):
    """A step of ADAGRAD: x, gradient, accumulated squared gradient -> new x, new accumulated squared gradient.

    https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adagrad.html
    """

    name = "onnx_training.Adagrad"
    GROUPS_IN: ClassVar[int] = 3
    r = operand_def(tensor("T1", REAL))
    t = operand_def(tensor("T2", I64))
    inputs = var_operand_def(tensor("", REAL))
    outputs = var_result_def(tensor("", REAL))
    decay_factor = float_attr(0.0)
    epsilon = float_attr(1e-6)
    norm_coefficient = float_attr(0.0)


@operator(since=1)
class MomentumOp(OptimizerOp):
    """A step of gradient descent with momentum: x, gradient, momentum -> new x, new momentum.

    https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Momentum.html
    """

    name = "onnx_training.Momentum"
    GROUPS_IN: ClassVar[int] = 3
    r = operand_def(tensor("T1", REAL))
    t = operand_def(tensor("T2", I64))
    inputs = var_operand_def(tensor("", REAL))
    outputs = var_result_def(tensor("", REAL))
    alpha = float_attr(required=True)
    beta = float_attr(required=True)
    mode = str_attr(required=True)
    norm_coefficient = float_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        if self.attr("mode") not in ("standard", "nesterov"):
            raise self.fail("ITG2182", f"mode must be standard or nesterov, but is {self.attr('mode')!r}")
        return super().infer_shapes(shapes)


@operator(since=1)
class AdamOp(OptimizerOp):
    """A step of Adam: x, gradient, mean gradient, mean squared gradient -> new x, new mean, new mean square.

    https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adam.html
    """

    name = "onnx_training.Adam"
    GROUPS_IN: ClassVar[int] = 4
    r = operand_def(tensor("T1", REAL))
    t = operand_def(tensor("T2", I64))
    inputs = var_operand_def(tensor("", REAL))
    outputs = var_result_def(tensor("", REAL))
    alpha = float_attr(0.9)
    beta = float_attr(0.999)
    epsilon = float_attr(1e-6)
    norm_coefficient = float_attr(0.0)
    norm_coefficient_post = float_attr(0.0)


@operator(since=1)
class GradientOp(OnnxOp):
    """dy/dx for each x of `xs`, of x's shape; operands are the values of `xs`, then of `zs`.

    https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Gradient.html
    What the attributes name are tensors of the graph: `named` holds these themselves, those of `xs`, of `zs`, and last y.
    """

    name = "onnx_training.Gradient"
    inputs = var_operand_def(tensor("", ALL_TENSOR))
    named = var_operand_def(tensor("", ALL_TENSOR))
    outputs = var_result_def(tensor("", FLOATS))
    xs = strs_attr(required=True)
    y = str_attr(required=True)
    zs = strs_attr()

    @override
    @classmethod
    def operand_defs(cls) -> list[tuple[str, Any, bool, bool]]:
        """The specification's only: it has no operands for what attributes name."""
        return super().operand_defs()[:1]

    @property
    def names(self) -> tuple[str, ...]:
        """What `named` holds, by the attributes."""
        return (*self.attr("xs"), *(self.attr("zs") or ()), self.attr("y"))

    @property
    def independent(self) -> Sequence[SSAValue]:
        """The tensors that `xs` and `zs` name."""
        return self.named[:-1]

    @property
    def dependent(self) -> SSAValue:
        """The tensor that `y` names."""
        return self.named[-1]

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        xs, zs = len(self.attr("xs")), len(self.attr("zs") or ())
        if len(self.inputs) != xs + zs or len(self.outputs) > xs:
            found = f"{len(self.inputs)} inputs and {len(self.outputs)} outputs"
            raise self.fail("ITG2180", f"xs and zs name {xs} and {zs} tensors, but there are {found}")
        return [shapes.of(v) for v in self.inputs[: len(self.outputs)]]

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return [element_of(v) for v in self.inputs[: len(self.outputs)]]
