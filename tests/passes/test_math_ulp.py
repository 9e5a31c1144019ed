"""Every expanded math function against a reference of higher precision: its error in units in the last place, and IEEE 754's
special cases."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import erf

import ml_dtypes
import numpy as np
import pytest
from intaglio.backends.llvm.emit import emit_module
from intaglio.backends.llvm.machine import Machine
from intaglio.errors import UnsupportedError
from intaglio.passes.codegen.expand_math import EXPANSIONS, ExpandMath, expand_math
from intaglio.passes.codegen.polynomials.power import SHORT
from xdsl.context import Context
from xdsl.dialects import arith, func, math, memref, scf, vector
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    FloatAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    VectorType,
    bf16,
    f16,
    f32,
    f64,
    f80,
)
from xdsl.dialects.utils.fast_math import FastMathFlag
from xdsl.ir import Attribute, Block, Operation, Region

from .arith_interpreter import Array, run

TYPES = {np.float32: f32, np.float64: f64, np.float16: f16, ml_dtypes.bfloat16: bf16}
INF, NAN = np.inf, np.nan


@cache
def expanded(operation: type[Operation], t: Attribute, arity: int = 1, fastmath: arith.FastMathFlagsAttr | None = None) -> func.FuncOp:
    """A function that applies the operation to its arguments, expanded."""
    block = Block(arg_types=[t] * arity)
    op = operation.create(operands=block.args, result_types=[t], properties={} if fastmath is None else {"fastmath": fastmath})
    block.add_ops([op, func.ReturnOp(op.results[0])])
    function = func.FuncOp("f", ([t] * arity, [t]), Region(block))
    assert expand_math(function)
    return function


def error(got: Array, exact: Array) -> Array:
    """Units in the last place of the exact value; infinite where one side only is NaN or infinite."""
    rounded = exact.astype(got.dtype)
    regular = np.isfinite(rounded)
    unit = np.spacing(np.abs(np.where(regular, rounded, 1))).astype(exact.dtype)
    distance = np.abs(np.where(regular, got, 0).astype(exact.dtype) - np.where(regular, exact, 0)) / unit
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(regular, np.where(np.isfinite(got), distance, INF), np.where(same, 0, INF))


def anything(dtype: type, seed: int = 0, count: int = 40_000) -> Array:
    """Random bit patterns: all exponents, both signs, subnormals, infinities and NaNs."""
    unsigned = np.dtype(f"u{np.dtype(dtype).itemsize}").type
    return np.random.default_rng(seed).integers(0, np.iinfo(unsigned).max, count, dtype=unsigned, endpoint=True).view(dtype)


def between(dtype: type, low: float, high: float, seed: int = 0, count: int = 40_000) -> Array:
    return np.random.default_rng(seed).uniform(low, high, count).astype(dtype)


def check(operation: type[Operation], reference: Callable[..., Array], bound: float, *arguments: Array) -> None:
    with np.errstate(all="ignore"):
        exact = reference(*(a.astype(np.longdouble) for a in arguments))
        got = run(expanded(operation, TYPES[arguments[0].dtype.type], len(arguments)), *arguments)
        e = error(got, exact)
    worst = int(np.argmax(e))
    assert e[worst] <= bound, f"{e[worst]} ulp at {[a[worst] for a in arguments]}: {got[worst]}, exact {exact[worst]}"


@dataclass(frozen=True)
class Case:
    """A function of one argument: its reference, intervals to look at closely for f32 and f64, allowed error."""

    operation: type[Operation]
    reference: Callable[[Array], Array]
    f32: tuple[float, float]
    f64: tuple[float, float]
    bound: float


CASES = [
    Case(math.ExpOp, np.exp, (-104, 89), (-746, 710), 1.0),
    Case(math.Exp2Op, np.exp2, (-150, 128), (-1075, 1024), 1.0),
    Case(math.ExpM1Op, np.expm1, (-20, 89), (-40, 710), 2.0),
    Case(math.SinhOp, np.sinh, (-90, 90), (-711, 711), 2.5),
    Case(math.CoshOp, np.cosh, (-90, 90), (-711, 711), 2.0),
    Case(math.TanhOp, np.tanh, (-10, 10), (-20, 20), 2.5),
    Case(math.LogOp, np.log, (0, 3), (0, 3), 1.0),
    Case(math.Log2Op, np.log2, (0, 3), (0, 3), 2.0),
    Case(math.Log10Op, np.log10, (0, 3), (0, 3), 2.0),
    Case(math.Log1pOp, np.log1p, (-1, 3), (-1, 3), 1.0),
    Case(math.AsinhOp, np.arcsinh, (-4, 4), (-4, 4), 2.5),
    Case(math.AcoshOp, np.arccosh, (1, 4), (1, 4), 2.5),
    Case(math.AtanhOp, np.arctanh, (-1, 1), (-1, 1), 2.5),
    Case(math.AsinOp, np.arcsin, (-1, 1), (-1, 1), 2.5),
    Case(math.AcosOp, np.arccos, (-1, 1), (-1, 1), 2.0),
    Case(math.AtanOp, np.arctan, (-9, 9), (-9, 9), 2.5),
    Case(math.CbrtOp, np.cbrt, (-9, 9), (-9, 9), 1.0),
    Case(math.RsqrtOp, lambda x: 1 / np.sqrt(x), (0, 9), (0, 9), 1.6),
]
FLOATS = [np.float32, np.float64]


def name(value: object) -> str:
    return value.operation.name if isinstance(value, Case) else getattr(value, "__name__", str(value))


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
def test_exponential_of_negative_numbers(dtype: type) -> None:
    """Right relative to itself near 0, relative to 1 far below, and 0 below the normal numbers."""
    function = expanded(math.ExpOp, TYPES[dtype], 1, arith.FastMathFlagsAttr([FastMathFlag.APPROX_FUNC]))
    x = np.concatenate([between(dtype, -30, 0), between(dtype, -760, 0, seed=1), np.array([0, -0.0, -INF, NAN], dtype)])
    got, exact = run(function, x), np.exp(x.astype(np.longdouble))
    unit = np.finfo(dtype).eps
    assert np.all((np.abs(got - exact) <= unit * exact + unit / 16 * exact**0.5)[:-1])
    assert got[-4] == got[-3] == 1 and got[-2] == 0 and np.isnan(got[-1])
    assert np.all(got[exact < np.finfo(dtype).tiny / 2] == 0)


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
def test_exponential_for_sums_with_one(dtype: type) -> None:
    """Right to a unit beside 1, relative to itself off by little more; 0 and infinite beyond the normal numbers."""
    flags = arith.FastMathFlagsAttr([FastMathFlag.NO_INFS, FastMathFlag.APPROX_FUNC])
    function = expanded(math.ExpOp, TYPES[dtype], 1, flags)
    far, special = (87 if dtype is np.float32 else 708), np.array([0, -0.0, NAN, -INF, INF], dtype)
    x = np.concatenate([between(dtype, -20, 20), between(dtype, -far, far, seed=1)])
    got, exact = run(function, x), np.exp(x.astype(np.longdouble))
    assert np.all(np.abs(got - exact) <= np.finfo(dtype).eps * (1.5 + np.abs(x) / 6) * exact)
    assert np.array_equal(run(function, special), [1, 1, NAN, 0, INF], equal_nan=True)
    low, high = between(dtype, -far - 3, -far), between(dtype, far, far + 3)
    assert np.all(run(function, low) <= np.exp(low.astype(np.longdouble)) * 1.01)
    assert np.all(run(function, high) >= np.minimum(np.exp(high.astype(np.longdouble)), np.finfo(dtype).max) * 0.99)


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
@pytest.mark.parametrize("case", CASES, ids=name)
def test_one_argument(case: Case, dtype: type) -> None:
    low, high = case.f32 if dtype is np.float32 else case.f64
    for x in anything(dtype), between(dtype, low, high), between(dtype, max(low, -1.2), min(high, 1.2)):
        check(case.operation, case.reference, case.bound, x)


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
@pytest.mark.parametrize("case", CASES, ids=name)
def test_special_values(case: Case, dtype: type) -> None:
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    x = np.array([0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, tiny, -tiny, np.finfo(dtype).tiny, huge, -huge], dtype)
    with np.errstate(all="ignore"):
        got, exact = run(expanded(case.operation, TYPES[dtype]), x), case.reference(x.astype(np.longdouble))
        assert np.all(error(got, exact) <= case.bound), (x, got, exact)
    signed = ~np.isnan(exact)
    assert np.array_equal(np.signbit(got[signed]), np.signbit(exact[signed])), (x, got, exact)


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
@pytest.mark.parametrize(
    "operation, reference, bound",
    [(math.SinOp, np.sin, 1.6), (math.CosOp, np.cos, 1.6), (math.TanOp, np.tan, 3.5)],
    ids=name,
)
class TestCircle:
    def test_reach(self, operation: type[Operation], reference: Callable[[Array], Array], bound: float, dtype: type) -> None:
        x = anything(dtype)
        small = x[np.abs(x) < (2.0**22 if dtype is np.float32 else 2.0**30)]
        near = (np.arange(1, 20_000) * (np.pi / 2)).astype(dtype)  # where the remainder cancels most
        for x in small, near, between(dtype, -1e5, 1e5), between(dtype, -4e6, 4e6), between(dtype, -7, 7):
            check(operation, reference, bound, x)

    def test_beyond(self, operation: type[Operation], reference: Callable[[Array], Array], bound: float, dtype: type) -> None:
        x = anything(dtype)
        got = run(expanded(operation, TYPES[dtype]), x)
        assert np.array_equal(np.isnan(got), ~np.isfinite(x))
        if operation is not math.TanOp:
            assert np.all(np.abs(got[np.isfinite(x)]) <= 1)

    def test_zero(self, operation: type[Operation], reference: Callable[[Array], Array], bound: float, dtype: type) -> None:
        x = np.array([0.0, -0.0], dtype)
        got = run(expanded(operation, TYPES[dtype]), x)
        assert np.array_equal(got, reference(x)) and np.array_equal(np.signbit(got), np.signbit(reference(x)))


def test_sine_of_large_doubles() -> None:
    """Where the long double's pi has too few digits for a reference: the C library reduces exactly."""
    x = np.concatenate([2.0 ** np.arange(30, 51), between(np.float64, 1e10, 1e15)])
    assert np.max(error(run(expanded(math.SinOp, f64), x), np.sin(x).astype(np.longdouble))) <= 2.5


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
def test_erf(dtype: type) -> None:
    x = np.concatenate([between(dtype, -6.2, 6.2), between(dtype, -1, 1), anything(dtype)])
    exact = np.array([erf(float(v)) for v in x], np.longdouble)
    got = run(expanded(math.ErfOp, TYPES[dtype]), x)
    # The C library's double is the reference: for f64 its own error adds.
    assert np.max(error(got, exact)) <= 3.0
    edge = run(expanded(math.ErfOp, TYPES[dtype]), np.array([0.0, -0.0, INF, -INF, NAN], dtype))
    assert np.array_equal(edge, [0, 0, 1, -1, NAN], equal_nan=True) and np.signbit(edge[1])


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
class TestTwoArguments:
    specials = (0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 2.5, -2.5, 1e-40, -1e-40, 1e30, -1e30, 16777217, INF, -INF, NAN)

    def pairs(self, dtype: type) -> list[Array]:
        return [v.ravel().astype(dtype) for v in np.meshgrid(self.specials, self.specials)]

    def test_powf(self, dtype: type) -> None:
        rng = np.random.default_rng(1)
        reach = 87 if dtype is np.float32 else 700
        x = np.exp(rng.uniform(-reach, reach, 40_000)).astype(dtype)
        check(math.PowFOp, np.power, 1.0, x, (rng.uniform(-reach, reach, x.size) / np.log(x)).astype(dtype))
        x = rng.uniform(0.9, 1.1, 40_000).astype(dtype)
        x = x[np.abs(x - 1) > 1e-5]
        check(math.PowFOp, np.power, 1.0, x, (rng.uniform(-reach, reach, x.size) / np.log(x)).astype(dtype))
        check(math.PowFOp, np.power, 1.0, between(dtype, -10, 10), rng.integers(-40, 40, 40_000).astype(dtype))
        check(math.PowFOp, np.power, 1.0, anything(dtype, 2), anything(dtype, 3))

    @pytest.mark.parametrize("exponent", SHORT)
    def test_short_powers(self, exponent: float, dtype: type) -> None:
        x = np.concatenate([anything(dtype), np.array([0.0, -0.0, INF, -INF, NAN, -1], dtype)])
        block = Block(arg_types=[TYPES[dtype]])
        y = arith.ConstantOp(FloatAttr(exponent, TYPES[dtype]))
        op = math.PowFOp(block.args[0], y)
        block.add_ops([y, op, func.ReturnOp(op)])
        function = func.FuncOp("f", ([TYPES[dtype]], [TYPES[dtype]]), Region(block))
        assert expand_math(function) and len(block.ops) < 12
        with np.errstate(all="ignore"):
            got, exact = run(function, x), np.power(x.astype(np.longdouble), exponent)
            assert np.max(error(got, exact)) <= 2.0
        signed = ~np.isnan(exact)
        assert np.array_equal(np.signbit(got[signed]), np.signbit(exact[signed]))

    @pytest.mark.parametrize("operation, reference", [(math.PowFOp, np.power), (math.Atan2Op, np.arctan2)], ids=name)
    def test_specials(self, operation: type[Operation], reference: Callable[..., Array], dtype: type) -> None:
        x, y = self.pairs(dtype)
        check(operation, reference, 2.5, x, y)
        with np.errstate(all="ignore"):
            got, exact = run(expanded(operation, TYPES[dtype], 2), x, y), reference(x, y)
        signed = ~np.isnan(exact)
        assert np.array_equal(np.signbit(got[signed]), np.signbit(exact[signed]))

    def test_atan2(self, dtype: type) -> None:
        rng = np.random.default_rng(4)
        check(math.Atan2Op, np.arctan2, 2.5, *rng.normal(size=(2, 40_000)).astype(dtype))
        check(math.Atan2Op, np.arctan2, 2.5, anything(dtype, 5), anything(dtype, 6))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=name)
def test_short_floats_compute_in_f32(dtype: type) -> None:
    x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    with np.errstate(all="ignore"):
        got = run(expanded(math.TanhOp, TYPES[dtype]), x)
        exact = np.tanh(x.astype(np.float64)).astype(dtype)
    distance = np.abs(got.view(np.int16).astype(int) - exact.view(np.int16).astype(int))
    assert np.all((distance <= 1) | np.isnan(exact)) and np.array_equal(np.isnan(got), np.isnan(exact))


@pytest.mark.parametrize("t", [f32, f64, f16, bf16, VectorType(f32, [16]), VectorType(f64, [8]), VectorType(bf16, [16])], ids=str)
@pytest.mark.parametrize("operation", EXPANSIONS, ids=name)
def test_nothing_of_math_is_left(operation: type[Operation], t: Attribute) -> None:
    native = (math.FmaOp, math.SqrtOp, math.AbsFOp, math.RoundEvenOp, math.CopySignOp)
    function = expanded(operation, t, 2 if operation in (math.PowFOp, math.Atan2Op) else 1)
    for op in function.body.block.ops:
        assert not op.name.startswith("math.") or isinstance(op, native)
    if not isinstance(t, VectorType):  # xDSL's verifier knows no comparison of vectors
        function.verify()


def test_constants_are_shared() -> None:
    block = Block(arg_types=[f32])
    first = math.ExpOp(block.args[0])
    second = math.ExpOp(first)
    block.add_ops([first, second, func.ReturnOp(second)])
    module = ModuleOp([func.FuncOp("f", ([f32], [f32]), Region(block))])
    ExpandMath().apply(Context(), module)
    module.verify()
    made = [op.properties["value"] for op in block.ops if isinstance(op, arith.ConstantOp)]
    assert len(made) == len(set(made))
    function = next(op for op in module.ops if isinstance(op, func.FuncOp))
    assert np.isclose(run(function, np.array([0.5], np.float32)), np.exp(np.exp(0.5)))


def test_a_module_without_math_is_left_alone() -> None:
    block = Block(arg_types=[f32])
    block.add_ops([func.ReturnOp(block.args[0])])
    assert not expand_math(func.FuncOp("f", ([f32], [f32]), Region(block)))


def test_another_type_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="f80"):
        expanded(math.ExpOp, f80)


def over_a_buffer(operation: type[Operation], lanes: int) -> func.FuncOp:
    """A loop that applies the operation to the f32 of one buffer, a vector of `lanes` at a time, into another; 0 for scalars."""
    buffer, t = MemRefType(f32, [DYNAMIC_INDEX]), VectorType(f32, [lanes]) if lanes else f32
    block, body = Block(arg_types=[buffer, buffer, IndexType()]), Block(arg_types=[IndexType()])
    x, y, end = block.args
    here = [body.args[0]]
    load = vector.LoadOp(x, here, t) if isinstance(t, VectorType) else memref.LoadOp.get(x, here)
    op = operation.create(operands=[load.results[0]], result_types=[t])
    result = op.results[0]
    store = vector.StoreOp(result, y, here) if lanes else memref.StoreOp.get(result, y, here)
    body.add_ops([load, op, store, scf.YieldOp()])
    start, step = (arith.ConstantOp(IntegerAttr(n, IndexType())) for n in (0, lanes or 1))
    block.add_ops([start, step, scf.ForOp(start, end, step, [], Region(body)), func.ReturnOp()])
    return func.FuncOp("f", ([buffer, buffer, IndexType()], []), Region(block))


@pytest.mark.parametrize("lanes", [0, 16])
@pytest.mark.parametrize("operation", [math.ExpOp, math.TanhOp, math.ErfOp, math.LogOp, math.SinOp, math.CbrtOp], ids=name)
def test_machine_code_computes_the_same_bits(operation: type[Operation], lanes: int) -> None:
    machine = Machine()
    function = over_a_buffer(operation, lanes)
    expand_math(function)
    library = machine.load([machine.compile(emit_module([function], target=machine.attributes))])
    x = anything(np.float32, count=4096)
    y = np.empty_like(x)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(library.address("f"))
    call(x.ctypes.data, y.ctypes.data, x.size)
    assert np.array_equal(y, run(expanded(operation, f32), x), equal_nan=True)
