"""Shapes, joins and parts: much of what tells them was an attribute first and is an input now."""

from __future__ import annotations

import numpy as np

from .model import case, floats, ints, scalar

X = floats(2, 3, 4)

case("Identity", "1-", "y = Identity(x)", x=X)
case("Shape Size", "1-", "y = {op}(x)", x=X)
case("Shape", "15-", "y = Shape <start = 1, end = -1> (x)", x=X)
case("Transpose", "1-", "y = Transpose <perm = [1, 2, 0]> (x) z = Transpose(x)", x=X)
case("Expand", "8-", "y = Expand(x, shape)", x=floats(3, 1), shape=ints(2, 1, 4))
case("CenterCropPad", "18", "y = CenterCropPad <axes = [1]> (x, shape)", x=X, shape=ints(5), held="shape")
case("Trilu", "14", "y = Trilu <upper = 0> (x, k)", x=X, k=scalar(1))

case("Reshape", "1", "y = Reshape <shape = [4, 0, -1], consumed_inputs = [0]> (x)", x=X, want=lambda x: x.reshape(4, 3, 2))
case("Reshape", "5-", "y = Reshape(x, shape)", x=X, shape=ints(4, 0, -1), held="shape")
case("Reshape", "5-", "y = Reshape(x, shape)", x=X, shape=ints(4, 0, -1), want=lambda x, shape: x.reshape(4, 3, 2))
case("Reshape", "14-", "y = Reshape <allowzero = 1> (x, shape)", x=floats(0, 3), shape=ints(3, 0), held="shape")
case("Flatten", "1-", "y = Flatten(x) z = Flatten <axis = 0> (x) w = Flatten <axis = 3> (x)", x=X)
case("Flatten", "11-", "y = Flatten <axis = -1> (x)", x=X)

case("Squeeze", "1-11", "y = Squeeze <axes = [0, 2]> (x) z = Squeeze(x)", x=floats(1, 3, 1))
case("Squeeze", "11", "y = Squeeze <axes = [-1]> (x)", x=floats(1, 3, 1))
case("Squeeze", "13-", "y = Squeeze(x, axes) z = Squeeze(x)", x=floats(1, 3, 1), axes=ints(-1), held="axes")
case("Unsqueeze", "1-11", "y = Unsqueeze <axes = [0, 3]> (x)", x=floats(3, 2))
case("Unsqueeze", "11", "y = Unsqueeze <axes = [-1, 0]> (x)", x=floats(3, 2))
case("Unsqueeze", "13-", "y = Unsqueeze(x, axes)", x=floats(3, 2), axes=ints(-1, 0), held="axes")

case("Concat", "1", "y = Concat(a, b)", a=floats(2, 3), b=floats(2, 1), want=lambda a, b: np.concatenate([a, b], 1))
case("Concat", "1-", "y = Concat <axis = 0> (a, b)", a=floats(2, 3), b=floats(1, 3), want=lambda a, b: np.concatenate([a, b], 0))
case("Concat", "4-", "y = Concat <axis = 1> (a, b)", a=floats(2, 3), b=floats(2, 1))
case("Concat", "11-", "y = Concat <axis = -1> (a, b, a)", a=floats(2, 3), b=floats(2, 1))


def parts(x: np.ndarray, *at: int, axis: int = 0) -> tuple[np.ndarray, ...]:
    return tuple(np.split(x, at, axis))


case("Split", "1-11", "y, z = Split <axis = 1, split = [1, 2]> (x)", x=X, want=lambda x: parts(x, 1, axis=1))
case("Split", "1-13", "y, z = Split <axis = 2> (x)", x=X, want=lambda x: parts(x, 2, axis=2))
case(
    "Split",
    "1",
    "y, z = Split <axis = 1> (x, lengths)",
    x=X,
    lengths=np.float32([1, 2]),
    held="lengths",
    want=lambda x, lengths: parts(x, 1, axis=1),
)
case("Split", "1", "y, z = Split <axis = 1> (x, lengths)", x=X, lengths=np.float32([1, 2]), want=lambda x, lengths: parts(x, 1, axis=1))
case("Split", "2-13", "y, z = Split(x)", x=X, want=lambda x: parts(x, 1))
case("Split", "11-13", "y, z = Split <axis = -1> (x)", x=X)
case("Split", "13-", "y, z = Split <axis = 1> (x, lengths)", x=X, lengths=ints(1, 2), held="lengths")
case("Split", "18", "y, z = Split <axis = 1, num_outputs = 2> (x)", x=X)

case("Slice", "1", "y = Slice <starts = [0, -3], ends = [-1, 99]> (x)", x=floats(5, 6), want=lambda x: x[0:-1, -3:])
case("Slice", "1", "y = Slice <starts = [1, 0], ends = [3, 2], axes = [2, 0]> (x)", x=X, want=lambda x: x[0:2, :, 1:3])
case("Slice", "10-", "y = Slice(x, starts, ends, axes)", x=X, starts=ints(1, 0), ends=ints(3, 2), axes=ints(2, 0), held="starts ends axes")
case(
    "Slice",
    "10-",
    "y = Slice(x, starts, ends, , steps)",
    x=floats(5),
    starts=ints(-1),
    ends=ints(-99),
    steps=ints(-2),
    held="starts ends steps",
)
case("Slice", "11-", "y = Slice(x, starts, ends, axes)", x=X, starts=ints(1), ends=ints(3), axes=ints(-1), held="starts ends axes")

case(
    "Pad",
    "1",
    "y = Pad <paddings = [0, 1, 2, 0], value = 1.5> (x)",
    x=floats(2, 3),
    want=lambda x: np.pad(x, ((0, 2), (1, 0)), constant_values=1.5),
)
case("Pad", "1", 'y = Pad <paddings = [0, 1, 0, 1], mode = "edge"> (x)', x=floats(2, 3), want=lambda x: np.pad(x, ((0, 0), (1, 1)), "edge"))
case("Pad", "2", "y = Pad <pads = [0, 1, 2, 0], value = 1.5> (x)", x=floats(2, 3))
case("Pad", "2", 'y = Pad <pads = [0, 1, 0, 2], mode = "reflect"> (x)', x=floats(2, 3))
case("Pad", "2", "y = Pad <pads = [0, -1, 1, 0]> (x)", x=floats(2, 3))
case("Pad", "11-", "y = Pad(x, pads, value)", x=floats(2, 3), pads=ints(0, 1, 2, 0), value=scalar(1.5, np.float32), held="pads")
case("Pad", "11-", 'y = Pad <mode = "edge"> (x, pads)', x=floats(2, 3), pads=ints(0, 1, 0, 2), held="pads")
case("Pad", "18-", "y = Pad(x, pads, , axes)", x=floats(2, 3), pads=ints(1, 2), axes=ints(-1), held="pads axes")
case("Pad", "19-", 'y = Pad <mode = "wrap"> (x, pads)', x=floats(3, 2), pads=ints(2, 1, 1, 1), held="pads")


def tiled(x: np.ndarray, tiles: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return np.concatenate([x] * int(tiles.item()), int(axis.item()))


ONE_AXIS = {"x": X, "tiles": np.float32([2]), "axis": np.float32([1])}
case("Tile", "1", "y = Tile(x, tiles, axis)", **ONE_AXIS, held="tiles axis", want=tiled)
case("Tile", "1", "y = Tile(x, tiles, axis)", **ONE_AXIS, held="axis", want=tiled)
case("Tile", "1", "y = Tile(x, tiles, axis)", **ONE_AXIS, want=tiled)
case("Tile", "6-", "y = Tile(x, repeats)", x=X, repeats=ints(1, 2, 3), held="repeats")

IMAGE = floats(2, 8, 2, 3)


def space_of_depth(x: np.ndarray) -> np.ndarray:
    n, c, h, w = x.shape
    return x.reshape(n, 2, 2, c // 4, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c // 4, 2 * h, 2 * w)


def depth_of_space(x: np.ndarray) -> np.ndarray:
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 3, 5, 1, 2, 4).reshape(n, 4 * c, h // 2, w // 2)


case("DepthToSpace", "1-", "y = DepthToSpace <blocksize = 2> (x)", x=IMAGE, want=space_of_depth)
case("DepthToSpace", "11-", 'y = DepthToSpace <blocksize = 2, mode = "CRD"> (x)', x=IMAGE)
case("SpaceToDepth", "1-", "y = SpaceToDepth <blocksize = 2> (x)", x=floats(2, 3, 4, 6), want=depth_of_space)
case("SpaceToDepth", "28", 'y = SpaceToDepth <blocksize = 2, mode = "CRD"> (x)', x=floats(2, 3, 4, 6), by="reference")
