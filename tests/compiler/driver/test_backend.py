"""The interface of onnx.backend beyond what the official suite uses."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from intaglio import IntaglioError, backend  # noqa: E402
from onnx import helper  # noqa: E402

X = np.array([[-1, 2]], np.float32)


def test_devices() -> None:
    assert backend.supports_device("CPU") and backend.supports_device("CPU:0")
    assert not backend.supports_device("CUDA") and not backend.supports_device("abacus")
    with pytest.raises(IntaglioError, match="ITG7202"):
        backend.prepare(onnx.parser.parse_model(ADD), "CUDA")


def test_run_node() -> None:
    (y,) = backend.run_node(helper.make_node("Relu", ["x"], ["y"]), [X])
    np.testing.assert_array_equal(y, np.maximum(X, 0))
    (y,) = backend.run_node(helper.make_node("Add", ["x", "x"], ["y"]), [X], outputs_info=[(np.float32, X.shape)], opset_version=14)
    np.testing.assert_array_equal(y, X + X)
    with pytest.raises(IntaglioError, match="ITG5502"):
        backend.run_node(helper.make_node("Add", ["x", "y"], ["z"]), [X])


ADD = """<ir_version: 10, opset_import: ["" : 20]>
m (float[2] a, float[2] b) => (float[2] sum, float[2] difference) <float[2] b = {1, 2}> {
  difference = Sub (a, b)
  sum = Add (a, b)
}"""


def test_feeds() -> None:
    prepared = backend.prepare(onnx.parser.parse_model(ADD))
    a, b = np.array([3, 4], np.float32), np.array([5, 6], np.float32)
    np.testing.assert_array_equal(prepared.run([a]).sum, [4, 6])  # the default of b
    np.testing.assert_array_equal(prepared.run([a, b])["difference"], a - b)
    np.testing.assert_array_equal(prepared.run({"a": a, "b": b})[0], a + b)
    np.testing.assert_array_equal(prepared.run(a)[1], [2, 2])
    with pytest.raises(IntaglioError, match="ITG5502"):
        prepared.run([a, a, a])
