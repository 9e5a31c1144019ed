"""Ifs whose branches give different ranks, as exporters write `squeeze` of an open dimension: on numbers, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import intaglio
import numpy as np
import onnx.parser
import pytest
from intaglio.compiler.importer import ImportedModel, ImportFailed
from xdsl.dialects import func

HEAD = '<ir_version: 8, opset_import: ["" : 20]>\n'

SQUEEZED = """
  sizes = Shape (x)
  last = Constant <value_int: int = -1> ()
  lasts = Constant <value_ints: ints = [-1]> ()
  size = Gather (sizes, last)
  one = Constant <value_int: int = 1> ()
  is_one = Equal (size, one)
  s = If (is_one) <
    then_branch = t () => (a) { a = Squeeze (x, lasts) },
    else_branch = e () => (b) { b = Identity (x) }
  >
"""
"""x without its last dimension where that is 1."""


def session(body: str, inputs: str = "float[M, N] x", output: str = "y") -> intaglio.Session:
    return intaglio.compile(onnx.parser.parse_model(f"{HEAD} g ({inputs}) => ({output}) {{ {SQUEEZED} {body} }}")).session()


def run(s: intaglio.Session, **feeds: np.ndarray) -> np.ndarray:
    return s.run(None, feeds)[0]


def counting(*shape: int) -> np.ndarray:
    return np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


def kinds(model: ImportedModel) -> list[str]:
    (main,) = model.module.ops
    assert isinstance(main, func.FuncOp)
    return [op.name for op in main.body.block.ops]


def test_what_follows_goes_into_both_branches() -> None:
    """`w` depends on the If and stands between; `k` does not, though a node in the branches needs it."""
    s = session("""
      k = Exp (x)
      r = Shape (s)
      t = Neg (s)
      w = ReduceSum <keepdims = 0> (t)
      f = ReduceSum <keepdims = 0> (k)
      n = ReduceProd <keepdims = 0> (r)
      m = Cast <to = 1> (n)
      u = Add (w, f)
      y = Add (u, m)
    """)
    for shape in ((3, 1), (2, 4)):
        x = counting(*shape)
        np.testing.assert_allclose(run(s, x=x), -x.sum() + np.exp(x).sum() + x.size, rtol=1e-6)


def test_a_branch_in_which_nothing_fits_is_refused_by_the_run() -> None:
    s = session("t = Neg (s) axis = Constant <value_ints: ints = [0]> () r = Unsqueeze (t, axis) y = Transpose <perm = [1, 0]> (r)")
    x = counting(3, 1)
    np.testing.assert_array_equal(run(s, x=x), -x)
    with pytest.raises(intaglio.IntaglioError, match=r'ITG5060 "If_s".* is false .*Transpose "Transpose_y"'):
        run(s, x=counting(3, 2))
    np.testing.assert_array_equal(run(s, x=x), -x)


def test_the_rank_of_an_output_decides() -> None:
    s = session("y = Neg (s)", output="float[K] y")
    np.testing.assert_array_equal(run(s, x=counting(3, 1)), -counting(3))
    with pytest.raises(intaglio.IntaglioError, match=r"ITG5060.*rank 2, and is declared with rank 1"):
        run(s, x=counting(1, 3))


def test_ifs_one_after_the_other_and_one_in_another() -> None:
    """A second squeeze of what the first leaves, all of it given by a branch of a third If."""
    s = session(
        """
          y = If (c) <
            then_branch = tt () => (p) {
              sizes2 = Shape (s)
              size2 = Gather (sizes2, last)
              is_one2 = Equal (size2, one)
              q = If (is_one2) <
                then_branch = ttt () => (a2) { a2 = Squeeze (s, lasts) },
                else_branch = tte () => (b2) { b2 = Neg (s) }
              >
              p = ReduceMax <keepdims = 0> (q)
            },
            else_branch = te () => (v) { v = ReduceMin <keepdims = 0> (s) }
          >
        """,
        inputs="bool c, float[M, N] x",
    )
    for shape, largest in (((3, 4), -1), ((3, 1), -1), ((1, 1), 1)):
        x = counting(*shape)
        assert run(s, x=x, c=np.array(True)) == largest
        assert run(s, x=x, c=np.array(False)) == 1


def test_a_rank_that_differs_in_a_loop() -> None:
    text = f"""{HEAD} g (int64 n, float[M, N] x, float start) => (float y) {{
      cond = Constant <value = bool {{1}}> ()
      y = Loop (n, cond, start) <body = body (int64 i, bool go, float before) => (on, after) {{
        on = Identity (go)
        {SQUEEZED}
        m = ReduceSum <keepdims = 0> (s)
        after = Add (before, m)
      }}>
    }}"""
    s = intaglio.compile(onnx.parser.parse_model(text)).session()
    for shape in ((3, 1), (2, 3)):
        x = counting(*shape)
        assert run(s, n=np.array(3), x=x, start=np.float32(1)) == 1 + 3 * x.sum()


def test_the_only_branch_that_fits_takes_the_ifs_place(imported: Callable[..., ImportedModel]) -> None:
    model = imported(f"{HEAD} g (float[M, N] x) => (float[K] y) {{ {SQUEEZED} y = Neg (s) }}")
    assert kinds(model)[-5:] == ["guard.require", "onnx.Squeeze", "onnx.Identity", "onnx.Neg", "func.return"]


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ("y = Neg (s)", ["ITG2222"]),  # nothing tells the output's rank
        ("y = Nope (s)", ["ITG2222", "ITG1004"]),
        ("y = MatMul (s, x)", ["ITG2222"]),
    ],
)
def test_what_stays_open_is_an_error(body: str, codes: list[str], imported: Callable[..., ImportedModel]) -> None:
    with pytest.raises(ImportFailed) as caught:
        imported(f"{HEAD} g (float[M, N] x) => (y) {{ {SQUEEZED} {body} }}")
    assert [p.code for p in caught.value.problems] == codes
