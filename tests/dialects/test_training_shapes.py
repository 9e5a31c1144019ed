"""Shapes of the training and preview operators, and of the operators on text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from intaglio.dialects.onnx.base import OnnxOp
from intaglio.dialects.onnx.control import YieldOp
from intaglio.dialects.onnx.dims import symbol
from intaglio.dialects.onnx.elementwise import AddOp
from intaglio.dialects.onnx.registry import OPERATORS
from intaglio.dialects.onnx.shapes import Shapes, Source
from intaglio.dialects.onnx.types import STRING
from intaglio.errors import ShapeError
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    NoneType,
    StringAttr,
    TensorType,
    f16,
    f32,
    f64,
    i64,
)
from xdsl.dialects.test import TestOp
from xdsl.ir import Attribute, Block, Region, SSAValue

TRAINING, PREVIEW = "ai.onnx.preview.training", "ai.onnx.preview"
B, L, S = symbol("B"), symbol("L"), symbol("S")
MOMENTUM: dict[str, Any] = {"alpha": 0.9, "beta": 0.1, "norm_coefficient": 0.0, "mode": "standard"}


@pytest.fixture
def shapes() -> Shapes:
    return Shapes()


def value(shapes: Shapes, *dims: int | str, element: Attribute = f32) -> SSAValue:
    made = TestOp(result_types=[TensorType(element, [DYNAMIC_INDEX] * len(dims))]).results[0]
    shapes.declare_argument(made, dims)
    return made


def attribute(given: Any) -> Attribute:
    if isinstance(given, list):
        strings = given and isinstance(given[0], str)
        return ArrayAttr([StringAttr(s) for s in given]) if strings else DenseArrayBase.from_list(i64, given)
    if isinstance(given, str):
        return StringAttr(given)
    return IntegerAttr(given, i64) if isinstance(given, int) else FloatAttr(given, f32)


def infer(shapes: Shapes, key: tuple[str, str], *operands: SSAValue, results: int = 1, regions: Any = None, **given: Any) -> OnnxOp:
    cls = OPERATORS[key]
    groups: list[Any] = [list(operands[i:]) if variadic else operands[i] for i, (*_, variadic) in enumerate(cls.operand_defs())]
    groups += [[]] * (len(cls.get_irdl_definition().operands) - len(groups))  # what the importer adds
    variadic = any(v for *_, v in cls.result_defs())
    types: list[Any] = [[NoneType()] * results] if variadic else [NoneType() for _ in cls.result_defs()]
    op = cls.build(
        operands=groups,
        result_types=types,
        properties={k: attribute(v) for k, v in given.items()},
        regions=regions or [[] for _ in cls.get_irdl_definition().regions],
    )
    shapes.infer_op(op)
    op.verify()
    return op


@pytest.mark.parametrize(("op_type", "groups", "given"), [("Adagrad", 3, {}), ("Adam", 4, {}), ("Momentum", 3, MOMENTUM)])
def test_optimisers(shapes: Shapes, op_type: str, groups: int, given: dict[str, Any]) -> None:
    scalars = value(shapes), value(shapes, element=i64)
    pairs = [v for _ in range(groups) for v in (value(shapes, "N", 3), value(shapes, 5, element=f64))]
    count = 2 * (groups - 1)
    op = infer(shapes, (TRAINING, op_type), *scalars, *pairs, results=count, **given)
    assert [shapes.of(r) for r in op.results] == [(symbol("N"), 3), (5,)] * (groups - 1)
    assert op.results[1].type == TensorType(f64, [5])
    with pytest.raises(ShapeError, match="ITG2180"):
        infer(shapes, (TRAINING, op_type), *scalars, *pairs[1:], results=count, **given)
    with pytest.raises(ShapeError, match="ITG2181"):
        infer(shapes, (TRAINING, op_type), *scalars, *pairs[:-1], value(shapes, 5, 1, element=f64), results=count, **given)


def test_gradient(shapes: Shapes) -> None:
    w, x = value(shapes, 3, 4), value(shapes, "N", 3, element=f16)
    given = {"xs": ["W", "X"], "y": "Y"}
    op = infer(shapes, (TRAINING, "Gradient"), w, x, results=2, **given)
    assert [shapes.of(r) for r in op.results] == [(3, 4), (symbol("N"), 3)]
    assert len(infer(shapes, (TRAINING, "Gradient"), w, x, results=1, **given).results) == 1
    with pytest.raises(ShapeError, match="ITG2180"):
        infer(shapes, (TRAINING, "Gradient"), w, results=1, **given)


def heads(shapes: Shapes, element: Attribute = f32) -> tuple[SSAValue, SSAValue, SSAValue]:
    q = value(shapes, "B", 8, "L", 16, element=element)
    return q, value(shapes, "B", 2, "S", 16, element=element), value(shapes, "B", 2, "S", 24, element=element)


def test_flex_attention(shapes: Shapes) -> None:
    block = Block(arg_types=[NoneType()])
    add = AddOp.build(operands=[block.args[0], block.args[0]], result_types=[NoneType()])
    block.add_ops([add, YieldOp(operands=[add.results])])
    op = infer(shapes, (PREVIEW, "FlexAttention"), *heads(shapes, f16), regions=[[Region(block)], []])
    assert shapes.of(op.results[0]) == (B, 8, L, 24)
    assert shapes.of(block.args[0]) == (B, 8, L, S)
    assert block.args[0].type.element_type == f32  # pyright: ignore[reportAttributeAccessIssue]


def test_flex_attention_refuses(shapes: Shapes) -> None:
    q, k, v = heads(shapes)
    for operands, code in (((q, k, value(shapes, 2, 3)), "ITG2190"), ((k, q, q), "ITG2190"), ((q, k, q), "ITG2104")):
        with pytest.raises(ShapeError, match=code):
            infer(shapes, (PREVIEW, "FlexAttention"), *operands)
    with pytest.raises(ShapeError, match="ITG2191"):
        infer(shapes, (PREVIEW, "FlexAttention"), q, k, v, softmax_precision=7)


def test_strings(shapes: Shapes) -> None:
    text, row = value(shapes, "B", 3, element=STRING), value(shapes, 1, 3, element=STRING)
    assert shapes.of(infer(shapes, ("", "StringConcat"), text, row).results[0]) == (B, 3)
    pieces, counts = infer(shapes, ("", "StringSplit"), text).results
    assert shapes.of(counts) == (B, 3) and shapes.of(pieces)[:2] == (B, 3)
    assert shapes.sources[str(shapes.of(pieces)[2])] == Source("result", pieces, 2)
    assert shapes.of(infer(shapes, ("", "StringNormalizer"), row).results[0])[0] == 1
    assert shapes.of(infer(shapes, ("", "RegexFullMatch"), text, pattern="a+").results[0]) == (B, 3)
    for bad in (value(shapes, element=STRING), value(shapes, 2, 3, element=STRING)):
        with pytest.raises(ShapeError):
            infer(shapes, ("", "StringNormalizer"), bad)


GRAMS: dict[str, Any] = {
    "mode": "TF",
    "min_gram_length": 1,
    "max_gram_length": 2,
    "max_skip_count": 0,
    "ngram_counts": [0, 2],
    "ngram_indexes": [0, 1, 6],
    "pool_int64s": [1, 2, 3, 4],
}


def test_tfidf(shapes: Shapes) -> None:
    batch = value(shapes, "B", 9, element=i64)
    assert shapes.of(infer(shapes, ("", "TfIdfVectorizer"), batch, **GRAMS).results[0]) == (B, 7)
    assert shapes.of(infer(shapes, ("", "TfIdfVectorizer"), value(shapes, 9, element=i64), **GRAMS).results[0]) == (7,)


@pytest.mark.parametrize(
    "change",
    [{"mode": "COUNT"}, {"ngram_indexes": [-1]}, {"pool_strings": ["a"]}, {"min_gram_length": 3}, {"min_gram_length": 0}],
    ids=str,
)
def test_tfidf_refuses(shapes: Shapes, change: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match="ITG2171"):
        infer(shapes, ("", "TfIdfVectorizer"), value(shapes, 9, element=i64), **{**GRAMS, **change})


def test_no_rows(shapes: Shapes) -> None:
    empty = np.zeros((0, 9), np.int64)
    x = value(shapes, *empty.shape, element=i64)
    assert shapes.of(infer(shapes, ("", "TfIdfVectorizer"), x, **GRAMS).results[0]) == (0, 7)
