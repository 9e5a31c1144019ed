"""The dynamically quantised LSTM against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

rng = np.random.default_rng(0)
STEPS, BATCH, FEATURES, HIDDEN = 4, 2, 5, 3


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def weights(directions, dtype, columns):
    low, high = (-60, 60) if dtype is np.int8 else (0, 255)
    shape = (directions, 4 * HIDDEN) if columns else (directions,)
    quanta = [rng.integers(low, high, (directions, n, 4 * HIDDEN)).astype(dtype) for n in (FEATURES, HIDDEN)]
    scales = [rng.uniform(0.005, 0.01, shape).astype(np.float32) for _ in range(2)]
    zeros = [np.full(shape, 3 if dtype is np.int8 else 128, dtype) for _ in range(2)]
    return quanta, scales, zeros


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("dtype", "columns"), [(np.int8, False), (np.uint8, True)])
def test_directions(agrees, direction, dtype, columns):
    count = 2 if direction == "bidirectional" else 1
    (w, r), (w_scale, r_scale), (w_zero, r_zero) = weights(count, dtype, columns)
    more = (normal(count, 8 * HIDDEN), None, normal(count, BATCH, HIDDEN), normal(count, BATCH, HIDDEN), normal(count, 3 * HIDDEN))
    inputs = (normal(STEPS, BATCH, FEATURES), w, r, *more, w_scale, w_zero, r_scale, r_zero)
    # Its products on several threads quantise parts of the batch on their own.
    agrees(
        "DynamicQuantizeLSTM", *inputs, outputs=3, direction=direction, hidden_size=HIDDEN, constants=(1, 2, 8, 9, 10, 11),
        sizes=(columns,), rtol=2e-2, atol=5e-3,
    )  # fmt: skip


def test_lengths_and_activations(agrees):
    (w, r), (w_scale, r_scale), (w_zero, r_zero) = weights(1, np.int8, False)
    lengths = np.array([4, 2], np.int32)
    inputs = (normal(STEPS, BATCH, FEATURES), w, r, None, lengths, None, None, None, w_scale, w_zero, r_scale, r_zero)
    options = {"activations": ["HardSigmoid", "Tanh", "Relu"], "activation_alpha": [0.25], "activation_beta": [0.4], "clip": 0.7}
    agrees(
        "DynamicQuantizeLSTM", *inputs, outputs=3, hidden_size=HIDDEN, input_forget=1, **options, constants=(1, 2, 8, 9, 10, 11),
        sizes=(True,), rtol=2e-2, atol=5e-3,
    )  # fmt: skip


def test_refused(codes):
    (w, r), (w_scale, r_scale), (w_zero, r_zero) = weights(1, np.int8, False)
    inputs = (normal(STEPS, BATCH, FEATURES), w, r, None, None, None, None, None, w_scale, w_zero, r_scale, r_zero)
    assert codes("DynamicQuantizeLSTM", *inputs, direction="up")[0].startswith("ITG1105 direction is 'up'")
    assert codes("DynamicQuantizeLSTM", *inputs, activations=["Tanh"])[0].startswith("ITG1105 there are 1 activations")
