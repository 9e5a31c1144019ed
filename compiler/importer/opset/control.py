"""Loops of older operator sets."""

from __future__ import annotations

from ..graph import Graph, Port, captured_by
from .registry import CURRENT, Name, OldNode, Tools, adapter


@adapter("Scan", before=9)
def scan_without_batch(node: OldNode, tools: Tools) -> None:
    """At opset 8 every input and output had a batch axis in front, and the sequences of a batch could differ in length.

    A batch of one is taken off; any other is a scan over the batch, whose body is a scan over one sequence.
    """
    lengths, *values = node.inputs or [""]
    scanned, directions = node.attributes.get("num_scan_inputs"), node.take("directions", tuple, ())
    if not isinstance(scanned, int):
        raise node.problem("ITG1103", "attribute num_scan_inputs is required and missing")
    if not 1 <= scanned <= len(values):
        raise node.problem("ITG1105", f"num_scan_inputs is {scanned}, but there are {len(values)} inputs")
    if directions:
        node.attributes["scan_input_directions"] = directions
    if not lengths and all(tools.size(value, 0) == 1 for value in values):
        _one_sequence(node, values, tools)
        return
    if lengths and any(directions):
        raise node.problem("ITG1202", "a scan backwards over sequences of different lengths: nobody said where it starts")
    _each_sequence(node, lengths, values, scanned, tools)


def _one_sequence(node: OldNode, values: list[Name], tools: Tools) -> None:
    front = tools.constant([0])
    node.inputs = [tools.node("Squeeze", [value, front]) for value in values]
    for index, output in enumerate(node.outputs):
        if output:
            node.outputs[index] = tools.fresh(output)
            tools.after("Unsqueeze", [node.outputs[index], front], output)


def _each_sequence(node: OldNode, lengths: Name, values: list[Name], scanned: int, tools: Tools) -> None:
    """Scans over the batch. With lengths, sequences are cut to theirs, and what is made of them is filled up with zeros."""
    states = len(values) - scanned
    inner, results = [tools.fresh(v) for v in values], [tools.fresh(node.label) for _ in node.outputs]
    length, nodes = tools.fresh(lengths), list[OldNode]()

    def add(op_type: str, inputs: list[Name], **attributes: object) -> Name:
        output = tools.fresh(node.label)
        nodes.append(OldNode(op_type, "", inputs, [output], attributes, CURRENT, node.label))
        return output

    sequences, zero = inner[states:], tools.constant([0])
    if lengths:
        end = add("Reshape", [length, tools.constant([1])])
        sequences = [add("Slice", [sequence, zero, end, zero]) for sequence in sequences]
    nodes.append(OldNode("Scan", "", [*inner[:states], *sequences], list(results), dict(node.attributes), CURRENT, node.label))
    if lengths:
        whole = add("Shape", inner[states : states + 1], start=0, end=1)
        for index, result in enumerate(results[states:], start=states):
            missing = add("Sub", [whole, add("Shape", [result], start=0, end=1)])
            results[index] = add("Pad", [result, add("Concat", [zero, missing], axis=0), "", zero])
    inputs = [*([length] if lengths else []), *inner]
    body = Graph(node.label, nodes, [Port(name) for name in inputs], [Port(name) for name in results], [])
    body.captured = captured_by(body)
    node.inputs = [*([lengths] if lengths else []), *values]
    node.attributes = {"body": body, "num_scan_inputs": len(node.inputs)}
    node.version = CURRENT
