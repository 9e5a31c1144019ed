"""Resizing and sampling of images in older operator sets."""

from __future__ import annotations

import math

import numpy as np

from .registry import CURRENT, Name, OldNode, Tools, adapter


@adapter("Upsample", before=7)
def scales_of_height_and_width(node: OldNode, tools: Tools) -> None:
    """Up to opset 6 an image's height and width were scaled, by two attributes."""
    height, width = node.take("height_scale", float, None), node.take("width_scale", float, None)
    if height is None or width is None:
        raise node.problem("ITG1103", "attributes height_scale and width_scale are required and missing")
    node.attributes["scales"] = (1.0, 1.0, height, width)
    if node.attributes.get("mode") == "bilinear":
        node.attributes["mode"] = "linear"


@adapter("Upsample", before=9)
def scales_to_input(node: OldNode, tools: Tools) -> None:
    """Up to opset 8 the scales were an attribute."""
    scales = node.take("scales", tuple, None)
    if scales is None:
        raise node.problem("ITG1103", "attribute scales is required and missing")
    if not all(isinstance(scale, float) for scale in scales):
        raise node.problem("ITG1102", f"attribute scales must be of type FLOATS, but is {str(scales)[:60]}")
    node.inputs = [node.first, tools.constant(list(scales), np.float32)]


@adapter("Upsample", before=CURRENT)
def upsample_is_resize(node: OldNode, tools: Tools) -> None:
    """Withdrawn at opset 10 in favour of Resize. Scales are 1 or more, so that nearest always rounded down."""
    if len(node.inputs) != 2:
        raise node.problem("ITG1006", f"it has {len(node.inputs)} inputs, but took 2 at operator set 9")
    if node.attributes.get("mode", "nearest") == "nearest" and tools.known(node.inputs[1]) is None:
        node.become("Resize", [node.inputs[0], "", node.inputs[1]], **_nearest("floor"))
        return
    asymmetric_resize(node, tools)


@adapter("Resize", before=11)
def asymmetric_resize(node: OldNode, tools: Tools) -> None:
    """Up to opset 10 output x was read at x / scale, rounded down where the axis grew and up where it shrank.

    The specification left the rounding open; its examples and ONNX Runtime agree on this.
    """
    mode = node.attributes.get("mode", "nearest")
    if len(node.inputs) != 2:
        raise node.problem("ITG1006", f"it has {len(node.inputs)} inputs, but took 2 at operator set {node.version}")
    data, scales = node.inputs
    if mode in ("linear", "bilinear"):
        node.become("Resize", [data, "", scales], mode="linear", coordinate_transformation_mode="asymmetric")
        return
    if mode != "nearest":
        raise node.problem("ITG1105", f'mode is "{mode}", expected "nearest" or "linear"')
    known = tools.known(scales)
    if known is None:
        # Along each axis one of the two does nothing.
        one = tools.constant(1, np.float32)
        data = tools.node("Resize", [data, "", tools.node("Min", [scales, one])], **_nearest("ceil"))
        node.become("Resize", [data, "", tools.node("Max", [scales, one])], **_nearest("floor"))
        return
    if not all(math.isfinite(s) and s > 0 for s in known.ravel().tolist()):
        raise node.problem("ITG1105", f"scales are {known.ravel().tolist()}, expected positive numbers")
    if (known < 1).any() and (known > 1).any():
        data = tools.node("Resize", [data, "", tools.constant(np.minimum(known, np.float32(1)))], **_nearest("ceil"))
        scales = tools.constant(np.maximum(known, np.float32(1)))
    node.become("Resize", [data, "", scales], **_nearest("ceil" if not (known > 1).any() else "floor"))


def _nearest(rounding: str) -> dict[str, str]:
    return {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": rounding}


@adapter("Resize", before=13)
def empty_inputs_are_absent(node: OldNode, tools: Tools) -> None:
    """At opsets 11 and 12 roi and scales had to be given even where they did nothing."""
    inputs: list[Name] = [node.first, *node.inputs[1:], *[""] * (4 - len(node.inputs))]
    if node.attributes.get("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize":
        inputs[1] = ""
    if inputs[3]:
        inputs[2] = ""
    while not inputs[-1]:
        inputs.pop()
    node.inputs = inputs


_HALF_PIXEL_ROUNDING = {"floor": "round_prefer_ceil", "round_prefer_floor": "ceil"}
"""Roundings of v + 0.5, and those of v that come to the same."""


@adapter("Resize", before=13)
def half_pixel_for_nearest(node: OldNode, tools: Tools) -> None:
    """Withdrawn at opset 13: a mode that read half a pixel further than half_pixel does."""
    if node.attributes.get("coordinate_transformation_mode") != "tf_half_pixel_for_nn":
        return
    mode, rounding = node.attributes.get("mode", "nearest"), node.attributes.get("nearest_mode", "round_prefer_floor")
    if mode != "nearest" or rounding not in _HALF_PIXEL_ROUNDING:
        how = f"rounding {rounding}" if mode == "nearest" else f"mode {mode}"
        raise node.problem("ITG1202", f'coordinate mode "tf_half_pixel_for_nn" with {how} has no newer form', "export for a newer one")
    node.attributes.update(coordinate_transformation_mode="half_pixel", nearest_mode=_HALF_PIXEL_ROUNDING[rounding])


@adapter("GridSample", before=20)
def modes_renamed(node: OldNode, tools: Tools) -> None:
    """Up to opset 19 the modes were named for two dimensions."""
    renamed = {"bilinear": "linear", "bicubic": "cubic"}
    mode = node.take("mode", str, "bilinear")
    node.attributes["mode"] = renamed.get(mode, mode)
