"""What fusion must not change: how long a reduced loop runs, where what it reads is longer than what was reduced."""

from __future__ import annotations

import intaglio
import numpy as np
import onnx.parser
import pytest

HEAD = '<ir_version: 10, opset_import: ["" : 21]>\n'


def session(text: str) -> intaglio.Session:
    return intaglio.compile(onnx.parser.parse_model(HEAD + text)).session()


@pytest.mark.parametrize("dims", ["N, M", "7, 9"])
def test_a_reduced_slice_stays_a_slice(dims: str) -> None:
    s = session(f"""g (float[{dims}] x) => (float[A, 1] total, float[A, B] share) {{
        first = Constant <value_ints = [0, 0]> () end = Constant <value_ints = [5, 6]> ()
        part = Slice (x, first, end) row = Constant <value_ints = [1]> ()
        total = ReduceSum (part, row) share = Softmax (part)
    }}""")
    for shape in ((7, 9), (3, 4)) if dims == "N, M" else ((7, 9),):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        total, share = s.run(None, {"x": x})
        part = x[:5, :6]
        np.testing.assert_allclose(total, part.sum(1, keepdims=True), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(share, np.exp(part) / np.exp(part).sum(1, keepdims=True), rtol=1e-5)


def test_a_whole_reduction_of_a_broadcast_counts_every_copy() -> None:
    s = session("g (float[N, 1] x, float[1, M] y) => (float[1, 1] total) { sum = Add (x, y) total = ReduceSum (sum) }")
    x, y = np.arange(3, dtype=np.float32).reshape(3, 1), np.arange(4, dtype=np.float32).reshape(1, 4)
    np.testing.assert_allclose(s.run(None, {"x": x, "y": y})[0], [[(x + y).sum()]])
