"""Branches and loops."""

from __future__ import annotations

import numpy as np

from .model import case, floats, ints, scalar

A, B = floats(2, 3), floats(2, 3)
BRANCHES = "then_branch = t () => (float[2, 3] p) { p = Add(a, b) }, else_branch = e () => (float[2, 3] q) { q = Sub(a, b) }"
for truth in (False, True):
    case("If", "1-", f"y = If <{BRANCHES}> (c)", c=scalar(truth, bool), a=A, b=B, want=lambda c, a, b: a + b if c else a - b)
OPEN = "then_branch = t () => (float[N, 3] p) { p = Identity(a) }, else_branch = e () => (float[M, 3] q) { q = Identity(b) }"
case("If", "11-", f"y = If <{OPEN}> (c)", c=scalar(True, bool), a=A, b=floats(1, 3), want=lambda c, a, b: a)

BODY = "body = l (int64 i, bool go, float[3] s) => (bool go2, float[3] s2, float[3] t) { go2 = Identity(go) s2 = Add(s, x) t = Mul(s, s) }"


def looped(n: np.ndarray, s0: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    states = [s0 + k * x for k in range(int(n) + 1)]
    return states[-1], np.stack([s * s for s in states[:-1]])


case("Loop", "1-", f"s, t = Loop <{BODY}> (n, , s0)", n=scalar(4), s0=floats(3), x=floats(3), want=looped)
SCAN = "body = b (float[3] s, float[3] e) => (float[3] s2, float[3] t) { s2 = Add(s, e) t = Mul(s, e) }"


def scanned(s0: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    states = [s0]
    for e in x:
        states.append(states[-1] + e)
    return states[-1], np.stack([s * e for s, e in zip(states, x, strict=False)]) if len(x) else np.zeros((0, 3), np.float32)


def scanned_in_batches(s0: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    finals, outputs = zip(*map(scanned, s0, x), strict=True)
    return np.stack(finals), np.stack(outputs)


# At operator set 8 everything had a batch axis in front, and the sequences of a batch had lengths of their own.
for batch in (1, 2):
    feeds = {"s0": floats(batch, 3), "x": floats(batch, 4, 3)}
    case("Scan", "8", f"s, t = Scan <{SCAN}, num_scan_inputs = 1> (, s0, x)", **feeds, want=scanned_in_batches)
    text = f"s, t = Scan <{SCAN}, num_scan_inputs = 1, directions = [1]> (, s0, x)"
    case("Scan", "8", text, **feeds, want=lambda s0, x: scanned_in_batches(s0, x[:, ::-1]))


def scanned_to_lengths(n: np.ndarray, s0: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = [scanned(s, e[:length]) for s, e, length in zip(s0, x, n, strict=True)]
    padded = [np.concatenate([t, np.zeros((x.shape[1] - len(t), 3), np.float32)]) for _, t in found]
    return np.stack([s for s, _ in found]), np.stack(padded)


OF_LENGTHS = {"n": ints(3, 4, 1), "s0": floats(3, 3), "x": floats(3, 4, 3)}
case("Scan", "8", f"s, t = Scan <{SCAN}, num_scan_inputs = 1> (n, s0, x)", **OF_LENGTHS, want=scanned_to_lengths)
case("Scan", "9-", f"s, t = Scan <{SCAN}, num_scan_inputs = 1> (s0, x)", s0=floats(3), x=floats(4, 3), want=scanned)
text = f"s, t = Scan <{SCAN}, num_scan_inputs = 1, scan_input_axes = [1], scan_output_directions = [1]> (s0, x)"
case("Scan", "9-", text, s0=floats(3), x=floats(3, 4), want=lambda s0, x: (scanned(s0, x.T)[0], scanned(s0, x.T)[1][::-1]))
