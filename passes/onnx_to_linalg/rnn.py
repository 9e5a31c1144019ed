"""Recurrent layers: the input's part of every gate as one product, then a loop over the steps in the kernel language.

A unit of work is one direction of a few sequences, from the first step to the last: units do not wait for each other, and the weights
of a direction stay in the cache of the core that goes through its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...dialects.kernel import Array, Out, cast, inline, kernel, local, muladd, parallel, unroll, vector
from ...dialects.kernel.cells import activated, clipped, functions_of, length_of
from ...dialects.onnx import rnn as ops
from ...dialects.onnx.dims import Shape, ceildiv
from ...dialects.onnx.types import ElementType
from ..scalar import INDEX, Scalar
from .builder import Lowering, Tensor
from .contraction import ACCUMULATORS, matmul, pack_panels, weight_id
from .registry import lower

COST = 20
"""Picoseconds that a weight takes for each sequence, and again to come from L2, once for all sequences of a unit."""

VECTORS = 4
"""A panel of recurrent weights is so many vectors wide: where there is one sequence, their sums hide the latency of adding."""

MOST_ROWS = 4
"""Sequences that share a unit: with two, reading weights from L2 and using them takes equally long, with four the latter is what counts."""


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
def take_input(gates, xw, s, d, n, first, count, batch_first):
    """The first `count` gates of step s as the input alone makes them: those of xw from `first` on."""
    for g in range(count):
        gates[d, n, g] = input_of(xw, s, n, first + g, batch_first)


@inline
def input_of(xw, s, n, g, batch_first):
    return xw[n, s, g] if batch_first else xw[s, n, g]


@inline
def add_recurrent(gates, state, rt, d, n, end, rows, width, lanes, backwards):
    """Adds state times rt (D, P, H, W) to the gates (D, N, P*W) of sequences n .. end - 1, which are `rows` or fewer."""
    if rows == 1 or n + 1 == end:
        add_panels(gates, state, rt, d, n, end, 1, width, lanes, backwards)
    elif rows > 2 and n + 2 == end:
        add_panels(gates, state, rt, d, n, end, 2, width, lanes, backwards)
    else:
        add_panels(gates, state, rt, d, n, end, rows, width, lanes, backwards)


@inline
def add_panels(gates, state, rt, d, n, end, rows, width, lanes, backwards):
    """The same, always for `rows` sequences: the last one several times where there are fewer. The sums of a panel stay in registers.

    Going through the panels backwards in every other step finds those used last in the cache, where it does not hold them all.
    """
    sums = local(gates, rows, width)
    for q in range(rt.shape[1]):
        p = rt.shape[1] - 1 - q if backwards else q
        for r in unroll(rows):
            for w in unroll(0, width, lanes):
                sums[r, w] = vector(lanes, gates, d, min(n + r, end - 1), p * width + w)
        for k in range(rt.shape[2]):
            for w in unroll(0, width, lanes):
                weights = vector(lanes, rt, d, p, k, w)
                for r in unroll(rows):
                    sums[r, w] = muladd(state[d, min(n + r, end - 1), k], weights, vector(lanes, sums, r, w))
        for r in unroll(rows):
            for w in unroll(0, width, lanes):
                gates[d, min(n + r, end - 1), p * width + w] = vector(lanes, sums, r, w)


@inline
def applied(x, functions, which, d):
    """An activation of direction d; `functions` has those of each direction, or only one row where they are the same."""
    if len(functions) == 1:
        return activated(x, functions[0][which])
    else:
        return activated(x, functions[0][which]) if d == 0 else activated(x, functions[1][which])


@inline
def steps_of(xw, batch_first):
    return xw.shape[1] if batch_first else xw.shape[0]


@inline
def longest(lengths, n, end, steps):
    """The most steps of sequences n .. end - 1."""
    if lengths is None:
        return steps
    else:
        most = 0
        for m in range(n, end):
            most = max(most, length_of(lengths, m, steps))
        return most


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


@inline
def units(h, reverse, rows):
    return len(reverse) * ((h.shape[1] + rows - 1) // rows)


@inline
def walk(u, cell, of, y, h, lengths, reverse, batch_first, rows):
    """Unit u: its sequences from the first step to the last, and zeros behind their ends. `cell` tells what happens on the way.

    cell("begin", of, 0, d, m, ..): the states of sequence m of direction d; "take": its gates as step s of the input makes them;
    "multiply": what states add to the gates of sequences m .. end - 1; "step": the new states of m. `of` is all that the cell needs.
    """
    steps, groups = steps_of(y, batch_first), (h.shape[1] + rows - 1) // rows
    d, n = u // groups, u % groups * rows
    end = min(n + rows, h.shape[1])
    for m in range(n, end):
        cell("begin", of, 0, d, m, end, False)
    for t in range(longest(lengths, n, end, steps)):
        for m in range(n, end):
            length = length_of(lengths, m, steps)
            if t < length:
                cell("take", of, length - 1 - t if reverse[d] == 1 else t, d, m, end, False)
        cell("multiply", of, 0, d, n, end, t % 2 == 1)
        for m in range(n, end):
            length = length_of(lengths, m, steps)
            if t < length:
                s = length - 1 - t if reverse[d] == 1 else t
                cell("step", of, s, d, m, end, False)
                give_out(y, h, s, d, m, batch_first)
    for m in range(n, end):
        finish(y, d, m, length_of(lengths, m, steps), steps, batch_first)


@inline
def rnn_cell(part, of, s, d, n, end, backwards):
    xw, rt, initial, h, gates, functions, clip, batch_first, rows, width, lanes = of
    size = h.shape[2]
    if part == "begin":
        start(h, initial, d, n, batch_first)
    elif part == "take":
        take_input(gates, xw, s, d, n, d * size, size, batch_first)
    elif part == "multiply":
        add_recurrent(gates, h, rt, d, n, end, rows, width, lanes, backwards)
    else:
        for k in range(size):
            h[d, n, k] = applied(clipped(gates[d, n, k], clip), functions, 0, d)


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
    rows: int,
    width: int,
    lanes: int,
):
    """h = f(xw + h r). xw (S, N, D*H), rt (D, P, H, W), h (D, N, H), gates (D, N, P*W)."""
    of = (xw, rt, initial, h, gates, functions, clip, batch_first, rows, width, lanes)
    for u in parallel(units(h, reverse, rows), steps_of(xw, batch_first) * h.shape[2] * gates.shape[2] * (COST * (rows + 1))):
        walk(u, rnn_cell, of, y, h, lengths, reverse, batch_first, rows)


@inline
def gru_cell(part, of, s, d, n, end, backwards):
    xw, rt, last, rb, initial, h, gates, fresh, scaled, functions, clip, batch_first, linear_before_reset, rows, width, lanes = of
    size = h.shape[2]
    if part == "begin":
        start(h, initial, d, n, batch_first)
    elif part == "take":
        take_input(gates, xw, s, d, n, d * 3 * size, 2 * size, batch_first)
        if linear_before_reset:
            for k in range(size):
                fresh[d, n, k] = rb[d, k]
        else:
            take_input(fresh, xw, s, d, n, d * 3 * size + 2 * size, size, batch_first)
    elif part == "multiply":
        add_recurrent(gates, h, rt, d, n, end, rows, width, lanes, backwards)
        for m in range(n, end):
            for k in range(2 * size):
                gates[d, m, k] = applied(clipped(gates[d, m, k], clip), functions, 0, d)
        if linear_before_reset:
            add_recurrent(fresh, h, last, d, n, end, rows, width, lanes, backwards)
        else:
            for m in range(n, end):
                for k in range(size):
                    scaled[d, m, k] = gates[d, m, size + k] * h[d, m, k]
            add_recurrent(fresh, scaled, last, d, n, end, rows, width, lanes, backwards)
    else:
        for k in range(size):
            new = fresh[d, n, k]
            if linear_before_reset:
                new = input_of(xw, s, n, d * 3 * size + 2 * size + k, batch_first) + gates[d, n, size + k] * new
            z = gates[d, n, k]
            h[d, n, k] = (1.0 - z) * applied(clipped(new, clip), functions, 1, d) + z * h[d, n, k]


@kernel
def gru(
    xw: Array,
    rt: Array,
    last: Array,
    rb: Array,
    lengths: Array | None,
    initial: Array | None,
    y: Out,
    h: Out,
    gates: Out,
    fresh: Out,
    scaled: Out,
    functions: tuple,
    reverse: tuple,
    clip: float,
    batch_first: bool,
    linear_before_reset: bool,
    rows: int,
    width: int,
    lanes: int,
):
    """Gates z, r, h of H units each in xw (S, N, D*3*H); z and r in rt (D, P, H, W) and gates (D, N, P*W), h in `last` and `fresh` alike.

    rb (D, H) is what the reset gate scales beside h r, where it scales that; else `scaled` (D, N, H) is the state that it has scaled.
    """
    of = (xw, rt, last, rb, initial, h, gates, fresh, scaled, functions, clip, batch_first, linear_before_reset, rows, width, lanes)
    columns = gates.shape[2] + fresh.shape[2]
    for u in parallel(units(h, reverse, rows), steps_of(xw, batch_first) * h.shape[2] * columns * (COST * (rows + 1))):
        walk(u, gru_cell, of, y, h, lengths, reverse, batch_first, rows)


@inline
def lstm_cell(part, of, s, d, n, end, backwards):
    xw, rt, peepholes, initial, initial_cell, h, c, gates, functions, clip, batch_first, input_forget, rows, width, lanes = of
    size = h.shape[2]
    if part == "begin":
        start(h, initial, d, n, batch_first)
        start(c, initial_cell, d, n, batch_first)
    elif part == "take":
        take_input(gates, xw, s, d, n, d * 4 * size, 4 * size, batch_first)
    elif part == "multiply":
        add_recurrent(gates, h, rt, d, n, end, rows, width, lanes, backwards)
    else:
        for k in range(size):
            old = c[d, n, k]
            i, o, keep = gates[d, n, k], gates[d, n, size + k], gates[d, n, 2 * size + k]
            if peepholes is not None:
                i += peepholes[d, k] * old
                keep += peepholes[d, 2 * size + k] * old
            i = applied(clipped(i, clip), functions, 0, d)
            keep = 1.0 - i if input_forget else applied(clipped(keep, clip), functions, 0, d)
            new = keep * old + i * applied(clipped(gates[d, n, 3 * size + k], clip), functions, 1, d)
            c[d, n, k] = new
            if peepholes is not None:
                o += peepholes[d, size + k] * new
            h[d, n, k] = applied(clipped(o, clip), functions, 0, d) * applied(new, functions, 2, d)


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
    rows: int,
    width: int,
    lanes: int,
):
    """Gates i, o, f, c of H units each in xw (S, N, D*4*H), rt (D, P, H, W) and gates (D, N, P*W); peepholes (D, 3*H) of i, o, f."""
    of = (xw, rt, peepholes, initial, initial_cell, h, c, gates, functions, clip, batch_first, input_forget, rows, width, lanes)
    for u in parallel(units(h, reverse, rows), steps_of(xw, batch_first) * h.shape[2] * gates.shape[2] * (COST * (rows + 1))):
        walk(u, lstm_cell, of, y, h, lengths, reverse, batch_first, rows)


# -- lowerings


@lower(ops.RNNOp)
def lower_rnn(b: Lowering, op: ops.RNNOp, x: Tensor, w: Tensor, r: Tensor, bias: Tensor | None, lengths: Any, initial: Any) -> Any:
    found, wide = op.sizes(b.shapes), ACCUMULATORS[x.type.name]
    recurrent = _panels(b, r, found, wide, 0, 1)
    arrays = {
        "xw": _input_gates(b, op, x, w, bias, (True,)),
        "rt": recurrent,
        "lengths": lengths,
        "initial": initial,
        **_outputs(b, op, wide),
        "gates": (_gates(found, recurrent), wide),
    }
    y, h, _ = b.kernel(rnn, arrays, _attributes(b, op, found, recurrent))
    return _results(b, op, x.type, y, h)


@lower(ops.GRUOp)
def lower_gru(b: Lowering, op: ops.GRUOp, x: Tensor, w: Tensor, r: Tensor, bias: Tensor | None, lengths: Any, initial: Any) -> Any:
    found, wide = op.sizes(b.shapes), ACCUMULATORS[x.type.name]
    before_reset = bool(op.attr("linear_before_reset"))

    def recurrent_bias(d: Any, k: Any) -> Scalar:
        if bias is None or not before_reset:
            return b.s.const(0, wide)
        return b.s.cast(bias[(d, k + b.index(found.hidden * 5))], wide)

    both, last = _panels(b, r, found, wide, 0, 2), _panels(b, r, found, wide, 2, 3)
    arrays = {
        "xw": _input_gates(b, op, x, w, bias, (True, True, not before_reset)),
        "rt": both,
        "last": last,
        "rb": b.compute((found.directions, found.hidden), wide, recurrent_bias),
        "lengths": lengths,
        "initial": initial,
        **_outputs(b, op, wide),
        "gates": (_gates(found, both), wide),
        "fresh": (_gates(found, last), wide),
        "scaled": (_gates(found, last), wide),
    }
    y, h, *_ = b.kernel(gru, arrays, {**_attributes(b, op, found, both), "linear_before_reset": before_reset})
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
    outputs, recurrent = _outputs(b, op, wide), _panels(b, r, found, wide, 0, 4)
    arrays = {
        "xw": _input_gates(b, op, x, w, bias, (True,) * 4),
        "rt": recurrent,
        "peepholes": None if peepholes is None else b.cast(peepholes, wide),
        "lengths": lengths,
        "initial": initial,
        "initial_cell": initial_cell,
        **outputs,
        "c": outputs["h"],
        "gates": (_gates(found, recurrent), wide),
    }
    attributes = {**_attributes(b, op, found, recurrent), "input_forget": bool(op.attr("input_forget"))}
    y, h, c, _ = b.kernel(lstm, arrays, attributes)
    return _results(b, op, x.type, y, h, c)


def _input_gates(b: Lowering, op: ops.RecurrentOp, x: Tensor, w: Tensor, bias: Tensor | None, recurrent: Sequence[bool]) -> Tensor:
    """x w' plus biases, of x's first two dimensions and D*G*H; `recurrent` tells for which gates the recurrent bias counts too."""
    found, wide = op.sizes(b.shapes), ACCUMULATORS[x.type.name]
    gates = found.hidden * len(recurrent)
    flat = b.reshape(w, (gates * found.directions, found.features))
    total = matmul(b, b.cast(x, wide), _transposed(b, b.cast(flat, wide)))
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


def _transposed(b: Lowering, matrix: Tensor) -> Tensor:
    """The matrix with its axes exchanged, at compile time where it is a weight."""
    weight = weight_id(matrix)
    if weight is None:
        return b.transpose(matrix, (1, 0))
    id = f"{weight}:{'x'.join(map(str, matrix.shape))}:T"
    if id not in b.weights:
        b.weights[id] = np.ascontiguousarray(b.weights[weight].reshape([int(d) for d in matrix.shape]).T)  # type: ignore[arg-type]  # known sizes
    return b.constant(b.weights[id], matrix.type, id)


def _panels(b: Lowering, r: Tensor, found: ops.Recurrence, type: ElementType, first: int, last: int) -> Tensor:
    """Gates first .. last - 1 of r (D, G*H, H) in panels (D, P, H, W) of `type`, W columns of the transposed matrix each, then zeros;
    made at compile time where r is a weight."""
    columns = found.hidden * (last - first)
    lanes = _lanes(b, type)
    width = VECTORS * lanes
    while width > lanes and isinstance(columns, int) and columns <= width // 2:
        width //= 2
    weight = weight_id(r)
    if weight is not None:
        directions, _, hidden = (int(d) for d in r.shape)  # type: ignore[arg-type]  # weights have known sizes
        id = f"{weight}:gates{first}-{last}:panels{width}:{type.name}"
        if id not in b.weights:
            array = b.weights[weight].reshape(directions, -1, hidden)[:, first * hidden : last * hidden]
            b.weights[id] = pack_panels(np.swapaxes(array, 1, 2).astype(type.numpy), 1, width)[:, :, :, 0]
        return b.constant(b.weights[id], type, id)

    def element(d: Any, p: Any, k: Any, w: Any) -> Scalar:
        column, end = b.s.operand(p * width + w, INDEX), b.s.operand(b.index(columns), INDEX)
        row = b.s.min(column, end - 1) + b.index(found.hidden * first)
        return b.s.select(column < end, b.s.cast(r[(d, row, k)], type), 0)

    return b.compute((found.directions, ceildiv(columns, width), found.hidden, width), type, element)


def _outputs(b: Lowering, op: ops.RecurrentOp, type: ElementType) -> dict[str, tuple[Shape, ElementType]]:
    found = op.sizes(b.shapes)
    y = (found.batch, found.steps, found.directions, found.hidden)
    if not op.attr("layout"):
        y = (found.steps, found.directions, found.batch, found.hidden)
    return {"y": (y, type), "h": ((found.directions, found.batch, found.hidden), type)}


def _lanes(b: Lowering, type: ElementType) -> int:
    return (b.target.vector_bytes if b.target is not None else 64) // type.numpy.itemsize


def _gates(found: ops.Recurrence, panels: Tensor) -> Shape:
    """The shape of the gates that are computed with panels of weights."""
    _, count, _, width = panels.shape
    return found.directions, found.batch, count * width


def _attributes(b: Lowering, op: ops.RecurrentOp, found: ops.Recurrence, panels: Tensor) -> dict[str, Any]:
    directions = {"forward": (0,), "reverse": (1,), "bidirectional": (0, 1)}
    width = panels.shape[3]
    assert isinstance(width, int)
    return {
        "functions": _functions(op, found.directions),
        "reverse": directions[op.attr("direction")],
        "clip": op.attr("clip") or 0.0,
        "batch_first": bool(op.attr("layout")),
        "rows": _rows(b, found),
        "width": width,
        "lanes": min(width, _lanes(b, panels.type)),
    }


def _rows(b: Lowering, found: ops.Recurrence) -> int:
    """How many sequences share a unit: as many as registers hold sums of, evenly; what would be all of one unit is cut in two where
    each has two."""
    rows = MOST_ROWS
    while b.target is not None and rows > 1 and rows * VECTORS > b.target.mr * b.target.nr * 2 // 3:
        rows //= 2
    if not isinstance(found.batch, int):
        return rows
    groups = max(1, -(-found.batch // rows))
    if groups * found.directions == 1 and found.batch >= 4:
        groups = 2
    return max(1, -(-found.batch // groups))


def _functions(op: ops.RecurrentOp, directions: int) -> tuple[tuple[tuple[str, float, float], ...], ...]:
    """(name, alpha, beta) of the activations of each direction, of the first one only where they are the same."""
    names = op.attr("activations") or ("Sigmoid", "Tanh", "Tanh")[: op.FUNCTIONS] * directions
    alphas, betas = op.attr("activation_alpha") or (), op.attr("activation_beta") or ()
    found = functions_of(names[: op.FUNCTIONS * directions], alphas, betas)
    ways = tuple(found[k : k + op.FUNCTIONS] for k in range(0, len(found), op.FUNCTIONS))
    return ways[:1] if ways[0] == ways[-1] else ways


def _results(b: Lowering, op: ops.RecurrentOp, type: ElementType, y: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
    """Results in the model's type and layout."""
    if op.attr("layout"):
        states = tuple(b.transpose(s, (1, 0, 2)) for s in states)
    return tuple(b.cast(t, type) for t in (y, *states))
