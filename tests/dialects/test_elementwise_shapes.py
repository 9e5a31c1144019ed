"""Shapes and contents of elementwise arithmetic, activations and logic; the official node tests hold the rest."""

import numpy as np
import pytest
from intaglio.dialects.onnx import activation, elementwise, logical
from intaglio.dialects.onnx.dims import broadcast, minimum, symbol
from intaglio.errors import ShapeError

N = symbol("N")


def f(*dims):
    return ("float", dims)


def contents(found):
    return found.shapes.contents(found.op.results[0]).tolist()


@pytest.mark.parametrize(("a", "b"), [((), ()), ((3,), ()), ((2, 1), (1, 3)), ((0,), (1,)), ((4, 1, 0), (5, 1)), ((1,), (2, 3))])
@pytest.mark.parametrize("cls", [elementwise.AddOp, elementwise.PowOp, logical.LessOp])
def test_broadcast(agrees, cls, a, b):
    agrees(cls, [f(*a), f(*b)])


def test_broadcast_of_unknown_sizes(infer):
    assert infer(elementwise.MulOp, [f("N", 1, 3), f("M", 3)]).results[0][1] == (N, symbol("M"), 3)
    assert infer(elementwise.MulOp, [f("N", 4), f("M", 4)]).results[0][1][1] == 4


@pytest.mark.parametrize(
    ("cls", "operands", "attributes"),
    [
        (elementwise.AddOp, [f(2), f(3)], {}),
        (elementwise.MaxOp, [], {}),
        (elementwise.ModOp, [f(2), f(2)], {"fmod": 2}),
        (elementwise.BitShiftOp, [("uint8", (2,)), ("uint8", (2,))], {"direction": "UP"}),
        (elementwise.ClipOp, [f(2), f(2)], {}),
        (activation.GeluOp, [f(2)], {"approximate": "erf"}),
        (activation.PReluOp, [f(2), f(3, 2)], {}),
        (activation.PReluOp, [f(2, 4), f(2)], {}),
        (logical.WhereOp, [("bool", (2,)), f(3), f(1)], {}),
    ],
)
def test_refuses(infer, cls, operands, attributes):
    with pytest.raises(ShapeError) as error:
        infer(cls, operands, **attributes)
    assert error.value.code.startswith("ITG21")


@pytest.mark.parametrize(
    ("a", "b", "quotient", "fmod", "mod"), [(7, 2, 3, 1, 1), (-7, 2, -3, -1, 1), (7, -2, -3, 1, -1), (-7, -2, 3, -1, -1)]
)
def test_division_of_known_integers(infer, a, b, quotient, fmod, mod):
    operands = [np.array([a]), np.array([b])]
    assert contents(infer(elementwise.DivOp, operands)) == [quotient]
    assert contents(infer(elementwise.ModOp, operands, fmod=1)) == [fmod]
    assert contents(infer(elementwise.ModOp, operands)) == [mod]


@pytest.mark.parametrize("cls", [elementwise.DivOp, elementwise.ModOp])
def test_division_by_zero_is_left_to_the_run(infer, cls):
    found = infer(cls, [np.array([1]), np.array([0])])
    assert found.shapes.contents(found.op.results[0]) is None


def test_contents_wrap_around_and_stay_exact(infer):
    big = np.array([2**31 - 1], np.int32)
    assert contents(infer(elementwise.AddOp, [big, np.array([1], np.int32)])) == [-(2**31)]
    assert contents(infer(elementwise.SubOp, [np.array([0], np.uint8), np.array([1], np.uint8)])) == [255]
    found = infer(elementwise.MulOp, [np.array([2.0**20], np.float32), np.array([2.0**20], np.float32)])
    assert found.shapes.contents(found.op.results[0]) is None


def test_contents_broadcast_into_a_size_that_is_not_tracked(infer):
    found = infer(elementwise.AddOp, [np.zeros((1024, 1), np.int64), np.zeros((1, 1024), np.int64)])
    assert found.shapes.contents(found.op.results[0]) is None


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (logical.EqualOp, [0, 1, 0]),
        (logical.LessOp, [1, 0, 0]),
        (logical.LessOrEqualOp, [1, 1, 0]),
        (logical.GreaterOp, [0, 0, 1]),
        (logical.GreaterOrEqualOp, [0, 1, 1]),
    ],
)
def test_comparisons(infer, cls, expected):
    assert contents(infer(cls, [np.array([1, 2, 3]), np.array([2])])) == expected


@pytest.mark.parametrize(("cls", "expected"), [(logical.AndOp, [0, 0, 0, 1]), (logical.OrOp, [0, 1, 1, 1]), (logical.XorOp, [0, 1, 1, 0])])
def test_boolean_contents(infer, cls, expected):
    assert contents(infer(cls, [np.array([False, False, True, True]), np.array([False, True, False, True])])) == expected


def test_what_a_table_of_positions_is_cut_to_broadcasts_into_its_sequence():
    assert broadcast(minimum(512, N), N) == N == broadcast(N, minimum(N, 2))
    assert broadcast(minimum(512, N), symbol("M")) != symbol("M") and broadcast(minimum(1, N), N) != N
