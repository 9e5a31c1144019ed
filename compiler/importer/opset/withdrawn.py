"""Experimental operators, which no operator set since 10 has: those that say what they compute are rewritten, the others refused.

https://github.com/onnx/onnx/pull/1909
"""

from __future__ import annotations

import numpy as np

from ....dialects.onnx.types import BY_NAME, BY_NUMBER
from .registry import CURRENT, Name, OldNode, Tools, adapter, refuse


@adapter("Affine", before=10)
def affine(node: OldNode, tools: Tools) -> None:
    """alpha * x + beta."""
    scaled = tools.node("Mul", [node.first, _like(node, "alpha", 1.0, tools)])
    node.become("Add", [scaled, _like(node, "beta", 0.0, tools)])


@adapter("Scale", before=10)
def scale(node: OldNode, tools: Tools) -> None:
    """scale * x."""
    node.become("Mul", [node.first, _like(node, "scale", 1.0, tools)])


@adapter("ScaledTanh", before=10)
def scaled_tanh(node: OldNode, tools: Tools) -> None:
    """alpha * tanh(beta * x)."""
    inner = tools.node("Tanh", [tools.node("Mul", [node.first, _like(node, "beta", 1.0, tools)])])
    node.become("Mul", [inner, _like(node, "alpha", 1.0, tools)])


@adapter("ParametricSoftplus", before=10)
def parametric_softplus(node: OldNode, tools: Tools) -> None:
    """alpha * log(1 + exp(beta * x))."""
    inner = tools.node("Softplus", [tools.node("Mul", [node.first, _like(node, "beta", 1.0, tools)])])
    node.become("Mul", [inner, _like(node, "alpha", 1.0, tools)])


@adapter("ImageScaler", before=10)
def image_scaler(node: OldNode, tools: Tools) -> None:
    """scale * x plus one bias a channel of an NCHW image."""
    scaled = tools.node("Mul", [node.first, _like(node, "scale", 1.0, tools)])
    bias = np.array(node.take("bias", tuple, ()), tools.element(node.first).numpy)
    node.become("Add", [scaled, tools.constant(bias.reshape(-1, 1, 1))])


def _like(node: OldNode, attribute: str, default: float, tools: Tools) -> Name:
    """A float attribute as a scalar of the first input's type."""
    return tools.constant(node.take(attribute, float, default), tools.element(node.first).numpy)


@adapter("Crop", before=10)
def crop(node: OldNode, tools: Tools) -> None:
    """The inside of an NCHW image's borders (left, top, right, bottom), or that many rows and columns behind the first two."""
    border, scale = node.take("border", tuple, ()), node.take("scale", tuple, ())
    if len(border) != 4 or len(scale) not in (0, 2):
        raise node.problem("ITG1105", f"border is {list(border)} and scale {list(scale)}, expected 4 numbers, and 2 or none")
    left, top, right, bottom = border
    start = tools.constant([top, left])
    if scale:
        end = tools.constant([top + scale[0], left + scale[1]])
    else:
        end = tools.node("Sub", [tools.node("Shape", [node.first], start=2, end=4), tools.constant([bottom, right])])
    node.become("Slice", [node.first, start, end, tools.constant([2, 3])])


@adapter("DynamicSlice", before=10)
def dynamic_slice(node: OldNode, tools: Tools) -> None:
    """What Slice does since opset 10, without steps."""
    node.become("Slice", node.inputs)


@adapter("ConstantFill", before=10)
def constant_fill(node: OldNode, tools: Tools) -> None:
    """One value in a shape that attributes or an input tell."""
    number, value = node.take("dtype", int, BY_NAME["float"].number), node.take("value", float, 0.0)
    if number not in BY_NUMBER:
        raise node.problem("ITG1105", f"dtype is {number}, which is no element type")
    filling = np.array([value]).astype(BY_NUMBER[number].numpy)
    node.become("ConstantOfShape", [_shape(node, tools)], value=filling)


@adapter("GivenTensorFill", before=10)
def given_tensor_fill(node: OldNode, tools: Tools) -> None:
    """The values given, in a shape that attributes or an input tell."""
    values = tools.constant(np.array(node.take("values", tuple, ()), np.float32))
    node.become("Reshape", [values, _shape(node, tools)], allowzero=1)


def _shape(node: OldNode, tools: Tools) -> Name:
    """An attribute; or what the input holds, or its shape, and then some."""
    shape, extra = node.take("shape", tuple, ()), node.take("extra_shape", tuple, ())
    as_shape = node.take("input_as_shape", int, 0)
    if not node.inputs:
        return tools.constant([*shape, *extra])
    found = tools.node("Cast", [node.first], to=BY_NAME["int64"].number) if as_shape else tools.node("Shape", [node.first])
    return tools.node("Concat", [found, tools.constant(list(extra))], axis=0) if extra else found


@adapter("MeanVarianceNormalization", before=9)
def variance_on_request(node: OldNode, tools: Tools) -> None:
    """Before it was of a standard, attributes told what to normalise; over the channels as well, it was left open for which batch."""
    if node.take("across_channels", int, 0):
        raise node.problem("ITG1202", "a normalisation across channels has no newer form", "export for operator set 9 or newer")
    if not node.take("normalize_variance", int, 1):
        mean = tools.node("ReduceMean", [node.first, tools.constant([0, 2, 3])])
        node.become("Sub", [node.first, mean])


_AGAIN = "export the model again, for a newer operator set"
refuse("ATen", before=CURRENT, why="it stands for a function of PyTorch, which ONNX never defined", hint=_AGAIN)
refuse("GRUUnit", before=CURRENT, why="it is a step of a recurrent layer of Caffe2, which ONNX never defined", hint=_AGAIN)
