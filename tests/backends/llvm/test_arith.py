"""Every arith and math operation, as a scalar and in vectors of 16, against numpy."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from intaglio.backends.llvm import Machine

COUNT = 256
LANES = 16

KERNEL = """
func.func @k({arguments}, %begin : index, %end : index) attributes {{noalias}} {{
  %step = arith.constant {step} : index
  scf.for %i = %begin to %end step %step {{
    {loads}
    {results} = "{name}"({operands}) <{{{properties}}}> : ({types}) -> ({result_types})
    {stores}
  }}
  func.return
}}
"""


def kernel(name: str, inputs: list[str], outputs: list[str], properties: str, vectors: bool) -> str:
    def typed(t: str) -> str:
        return f"vector<{LANES}x{t}>" if vectors else t

    dialect = "vector" if vectors else "memref"
    arguments = [f"%p{i} : memref<?x{t}>" for i, t in enumerate(inputs)] + [f"%q{i} : memref<?x{t}>" for i, t in enumerate(outputs)]
    suffix = [f" : memref<?x{t}>" + (f", {typed(t)}" if vectors else "") for t in (*inputs, *outputs)]
    return KERNEL.format(
        arguments=", ".join(arguments),
        step=LANES if vectors else 1,
        loads="\n    ".join(f"%x{i} = {dialect}.load %p{i}[%i]{suffix[i]}" for i in range(len(inputs))),
        results=", ".join(f"%y{i}" for i in range(len(outputs))),
        name=name,
        operands=", ".join(f"%x{i}" for i in range(len(inputs))),
        properties=properties,
        types=", ".join(map(typed, inputs)),
        result_types=", ".join(map(typed, outputs)),
        stores="\n    ".join(f"{dialect}.store %y{i}, %q{i}[%i]{suffix[len(inputs) + i]}" for i in range(len(outputs))),
    )


def samples(t: str, numpy_type, seed: int, kind: str = "") -> np.ndarray:
    rng = np.random.default_rng(seed)
    dtype = numpy_type(t)
    if t == "i1":
        return rng.integers(0, 2, COUNT).astype(bool)
    if t[0] != "f" and t != "bf16":
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, COUNT, dtype=dtype, endpoint=True)
        if kind == "divisor":
            values[values == 0] = 7
            values[values == -1] = 3
        if kind == "shift":
            values = values % (info.bits // 2)
        return np.abs(values) if kind == "shift" else values
    values = rng.normal(0, 8, COUNT)
    if kind == "positive":
        values = np.abs(values)
    if kind not in ("small", "positive"):
        values[:8] = [0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, -2.5, 1.5]
    return values.astype(dtype)


def check(compile_kernel, numpy_type, name, inputs, outputs, expected, *, properties="", kinds=(), rtol=0.0, machine=None) -> None:
    arrays = [samples(t, numpy_type, 11 + i, kinds[i] if i < len(kinds) else "") for i, t in enumerate(inputs)]
    with np.errstate(all="ignore"):
        want = expected(*arrays)
    want = want if isinstance(want, tuple) else (want,)
    for vectors in (False, True):
        got = [np.zeros(COUNT, numpy_type(t)) for t in outputs]
        compile_kernel(kernel(name, list(inputs), list(outputs), properties, vectors), machine)([*arrays, *got], end=COUNT)
        for g, w in zip(got, want, strict=True):
            if g.dtype.kind in "biu":
                np.testing.assert_array_equal(g, np.asarray(w).astype(g.dtype), f"{name} vectors={vectors}")
            else:
                np.testing.assert_allclose(g.astype(np.float64), np.asarray(w).astype(np.float64), rtol=rtol, err_msg=name)


def unsigned(function):
    def wrapped(*arrays):
        result = function(*[a.view(f"u{a.itemsize}") if a.dtype.kind == "i" else a for a in arrays])
        return result

    return wrapped


def floor_divide(a, b):
    return a // b


def ceil_divide(a, b):
    return -(-(a.astype(object)) // b.astype(object))


def truncated_divide(a, b):
    return np.array([int(abs(x) // abs(y)) * (1 if (x < 0) == (y < 0) else -1) for x, y in zip(a.tolist(), b.tolist(), strict=True)])


def truncated_remainder(a, b):
    return a - truncated_divide(a, b) * b


INTEGER_OPS = {
    "arith.addi": (np.add, ()),
    "arith.subi": (np.subtract, ()),
    "arith.muli": (np.multiply, ()),
    "arith.divsi": (truncated_divide, ("", "divisor")),
    "arith.remsi": (truncated_remainder, ("", "divisor")),
    "arith.divui": (unsigned(np.floor_divide), ("", "divisor")),
    "arith.remui": (unsigned(np.remainder), ("", "divisor")),
    "arith.floordivsi": (floor_divide, ("", "divisor")),
    "arith.ceildivsi": (ceil_divide, ("", "divisor")),
    "arith.ceildivui": (unsigned(lambda a, b: a // b + (a % b != 0)), ("", "divisor")),
    "arith.andi": (np.bitwise_and, ()),
    "arith.ori": (np.bitwise_or, ()),
    "arith.xori": (np.bitwise_xor, ()),
    "arith.shli": (np.left_shift, ("", "shift")),
    "arith.shrsi": (np.right_shift, ("", "shift")),
    "arith.shrui": (unsigned(np.right_shift), ("", "shift")),
    "arith.minsi": (np.minimum, ()),
    "arith.maxsi": (np.maximum, ()),
    "arith.minui": (unsigned(np.minimum), ()),
    "arith.maxui": (unsigned(np.maximum), ()),
}


@pytest.mark.parametrize("t", ["i8", "i16", "i32", "i64"])
@pytest.mark.parametrize("name", INTEGER_OPS)
def test_integer_binary(name, t, compile_kernel, numpy_type):
    function, kinds = INTEGER_OPS[name]

    def wrapped(a, b):
        return np.asarray(function(a, b)).astype(f"u{a.itemsize}").view(a.dtype) if "ui" in name else function(a, b)

    check(compile_kernel, numpy_type, name, [t, t], [t], wrapped, kinds=kinds)


def bits(function):
    return lambda a: np.array([function(int(x) & (1 << a.itemsize * 8) - 1, a.itemsize * 8) for x in a])


INTEGER_UNARY = {
    "math.absi": np.abs,
    "math.ctpop": bits(lambda x, _: x.bit_count()),
    "math.ctlz": bits(lambda x, n: n - x.bit_length()),
    "math.cttz": bits(lambda x, n: (x & -x).bit_length() - 1 if x else n),
}


@pytest.mark.parametrize("t", ["i8", "i32", "i64"])
@pytest.mark.parametrize("name", INTEGER_UNARY)
def test_integer_unary(name, t, compile_kernel, numpy_type):
    check(compile_kernel, numpy_type, name, [t], [t], INTEGER_UNARY[name])


FLOAT_OPS = {
    "arith.addf": np.add,
    "arith.subf": np.subtract,
    "arith.mulf": np.multiply,
    "arith.divf": np.divide,
    "arith.maximumf": np.maximum,
    "arith.minimumf": np.minimum,
    "arith.maxnumf": np.fmax,
    "arith.minnumf": np.fmin,
    "math.copysign": np.copysign,
    "arith.negf": np.negative,
    "math.absf": np.abs,
    "math.floor": np.floor,
    "math.ceil": np.ceil,
    "math.trunc": np.trunc,
    "math.roundeven": np.rint,
    "math.round": lambda x: np.trunc(x.astype(np.float64) + np.copysign(0.5, x.astype(np.float64))),
}


@pytest.mark.parametrize("t", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("name", FLOAT_OPS)
def test_float(name, t, compile_kernel, numpy_type):
    function = FLOAT_OPS[name]
    arity = 2 if name in list(FLOAT_OPS)[:9] else 1
    check(compile_kernel, numpy_type, name, [t] * arity, [t], function)


@pytest.mark.parametrize("t", ["f16", "bf16", "f32", "f64"])
def test_sqrt(t, compile_kernel, numpy_type):
    check(compile_kernel, numpy_type, "math.sqrt", [t], [t], np.sqrt, kinds=("positive",))


@pytest.mark.parametrize(("t", "rtol"), [("f16", 1e-3), ("bf16", 8e-3), ("f32", 1e-6), ("f64", 1e-14)])
def test_fma(t, rtol, compile_kernel, numpy_type):
    def fma(a, b, c):
        return a.astype(np.longdouble) * b.astype(np.longdouble) + c.astype(np.longdouble)

    check(compile_kernel, numpy_type, "math.fma", [t] * 3, [t], fma, kinds=("positive",) * 3, rtol=rtol)


INTEGER_PREDICATES = [np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal]


@pytest.mark.parametrize("t", ["i8", "i32", "i64"])
@pytest.mark.parametrize("predicate", range(10))
def test_cmpi(predicate, t, compile_kernel, numpy_type):
    function = INTEGER_PREDICATES[predicate] if predicate < 6 else unsigned(INTEGER_PREDICATES[predicate - 4])
    check(compile_kernel, numpy_type, "arith.cmpi", [t, t], ["i1"], function, properties=f"predicate = {predicate} : i64")


def ordered(function):
    return lambda a, b: function(a, b) & ~(np.isnan(a) | np.isnan(b))


def unordered(function):
    return lambda a, b: function(a, b) | np.isnan(a) | np.isnan(b)


FLOAT_RELATIONS = [np.equal, np.greater, np.greater_equal, np.less, np.less_equal, np.not_equal]
FLOAT_PREDICATES = [
    lambda a, b: np.zeros(a.shape, bool),
    *map(ordered, FLOAT_RELATIONS),
    lambda a, b: ~(np.isnan(a) | np.isnan(b)),
    *map(unordered, FLOAT_RELATIONS),
    lambda a, b: np.isnan(a) | np.isnan(b),
    lambda a, b: np.ones(a.shape, bool),
]


@pytest.mark.parametrize("t", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("predicate", range(16))
def test_cmpf(predicate, t, compile_kernel, numpy_type):
    function = FLOAT_PREDICATES[predicate]
    check(compile_kernel, numpy_type, "arith.cmpf", [t, t], ["i1"], function, properties=f"predicate = {predicate} : i64")


@pytest.mark.parametrize("t", ["i1", "i8", "i64", "f16", "bf16", "f32"])
def test_select(t, compile_kernel, numpy_type):
    check(compile_kernel, numpy_type, "arith.select", ["i1", t, t], [t], np.where)


@pytest.mark.parametrize("t", ["f16", "bf16"])
@pytest.mark.parametrize("cpu", ["host", "x86-64-v3", "x86-64"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_short_floats_are_selected_without_a_call(level, cpu, t, compile_kernel, numpy_type):
    """Unless it optimises, LLVM selects them as floats, and rounds back with a function of compiler-rt."""
    machine = Machine(cpu=cpu, level=level)
    check(compile_kernel, numpy_type, "arith.select", ["i1", t, t], [t], np.where, machine=machine)
    check(compile_kernel, numpy_type, "arith.negf", [t], [t], np.negative, machine=machine)


FLOATS = ["f16", "bf16", "f32", "f64"]
WIDTH = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("target", FLOATS)
@pytest.mark.parametrize("cpu", ["host", "x86-64-v3", "x86-64"])
def test_float_conversion(source, target, cpu, compile_kernel, numpy_type):
    if WIDTH[source] == WIDTH[target]:
        return
    name = "arith.extf" if WIDTH[source] < WIDTH[target] else "arith.truncf"
    machine = Machine(cpu=cpu, level=2)
    check(compile_kernel, numpy_type, name, [source], [target], lambda x: x.astype(numpy_type(target)), machine=machine)


@pytest.mark.parametrize("target", [np.float16, ml_dtypes.bfloat16])
def test_double_rounds_once(target, compile_kernel, numpy_type):
    """Values just beside a tie of the short type, which float would round onto the tie."""
    short = np.linspace(1, 1.9, COUNT).astype(target).astype(np.float64)
    ulp = np.float64(np.spacing(np.float32(1)))
    half = float(ml_dtypes.finfo(target).eps) / 2
    values = short + half + np.where(np.arange(COUNT) % 2, 1, -1) * ulp / 1024
    values[::3] *= -1
    got = np.zeros(COUNT, target)
    name = "f16" if target is np.float16 else "bf16"
    compile_kernel(kernel("arith.truncf", ["f64"], [name], "", True))([values, got], end=COUNT)
    low = np.sign(values) * np.where(np.arange(COUNT) % 2, short + 2 * half, short)
    np.testing.assert_array_equal(got.astype(np.float64), low)


@pytest.mark.parametrize("t", ["i8", "i16", "i32", "i64"])
@pytest.mark.parametrize("f", FLOATS)
def test_integer_float_conversion(t, f, compile_kernel, numpy_type):
    def through(x):
        return x.astype(np.float64).astype(numpy_type(f))

    check(compile_kernel, numpy_type, "arith.sitofp", [t], [f], through)
    check(compile_kernel, numpy_type, "arith.uitofp", [t], [f], unsigned(through))
    check(compile_kernel, numpy_type, "arith.fptosi", [f], [t], lambda x: np.trunc(x.astype(np.float64)), kinds=("small",))
    check(compile_kernel, numpy_type, "arith.fptoui", [f], [t], lambda x: np.trunc(x.astype(np.float64)), kinds=("positive",))


def test_integer_resizing(compile_kernel, numpy_type):
    for narrow, wide in (("i8", "i32"), ("i16", "i64"), ("i1", "i8"), ("i32", "i64")):
        check(compile_kernel, numpy_type, "arith.extui", [narrow], [wide], unsigned(lambda x: x))
        if narrow != "i1":
            check(compile_kernel, numpy_type, "arith.extsi", [narrow], [wide], lambda x: x)
            check(compile_kernel, numpy_type, "arith.trunci", [wide], [narrow], lambda x, t=narrow: x.astype(numpy_type(t)))
    check(compile_kernel, numpy_type, "arith.index_cast", ["i32"], ["index"], lambda x: x)
    check(compile_kernel, numpy_type, "arith.index_cast", ["index"], ["i32"], lambda x: x.astype(np.int32))


@pytest.mark.parametrize(("a", "b"), [("f32", "i32"), ("f64", "i64"), ("f16", "i16"), ("bf16", "i16")])
def test_bitcast(a, b, compile_kernel, numpy_type):
    check(compile_kernel, numpy_type, "arith.bitcast", [a], [b], lambda x: x.view(numpy_type(b)))
    check(compile_kernel, numpy_type, "arith.bitcast", [b], [a], lambda x: x.view(numpy_type(a)))


def test_extended(compile_kernel, numpy_type):
    def add(a, b):
        a, b = a.view(np.uint32).astype(np.uint64), b.view(np.uint32).astype(np.uint64)
        return (a + b).astype(np.uint32).view(np.int32), (a + b) >> 32 != 0

    check(compile_kernel, numpy_type, "arith.addui_extended", ["i32", "i32"], ["i32", "i1"], add)

    def mul(a, b):
        product = a.astype(np.int64) * b.astype(np.int64)
        return product.astype(np.int32), (product >> 32).astype(np.int32)

    check(compile_kernel, numpy_type, "arith.mulsi_extended", ["i32", "i32"], ["i32", "i32"], mul)

    def unsigned_mul(a, b):
        product = a.astype(np.uint64) * b.astype(np.uint64)
        return product.astype(np.uint32).view(np.int32), (product >> np.uint64(32)).astype(np.uint32).view(np.int32)

    check(compile_kernel, numpy_type, "arith.mului_extended", ["i32", "i32"], ["i32", "i32"], unsigned(unsigned_mul))


@pytest.mark.parametrize("cpu", ["host", "x86-64-v3", "x86-64"])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_bf16_lives_across_blocks_without_a_call(level, cpu, compile_kernel):
    source = """func.func @k(%x : memref<?xbf16>, %y : memref<?xbf16>, %begin : index, %end : index) {
      %step = arith.constant 1 : index
      %zero = arith.constant 0 : index
      %low = arith.constant -3.0 : bf16
      %top = scf.for %i = %begin to %end step %step iter_args(%m = %low) -> (bf16) {
        %v = memref.load %x[%i] : memref<?xbf16>
        %more = arith.cmpf ogt, %v, %m : bf16
        %n = scf.if %more -> (bf16) { scf.yield %v : bf16 } else { scf.yield %m : bf16 }
        scf.yield %n : bf16
      }
      memref.store %top, %y[%zero] : memref<?xbf16>
      func.return
    }"""
    x, y = np.array([-5, 1.5, 0.25], ml_dtypes.bfloat16), np.zeros(1, ml_dtypes.bfloat16)
    compile_kernel(source, Machine(cpu=cpu, level=level))([x, y], end=3)
    assert y[0] == 1.5
