"""Shapes of matrix products."""

import numpy as np
import pytest
from intaglio.dialects.onnx.matmul import DetOp, EinsumOp, GemmOp, MatMulIntegerOp, MatMulOp, QLinearMatMulOp
from intaglio.errors import ShapeError


def f(*dims):
    return ("float", dims)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((5, 1, 2, 3), (7, 3, 4)),
        ((7, 3), (5, 7, 3, 4)),
        ((3,), (5, 3, 4)),
        ((5, 2, 3), (3,)),
        ((0, 3), (3, 4)),
        ((2, 0), (0, 4)),
        ((0, 2, 3), (1, 3, 4)),
    ],
)
def test_matmul(agrees, a, b):
    agrees(MatMulOp, [f(*a), f(*b)])


@pytest.mark.parametrize(("a", "b"), [((), (3,)), ((2, 3), (4, 5)), ((2, 2, 3), (3, 3, 4))])
def test_matmul_refuses(infer, a, b):
    with pytest.raises(ShapeError):
        infer(MatMulOp, [f(*a), f(*b)])


def test_matmul_symbolic(infer):
    found = infer(MatMulOp, [f("B", "S", 64), f(64, "D")])
    assert [str(d) for d in found.results[0][1]] == ["B", "S", "D"]
    assert not found.shapes.relations
    noted = infer(MatMulOp, [f("M", "K"), f("L", "N")])
    assert [(str(r.a), str(r.b)) for r in noted.shapes.relations] == [("K", "L")]


@pytest.mark.parametrize("transposed", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("bias", [None, (), (4,), (1, 4), (2, 1), (2, 4)])
def test_gemm(agrees, transposed, bias):
    a = (3, 2) if transposed[0] else (2, 3)
    b = (4, 3) if transposed[1] else (3, 4)
    operands = [f(*a), f(*b)] + ([] if bias is None else [f(*bias)])
    agrees(GemmOp, operands, transA=transposed[0], transB=transposed[1])


@pytest.mark.parametrize("operands", [[f(2, 3), f(3, 4), f(3)], [f(2, 3), f(3, 4), f(1, 2, 4)], [f(2, 3), f(2, 4)], [f(3), f(3, 4)]])
def test_gemm_refuses(infer, operands):
    with pytest.raises(ShapeError):
        infer(GemmOp, operands)


def test_matmul_integer(agrees, infer):
    agrees(MatMulIntegerOp, [("uint8", (5, 2, 3)), ("int8", (3, 4))])
    agrees(MatMulIntegerOp, [("int8", (2, 3)), ("int8", (3, 4)), ("int8", ()), ("int8", (4,))])
    agrees(MatMulIntegerOp, [("int8", (5, 2, 3)), ("int8", (3, 4)), ("int8", (5, 2, 1)), ("int8", (1, 4))])
    with pytest.raises(ShapeError, match="b_zero_point"):
        infer(MatMulIntegerOp, [("int8", (2, 3)), ("int8", (3, 4)), None, ("int8", (3,))])


def test_qlinear_matmul(agrees):
    a, b = ("uint8", (2, 5, 3)), ("int8", (3, 4))
    found = agrees(QLinearMatMulOp, [a, f(), ("uint8", ()), b, f(4), ("int8", (4,)), f(), ("uint8", ())])
    assert found.results == (("uint8", (2, 5, 4)),)


def test_det(agrees, infer):
    agrees(DetOp, [f(3, 3)])
    agrees(DetOp, [f(2, 0, 3, 3)])
    with pytest.raises(ShapeError):
        infer(DetOp, [f(3, 4)])
    with pytest.raises(ShapeError):
        infer(DetOp, [f(3)])


EINSUMS = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("b...ij, b...jk -> b...ik", [(5, 6, 2, 3), (5, 6, 3, 4)]),
    ("...ij,...jk", [(5, 1, 2, 3), (1, 6, 3, 4)]),
    ("ii->i", [(3, 3)]),
    ("ii", [(3, 3)]),
    ("...ii->...i", [(2, 3, 3)]),
    ("ij->", [(2, 3)]),
    ("ba", [(2, 3)]),
    ("Ba", [(2, 3)]),
    (",ij->ij", [(), (2, 3)]),
    ("...", [(2, 3)]),
    ("...->...", [()]),
    ("i,j,k->kji", [(2,), (0,), (4,)]),
    ("bhqd,bhkd->bhqk", [(1, 2, 3, 4), (1, 2, 5, 4)]),
]


@pytest.mark.parametrize(("equation", "inputs"), EINSUMS)
def test_einsum(infer, equation, inputs):
    found = infer(EinsumOp, [f(*s) for s in inputs], equation=equation)
    assert found.results[0][1] == np.einsum(equation, *(np.zeros(s) for s in inputs)).shape


@pytest.mark.parametrize(
    ("equation", "inputs"),
    [
        ("ij,jk->ik", [(2, 3)]),
        ("ij->ik", [(2, 3)]),
        ("ij->iij", [(2, 3)]),
        ("ijk->i", [(2, 3)]),
        ("i->i", [(2, 3)]),
        ("i..j->i", [(2, 3)]),
        ("i1->i", [(2, 3)]),
        ("......->", [(2, 3)]),
        ("ij,jk->ik", [(2, 3), (4, 5)]),
        ("...i,...i->...", [(2, 3), (3,)]),
        ("i->i->i", [(2,)]),
        ("", [(2,)]),
    ],
)
def test_einsum_refuses(infer, equation, inputs):
    with pytest.raises(ShapeError):
        infer(EinsumOp, [f(*s) for s in inputs], equation=equation)


def test_einsum_parsed(infer):
    op = infer(EinsumOp, [f(2, "N", 3), f(2, 3, 4)], equation="...ij,...jk").op
    parsed = op.parsed((3, 3))
    assert parsed.inputs == (("0", "i", "j"), ("0", "j", "k"))
    assert parsed.output == ("0", "i", "k")
    assert parsed.summed == ("j",)
