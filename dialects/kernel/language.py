"""The names that kernels are written with; authors import them, and none is ever executed: the compiler reads them from the AST."""

from __future__ import annotations

from typing import Any, NoReturn

from .errors import KernelError


class Array:
    """A parameter that is read: a dense row-major array whose element type and rank are fixed when the kernel is instantiated."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    size: int
    rank: int
    flat: Any
    dtype: Any

    def __getitem__(self, index: Any) -> Any:
        _never(self)

    def __len__(self) -> int:
        _never(self)


class Out(Array):
    """A parameter that is written (and may be read back); its contents are undefined when the kernel starts."""

    def __setitem__(self, index: Any, value: Any) -> None:
        _never(self)


class InOut(Out):
    """A parameter that is updated in place: it holds the caller's values when the kernel starts."""


class Size(int):
    """A parameter that the host passes at run time: a 64-bit integer."""


class Attr(Any):
    """A parameter that is a Python constant (bool, int, float, str, None or a tuple of them), fixed when the kernel is instantiated.

    The annotations bool, int, float, str and tuple mean the same, and are checked.
    """


class Word:
    """A word of the language: something that a kernel calls."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.__doc__ = text

    def __call__(self, *arguments: Any) -> Any:
        _never(self)

    def __repr__(self) -> str:
        return self.name


class TypeWord(Word):
    """The name of a scalar type: a conversion when called, a type elsewhere."""


def _never(what: object) -> NoReturn:
    name = what.name if isinstance(what, Word) else type(what).__name__
    raise KernelError(
        "ITG6007", f"{name} is a word of kernels and cannot run as Python", kernel=name, hint="Use it inside a @kernel function."
    )


def _types(*names: str) -> list[TypeWord]:
    return [TypeWord(name, f"The scalar type {name}; `{name}(v)` converts v to it.") for name in names]


i8, i16, i32, i64, u8, u16, u32, u64 = _types("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
f16, bf16, f32, f64 = _types("f16", "bf16", "f32", "f64")


def _math(*names: str) -> list[Word]:
    return [Word(name, f"{name} of a float, in its own type.") for name in names]


sqrt, rsqrt, cbrt, exp, exp2, expm1 = _math("sqrt", "rsqrt", "cbrt", "exp", "exp2", "expm1")
log, log2, log10, log1p, erf = _math("log", "log2", "log10", "log1p", "erf")
sin, cos, tan, asin, acos, atan = _math("sin", "cos", "tan", "asin", "acos", "atan")
sinh, cosh, tanh, asinh, acosh, atanh = _math("sinh", "cosh", "tanh", "asinh", "acosh", "atanh")
floor, ceil, trunc = _math("floor", "ceil", "trunc")

atan2 = Word("atan2", "The angle of the point (x, y), as atan2(y, x).")
copysign = Word("copysign", "copysign(magnitude, sign).")
fma = Word("fma", "fma(a, b, c): a * b + c, rounded once.")
isnan = Word("isnan", "Whether a float is not a number.")
isinf = Word("isinf", "Whether a float is an infinity.")
cast = Word("cast", "cast(v, x): v in the element type of array x, or in the type of the value x.")
bitcast = Word("bitcast", "bitcast(v, T): the bits of v as a value of the equally wide type T.")
lowest = Word("lowest", "lowest(x): the least value of x's element type, minus infinity for floats.")
highest = Word("highest", "highest(x): the greatest value of x's element type, infinity for floats.")
isfloat = Word("isfloat", "isfloat(x): whether x's element type is a float; known at compile time.")
issigned = Word("issigned", "issigned(x): whether x's element type is a signed integer or a float; known at compile time.")
local = Word("local", "local(T, n, ..): a scratch array on the stack; T a type or an array, sizes known at compile time.")
muladd = Word("muladd", "muladd(a, b, c): a * b + c, rounded once where the processor has an instruction for that, else twice.")
check = Word(
    "check",
    'check(condition, "ITG5xxx"): the run ends with the error unless the condition holds; the kernel itself goes on. '
    'check(condition, "ITG5xxx", "{} is not below {}", k, n) tells the values.',
)
vector = Word("vector", "vector(n, x, i, j): n floats of x from [i, j] on as one value; y[i, j] = v stores all of them, muladd takes them.")
parallel = Word(
    "parallel",
    "parallel(n, cost): what range(n) counts, in rounds that do not depend on each other and may run on several threads; cost: how many "
    "picoseconds one takes, roughly. Both follow from sizes alone. The kernel's last statement.",
)
unroll = Word("unroll", "unroll(n): what range(n) counts, with n known at compile time and the loop written out.")
