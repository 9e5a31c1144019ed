"""Shapes of convolutions, and the window arithmetic that pools share."""

import numpy as np
import pytest
from intaglio.dialects.onnx.conv import (
    CausalConvWithStateOp,
    Col2ImOp,
    ConvIntegerOp,
    ConvOp,
    ConvTransposeOp,
    DeformConvOp,
    QLinearConvOp,
)
from intaglio.dialects.onnx.dims import substitute
from intaglio.errors import ShapeError


def f(*dims):
    return ("float", dims)


CONVOLUTIONS = [
    ((1, 3, 7, 8), (4, 3, 3, 3), {}),
    ((1, 3, 7, 8), (4, 3, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    ((1, 3, 7, 8), (4, 3, 3, 2), {"pads": [0, 1, 2, 1], "dilations": [2, 3], "kernel_shape": [3, 2]}),
    ((2, 6, 9), (4, 3, 2), {"group": 2, "strides": [3]}),
    ((1, 2, 5, 6, 7), (2, 1, 1, 3, 2), {"group": 2}),
    ((0, 3, 7, 8), (4, 3, 3, 3), {}),
    ((1, 3, 7, 8), (4, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ((1, 3, 7, 8), (4, 3, 3, 3), {"auto_pad": "SAME_LOWER", "strides": [3, 3]}),
    ((1, 3, 7, 8), (4, 3, 3, 3), {"auto_pad": "VALID", "strides": [2, 3]}),
    ((1, 3, 3, 3), (4, 3, 3, 3), {}),
]


@pytest.mark.parametrize(("x", "w", "attributes"), CONVOLUTIONS)
def test_conv(agrees, x, w, attributes):
    agrees(ConvOp, [f(*x), f(*w), f(w[0])], **attributes)
    agrees(ConvIntegerOp, [("uint8", x), ("int8", w), None, ("int8", (w[0],))], **attributes)
    scalar, zero = f(), ("int8", ())
    agrees(QLinearConvOp, [("int8", x), scalar, zero, ("int8", w), f(w[0]), zero, scalar, ("uint8", ()), ("int32", (w[0],))], **attributes)


def test_conv_same_pads(infer):
    found = infer(ConvOp, [f(1, 3, 7, 8), f(4, 3, 3, 4)], auto_pad="SAME_UPPER", strides=[2, 3])
    upper = found.op.windows(found.shapes)
    assert (upper.pads_begin, upper.pads_end) == ((1, 1), (1, 1))
    found = infer(ConvOp, [f(1, 3, 7, 8), f(4, 3, 4, 2)], auto_pad="SAME_LOWER")
    lower = found.op.windows(found.shapes)
    assert (lower.pads_begin, lower.pads_end) == ((2, 1), (1, 0))
    assert lower.extent == (4, 2)


@pytest.mark.parametrize("size", range(4, 12))
def test_conv_symbolic(infer, size):
    """The symbolic size is the static one at every value; explicit and SAME pads of a stride-2 layer are one expression."""
    explicit = infer(ConvOp, [f("N", 3, "H", 32), f(4, 3, 3, 3)], pads=[1, 1, 1, 1], strides=[2, 2]).results[0][1]
    same = infer(ConvOp, [f("N", 3, "H", 32), f(4, 3, 3, 3)], auto_pad="SAME_UPPER", strides=[2, 2]).results[0][1]
    static = infer(ConvOp, [f(1, 3, size, 32), f(4, 3, 3, 3)], pads=[1, 1, 1, 1], strides=[2, 2]).results[0][1]
    assert explicit == same
    assert str(explicit[0]) == "N"
    assert substitute(explicit[2], {"H": size}) == static[2]


def test_conv_symbolic_stride_one_keeps_the_size(infer):
    found = infer(ConvOp, [f("N", "C", "H", "W"), f(4, 3, 3, 5)], pads=[1, 2, 1, 2])
    assert [str(d) for d in found.results[0][1]] == ["N", "4", "H", "W"]
    assert [(str(r.a), r.b) for r in found.shapes.relations] == [("C", 3)]


@pytest.mark.parametrize(
    ("x", "w", "b", "attributes"),
    [
        ((1, 3, 7, 7), (4, 2, 3, 3), None, {}),
        ((1, 4, 7, 7), (3, 2, 3, 3), None, {"group": 2}),
        ((1, 4, 7, 7), (4, 4, 3, 3), None, {"group": 0}),
        ((1, 3, 2, 7), (4, 3, 3, 3), None, {}),
        ((1, 3, 7, 7), (4, 3, 3, 3), (5,), {}),
        ((1, 3, 7, 7), (4, 3, 3, 3), (4, 1), {}),
        ((1, 3, 7, 7), (4, 3, 3), None, {}),
        ((3, 7), (4, 3), None, {}),
        ((), (), None, {}),
        ((1, 3, 7, 7), (4, 3, 3, 3), None, {"kernel_shape": [3, 2]}),
        ((1, 3, 7, 7), (4, 3, 3, 3), None, {"kernel_shape": [3]}),
        ((1, 3, 7, 7), (4, 3, 3, 3), None, {"pads": [1, 1]}),
        ((1, 3, 7, 7), (4, 3, 3, 3), None, {"pads": [1, 1, -1, 1]}),
        ((1, 3, 7, 7), (4, 3, 3, 3), None, {"strides": [0, 1]}),
        ((1, 3, 7, 7), (4, 3, 3, 3), None, {"dilations": [2**40, 1]}),
        ((1, 3, 7, 7), (4, 3, 3, 3), None, {"auto_pad": "SAME"}),
        ((1, 3, 7, 7), (4, 3, 0, 3), None, {}),
    ],
)
def test_conv_refuses(infer, x, w, b, attributes):
    with pytest.raises(ShapeError):
        infer(ConvOp, [f(*x), f(*w), None if b is None else f(*b)], **attributes)


TRANSPOSED = [
    ((1, 4, 5, 6), (4, 2, 3, 3), {}),
    ((1, 4, 5, 6), (4, 2, 3, 3), {"group": 2, "strides": [2, 3], "output_padding": [1, 2], "pads": [1, 0, 1, 2]}),
    ((1, 4, 5), (4, 2, 3), {"dilations": [2], "kernel_shape": [3]}),
    ((1, 4, 5, 6), (4, 2, 3, 3), {"output_shape": [10, 8], "strides": [2, 1]}),
    ((1, 4, 5, 6), (4, 2, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 1]}),
    ((1, 4, 5, 6), (4, 2, 3, 3), {"auto_pad": "VALID", "strides": [2, 1]}),
]


@pytest.mark.parametrize(("x", "w", "attributes"), TRANSPOSED)
def test_conv_transpose(agrees, x, w, attributes):
    agrees(ConvTransposeOp, [f(*x), f(*w)], **attributes)


def test_conv_transpose_pads(infer):
    """total = 2 * 4 + 3 - 10 = 1: the odd one goes to the begin unless SAME_UPPER."""
    for auto_pad, begin, end in (("NOTSET", 1, 0), ("SAME_LOWER", 1, 0), ("SAME_UPPER", 0, 1)):
        found = infer(ConvTransposeOp, [f(1, 1, 5), f(1, 1, 3)], output_shape=[10], strides=[2], auto_pad=auto_pad)
        windows = found.op.windows(found.shapes)
        assert (windows.pads_begin, windows.pads_end, windows.output) == ((begin,), (end,), (10,))
    symbolic = infer(ConvTransposeOp, [f("N", 1, "L"), f(1, 1, 4)], strides=[2], auto_pad="SAME_UPPER")
    assert str(symbolic.results[0][1][2]) == "2*L"
    assert symbolic.op.windows(symbolic.shapes).pads_end == (1,)


@pytest.mark.parametrize(
    "attributes",
    [{"output_padding": [2]}, {"pads": [9, 9]}, {"output_shape": [1, 2, 10]}, {"output_shape": [-1]}, {"group": 3}],
)
def test_conv_transpose_refuses(infer, attributes):
    with pytest.raises(ShapeError):
        infer(ConvTransposeOp, [f(1, 4, 5), f(4, 2, 3)], strides=[2], **attributes)


def test_deform_conv(agrees, infer):
    operands = [f(2, 4, 7, 8), f(6, 2, 3, 2), f(2, 36 // 3 * 2, 5, 7), f(6), f(2, 12, 5, 7)]
    agrees(DeformConvOp, operands, group=2, offset_group=2)
    with pytest.raises(ShapeError, match="offset"):
        infer(DeformConvOp, [f(2, 4, 7, 8), f(6, 2, 3, 2), f(2, 12, 5, 7)], group=2, offset_group=2)


@pytest.mark.parametrize(
    ("columns", "image", "block", "attributes"),
    [
        ((1, 5, 5), (5, 5), (1, 5), {}),
        ((1, 9, 4), (5, 5), (3, 3), {"strides": [2, 2]}),
        ((1, 4, 5), (6, 6), (2, 2), {"dilations": [1, 5], "strides": [1, 5]}),
        ((2, 10, 60), (3, 4, 5), (1, 1, 5), {"pads": [0, 0, 2, 0, 0, 2]}),
    ],
)
def test_col2im(infer, columns, image, block, attributes):
    found = infer(Col2ImOp, [f(*columns), np.array(image), np.array(block)], **attributes)
    assert found.results[0][1] == (columns[0], columns[1] // int(np.prod(block)), *image)


@pytest.mark.parametrize(
    ("columns", "image", "block"),
    [
        ((1, 9, 5), (5, 5), (3, 3)),
        ((1, 8, 9), (5, 5), (3, 3)),
        ((1, 9, 9), (5, 5), (3,)),
        ((1, 9, 9), (2, 2), (3, 3)),
        ((1, 0, 9), (2, 2), (0, 3)),
    ],
)
def test_col2im_refuses(infer, columns, image, block):
    with pytest.raises(ShapeError):
        infer(Col2ImOp, [f(*columns), np.array(image), np.array(block)])


def test_col2im_image_read_at_run_time(infer):
    found = infer(Col2ImOp, [f(1, 9, "L"), ("int64", (2,)), np.array([3, 3])])
    assert found.results[0][1][:2] == (1, 1)
    assert {s.kind for s in found.shapes.sources.values()} == {"dim", "element"}


def test_causal_conv(agrees, infer):
    agrees(CausalConvWithStateOp, [f(2, 6, 5), f(6, 1, 4), f(6), f(2, 6, 3)], activation="silu")
    found = infer(CausalConvWithStateOp, [f("B", 6, "L"), f(6, 1, 4)])
    assert [str(d) for d in found.results[1][1]] == ["B", "6", "3"]
    with pytest.raises(ShapeError, match="past_state"):
        infer(CausalConvWithStateOp, [f(2, 6, 5), f(6, 1, 4), None, f(2, 6, 4)])
    with pytest.raises(ShapeError, match="relu"):
        infer(CausalConvWithStateOp, [f(2, 6, 5), f(6, 1, 4)], activation="relu")


def test_col2im_with_many_unknown_axes_stays_small(infer):
    """The number of blocks would be a product of 12 sums; the check against L is left out instead of formed."""
    found = infer(Col2ImOp, [f(1, "C", "L"), ("int64", (12,)), ("int64", (12,))])
    assert len(found.results[0][1]) == 14


def test_col2im_refuses_lists_of_higher_rank(infer):
    with pytest.raises(ShapeError, match="rank 1"):
        infer(Col2ImOp, [f(1, 9, 9), ("int64", (1, 2)), np.array([3, 3])])
