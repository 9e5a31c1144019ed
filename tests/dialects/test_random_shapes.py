"""Shapes and element types of random generators."""

import pytest
from intaglio.dialects.onnx.random import (
    BernoulliOp,
    MultinomialOp,
    RandomNormalLikeOp,
    RandomNormalOp,
    RandomUniformLikeOp,
    RandomUniformOp,
)
from intaglio.errors import ShapeError


@pytest.mark.parametrize("cls", [RandomNormalOp, RandomUniformOp])
def test_random(agrees, infer, cls):
    agrees(cls, [], shape=[2, 3])
    agrees(cls, [], shape=[2, 0], dtype=10)
    for attributes in ({"shape": [2, -1]}, {"shape": [2], "dtype": 6}, {"shape": [2], "dtype": 77}):
        with pytest.raises(ShapeError):
            infer(cls, [], **attributes)


@pytest.mark.parametrize("cls", [RandomNormalLikeOp, RandomUniformLikeOp])
def test_random_like(agrees, infer, cls):
    agrees(cls, [("double", (2, 3))])
    agrees(cls, [("int64", ())], dtype=1)
    assert [str(d) for d in infer(cls, [("double", ("N", 3))]).results[0][1]] == ["N", "3"]
    with pytest.raises(ShapeError, match="dtype"):
        infer(cls, [("int64", (2,))])


def test_draws(agrees, infer):
    agrees(BernoulliOp, [("float", (2, 3))])
    agrees(BernoulliOp, [("float", (2, 3))], dtype=9)
    agrees(MultinomialOp, [("float", (2, 3))], sample_size=5, dtype=7)
    agrees(MultinomialOp, [("float16", (2, 3))])
    for operand, attributes in ((("float", (2,)), {}), (("float", (2, 3)), {"sample_size": 0}), (("float", (2, 3)), {"dtype": 1})):
        with pytest.raises(ShapeError):
            infer(MultinomialOp, [operand], **attributes)
