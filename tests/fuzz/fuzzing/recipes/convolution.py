"""Convolutions and pooling: windows that slide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..draw import Draw
from ..schemas import INT64
from .registry import recipe


@dataclass
class Window:
    """What slides over `sizes`, an axis each."""

    sizes: list[int]
    kernel: list[int]


def window(d: Draw, *, same: bool = True, ceil: bool = False, most_rank: int = 3, small_pads: bool = False) -> Window:
    """A window that fits, with its strides, dilations and pads as attributes."""
    rank = d.between(1, most_rank)
    most = 4 if rank < 3 else 3
    kernel = [d.between(1, most) for _ in range(rank)]
    form = d.between(0, 3 if same else 1)
    # What SAME means for a pool with dilations, the references tell in three ways.
    dilated = form < 2 or not ceil
    dilations = (d.maybe("dilations", lambda: [d.between(1, 2) for _ in range(rank)]) if dilated else None) or [1] * rank
    d.maybe("strides", lambda: [d.between(1, 3) for _ in range(rank)])
    extents = [(k - 1) * dilation + 1 for k, dilation in zip(kernel, dilations, strict=True)]
    if form == 1:
        pads = [d.between(0, min(2, k - 1) if small_pads else 2) for k in (*kernel, *kernel)]
        d.attribute("pads", pads)
    elif form > 1:
        d.attribute("auto_pad", d.pick(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]))
    if ceil:
        d.maybe("ceil_mode", lambda: d.between(0, 1))
    sizes = [d.size(extent, extent + (9 if rank < 3 else 4)) for extent in extents]
    return Window(sizes, kernel)


@recipe("Conv")
def conv(d: Draw) -> None:
    d.plain()
    slide = window(d)
    shapes = _filters(d, slide)
    d.data("T", shapes[0])
    d.data("T", shapes[1])
    if d.flag():
        d.data("T", (shapes[1][0],))


def _filters(d: Draw, slide: Window) -> tuple[list[int], list[int]]:
    """The shapes of an image and of its filters; groups, up to depthwise, and sometimes more channels than a vector holds."""
    group = d.maybe("group", lambda: d.pick([1, 2, 3, 16]), 1)
    inner = 1 if group == 16 else d.pick([1, 2, 3, 16, 17])
    outer = 1 if group == 16 else d.pick([1, 2, 3, 16, 33])
    d.maybe("kernel_shape", lambda: slide.kernel)
    return [d.size(1, 3), group * inner, *slide.sizes], [group * outer, inner, *slide.kernel]


@recipe("ConvInteger")
def conv_integer(d: Draw) -> None:
    slide = window(d)
    shapes = _filters(d, slide)
    d.data("T1", shapes[0], 0, 200)
    d.data("T2", shapes[1], -100, 100)
    if d.flag():
        d.data("T1", (), 0, 9)
        if d.flag():
            d.data("T2", () if d.flag() else (shapes[1][0],), 0, 9)


@recipe("QLinearConv")
def q_linear_conv(d: Draw) -> None:
    slide = window(d)
    shapes = _filters(d, slide)
    channels = () if d.flag() else (shapes[1][0],)
    d.data("T1", shapes[0], 0, 60)
    d.given(d.pick([0.25, 0.5, 0.02]), type=1)
    d.data("T1", (), 0, 9)
    d.data("T2", shapes[1], -60, 60)
    d.data(1, channels, 0.1, 1)
    d.given(np.zeros(channels) if channels else d.between(0, 9), type="T2")
    d.given(d.pick([8.0, 30.0, 3.0]), type=1)
    d.data("T3", (), 0, 9)
    if d.flag():
        d.data("T4", (shapes[1][0],), -100, 100)


@recipe("ConvTranspose")
def conv_transpose(d: Draw) -> None:
    d.plain()
    rank = d.between(1, 3)
    kernel = [d.between(1, 3) for _ in range(rank)]
    d.maybe("dilations", lambda: [d.between(1, 2) for _ in range(rank)])
    strides = d.maybe("strides", lambda: [d.between(1, 3) for _ in range(rank)]) or [1] * rank
    sizes = [d.size(2, 6) for _ in range(rank)]
    group = d.maybe("group", lambda: d.pick([1, 2, 3]), 1)
    form = d.between(0, 3)
    if form == 1:
        d.attribute("pads", [d.between(0, k - 1) for k in (*kernel, *kernel)])
        d.attribute("output_padding", [d.between(0, stride - 1) for stride in strides])
    elif form == 2:
        d.attribute("auto_pad", d.pick(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    d.maybe("kernel_shape", lambda: kernel)
    inner, outer = d.pick([1, 2, 3, 17]), d.pick([1, 2, 3, 16])
    d.data("T", [d.size(1, 2), group * inner, *sizes])
    d.data("T", [group * inner, outer, *kernel])
    if d.flag():
        d.data("T", (group * outer,))


@recipe("DeformConv")
def deform_conv(d: Draw) -> None:
    kernel = [d.between(1, 3) for _ in range(2)]
    sizes = [d.size(3, 6) for _ in range(2)]
    strides = d.maybe("strides", lambda: [d.between(1, 2) for _ in range(2)]) or [1, 1]
    pads = d.maybe("pads", lambda: [d.between(0, 1) for _ in range(4)]) or [0] * 4
    group, offsets = d.maybe("group", lambda: d.between(1, 2)), d.maybe("offset_group", lambda: d.between(1, 2))
    out = [(sizes[i] + pads[i] + pads[i + 2] - kernel[i]) // strides[i] + 1 for i in range(2)]
    batch = d.size(1, 2)
    inner, outer = 2 * d.between(1, 2) // group, d.between(1, 2)
    d.data("T", [batch, group * inner, *sizes])
    d.data("T", [group * outer, inner, *kernel])
    d.data("T", [batch, 2 * offsets * kernel[0] * kernel[1], *out], -1.5, 1.5)
    form = d.between(0, 2)
    if form:
        d.data("T", [group * outer])
    if form == 2:
        d.data("T", [batch, offsets * kernel[0] * kernel[1], *out], 0, 1)
    d.maybe("kernel_shape", lambda: kernel)


@recipe("AveragePool", "LpPool", "MaxPool")
def pool(d: Draw) -> None:
    slide = window(d, ceil=True, small_pads=True)
    d.plain()
    d.attribute("kernel_shape", slide.kernel)
    d.data("T", [d.size(1, 3), d.pick([1, 2, 3, 16, 17]), *slide.sizes])
    if d.operator == "AveragePool":
        d.maybe("count_include_pad", lambda: d.between(0, 1))
    elif d.operator == "LpPool":
        d.maybe("p", lambda: d.between(1, 3))
    else:
        d.maybe("storage_order", lambda: d.between(0, 1))
        d.outputs(2)


@recipe("MaxUnpool")
def max_unpool(d: Draw) -> None:
    sizes = [d.size(2, 4) for _ in range(2)]
    d.attribute("kernel_shape", [2, 2])
    d.attribute("strides", [2, 2])
    batch, channels = d.size(1, 2), d.size(1, 2)
    whole = 4 * sizes[0] * sizes[1]
    rng = d.choices.rng()
    where = np.stack([rng.permutation(whole)[: whole // 4] + i * whole for i in range(batch * channels)])
    d.data("T1", [batch, channels, *sizes])
    d.given(where.reshape(batch, channels, *sizes), type=INT64)
    if d.flag():
        d.ints([batch, channels, 2 * sizes[0], 2 * sizes[1]])


@recipe("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(d: Draw) -> None:
    d.plain()
    d.data("T", [d.size(1, 3), d.size(1, 17), *(d.size(2, 6) for _ in range(d.between(1, 3)))])
    if d.operator == "GlobalLpPool":
        d.maybe("p", lambda: d.between(1, 3))


@recipe("Col2Im")
def col2im(d: Draw) -> None:
    rank = d.between(1, 2)
    block = [d.between(1, 3) for _ in range(rank)]
    strides = d.maybe("strides", lambda: [d.between(1, 2) for _ in range(rank)]) or [1] * rank
    dilations = d.maybe("dilations", lambda: [d.between(1, 2) for _ in range(rank)]) or [1] * rank
    pads = d.maybe("pads", lambda: [d.between(0, 1) for _ in range(2 * rank)]) or [0] * 2 * rank
    image = [(b - 1) * dilation + 1 + d.size(1, 4) for b, dilation in zip(block, dilations, strict=True)]
    counts = [(image[i] + pads[i] + pads[i + rank] - (block[i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in range(rank)]
    d.data("T", [d.size(1, 2), d.size(1, 3) * int(np.prod(block)), int(np.prod(counts))])
    d.ints(image)
    d.ints(block)
