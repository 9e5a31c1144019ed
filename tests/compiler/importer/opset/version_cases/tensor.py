"""Constants, casts and tensors made from few numbers; products of matrices."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from .model import case, floats, integers, ints, scalar

# -- constants

case("Constant", "1-", "y = Constant <value = float[3] {1.0, -2.0, 0.5}> ()")
case("Constant", "1-", "y = Constant <value = int64 {7}> ()")
case("Constant", "12-", "y = Constant <value_float: float = 1.5> () z = Constant <value_ints: ints = [1, 2]> ()")
case("Constant", "12-", "y = Constant <value_int: int = 3> () z = Constant <value_floats: floats = [1.0, 2.0]> ()")
case("ConstantOfShape", "9-", "y = ConstantOfShape <value = int64[1] {3}> (shape) z = ConstantOfShape(shape)", shape=ints(2, 3))
case("EyeLike", "9-", "y = EyeLike <k = 1, dtype = 7> (x)", x=floats(3, 4))
case("Range", "11-", "y = Range(a, b, c)", a=scalar(1), b=scalar(10), c=scalar(4))
case("Range", "11-", "y = Range(a, b, c)", a=scalar(0, np.float32), b=scalar(1, np.float32), c=scalar(0.3, np.float32))
case("Range", "27", "y = Range(a, b, c)", a=scalar(0, np.float16), b=scalar(1, np.float16), c=scalar(0.3, np.float16), by="reference")

# -- casts

REAL = np.float32([-1.5, 0, 2.25, 300])
case("Cast", "1", 'y = Cast <to = "INT32"> (x)', x=REAL, want=lambda x: x.astype(np.int32))
case("Cast", "1", 'y = Cast <to = "float16"> (x)', x=REAL, want=lambda x: x.astype(np.float16))
case("Cast", "1", 'y = Cast <to = "BOOL"> (x)', x=REAL, want=lambda x: x.astype(np.bool_))
case("Cast", "6-", "y = Cast <to = 6> (x) z = Cast <to = 10> (x) w = Cast <to = 9> (x)", x=REAL)
case("Cast", "6-", "y = Cast <to = 1> (x)", x=integers(4, dtype=np.int8))
case("Cast", "13-", "y = Cast <to = 16> (x)", x=REAL, want=lambda x: x.astype(ml_dtypes.bfloat16))
# Up to operator set 23 a table in the specification turned infinities into NaN for the types without them; nobody ever did, and the
# table was corrected.
WIDE = np.float32([-1.5, 0, 500, 1e6, -np.inf, np.nan])
for number in (17, 18, 19, 20):
    case("Cast", "19-", f"y = Cast <to = {number}> (x) z = Cast <to = {number}, saturate = 0> (x)", x=WIDE, by="reference")
case("Cast", "21-", "y = Cast <to = 22> (x) z = Cast <to = 21> (w)", x=np.float32([-8, -1, 7]), w=np.float32([0, 3, 15]), by="reference")
case("Cast", "23-", "y = Cast <to = 23> (x)", x=np.float32([-6, -0.5, 0, 3]), by="reference")
case("Cast", "24-", 'y = Cast <to = 24> (x) z = Cast <to = 24, round_mode = "down"> (x)', x=np.float32([0.5, 1, 3, 100]), by="reference")
case("Cast", "25-", "y = Cast <to = 26> (x) z = Cast <to = 25> (w)", x=np.float32([-2, 1]), w=np.float32([0, 3]), by="reference")
case("CastLike", "15-", "y = CastLike(x, like)", x=REAL, like=ints(1), want=lambda x, like: x.astype(np.int64))
case("CastLike", "19-", "y = CastLike(x, like)", x=WIDE, like=np.zeros(1, ml_dtypes.float8_e4m3fn), by="reference")
case("CastLike", "19-", "y = CastLike <saturate = 0> (x, like)", x=WIDE, like=np.zeros(1, ml_dtypes.float8_e4m3fn), by="reference")
case("BitCast", "26", "y = BitCast <to = 6> (x)", x=floats(3), want=lambda x: x.view(np.int32))

# -- products of matrices

case("MatMul", "1-", "y = MatMul(a, b)", a=floats(2, 3, 4), b=floats(4, 5), want=np.matmul)
case("MatMul", "9-", "y = MatMul(a, b)", a=integers(3, 4, dtype=np.int32), b=integers(4, dtype=np.int32))
GEMM = {"a": floats(3, 2), "b": floats(4, 3)}


def gemm(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return (np.float32(0.5) * a.T @ b.T + 2 * c).astype(np.float32)


FORM = "alpha = 0.5, beta = 2.0, transA = 1, transB = 1"
case("Gemm", "1-6", f"y = Gemm <{FORM}> (a, b, c)", **GEMM, c=floats(2, 4), want=gemm)
case("Gemm", "1-6", f"y = Gemm <{FORM}, broadcast = 1> (a, b, c)", **GEMM, c=floats(4), want=gemm)
case("Gemm", "1-6", f"y = Gemm <{FORM}, broadcast = 1> (a, b, c)", **GEMM, c=scalar(0.5, np.float32), want=gemm)
case("Gemm", "7-", f"y = Gemm <{FORM}> (a, b, c)", **GEMM, c=floats(2, 1))
case(
    "Gemm",
    "9-",
    "y = Gemm(a, b, c)",
    a=integers(2, 3, dtype=np.int32),
    b=integers(3, 4, dtype=np.int32),
    c=integers(4, dtype=np.int32),
    by="reference",
)
case("Gemm", "11-", "y = Gemm <transA = 1, transB = 1> (a, b)", **GEMM)
case("Einsum", "12-", 'y = Einsum <equation = "ij,jk->ki"> (a, b)', a=floats(2, 3), b=floats(3, 4))
case("Det", "11-", "y = Det(x)", x=floats(2, 3, 3), near=1e-4)
