"""Padding, scattering and scanning in older operator sets."""

from __future__ import annotations

import numpy as np

from .registry import CURRENT, OldNode, Tools, adapter


@adapter("Pad", before=2)
def paddings_renamed(node: OldNode, tools: Tools) -> None:
    """Opset 1 spelled the attribute otherwise."""
    if "paddings" in node.attributes:
        node.attributes["pads"] = node.attributes.pop("paddings")


@adapter("Pad", before=11)
def pads_to_inputs(node: OldNode, tools: Tools) -> None:
    """Up to opset 10 pads and the value were attributes."""
    pads = node.take("pads", tuple, None)
    value = node.take("value", float, 0.0)
    if pads is None:
        raise node.problem("ITG1103", "attribute pads is required and missing")
    if not all(isinstance(pad, int) for pad in pads):
        raise node.problem("ITG1102", f"attribute pads must be of type INTS, but is {str(pads)[:60]}")
    if len(node.inputs) != 1:
        raise node.problem("ITG1006", f"it has {len(node.inputs)} inputs, but took 1 at operator set {node.version}")
    node.inputs.append(tools.constant(list(pads)))
    if value != 0.0:
        node.inputs.append(tools.constant(value, tools.element(node.first).numpy))


@adapter("Scatter", before=CURRENT)
def scatter_renamed(node: OldNode, tools: Tools) -> None:
    """Renamed at opset 11."""
    node.become("ScatterElements", node.inputs, **node.attributes)


@adapter("Scan", before=9)
def scan_without_batch(node: OldNode, tools: Tools) -> None:
    """At opset 8 every input and output had a batch axis in front, and sequences of one batch could differ in length.

    A batch of one is taken off; more would be loops in a loop.
    """
    lengths, *values = node.inputs or [""]
    if lengths:
        raise node.problem("ITG1202", "at operator set 8, it takes sequence lengths", "export for operator set 9 or newer")
    scanned = node.attributes.get("num_scan_inputs")
    if not isinstance(scanned, int):
        raise node.problem("ITG1103", "attribute num_scan_inputs is required and missing")
    if any(tools.size(value, 0) != 1 for value in values):
        raise node.problem("ITG1202", "at operator set 8, its batch is not of size 1", "export for operator set 9 or newer")
    if "directions" in node.attributes:
        node.attributes["scan_input_directions"] = node.attributes.pop("directions")
    front = tools.constant([0])
    node.inputs = [tools.node("Squeeze", [value, front]) for value in values]
    for index, output in enumerate(node.outputs):
        if output:
            node.outputs[index] = tools.fresh(output)
            tools.after("Unsqueeze", [node.outputs[index], front], output)


@adapter("LabelEncoder", before=2, domain="ai.onnx.ml")
def labels_by_position(node: OldNode, tools: Tools) -> None:
    """At version 1 one list of names stood for the numbers from 0 on, in the direction that the input's type told."""
    names = node.take("classes_strings", tuple, ())
    numbers = tuple(range(len(names)))
    default = node.take("default_int64", int, -1), node.take("default_string", str, "_Unused")
    if tools.element(node.first).numpy == np.dtype(object):
        node.attributes.update(keys_strings=names, values_int64s=numbers, default_int64=default[0])
    else:
        node.attributes.update(keys_int64s=numbers, values_strings=names, default_string=default[1])
