"""Pools and regions of older operator sets."""

from __future__ import annotations

import math

from .registry import OldNode, Tools, adapter


@adapter("LpPool", "GlobalLpPool", before=2)
def any_exponent(node: OldNode, tools: Tools) -> None:
    """At opset 1 the exponent could be any float: sums of powers are the norm for 1 of the powers."""
    exponent = node.take("p", float, 2.0)
    if not 0 < exponent < math.inf:
        raise node.problem("ITG1105", f"p is {exponent}, expected a positive number")
    if exponent.is_integer() or not any(node.outputs):
        node.attributes["p"] = int(exponent)
        return
    data, result, kind = node.first, node.outputs[0], tools.element(node.first).numpy
    node.inputs = [tools.node("Pow", [tools.node("Abs", [data]), tools.constant(exponent, kind)])]
    node.outputs = [tools.fresh(result)]
    node.attributes["p"] = 1
    tools.after("Pow", [node.outputs[0], tools.constant(1 / exponent, kind)], result)


@adapter("RoiAlign", before=16)
def no_half_pixel(node: OldNode, tools: Tools) -> None:
    """Up to opset 15 coordinates were not shifted by half a pixel."""
    node.attributes["coordinate_transformation_mode"] = "output_half_pixel"
