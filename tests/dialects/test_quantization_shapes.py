"""Shapes and element types of quantisation."""

import pytest
from intaglio.dialects.onnx.quantization import DequantizeLinearOp, DynamicQuantizeLinearOp, QuantizeLinearOp
from intaglio.errors import ShapeError


def f(*dims):
    return ("float", dims)


CASES = [
    ((2, 6, 4), (), {}),
    ((2, 6, 4), (1,), {}),
    ((2, 6, 4), (6,), {}),
    ((2, 6, 4), (4,), {"axis": -1}),
    ((2, 6, 4), (2, 2, 4), {"axis": 1, "block_size": 3}),
    ((2, 7, 4), (2, 3, 4), {"axis": -2, "block_size": 3}),
    ((6,), (6,), {}),
    ((6,), (2,), {"axis": 0, "block_size": 3}),
    ((0, 6), (6,), {}),
    ((), (), {}),
]


@pytest.mark.parametrize(("x", "scale", "attributes"), CASES)
def test_linear(agrees, x, scale, attributes):
    agrees(QuantizeLinearOp, [f(*x), f(*scale)], **attributes)
    agrees(QuantizeLinearOp, [f(*x), f(*scale), ("int8", scale)], **attributes)
    agrees(DequantizeLinearOp, [("uint4", x), ("float16", scale), ("uint4", scale)], **attributes)


def test_granularity(infer):
    found = []
    for x, scale, attributes in CASES:
        op = infer(QuantizeLinearOp, [f(*x), f(*scale)], **attributes).op
        found.append(op.granularity(x, scale))
    tensor = ("tensor", 0)
    assert found == [tensor, tensor, ("axis", 1), ("axis", 2), ("block", 1), ("block", 1), ("axis", 0), ("block", 0), ("axis", 1), tensor]


def test_element_types(agrees, infer):
    assert agrees(QuantizeLinearOp, [f(2), f()], output_dtype=27).results[0][0] == "float6e2m3"
    assert agrees(DequantizeLinearOp, [("int32", (2,)), f()], output_dtype=16).results[0][0] == "bfloat16"
    assert infer(DequantizeLinearOp, [("float4e2m1", (2,)), ("float8e8m0", ())], output_dtype=1).results[0][0] == "float"
    with pytest.raises(ShapeError, match="output_dtype"):
        infer(DequantizeLinearOp, [("float4e2m1", (2,)), ("float8e8m0", ())])
    with pytest.raises(ShapeError, match="output_dtype"):
        infer(QuantizeLinearOp, [f(2), f(), ("int8", ())], output_dtype=2)
    with pytest.raises(ShapeError, match="output_dtype"):
        infer(QuantizeLinearOp, [f(2), f()], output_dtype=1)


@pytest.mark.parametrize(
    ("x", "scale", "zero", "attributes"),
    [
        ((2, 6, 4), (4,), (4,), {}),
        ((2, 6, 4), (6,), (), {}),
        ((2, 6, 4), (6,), (6,), {"axis": 3}),
        ((2, 6, 4), (6, 4), (6, 4), {}),
        ((2, 6, 4), (2, 2, 4), (2, 2, 4), {}),
        ((2, 6, 4), (2, 2, 4), (2, 2, 4), {"block_size": 2}),
        ((2, 6, 4), (2, 2, 4), (2, 2, 4), {"block_size": -3}),
        ((), (3,), (3,), {}),
        ((6,), (3,), (3,), {}),
    ],
)
def test_linear_refuses(infer, x, scale, zero, attributes):
    with pytest.raises(ShapeError):
        infer(QuantizeLinearOp, [f(*x), f(*scale), ("uint8", zero)], **attributes)


def test_symbolic_blocks(infer):
    found = infer(DequantizeLinearOp, [("int4", ("N", "K")), f("N", "B")], axis=1, block_size=32)
    assert [str(d) for d in found.results[0][1]] == ["N", "K"]
    assert [(str(r.a), str(r.b)) for r in found.shapes.relations] == [("B", "floordiv(K+31, 32)")]


def test_dynamic(agrees):
    agrees(DynamicQuantizeLinearOp, [f(2, 3)])
    agrees(DynamicQuantizeLinearOp, [f()])
