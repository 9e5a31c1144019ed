"""Transposes in square tiles: every size of element, sizes that no tile fits, and arithmetic on what is transposed."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import intaglio  # noqa: E402
from onnx import helper  # noqa: E402


def model(text: str, x: np.ndarray, **others: np.ndarray) -> onnx.ModelProto:
    nodes = onnx.parser.parse_graph(f"g (float x) => (float y) {{ {text} }}").node
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in {"x": x, **others}.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for node in nodes for name in node.output if name.startswith("y")]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def numbers(dtype: np.dtype | type, *shape: int) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(np.float64).__mod__(97).astype(dtype)


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.uint16, np.int32, np.int64, np.bool_, np.complex64]
)
def test_elements_of_every_size(dtype: type) -> None:
    x, lead = numbers(dtype, 37, 16), numbers(dtype, 2, 17, 3, 21)
    text = "y0 = Transpose (x)  y1 = Transpose <perm = [0, 3, 2, 1]> (z)  y2 = Transpose <perm = [3, 1, 2, 0]> (z)"
    session = intaglio.InferenceSession(model(text, x, z=lead), opt_level=1)
    expected = [x.T, lead.transpose(0, 3, 2, 1), lead.transpose(3, 1, 2, 0)]
    for found, wanted in zip(session.run(None, {"x": x, "z": lead}), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("shape", [(16, 16), (15, 40), (40, 15), (16, 31), (81, 65), (1, 100), (0, 32), (130, 1)])
def test_sizes_that_no_tile_fits(shape: tuple[int, int]) -> None:
    x = numbers(np.float32, *shape)
    (found,) = intaglio.InferenceSession(model("y = Transpose (x)", x), opt_level=1).run(None, {"x": x})
    np.testing.assert_array_equal(found, x.T)


def test_arithmetic_on_what_is_transposed() -> None:
    x, plain, row, column = (numbers(np.float32, *shape) for shape in ((3, 20, 33), (3, 33, 20), (20,), (33, 1)))
    text = "t = Transpose <perm = [0, 2, 1]> (x)  a = Mul (t, p)  b = Add (a, r)  y = Sub (b, c)"
    session = intaglio.InferenceSession(model(text, x, p=plain, r=row, c=column), opt_level=1)
    (found,) = session.run(None, {"x": x, "p": plain, "r": row, "c": column})
    np.testing.assert_array_equal(found, x.transpose(0, 2, 1) * plain + row - column)
