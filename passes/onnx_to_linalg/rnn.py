"""Recurrent layers: the input's part of every gate as one product, then a loop over the steps in the kernel language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...dialects.kernel import Array, Out, cast, inline, kernel, unroll
from ...dialects.kernel.cells import activated, clipped, functions_of, length_of
from ...dialects.onnx import rnn as ops
from ...dialects.onnx.dims import Shape
from ...dialects.onnx.types import ElementType
from ..scalar import Scalar
from .builder import Lowering, Tensor
from .contraction import ACCUMULATORS, matmul, weight_id
from .registry import lower


@inline
def start(state, initial, d, n, batch_first):
    """Sets the state of direction d and sequence n to its initial value, or 0."""
    for k in range(state.shape[2]):
        if initial is None:
            state[d, n, k] = 0
        elif batch_first:
            state[d, n, k] = cast(initial[n, d, k], state)
        else:
            state[d, n, k] = cast(initial[d, n, k], state)


@inline
def take_input(gates, xw, s, d, n, batch_first):
    """The gates of step s as the input alone makes them."""
    count = gates.shape[0]
    for g in range(count):
        if batch_first:
            gates[g] = xw[n, s, d * count + g]
        else:
            gates[g] = xw[s, n, d * count + g]


@inline
def add_recurrent(gates, state, rt, d, n, first, last):
    """Adds state times rt (D, H, G*H) to gates first .. last - 1. Four rows of rt at once: the gates are read and written once for all."""
    fours = rt.shape[1] // 4
    for four in range(fours):
        row = 4 * four
        h0 = state[d, n, row]
        h1 = state[d, n, row + 1]
        h2 = state[d, n, row + 2]
        h3 = state[d, n, row + 3]
        for g in range(first, last):
            gates[g] += h0 * rt[d, row, g] + h1 * rt[d, row + 1, g] + h2 * rt[d, row + 2, g] + h3 * rt[d, row + 3, g]
    for k in range(4 * fours, rt.shape[1]):
        h = state[d, n, k]
        for g in range(first, last):
            gates[g] += h * rt[d, k, g]


@inline
def give_out(y, state, s, d, n, batch_first):
    for k in range(state.shape[2]):
        if batch_first:
            y[n, s, d, k] = state[d, n, k]
        else:
            y[s, d, n, k] = state[d, n, k]


@inline
def finish(y, d, n, length, steps, batch_first):
    """Zeros behind a sequence's end."""
    for s in range(length, steps):
        for k in range(y.shape[3]):
            if batch_first:
                y[n, s, d, k] = 0
            else:
                y[s, d, n, k] = 0


@kernel
def rnn(
    xw: Array,
    rt: Array,
    lengths: Array | None,
    initial: Array | None,
    y: Out,
    h: Out,
    gates: Out,
    functions: tuple,
    reverse: tuple,
    clip: float,
    batch_first: bool,
):
    """h = f(xw + h r). xw (S, N, D*H), rt (D, H, H), h (D, N, H)."""
    steps = xw.shape[1] if batch_first else xw.shape[0]
    for d in unroll(len(reverse)):
        for n in range(h.shape[1]):
            start(h, initial, d, n, batch_first)
            length = length_of(lengths, n, steps)
            for t in range(length):
                s = length - 1 - t if reverse[d] else t
                take_input(gates, xw, s, d, n, batch_first)
                add_recurrent(gates, h, rt, d, n, 0, gates.shape[0])
                for k in range(h.shape[2]):
                    h[d, n, k] = activated(clipped(gates[k], clip), functions[d])
                give_out(y, h, s, d, n, batch_first)
            finish(y, d, n, length, steps, batch_first)


@kernel
def gru(
    xw: Array,
    rt: Array,
    rb: Array,
    lengths: Array | None,
    initial: Array | None,
    y: Out,
    h: Out,
    gates: Out,
    hidden: Out,
    functions: tuple,
    reverse: tuple,
    clip: float,
    batch_first: bool,
    linear_before_reset: bool,
):
    """Gates z, r, h of H units each in xw (S, N, D*3*H) and rt (D, H, 3*H); rb (D, H): what the reset gate scales beside h r.

    `hidden` holds h r of the last gate where the reset gate scales that, else the state scaled by the reset gate.
    """
    size = h.shape[2]
    steps = xw.shape[1] if batch_first else xw.shape[0]
    for d in unroll(len(reverse)):
        f, g = functions[2 * d], functions[2 * d + 1]
        for n in range(h.shape[1]):
            start(h, initial, d, n, batch_first)
            length = length_of(lengths, n, steps)
            for t in range(length):
                s = length - 1 - t if reverse[d] else t
                take_input(gates, xw, s, d, n, batch_first)
                add_recurrent(gates, h, rt, d, n, 0, 2 * size)
                for k in range(2 * size):
                    gates[k] = activated(clipped(gates[k], clip), f)
                if linear_before_reset:
                    for k in range(size):
                        hidden[k] = rb[d, k]
                    for i in range(size):
                        v = h[d, n, i]
                        for k in range(size):
                            hidden[k] += v * rt[d, i, 2 * size + k]
                    for k in range(size):
                        gates[2 * size + k] += gates[size + k] * hidden[k]
                else:
                    for k in range(size):
                        hidden[k] = gates[size + k] * h[d, n, k]
                    for i in range(size):
                        v = hidden[i]
                        for k in range(size):
                            gates[2 * size + k] += v * rt[d, i, 2 * size + k]
                for k in range(size):
                    z = gates[k]
                    h[d, n, k] = (1.0 - z) * activated(clipped(gates[2 * size + k], clip), g) + z * h[d, n, k]
                give_out(y, h, s, d, n, batch_first)
            finish(y, d, n, length, steps, batch_first)


@kernel
def lstm(
    xw: Array,
    rt: Array,
    peepholes: Array | None,
    lengths: Array | None,
    initial: Array | None,
    initial_cell: Array | None,
    y: Out,
    h: Out,
    c: Out,
    gates: Out,
    functions: tuple,
    reverse: tuple,
    clip: float,
    batch_first: bool,
    input_forget: bool,
):
    """Gates i, o, f, c of H units each in xw (S, N, D*4*H) and rt (D, H, 4*H); peepholes (D, 3*H) in the order i, o, f."""
    size = h.shape[2]
    steps = xw.shape[1] if batch_first else xw.shape[0]
    for d in unroll(len(reverse)):
        f, g, last = functions[3 * d], functions[3 * d + 1], functions[3 * d + 2]
        for n in range(h.shape[1]):
            start(h, initial, d, n, batch_first)
            start(c, initial_cell, d, n, batch_first)
            length = length_of(lengths, n, steps)
            for t in range(length):
                s = length - 1 - t if reverse[d] else t
                take_input(gates, xw, s, d, n, batch_first)
                add_recurrent(gates, h, rt, d, n, 0, gates.shape[0])
                for k in range(size):
                    old = c[d, n, k]
                    i, o, keep = gates[k], gates[size + k], gates[2 * size + k]
                    if peepholes is not None:
                        i += peepholes[d, k] * old
                        keep += peepholes[d, 2 * size + k] * old
                    i = activated(clipped(i, clip), f)
                    keep = 1.0 - i if input_forget else activated(clipped(keep, clip), f)
                    new = keep * old + i * activated(clipped(gates[3 * size + k], clip), g)
                    c[d, n, k] = new
                    if peepholes is not None:
                        o += peepholes[d, size + k] * new
                    h[d, n, k] = activated(clipped(o, clip), f) * activated(new, last)
                give_out(y, h, s, d, n, batch_first)
            finish(y, d, n, length, steps, batch_first)


# -- lowerings


@lower(ops.RNNOp)
def lower_rnn(b: Lowering, op: ops.RNNOp, x: Tensor, w: Tensor, r: Tensor, bias: Tensor | None, lengths: Any, initial: Any) -> Any:
    found, wide = op.sizes(b.shapes), ACCUMULATORS[x.type.name]
    arrays = {
        "xw": _input_gates(b, op, x, w, bias, (True,)),
        "rt": _transposed(b, r, wide),
        "lengths": lengths,
        "initial": initial,
        **_outputs(b, op, wide),
        "gates": ((found.hidden,), wide),
    }
    y, h, _ = b.kernel(rnn, arrays, _attributes(op))
    return _results(b, op, x.type, y, h)


@lower(ops.GRUOp)
def lower_gru(b: Lowering, op: ops.GRUOp, x: Tensor, w: Tensor, r: Tensor, bias: Tensor | None, lengths: Any, initial: Any) -> Any:
    found, wide = op.sizes(b.shapes), ACCUMULATORS[x.type.name]
    before_reset = bool(op.attr("linear_before_reset"))

    def recurrent_bias(d: Any, k: Any) -> Scalar:
        if bias is None or not before_reset:
            return b.s.const(0, wide)
        return b.s.cast(bias[(d, k + b.index(found.hidden * 5))], wide)

    arrays = {
        "xw": _input_gates(b, op, x, w, bias, (True, True, not before_reset)),
        "rt": _transposed(b, r, wide),
        "rb": b.compute((found.directions, found.hidden), wide, recurrent_bias),
        "lengths": lengths,
        "initial": initial,
        **_outputs(b, op, wide),
        "gates": ((found.hidden * 3,), wide),
        "hidden": ((found.hidden,), wide),
    }
    y, h, *_ = b.kernel(gru, arrays, {**_attributes(op), "linear_before_reset": before_reset})
    return _results(b, op, x.type, y, h)


@lower(ops.LSTMOp)
def lower_lstm(
    b: Lowering,
    op: ops.LSTMOp,
    x: Tensor,
    w: Tensor,
    r: Tensor,
    bias: Tensor | None,
    lengths: Any,
    initial: Any,
    initial_cell: Any,
    peepholes: Tensor | None,
) -> Any:
    found, wide = op.sizes(b.shapes), ACCUMULATORS[x.type.name]
    outputs = _outputs(b, op, wide)
    arrays = {
        "xw": _input_gates(b, op, x, w, bias, (True,) * 4),
        "rt": _transposed(b, r, wide),
        "peepholes": None if peepholes is None else b.cast(peepholes, wide),
        "lengths": lengths,
        "initial": initial,
        "initial_cell": initial_cell,
        **outputs,
        "c": outputs["h"],
        "gates": ((found.hidden * 4,), wide),
    }
    y, h, c, _ = b.kernel(lstm, arrays, {**_attributes(op), "input_forget": bool(op.attr("input_forget"))})
    return _results(b, op, x.type, y, h, c)


def _input_gates(b: Lowering, op: ops.RecurrentOp, x: Tensor, w: Tensor, bias: Tensor | None, recurrent: Sequence[bool]) -> Tensor:
    """x w' plus biases, of x's first two dimensions and D*G*H; `recurrent` tells for which gates the recurrent bias counts too."""
    found, wide = op.sizes(b.shapes), ACCUMULATORS[x.type.name]
    gates = found.hidden * len(recurrent)
    flat = b.reshape(w, (gates * found.directions, found.features))
    total = matmul(b, b.cast(x, wide), _swapped(b, b.cast(flat, wide)))
    if bias is None:
        return total

    def biases(d: Any, gate: Any, k: Any) -> Scalar:
        own = b.s.cast(bias[(d, _gate_index(b, gate, found.hidden, k))], wide)
        other = b.s.cast(bias[(d, _gate_index(b, gate, found.hidden, k) + b.index(gates))], wide)
        if all(recurrent):
            return own + other
        return b.s.select(gate < recurrent.index(False), own + other, own)

    summed = b.compute((found.directions, len(recurrent), found.hidden), wide, biases)
    row = b.reshape(summed, (gates * found.directions,))
    return b.compute(total.shape, wide, lambda *i: total[i] + row[i[2]])


def _gate_index(b: Lowering, gate: Any, hidden: Any, k: Any) -> Any:
    return gate * hidden + k if isinstance(hidden, int) else gate * b.index(hidden) + k


def _swapped(b: Lowering, matrix: Tensor) -> Tensor:
    return _transposed(b, matrix, matrix.type)


def _transposed(b: Lowering, t: Tensor, type: ElementType) -> Tensor:
    """The last two axes exchanged, as elements of `type`; at compile time where t is a weight of that type."""
    order = (*range(t.rank - 2), t.rank - 1, t.rank - 2)
    weight = weight_id(t)
    if weight is None or t.type != type:
        return b.cast(b.transpose(t, order), type)
    id = f"{weight}:{'x'.join(map(str, t.shape))}:T{t.rank}"
    if id not in b.weights:
        array = b.weights[weight].reshape([int(d) for d in t.shape])  # type: ignore[arg-type]  # weights have known sizes
        b.weights[id] = np.ascontiguousarray(np.transpose(array, order))
    return b.constant(b.weights[id], type, id)


def _outputs(b: Lowering, op: ops.RecurrentOp, type: ElementType) -> dict[str, tuple[Shape, ElementType]]:
    found = op.sizes(b.shapes)
    y = (found.batch, found.steps, found.directions, found.hidden)
    if not op.attr("layout"):
        y = (found.steps, found.directions, found.batch, found.hidden)
    return {"y": (y, type), "h": ((found.directions, found.batch, found.hidden), type)}


def _attributes(op: ops.RecurrentOp) -> dict[str, Any]:
    directions = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    return {
        "functions": _functions(op),
        "reverse": directions[op.attr("direction")],
        "clip": op.attr("clip") or 0.0,
        "batch_first": bool(op.attr("layout")),
    }


def _functions(op: ops.RecurrentOp) -> tuple[tuple[str, float, float], ...]:
    directions = 2 if op.attr("direction") == "bidirectional" else 1
    names = op.attr("activations") or ("Sigmoid", "Tanh", "Tanh")[: op.FUNCTIONS] * directions
    return functions_of(names[: op.FUNCTIONS * directions], op.attr("activation_alpha") or (), op.attr("activation_beta") or ())


def _results(b: Lowering, op: ops.RecurrentOp, type: ElementType, y: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
    """Results in the model's type and layout."""
    if op.attr("layout"):
        states = tuple(b.transpose(s, (1, 0, 2)) for s in states)
    return tuple(b.cast(t, type) for t in (y, *states))
