"""Optimisers and gradients."""

from __future__ import annotations

import numpy as np

from .model import case, floats, positive, scalar

R, T = scalar(0.1, np.float32), scalar(2)
STATE = {"r": R, "t": T, "x": floats(3), "g": floats(3), "h": positive(3)}
TRAINING = "ai.onnx.preview.training"


def adagrad(r, t, x, g, h):
    squares = h + g * g
    return (x - r * g / (np.sqrt(squares) + np.float32(1e-6))).astype(np.float32), squares


def momentum(r, t, x, g, v):
    mean = np.float32(0.9) * v + np.float32(0.5) * g
    return (x - r * mean).astype(np.float32), mean


def adam(r, t, x, g, v, h):
    mean = np.float32(0.9) * v + np.float32(0.1) * g
    square = np.float32(0.999) * h + np.float32(0.001) * g * g
    rate = r * np.sqrt(1 - 0.999 ** int(t)) / (1 - 0.9 ** int(t))
    return (x - rate * mean / (np.sqrt(square) + 1e-6)).astype(np.float32), mean, square


case(f"{TRAINING}.Adagrad", "1", f"y, n = {TRAINING}.Adagrad(r, t, x, g, h)", **STATE, want=adagrad)
FORM = 'alpha = 0.9, beta = 0.5, norm_coefficient = 0.0, mode = "standard"'
VELOCITY = {name: STATE[name] for name in "rtxg"}
case(f"{TRAINING}.Momentum", "1", f"y, n = {TRAINING}.Momentum <{FORM}> (r, t, x, g, v)", **VELOCITY, v=floats(3), want=momentum)
case(f"{TRAINING}.Adam", "1", f"y, n, m = {TRAINING}.Adam(r, t, x, g, v, h)", **VELOCITY, v=floats(3), h=positive(3), want=adam, near=1e-4)
SLOPE = f'm = Mul(a, b) s = Add(m, a) da, db = {TRAINING}.Gradient <xs = ["a", "b"], y = "s"> (a, b)'
case(f"{TRAINING}.Gradient", "1", SLOPE, a=floats(3), b=floats(3), want=lambda a, b: (a * b + a, b + 1, a))
