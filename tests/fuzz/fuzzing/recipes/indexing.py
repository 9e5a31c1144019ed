"""Operators that take or give indices."""

from __future__ import annotations

import math

import numpy as np

from ..draw import Draw
from ..schemas import BOOL, FLOAT, INT64, dtype
from .registry import recipe


def _indices(d: Draw, size: int, shape: tuple[int, ...], *, negative: bool = True) -> np.ndarray:
    return np.asarray(d.choices.rng().integers(-size if negative else 0, size, shape))


@recipe("Gather")
def gather(d: Draw) -> None:
    shape = _filled(d, 1, 4)
    axis = d.maybe("axis", lambda: d.axis(len(shape)))
    d.data("T", shape)
    d.given(_indices(d, shape[axis], d.shape(0, 2, most=40)), type="Tind")


@recipe("GatherElements")
def gather_elements(d: Draw) -> None:
    shape = _filled(d, 1, 4)
    axis = d.maybe("axis", lambda: d.axis(len(shape)))
    d.data("T", shape)
    d.given(_indices(d, shape[axis], _smaller(d, shape, axis)), type="Tind")


def _filled(d: Draw, low: int, high: int, most: int = 400) -> tuple[int, ...]:
    return tuple(max(1, size) for size in d.shape(low, high, most=most))


def _smaller(d: Draw, shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """As large as `shape` or smaller, and of any size along the axis."""
    sizes = [max(1, size - d.between(0, 2)) for size in shape]
    sizes[axis] = d.size(1, 7)
    return tuple(sizes)


@recipe("GatherND")
def gather_nd(d: Draw) -> None:
    shape = _filled(d, 1, 4)
    batch = d.maybe("batch_dims", lambda: d.between(0, len(shape) - 1))
    depth = d.between(1, len(shape) - batch)
    lead = (*shape[:batch], *(d.size(1, 4) for _ in range(d.between(0, 2))))
    d.data("T", shape)
    d.ints(np.stack([_indices(d, shape[batch + i], lead) for i in range(depth)], axis=-1), role="data")


@recipe("Scatter", "ScatterElements")
def scatter_elements(d: Draw) -> None:
    shape = _filled(d, 1, 4)
    axis = d.maybe("axis", lambda: d.axis(len(shape)))
    small = list(_smaller(d, shape, axis))
    reduction = d.maybe("reduction", lambda: d.pick(["none", "add", "mul", "max", "min"])) if d.operator == "ScatterElements" else "none"
    if reduction == "none":
        small[axis] = min(small[axis], shape[axis])
    d.data("T", shape)
    if reduction == "none":  # which of two updates of one element stays is not said
        rng = d.choices.rng()
        orders = np.stack([rng.permutation(shape[axis])[: small[axis]] for _ in range(math.prod(small) // small[axis])])
        moved = [size for i, size in enumerate(small) if i != axis % len(shape)]
        d.given(np.moveaxis(orders.reshape(*moved, small[axis]), -1, axis), type="Tind")
    else:
        d.given(_indices(d, shape[axis], tuple(small)), type="Tind")
    d.data("T", small)


@recipe("ScatterND")
def scatter_nd(d: Draw) -> None:
    shape = _filled(d, 1, 4)
    depth = d.between(1, len(shape))
    reduction = d.maybe("reduction", lambda: d.pick(["none", "add", "mul", "max", "min"]))
    count = d.size(1, 5)
    rooms = math.prod(shape[:depth])
    flat = d.choices.rng().integers(0, rooms, count) if reduction != "none" else d.choices.rng().permutation(rooms)[:count]
    d.data("T", shape)
    d.ints(np.stack(np.unravel_index(flat, shape[:depth]), axis=-1), role="data")
    d.data("T", (len(flat), *shape[depth:]))


@recipe("OneHot")
def one_hot(d: Draw) -> None:
    shape = d.shape(0, 3, most=100)
    depth = d.between(1, 9)
    kind = dtype(d.type("T1"))
    negative = kind.kind != "u"
    d.given(_indices(d, depth + 2, shape, negative=negative), type="T1")
    d.given(depth if d.flag() else [depth], "shape", "T2")
    d.data("T3", (2,))
    d.maybe("axis", lambda: d.axis(len(shape) + 1))


@recipe("Compress")
def compress(d: Draw) -> None:
    shape = d.shape(1, 4)
    axis = d.maybe("axis", lambda: d.axis(len(shape)))
    along = math.prod(shape) if axis is None else shape[axis]
    d.data("T", shape)
    d.data(BOOL, (max(0, along - d.between(0, 2)),))


@recipe("Unique")
def unique(d: Draw) -> None:
    shape = d.shape(1, 3, most=200)
    d.maybe("axis", lambda: d.axis(len(shape)))
    d.data("T", shape)
    d.maybe("sorted", lambda: d.between(0, 1))
    d.outputs(4)


@recipe("NonMaxSuppression")
def non_max_suppression(d: Draw) -> None:
    batches, classes, boxes = d.size(1, 2), d.size(1, 3), d.size(1, 9)
    rng = d.choices.rng()
    corner = rng.uniform(0, 4, (batches, boxes, 2))
    extent = rng.uniform(0.5, 3, (batches, boxes, 2))
    center = d.maybe("center_point_box", lambda: d.between(0, 1))
    d.given(np.concatenate([corner, extent if center else corner + extent], axis=-1), type=FLOAT)
    d.given(rng.permutation(batches * classes * boxes).reshape(batches, classes, boxes) / 100, type=FLOAT)
    given = d.between(0, 3)
    for i in range(given):
        d.given([d.between(0, 5)] if i == 0 else [d.real(0, 1)], type=INT64 if i == 0 else FLOAT)
