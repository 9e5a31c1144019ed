"""Pools on blocks of channels: windows over the edge, of every stride and dilation, against the reference implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import intaglio
from intaglio.backends.target import host_target, named_target
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

CPUS = [c for c in ("host", "x86-64-v3", "x86-64") if c == "host" or host_target().triple.startswith("x86_64")]
CPUS = [c for c in CPUS if named_target(c).vector_bytes <= host_target().vector_bytes]
"""A block of channels in one vector, in two and in four, as far as this machine has them."""

CASES = [
    ("MaxPool", (1, 32, 23, 17), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("MaxPool", (2, 20, 9, 31), {"kernel_shape": [2, 3], "strides": [1, 2], "pads": [1, 0, 0, 2]}),
    ("MaxPool", (1, 16, 25, 40), {"kernel_shape": [3, 3], "dilations": [2, 3], "pads": [2, 1, 2, 1]}),
    ("MaxPool", (1, 16, 4, 30), {"kernel_shape": [2, 20]}),  # too wide to be written out
    ("MaxPool", (0, 16, 8, 8), {"kernel_shape": [2, 2]}),
    ("AveragePool", (1, 32, 23, 17), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("AveragePool", (1, 16, 8, 8), {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2], "count_include_pad": 1}),
    ("AveragePool", (1, 16, 7, 7), {"kernel_shape": [7, 7]}),
]


def network(op: str, shape: Sequence[int], attributes: dict[str, Any], *, blocked: bool) -> ModelProto:
    """The pool behind a convolution that changes nothing, but brings its input into blocks; or the pool alone."""
    w = np.eye(shape[1], dtype=np.float32)[:, :, None, None]
    lead = [helper.make_node("Conv", ["x", "w"], ["h"])] if blocked else []
    nodes = [*lead, helper.make_node(op, ["h" if blocked else "x"], ["p"], **attributes), helper.make_node("Neg", ["p"], ["y"])]
    ports = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape), helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "pool", [ports[0]], [ports[1]], [numpy_helper.from_array(w, "w")] if blocked else [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize(("op", "shape", "attributes"), CASES)
def test_pools(cpu: str, op: str, shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    session = intaglio.InferenceSession(network(op, shape, attributes, blocked=True), cpu=cpu, opt_level=1)
    (y,) = session.run(None, {"x": x})
    if 0 in shape:
        assert y.shape == (*shape[:2], 7, 7)
        return
    (wanted,) = ReferenceEvaluator(network(op, shape, attributes, blocked=False)).run(None, {"x": x})
    np.testing.assert_allclose(y, np.asarray(wanted), rtol=1e-5, atol=1e-6)


def test_what_is_no_number_is_the_largest() -> None:
    x = np.zeros((1, 16, 5, 5), np.float32)
    x[0, 3, 2, 2] = np.nan
    w = {"kernel_shape": [3, 3], "strides": [2, 2]}
    (y,) = intaglio.InferenceSession(network("MaxPool", x.shape, w, blocked=True), opt_level=1).run(None, {"x": x})
    assert np.isnan(y).any()
