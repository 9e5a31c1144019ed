"""Axes, shapes and counts that were attributes in older operator sets and are inputs now; softmax over a flattened input."""

from __future__ import annotations

import numpy as np

from ....dialects.onnx.types import BY_NAME
from .registry import Name, OldNode, Tools, adapter


def _attribute_to_input(node: OldNode, tools: Tools, attribute: str, index: int) -> None:
    """Moves an attribute of integers, where it is given, to the input of that number."""
    values = node.take(attribute, tuple, None)
    if values is None:
        return
    if not all(isinstance(v, int) for v in values):
        raise node.problem("ITG1102", f"attribute {attribute} must be of type INTS, but is {str(values)[:60]}")
    if len(node.inputs) > index or not node.first:
        raise node.problem("ITG1006", f"it has {len(node.inputs)} inputs, but took at most {index} at operator set {node.version}")
    node.inputs += [""] * (index - len(node.inputs))
    node.inputs.append(tools.constant(list(values)))


@adapter("Squeeze", "Unsqueeze", "ReduceSum", before=13)
def axes_to_input(node: OldNode, tools: Tools) -> None:
    """Up to opset 12 axes were an attribute."""
    _attribute_to_input(node, tools, "axes", 1)


@adapter(
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare",
    before=18,
)  # fmt: skip
def reduced_axes_to_input(node: OldNode, tools: Tools) -> None:
    """Up to opset 17 axes were an attribute."""
    _attribute_to_input(node, tools, "axes", 1)


@adapter("Reshape", before=5)
def shape_to_input(node: OldNode, tools: Tools) -> None:
    """Up to opset 4 the shape was an attribute."""
    _attribute_to_input(node, tools, "shape", 1)


@adapter("Slice", before=10)
def bounds_to_inputs(node: OldNode, tools: Tools) -> None:
    """Up to opset 9 starts, ends and axes were attributes."""
    for index, attribute in enumerate(("starts", "ends", "axes"), start=1):
        if attribute not in node.attributes and attribute != "axes":
            raise node.problem("ITG1103", f"attribute {attribute} is required and missing")
        _attribute_to_input(node, tools, attribute, index)


@adapter("TopK", before=10)
def count_to_input(node: OldNode, tools: Tools) -> None:
    """Up to opset 9 the count was an attribute."""
    count = node.take("k", int, None)
    if count is None:
        raise node.problem("ITG1103", "attribute k is required and missing")
    node.inputs = [node.first, tools.constant([count])]


@adapter("Split", before=2)
def split_by_input_of_floats(node: OldNode, tools: Tools) -> None:
    """At opset 1 the lengths were an attribute or an input of the data's own type."""
    node.attributes.setdefault("axis", 0)
    lengths = node.inputs[1] if len(node.inputs) > 1 and "split" not in node.attributes else ""
    node.inputs = node.inputs[:1]
    if not lengths:
        return
    known = tools.known(lengths)
    if known is None:
        node.inputs.append(_integers(lengths, len(node.outputs), tools))
    else:
        node.attributes["split"] = tuple(int(v) for v in known.ravel())


@adapter("Split", before=13)
def lengths_to_input(node: OldNode, tools: Tools) -> None:
    """Up to opset 12 the lengths were an attribute."""
    _attribute_to_input(node, tools, "split", 1)


@adapter("Split", before=18)
def count_outputs(node: OldNode, tools: Tools) -> None:
    """Up to opset 17 the number of outputs told into how many equal parts to split."""
    if len(node.inputs) > 1 or not node.outputs:
        return
    count, axis = len(node.outputs), node.attributes.get("axis", 0)
    size = tools.size(node.first, axis) if isinstance(axis, int) else None
    if size is not None and size % count:
        raise node.problem("ITG1105", f"{size} elements do not split into {count} equal parts", "give the lengths of the parts")
    node.attributes["num_outputs"] = count


@adapter("Concat", before=4)
def axis_defaults_to_one(node: OldNode, tools: Tools) -> None:
    """Up to opset 3 the axis could be left away and was 1."""
    node.attributes.setdefault("axis", 1)


@adapter("Softmax", "LogSoftmax", "Hardmax", before=13)
def flatten_first(node: OldNode, tools: Tools) -> None:
    """Up to opset 12 the input was flattened to two dimensions at `axis` (default 1), and the whole second one normalised."""
    data = node.first
    rank, axis = tools.rank(data), node.take("axis", int, 1)
    if not -rank <= axis <= rank:
        raise node.problem("ITG1105", f"axis {axis} is out of range for rank {rank}")
    axis = axis + rank if axis < 0 else axis
    if axis < rank and all(tools.size(data, after) == 1 for after in range(axis + 1, rank)):
        node.attributes["axis"] = axis
        return
    flat = tools.node("Flatten", [data], axis=axis)
    node.become("Reshape", [tools.node(node.op_type, [flat], axis=1), tools.node("Shape", [data])], allowzero=1)


@adapter("DFT", before=20)
def transform_axis_to_input(node: OldNode, tools: Tools) -> None:
    """Up to opset 19 the axis was an attribute, by default 1."""
    axis = node.take("axis", int, 1)
    node.inputs = [node.first, *node.inputs[1:2], *[""] * (2 - len(node.inputs)), tools.constant(axis)]


@adapter("Tile", before=6)
def repeats_of_one_axis(node: OldNode, tools: Tools) -> None:
    """Up to opset 5 one axis was repeated, both given as inputs."""
    if len(node.inputs) != 3:
        raise node.problem("ITG1006", f"it has {len(node.inputs)} inputs, but took 3 at operator set {node.version}")
    tiles, axis = tools.known(node.inputs[1]), tools.known(node.inputs[2])
    rank = tools.rank(node.first)
    if tiles is None or axis is None:
        # Indices out of range are found when the program runs.
        tiles, axis = (_integers(value, 1, tools) for value in node.inputs[1:])
        node.inputs = [node.inputs[0], tools.node("ScatterElements", [tools.constant([1] * rank), axis, tiles])]
        return
    if tiles.size != 1 or axis.size != 1:
        raise node.problem("ITG1105", f"tiles and axis have {tiles.size} and {axis.size} elements, expected one each")
    if not 0 <= int(axis.item()) < rank:
        raise node.problem("ITG1105", f"axis {axis.item()} is out of range for rank {rank}")
    repeats = [1] * rank
    repeats[int(axis.item())] = int(tiles.item())
    node.inputs = [node.inputs[0], tools.constant(repeats)]


def _integers(value: Name, count: int, tools: Tools) -> Name:
    """That many numbers of any type as a list of int64."""
    return tools.node("Reshape", [tools.node("Cast", [value], to=BY_NAME["int64"].number), tools.constant([count])])


@adapter("OneHot", before=11)
def no_index_from_the_end(node: OldNode, tools: Tools) -> None:
    """Up to opset 10 an index below zero was out of range, and its row all off; now it counts from the end."""
    indices = node.first
    element, known = tools.element(indices), tools.known(indices)
    if element.numpy.kind == "u" or (known is not None and (known >= 0).all()):
        return
    if element is not BY_NAME["int64"]:
        indices = tools.node("Cast", [indices], to=BY_NAME["int64"].number)
    below = tools.node("Less", [indices, tools.constant(0)])
    node.inputs[0] = tools.node("Where", [below, tools.constant(np.iinfo(np.int64).max), indices])
