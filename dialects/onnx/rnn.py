"""Recurrent layers: RNN, GRU, LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override
from xdsl.ir import SSAValue
from xdsl.irdl import operand_def, opt_operand_def, opt_result_def

from .base import OnnxOp, float_attr, floats_attr, int_attr, operator, str_attr, strs_attr, tensor
from .checks import of_rank, one_of, require_vector, same_shape
from .dims import Dim, Shape
from .shapes import Shapes
from .types import ALL_FLOATS, I32

ACTIVATIONS = (
    "Affine",
    "Elu",
    "HardSigmoid",
    "LeakyRelu",
    "Relu",
    "ScaledTanh",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Tanh",
    "ThresholdedRelu",
)
"""Activation functions the specification names for recurrent layers."""


@dataclass(frozen=True)
class Recurrence:
    """Sizes of a recurrent layer, whatever its layout."""

    steps: Dim
    batch: Dim
    features: Dim
    directions: int
    hidden: Dim


class RecurrentOp(OnnxOp):
    """Base of recurrent layers over S steps of a batch of N, with D directions, I input features and H hidden units.

    x (S, N, I), w (D, G*H, I), r (D, G*H, H), b (D, 2*G*H), sequence_lens (N), initial_h (D, N, H), to y (S, D, N, H) and y_h
    (D, N, H); G gates a layer. With layout=1 the batch stands first: x (N, S, I), y (N, S, D, H), initial_h and y_h (N, D, H).
    """

    activation_alpha = floats_attr()
    activation_beta = floats_attr()
    clip = float_attr()
    direction = str_attr("forward")
    hidden_size = int_attr()
    layout = int_attr(0)

    GATES: ClassVar[int] = 1
    FUNCTIONS: ClassVar[int] = 1
    """Activation functions a direction."""

    def sizes(self, shapes: Shapes) -> Recurrence:
        """The layer's sizes from its operands; the lowering asks this too. Raises ShapeError where they contradict each other."""
        x, w, r, b, lengths, initial_h = self._common_operands()
        directions = 2 if one_of(self, "direction", "forward", "reverse", "bidirectional") == "bidirectional" else 1
        steps, batch, features = of_rank(self, shapes, x, "X", 3)
        if one_of(self, "layout", 0, 1):
            steps, batch = batch, steps
        recurrent = of_rank(self, shapes, r, "R", 3)
        hidden = recurrent[2]
        if self.attr("hidden_size") is not None:
            hidden = shapes.require_equal(self, hidden, self.attr("hidden_size"), "the last dimension of R and hidden_size")
        found = Recurrence(steps, batch, features, directions, hidden)
        gates = hidden * self.GATES
        same_shape(self, shapes, recurrent, (directions, gates, hidden), "R and what the layer asks for")
        same_shape(self, shapes, of_rank(self, shapes, w, "W", 3), (directions, gates, features), "W and what the layer asks for")
        self._require_shape(shapes, b, (directions, gates * 2), "B")
        require_vector(self, shapes, lengths, batch, "sequence_lens")
        self._require_shape(shapes, initial_h, self._state(found), "initial_h")
        return found

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        self._check_activations()
        found = self.sizes(shapes)
        state = self._state(found)
        if self.attr("layout"):
            return (found.batch, found.steps, found.directions, found.hidden), state
        return (found.steps, found.directions, found.batch, found.hidden), state

    def _state(self, sizes: Recurrence) -> Shape:
        """The shape of initial and final states."""
        if self.attr("layout"):
            return sizes.batch, sizes.directions, sizes.hidden
        return sizes.directions, sizes.batch, sizes.hidden

    def _require_shape(self, shapes: Shapes, value: SSAValue | None, expected: Shape, what: str) -> None:
        if value is not None:
            same_shape(self, shapes, shapes.of(value), expected, f"{what} and what the layer asks for")

    def _check_activations(self) -> None:
        given = self.attr("activations")
        if given is None:
            return
        if unknown := [name for name in given if name.lower() not in {a.lower() for a in ACTIVATIONS}]:
            raise self.fail("ITG2142", f"activations has {unknown[0]!r}, expected one of {', '.join(ACTIVATIONS)}")
        expected = self.FUNCTIONS * (2 if self.attr("direction") == "bidirectional" else 1)
        if len(given) < expected:
            raise self.fail("ITG2143", f"activations has {len(given)} functions, expected {expected}")

    def _common_operands(self) -> tuple[SSAValue, SSAValue, SSAValue, SSAValue | None, SSAValue | None, SSAValue | None]:
        """x, w, r, b, sequence_lens, initial_h."""
        raise NotImplementedError


@operator(since=22)
class RNNOp(RecurrentOp):
    """h = f(x W' + h R' + b) at every step; see `RecurrentOp` for shapes. https://onnx.ai/onnx/operators/onnx__RNN.html"""

    name = "onnx.RNN"
    x = operand_def(tensor("T", ALL_FLOATS))
    w = operand_def(tensor("T", ALL_FLOATS))
    r = operand_def(tensor("T", ALL_FLOATS))
    b = opt_operand_def(tensor("T", ALL_FLOATS))
    sequence_lens = opt_operand_def(tensor("T1", I32))
    initial_h = opt_operand_def(tensor("T", ALL_FLOATS))
    y = opt_result_def(tensor("T", ALL_FLOATS))
    y_h = opt_result_def(tensor("T", ALL_FLOATS))
    activations = strs_attr(("Tanh", "Tanh"))

    @override
    def _common_operands(self) -> tuple[SSAValue, SSAValue, SSAValue, SSAValue | None, SSAValue | None, SSAValue | None]:
        return self.x, self.w, self.r, self.b, self.sequence_lens, self.initial_h


@operator(since=22)
class GRUOp(RecurrentOp):
    """Gated recurrent unit, gates in the order update, reset, hidden; see `RecurrentOp` for shapes.

    https://onnx.ai/onnx/operators/onnx__GRU.html
    """

    name = "onnx.GRU"
    x = operand_def(tensor("T", ALL_FLOATS))
    w = operand_def(tensor("T", ALL_FLOATS))
    r = operand_def(tensor("T", ALL_FLOATS))
    b = opt_operand_def(tensor("T", ALL_FLOATS))
    sequence_lens = opt_operand_def(tensor("T1", I32))
    initial_h = opt_operand_def(tensor("T", ALL_FLOATS))
    y = opt_result_def(tensor("T", ALL_FLOATS))
    y_h = opt_result_def(tensor("T", ALL_FLOATS))
    activations = strs_attr()
    linear_before_reset = int_attr(0)

    GATES: ClassVar[int] = 3
    FUNCTIONS: ClassVar[int] = 2

    @override
    def _common_operands(self) -> tuple[SSAValue, SSAValue, SSAValue, SSAValue | None, SSAValue | None, SSAValue | None]:
        return self.x, self.w, self.r, self.b, self.sequence_lens, self.initial_h


@operator(since=22)
class LSTMOp(RecurrentOp):
    """Long short-term memory, gates in the order input, output, forget, cell; see `RecurrentOp` for shapes.

    initial_c and y_c have the shape of y_h; p (D, 3*H) weighs peepholes. https://onnx.ai/onnx/operators/onnx__LSTM.html
    """

    name = "onnx.LSTM"
    x = operand_def(tensor("T", ALL_FLOATS))
    w = operand_def(tensor("T", ALL_FLOATS))
    r = operand_def(tensor("T", ALL_FLOATS))
    b = opt_operand_def(tensor("T", ALL_FLOATS))
    sequence_lens = opt_operand_def(tensor("T1", I32))
    initial_h = opt_operand_def(tensor("T", ALL_FLOATS))
    initial_c = opt_operand_def(tensor("T", ALL_FLOATS))
    p = opt_operand_def(tensor("T", ALL_FLOATS))
    y = opt_result_def(tensor("T", ALL_FLOATS))
    y_h = opt_result_def(tensor("T", ALL_FLOATS))
    y_c = opt_result_def(tensor("T", ALL_FLOATS))
    activations = strs_attr()
    input_forget = int_attr(0)

    GATES: ClassVar[int] = 4
    FUNCTIONS: ClassVar[int] = 3

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        y, y_h = super().infer_shapes(shapes)
        found = self.sizes(shapes)
        self._require_shape(shapes, self.initial_c, self._state(found), "initial_c")
        self._require_shape(shapes, self.p, (found.directions, found.hidden * 3), "P")
        return y, y_h, y_h

    @override
    def _common_operands(self) -> tuple[SSAValue, SSAValue, SSAValue, SSAValue | None, SSAValue | None, SSAValue | None]:
        return self.x, self.w, self.r, self.b, self.sequence_lens, self.initial_h
