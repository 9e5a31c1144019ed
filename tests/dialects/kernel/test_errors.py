"""What kernels may not say: each fault has its code, its line and its text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from intaglio.dialects.kernel import (
    Array,
    Attr,
    Kernel,
    KernelError,
    Out,
    Size,
    cast,
    f32,
    inline,
    instantiate,
    kernel,
    local,
    muladd,
    parallel,
    sqrt,
    unroll,
    vector,
)
from intaglio.dialects.onnx.types import BY_NAME
from intaglio.errors import IntaglioError
from xdsl.dialects.builtin import IntegerType

F32, I32 = BY_NAME["float"].ir, BY_NAME["int32"].ir
ARRAYS: dict[str, Any] = {"x": (F32, 1), "n": (I32, 1), "y": (F32, 1)}
FAULTS: list[tuple[Kernel, str, str, str]] = []


def fault(code: str, line: str, words: str):
    """A kernel whose given line is refused with the given code and words."""

    def register(function: Any) -> Kernel:
        wrong = kernel(function)
        FAULTS.append((wrong, code, line, words))
        return wrong

    return register


def plain_python(v):
    return v


@inline
def forever(v):
    return forever(v)


@inline
def maybe(v):
    if v > 0:
        return v


@kernel
def other(x: Array):
    pass


@fault("ITG6003", "with x:", "With statements")
def with_statement(x: Array, n: Array, y: Out):
    with x:
        pass


@fault("ITG6003", "y[0] = (v + 1 for v in x)", "GeneratorExp expressions")
def comprehension(x: Array, n: Array, y: Out):
    y[0] = (v + 1 for v in x)


@fault("ITG6003", "y[0] = x[0:2]", "slices")
def slices(x: Array, n: Array, y: Out):
    y[0] = x[0:2]


@fault("ITG6003", "return x[0]", "a kernel returns nothing")
def returns(x: Array, n: Array, y: Out):
    return x[0]


@fault("ITG6003", "while True:", "never ends")
def endless(x: Array, n: Array, y: Out):
    while True:
        y[0] = 1


@fault("ITG6003", "for i in parallel(2, 10):", "cannot stand here")
def followed(x: Array, n: Array, y: Out):
    for i in parallel(2, 10):
        y[i] = 0
    y[2] = 1


@fault("ITG6003", "for i in parallel(2, 10):", "cannot stand here")
def after_a_store(x: Array, n: Array, y: Out):
    y[2] = 1
    for i in parallel(2, 10):
        y[i] = 0


@fault("ITG6003", "for i in parallel(2, 10):", "cannot stand here")
def inside_a_loop(x: Array, n: Array, y: Out):
    for k in range(3):
        for i in parallel(2, 10):
            y[i + k] = 0


@inline
def divided(y):
    for i in parallel(2, 10):
        y[i] = 0


@fault("ITG6003", "for i in parallel(2, 10):", "cannot stand here")
def in_a_helper(x: Array, n: Array, y: Out):
    divided(y)


@fault("ITG6003", "for i in parallel(2, 10):", "cannot stand here")
def left_early(x: Array, n: Array, y: Out):
    for i in parallel(2, 10):
        if x[i] > 0:
            break
        y[i] = 0


@fault("ITG6007", "for i in parallel(2):", "2 arguments, not 1")
def no_cost(x: Array, n: Array, y: Out):
    for i in parallel(2):  # pyright: ignore
        y[i] = 0


@fault("ITG6008", "for i in parallel(n[0], 10):", "from sizes alone")
def told_by_data(x: Array, n: Array, y: Out):
    for i in parallel(n[0], 10):
        y[i] = 0


@fault("ITG6005", "y[0] = v + v", "+ is not defined on f32x4")
def sum_of_vectors(x: Array, n: Array, y: Out):
    v = vector(4, x, 0)
    y[0] = v + v


@fault("ITG6005", "v = vector(4, x, 0)", "v is a vector and cannot change")
def vector_changes(x: Array, n: Array, y: Out):
    v = vector(4, x, 0)
    if n[0] > 0:
        v = vector(4, x, 4)
    y[0] = v


@fault("ITG6005", "y[0] = muladd(n[0], v, v)", "muladd on f32x4 and i32")
def mixed_lanes(x: Array, n: Array, y: Out):
    v = vector(4, x, 0)
    y[0] = muladd(n[0], v, v)


@fault("ITG6005", "y[0] = muladd(1.0, v, v)", "the type of 1.0 is open")
def open_lanes(x: Array, n: Array, y: Out):
    v = vector(4, x, 0)
    y[0] = muladd(1.0, v, v)


@fault("ITG6005", "y[0] = f32(vector(4, x, 0))", "f32x4 does not convert to f32")
def narrowed(x: Array, n: Array, y: Out):
    y[0] = f32(vector(4, x, 0))


@fault("ITG6005", "y[0] = vector(4, n, 0)", "vectors are of floats")
def whole_vector(x: Array, n: Array, y: Out):
    y[0] = vector(4, n, 0)


@fault("ITG6005", "y[0] = vector(4, x)", "indexed with 0")
def vector_from_nowhere(x: Array, n: Array, y: Out):
    y[0] = vector(4, x)


@fault("ITG6007", "y[0] = vector(4)", "vector takes")
def vector_of_nothing(x: Array, n: Array, y: Out):
    y[0] = vector(4)


@fault("ITG6008", "y[0] = vector(n[0], x, 0)", "no number of elements")
def dynamic_vector(x: Array, n: Array, y: Out):
    y[0] = vector(n[0], x, 0)


@fault("ITG6003", "x[0] + 1", "does nothing")
def idle(x: Array, n: Array, y: Out):
    x[0] + 1  # pyright: ignore


@fault("ITG6003", "for i in x:", "cannot loop over x")
def over_array(x: Array, n: Array, y: Out):
    for i in x:  # pyright: ignore
        y[0] = i


@fault("ITG6003", "y[0] = x.mean", "no attribute mean")
def unknown_attribute(x: Array, n: Array, y: Out):
    y[0] = x.mean  # pyright: ignore


@fault("ITG6003", "y[0] = maybe(x[0])", "may end without returning")
def sometimes_nothing(x: Array, n: Array, y: Out):
    y[0] = maybe(x[0])


@fault("ITG6004", "y[0] = wrong", "wrong is not defined")
def undefined(x: Array, n: Array, y: Out):
    y[0] = wrong  # noqa: F821  # pyright: ignore


@fault("ITG6004", "y[0] = v", "v may have no value here")
def unassigned(x: Array, n: Array, y: Out):
    if x[0] > 0:
        v = x[0]
    y[0] = v  # pyright: ignore


@fault("ITG6004", "y[0] = f32(i)", "i may have no value here")
def counter_after_loop(x: Array, n: Array, y: Out):
    for i in range(3):
        y[i] = 0
    y[0] = f32(i)  # pyright: ignore


@fault("ITG6004", "i += 1", "counts a loop")
def counter_assigned(x: Array, n: Array, y: Out):
    for i in range(3):
        y[i] = 0
        i += 1


@fault("ITG6004", "for i in range(2):", "already has a value")
def counter_taken(x: Array, n: Array, y: Out):
    for i in range(3):
        for i in range(2):
            y[i] = 0


@fault("ITG6004", "y[0] = plain_python(x[0])", "Decorate it with @inline")
def calls_python(x: Array, n: Array, y: Out):
    y[0] = plain_python(x[0])


@fault("ITG6004", "other(x)", "cannot call another")
def calls_kernel(x: Array, n: Array, y: Out):
    other(x)


@fault("ITG6005", "total += x[i]", "+ on i64 and f32")
def changes_type(x: Array, n: Array, y: Out):
    total = 0
    for i in range(x.size):
        total += x[i]
    y[0] = cast(total, y)


@fault("ITG6005", "half = 0.5", "the type of 0.5 is open")
def open_type(x: Array, n: Array, y: Out):
    half = 0.5
    half += x[0]
    y[0] = half


@fault("ITG6005", "y[0] = x[0] + n[0]", "+ on f32 and i32")
def mixed(x: Array, n: Array, y: Out):
    y[0] = x[0] + n[0]


@fault("ITG6005", "y[0] = n[0]", "y[..] has type f32, and is given i32")
def stored(x: Array, n: Array, y: Out):
    y[0] = n[0]


@fault("ITG6005", "x[0] = 1", "x cannot be stored to")
def read_only(x: Array, n: Array, y: Out):
    x[0] = 1  # pyright: ignore


@fault("ITG6005", "y[0] = x[0, 1]", "has 1 dimensions and is indexed with 2")
def wrong_rank(x: Array, n: Array, y: Out):
    y[0] = x[0, 1]


@fault("ITG6005", "y[0] = x[x[0]]", "is not an index")
def float_index(x: Array, n: Array, y: Out):
    y[0] = x[x[0]]


@fault("ITG6005", "y[0] = cast(n[0] / 2, y)", "Use // for integers")
def true_division(x: Array, n: Array, y: Out):
    y[0] = cast(n[0] / 2, y)


@fault("ITG6005", "y[0] = sqrt(n[0])", "sqrt is for floats")
def integer_root(x: Array, n: Array, y: Out):
    y[0] = sqrt(n[0])


@fault("ITG6005", "z = y", "is assigned again")
def array_changes(x: Array, n: Array, y: Out):
    z = x
    if x[0] > 0:
        z = y
    y[0] = z[0]


@fault("ITG6007", "y[0] = sqrt(x[0], x[1])", "takes 1 argument, not 2")
def too_many(x: Array, n: Array, y: Out):
    y[0] = sqrt(x[0], x[1])


@fault("ITG6007", "return forever(v)", "cannot be recursive")
def recursion(x: Array, n: Array, y: Out):
    y[0] = forever(x[0])


@fault("ITG6008", "y[-1] = 0", "is negative")
def negative_index(x: Array, n: Array, y: Out):
    y[-1] = 0


@fault("ITG6008", "y[0] = cast(n[0] + 5000000000, y)", "does not fit i32")
def large_constant(x: Array, n: Array, y: Out):
    y[0] = cast(n[0] + 5000000000, y)


@fault("ITG6008", "a = local(f32, x.size)", "not a size known while compiling")
def dynamic_local(x: Array, n: Array, y: Out):
    a = local(f32, x.size)
    y[0] = a[0]


@fault("ITG6008", "for i in unroll(x.size):", "known while compiling")
def dynamic_unroll(x: Array, n: Array, y: Out):
    for i in unroll(x.size):
        y[i] = 0


@fault("ITG6008", "y[0] = 1 // 0", "cannot be computed")
def constant_fault(x: Array, n: Array, y: Out):
    y[0] = 1 // 0


@pytest.mark.parametrize(("wrong", "code", "line", "words"), FAULTS, ids=[f[0].name for f in FAULTS])
def test_faults_point_at_their_line(wrong, code, line, words):
    with pytest.raises(KernelError) as caught:
        instantiate(wrong, "k", ARRAYS)
    error = caught.value
    assert isinstance(error, IntaglioError)
    assert (error.code, error.text.split("  #")[0]) == (code, line)
    assert words in str(error)
    assert error.file == __file__ and f"{__file__}:{error.line}: " in str(error)


def no_annotation(x, y: Out):
    pass


def starred(*x: Array):
    pass


def default_size(n: Size = 3):  # pyright: ignore
    pass


@pytest.mark.parametrize("function", [no_annotation, starred, default_size, lambda x: x])
def test_wrong_signatures(function):
    with pytest.raises(KernelError, match=r"ITG600[12]"):
        instantiate(kernel(function), "k", {})


def test_source_is_needed():
    scope: dict[str, Any] = {"Array": Array}
    exec("def made(x: Array):\n    pass\n", scope)
    with pytest.raises(KernelError, match="ITG6001"):
        _ = kernel(scope["made"]).parameters
    with pytest.raises(KernelError, match="ITG6001"):
        kernel(np.sin)


@kernel
def good(x: Array, y: Out, m: Size, mode: str, k: Attr = (1, 2), scale: float = 1):
    y[0] = x[0] * scale


@kernel
def flat(m: Size, x: Array, y: Out):
    y[()] = cast(x.flat[m], y)


@pytest.mark.parametrize(
    ("arrays", "attrs", "words"),
    [
        ({"x": (F32, 1)}, {"mode": "a"}, "array y has no type"),
        ({"x": (F32, 1), "y": (F32, 1), "z": (F32, 1)}, {"mode": "a"}, "no array parameter z"),
        ({"x": (F32, 1), "y": (F32, 1)}, {}, "attribute mode has no value"),
        ({"x": (F32, 1), "y": (F32, 1)}, {"mode": 3}, "takes a str"),
        ({"x": (F32, 1), "y": (F32, 1)}, {"mode": "a", "k": {}}, "attribute k is {}"),
        ({"x": (F32, 1), "y": (F32, 1)}, {"mode": "a", "j": 1}, "no attribute parameter j"),
        ({"x": (F32, -1), "y": (F32, 1)}, {"mode": "a"}, "rank -1"),
        ({"x": (IntegerType(24), 1), "y": (F32, 1)}, {"mode": "a"}, "i24"),
    ],
)
def test_wrong_instances(arrays, attrs, words):
    with pytest.raises(KernelError, match="ITG6006") as caught:
        instantiate(good, "k", arrays, attrs)
    assert words in str(caught.value)


def test_signature_and_abi():
    assert [(p.name, p.kind.value) for p in good.parameters] == [
        ("x", "Array"),
        ("y", "Out"),
        ("m", "Size"),
        ("mode", "Attr"),
        ("k", "Attr"),
        ("scale", "Attr"),
    ]
    function = instantiate(flat, "scaled", {"x": (BY_NAME["uint8"].ir, 2), "y": (F32, 0)})
    inputs = [str(t) for t in function.function_type.inputs]
    assert inputs == ["memref<?xi8>", "memref<?xf32>", *["index"] * 5]
    hints = [argument.name_hint for argument in function.body.block.args]
    assert hints == ["x", "y", "x_d0", "x_d1", "m", "begin", "end"]
    assert function.sym_name.data == "scaled" and "noalias" in function.attributes


def test_nothing_runs_as_python():
    with pytest.raises(KernelError, match="ITG6007"):
        good()
    with pytest.raises(KernelError, match="ITG6007"):
        sqrt(2)
