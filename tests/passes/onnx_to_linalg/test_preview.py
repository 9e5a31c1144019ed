"""FlexAttention on sizes that only the run tells, with a mask from outside."""

from __future__ import annotations

import intaglio
import numpy as np
import onnx.parser

HEAD = '<ir_version: 10, opset_import: ["" : 21, "ai.onnx.preview" : 1]>\n'


def test_flex_attention_with_shared_heads_and_a_captured_mask() -> None:
    text = """g (float[B, 4, L, E] q, float[B, 2, S, E] k, float[B, 2, S, F] v, float[L, S] mask) => (float[B, 4, L, F] y) {
        y = ai.onnx.preview.FlexAttention <scale = 0.5, score_mod = m (float[B, 4, L, S] s) => (float[B, 4, L, S] t) {
            t = Add (s, mask) }> (q, k, v)
    }"""
    session = intaglio.compile(onnx.parser.parse_model(HEAD + text)).session()
    rng = np.random.default_rng(0)
    for batch, rows, columns, head, out in ((1, 3, 5, 8, 4), (2, 1, 17, 20, 33)):
        q, k, v = (
            rng.standard_normal(s).astype(np.float32) for s in ((batch, 4, rows, head), (batch, 2, columns, head), (batch, 2, columns, out))
        )
        mask = rng.standard_normal((rows, columns)).astype(np.float32)
        (y,) = session.run(None, {"q": q, "k": k, "v": v, "mask": mask})
        scores = 0.5 * q @ np.repeat(k, 2, 1).swapaxes(2, 3) + mask
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        np.testing.assert_allclose(y, powers / powers.sum(-1, keepdims=True) @ np.repeat(v, 2, 1), rtol=1e-4, atol=1e-5)
