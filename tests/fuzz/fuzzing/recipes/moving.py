"""Operators that move, join, cut and fill, and those that make tensors of nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from ..arrays import is_float
from ..draw import Draw, kind_of
from ..schemas import FLOAT, INT64, STRING, dtype, types
from .elementwise import broadcast
from .registry import recipe


@recipe("Reshape")
def reshape(d: Draw) -> None:
    shape = d.shape(0, 4)
    d.data("T", shape)
    targets = [(math.prod(shape),), shape[::-1], (1, *shape), (*shape[:-2], math.prod(shape[-2:]))]
    target = list(d.pick([*targets, ()] if math.prod(shape) == 1 else targets))
    if target and math.prod(shape) and d.flag():
        target[d.between(0, len(target) - 1)] = -1
    for i, size in enumerate(target[: len(shape)]):
        if size == shape[i] and size and d.flag(4):
            target[i] = 0
    d.ints(target)
    if 0 in shape and -1 not in target:
        d.attribute("allowzero", 1)


@recipe("Flatten")
def flatten(d: Draw) -> None:
    shape = d.shape(0, 4)
    d.data("T", shape)
    if len(shape) == 0:
        d.attribute("axis", 0)
    else:
        d.maybe("axis", lambda: d.between(-len(shape), len(shape)))


@recipe("Transpose")
def transpose(d: Draw) -> None:
    shape = d.shape(0, 5)
    d.data("T", shape)
    if d.flag(4):
        return
    left = list(range(len(shape)))
    d.attribute("perm", [left.pop(d.between(0, len(left) - 1)) for _ in range(len(left))])


@recipe("Squeeze")
def squeeze(d: Draw) -> None:
    shape = list(d.shape(0, 3))
    places = sorted(d.between(0, len(shape)) for _ in range(d.between(1, 2)))
    for i, place in enumerate(places):
        shape.insert(place + i, 1)
    d.data("T", shape)
    if not d.flag(4):
        axes = [place + i for i, place in enumerate(places)]
        d.ints([axis - len(shape) if d.flag(3) else axis for axis in axes])


@recipe("Unsqueeze")
def unsqueeze(d: Draw) -> None:
    shape = d.shape(0, 3)
    d.data("T", shape)
    count = d.between(1, 2)
    d.ints(d.axes(len(shape) + count, count)[:count])


@recipe("Concat")
def concat(d: Draw) -> None:
    shape = d.shape(1, 4, most=600)
    axis = d.attribute("axis", d.axis(len(shape)))
    for i in range(d.between(1, 4)):
        sizes = list(shape)
        if i and d.flag():
            sizes[axis] = d.size(0, 7)
        d.data("T", sizes)


@recipe("Split")
def split(d: Draw) -> None:
    shape = list(d.shape(1, 4))
    axis = d.maybe("axis", lambda: d.axis(len(shape)))
    if d.flag():
        parts = [d.between(0, 4) for _ in range(d.between(1, 4))]
        shape[axis] = sum(parts)
        d.data("T", shape)
        d.ints(parts)
    else:
        parts = d.between(1, 4)
        shape[axis] = max(shape[axis], 1)
        parts = min(parts, shape[axis])
        while parts > 1 and -(-shape[axis] // parts) * (parts - 1) >= shape[axis]:
            parts -= 1
        d.data("T", shape)
        d.attribute("num_outputs", parts)
        parts = [0] * parts
    d.wanted = [True] * len(parts)


@recipe("Slice")
def slice_(d: Draw) -> None:
    shape = d.shape(1, 4)
    d.data("T", shape)
    axes = d.axes(len(shape), 1)
    form = d.between(0, 2)
    if form == 0:
        axes = list(range(len(axes)))
    kind = d.type("Tind")
    steps = [d.pick([1, 2, -1, 3, -2, 9]) if form == 2 else 1 for _ in axes]
    starts, ends = ([d.between(-9, 9) if d.flag() else 0 for _ in axes] for _ in range(2))
    far = np.iinfo(dtype(kind)).max
    ends = [far if d.flag(4) else end for end in ends]
    for i, step in enumerate(steps):
        if step < 0 and d.flag():
            starts[i], ends[i] = -1, -far
    for values in (starts, ends, axes, steps)[: 4 if form == 2 else 3 if form == 1 else 2]:
        d.ints(values, kind)


@recipe("Pad")
def pad(d: Draw) -> None:
    shape = d.shape(1, 4, most=300)
    mode = d.maybe("mode", lambda: d.pick(["constant", "reflect", "edge", "wrap"]))
    axes = d.axes(len(shape), 1) if d.flag() else list(range(len(shape)))
    limits = {"constant": lambda size: 3, "reflect": lambda size: max(0, size - 1)}
    most = [limits.get(mode, lambda size: min(3, size))(shape[axis]) for axis in axes]
    pads = [d.between(0, 3) for _ in range(2 * len(axes))]
    pads = [min(pad, most[i % len(axes)]) for i, pad in enumerate(pads)]
    if mode == "constant" and d.flag(4):
        pads = [-1 if d.flag(3) and shape[axes[i % len(axes)]] > 1 else pad for i, pad in enumerate(pads)]
    d.data("T", shape)
    d.ints(pads)
    whole = len(axes) == len(shape) and axes == list(range(len(shape)))
    if mode == "constant" and d.flag():
        d.data("T", ())
    elif not whole:
        d.skip()
    if not whole:
        d.ints(axes, "Tind")


@recipe("Tile")
def tile(d: Draw) -> None:
    shape = d.shape(0, 3, most=100)
    d.data("T", shape)
    d.ints([d.between(0 if d.empty else 1, 3) for _ in shape])


@recipe("Expand")
def expand(d: Draw) -> None:
    first, second = broadcast(d)
    d.data("T", first)
    d.ints(second)


@recipe("ConstantOfShape")
def constant_of_shape(d: Draw) -> None:
    d.ints(d.shape(0, 3))
    if d.flag():
        d.attribute("value", numpy_helper.from_array(d.array(d.type("T2"), (1,))))


@recipe("Constant")
def constant(d: Draw) -> None:
    form = d.between(0, 5)
    if form == 0:
        kind = d.type("T", strings=False)
        d.attribute("value", numpy_helper.from_array(d.array(kind, d.shape(0, 3)).astype(dtype(kind))))
    elif form == 1:
        d.attribute("value_float", d.real(-3, 3))
    elif form == 2:
        d.attribute("value_floats", [d.real(-3, 3) for _ in range(d.between(1, 4))])
    elif form == 3:
        d.attribute("value_int", d.between(-9, 9))
    elif form == 4:
        d.attribute("value_ints", [d.between(-9, 9) for _ in range(d.between(1, 4))])
    else:
        values = helper.make_tensor("v", FLOAT, (2,), [1.5, d.real(-2, 2)])
        indices = helper.make_tensor("i", INT64, (2,), [1, d.between(2, 5)])
        d.attribute("sparse_value", helper.make_sparse_tensor(values, indices, (2, 3)))


@recipe("Range")
def range_(d: Draw) -> None:
    kind = dtype(d.type("T"))
    step: Any = d.pick([1, 2, -1, 3]) if not is_float(kind) else d.pick([1.0, 0.5, -0.25, 2.0])
    start = d.between(-5, 5)
    count = d.between(0, 20)
    for value in (start, start + step * count, step):
        d.given(value, "shape", "T")


@recipe("EyeLike")
def eye_like(d: Draw) -> None:
    d.data("T1", d.shape(2, 2))
    if d.flag():
        d.attribute("dtype", d.type("T2"))
    d.maybe("k", lambda: d.between(-3, 3))


@recipe("Trilu")
def trilu(d: Draw) -> None:
    d.data("T", d.shape(2, 4))
    if d.flag():
        d.ints(d.between(-5, 5))  # type: ignore[arg-type] - a scalar
    d.maybe("upper", lambda: d.between(0, 1))


@recipe("DepthToSpace", "SpaceToDepth")
def depth_space(d: Draw) -> None:
    block = d.attribute("blocksize", d.between(1, 3))
    n, c, h, w = (d.size(1, 4) for _ in range(4))
    d.data("T", (n, c * block * block, h, w) if d.operator == "DepthToSpace" else (n, c, h * block, w * block))
    d.maybe("mode", lambda: d.pick(["DCR", "CRD"]))


@recipe("ReverseSequence")
def reverse_sequence(d: Draw) -> None:
    shape = d.shape(2, 4)
    batch = d.maybe("batch_axis", lambda: d.between(0, 1))
    time = 1 - batch
    if batch != 1:
        d.attribute("time_axis", time)
    d.data("T", shape)
    d.ints(d.choices.rng().integers(0, shape[time] + 1, shape[batch]) if shape[time] else np.zeros(shape[batch]), role="data")


@recipe("CenterCropPad")
def center_crop_pad(d: Draw) -> None:
    shape = d.shape(1, 4)
    axes = d.maybe("axes", lambda: d.axes(len(shape), 1), None)
    d.data("T", shape)
    d.ints([d.size(1, 9) for _ in (axes or shape)], "Tind")


@recipe("TensorScatter")
def tensor_scatter(d: Draw) -> None:
    batch, heads, length, width = d.size(1, 3), d.size(1, 3), d.size(3, 9), d.size(1, 5)
    rank = d.between(3, 4)
    shape = [batch, length, width] if rank == 3 else [batch, heads, length, width]
    axis = rank - 2
    if d.flag():
        d.attribute("axis", d.pick([axis, -2]))
    mode = d.maybe("mode", lambda: d.pick(["linear", "circular"]))
    update = d.between(1, 3)
    d.data("T", shape)
    d.data("T", [*shape[:axis], update, *shape[axis + 1 :]])
    if d.flag(4):
        return
    last = length - 1 if mode == "circular" else length - update
    d.ints(d.choices.rng().integers(0, last + 1, batch), role="data")


__all__ = ["STRING", "kind_of", "types"]
