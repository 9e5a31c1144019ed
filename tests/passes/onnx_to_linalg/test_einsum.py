"""Einsum against numpy's, and determinants."""

import numpy as np
import pytest

EQUATIONS = [
    ("ij,jk->ik", [(3, 4), (4, 5)]),
    ("bij,bjk", [(2, 3, 4), (2, 4, 5)]),
    ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
    ("bqhd,bkhd->bhqk", [(2, 4, 3, 5), (2, 6, 3, 5)]),
    ("i,i->", [(4,), (4,)]),
    ("i,j->ij", [(3,), (4,)]),
    ("ii->i", [(4, 4)]),
    ("ii", [(4, 4)]),
    ("ijk->kj", [(2, 3, 4)]),
    ("ij,j,kj->ki", [(3, 4), (4,), (5, 4)]),
    ("...ij,...jk->...ik", [(2, 1, 3, 4), (2, 5, 4, 2)]),
    ("ij,ij->ji", [(3, 4), (3, 4)]),
    ("ab,bc,cd,de->ae", [(2, 3), (3, 4), (4, 5), (5, 2)]),
    ("ij,k->i", [(3, 4), (5,)]),
    ("ij,jk->ik", [(3, 0), (0, 5)]),
    ("ij,jk->ik", [(0, 3), (3, 5)]),
]


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS)
@pytest.mark.parametrize("open_dims", [False, True])
def test_einsum(run, equation, shapes, open_dims):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    got = run("Einsum", *arrays, equation=equation, open_dims=open_dims)
    np.testing.assert_allclose(got, np.einsum(equation, *arrays), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.float64, np.float16])
def test_types(run, dtype):
    x, y = np.arange(12).reshape(3, 4).astype(dtype), np.arange(8).reshape(4, 2).astype(dtype)
    np.testing.assert_array_equal(run("Einsum", x, y, equation="ij,jk->ik"), x @ y)


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (2, 3, 5, 5), (0, 3, 3), (3, 0, 0)])
def test_determinants(run, shape):
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(run("Det", x, open_dims=True), np.linalg.det(x), rtol=1e-3, atol=1e-4)


def test_singular(run):
    assert run("Det", np.zeros((3, 3), np.float32)) == 0
    assert run("Det", np.array([[0, 1], [1, 0]], np.float32)) == -1
