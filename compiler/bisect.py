"""Finds the node where a model's numbers go wrong, by watching every intermediate value beside ONNX Runtime's; for work on lowerings.

    python -m intaglio.compiler.bisect model.onnx [inputs.npz]

Watching a value keeps it from being fused away, so that a fault in a fused kernel may hide: then fewer values are watched at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import IntaglioError
from ..proto.files import load_model
from ..proto.onnx_pb2 import ModelProto, NodeProto, ValueInfoProto
from .driver import compile

TOLERANCE = 1e-3
"""Relative to each element, and absolute as a part of the tensor's largest value."""

WATCHED = (1 << 30, 64, 8, 1)
"""How many values are watched at once, one try after the other."""


@dataclass(frozen=True)
class Difference:
    """The first value in the graph's order that differs: `error` as a part of its largest value, or what else is wrong."""

    node: NodeProto
    value: str
    error: float | str

    def __str__(self) -> str:
        ins, outs = ", ".join(self.node.input), ", ".join(self.node.output)
        found = self.error if isinstance(self.error, str) else f"is off by {self.error:.2g} of its largest value"
        return f'{self.node.op_type} "{self.node.name}" ({ins}) -> ({outs}): {self.value} {found}'


def first_difference(model: Any, feeds: Mapping[str, np.ndarray], watched: Sequence[int] = WATCHED) -> Difference | None:
    """The first node whose output differs from ONNX Runtime's, None if all agree however few are watched at once.

    model: as `compile` takes it; feeds: an array for each input; watched: how many values at once, smaller only while the model's own
    outputs differ. Raises IntaglioError: what `compile` refuses, ITG7401 without ONNX Runtime.
    """
    message = load_model(model).model
    outputs = {info.name for info in message.graph.output}
    makers = {name: node for node in message.graph.node for name in node.output if name}
    inner = [name for name in makers if name not in outputs]
    hidden = any(error is not None for _, error in _compare(_watching(message, ()), feeds))
    for i, count in enumerate(watched):
        if i > 0 and (count >= len(inner) or not hidden):
            continue
        for names in _chunks(inner, count):
            found = _compare(_watching(message, names), feeds)
            wrong = {name: error for name, error in found if error is not None and name in makers}
            first = next((name for name in makers if name in wrong), None)
            if first is not None:
                return Difference(makers[first], first, wrong[first])
    return None


def _chunks(names: list[str], count: int) -> Iterator[list[str]]:
    """Parts of the names, each spread over the whole graph."""
    parts = max(1, -(-len(names) // count))
    for k in range(parts):
        yield names[k::parts]


def _watching(message: ModelProto, names: Sequence[str]) -> bytes:
    """The model with these values as further outputs."""
    model = ModelProto()
    model.CopyFrom(message)
    model.graph.output.extend(ValueInfoProto(name=name) for name in names)
    return model.SerializeToString()


def _compare(model: bytes, feeds: Mapping[str, np.ndarray]) -> list[tuple[str, float | str | None]]:
    """Each output with its error, None for none."""
    with compile(model).session() as session:
        ours = session.run(None, feeds)
        names = [arg.name for arg in session.get_outputs()]
    theirs = _reference(model).run(names, dict(feeds))
    return [(name, _error(a, b)) for name, a, b in zip(names, ours, theirs, strict=True)]


def _error(ours: np.ndarray, theirs: np.ndarray) -> float | str | None:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"is {ours.dtype}{list(ours.shape)}, expected {theirs.dtype}{list(theirs.shape)}"
    if not ours.size or np.array_equal(ours, theirs):
        return None
    if ours.dtype.kind not in "fiu":
        return "differs"
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    largest = float(np.abs(b[np.isfinite(b)]).max(initial=0)) or 1.0
    if np.allclose(a, b, TOLERANCE, TOLERANCE * largest, equal_nan=True):
        return None
    apart = np.abs(a - b)
    return float(np.nanmax(np.where(np.isfinite(apart), apart, 0))) / largest if np.isfinite(a).all() else "is not finite"


def _reference(model: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        hint = 'Install it: pip install "intaglio[bench]".'
        raise IntaglioError("ITG7401", f"is not to be had: {error}", subject="ONNX Runtime", hint=hint) from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _random_feeds(model: Any) -> dict[str, np.ndarray]:
    from .cli.feeds import gather

    feeds, _ = gather(compile(model, opt_level=0).get_inputs(), [], seed=0, sizes={})
    return feeds


def main() -> int:
    parser = argparse.ArgumentParser(prog="bisect", description="the first node that differs from ONNX Runtime")
    parser.add_argument("model", type=Path)
    parser.add_argument("inputs", type=Path, nargs="?", help=".npz file, else random inputs")
    asked = parser.parse_args()
    try:
        feeds = dict(np.load(asked.inputs)) if asked.inputs else _random_feeds(asked.model)
        found = first_difference(asked.model, feeds)
    except IntaglioError as error:
        print(error, file=sys.stderr)
        return 2
    print("all values agree" if found is None else found)
    return 0 if found is None else 1


if __name__ == "__main__":
    sys.exit(main())
