"""Shapes and contents of reductions and of operators along an axis; the official node tests hold the rest."""

import numpy as np
import pytest
from intaglio.dialects.onnx import reduction as r
from intaglio.dialects.onnx.dims import substitute, symbol
from intaglio.errors import ShapeError

N = symbol("N")


def f(*dims):
    return ("float", dims)


def ints(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(
    ("shape", "axes"), [((), ints()), ((2, 3), ints(1)), ((2, 0, 3), ints(-1, 0)), ((2, 3), None), ((2, 3), ints()), ((0,), ints(0))]
)
def test_reduce(agrees, shape, axes, keepdims):
    agrees(r.ReduceSumOp, [f(*shape), axes], keepdims=keepdims)
    agrees(r.ReduceMaxOp, [f(*shape), axes], keepdims=keepdims, noop_with_empty_axes=1)


def test_reduce_unknown_sizes(infer):
    assert infer(r.ReduceMeanOp, [f("N", 4, "M"), ints(1)]).results[0][1] == (N, 1, symbol("M"))


@pytest.mark.parametrize(("axis", "expected"), [(0, (1, 3)), (-1, (2, 1)), (1, (2, 1)), (-2, (1, 3))])
def test_axes_of_the_run_choose_among_kept_dimensions(infer, axis, expected):
    found = infer(r.ReduceSumOp, [f(2, 3), ("int64", (1,))])
    assert tuple(substitute(d, dict.fromkeys(found.shapes.sources, axis)) for d in found.results[0][1]) == expected


def test_axes_of_the_run_leave_the_rank(infer):
    assert len(infer(r.ReduceSumOp, [f(2, 3, 4), ("int64", (2,))], keepdims=0).results[0][1]) == 1


@pytest.mark.parametrize(
    ("cls", "operands", "attributes"),
    [
        (r.ReduceSumOp, [f(2, 3), ints(2)], {}),
        (r.ReduceSumOp, [f(2, 3), ints(0, -2)], {}),
        (r.ReduceSumOp, [f(2, 3), ints(0, 1, 0)], {}),
        (r.ReduceSumOp, [f(2, 3), ("int64", ("K",))], {"keepdims": 0}),
        (r.ReduceSumOp, [f(2, 3), np.zeros((1, 1), np.int64)], {}),
        (r.ArgMaxOp, [f(2, 3)], {"axis": 2}),
        (r.ArgMaxOp, [f(2, 0)], {"axis": 1}),
        (r.SoftmaxOp, [f(2)], {"axis": -2}),
        (r.LpNormalizationOp, [f(2)], {"p": 3}),
        (r.CumSumOp, [f(2), np.array(1)], {}),
        (r.CumSumOp, [f(2), ints(0, 0)], {}),
        (r.MeanVarianceNormalizationOp, [f(2, 3)], {}),
    ],
)
def test_refuses(infer, cls, operands, attributes):
    with pytest.raises(ShapeError) as error:
        infer(cls, operands, **attributes)
    assert error.value.code.startswith("ITG21")


@pytest.mark.parametrize(("cls", "expected"), [(r.ReduceSumOp, 9), (r.ReduceProdOp, 24), (r.ReduceMaxOp, 4), (r.ReduceMinOp, 2)])
def test_contents(infer, cls, expected):
    found = infer(cls, [ints(2, 3, 4)], keepdims=0)
    assert found.shapes.contents(found.op.results[0]).tolist() == expected


def test_contents_of_nothing(infer):
    for cls, expected in ((r.ReduceProdOp, 1), (r.ReduceSumOp, 0)):
        found = infer(cls, [ints()], keepdims=0)
        assert found.shapes.contents(found.op.results[0]).tolist() == expected
    found = infer(r.ReduceMaxOp, [ints()], keepdims=0)
    assert found.shapes.contents(found.op.results[0]) is None


def test_contents_along_one_axis(infer):
    found = infer(r.ReduceProdOp, [np.array([[1, 2], [3, 4]]), ints(0)])
    assert found.shapes.contents(found.op.results[0]).tolist() == [[3, 8]]
