"""Elementwise operators of older operator sets: explicit broadcasting, bounds and other attributes that became inputs."""

from __future__ import annotations

import numpy as np

from ....dialects.onnx.types import BY_NAME
from .registry import Name, OldNode, Tools, adapter

_FLOAT_MAX = float(np.finfo(np.float32).max)


@adapter(
    "Abs", "Add", "BatchNormalization", "Ceil", "Clip", "Div", "Dropout", "Elu", "Exp", "Floor", "HardSigmoid", "InstanceNormalization",
    "LeakyRelu", "Log", "Max", "Mean", "Min", "Mul", "Neg", "PRelu", "Reciprocal", "Relu", "Selu", "Sigmoid", "Sqrt", "Sub", "Sum", "Tanh",
    before=6,
)  # fmt: skip
@adapter("Reshape", before=5)
def drop_consumed_inputs(node: OldNode, tools: Tools) -> None:
    """Up to opset 5 an attribute told which buffers could be reused; it never changed a result."""
    node.attributes.pop("consumed_inputs", None)


@adapter("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less", before=7)
def broadcast_at_axis(node: OldNode, tools: Tools) -> None:
    """Up to opset 6 the second operand was broadcast only on request, its first dimension aligned with `axis` of the first operand.

    Without `axis` the last dimensions were aligned, as they are now.
    """
    broadcast = node.take("broadcast", int, 0)
    axis = node.take("axis", int, None)
    if not broadcast or axis is None or len(node.inputs) != 2:
        return
    left, right = node.inputs
    rank = tools.rank(left)
    missing = rank - (axis if axis >= 0 else axis + rank) - tools.rank(right)
    if not 0 <= missing <= rank:
        raise node.problem("ITG1105", f"axis {axis} does not place the {tools.rank(right)} dimensions of the second operand in {rank}")
    node.inputs[1] = _trailing_ones(right, missing, tools)


@adapter("PRelu", before=7)
def slope_per_channel(node: OldNode, tools: Tools) -> None:
    """Up to opset 6 a slope of rank 1 held one value a channel, or one for all."""
    if len(node.inputs) != 2 or tools.rank(node.inputs[1]) != 1 or tools.size(node.inputs[1], 0) == 1:
        return
    node.inputs[1] = _trailing_ones(node.inputs[1], max(0, tools.rank(node.inputs[0]) - 2), tools)


def _trailing_ones(value: Name, count: int, tools: Tools) -> Name:
    if count == 0:
        return value
    rank = tools.rank(value)
    return tools.node("Unsqueeze", [value, tools.constant(list(range(rank, rank + count)))])


@adapter("Gemm", before=7)
def gemm_always_broadcasts(node: OldNode, tools: Tools) -> None:
    """Up to opset 6 the addend was broadcast only on request; unasked it had the full shape, which broadcasts to itself."""
    node.attributes.pop("broadcast", None)


@adapter("Selu", before=6)
def old_selu_constants(node: OldNode, tools: Tools) -> None:
    """Opset 1 rounded the default constants to five digits."""
    node.attributes.setdefault("alpha", 1.6732)
    node.attributes.setdefault("gamma", 1.0507)


@adapter("Clip", before=11)
def bounds_to_inputs(node: OldNode, tools: Tools) -> None:
    """Up to opset 10 the bounds were attributes; from opset 6 on they defaulted to the largest finite floats."""
    default = (-_FLOAT_MAX, _FLOAT_MAX) if node.version >= 6 else (None, None)
    bounds = [node.take("min", float, default[0]), node.take("max", float, default[1])]
    element = tools.element(node.first)
    node.inputs = [node.first]
    for bound in bounds:
        # float16 has no value beyond the default bounds, not even the infinities they turn into.
        given = bound is not None and not (element is BY_NAME["float16"] and abs(bound) == _FLOAT_MAX)
        node.inputs.append(tools.constant(bound, element.numpy) if given else "")
    while not node.inputs[-1]:
        node.inputs.pop()


_NUMBER_NAMES = {e.name.upper(): e.number for e in BY_NAME.values()}


@adapter("Cast", before=6)
def type_by_name(node: OldNode, tools: Tools) -> None:
    """Up to opset 5 the type was given by its name."""
    to = node.attributes.get("to")
    if isinstance(to, str):
        if to.upper() not in _NUMBER_NAMES:
            raise node.problem("ITG1105", f'attribute to is "{to}", which is no element type')
        node.attributes["to"] = _NUMBER_NAMES[to.upper()]


@adapter("Erf", before=13)
@adapter("ReduceLogSum", "ReduceLogSumExp", before=28)
def integers_as_floats(node: OldNode, tools: Tools) -> None:
    """Integers were allowed once: what floats make of them, its fraction cut off."""
    element = tools.element(node.first)
    if element.numpy.kind not in "iu" or not any(node.outputs):
        return
    # An error function is 1 where float cannot tell it from 1; sums need more digits.
    wide = BY_NAME["float" if node.op_type == "Erf" else "double"]
    node.inputs[0] = tools.node("Cast", [node.first], to=wide.number)
    result = node.outputs[0]
    node.outputs[0] = tools.fresh(result)
    tools.after("Cast", [node.outputs[0]], result, to=element.number)
