"""Shows, layer by layer, which convolutions of a model go by Winograd's algorithm, how much faster that is, and what rounding it costs.

    python benchmarks/winograd.py model.onnx --seconds 0.2

Each convolution that the algorithm could compute is compiled alone, with its own weights and without bias, as the model's compilation chose
and directly; both run on normally distributed inputs, one thread. Errors are against float64, relative to the layer's largest output; the
estimate is what the compiler went by. A tile is given by its outputs down and across.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import intaglio
import numpy as np
from intaglio.backends.target import host_target
from intaglio.compiler.lowering import read_model
from intaglio.compiler.pipeline import onnx_level
from intaglio.dialects import blocked
from intaglio.passes.onnx import choose_winograd
from intaglio.passes.winograd import Tile, estimated_error
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution of x (images, channels, height, width) with weights (filters, channels, kh, kw); pads: top, left, bottom, right."""

    name: str
    shape: tuple[int, ...]
    weights: np.ndarray
    pads: tuple[int, ...]
    strides: tuple[int, ...]
    outputs: tuple[int, ...]

    def program(self, winograd: bool) -> intaglio.Program:
        node = helper.make_node("Conv", ["x", "w"], ["y"], pads=self.pads, strides=self.strides)
        x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", self.shape), ("y", None)))
        graph = helper.make_graph([node], "layer", [x], [y], [numpy_helper.from_array(self.weights, "w")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        with mock.patch.object(choose_winograd, "chosen", lambda *_: self.outputs):  # alone it might be chosen otherwise
            return intaglio.compile(model, winograd=winograd, cache=False)

    def exactly(self, x: np.ndarray) -> np.ndarray:
        """In float64."""
        top, left, bottom, right = self.pads
        x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
        (kh, kw), (sh, sw) = self.weights.shape[2:], self.strides
        height, width = (x.shape[2] - kh) // sh + 1, (x.shape[3] - kw) // sw + 1
        y = np.zeros((len(x), len(self.weights), height, width))
        for i, j in np.ndindex(kh, kw):
            part = x[:, :, i : i + sh * height : sh, j : j + sw * width : sw][:, :, :height, :width]
            y += np.einsum("nchw,kc->nkhw", part, self.weights[:, :, i, j], optimize=True)
        return y


def layers(model: Path) -> Iterator[Layer]:
    """The model's convolutions that the algorithm could compute, in order. An open batch is of one image."""
    imported = read_model(model)
    onnx_level(imported, host_target())
    shapes = imported.shapes
    for op in imported.module.walk():
        if isinstance(op, blocked.ConvOp) and choose_winograd.is_possible(op, shapes):
            weights, (batch, _, height, width, _) = shapes.constant(op.w), shapes.of(op.x)
            assert weights is not None
            shape: Any = (batch if isinstance(batch, int) else 1, weights.shape[1], height, width)
            attributes = (tuple(op.attr(name)) for name in ("pads", "strides", "winograd"))
            yield Layer(op.node or "", shape, np.array(weights), *attributes)


def measured(layer: Layer, seconds: float) -> str:
    x = np.random.default_rng(0).standard_normal(layer.shape).astype(np.float32)
    exact = layer.exactly(x)
    programs = [layer.program(winograd) for winograd in (False, True)]
    sessions = [program.session(num_threads=1) for program in programs]
    scale = max(float(np.abs(exact).max()), np.finfo(np.float32).tiny)
    errors = [float(np.abs(session.run(None, {"x": x})[0] - exact).max()) / scale for session in sessions]
    best, end = [np.inf, np.inf], time.perf_counter() + seconds
    while time.perf_counter() < end:
        for n, session in enumerate(sessions):
            start = time.perf_counter()
            session.run(None, {"x": x})
            best[n] = min(best[n], time.perf_counter() - start)
    taps = layer.weights.shape[2:]
    estimate = estimated_error(layer.weights, Tile.of(layer.outputs, taps, layer.strides)) if layer.outputs else 0.0
    filter = f"{taps[0]}x{taps[1]}/{layer.strides[0]}x{layer.strides[1]}"
    plane = f"{layer.shape[1]:4} -> {len(layer.weights):4}, {filter} at {layer.shape[2]}x{layer.shape[3]}"
    tile = "x".join(map(str, layer.outputs)) or "none"
    times = f"direct {best[0] * 1e3:8.3f} ms, chosen {best[1] * 1e3:8.3f} ms, {best[0] / best[1]:5.2f}x"
    return f"{plane:32} tile {tile:4} | {times} | error {errors[0]:.1e}, {errors[1]:.1e} (estimate {estimate:.1e}) | {layer.name}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=0.2, help="to measure a layer for")
    asked = parser.parse_args()
    for layer in layers(asked.model):
        print(measured(layer, asked.seconds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
