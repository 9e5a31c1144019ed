"""Normalisations and dropout of older operator sets: training told by attributes or by outputs, statistics of other shapes."""

from __future__ import annotations

import numpy as np

from .registry import OldNode, Tools, adapter


@adapter("BatchNormalization", before=7)
def mode_by_attribute(node: OldNode, tools: Tools) -> None:
    """Up to opset 6 an attribute told training from inference, whatever the outputs; training was the default."""
    if not node.take("is_test", int, 0):
        node.attributes["training_mode"] = 1
        return
    for output in node.outputs[1:]:
        tools.withdraw(output)
    node.outputs = node.outputs[:1]


@adapter("BatchNormalization", before=9)
def statistics_per_feature(node: OldNode, tools: Tools) -> None:
    """Up to opset 8, `spatial` = 0 normalised every feature on its own: a batch normalisation of the flattened input."""
    spatial = node.take("spatial", int, 1)
    if spatial or len(node.inputs) != 5 or tools.rank(node.inputs[0]) <= 2:
        return
    data, *parameters = node.inputs
    all_of_them = tools.constant([-1])
    node.inputs = [tools.node("Flatten", [data], axis=1), *(tools.node("Reshape", [p, all_of_them]) for p in parameters)]
    # The running mean and variance have the shapes of the parameters.
    for index, like in enumerate((data, *parameters[2:])):
        if index < len(node.outputs) and node.outputs[index]:
            result = node.outputs[index]
            node.outputs[index] = tools.fresh(result)
            tools.after("Reshape", [node.outputs[index], tools.node("Shape", [like])], result, allowzero=1)


@adapter("BatchNormalization", before=14)
def training_by_outputs(node: OldNode, tools: Tools) -> None:
    """Up to opset 13 further outputs meant training; there were two more than now, of which nobody said what exactly they hold."""
    if any(node.outputs[1:]):
        node.attributes["training_mode"] = 1
    for output in node.outputs[3:]:
        tools.withdraw(output)
    node.outputs = node.outputs[:3]


@adapter("Dropout", before=7)
def dropout_mode_to_input(node: OldNode, tools: Tools) -> None:
    """Up to opset 6 dropout was random unless an attribute said otherwise."""
    if node.take("is_test", int, 0):
        return
    if len(node.inputs) != 1:
        raise node.problem("ITG1006", f"it has {len(node.inputs)} inputs, but took 1 at operator set {node.version}")
    ratio = node.take("ratio", float, 0.5)
    _cast_mask(node, tools)
    rate, training = tools.constant(ratio, np.float32), tools.constant(True, np.bool_)
    node.become("Dropout", [node.first, rate, training])


@adapter("Dropout", before=10)
def mask_of_the_datas_type(node: OldNode, tools: Tools) -> None:
    """Up to opset 9 the mask had the data's type."""
    _cast_mask(node, tools)


@adapter("Dropout", before=12)
def no_ratio_in_inference(node: OldNode, tools: Tools) -> None:
    """From opset 7 to 11 there was inference only, where the ratio does nothing."""
    node.attributes.pop("ratio", None)


def _cast_mask(node: OldNode, tools: Tools) -> None:
    if len(node.outputs) < 2 or not node.outputs[1] or not node.inputs:
        return
    mask = node.outputs[1]
    node.outputs[1] = tools.fresh(mask)
    tools.after("Cast", [node.outputs[1]], mask, to=tools.element(node.first).number)


@adapter("GroupNormalization", before=21)
def parameters_per_group(node: OldNode, tools: Tools) -> None:
    """Up to opset 20 scale and bias held one value a group, now one a channel."""
    groups = node.attributes.get("num_groups")
    if not isinstance(groups, int) or groups < 1 or len(node.inputs) != 3:
        raise node.problem("ITG1105", f"num_groups is {groups}, with {len(node.inputs)} inputs; expected 1 or more, and 3 inputs")
    data, *parameters = node.inputs
    channels = tools.node("Shape", [data], start=1, end=2)
    each = tools.node("Div", [channels, tools.constant([groups])])
    shape = tools.node("Concat", [tools.constant([groups]), each], axis=0)
    one, all_of_them = tools.constant([1]), tools.constant([-1])
    for index, parameter in enumerate(parameters, start=1):
        columns = tools.node("Expand", [tools.node("Unsqueeze", [parameter, one]), shape])
        node.inputs[index] = tools.node("Reshape", [columns, all_of_them])
