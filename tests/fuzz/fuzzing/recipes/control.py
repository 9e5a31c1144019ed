"""Control flow: bodies of a few operators over values from outside."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from ..draw import Draw
from ..schemas import BOOL, INT64, types
from .registry import recipe

_NUMBERS = (TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.DOUBLE)
_BINARY = ("Add", "Sub", "Mul", "Max", "Min")
_UNARY = ("Neg", "Abs", "Identity", "Relu", "Sign")


def _chain(d: Draw, prefix: str, values: list[str], steps: int) -> tuple[list[onnx.NodeProto], str]:
    """Nodes of one shape and type over some values; the name of the last result."""
    nodes: list[onnx.NodeProto] = []
    known = list(values)
    for i in range(max(1, steps)):
        name = f"{prefix}{i}"
        if d.flag():
            nodes.append(helper.make_node(d.pick(_BINARY), [d.pick(known), d.pick(known)], [name]))
        else:
            nodes.append(helper.make_node(d.pick(_UNARY), [d.pick(known)], [name]))
        known.append(name)
    return nodes, known[-1]


def _captured(d: Draw, kind: int, shape: tuple[int, ...], count: int) -> list[str]:
    """Values from outside the body, which no input of the node names."""
    before = len(d.inputs)
    for _ in range(count):
        d.data(kind, shape)
    names = d.inputs[before:]
    del d.inputs[before:]
    return names


def _graph(
    name: str, nodes: list[onnx.NodeProto], inputs: list[tuple[str, int, list | None]], outputs: list[str], kinds: list[int]
) -> onnx.GraphProto:
    return helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(*info) for info in inputs],
        [helper.make_tensor_value_info(out, kind, None) for out, kind in zip(outputs, kinds, strict=True)],
    )


def _fresh(d: Draw) -> str:
    """A prefix of names that no other body has."""
    return f"b{len(d.choices.log)}_"


@recipe("If")
def if_(d: Draw) -> None:
    kind, shape = d.pick(_NUMBERS), d.shape(0, 3)
    d.data(BOOL, d.pick([(), (1,)]), role="shape")
    outer = _captured(d, kind, shape, d.between(1, 3))
    count = d.between(1, 2)
    for branch in ("then_branch", "else_branch"):
        nodes, outs = [], []
        for _ in range(count):
            more, out = _chain(d, _fresh(d), outer, d.between(1, 3))
            nodes += more
            outs.append(out)
        if d.flag(4):
            nodes, outs = _nested(d, kind, nodes, outs)
        d.attribute(branch, _graph(branch, nodes, [], outs, [kind] * count))
    d.wanted = [True] * count


def _nested(d: Draw, kind: int, nodes: list[onnx.NodeProto], outs: list[str]) -> tuple[list[onnx.NodeProto], list[str]]:
    """The nodes with an If around one more step."""
    condition = _captured(d, BOOL, (), 1)[0]
    first, second = (_chain(d, _fresh(d), outs, d.between(1, 2)) for _ in range(2))
    name = f"{_fresh(d)}n"
    branches = {
        "then_branch": _graph("t", first[0], [], [first[1]], [kind]),
        "else_branch": _graph("e", second[0], [], [second[1]], [kind]),
    }
    return [*nodes, helper.make_node("If", [condition], [name], **branches)], [name, *outs[1:]]


@recipe("Loop")
def loop(d: Draw) -> None:
    kind, shape = d.pick(_NUMBERS), d.shape(0, 2, most=60)
    p = _fresh(d)
    trips = d.between(0, 4)
    endless = d.flag(4)
    if endless:
        d.skip()
    else:
        d.given(trips, type=INT64)
    if not endless and d.flag():
        d.skip()
    else:
        d.given(d.flag(4) is False)
    d.data(kind, shape)
    outer = _captured(d, kind, shape, d.between(0, 2))
    nodes, out = _chain(d, f"{_fresh(d)}s", [f"{p}v", *outer], d.between(1, 3))
    nodes.append(helper.make_node("Identity", [out], [f"{p}w"]))
    if endless or d.flag():
        nodes.append(helper.make_node("Constant", [], [f"{p}k"], value_int=d.between(0, 3)))
        nodes.append(helper.make_node("Less", [f"{p}i", f"{p}k"], [f"{p}go"]))
    else:
        nodes.append(helper.make_node("Identity", [f"{p}c"], [f"{p}go"]))
    outs, kinds = [f"{p}go", f"{p}w"], [BOOL, kind]
    if scans := d.between(0, 2):
        nodes.append(helper.make_node("Identity" if d.flag() else "Neg", [out], [f"{p}scan"]))
        outs += [f"{p}scan"]
        kinds += [kind]
        if scans > 1:
            nodes.append(helper.make_node("Cast", [f"{p}i"], [f"{p}float"], to=TensorProto.FLOAT))
            outs += [f"{p}float"]
            kinds += [TensorProto.FLOAT]
    if d.flag(4):
        nodes, (outs[1],) = _nested(d, kind, nodes, [outs[1]])
    inputs = [(f"{p}i", INT64, []), (f"{p}c", BOOL, []), (f"{p}v", kind, [None] * len(shape))]
    d.attribute("body", _graph("body", nodes, inputs, outs, kinds))  # type: ignore[arg-type] - lists of tuples
    d.wanted = [True] * (len(outs) - 1)


@recipe("Scan")
def scan(d: Draw) -> None:
    kind, shape = d.pick(_NUMBERS), d.shape(0, 2, most=60)
    p = _fresh(d)
    steps = d.size(1, 5)
    scanned = d.attribute("num_scan_inputs", d.between(1, 2))
    state = d.flag()
    if state:
        d.data(kind, shape)
    axes = [d.between(0, len(shape)) for _ in range(scanned)]
    for axis in axes:
        d.data(kind, (*shape[:axis], steps, *shape[axis:]))
    if any(axes) or d.flag(3):
        d.attribute("scan_input_axes", axes)
    if d.flag(3):
        d.attribute("scan_input_directions", [d.between(0, 1) for _ in axes])
    names = [*([f"{p}s"] if state else []), *(f"{p}x{i}" for i in range(scanned))]
    outer = _captured(d, kind, shape, d.between(0, 1))
    nodes, out = _chain(d, f"{_fresh(d)}s", [*names, *outer], d.between(1, 3))
    outs = []
    if state:
        nodes.append(helper.make_node("Identity", [out], [f"{p}next"]))
        outs.append(f"{p}next")
    nodes.append(helper.make_node("Abs", [out], [f"{p}scan"]))
    outs.append(f"{p}scan")
    if d.flag(3):
        d.attribute("scan_output_axes", [d.between(-len(shape) - 1, len(shape))])
    if d.flag(3):
        d.attribute("scan_output_directions", [d.between(0, 1)])
    inputs = [(name, kind, [None] * len(shape)) for name in names]
    d.attribute("body", _graph("body", nodes, inputs, outs, [kind] * len(outs)))  # type: ignore[arg-type] - lists of tuples
    d.wanted = [True] * len(outs)


__all__ = ["types"]
