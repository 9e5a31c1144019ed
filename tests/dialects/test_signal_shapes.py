"""Shapes of signal operators."""

import numpy as np
import pytest
from intaglio.dialects.onnx.dims import substitute
from intaglio.dialects.onnx.signal import BlackmanWindowOp, DFTOp, HammingWindowOp, HannWindowOp, MelWeightMatrixOp, STFTOp
from intaglio.errors import ShapeError


def f(*dims):
    return ("float", dims)


def n(value):
    return np.array(value, np.int64)


@pytest.mark.parametrize(
    ("x", "length", "axis", "attributes"),
    [
        ((2, 10, 1), None, None, {}),
        ((2, 10, 2), None, None, {"inverse": 1}),
        ((2, 10, 1), None, None, {"onesided": 1}),
        ((2, 10, 1), 7, 1, {"onesided": 1}),
        ((2, 10, 2), 16, -2, {}),
        ((2, 10, 12, 2), 5, 1, {}),
        ((2, 10, 12, 1), None, 0, {"onesided": 1}),
    ],
)
def test_dft(agrees, x, length, axis, attributes):
    agrees(DFTOp, [f(*x), None if length is None else n(length), None if axis is None else n(axis)], **attributes)


def test_dft_real_inverse(infer):
    both = {"inverse": 1, "onesided": 1}
    assert infer(DFTOp, [f(2, 6, 2)], **both).results[0][1] == (2, 10, 1)
    assert infer(DFTOp, [f(2, 6, 2), n(9)], **both).results[0][1] == (2, 9, 1)


def test_dft_symbolic(infer):
    assert str(infer(DFTOp, [f(2, "L", 1)], onesided=1).results[0][1][1]) == "floordiv(L, 2)+1"
    read = infer(DFTOp, [f(2, 8, 1), ("int64", ())])
    assert read.shapes.sources[str(read.results[0][1][1])].kind == "element"


def test_dft_along_an_axis_that_the_run_tells(infer):
    _, shape = infer(DFTOp, [f(2, 10, 1), None, ("int64", ())], onesided=1).results[0]
    (axis,) = shape[0].symbols()
    for value, expected in ((0, (2, 10, 2)), (1, (2, 6, 2)), (-2, (2, 6, 2)), (-3, (2, 10, 2))):
        assert tuple(substitute(d, {axis.name: value}) for d in shape) == expected


@pytest.mark.parametrize(
    ("operands", "attributes"),
    [
        ([f(2, 10, 3)], {}),
        ([f(2, 10, 1), None, n(2)], {}),
        ([f(2, 10, 1), None, n(-1)], {}),
        ([f(2, 10, 1), None, n(-4)], {}),
        ([f(2, 10, 1), n(0)], {}),
        ([f(2, 10, 1), n([4, 4])], {}),
        ([f(2, 10, 2)], {"onesided": 1}),
        ([f(2, 10, 1)], {"onesided": 1, "inverse": 1}),
        ([f(2)], {}),
    ],
)
def test_dft_refuses(infer, operands, attributes):
    with pytest.raises(ShapeError):
        infer(DFTOp, operands, **attributes)


def test_stft(agrees, infer):
    assert infer(STFTOp, [f(2, 128, 1), n(8), f(16), n(16)]).results[0][1] == (2, 15, 9, 2)
    agrees(STFTOp, [f(2, 128, 1), n(9), f(15)], onesided=0)
    assert infer(STFTOp, [f(2, 128, 1), n(9), f(15)]).results[0][1] == (2, 13, 8, 2)
    agrees(STFTOp, [f(2, 128, 2), n(9), None, n(15)], onesided=0)
    assert infer(STFTOp, [f(2, 128, 1), n(8)]).results[0][1] == (2, 1, 65, 2)
    symbolic = infer(STFTOp, [f("B", "L", 1), n(4), f(16)]).results[0][1]
    assert [str(d) for d in symbolic] == ["B", "floordiv(L, 4)-3", "9", "2"]


@pytest.mark.parametrize(
    "operands",
    [
        [f(2, 128, 1), n(0), f(16)],
        [f(2, 8, 1), n(4), f(16)],
        [f(2, 128, 1), n(4), f(16), n(8)],
        [f(2, 128, 2), n(4), f(16)],
        [f(2, 128, 1), n(4), f(16, 1)],
        [f(128, 1), n(4), f(16)],
    ],
)
def test_stft_refuses(infer, operands):
    with pytest.raises(ShapeError):
        infer(STFTOp, operands)


def test_mel_weights(infer):
    operands = [n(8), n(16), n(8192), np.array(0, np.float32), np.array(4096, np.float32)]
    assert infer(MelWeightMatrixOp, operands, output_datatype=11).results == (("double", (9, 8)),)
    with pytest.raises(ShapeError, match="num_mel_bins"):
        infer(MelWeightMatrixOp, [n(-1), *operands[1:]])


@pytest.mark.parametrize("cls", [HannWindowOp, HammingWindowOp, BlackmanWindowOp])
def test_windows(infer, cls):
    assert infer(cls, [n(10)]).results == (("float", (10,)),)
    assert infer(cls, [n(0)], output_datatype=10, periodic=0).results == (("float16", (0,)),)
    assert infer(cls, [n(2**40)]).results == (("float", (2**40,)),)
    read = infer(cls, [("int32", ())])
    assert read.shapes.sources[str(read.results[0][1][0])].kind == "element"
    for operand, attributes in ((n(-1), {}), (n([1, 2]), {}), (n(3), {"output_datatype": 8}), (n(3), {"periodic": 2})):
        with pytest.raises(ShapeError):
            infer(cls, [operand], **attributes)
