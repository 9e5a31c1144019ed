"""Small models that together take every strategy of code generation, in odd sizes, and what is fed to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import onnx
from intaglio.passes.onnx import choose_winograd
from onnx import helper, numpy_helper

HALF, BRAIN = np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True)
class Case:
    """text: the body of a graph over x, in ONNX's textual syntax, with results y0, y1, ..; constants: what else it names."""

    x: np.ndarray
    text: str
    constants: dict[str, np.ndarray]
    open: bool = False
    tolerance: float = 2e-5

    def model(self) -> onnx.ModelProto:
        number = helper.np_dtype_to_tensor_dtype(self.x.dtype)
        shape = [f"d{n}" if self.open else d for n, d in enumerate(self.x.shape)]
        nodes = onnx.parser.parse_graph(f"g (float x) => (float y0) {{ {self.text} }}").node
        results = sorted({o for node in nodes for o in node.output if o.startswith("y")})
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", number, shape)],
            [onnx.ValueInfoProto(name=name) for name in results],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def prefer_winograd(set_attribute: Callable[[object, str, object], None]) -> None:
    """Has convolutions go by tiles of four, however small the layer."""
    possible = choose_winograd.is_possible
    set_attribute(choose_winograd, "chosen", lambda op, shapes, machine: (4, 4) if possible(op, shapes) else ())


def _draw(*shape: int, dtype: np.dtype | type = np.float32, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng([seed, *shape]).standard_normal(shape) * 0.5).astype(dtype)


def _whole(dtype: type, *shape: int, low: int = -9, high: int = 9) -> np.ndarray:
    return np.random.default_rng(list(shape)).integers(max(low, np.iinfo(dtype).min), high, shape).astype(dtype)


def _recurrent(op: str, gates: int) -> Case:
    text = f'y0, h = {op} <hidden_size = 7, direction = "bidirectional"> (x, w, r, b)'
    constants = {"w": _draw(2, gates * 7, 5), "r": _draw(2, gates * 7, 7), "b": _draw(2, 2 * gates * 7)}
    return Case(_draw(4, 3, 5), text, constants)


CASES: dict[str, Case] = {
    "products": Case(
        _draw(17, 37),
        """
        a = MatMul (x, w)
        s = Add (a, b)
        y0 = Relu (s)
        t = Transpose (x)
        y1 = MatMul (x, t)
        y2 = MatMul (row, t)
        """,
        {"w": _draw(37, 45), "b": _draw(45), "row": _draw(1, 37)},
    ),
    "open products": Case(
        _draw(2, 15, 21),
        """
        a = MatMul (x, w)
        t = Transpose <perm = [0, 2, 1]> (x)
        y0 = MatMul (t, a)
        """,
        {"w": _draw(21, 19)},
        open=True,
    ),
    "half products": Case(
        _draw(9, 35, dtype=HALF),
        """
        a = MatMul (x, w)
        y0 = Tanh (a)
        """,
        {"w": _draw(35, 21, dtype=HALF)},
        tolerance=4e-3,
    ),
    "brain products": Case(_draw(9, 35, dtype=BRAIN), "y0 = MatMul (x, w)", {"w": _draw(35, 21, dtype=BRAIN)}, tolerance=3e-2),
    "double products": Case(_draw(9, 35, dtype=np.float64), "y0 = MatMul (x, w)", {"w": _draw(35, 21, dtype=np.float64)}, tolerance=1e-12),
    "integer products": Case(
        _whole(np.uint8, 9, 35, low=0, high=255),
        """
        y0 = MatMulInteger (x, w, z)
        y1 = QLinearMatMul (x, s, z, v, s, zv, t, zv)
        """,
        {
            "w": _whole(np.int8, 35, 21, low=-128, high=127),
            "z": np.uint8(128),
            "v": _whole(np.int8, 35, 5),
            "s": np.float32(0.05),
            "zv": np.int8(3),
            "t": np.float32(0.5),
        },
    ),
    "convolution": Case(
        _draw(2, 3, 17, 15),
        """
        a = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w, b)
        c = Relu (a)
        d = Conv (c, v)
        e = Add (d, d)
        y0 = Conv <dilations = [2, 1], pads = [2, 0, 2, 0]> (e, u)
        y1 = GlobalAveragePool (e)
        y2 = MaxPool <kernel_shape = [3, 2]> (c)
        """,
        {"w": _draw(20, 3, 3, 3), "b": _draw(20), "v": _draw(40, 20, 1, 1), "u": _draw(16, 40, 3, 2)},
    ),
    "winograd": Case(
        _draw(1, 16, 13, 11),
        """
        a = Conv <pads = [1, 1, 1, 1]> (x, w)
        y0 = Relu (a)
        """,
        {"w": _draw(48, 16, 3, 3)},
        tolerance=1e-4,
    ),
    "depthwise": Case(
        _draw(1, 24, 12, 19),
        """
        a = Conv <group = 24, pads = [1, 1, 1, 1]> (x, w)
        b = Sigmoid (a)
        y0 = Conv <group = 24, strides = [2, 2]> (b, v)
        """,
        {"w": _draw(24, 1, 3, 3), "v": _draw(24, 1, 5, 5)},
    ),
    "groups": Case(
        _draw(1, 32, 7, 9),
        """
        y0 = Conv <group = 2> (x, w)
        y1 = ConvTranspose <strides = [2, 2]> (x, v)
        """,
        {"w": _draw(32, 16, 3, 3), "v": _draw(32, 5, 3, 2)},
    ),
    "planar": Case(
        _draw(1, 12, 9, 21),
        """
        a = Conv <group = 2, pads = [1, 1, 1, 1]> (x, w)
        y0 = Relu (a)
        y1 = Conv <group = 3, strides = [2, 3], dilations = [1, 2]> (x, v)
        y2 = Conv <group = 2> (x, u)
        """,
        {"w": _draw(34, 6, 3, 3), "v": _draw(9, 4, 3, 2), "u": _draw(6, 6, 1, 1)},
    ),
    "planar axes": Case(
        _draw(1, 3, 5, 6, 19),
        """
        y0 = Conv <pads = [1, 0, 1, 1, 1, 1]> (x, w)
        s = Constant <value_ints = [0, 0, -1]> ()
        r = Reshape (x, s)
        y1 = Conv <pads = [1, 1]> (r, v)
        """,
        {"w": _draw(7, 3, 3, 2, 3), "v": _draw(10, 3, 3)},
    ),
    "planar depthwise": Case(
        _draw(2, 5, 13, 37),
        """
        a = Conv <group = 5, pads = [1, 1, 1, 1]> (x, w)
        y0 = Clip (a, low, high)
        y1 = Conv <group = 5, strides = [2, 2], pads = [2, 1, 1, 0]> (x, v)
        """,
        {"w": _draw(5, 1, 3, 3), "v": _draw(5, 1, 3, 3, seed=1), "low": np.float32(0), "high": np.float32(0.7)},
    ),
    "few bits": Case(
        _draw(9, 64),
        """
        f = DequantizeLinear <axis = 0, block_size = 32> (w, s, z)
        y0 = MatMul (x, f)
        r = Slice (x, zero, one, zero)
        g = DequantizeLinear <axis = 0, block_size = 16> (v, t)
        y1 = MatMul (r, g)
        """,
        {
            "w": _whole(np.int8, 64, 21, low=-8, high=7).astype(ml_dtypes.int4),
            "s": _draw(2, 21) ** 2,
            "z": _whole(np.int8, 2, 21, low=-8, high=7).astype(ml_dtypes.int4),
            "v": _whole(np.uint8, 64, 5, low=0, high=255),
            "t": _draw(4, 5) ** 2 / 100,
            "zero": np.array([0]),
            "one": np.array([1]),
        },
    ),
    "quantised convolution": Case(
        _whole(np.uint8, 1, 5, 9, 11, low=0, high=255),
        """
        y0 = ConvInteger <pads = [1, 1, 1, 1]> (x, w, z)
        y1 = QLinearConv (x, s, z, w, s, zw, t, z)
        """,
        {
            "w": _whole(np.int8, 7, 5, 3, 3, low=-128, high=127),
            "z": np.uint8(128),
            "s": np.float32(0.02),
            "zw": np.int8(0),
            "t": np.float32(0.9),
        },
    ),
    "reductions": Case(
        _draw(6, 21, 19),
        """
        y0 = Softmax <axis = 2> (x)
        y1 = Softmax <axis = 1> (x)
        y2 = ReduceMean <keepdims = 0> (x, last)
        y3 = ReduceSum (x, first)
        y4 = ReduceMax (x, middle)
        y5 = ArgMax <axis = 2> (x)
        y6 = LayerNormalization <axis = 2> (x, g, g)
        y7 = LogSoftmax (x)
        y8 = CumSum (x, two)
        """,
        {"last": np.array([2]), "first": np.array([0]), "middle": np.array([1]), "g": _draw(19), "two": np.int64(2)},
    ),
    "open reductions": Case(
        _draw(5, 33),
        """
        y0 = Softmax (x)
        y1 = ReduceL2 <keepdims = 1> (x, last)
        """,
        {"last": np.array([1])},
        open=True,
    ),
    "mathematics": Case(
        _draw(3, 41),
        """
        y0 = Exp (x)
        a = Abs (x)
        y1 = Log (a)
        y2 = Erf (x)
        y3 = Sin (x)
        y4 = Pow (a, x)
        y5 = Gelu (x)
        y6 = Sqrt (a)
        y7 = Floor (x)
        y8 = Mod <fmod = 1> (x, half)
        """,
        {"half": np.full(1, 0.3, np.float32)},
    ),
    "half mathematics": Case(
        _draw(3, 41, dtype=HALF),
        """
        y0 = Exp (x)
        y1 = Mul (x, x)
        y2 = Softmax (x)
        y3 = Cast <to = 1> (x)
        y4 = ReduceSum (x)
        """,
        {},
        tolerance=4e-3,
    ),
    "integers": Case(
        _whole(np.int32, 5, 27),
        """
        y0 = Div (x, d)
        y1 = Mod (x, d)
        y2 = Mul (x, x)
        a = Cast <to = 1> (x)
        y3 = Cast <to = 3> (a)
        y4 = Clip (x, low, high)
        y5 = Cast <to = 7> (x)
        y6 = ReduceSum (x)
        y7 = BitwiseXor (x, d)
        """,
        {"d": np.int32(-4), "low": np.int32(-3), "high": np.int32(5)},
    ),
    "quantisation": Case(
        _draw(4, 37),
        """
        y0 = QuantizeLinear (x, s, z)
        y1 = DequantizeLinear (y0, s, z)
        y2, y3, y4 = DynamicQuantizeLinear (x)
        """,
        {"s": np.float32(0.01), "z": np.int8(4)},
    ),
    "moving": Case(
        _draw(3, 5, 7, 11),
        """
        y0 = Transpose (x)
        y1 = Transpose <perm = [0, 2, 3, 1]> (x)
        y2 = Transpose <perm = [1, 0, 3, 2]> (x)
        y3 = Concat <axis = 1> (x, x)
        y4 = Pad (x, p)
        y5 = Gather <axis = 3> (x, i)
        y6, y7 = TopK (x, k)
        y8 = Resize (x, , s)
        """,
        {"p": np.array([0, 1, 0, 2, 0, 1, 0, 0]), "i": np.array([4, 0, -1]), "k": np.array([3]), "s": np.array([1, 1, 2, 1.5], np.float32)},
    ),
    "narrow moving": Case(
        _whole(np.int8, 6, 33),
        """
        y0 = Transpose (x)
        y1 = Add (x, x)
        y2 = Max (x, z)
        y3 = Cast <to = 10> (x)
        """,
        {"z": np.int8(0)},
    ),
    "lstm": _recurrent("LSTM", 4),
    "gru": _recurrent("GRU", 3),
    "attention": Case(
        _draw(2, 13, 24),
        """
        s = Constant <value_ints = [0, 0, 3, 8]> ()
        r = Reshape (x, s)
        q = Transpose <perm = [0, 2, 1, 3]> (r)
        k = Transpose <perm = [0, 2, 3, 1]> (r)
        a = MatMul (q, k)
        p = Softmax (a)
        y0 = MatMul (p, q)
        """,
        {},
    ),
}
