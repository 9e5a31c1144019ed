"""What a subgraph's inputs are before its operator has been inferred, so that its nodes can be built; `build` calls it.

The operator's own inference settles the shapes afterwards; this gives those of the first iteration.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import NoneType, f32, f64, i1, i64
from xdsl.ir import Attribute, Block, SSAValue

from ...dialects.onnx.containers import element_in, kind_of, known
from ...dialects.onnx.control import enter
from ...dialects.onnx.shapes import Members, Shapes
from .graph import Graph, Node
from .types import declared_dims, element_ir


def enter_arguments(shapes: Shapes, node: Node, graph: Graph, block: Block, operands: Sequence[SSAValue]) -> None:
    """Adds one block argument for each input of the subgraph, with its type and shape. Raises ImportProblem."""
    states = _ENTRIES[node.op_type](shapes, node, graph, operands) if node.op_type in _ENTRIES else []
    if len(states) != len(graph.inputs):
        given = len(graph.inputs)
        raise node.problem("ITG1006", f'subgraph "{graph.name}" takes {given} inputs, but the operator gives it {len(states)}')
    for kind, element, members in states:
        argument = block.insert_arg(NoneType(), len(block.args))
        enter(shapes, argument, kind, element, members)


_State = tuple[str, Attribute, Members]


def _loop(shapes: Shapes, node: Node, graph: Graph, operands: Sequence[SSAValue]) -> list[_State]:
    scalars = sum(1 for name in node.inputs[:2] if name)
    counter: _State = ("tensor", i64, _scalar(graph, 0))
    condition: _State = ("tensor", i1, _scalar(graph, 1))
    return [counter, condition, *(_state(shapes, v) for v in operands[scalars:])]


def _scalar(graph: Graph, index: int) -> Members:
    """() or, where the subgraph declares its counter or condition so, (1,)."""
    if index >= len(graph.inputs) or not graph.inputs[index].type.tensor_type.HasField("shape"):
        return ()
    return (1,) if declared_dims(graph.inputs[index].type.tensor_type.shape) == (1,) else ()


def _scan(shapes: Shapes, node: Node, graph: Graph, operands: Sequence[SSAValue]) -> list[_State]:
    scanned = node.attributes["num_scan_inputs"]
    if not 1 <= scanned <= len(operands):
        raise node.problem("ITG1105", f"num_scan_inputs is {scanned}, but there are {len(operands)} inputs")
    axes = node.attributes.get("scan_input_axes") or (0,) * scanned
    if len(axes) != scanned:
        raise node.problem("ITG1105", f"scan_input_axes has {len(axes)} entries for {scanned} scan inputs")
    first = len(operands) - scanned
    slices = [_slice(shapes, node, v, axis) for v, axis in zip(operands[first:], axes, strict=True)]
    return [*(_state(shapes, v) for v in operands[:first]), *slices]


def _slice(shapes: Shapes, node: Node, value: SSAValue, axis: int) -> _State:
    shape = shapes.of(value)
    if not -len(shape) <= axis < len(shape):
        raise node.problem("ITG1105", f"scan_input_axes holds {axis}, which is out of range for rank {len(shape)}")
    axis %= len(shape)
    return "tensor", element_in(value), (*shape[:axis], *shape[axis + 1 :])


def _members(shapes: Shapes, node: Node, graph: Graph, operands: Sequence[SSAValue]) -> list[_State]:
    return [("tensor", element_in(v), known(shapes, v)) for v in operands]


def _scores(shapes: Shapes, node: Node, graph: Graph, operands: Sequence[SSAValue]) -> list[_State]:
    q, k = (shapes.of(v) for v in operands[:2])
    if len(q) != 4 or len(k) != 4:
        raise node.problem("ITG1007", f"q and k must have rank 4, but have ranks {len(q)} and {len(k)}")
    number = node.attributes.get("softmax_precision")
    if number is None:
        element = f64 if element_in(operands[0]) == f64 else f32
    else:
        element = element_ir(number)
    return [("tensor", element, (q[0], q[1], q[2], k[2]))]


def _state(shapes: Shapes, value: SSAValue) -> _State:
    return kind_of(value), element_in(value), known(shapes, value)


_ENTRIES = {"Loop": _loop, "Scan": _scan, "SequenceMap": _members, "FlexAttention": _scores}
