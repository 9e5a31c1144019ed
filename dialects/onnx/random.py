"""Random numbers: by distribution with a given shape or another tensor's, and draws from given probabilities."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override
from xdsl.ir import Attribute
from xdsl.irdl import operand_def, result_def

from .base import OnnxOp, element_of, float_attr, int_attr, ints_attr, operator, tensor
from .checks import at_least, data_type_in, of_rank
from .dims import Shape
from .shapes import Shapes
from .types import ALL_FLOATS, ALL_NUMERIC, ALL_TENSOR_BF16, BOOL, I32, I64


class RandomOp(OnnxOp):
    """Base of generators of a tensor whose shape is an attribute."""

    dtype = int_attr(1)
    seed = float_attr()
    shape = ints_attr(required=True)

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        shape = self.attr("shape")
        if any(d < 0 for d in shape):
            raise self.fail("ITG2142", f"shape is {shape}, expected no negative dimension")
        return (shape,)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (data_type_in(self, "dtype", ALL_FLOATS),)


class RandomLikeOp(OnnxOp):
    """Base of generators of a tensor of the operand's shape, and of its element type unless dtype gives one."""

    dtype = int_attr()
    seed = float_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        return (shapes.of(self.operands[0]),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        allowed = {name: constraint.elements for name, constraint, _, _ in self.result_defs()}["output"]
        element = data_type_in(self, "dtype", tuple(allowed)) or element_of(self.operands[0])
        if element not in allowed:
            raise self.fail("ITG2142", f"dtype must be given: the result cannot have the operand's element type {element}")
        return (element,)


@operator(since=22)
class RandomNormalOp(RandomOp):
    """Normally distributed numbers of shape `shape`. https://onnx.ai/onnx/operators/onnx__RandomNormal.html"""

    name = "onnx.RandomNormal"
    output = result_def(tensor("T", ALL_FLOATS))
    mean = float_attr(0.0)
    scale = float_attr(1.0)


@operator(since=22)
class RandomUniformOp(RandomOp):
    """Numbers evenly distributed from low to high, of shape `shape`. https://onnx.ai/onnx/operators/onnx__RandomUniform.html"""

    name = "onnx.RandomUniform"
    output = result_def(tensor("T", ALL_FLOATS))
    high = float_attr(1.0)
    low = float_attr(0.0)


@operator(since=22)
class RandomNormalLikeOp(RandomLikeOp):
    """Normally distributed numbers of the input's shape. https://onnx.ai/onnx/operators/onnx__RandomNormalLike.html"""

    name = "onnx.RandomNormalLike"
    input = operand_def(tensor("T1", ALL_TENSOR_BF16))
    output = result_def(tensor("T2", ALL_FLOATS))
    mean = float_attr(0.0)
    scale = float_attr(1.0)


@operator(since=22)
class RandomUniformLikeOp(RandomLikeOp):
    """Numbers evenly distributed from low to high, of the input's shape. https://onnx.ai/onnx/operators/onnx__RandomUniformLike.html"""

    name = "onnx.RandomUniformLike"
    input = operand_def(tensor("T1", ALL_TENSOR_BF16))
    output = result_def(tensor("T2", ALL_FLOATS))
    high = float_attr(1.0)
    low = float_attr(0.0)


@operator(since=22)
class BernoulliOp(RandomLikeOp):
    """1 with the probability that the input gives for each element, else 0. https://onnx.ai/onnx/operators/onnx__Bernoulli.html"""

    name = "onnx.Bernoulli"
    input = operand_def(tensor("T1", ALL_FLOATS))
    output = result_def(tensor("T2", (*ALL_NUMERIC, *BOOL)))


@operator(since=22)
class MultinomialOp(OnnxOp):
    """Classes drawn from unnormalised log-probabilities: (batch, classes) to (batch, sample_size).

    https://onnx.ai/onnx/operators/onnx__Multinomial.html
    """

    name = "onnx.Multinomial"
    input = operand_def(tensor("T1", ALL_FLOATS))
    output = result_def(tensor("T2", (*I32, *I64)))
    dtype = int_attr(6)
    sample_size = int_attr(1)
    seed = float_attr()

    @override
    def infer_shapes(self, shapes: Shapes) -> Sequence[Shape | None]:
        batch, _ = of_rank(self, shapes, self.input, "the input", 2)
        return ((batch, at_least(self, "sample_size", 1)),)

    @override
    def infer_elements(self, shapes: Shapes) -> Sequence[Attribute | None]:
        return (data_type_in(self, "dtype", (*I32, *I64)),)
