"""Recurrent layers of older operator sets."""

from __future__ import annotations

from .registry import OldNode, Tools, adapter


@adapter("RNN", "GRU", "LSTM", before=7)
def outputs_by_name(node: OldNode, tools: Tools) -> None:
    """Up to opset 6 an attribute told whether the first output was wanted; its name says so as well."""
    node.attributes.pop("output_sequence", None)
    # Opset 1 misspelled the default.
    if node.attributes.get("direction") == "foward":
        node.attributes["direction"] = "forward"
