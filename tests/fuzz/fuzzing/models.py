"""From recipes to cases: a graph of nodes, the sizes it is fed with, and which of its inputs and dimensions stay open."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from .draw import Choices, Diverged, Draw, Given, kind_of, opsets
from .recipes import RECIPES
from .schemas import dtype

IR_VERSION = 13


@dataclass
class Case:
    """A model and what it is fed with, run after run. pointwise: each element stands for itself; random: contents are chance."""

    operators: list[str]
    model: bytes
    feeds: list[dict[str, np.ndarray]]
    extreme: bool = False
    pointwise: bool = False
    random: bool = False
    opt_level: int = 0

    @cached_property
    def dtypes(self) -> frozenset[str]:
        """The names of the element types that go in."""
        model = onnx.ModelProto.FromString(self.model)
        constants = (dtype(tensor.data_type) for tensor in model.graph.initializer)
        return frozenset(kind.name for kind in (*constants, *(a.dtype for feed in self.feeds for a in feed.values())))

    @cached_property
    def output_dtypes(self) -> list[np.dtype | None]:
        """What shape inference says of the outputs."""
        model = onnx.shape_inference.infer_shapes(onnx.ModelProto.FromString(self.model))
        kinds = [output.type.tensor_type.elem_type for output in model.graph.output]
        return [dtype(kind) if kind else None for kind in kinds]


@dataclass
class _Graph:
    """A graph in the making, and the values that nodes may take up."""

    joins: bool
    choices: Choices
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    given: dict[str, Given] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)

    def offer(self, d: Draw, type: int, shape: tuple[int, ...]) -> str | None:
        if not self.joins:
            return None
        fitting = [name for name, value in self.values.items() if value.shape == shape and kind_of(value) == type]
        if fitting and not d.flag(5):
            return d.pick(fitting)
        same_size = [n for n, v in self.values.items() if kind_of(v) == type and v.size == math.prod(shape) and v.size and v.shape != shape]
        if same_size and d.flag():
            return self._adapted(d.pick(same_size), "Reshape", list(shape))
        castable = [n for n, v in self.values.items() if v.shape == shape and v.dtype.kind in "fiub" and kind_of(v) != type]
        if castable and _castable(type) and d.flag():
            return self._adapted(d.pick(castable), "Cast", type)
        return None

    def _adapted(self, name: str, operator: str, to: Any) -> str:
        out = f"v{len(self.values)}a{len(self.nodes)}"
        if operator == "Reshape":
            shape = self.take(Given(np.array(to, np.int64), "shape"))
            self._append(helper.make_node("Reshape", [name, shape], [out]))
        else:
            self._append(helper.make_node("Cast", [name], [out], to=to))
        return out

    def shapes(self, rank: int | None) -> list[tuple[int, ...]]:
        return list(dict.fromkeys(v.shape for v in self.values.values() if rank is None or v.ndim == rank)) if self.joins else []

    def types(self) -> list[int]:
        return ([kind_of(value) for value in self.values.values()] or [TensorProto.FLOAT]) if self.joins else []

    def take(self, given: Given) -> str:
        name = f"x{len(self.given)}"
        self.given[name] = given
        return name

    def add(self, operator: str, **how: Any) -> None:
        d = Draw(operator, self.choices, self, **how)
        RECIPES[operator](d)
        outputs = [f"y{len(self.nodes)}_{i}" if wanted else "" for i, wanted in enumerate(d.wanted)]
        self.draws.append(d)
        for node in d.earlier:
            self._append(node, shown=False)
        self._append(d.node(outputs))

    def _append(self, node: onnx.NodeProto, *, shown: bool = True) -> None:
        self.nodes.append(node)
        if not self.joins:
            self.outputs += [name for name in node.output if name and shown]
            return
        known = {**{name: given.array for name, given in self.given.items()}, **self.values}
        for name, value in zip((n for n in node.output if n), _evaluated(node, known), strict=True):
            self.values[name] = value


class Unusable(Exception):
    """No reference knows this node with these inputs; the case is not one."""


def _castable(type: int) -> bool:
    return type in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.INT64)


def _evaluated(node: onnx.NodeProto, known: dict[str, np.ndarray]) -> list[np.ndarray]:
    feeds = {name: known[name] for name in needed(node) if name in known}
    outputs = [name for name in node.output if name]
    model = _model([node], [helper.make_tensor_value_info(n, kind_of(a), None) for n, a in feeds.items()], [], outputs)
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:  # whatever a reference raises
        raise Unusable(node.op_type) from error
    if not all(isinstance(result, np.ndarray | np.generic) for result in results):
        raise Unusable(node.op_type)
    return [np.asarray(result) for result in results]


def needed(node: onnx.NodeProto) -> list[str]:
    """What a node takes from outside, by its inputs and by its bodies."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            inner = {i.name for i in attribute.g.input}
            for one in attribute.g.node:
                names += [name for name in needed(one) if name not in inner]
                inner |= set(one.output)
    return list(dict.fromkeys(names))


def _model(nodes: list[Any], inputs: list[Any], initializers: list[Any], outputs: list[str]) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "fuzz", inputs, [helper.make_empty_tensor_value_info(name) for name in outputs], initializers)
    return helper.make_model(graph, opset_imports=opsets(), ir_version=IR_VERSION)


@st.composite
def operator_cases(draw: st.DrawFn, operator: str) -> Case:
    """One node of an operator, fed with several sizes."""

    def build(choices: Choices) -> _Graph:
        graph = _Graph(False, choices)
        graph.add(operator)
        return graph

    return _case(draw, build)


@st.composite
def graph_cases(draw: st.DrawFn, operators: list[str]) -> Case:
    """A graph of two to twelve nodes that take up each other's results."""

    def build(choices: Choices) -> _Graph:
        graph = _Graph(True, choices)
        for _ in range(choices.between(2, 12)):
            before = (len(graph.nodes), dict(graph.given), dict(graph.values))
            try:
                graph.add(choices.pick(operators), extreme=False, empty=False)
            except Unusable:
                del graph.nodes[before[0] :]
                graph.given, graph.values = before[1], before[2]
                graph.draws.pop()
        used = {name for node in graph.nodes for name in needed(node)}
        graph.outputs = [name for name in graph.values if name not in used or choices.flag(5)]
        return graph

    return _case(draw, build)


def _case(draw: st.DrawFn, build: Callable[[Choices], _Graph]) -> Case:
    seed = draw(st.integers(0, 1 << 20))
    first = Choices(draw, seed)
    graph = build(first)
    runs = [graph]
    if draw(st.booleans()):
        for again in range(2):
            try:
                other = build(Choices(None, seed + again, first.log))
            except (Diverged, Unusable):
                continue
            if _same_but_for_sizes(graph, other):
                runs.append(other)
    return _assembled(draw, runs, first)


def _same_but_for_sizes(one: _Graph, other: _Graph) -> bool:
    def form(graph: _Graph) -> Any:
        given = [(name, g.array.dtype, g.array.ndim) for name, g in graph.given.items()]
        lengths = [g.array.shape for g in graph.given.values() if g.role != "data"]
        return [n.SerializeToString(deterministic=True) for n in graph.nodes], given, lengths, graph.outputs

    return form(one) == form(other)


def _assembled(draw: st.DrawFn, runs: list[_Graph], choices: Choices) -> Case:
    graph = runs[0]
    inputs, initializers, open_names = [], [], []
    names: dict[tuple[int, ...], str] = {}
    for name, given in graph.given.items():
        arrays = [run.given[name].array for run in runs]
        same = all(a.shape == arrays[0].shape and a.tobytes() == arrays[0].tobytes() for a in arrays)
        fixed = {"constant": 10, "shape": 7, "data": 2}[given.role]
        if same and draw(st.integers(0, 9)) < fixed:
            initializers.append(numpy_helper.from_array(arrays[0], name))
            continue
        dims: list[int | str] = []
        for axis, size in enumerate(arrays[0].shape):
            sizes = tuple(a.shape[axis] for a in arrays)
            if given.role != "data" or (len(set(sizes)) == 1 and draw(st.integers(0, 2)) < 2):
                dims.append(size)
            elif draw(st.integers(0, 3)) < 3:
                dims.append(names.setdefault(sizes, f"n{len(names)}"))
            else:
                dims.append(f"{name}_{axis}")
        inputs.append(helper.make_tensor_value_info(name, kind_of(arrays[0]), dims))
        open_names.append(name)
    model = _model(graph.nodes, inputs, initializers, graph.outputs)
    return Case(
        operators=[d.operator for d in graph.draws],
        model=model.SerializeToString(),
        feeds=[{name: run.given[name].array for name in open_names} for run in runs],
        extreme=any(d.extreme for run in runs for d in run.draws),
        pointwise=all(d.pointwise for d in graph.draws),
        random=any(d.random for d in graph.draws),
        opt_level=draw(st.sampled_from([0, 0, 0, 0, 0, 3])),
    )
