"""Activation functions: elementwise operators of neural networks, with their parameters as attributes."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.irdl import operand_def, result_def

from .base import OnnxOp, float_attr, operator, str_attr, tensor
from .checks import one_of, require_broadcast_to
from .dims import Shape, maximum
from .elementwise import FloatUnaryOp, UnaryOp
from .shapes import Shapes
from .types import ALL_FLOATS, BY_NAME, FLOATS, INTEGERS, SIGNED

_WIDE_INTEGERS = tuple(BY_NAME[n].ir for n in ("int32", "int64", "uint32", "uint64"))


@operator(since=14)
class ReluOp(UnaryOp):
    """max(x, 0). https://onnx.ai/onnx/operators/onnx__Relu.html"""

    name = "onnx.Relu"
    x = operand_def(tensor("T", (*ALL_FLOATS, *SIGNED)))
    y = result_def(tensor("T", (*ALL_FLOATS, *SIGNED)))
    combine = staticmethod(lambda x: maximum(x, 0))


@operator(since=16)
class LeakyReluOp(FloatUnaryOp):
    """x where x >= 0, else alpha x. https://onnx.ai/onnx/operators/onnx__LeakyRelu.html"""

    name = "onnx.LeakyRelu"
    alpha = float_attr(0.01)


@operator(since=16)
class PReluOp(OnnxOp):
    """x where x >= 0, else slope x; slope broadcasts to the shape of x. https://onnx.ai/onnx/operators/onnx__PRelu.html"""

    name = "onnx.PRelu"
    x = operand_def(tensor("T", (*ALL_FLOATS, *_WIDE_INTEGERS)))
    slope = operand_def(tensor("T", (*ALL_FLOATS, *_WIDE_INTEGERS)))
    y = result_def(tensor("T", (*ALL_FLOATS, *_WIDE_INTEGERS)))

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        require_broadcast_to(self, shapes.of(self.slope), shapes.of(self.x), "slope")
        return (shapes.of(self.x),)


@operator(since=22)
class ThresholdedReluOp(FloatUnaryOp):
    """x where x > alpha, else 0. https://onnx.ai/onnx/operators/onnx__ThresholdedRelu.html"""

    name = "onnx.ThresholdedRelu"
    alpha = float_attr(1.0)


@operator(since=22)
class EluOp(FloatUnaryOp):
    """x where x >= 0, else alpha (e^x - 1). https://onnx.ai/onnx/operators/onnx__Elu.html"""

    name = "onnx.Elu"
    alpha = float_attr(1.0)


@operator(since=22)
class SeluOp(FloatUnaryOp):
    """gamma x where x > 0, else gamma alpha (e^x - 1). https://onnx.ai/onnx/operators/onnx__Selu.html"""

    name = "onnx.Selu"
    alpha = float_attr(1.67326319217681884765625)
    gamma = float_attr(1.05070102214813232421875)


@operator(since=28)
class CeluOp(FloatUnaryOp):
    """max(x, 0) + min(alpha (e^(x / alpha) - 1), 0). https://onnx.ai/onnx/operators/onnx__Celu.html"""

    name = "onnx.Celu"
    alpha = float_attr(1.0)


@operator(since=20)
class GeluOp(FloatUnaryOp):
    """x times the normal distribution function of x, exactly or by a tanh ("tanh"). https://onnx.ai/onnx/operators/onnx__Gelu.html"""

    name = "onnx.Gelu"
    approximate = str_attr("none")

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        one_of(self, "approximate", "none", "tanh")
        return super().infer_shapes(shapes)


@operator(since=13)
class SigmoidOp(FloatUnaryOp):
    """1 / (1 + e^-x). https://onnx.ai/onnx/operators/onnx__Sigmoid.html"""

    name = "onnx.Sigmoid"


@operator(since=22)
class HardSigmoidOp(FloatUnaryOp):
    """alpha x + beta, limited to 0..1. https://onnx.ai/onnx/operators/onnx__HardSigmoid.html"""

    name = "onnx.HardSigmoid"
    alpha = float_attr(0.2)
    beta = float_attr(0.5)


@operator(since=22)
class HardSwishOp(FloatUnaryOp):
    """x times (x / 6 + 1/2) limited to 0..1. https://onnx.ai/onnx/operators/onnx__HardSwish.html"""

    name = "onnx.HardSwish"


@operator(since=24)
class SwishOp(FloatUnaryOp):
    """x sigmoid(alpha x). https://onnx.ai/onnx/operators/onnx__Swish.html"""

    name = "onnx.Swish"
    alpha = float_attr(1.0)


@operator(since=22)
class MishOp(FloatUnaryOp):
    """x tanh(softplus(x)). https://onnx.ai/onnx/operators/onnx__Mish.html"""

    name = "onnx.Mish"


@operator(since=22)
class SoftplusOp(FloatUnaryOp):
    """log(1 + e^x). https://onnx.ai/onnx/operators/onnx__Softplus.html"""

    name = "onnx.Softplus"


@operator(since=22)
class SoftsignOp(FloatUnaryOp):
    """x / (1 + |x|). https://onnx.ai/onnx/operators/onnx__Softsign.html"""

    name = "onnx.Softsign"


@operator(since=13)
class TanhOp(FloatUnaryOp):
    """The hyperbolic tangent. https://onnx.ai/onnx/operators/onnx__Tanh.html"""

    name = "onnx.Tanh"


@operator(since=9)
class ShrinkOp(UnaryOp):
    """x + bias below -lambd, x - bias above lambd, 0 between. https://onnx.ai/onnx/operators/onnx__Shrink.html"""

    name = "onnx.Shrink"
    x = operand_def(tensor("T", (*FLOATS, *INTEGERS)))
    y = result_def(tensor("T", (*FLOATS, *INTEGERS)))
    bias = float_attr(0.0)
    lambd = float_attr(0.5)
