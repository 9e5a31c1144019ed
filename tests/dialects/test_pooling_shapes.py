"""Shapes of pools."""

import numpy as np
import pytest
from intaglio.dialects.onnx.dims import substitute
from intaglio.dialects.onnx.pooling import (
    AveragePoolOp,
    GlobalAveragePoolOp,
    GlobalLpPoolOp,
    GlobalMaxPoolOp,
    LpPoolOp,
    MaxPoolOp,
    MaxRoiPoolOp,
    MaxUnpoolOp,
    RoiAlignOp,
)
from intaglio.errors import ShapeError


def f(*dims):
    return ("float", dims)


POOLS = [
    {"kernel_shape": [3, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1},
    {"kernel_shape": [1, 1], "strides": [4, 5], "ceil_mode": 1, "pads": [0, 0, 0, 0]},
    {"kernel_shape": [3, 3], "strides": [2, 3], "ceil_mode": 1, "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 2], "dilations": [2, 3], "pads": [1, 0, 2, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 3], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [3, 3], "strides": [2, 3], "auto_pad": "SAME_LOWER", "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 3], "auto_pad": "VALID"},
]


@pytest.mark.parametrize("attributes", POOLS)
@pytest.mark.parametrize("x", [(1, 3, 8, 9), (2, 0, 7, 10)])
def test_pools(agrees, attributes, x):
    agrees(MaxPoolOp, [f(*x)], **attributes)
    agrees(AveragePoolOp, [f(*x)], count_include_pad=1, **attributes)
    agrees(LpPoolOp, [f(*x)], p=3, **attributes)


@pytest.mark.parametrize("attributes", POOLS)
def test_symbolic_pools_meet_the_static_ones(infer, attributes):
    height, width = infer(MaxPoolOp, [f(1, 3, "H", "W")], **attributes).results[0][1][2:]
    for size in range(5, 16):
        static = infer(MaxPoolOp, [f(1, 3, size, size)], **attributes).results[0][1]
        assert (substitute(height, {"H": size}), substitute(width, {"W": size})) == static[2:]


def test_valid_ignores_ceil_mode(infer):
    """The specification's formula for VALID with ceil_mode, ceil((8 - 3 + 1) / 2), is the floor of the usual one."""
    found = infer(MaxPoolOp, [f(1, 1, 8)], kernel_shape=[3], strides=[2], auto_pad="VALID", ceil_mode=1)
    assert found.results[0][1] == (1, 1, 3)


@pytest.mark.parametrize(
    ("x", "attributes"),
    [
        ((1, 3), {"kernel_shape": [2]}),
        ((1, 3, 8), {"kernel_shape": [2, 2]}),
        ((1, 3, 8), {"kernel_shape": [0]}),
        ((1, 3, 8), {"kernel_shape": [9]}),
        ((1, 3, 8), {"kernel_shape": [2**62], "dilations": [2**62]}),
        ((1, 3, 8), {"kernel_shape": [2], "storage_order": 2}),
    ],
)
def test_pools_refuse(infer, x, attributes):
    with pytest.raises(ShapeError):
        infer(MaxPoolOp, [f(*x)], **attributes)


@pytest.mark.parametrize("cls", [GlobalAveragePoolOp, GlobalMaxPoolOp, GlobalLpPoolOp])
@pytest.mark.parametrize("x", [(2, 3, 4), (2, 3, 4, 5, 6), (0, 3, 1)])
def test_global_pools(agrees, cls, x):
    agrees(cls, [f(*x)])


def test_max_unpool(agrees, infer):
    agrees(MaxUnpoolOp, [f(1, 2, 3, 4), ("int64", (1, 2, 3, 4))], kernel_shape=[2, 3], strides=[2, 2], pads=[0, 1, 0, 1])
    asked = infer(MaxUnpoolOp, [f(1, 2, 3, 4), ("int64", (1, 2, 3, 4)), np.array([1, 2, 7, 9])], kernel_shape=[2, 2], strides=[2, 2])
    assert asked.results[0][1] == (1, 2, 7, 9)
    for shape in ([1, 2, 7], [1, 3, 7, 9], [1, 2, -7, 9]):
        with pytest.raises(ShapeError):
            infer(MaxUnpoolOp, [f(1, 2, 3, 4), ("int64", (1, 2, 3, 4)), np.array(shape)], kernel_shape=[2, 2])
    with pytest.raises(ShapeError):
        infer(MaxUnpoolOp, [f(1, 2, 3, 4), ("int64", (1, 2, 3, 5))], kernel_shape=[2, 2])


def test_regions(agrees, infer):
    agrees(MaxRoiPoolOp, [f(1, 3, 8, 9), f(7, 5)], pooled_shape=[2, 4])
    agrees(RoiAlignOp, [f(1, 3, 8, 9), f(7, 4), ("int64", (7,))], output_height=2, output_width=5)
    agrees(RoiAlignOp, [f(1, 3, 8, 9), f(0, 4), ("int64", (0,))])
    with pytest.raises(ShapeError):
        infer(RoiAlignOp, [f(1, 3, 8, 9), f(7, 5), ("int64", (7,))])
    with pytest.raises(ShapeError):
        infer(RoiAlignOp, [f(1, 3, 8, 9), f(7, 4), ("int64", (6,))])
    with pytest.raises(ShapeError, match="mode"):
        infer(RoiAlignOp, [f(1, 3, 8, 9), f(7, 4), ("int64", (7,))], mode="sum")
