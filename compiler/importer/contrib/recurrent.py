"""The LSTM whose weights are bytes and whose inputs and states are quantised by their range as it runs."""

from __future__ import annotations

from ....dialects.custom import Operand, TensorSpec, decomposition, operator
from ....dialects.kernel import Array, Out, f32, i32, kernel, unroll
from ....dialects.kernel.cells import activated, clipped, functions_of, length_of
from ..values import Graph, Value
from .common import BYTES, DOMAIN


def _sizes(
    xw: Operand,
    r: Operand,
    scale: Operand,
    zero: Operand,
    peepholes: Operand | None,
    lengths: Operand | None,
    initial: Operand | None,
    initial_cell: Operand | None,
) -> list[TensorSpec]:
    steps, batch, _ = xw.shape
    directions, hidden, gates = r.shape
    xw.expect(None, None, directions * gates)
    r.expect(None, None, 4 * hidden)
    scale.expect(directions, gates)
    zero.expect(directions, gates)
    if peepholes is not None:
        peepholes.expect(directions, 3 * hidden)
    if lengths is not None:
        lengths.expect(batch)
    for state in (initial, initial_cell):
        if state is not None:
            state.expect(directions, batch, hidden)
    state = TensorSpec((directions, batch, hidden), "float")
    scratch = [TensorSpec((gates,), "float"), TensorSpec((gates,), "int32"), TensorSpec((batch, hidden), "int32")]
    return [TensorSpec((steps, directions, batch, hidden), "float"), state, state, *scratch]


@operator(DOMAIN, shapes=_sizes, scratch=["values", "sums", "quanta"], name="DynamicQuantizeLSTM.cell")
@kernel
def _cell(
    xw: Array,
    r: Array,
    scale: Array,
    zero: Array,
    peepholes: Array | None,
    lengths: Array | None,
    initial: Array | None,
    initial_cell: Array | None,
    y: Out,
    h: Out,
    c: Out,
    values: Out,
    sums: Out,
    quanta: Out,
    names: tuple[str, ...],
    alphas: tuple[float, ...],
    betas: tuple[float, ...],
    reverse: tuple[int, ...],
    clip: float,
    input_forget: bool,
):
    """Gates i, o, f, c of H units each in xw (S, N, D*4*H) and r (D, H, 4*H). Each step quantises the states of all sequences at once."""
    steps, batch, size = xw.shape[0], xw.shape[1], h.shape[2]
    for d in unroll(len(reverse)):
        for n in range(batch):
            for k in range(size):
                h[d, n, k] = initial[d, n, k] if initial is not None else f32(0.0)
                c[d, n, k] = initial_cell[d, n, k] if initial_cell is not None else f32(0.0)
        for t in range(steps):
            low, high = f32(0.0), f32(0.0)
            for n in range(batch):
                for k in range(size):
                    low, high = min(low, h[d, n, k]), max(high, h[d, n, k])
            step = (high - low) / 255.0 if high > low else f32(1.0)
            middle = round(-low / step)
            for n in range(batch):
                for k in range(size):
                    quanta[n, k] = i32(min(max(round(h[d, n, k] / step) + middle, 0.0), 255.0) - middle)
            for n in range(batch):
                length = length_of(lengths, n, steps)
                if t < length:
                    s = length - 1 - t if reverse[d] == 1 else t
                    for g in range(4 * size):
                        sums[g] = 0
                    for k in range(size):
                        for g in range(4 * size):
                            sums[g] += quanta[n, k] * (i32(r[d, k, g]) - i32(zero[d, g]))
                    for g in range(4 * size):
                        values[g] = xw[s, n, d * 4 * size + g] + f32(sums[g]) * (step * scale[d, g])
                    for k in range(size):
                        old = c[d, n, k]
                        i, o, keep = values[k], values[size + k], values[2 * size + k]
                        if peepholes is not None:
                            i += peepholes[d, k] * old
                            keep += peepholes[d, 2 * size + k] * old
                        i = activated(clipped(i, clip), (names[3 * d], alphas[3 * d], betas[3 * d]))
                        if input_forget:
                            keep = 1.0 - i
                        else:
                            keep = activated(clipped(keep, clip), (names[3 * d], alphas[3 * d], betas[3 * d]))
                        cell = activated(clipped(values[3 * size + k], clip), (names[3 * d + 1], alphas[3 * d + 1], betas[3 * d + 1]))
                        new = keep * old + i * cell
                        c[d, n, k] = new
                        if peepholes is not None:
                            o += peepholes[d, size + k] * new
                        o = activated(clipped(o, clip), (names[3 * d], alphas[3 * d], betas[3 * d]))
                        h[d, n, k] = o * activated(new, (names[3 * d + 2], alphas[3 * d + 2], betas[3 * d + 2]))
                        y[s, d, n, k] = h[d, n, k]
                else:
                    for k in range(size):
                        y[t, d, n, k] = 0


_DIRECTIONS = {"forward": (0,), "reverse": (1,), "bidirectional": (0, 1)}


@decomposition(
    DOMAIN,
    outputs=["Y", "Y_h", "Y_c"],
    types={
        "X B initial_h initial_c P W_scale R_scale": ["float"],
        "W R": BYTES,
        "W_zero_point": BYTES,
        "R_zero_point": BYTES,
        "sequence_lens": ["int32"],
    },
)
def DynamicQuantizeLSTM(
    g: Graph,
    X: Value,
    W: Value,
    R: Value,
    B: Value | None,
    sequence_lens: Value | None,
    initial_h: Value | None,
    initial_c: Value | None,
    P: Value | None,
    W_scale: Value,
    W_zero_point: Value,
    R_scale: Value,
    R_zero_point: Value,
    *,
    activation_alpha: list[float] = (),  # type: ignore[assignment]
    activation_beta: list[float] = (),  # type: ignore[assignment]
    activations: list[str] = (),  # type: ignore[assignment]
    clip: float = 0.0,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: int = 0,
) -> list[Value]:
    """LSTM with W (D, I, 4 H) and R (D, H, 4 H), which have a scale and zero point a direction, or one a column too.

    The whole of X is quantised by its range, and so is the state before each step.
    """
    if direction not in _DIRECTIONS:
        raise g.problem("ITG1105", f"direction is {direction!r}, expected one of {', '.join(_DIRECTIONS)}")
    count = len(_DIRECTIONS[direction])
    names = activations or ("Sigmoid", "Tanh", "Tanh") * count
    if len(names) != 3 * count:
        raise g.problem("ITG1105", f"there are {len(names)} activations, expected {3 * count}")
    functions = functions_of(names, activation_alpha, activation_beta)
    gates = R.of_rank(3).dim(1) * 4
    x, x_scale, x_zero = g.op("DynamicQuantizeLinear", X.of_rank(3), outputs=3)
    parts = []
    for d in range(count):
        weight, scale, zero = (v.slice(0, d, d + 1).squeeze(0) for v in (W.of_rank(3), W_scale, W_zero_point))
        parts.append(g.MatMulInteger(x, weight, x_zero, zero).cast("float") * (x_scale * scale))
    total = parts[0] if count == 1 else g.Concat(*parts, axis=2)
    if B is not None:
        own, recurrent = B.split(1, gates, gates)
        total = total + (own + recurrent).reshape(1, 1, gates * count)
    return g.op(
        _cell, total, R, *(_by_columns(v, count, gates) for v in (R_scale, R_zero_point)), P, sequence_lens, initial_h, initial_c,
        names=[f[0] for f in functions], alphas=[f[1] for f in functions], betas=[f[2] for f in functions],
        reverse=_DIRECTIONS[direction], clip=clip, input_forget=input_forget, outputs=3,
    )  # fmt: skip


def _by_columns(x: Value, directions: int, gates: int | Value) -> Value:
    """One value a direction, or one a column of it, as one a column."""
    return (x.reshape(directions, 1) if x.of_rank(1, 2).rank == 1 else x).expand(directions, gates)
