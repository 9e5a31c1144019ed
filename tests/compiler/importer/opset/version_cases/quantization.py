"""Quantisation: per tensor, then per axis, then per block; products of quantised matrices."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from .model import case, floats, integers, scalar

X = floats(3, 4) * 10
ONE = {"s": scalar(0.5, np.float32), "z": scalar(7, np.uint8)}
EACH = {"s": np.float32([0.5, 0.25, 1, 2]), "z": np.int8([0, 1, -2, 3])}

case("QuantizeLinear", "10-", "y = QuantizeLinear(x, s, z) w = QuantizeLinear(x, s)", x=X, **ONE)
case(
    "QuantizeLinear", "10-", "y = QuantizeLinear(x, s, z)", x=np.float32([-1.25, -0.75, 0.25, 0.75, 1e9]), s=ONE["s"], z=scalar(-3, np.int8)
)
case("QuantizeLinear", "13-", "y = QuantizeLinear(x, s, z)", x=X, **EACH)
case("QuantizeLinear", "13-", "y = QuantizeLinear <axis = -2> (x, s, z)", x=X.T.copy(), **EACH)
FLOAT8 = np.zeros((), ml_dtypes.float8_e4m3fn)
case("QuantizeLinear", "19-", "y = QuantizeLinear(x, s, z)", x=X, s=ONE["s"], z=FLOAT8, by="reference")
case("QuantizeLinear", "19-", "y = QuantizeLinear <saturate = 0> (x, s, z)", x=X * 100, s=ONE["s"], z=FLOAT8, by="reference")
case(
    "QuantizeLinear",
    "21-",
    "y = QuantizeLinear <axis = 1, block_size = 2, output_dtype = 3> (x, s)",
    x=X,
    s=np.float32([[1, 2], [0.5, 1], [2, 3]]),
)
case(
    "QuantizeLinear", "23-", "y = QuantizeLinear <precision = 1> (x, s)", x=X.astype(np.float16), s=scalar(0.5, np.float16), by="reference"
)
case("QuantizeLinear", "25-", "y = QuantizeLinear(x, s, z)", x=X, s=ONE["s"], z=np.zeros((), ml_dtypes.int2), by="reference")

Q = integers(3, 4, low=0, high=255, dtype=np.uint8)
case("DequantizeLinear", "10-", "y = DequantizeLinear(x, s, z) w = DequantizeLinear(x, s)", x=Q, **ONE)
case("DequantizeLinear", "10-", "y = DequantizeLinear(x, s)", x=integers(4, dtype=np.int32), s=ONE["s"])
case("DequantizeLinear", "13-", "y = DequantizeLinear(x, s, z)", x=Q.astype(np.int8), **EACH)
case("DequantizeLinear", "13-19", "y = DequantizeLinear(x, s)", x=Q[0], s=np.float32([0.5]), want=lambda x, s: x * s)
case("DequantizeLinear", "19-", "y = DequantizeLinear(x, s)", x=X.astype(ml_dtypes.float8_e5m2), s=ONE["s"], by="reference")
case("DequantizeLinear", "21-", "y = DequantizeLinear <axis = 1, block_size = 2> (x, s)", x=Q, s=np.float32([[1, 2], [0.5, 1], [2, 3]]))
case("DequantizeLinear", "23-", "y = DequantizeLinear <output_dtype = 10> (x, s)", x=Q, s=ONE["s"], by="reference")
case("DequantizeLinear", "25-", "y = DequantizeLinear(x, s)", x=np.array([1, -2], ml_dtypes.int2), s=ONE["s"], by="reference")
case("DynamicQuantizeLinear", "11", "y, s, z = DynamicQuantizeLinear(x)", x=X)

LEFT = {"a": integers(2, 3, low=0, high=9, dtype=np.uint8), "za": scalar(2, np.uint8)}
RIGHT = {"b": integers(3, 4, low=0, high=9, dtype=np.uint8), "zb": scalar(3, np.uint8)}
case("MatMulInteger", "10", "y = MatMulInteger(a, b, za, zb)", **LEFT, **RIGHT)
SCALED = {"sa": scalar(0.5, np.float32), "sb": scalar(0.25, np.float32), "s": scalar(0.75, np.float32), "z": scalar(9, np.uint8)}
case("QLinearMatMul", "10-", "y = QLinearMatMul(a, sa, za, b, sb, zb, s, z)", **LEFT, **RIGHT, **SCALED)
IMAGES = {"x": integers(1, 2, 4, 4, low=0, high=9, dtype=np.uint8), "w": integers(2, 2, 2, 2, low=0, high=9, dtype=np.uint8)}
SHIFTS = {"za": LEFT["za"], "zb": RIGHT["zb"], "bias": np.int32([5, -5])}
case("QLinearConv", "10", "y = QLinearConv(x, sa, za, w, sb, zb, s, z, bias)", **IMAGES, **SHIFTS, **SCALED)
