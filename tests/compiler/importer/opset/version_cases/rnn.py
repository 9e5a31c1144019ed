"""Recurrent layers."""

from __future__ import annotations

import numpy as np

from .model import case, floats

STEPS, BATCH, INPUTS, HIDDEN = 4, 2, 3, 5


def layer(gates: int, directions: int = 1) -> dict[str, np.ndarray]:
    w, r = floats(directions, gates * HIDDEN, INPUTS), floats(directions, gates * HIDDEN, HIDDEN)
    return {"x": floats(STEPS, BATCH, INPUTS), "w": w, "r": r, "b": floats(directions, 2 * gates * HIDDEN)}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def rnn(x: np.ndarray, w: np.ndarray, r: np.ndarray, b: np.ndarray, backwards: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """One direction: all of its states, and the last."""
    h, states = np.zeros((BATCH, HIDDEN), np.float32), []
    for step in x[::-1] if backwards else x:
        h = np.tanh(step @ w[0].T + h @ r[0].T + b[0, :HIDDEN] + b[0, HIDDEN:])
        states.append(h)
    return np.stack(states[::-1] if backwards else states)[:, None], h[None]


def gru(x: np.ndarray, w: np.ndarray, r: np.ndarray, b: np.ndarray, before_reset: bool = False) -> tuple[np.ndarray, np.ndarray]:
    h, states = np.zeros((BATCH, HIDDEN), np.float32), []
    (wz, wr, wh), (rz, rr, rh) = np.split(w[0], 3), np.split(r[0], 3)
    bz, br, bh, cz, cr, ch = np.split(b[0], 6)
    for step in x:
        z = sigmoid(step @ wz.T + h @ rz.T + bz + cz)
        reset = sigmoid(step @ wr.T + h @ rr.T + br + cr)
        inner = reset * (h @ rh.T + ch) if before_reset else (reset * h) @ rh.T + ch
        h = (1 - z) * np.tanh(step @ wh.T + inner + bh) + z * h
        states.append(h)
    return np.stack(states)[:, None], h[None]


def lstm(x: np.ndarray, w: np.ndarray, r: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    h = c = np.zeros((BATCH, HIDDEN), np.float32)
    states = []
    for step in x:
        i, o, f, g = np.split(step @ w[0].T + h @ r[0].T + b[0, : 4 * HIDDEN] + b[0, 4 * HIDDEN :], 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states)[:, None], h[None], c[None]


FORM = "hidden_size = 5"
# Up to operator set 6 an attribute told whether the first output was wanted.
case("RNN", "1", f"y, h = RNN <{FORM}, output_sequence = 1> (x, w, r, b)", **layer(1), want=rnn)
case("RNN", "1", f", h = RNN <{FORM}> (x, w, r, b)", **layer(1), want=lambda *f: rnn(*f)[1])
case("RNN", "1-", f'y, h = RNN <{FORM}, direction = "reverse"> (x, w, r, b)', **layer(1), want=lambda *f: rnn(*f, backwards=True))
case("GRU", "1-3", f"y, h = GRU <{FORM}, output_sequence = 1> (x, w, r, b)", **layer(3), want=gru)
# Operator set 1 misspelled the default of the direction.
case("GRU", "1", f'y, h = GRU <{FORM}, direction = "foward"> (x, w, r, b)', **layer(3), want=gru)
case("GRU", "1-", f"y, h = GRU <{FORM}> (x, w, r, b)", **layer(3), want=gru)
case("GRU", "3-", f"y, h = GRU <{FORM}, linear_before_reset = 1> (x, w, r, b)", **layer(3), want=lambda *f: gru(*f, before_reset=True))
case("LSTM", "1", f"y, h, c = LSTM <{FORM}, output_sequence = 1> (x, w, r, b)", **layer(4), want=lstm)
case("LSTM", "1-", f"y, h, c = LSTM <{FORM}> (x, w, r, b)", **layer(4), want=lstm)
for name, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
    both = layer(gates, 2)
    case(name, "7-", f'y, h = {name} <{FORM}, direction = "bidirectional", clip = 0.5> (x, w, r, b)', **both, near=1e-4)
    batched = {**both, "x": floats(BATCH, STEPS, INPUTS)}
    case(name, "14-", f'y, h = {name} <{FORM}, direction = "bidirectional", layout = 1> (x, w, r, b)', **batched, by="reference", near=1e-4)
