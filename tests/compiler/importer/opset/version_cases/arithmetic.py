"""Arithmetic by element: one operand, two with broadcasting new and old, and many."""

from __future__ import annotations

import numpy as np

from .model import case, floats, integers, positive, scalar

A, B = floats(2, 3, 4), positive(2, 3, 4)

# -- one operand

case("Abs", "1", "y = Abs <consumed_inputs = [0]> (x)", x=A, want=np.abs)
case("Ceil", "1", "y = Ceil <consumed_inputs = [0]> (x)", x=A, want=np.ceil)
case("Floor", "1", "y = Floor <consumed_inputs = [0]> (x)", x=A, want=np.floor)
case("Exp", "1", "y = Exp <consumed_inputs = [0]> (x)", x=A, want=np.exp)
case("Log", "1", "y = Log <consumed_inputs = [0]> (x)", x=B, want=np.log)
case("Neg", "1", "y = Neg <consumed_inputs = [0]> (x)", x=A, want=np.negative)
case("Reciprocal", "1", "y = Reciprocal <consumed_inputs = [0]> (x)", x=B, want=np.reciprocal)
case("Sqrt", "1", "y = Sqrt <consumed_inputs = [0]> (x)", x=B, want=np.sqrt)
case("Abs Ceil Floor Exp Neg", "6-", "y = {op}(x)", x=A)
case("Log Reciprocal Sqrt", "6-", "y = {op}(x)", x=B)
case("Abs Neg", "6-", "y = {op}(x)", x=integers(5, dtype=np.int32))
case("Sin Cos Atan", "7-", "y = {op}(x)", x=A)
case("Tan Asin Acos", "7-", "y = {op}(x)", x=np.float32([-1, -0.5, 0, 0.25, 1]))
case("Sinh Cosh Asinh Erf Sign", "9-", "y = {op}(x)", x=A)
case("Erf", "9", "y = Erf(x)", x=np.int32([-9, -1, 0, 1, 9]), want=lambda x: np.int32([-1, 0, 0, 0, 1]))
case("Atanh", "9-", "y = Atanh(x)", x=np.float32([-0.9, -0.5, 0, 0.25]))
case("Acosh", "9-", "y = Acosh(x)", x=np.float32([1, 1.5, 20]))
case("Round", "11-", "y = Round(x)", x=np.float32([-2.5, -1.5, -0.4, 0.5, 1.5, 2.6]))
case("IsNaN", "9-", "y = IsNaN(x)", x=np.float32([np.nan, 1, np.inf]))
case("IsInf", "10-", "y = IsInf <detect_negative = 0> (x)", x=np.float32([np.nan, -np.inf, np.inf]))
case("Not", "1", "y = Not(x)", x=np.array([True, False]))
case("BitwiseNot", "18", "y = BitwiseNot(x)", x=integers(6))

# -- two operands

COMPUTED = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
for name, compute in COMPUTED.items():
    case(name, "1", f"y = {name} <consumed_inputs = [0, 0]> (a, b)", a=A, b=B, want=lambda a, b, f=compute: f(a, b))
case("Add Sub Mul Div Pow", "6-", "y = {op}(a, b)", a=B, b=B, by="reference")
case("Pow", "1", "y = Pow(a, b)", a=B, b=A, want=np.power)
case("Mod", "10-", "y = Mod(a, b)", a=integers(3, 4), b=integers(4, low=1))
case("Mod", "10-", "y = Mod <fmod = 1> (a, b)", a=A, b=B)
case("BitShift", "11-", 'y = BitShift <direction = "RIGHT"> (a, b)', a=np.uint8([255, 16, 3]), b=np.uint8([1, 2, 0]))
case("BitwiseAnd BitwiseOr BitwiseXor", "18", "y = {op}(a, b)", a=integers(3, 4), b=integers(4))

# Up to operator set 6 only the second operand was broadcast, on request, its first dimension at `axis` of the first operand.
COMPUTED = {**COMPUTED, "Pow": np.power}
for name, compute in COMPUTED.items():
    case(name, "1-6", f"y = {name} <broadcast = 1> (a, b)", a=B, b=positive(4), want=lambda a, b, f=compute: f(a, b))
    case(name, "1-6", f"y = {name} <broadcast = 1, axis = 1> (a, b)", a=B, b=positive(3), want=lambda a, b, f=compute: f(a, b[:, None]))
    case(name, "7-", f"y = {name}(a, b)", a=positive(2, 1, 4), b=positive(3, 1))
for name, b in (("Add", positive(1, 1)), ("Mul", scalar(1.5, np.float32))):
    case(name, "1-6", f"y = {name} <broadcast = 1> (a, b)", a=B, b=b, want=lambda a, b, f=COMPUTED[name]: f(a, b))
case("Sub", "1-6", "y = Sub <broadcast = 1, axis = 0> (a, b)", a=B, b=positive(2), want=lambda a, b: a - b[:, None, None])
case("Div", "1-6", "y = Div <broadcast = 1, axis = -3> (a, b)", a=B, b=positive(2, 3), want=lambda a, b: a / b[..., None])
case("Add", "7-", "y = Add(a, b)", a=positive(4), b=positive(2, 3, 4))

# -- many

OF_MANY = {"Max": np.maximum, "Min": np.minimum, "Sum": np.add, "Mean": lambda a, b: (a + b) / 2}
for name, compute in OF_MANY.items():
    case(name, "1", f"y = {name} <consumed_inputs = [0, 0]> (a, b)", a=A, b=B, want=lambda a, b, f=compute: f(a, b))
case("Max Min Mean Sum", "6-", "y = {op}(a, b, c)", a=A, b=B, c=floats(2, 3, 4))
case("Max Min Mean Sum", "6-", "y = {op}(a)", a=A)
case("Max Min Mean Sum", "8-", "y = {op}(a, b, c)", a=floats(2, 1, 4), b=floats(3, 1), c=scalar(0.5, np.float32))
case("Max Min", "12-", "y = {op}(a, b)", a=integers(4), b=integers(4))

# -- bounds

case(
    "Clip",
    "1",
    "y = Clip <min = -0.5, max = 0.25, consumed_inputs = [0]> (x)",
    x=A,
    want=lambda x: np.clip(x, np.float32(-0.5), np.float32(0.25)),
)
case("Clip", "1", "y = Clip <max = 0.25> (x)", x=np.float32([-np.inf, 0, np.inf]), want=lambda x: np.float32([-np.inf, 0, 0.25]))
LARGEST = np.finfo(np.float32).max
case("Clip", "6", "y = Clip <min = -0.5, max = 0.25> (x)", x=A)
case("Clip", "6", "y = Clip(x)", x=np.float32([-np.inf, 0, np.inf]), want=lambda x: np.float32([-LARGEST, 0, LARGEST]))
case("Clip", "6", "y = Clip <min = 0.0> (x)", x=np.float64([-1, 1e300]), want=lambda x: np.float64([0, LARGEST]))
case("Clip", "6", "y = Clip <max = 1.0> (x)", x=np.float16([-np.inf, 2]), want=lambda x: np.float16([-np.inf, 1]))
case("Clip", "11-", "y = Clip(x, low, high)", x=A, low=scalar(-0.5, np.float32), high=scalar(0.25, np.float32))
case("Clip", "11-", "y = Clip(x, , high)", x=A, high=scalar(0.25, np.float32))
case("Clip", "12-", "y = Clip(x, low)", x=integers(5), low=scalar(0))
