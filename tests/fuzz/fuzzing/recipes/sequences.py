"""Operators on sequences and optionals, which are made inside the graph."""

from __future__ import annotations

from onnx import TensorProto, helper

from ..draw import Draw
from ..schemas import INT64
from .registry import recipe

_KINDS = (TensorProto.FLOAT, TensorProto.INT64, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.BOOL)


def _parts(d: Draw, kind: int, count: int, *, alike: bool = False) -> list[str]:
    """Tensors of one type; of one rank, and of one shape if `alike`."""
    before = len(d.inputs)
    shape = d.shape(1, 3, most=100)
    for _ in range(count):
        d.data(kind, shape if alike or d.flag() else tuple(d.size(1, 4) for _ in shape))
    names = d.inputs[before:]
    del d.inputs[before:]
    return names


def _sequence(d: Draw, kind: int, count: int, *, alike: bool = False) -> None:
    d.inputs.append(d.before("SequenceConstruct", _parts(d, kind, count, alike=alike)))


def _position(d: Draw, low: int, high: int) -> None:
    d.given(d.between(low, high), type=d.type("I"))


@recipe("SequenceConstruct")
def sequence_construct(d: Draw) -> None:
    d.inputs += _parts(d, d.pick(_KINDS), d.between(1, 4))


@recipe("SequenceEmpty")
def sequence_empty(d: Draw) -> None:
    d.maybe("dtype", lambda: d.pick(_KINDS))


@recipe("SequenceAt", "SequenceErase", "SequenceInsert", "SequenceLength")
def sequence_item(d: Draw) -> None:
    kind, count = d.pick(_KINDS), d.between(1, 4)
    _sequence(d, kind, count)
    if d.operator == "SequenceLength":
        return
    if d.operator == "SequenceInsert":
        d.data(kind, d.shape(1, 3, most=100))
    if d.operator == "SequenceAt" or d.flag():
        _position(d, -count, count if d.operator == "SequenceInsert" else count - 1)


@recipe("ConcatFromSequence")
def concat_from_sequence(d: Draw) -> None:
    _sequence(d, d.pick(_KINDS), d.between(1, 3), alike=True)
    if d.flag():
        d.attribute("new_axis", 1)
    d.attribute("axis", d.between(-1, 0))


@recipe("SplitToSequence")
def split_to_sequence(d: Draw) -> None:
    shape = list(d.shape(1, 3))
    axis = d.maybe("axis", lambda: d.axis(len(shape)))
    form = d.between(0, 2)
    if form == 1:
        parts = [d.between(0, 3) for _ in range(d.between(1, 4))]
        shape[axis] = sum(parts)
    d.data("T", shape)
    if form == 0:
        d.maybe("keepdims", lambda: d.between(0, 1))
    elif form == 1:
        d.ints(parts, d.type("I"))
    else:
        d.given(d.between(1, 4), type=d.type("I"))


@recipe("SequenceMap")
def sequence_map(d: Draw) -> None:
    kind = d.pick(_KINDS[:4])
    _sequence(d, kind, d.between(1, 3))
    body = helper.make_graph(
        [helper.make_node(d.pick(["Neg", "Abs", "Identity", "Sign"]), ["item"], ["made"])],
        "body",
        [helper.make_tensor_value_info("item", kind, None)],
        [helper.make_tensor_value_info("made", kind, None)],
    )
    d.attribute("body", body)


@recipe("Optional")
def optional(d: Draw) -> None:
    if d.flag(3):
        _sequence(d, d.pick(_KINDS), 2)
    else:
        d.data(d.pick(_KINDS), d.shape(0, 3))


@recipe("OptionalHasElement", "OptionalGetElement")
def optional_element(d: Draw) -> None:
    kind = d.pick(_KINDS)
    if d.operator == "OptionalHasElement" and d.flag(3):
        empty = helper.make_tensor_type_proto(kind, None)
        d.inputs.append(d.before("Optional", [], type=empty))
        return
    names = _parts(d, kind, 1)
    d.inputs.append(names[0] if d.flag(3) else d.before("Optional", names))


__all__ = ["INT64"]
