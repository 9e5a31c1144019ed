"""Operators on images: sampling, and regions of interest."""

from __future__ import annotations

import numpy as np

from ..draw import Draw
from ..schemas import FLOAT, FLOATS, INT64
from .registry import recipe


@recipe("Resize")
def resize(d: Draw) -> None:
    mode = d.maybe("mode", lambda: d.pick(["nearest", "linear", "cubic"]))
    rank = d.between(1, 3)
    shape = [d.size(1, 7) for _ in range(rank)] if mode != "cubic" else [d.size(1, 2), 1, d.size(2, 7), d.size(2, 7)]
    rank = len(shape)
    axes = [rank - 2, rank - 1] if mode == "cubic" else list(range(rank))
    if mode == "cubic" or d.flag(3):
        d.attribute("axes", axes)
    transformation = d.maybe(
        "coordinate_transformation_mode",
        lambda: d.pick(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric", "tf_crop_and_resize"]),
    )
    if mode == "nearest":
        d.maybe("nearest_mode", lambda: d.pick(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]))
    else:
        d.maybe("antialias", lambda: d.between(0, 1))
        d.maybe("exclude_outside", lambda: d.between(0, 1))
    if mode == "cubic":
        d.maybe("cubic_coeff_a", lambda: d.pick([-0.5, -0.75]))
    if transformation == "tf_crop_and_resize":
        d.maybe("extrapolation_value", lambda: d.real(-1, 1))
    d.data("T1", shape)
    if transformation == "tf_crop_and_resize":
        d.given([0.0] * len(axes) + [d.pick([1.0, 0.5, 1.25]) for _ in axes], type="T2")
    else:
        d.skip()
    if d.flag():
        d.skip()
        if d.flag(3):
            d.attribute("keep_aspect_ratio_policy", d.pick(["not_larger", "not_smaller", "stretch"]))
        d.ints([d.between(1, 9) for _ in axes])
    else:
        d.given([d.pick([2.0, 0.5, 1.0, 1.5, 3.0]) for _ in axes], "shape", FLOAT)


@recipe("Upsample")
def upsample(d: Draw) -> None:
    mode = d.maybe("mode", lambda: d.pick(["nearest", "linear"]))
    shape = [1, 1, d.size(1, 5), d.size(1, 5)] if mode == "linear" else [d.size(1, 4) for _ in range(d.between(1, 4))]
    d.data("T", shape)
    scales = [d.pick([1.0, 2.0, 3.0, 1.5]) for _ in shape]
    d.given([1.0, 1.0, *scales[2:]] if mode == "linear" else scales, "shape", FLOAT)


@recipe("GridSample")
def grid_sample(d: Draw) -> None:
    rank = d.between(2, 3)
    mode = d.maybe("mode", lambda: d.pick(["linear", "nearest", *(["cubic"] if rank == 2 else [])]))
    batch = d.size(1, 2)
    kind = d.type("T1", only=None if mode == "nearest" else FLOATS)
    d.data(kind, [batch, d.size(1, 3), *(d.size(1, 5) for _ in range(rank))])
    grid = d.choices.rng().uniform(-1.3, 1.3, [batch, *(d.size(1, 5) for _ in range(rank)), rank])
    d.given(grid, type="T2")
    d.maybe("align_corners", lambda: d.between(0, 1))
    d.maybe("padding_mode", lambda: d.pick(["zeros", "border", "reflection"]))


@recipe("AffineGrid")
def affine_grid(d: Draw) -> None:
    rank = d.between(2, 3)
    batch = d.size(1, 3)
    d.data("T1", [batch, rank, rank + 1])
    d.ints([batch, 2, *(d.size(2, 5) for _ in range(rank))])
    d.maybe("align_corners", lambda: d.between(0, 1))


def _boxes(d: Draw, count: int, height: int, width: int) -> np.ndarray:
    rng = d.choices.rng()
    first = rng.uniform(0, [width / 2, height / 2], (count, 2))
    return np.concatenate([first, first + rng.uniform(0.5, [width / 2 + 0.5, height / 2 + 0.5], (count, 2))], axis=1)


@recipe("RoiAlign")
def roi_align(d: Draw) -> None:
    batch, height, width, count = d.size(1, 2), d.size(2, 7), d.size(2, 7), d.size(1, 4)
    d.data("T1", [batch, d.size(1, 3), height, width])
    d.given(_boxes(d, count, height, width), type="T1")
    d.given(d.choices.rng().integers(0, max(batch, 1), count), type=INT64)
    d.maybe("coordinate_transformation_mode", lambda: d.pick(["half_pixel", "output_half_pixel"]))
    d.maybe("mode", lambda: d.pick(["avg", "max"]))
    d.maybe("output_height", lambda: d.between(1, 3))
    d.maybe("output_width", lambda: d.between(1, 3))
    d.maybe("sampling_ratio", lambda: d.between(0, 3))
    d.maybe("spatial_scale", lambda: d.pick([1.0, 0.5]))


@recipe("MaxRoiPool")
def max_roi_pool(d: Draw) -> None:
    batch, height, width, count = d.size(1, 2), d.size(2, 7), d.size(2, 7), d.size(1, 4)
    d.data("T", [batch, d.size(1, 3), height, width])
    boxes = np.floor(_boxes(d, count, height, width))
    d.given(np.concatenate([d.choices.rng().integers(0, max(batch, 1), (count, 1)), boxes], axis=1), type="T")
    d.attribute("pooled_shape", [d.between(1, 3), d.between(1, 3)])
    d.maybe("spatial_scale", lambda: d.pick([1.0, 0.5]))
