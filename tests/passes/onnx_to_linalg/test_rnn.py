"""Recurrent layers against their equations in numpy: directions, lengths, peepholes, layouts, activations, clipping."""

import numpy as np
import pytest

STEPS, BATCH, FEATURES, HIDDEN = 5, 3, 4, 6
LENGTHS = np.array([5, 0, 3], np.int32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn(x, w, r, wb, rb, state, o):
    h = o["f"](x @ w.T + state[0] @ r.T + wb + rb)
    return (h,)


def gru(x, w, r, wb, rb, state, o):
    (h,) = state
    parts = [[np.split(p, 3, axis=-1)[g] for p in (x @ w.T, h @ r.T, wb, rb)] for g in range(3)]
    z, reset = (o["f"](sum(part)) for part in parts[:2])
    if o["linear_before_reset"]:
        fresh = parts[2][0] + parts[2][2] + reset * (parts[2][1] + parts[2][3])
    else:
        fresh = parts[2][0] + (reset * h) @ np.split(r, 3)[2].T + parts[2][2] + parts[2][3]
    return ((1 - z) * o["g"](fresh) + z * h,)


def lstm(x, w, r, wb, rb, state, o):
    h, c = state
    i, out, f, new = np.split(x @ w.T + h @ r.T + wb + rb, 4, axis=-1)
    pi, po, pf = np.split(o["peepholes"], 3)
    i = o["f"](i + pi * c)
    f = 1 - i if o["input_forget"] else o["f"](f + pf * c)
    c = f * c + i * o["g"](new)
    return o["f"](out + po * c) * o["h"](c), c


def layer(cell, gates, x, w, r, b, lengths, initial, o):
    """y (S, D, N, H) and the last states (D, N, H) each; the second direction runs backwards."""
    directions, batch, hidden = initial[0].shape
    y = np.zeros((STEPS, directions, batch, hidden))
    last = [np.array(s, np.float64) for s in initial]
    for d in range(directions):
        wb, rb = np.split(b[d], 2)
        for n in range(batch):
            order = range(lengths[n]) if d == 0 else reversed(range(lengths[n]))
            for s in order:
                options = o | {"peepholes": o["peepholes"][d]} if "peepholes" in o else o
                state = cell(x[s, n], w[d], r[d], wb, rb, [part[d, n] for part in last], options)
                for part, value in zip(last, state, strict=True):
                    part[d, n] = value
                y[s, d, n] = state[0]
    return [y, *last]


def operands(gates, directions, states, batch=BATCH, hidden=HIDDEN):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return (rng.standard_normal(shape) * 0.5).astype(np.float32)

    x, w, r = normal(STEPS, batch, FEATURES), normal(directions, gates * hidden, FEATURES), normal(directions, gates * hidden, hidden)
    initial = [normal(directions, batch, hidden) for _ in range(states)]
    return x, w, r, normal(directions, 2 * gates * hidden), initial, normal(directions, 3 * hidden)


CELLS = {
    "RNN": (rnn, 1, 1, {"f": np.tanh}, {}),
    "GRU": (gru, 3, 1, {"f": sigmoid, "g": np.tanh, "linear_before_reset": 0}, {}),
    "GRU reset": (gru, 3, 1, {"f": sigmoid, "g": np.tanh, "linear_before_reset": 1}, {"linear_before_reset": 1}),
    "LSTM": (lstm, 4, 2, {"f": sigmoid, "g": np.tanh, "h": np.tanh, "input_forget": 0}, {}),
    "LSTM coupled": (lstm, 4, 2, {"f": sigmoid, "g": np.tanh, "h": np.tanh, "input_forget": 1}, {"input_forget": 1}),
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("open_dims", [False, True])
@pytest.mark.parametrize("layout", [0, 1])
def test_both_directions(run, name, open_dims, layout):
    cell, gates, states, options, attributes = CELLS[name]
    x, w, r, b, initial, peepholes = operands(gates, 2, states)
    extra = [peepholes] if gates == 4 else []
    expected = layer(cell, gates, x, w, r, b, LENGTHS, initial, options | ({"peepholes": peepholes} if extra else {}))
    if layout:
        x, initial = np.swapaxes(x, 0, 1), [np.swapaxes(s, 0, 1) for s in initial]
        expected = [np.transpose(expected[0], (2, 0, 1, 3)), *(np.swapaxes(s, 0, 1) for s in expected[1:])]
    attributes = attributes | {"hidden_size": HIDDEN, "direction": "bidirectional", "layout": layout}
    arrays = [np.ascontiguousarray(a) for a in (x, w, r, b, LENGTHS, *initial, *extra)]
    found = run(name.split()[0], *arrays, outputs=1 + states, open_dims=open_dims, **attributes)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [0, 1, 2, 4, 5, 7])
@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_any_number_of_sequences(run, name, batch):
    """Several share the weights that are read, and those that are left over; several panels, the last one not full."""
    cell, gates, states, options, _ = CELLS[name]
    x, w, r, b, initial, _ = operands(gates, 2, states, batch, hidden=37)
    lengths = np.array([5, 2, 0, 4, 5, 1, 3][:batch], np.int32)
    expected = layer(cell, gates, x, w, r, b, lengths, initial, options | {"peepholes": np.zeros((2, 111))})
    arrays = (x, w, r, b, lengths, *initial)
    for open_dims in (False, (0, 4, *range(5, 5 + states))):
        found = run(name, *arrays, outputs=1 + states, open_dims=open_dims, constants=(1, 2, 3), hidden_size=37, direction="bidirectional")
        for got, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_directions_of_their_own_activations(run):
    x, w, r, b, initial, _ = operands(1, 2, 1)
    lengths = np.full(BATCH, STEPS)
    tanh = layer(rnn, 1, x, w, r, b, lengths, initial, {"f": np.tanh})
    smooth = layer(rnn, 1, x, w, r, b, lengths, initial, {"f": sigmoid})
    activations = ["Tanh", "Sigmoid"]
    y, h = run("RNN", x, w, r, b, None, *initial, outputs=2, hidden_size=HIDDEN, direction="bidirectional", activations=activations)
    np.testing.assert_allclose(y, np.concatenate([tanh[0][:, :1], smooth[0][:, 1:]], 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(h, np.concatenate([tanh[1][:1], smooth[1][1:]]), rtol=1e-4, atol=1e-5)


ACTIVATIONS = {
    "Relu": lambda x: np.maximum(x, 0),
    "Affine": lambda x: 2 * x + 0.5,
    "LeakyRelu": lambda x: np.where(x < 0, 2 * x, x),
    "ThresholdedRelu": lambda x: np.where(x > 2, x, 0),
    "ScaledTanh": lambda x: 2 * np.tanh(0.5 * x),
    "HardSigmoid": lambda x: np.clip(2 * x + 0.5, 0, 1),
    "Elu": lambda x: np.where(x < 0, 2 * np.expm1(x), x),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "Sigmoid": sigmoid,
    "Tanh": np.tanh,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(run, name):
    x = np.linspace(-4, 4, 9, dtype=np.float32).reshape(9, 1, 1)
    one, zero = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
    y, _ = run("RNN", x, one, zero, outputs=2, hidden_size=1, activations=[name], activation_alpha=[2.0], activation_beta=[0.5])
    np.testing.assert_allclose(y.ravel(), ACTIVATIONS[name](x.ravel().astype(np.float64)), rtol=1e-5, atol=1e-6)


def test_clipped_before_the_activation(run):
    x = np.linspace(-4, 4, 9, dtype=np.float32).reshape(9, 1, 1)
    one, zero = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
    y, _ = run("RNN", x, one, zero, outputs=2, hidden_size=1, activations=["Affine"], clip=1.5)
    np.testing.assert_allclose(y, np.clip(x, -1.5, 1.5).reshape(9, 1, 1, 1))


@pytest.mark.parametrize("constants", [(), (1, 2, 3)])
def test_halves(run, constants):
    x, w, r, b, initial, _ = operands(1, 1, 1)
    arrays = [a.astype(np.float16) for a in (x, w, r, b)]
    y, _ = run("RNN", *arrays, None, initial[0].astype(np.float16), outputs=2, constants=constants, hidden_size=HIDDEN)
    lengths = np.full(BATCH, STEPS)
    np.testing.assert_allclose(y, layer(rnn, 1, x, w, r, b, lengths, initial, {"f": np.tanh})[0], atol=5e-3)
