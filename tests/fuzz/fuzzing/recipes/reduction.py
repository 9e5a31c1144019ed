"""Reductions, scans along an axis, and what normalises over axes."""

from __future__ import annotations

import math

from ..draw import Draw
from ..schemas import FLOAT, FLOATS
from .registry import recipe

_RANGES = {"ReduceProd": (0.5, 1.5), "ReduceLogSum": (0.1, 4)}


@recipe(
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"),
    "ReduceSumSquare",
)
def reduce(d: Draw) -> None:
    shape = d.shape(0, 5)
    kind = d.type("T")
    bounds = _RANGES.get(d.operator, (None, None)) if kind in FLOATS and not d.extreme else (None, None)
    if d.operator in ("ReduceProd", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceSum", "ReduceMean") and kind not in FLOATS:
        bounds = (-2, 2)  # what an integer overflows to is not said
    d.data("T", shape, *bounds)
    if not d.flag(3):
        d.ints(d.axes(len(shape)))
    d.maybe("keepdims", lambda: d.between(0, 1))
    d.maybe("noop_with_empty_axes", lambda: d.between(0, 1))


@recipe("ArgMax", "ArgMin")
def arg(d: Draw) -> None:
    shape = d.shape(1, 4)
    d.data("T", shape)
    d.maybe("axis", lambda: d.axis(len(shape)))
    d.maybe("keepdims", lambda: d.between(0, 1))
    d.maybe("select_last_index", lambda: d.between(0, 1))


@recipe("CumSum", "CumProd")
def cumulative(d: Draw) -> None:
    shape = d.shape(1, 4)
    d.data("T", shape, *((0.5, 1.5) if d.operator == "CumProd" and d.type("T") in FLOATS else (None, None)))
    d.ints(d.axis(len(shape)), "T2")  # type: ignore[arg-type] - a scalar
    d.maybe("exclusive", lambda: d.between(0, 1))
    d.maybe("reverse", lambda: d.between(0, 1))


@recipe("Softmax", "LogSoftmax")
def softmax(d: Draw) -> None:
    shape = d.shape(1, 4)
    d.data("T", shape)
    d.maybe("axis", lambda: d.axis(len(shape)))


@recipe("TopK")
def top_k(d: Draw) -> None:
    """Of numbers that are all different where they are not sorted: the order of what is equal is not said."""
    shape = d.shape(1, 4)
    axis = d.maybe("axis", lambda: d.axis(len(shape)))
    d.data("T", shape)
    d.ints([d.between(0 if d.empty else 1, 33) % (shape[axis] + 1) or min(1, shape[axis])])
    d.maybe("largest", lambda: d.between(0, 1))
    d.outputs(2, 2)


@recipe("LayerNormalization")
def layer_normalization(d: Draw) -> None:
    shape = d.shape(1, 4)
    axis = d.maybe("axis", lambda: d.axis(len(shape)))
    d.data("T", shape)
    for _ in range(d.between(1, 2)):
        d.data("T", _scale(d, shape, axis))
    _epsilon(d)
    d.outputs(3)


@recipe("RMSNormalization")
def rms_normalization(d: Draw) -> None:
    shape = d.shape(1, 4)
    axis = d.maybe("axis", lambda: d.axis(len(shape)))
    d.data("T", shape)
    d.type("V", only=[d.type("T")])  # of two types the references make the first, the specification the second
    d.data("V", _scale(d, shape, axis))
    _epsilon(d)


def _scale(d: Draw, shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The normalised part of a shape."""
    return shape[axis % len(shape) :]


@recipe("InstanceNormalization", "GroupNormalization", "BatchNormalization")
def channels(d: Draw) -> None:
    groups = d.pick([1, 2, 3]) if d.operator == "GroupNormalization" else 1
    channels = groups * d.size(1, 4 if groups > 1 else 17)
    rank = d.between(1 if d.operator == "GroupNormalization" else 0 if d.operator == "BatchNormalization" else 1, 3)
    shape = (d.size(1, 4), channels, *(d.size(2, 5) for _ in range(rank)))
    d.data("T", shape)
    first, rest = ("T1", "T2") if d.operator == "BatchNormalization" else ("T", "T")
    d.data(first, (channels,))
    d.data(first, (channels,))
    if d.operator == "GroupNormalization":
        d.attribute("num_groups", groups)
    if d.operator == "BatchNormalization":
        d.data(rest, (channels,))
        d.data(rest, (channels,), 0.1, 4)
        d.maybe("momentum", lambda: d.real(0, 1))
        if math.prod(shape) and d.flag():
            d.attribute("training_mode", 1)
            d.outputs(3, 3)
    _epsilon(d)


@recipe("MeanVarianceNormalization")
def mean_variance(d: Draw) -> None:
    shape = tuple(d.size(2, 5) for _ in range(4))
    d.data("T", shape)
    d.maybe("axes", lambda: sorted({axis % 4 for axis in d.axes(4, 1)}))


@recipe("LRN")
def lrn(d: Draw) -> None:
    d.data("T", (d.size(1, 3), d.size(1, 7), *(d.size(1, 5) for _ in range(d.between(1, 3)))))
    d.attribute("size", d.pick([1, 3, 5, 2, 4]))
    d.maybe("alpha", lambda: d.real(0.01, 1))
    d.maybe("beta", lambda: d.real(0.25, 1))
    d.maybe("bias", lambda: d.real(0.5, 2))


def _epsilon(d: Draw) -> None:
    d.maybe("epsilon", lambda: d.pick([1e-3, 0.1]))
    if "stash_type" in d.schema.attributes:
        d.maybe("stash_type", lambda: FLOAT)
