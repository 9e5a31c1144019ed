"""Optimisers on numbers: mixed precisions, sizes known late and empty tensors, which the official cases leave out."""

from __future__ import annotations

import intaglio
import numpy as np
import onnx.parser
import pytest

HEAD = '<ir_version: 10, opset_import: ["" : 21, "ai.onnx.preview.training" : 1]>\n'


def run(text: str, **feeds: object) -> list[np.ndarray]:
    return intaglio.compile(onnx.parser.parse_model(HEAD + text)).session().run(None, feeds)


@pytest.mark.parametrize("n", [0, 1, 37])
def test_adam_in_double_with_rates_in_float(n: int) -> None:
    rng = np.random.default_rng(0)
    x, g, v, h = rng.standard_normal((4, n))
    h = np.abs(h)
    rate, steps = 0.1, 3
    y, v2, h2 = run(
        """g (float r, int64 t, double[N] x, double[N] g, double[N] v, double[N] h) => (double[N] y, double[N] v2, double[N] h2) {
            y, v2, h2 = ai.onnx.preview.training.Adam <norm_coefficient = 0.25, norm_coefficient_post = 0.5> (r, t, x, g, v, h)
        }""",
        r=np.array(rate, np.float32),
        t=np.array(steps),
        x=x,
        g=g,
        v=v,
        h=h,
    )
    alpha, beta = float(np.float32(0.9)), float(np.float32(0.999))
    slope = g + 0.25 * x
    mean, square = alpha * v + (1 - alpha) * slope, beta * h + (1 - beta) * slope**2
    corrected = float(np.float32(rate)) * np.sqrt(1 - beta**steps) / (1 - alpha**steps)
    np.testing.assert_allclose(v2, mean, rtol=1e-12)
    np.testing.assert_allclose(h2, square, rtol=1e-12)
    np.testing.assert_allclose(y, 0.5 * (x - corrected * mean / (np.sqrt(square) + float(np.float32(1e-6)))), rtol=1e-9)


@pytest.mark.parametrize("step", [0, 1])
def test_the_first_step_of_momentum_takes_the_gradient_whole(step: int) -> None:
    x, g, v = (np.array([value], np.float32) for value in (1.0, 2.0, 3.0))
    y, w = run(
        """g (float r, int64[1] t, float[1] x, float[1] g, float[1] v) => (float[1] y, float[1] w) {
            y, w = ai.onnx.preview.training.Momentum <norm_coefficient = 0.0, alpha = 0.5, beta = 0.125, mode = "standard"> (r, t, x, g, v)
        }""",
        r=np.array(0.5, np.float32),
        t=np.array([step]),
        x=x,
        g=g,
        v=v,
    )
    expected = 1.5 + (2.0 if step == 0 else 0.25)
    assert w == expected
    assert y == 1 - 0.5 * expected
