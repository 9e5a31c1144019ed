"""Shapes and element types of normalisations."""

import pytest
from intaglio.dialects.onnx.normalization import (
    BatchNormalizationOp,
    DropoutOp,
    GroupNormalizationOp,
    InstanceNormalizationOp,
    LayerNormalizationOp,
    LRNOp,
    RMSNormalizationOp,
)
from intaglio.errors import ShapeError


def f(*dims):
    return ("float", dims)


@pytest.mark.parametrize("x", [(2, 3, 4, 5), (2, 3), (0, 3, 4)])
def test_batch_normalization(agrees, x):
    agrees(BatchNormalizationOp, [f(*x), *[f(3)] * 4], 1)
    agrees(BatchNormalizationOp, [("float16", x), *[f(3)] * 4], training_mode=1)


def test_batch_normalization_of_a_vector_has_one_channel(infer):
    assert infer(BatchNormalizationOp, [f(7), *[f(1)] * 4], 1).results[0][1] == (7,)


def test_batch_normalization_refuses(infer):
    with pytest.raises(ShapeError, match="training_mode"):
        infer(BatchNormalizationOp, [f(2, 3), *[f(3)] * 4], 3)
    with pytest.raises(ShapeError, match="input_var"):
        infer(BatchNormalizationOp, [f(2, 3), *[f(3)] * 3, f(4)], 1)
    with pytest.raises(ShapeError):
        infer(BatchNormalizationOp, [f(), *[f(1)] * 4], 1)


def test_instance_and_group(agrees, infer):
    agrees(InstanceNormalizationOp, [f(2, 6, 4), f(6), f(6)])
    assert infer(GroupNormalizationOp, [f(2, 6, 4), f(6), f(6)], num_groups=3).results == (("float", (2, 6, 4)),)
    with pytest.raises(ShapeError, match="divisible"):
        infer(GroupNormalizationOp, [f(2, 6, 4), f(6), f(6)], num_groups=4)
    with pytest.raises(ShapeError, match="num_groups"):
        infer(GroupNormalizationOp, [f(2, 6, 4), f(6), f(6)], num_groups=0)
    with pytest.raises(ShapeError):
        infer(InstanceNormalizationOp, [f(2, 6, 4), f(2), f(6)])


@pytest.mark.parametrize("axis", [-1, 1, -3, 2])
def test_layer_normalization(agrees, axis):
    agrees(LayerNormalizationOp, [("float16", (2, 3, 4)), ("float16", (4,)), ("float16", (1, 4))], axis=axis)
    agrees(LayerNormalizationOp, [f(2, 3, 0), f(1)], axis=axis, stash_type=16)


def test_layer_normalization_refuses(infer):
    for attributes in ({"axis": 3}, {"axis": -4}, {"stash_type": 7}, {"stash_type": 99}):
        with pytest.raises(ShapeError):
            infer(LayerNormalizationOp, [f(2, 3, 4), f(4)], **attributes)
    with pytest.raises(ShapeError, match="Scale"):
        infer(LayerNormalizationOp, [f(2, 3, 4), f(3)])
    with pytest.raises(ShapeError):
        infer(LayerNormalizationOp, [f(), f()])


def test_rms_normalization_has_the_type_of_its_scale(agrees, infer):
    agrees(RMSNormalizationOp, [f(2, 3, 4), f(4)], axis=1)
    assert infer(RMSNormalizationOp, [f(2, 3, 4), ("float16", (4,))]).results == (("float16", (2, 3, 4)),)


def test_lrn_and_dropout(agrees, infer):
    agrees(LRNOp, [f(2, 3, 4, 5)], size=3)
    agrees(DropoutOp, [f(2, 0, 4), f(), ("bool", ())])
    agrees(DropoutOp, [f()], 1)
    with pytest.raises(ShapeError, match="size"):
        infer(LRNOp, [f(2, 3, 4)], size=0)
    with pytest.raises(ShapeError, match="ratio"):
        infer(DropoutOp, [f(2), f(2)])
