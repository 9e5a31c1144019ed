"""Shapes of image operators."""

import numpy as np
import pytest
from intaglio.dialects.onnx.dims import substitute
from intaglio.dialects.onnx.image import AffineGridOp, GridSampleOp, ImageDecoderOp, NonMaxSuppressionOp, ResizeOp, UpsampleOp
from intaglio.errors import ShapeError


def f(*dims):
    return ("float", dims)


def floats(*values):
    return np.array(values, np.float32)


def ints(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("x", "scales"),
    [
        ((1, 3, 7, 9), (1, 1, 2, 2)),
        ((1, 3, 7, 9), (1, 1, 0.6, 1.7)),
        ((1, 10), (1, 0.7)),
        ((3,), (1 / 3,)),
        ((2, 0), (2, 3)),
        ((2, 3), (1, 0.1)),
    ],
)
def test_resize_by_scales(agrees, x, scales):
    agrees(ResizeOp, [f(*x), None, floats(*scales)])


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
@pytest.mark.parametrize("sizes", [(7, 8), (3, 3), (10, 2), (1, 1)])
def test_resize_by_sizes(agrees, policy, sizes):
    agrees(ResizeOp, [f(1, 3, 4, 5), None, None, ints(*sizes)], axes=[2, 3], keep_aspect_ratio_policy=policy)


def test_resize_axes_and_roi(agrees, infer):
    agrees(ResizeOp, [f(4, 6), None, floats(3, 2)], axes=[-1, 0])
    crop = [f(1, 4, 8), floats(0, 0, 0.25, 1, 1, 0.75), floats(1, 1, 3)]
    assert infer(ResizeOp, crop, coordinate_transformation_mode="tf_crop_and_resize").results[0][1] == (1, 4, 12)
    assert infer(ResizeOp, crop).results[0][1] == (1, 4, 24)


def test_resize_takes_empty_operands_as_absent(infer):
    assert infer(ResizeOp, [f(2, 3), floats(), floats(), ints(4, 6)]).results[0][1] == (4, 6)


def test_upsample(infer):
    assert infer(UpsampleOp, [f(2, 0, 3), floats(1, 2, 1.5)]).results[0][1] == (2, 0, 4)
    (size,) = infer(UpsampleOp, [f("N"), floats(2)]).results[0][1]
    assert substitute(size, {"N": 3}) == 6
    for scales, attributes in ((floats(1), {}), (floats(0.5, 1), {}), (floats(1, np.nan), {}), (floats(1, 1), {"mode": "cubic"})):
        with pytest.raises(ShapeError):
            infer(UpsampleOp, [f(2, 3), scales], **attributes)


@pytest.mark.parametrize("scale", [2, 0.5, 1.5, 0.3])
def test_resize_symbolic(infer, scale):
    (size,) = infer(ResizeOp, [f("N"), None, floats(scale)]).results[0][1]
    for n in range(12):
        assert substitute(size, {"N": n}) == int(n * float(np.float32(scale)))


def test_resize_only_the_run_knows(infer):
    for operands in ([f("N"), None, floats(1e-20)], [f(5), None, ("float", (1,))]):
        found = infer(ResizeOp, operands)
        (symbol,) = found.results[0][1]
        assert found.shapes.sources[str(symbol)].kind == "result"
    read = infer(ResizeOp, [f(5), None, None, ("int64", (1,))])
    assert read.shapes.sources[str(read.results[0][1][0])].kind == "element"


@pytest.mark.parametrize(
    ("operands", "attributes"),
    [
        ([f(2, 3)], {}),
        ([f(2, 3), None, floats(1, 2), ints(2, 6)], {}),
        ([f(2, 3), None, floats(2)], {}),
        ([f(2, 3), None, floats(1, 0)], {}),
        ([f(2, 3), None, floats(1, np.nan)], {}),
        ([f(2, 3), None, floats(1, 3e38)], {}),
        ([f(2, 3), None, None, ints(2)], {}),
        ([f(2, 3), None, None, ints(2, -6)], {}),
        ([f(2, 0), None, None, ints(2, 6)], {"keep_aspect_ratio_policy": "not_larger"}),
        ([f(2, 3), None, floats(1, 2)], {"axes": [0, 2]}),
        ([f(2, 3), None, floats(1, 2)], {"axes": [1, -1]}),
        ([f(2, 3), None, floats(1, 2)], {"mode": "lanczos"}),
        ([f(2, 3), None, floats(1, 2)], {"coordinate_transformation_mode": "tf_crop_and_resize"}),
        ([f(2, 3), floats(0, 1), floats(1, 2)], {"coordinate_transformation_mode": "tf_crop_and_resize"}),
    ],
)
def test_resize_refuses(infer, operands, attributes):
    with pytest.raises(ShapeError):
        infer(ResizeOp, operands, **attributes)


def test_grids(agrees, infer):
    agrees(GridSampleOp, [f(2, 3, 4, 5), f(2, 6, 7, 2)])
    agrees(GridSampleOp, [f(2, 3, 4, 5, 6), f(2, 6, 7, 8, 3)], mode="nearest")
    agrees(AffineGridOp, [f(2, 2, 3), ints(2, 3, 5, 6)])
    agrees(AffineGridOp, [f(2, 3, 4), ints(2, 3, 4, 5, 6)])
    for length in (4, "K"):  # the size of theta tells it as well
        read = infer(AffineGridOp, [f(2, 2, 3), ("int64", (length,))])
        assert [isinstance(d, int) for d in read.results[0][1]] == [True, False, False, True]
    for cls, operands in (
        (GridSampleOp, [f(2, 3, 4, 5), f(2, 6, 7, 3)]),
        (GridSampleOp, [f(2, 3, 4, 5), f(3, 6, 7, 2)]),
        (GridSampleOp, [f(2, 3, 4, 5), f(2, 6, 2)]),
        (AffineGridOp, [f(2, 2, 3), ints(2, 3, 5)]),
        (AffineGridOp, [f(2, 2, 3), ints(2, 3, 4, 5, 6)]),
        (AffineGridOp, [f(2, 2, 3), ints(3, 3, 5, 6)]),
        (AffineGridOp, [f(2, "R", 3), ("int64", ("K",))]),
    ):
        with pytest.raises(ShapeError):
            infer(cls, operands)


def test_image_decoder(infer):
    assert infer(ImageDecoderOp, [("uint8", ("N",))]).results[0][1][2] == 3
    assert infer(ImageDecoderOp, [("uint8", (9,))], pixel_format="Grayscale").results[0][1][2] == 1
    with pytest.raises(ShapeError, match="CMYK"):
        infer(ImageDecoderOp, [("uint8", (9,))], pixel_format="CMYK")


def test_non_max_suppression(infer):
    found = infer(NonMaxSuppressionOp, [f(1, 6, 4), f(1, 2, 6), ints(3), ("float", ()), ("float", (1,))])
    count, three = found.results[0][1]
    assert (three, found.shapes.sources[str(count)].kind) == (3, "result")
    for operands in ([f(1, 6, 5), f(1, 2, 6)], [f(1, 6, 4), f(1, 2, 7)], [f(1, 6, 4), f(2, 2, 6)], [f(6, 4), f(2, 6)]):
        with pytest.raises(ShapeError):
            infer(NonMaxSuppressionOp, operands)
