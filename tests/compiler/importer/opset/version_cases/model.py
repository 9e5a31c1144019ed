"""A small model of one operator, written in ONNX's text form, that means the same at a range of the operator's versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.parser
from onnx import helper

Feeds = Mapping[str, Any]
Expected = Callable[..., Any]

_OTHER_OPSET = 21
"""The version of the default operator set beside an operator of another domain; both reference implementations run it."""


@dataclass(frozen=True, eq=False)
class Case:
    """Nodes in ONNX's text form around one operator of interest.

    first, last: the versions of the operator (of its `since_version`s) that the nodes are written for; feeds: arrays by the names that
    the nodes use; held: those that the model holds; want: a function of the feeds that computes the outputs, where neither reference
    implementation runs this version, or knows its meaning; judge: a function of the feeds and outputs that decides instead, for what
    is random; by: "runtime" or "reference" where the other one is wrong; near: the tolerance, relative and absolute.
    """

    op: str
    domain: str
    first: int
    last: int
    text: str
    feeds: Feeds
    held: frozenset[str]
    want: Expected | None
    judge: Callable[[Feeds, list[Any]], None] | None
    by: str
    near: float

    def model(self, version: int) -> onnx.ModelProto:
        """The model at exactly this version of the operator's set; its outputs have no declared types."""
        opsets = {"": version} if not self.domain else {"": _OTHER_OPSET, self.domain: version}
        graph = onnx.parser.parse_graph(f"g () => () {{ {self.text} }}")
        for node in graph.node:
            node.domain = "" if node.domain == "ai.onnx" else node.domain
        free = {name: x for name, x in self.feeds.items() if name not in self.held}
        graph.input.extend(helper.make_value_info(n, kind(x)) for n, x in free.items())
        graph.initializer.extend(_tensor(name, self.feeds[name]) for name in self.feeds if name in self.held)
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in results(graph))
        imports = [helper.make_opsetid(domain, number) for domain, number in opsets.items()]
        return helper.make_model(graph, opset_imports=imports, ir_version=_ir_version(opsets[""]))

    def fed(self) -> dict[str, Any]:
        return {name: x for name, x in self.feeds.items() if name not in self.held}


CASES: list[Case] = []
"""Every case, in the order in which the family modules say them."""


def case(
    op: str,
    versions: str,
    text: str,
    *,
    held: str = "",
    want: Expected | None = None,
    judge: Callable[[Feeds, list[Any]], None] | None = None,
    by: str = "",
    near: float = 1e-5,
    **feeds: Any,
) -> None:
    """Adds a case: the operators (several of one form, separated by spaces), their versions ("7", "1-6" or "13-"), the nodes.

    {op} in the nodes stands for the operator; a value that no node uses is an output.
    """
    first, dash, last = versions.partition("-")
    bounds = int(first), int(last) if last else (1 << 30 if dash else int(first))
    for name in op.split():
        domain, _, short = name.rpartition(".")
        nodes = text.replace("{op}", name)
        CASES.append(Case(short, domain, *bounds, nodes, feeds, frozenset(held.split()), want, judge, by, near))


def cases_of(domain: str, op: str, version: int) -> list[Case]:
    return [c for c in CASES if (c.domain, c.op) == (domain, op) and c.first <= version <= c.last]


def in_a_loop(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its nodes in the body of a Loop of `rounds` rounds, and the sizes of all inputs left to the run."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, body = made.graph, onnx.GraphProto(name="body")
    body.input.append(helper.make_tensor_value_info("round", onnx.TensorProto.INT64, ()))
    body.input.append(helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, ()))
    body.node.extend([*graph.node, helper.make_node("Identity", ["go"], ["goes on"])])
    body.output.extend([onnx.ValueInfoProto(name="goes on"), *graph.output])
    outputs = [f"every {info.name}" for info in graph.output]
    del graph.node[:], graph.output[:]
    graph.node.append(helper.make_node("Loop", ["rounds", ""], outputs, body=body))
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    for info in graph.input:
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            dim.dim_param = f"{info.name}_{axis}"
    graph.input.append(helper.make_tensor_value_info("rounds", onnx.TensorProto.INT64, ()))
    return made


def results(graph: onnx.GraphProto) -> list[str]:
    """The values that no node uses, in the order in which they are made."""
    used = {name for node in graph.node for name in node.input}
    return [name for node in graph.node for name in node.output if name and name not in used]


def kind(value: Any) -> onnx.TypeProto:
    """The type of what is fed: an array's, or that of a map of numbers or text to floats."""
    if not isinstance(value, dict):
        return helper.make_tensor_type_proto(element(value), value.shape)
    texts = isinstance(next(iter(value)), str)
    key = onnx.TensorProto.STRING if texts else onnx.TensorProto.INT64
    return helper.make_map_type_proto(key, helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, ()))


def element(array: np.ndarray) -> int:
    if array.dtype == object:
        return onnx.TensorProto.STRING
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def _tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
    if array.dtype == object:
        return helper.make_tensor(name, onnx.TensorProto.STRING, array.shape, [s.encode() for s in array.ravel()])
    return onnx.numpy_helper.from_array(array, name)


def _ir_version(opset: int) -> int:
    """Old files have old IR versions, but from version 4 on initialisers need not be inputs; 4-bit types came with 10."""
    return 4 if opset < 9 else 8 if opset < 21 else 11


# -- data

_RNG = np.random.default_rng(5)


def floats(*shape: int) -> np.ndarray:
    return _RNG.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    return (np.abs(_RNG.standard_normal(shape)) + 0.25).astype(np.float32)


def integers(*shape: int, low: int = -5, high: int = 6, dtype: Any = np.int64) -> np.ndarray:
    return _RNG.integers(low, high, shape).astype(dtype)


def bools(*shape: int) -> np.ndarray:
    return _RNG.integers(0, 2, shape).astype(np.bool_)


def strings(*values: str) -> np.ndarray:
    return np.array(values, object)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def scalar(value: Any, dtype: Any = np.int64) -> np.ndarray:
    return np.array(value, dtype)


def listed(values: Sequence[float] | np.ndarray) -> str:
    """An array's elements as the text form of a list attribute."""
    return "[" + ", ".join(repr(float(v)) for v in np.ravel(values)) + "]"
