"""Damages models: `fuzz_worker` takes a seed model, and one to three of these changes chosen by a random generator."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

INTEGERS = (0, 1, -1, 2, 3, 5, -2, 7, 16, 63, 64, 127, 1000, 2**20, 2**31 - 1, 2**31, -(2**31), 2**40, 2**62, 2**63 - 1, -(2**63))
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e38, -1e38, 3.5e9, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "",
    "linear",
    "SAME_LOWER",
    "VALID",
    "NOTSET",
    "reflect",
    "wrap",
    "edge",
    "cubic",
    "nearest",
    "reverse",
    "ij,jk->ik",
    "\x00",
    "ä" * 50,
)
DIMS = (0, 1, 2, 3, 4, 5, 7, 33, -1, 2**20, 2**31, 2**40, 2**62, 2**63 - 1, "n", "b", "")
NAMES = ("", "x", "y", "absent", "w")

Random = random.Random


def mutated(model: ModelProto, rng: Random) -> bytes:
    """The damaged model's bytes; the model itself is left alone."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    if rng.random() < 0.12:
        return _bytes(model.SerializeToString(), rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choices(*zip(*_CHANGES, strict=True))[0](model, rng)
    return model.SerializeToString()


def _bytes(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at, size = rng.randrange(len(changed)), rng.choice((1, 1, 2, 8, 40))
        piece = rng.choice((rng.randbytes(size), b"", bytes(changed[at : at + size]) * 2, b"\xff" * size, b"\x00" * size))
        changed[at : at + rng.choice((0, size))] = piece
    return bytes(changed)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _graphs(attribute.g)


def _nodes(model: ModelProto) -> list[NodeProto]:
    return [n for g in _graphs(model.graph) for n in g.node] + [n for f in model.functions for n in f.node]


def _attribute(model: ModelProto, rng: Random) -> None:
    """Another value of the same type, mostly."""
    found = [a for n in _nodes(model) for a in n.attribute if a.type != AttributeProto.GRAPH]
    if not found:
        return
    attribute = rng.choice(found)
    if rng.random() < 0.1:
        attribute.type = rng.randrange(0, 15)  # pyright: ignore[reportAttributeAccessIssue]
    elif attribute.type == AttributeProto.INT:
        attribute.i = rng.choice(INTEGERS)
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = rng.choice(FLOATS)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = rng.choice(TEXTS).encode()
    elif attribute.type == AttributeProto.INTS:
        attribute.ints[:] = _list(list(attribute.ints), INTEGERS, rng)


def _list(values: list[Any], choices: tuple[Any, ...], rng: Random) -> list[Any]:
    kind = rng.randrange(4)
    if kind == 0 and values:
        values[rng.randrange(len(values))] = rng.choice(choices)
    elif kind == 1:
        values.insert(rng.randrange(len(values) + 1), rng.choice(choices))
    elif kind == 2 and values:
        values.pop(rng.randrange(len(values)))
    else:
        values = [rng.choice(choices[:8]) for _ in values]
    return values


def _attribute_gone(model: ModelProto, rng: Random) -> None:
    found = [n for n in _nodes(model) if n.attribute]
    if found:
        node = rng.choice(found)
        del node.attribute[rng.randrange(len(node.attribute))]


def _foreign_attribute(model: ModelProto, rng: Random) -> None:
    attributes = [a for n in _nodes(model) for a in n.attribute]
    if attributes:
        rng.choice(_nodes(model)).attribute.append(rng.choice(attributes))


def _names(model: ModelProto) -> list[str]:
    return [*NAMES, *(v for n in _nodes(model) for v in (*n.input, *n.output))]


def _wire(model: ModelProto, rng: Random) -> None:
    """Another name where a node reads or writes."""
    node = rng.choice(_nodes(model))
    place = node.input if rng.random() < 0.8 else node.output
    place[:] = _list(list(place), tuple(_names(model)), rng)


def _operator(model: ModelProto, rng: Random) -> None:
    nodes = _nodes(model)
    rng.choice(nodes).op_type = rng.choice(
        [*(n.op_type for n in nodes), "Add", "Neg", "Reshape", "ReduceSum", "Concat", "Resize", "Dropout"]
    )


def _node_gone_or_twice(model: ModelProto, rng: Random) -> None:
    graph = rng.choice(list(_graphs(model.graph)))
    if not graph.node:
        return
    at = rng.randrange(len(graph.node))
    if rng.random() < 0.5:
        del graph.node[at]
    else:
        graph.node.append(graph.node[at])


def _weight(model: ModelProto, rng: Random) -> None:
    """Other values, dims or type of a constant."""
    if not model.graph.initializer:
        return
    tensor = rng.choice(model.graph.initializer)
    kind = rng.randrange(5)
    if kind == 0:
        tensor.dims[:] = _list(list(tensor.dims), tuple(d for d in DIMS if isinstance(d, int)), rng)
    elif kind == 1:
        tensor.data_type = rng.randrange(0, 28)
    elif kind == 2:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)]
    else:
        _values(tensor, rng)


def _values(tensor: TensorProto, rng: Random) -> None:
    try:
        array = numpy_helper.to_array(tensor).copy()
    except Exception:
        return  # damaged before
    if not array.size or array.dtype.kind not in "fiub":
        return
    if array.ndim == 1 and rng.random() < 0.3:
        array = np.resize(array, rng.randrange(0, array.size + 2))
    choices = FLOATS if array.dtype.kind == "f" else INTEGERS
    for _ in range(rng.choice((1, 1, 2)) if array.size else 0):
        with np.errstate(all="ignore"):
            array.flat[rng.randrange(array.size)] = np.array(rng.choice(choices)).astype(array.dtype)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _input(model: ModelProto, rng: Random) -> None:
    """Other dims or another type of an input or an output."""
    graph = rng.choice(list(_graphs(model.graph)))
    found = [*graph.input, *graph.output]
    if not found:
        return
    tensor = rng.choice(found).type.tensor_type
    if rng.random() < 0.25:
        tensor.elem_type = rng.randrange(0, 28)
        return
    dims = [d.dim_param if d.HasField("dim_param") else d.dim_value for d in tensor.shape.dim]
    made = helper.make_tensor_type_proto(tensor.elem_type, _list(dims, DIMS, rng)).tensor_type
    tensor.shape.CopyFrom(made.shape)


def _constant_to_input(model: ModelProto, rng: Random) -> None:
    """A constant becomes an input of open size, with the constant as its default: what was known is known no more."""
    if not model.graph.initializer:
        return
    tensor = rng.choice(model.graph.initializer)
    dims = [d if rng.random() < 0.5 else f"{tensor.name}{i}" for i, d in enumerate(tensor.dims)]
    model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, dims))


def _sizes_opened(model: ModelProto, rng: Random) -> None:
    for value in model.graph.input:
        for i, dim in enumerate(value.type.tensor_type.shape.dim):
            if rng.random() < 0.6:
                dim.dim_param = rng.choice((f"{value.name}{i}", "n", "m"))


def _version(model: ModelProto, rng: Random) -> None:
    if model.opset_import:
        model.opset_import[0].version = rng.choice((*range(1, 29), 0, -1, 2**40))


def _output(model: ModelProto, rng: Random) -> None:
    model.graph.output.append(onnx.ValueInfoProto(name=rng.choice(_names(model))))


Change = Callable[[ModelProto, Random], None]
_CHANGES: list[tuple[Change, float]] = [
    (_attribute, 5),
    (_weight, 5),
    (_input, 3),
    (_wire, 3),
    (_constant_to_input, 3),
    (_sizes_opened, 2),
    (_operator, 2),
    (_node_gone_or_twice, 1),
    (_attribute_gone, 1),
    (_foreign_attribute, 1),
    (_version, 1),
    (_output, 1),
]
