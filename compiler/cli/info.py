"""`intaglio info`: what is in a model, and what of it cannot be compiled."""

from __future__ import annotations

import argparse
from collections import Counter

from rich.markup import escape

from ...dialects.onnx.base import OnnxOp
from ...passes.onnx_to_linalg import main_function
from ..importer import ImportedModel, ValueInfo
from ..lowering import read_model
from ..pipeline import is_compiled
from .show import compiling, out, scaled, shape_text, table


def run(asked: argparse.Namespace) -> int:
    with compiling(asked.model.name):
        imported = read_model(asked.model, dict(asked.dims), asked.operators)
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in imported.opsets.items())
    producer = f", written by {imported.producer}" if imported.producer else ""
    out.print(f"[bold]{escape(asked.model.name)}[/]: operator sets {escape(opsets + producer)}")
    elements = sum(array.size for array in imported.weights.values())
    size = sum(array.nbytes for array in imported.weights.values())
    out.print(f"{scaled(elements)} parameters in {len(imported.weights)} tensors, {scaled(size, 'B')}")
    for title, ports in (("input", imported.inputs), ("output", imported.outputs)):
        _print_ports(title, ports)
    missing = _print_operators(imported)
    if missing:
        out.print(f"[bold red]not supported yet[/]: {escape(', '.join(missing))}; `intaglio check` says where")
    return 0


def _print_ports(title: str, ports: list[ValueInfo]) -> None:
    shown = table(title, "type", "shape")
    for port in ports:
        kind = getattr(port.type, "name", str(port.type))
        shown.add_row(escape(port.name), escape(kind), escape(shape_text(port.dims)) if port.dims is not None else "")
    out.print()
    out.print(shown)


def _print_operators(imported: ImportedModel) -> list[str]:
    """The operators with their number; returns those without a lowering."""
    ops = [op for op in main_function(imported.module).walk() if isinstance(op, OnnxOp) and not op.name.endswith(".yield")]
    counts = Counter(op.op_type for op in ops)
    missing = sorted({op.op_type for op in ops if not is_compiled(type(op))})
    shown = table("operator", "nodes", right=("nodes",))
    for name, count in counts.most_common():
        shown.add_row(f"[red]{escape(name)}[/]" if name in missing else escape(name), str(count))
    out.print()
    out.print(shown)
    return missing
