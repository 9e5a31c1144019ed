"""Padding, scattering and labels in older operator sets."""

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


@adapter("LabelEncoder", before=2, domain="ai.onnx.ml")
def labels_by_position(node: OldNode, tools: Tools) -> None:
    """At version 1 one list of names stood for the numbers from 0 on, in the direction that the input's type told."""
    names = node.take("classes_strings", tuple, ())
    numbers = tuple(range(len(names)))
    default = node.take("default_int64", int, -1), node.take("default_string", str, "_Unused")
    if tools.element(node.first).numpy == np.dtype(object):
        # Of a name given twice the first place counted; of a key given twice the last one does now.
        places = dict(zip(reversed(names), reversed(numbers), strict=True))
        node.attributes.update(keys_strings=tuple(places), values_int64s=tuple(places.values()), default_int64=default[0])
    else:
        node.attributes.update(keys_int64s=numbers, values_strings=names, default_string=default[1])
