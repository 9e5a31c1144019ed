"""Pools and regions of older operator sets."""

from __future__ import annotations

from .registry import OldNode, Tools, adapter


@adapter("LpPool", "GlobalLpPool", before=2)
def integral_exponent(node: OldNode, tools: Tools) -> None:
    """At opset 1 the exponent could be any float."""
    exponent = node.take("p", float, 2.0)
    if not exponent.is_integer():
        raise node.problem("ITG1202", f"at operator set 1, its exponent is {exponent}; newer ones have whole exponents only")
    node.attributes["p"] = int(exponent)


@adapter("RoiAlign", before=16)
def no_half_pixel(node: OldNode, tools: Tools) -> None:
    """Up to opset 15 coordinates were not shifted by half a pixel."""
    node.attributes["coordinate_transformation_mode"] = "output_half_pixel"
