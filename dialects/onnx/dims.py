"""Symbolic tensor dimensions: integer polynomials over named sizes, used by shape inference and by the host program's shape code.

A dimension (`Dim`) is a Python int where it is known and a `SymDim` where it is not. Arithmetic on SymDims stays normalised, so
equal expressions compare equal: `n * 2 - n == n`. Sizes are taken to be non-negative; values read from tensors may not be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeAlias

from ...errors import ShapeError

Dim: TypeAlias = "int | SymDim"
Shape: TypeAlias = "tuple[int | SymDim, ...]"
Monomial: TypeAlias = "tuple[Symbol | Call, ...]"

LONGEST = 1 << 16
"""Expressions whose text, or whose product before it is collected, grows beyond this are refused: no real model comes near, and
repeated squaring would never end."""

UNBOUNDED = 2**31 - 1
"""Exported slices say "to the end" with a huge constant; anything at least this large counts as beyond every dimension."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named unknown; `size` tells that it cannot be negative."""

    name: str
    size: bool = True

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Call:
    """A function of dimensions that polynomials cannot express: floordiv, mod, min, max, broadcast, eq, lt."""

    fn: str
    args: tuple[Dim, ...]

    def __str__(self) -> str:
        return f"{self.fn}({', '.join(map(str, self.args))})"


Atom: TypeAlias = "Symbol | Call"


@dataclass(frozen=True, slots=True, eq=False)
class SymDim:
    """A polynomial with integer coefficients: `terms` maps products of atoms to their coefficient, sorted by text."""

    terms: tuple[tuple[Monomial, int], ...]
    text: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", _text(self.terms))
        if len(self.text) > LONGEST:
            raise _too_large()

    @staticmethod
    def symbol(name: str, *, size: bool = True) -> SymDim:
        return SymDim((((Symbol(name, size),), 1),))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymDim) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def __add__(self, other: Dim) -> Dim:
        return _from_terms((*self.terms, *_terms(other)))

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return self * -1

    def __sub__(self, other: Dim) -> Dim:
        return self + (other * -1)

    def __rsub__(self, other: Dim) -> Dim:
        return (self * -1) + other

    def __mul__(self, other: Dim) -> Dim:
        if isinstance(other, SymDim) and len(self.terms) * len(other.terms) > LONGEST:
            raise _too_large()
        return _from_terms((_product(m, n), a * b) for m, a in self.terms for n, b in _terms(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        return floordiv(self, other)

    def __rfloordiv__(self, other: Dim) -> Dim:
        return floordiv(other, self)

    def __mod__(self, other: Dim) -> Dim:
        return mod(self, other)

    def __rmod__(self, other: Dim) -> Dim:
        return mod(other, self)

    def symbols(self) -> frozenset[Symbol]:
        """Every named unknown in this expression, also inside function calls."""
        found: set[Symbol] = set()
        for monomial, _ in self.terms:
            for atom in monomial:
                if isinstance(atom, Symbol):
                    found.add(atom)
                else:
                    found.update(s for arg in atom.args if isinstance(arg, SymDim) for s in arg.symbols())
        return frozenset(found)


def _too_large() -> ShapeError:
    return ShapeError("ITG2109", "the expression of a dimension grows too large", hint="fix dimensions that the model leaves open")


def symbol(name: str, *, size: bool = True) -> SymDim:
    """A fresh-standing unknown of that name; `size=False` for values that may be negative."""
    return SymDim.symbol(name, size=size)


def is_static(shape: Iterable[Dim]) -> bool:
    return all(isinstance(d, int) for d in shape)


def product(dims: Iterable[Dim]) -> Dim:
    return reduce(lambda a, b: a * b, dims, 1)


def non_negative(dim: Dim) -> bool:
    """Whether the expression can be seen to be at least 0 for all sizes."""
    if isinstance(dim, int):
        return dim >= 0
    return all(c >= 0 and all(_atom_non_negative(a) for a in m) for m, c in dim.terms)


def floordiv(a: Dim, b: Dim) -> Dim:
    """Division rounding down; exact where the polynomial divides."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b != 0 else 0
    if b == 1:
        return a
    exact = exact_div(a, b)
    if exact is not None:
        return exact
    whole, rest = _split_multiples(a, b)
    return whole + (rest // b if isinstance(rest, int) and isinstance(b, int) else _call("floordiv", rest, b))


def _split_multiples(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    """(q, r) with a == q * b + r and coefficients of r in [0, b), so that (n - 1) // 2 + 1 and (n + 1) // 2 are one expression."""
    if not isinstance(b, int) or b <= 0:
        return 0, a
    return _from_terms((m, c // b) for m, c in _terms(a)), _from_terms((m, c % b) for m, c in _terms(a))


def ceildiv(a: Dim, b: Dim) -> Dim:
    """Division rounding up; `b` is positive."""
    if exact_div(a, b) is not None:
        return floordiv(a, b)
    # A divisor that only the run knows may be so large that the sum of the usual form overflows.
    return floordiv(a + (b - 1), b) if isinstance(b, int) else floordiv(a - 1, b) + 1


def mod(a: Dim, b: Dim) -> Dim:
    """Remainder of floor division."""
    if isinstance(a, int) and isinstance(b, int):
        return a % b if b != 0 else 0
    if b == 1 or exact_div(a, b) is not None:
        return 0
    return _call("mod", a, b)


def exact_div(a: Dim, b: Dim) -> Dim | None:
    """a / b where the polynomial `b` divides `a` without remainder, else None (also where b is 0)."""
    divisor = _terms(b)
    if not divisor:
        return None
    leading = _leading(divisor)
    quotient: list[tuple[Monomial, int]] = []
    while a != 0:
        step = _divide_term(_leading(_terms(a)), leading)
        if step is None:
            return None
        quotient.append(step)
        a = a - _from_terms([step]) * b
    return _from_terms(quotient)


def _leading(terms: tuple[tuple[Monomial, int], ...]) -> tuple[Monomial, int]:
    """The greatest term in an order that multiplication keeps: by degree, then by the powers of the atoms in order of text."""
    return min(terms, key=lambda term: (-len(term[0]), [str(atom) for atom in term[0]]))


def _divide_term(a: tuple[Monomial, int], b: tuple[Monomial, int]) -> tuple[Monomial, int] | None:
    rest = list(a[0])
    for atom in b[0]:
        if atom not in rest:
            return None
        rest.remove(atom)
    return None if a[1] % b[1] else (tuple(rest), a[1] // b[1])


def minimum(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    if isinstance(a, int):
        a, b = b, a
    if isinstance(b, int) and b >= UNBOUNDED:
        return a
    if non_negative(b - a):
        return a
    if non_negative(a - b):
        return b
    return _call("min", *sorted((a, b), key=str))


def maximum(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    if non_negative(a - b):
        return a
    if non_negative(b - a):
        return b
    return _call("max", *sorted((a, b), key=str))


def broadcast(a: Dim, b: Dim) -> Dim:
    """The size of two dimensions broadcast against each other: one of them if the other is 1 (or they are equal)."""
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, int):
        return a
    if isinstance(b, int):
        return b
    if _is_cut(b, a):
        return a
    if _is_cut(a, b):
        return b
    # What one side has been broadcast with already changes nothing: residual chains would nest without end.
    if broadcast_parts(b) <= broadcast_parts(a):
        return a
    if broadcast_parts(a) <= broadcast_parts(b):
        return b
    return _call("broadcast", *sorted((a, b), key=str))


def _is_cut(dim: Dim, whole: Dim) -> bool:
    """Whether `dim` is min(c, whole) for a c above 1: that is 1 only where the whole is, so that their broadcast is the whole. Tables
    of positions, cut to the length of a sequence, are."""
    call = _lone_call(dim, "min")
    if call is None or whole not in call.args:
        return False
    return any(isinstance(c, int) and c > 1 for c in call.args)


def _lone_call(dim: Dim, fn: str) -> Call | None:
    """The call that is the whole of the expression, if it is one of this function."""
    if not isinstance(dim, SymDim) or len(dim.terms) != 1:
        return None
    ((monomial, coefficient),) = dim.terms
    if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Call) and monomial[0].fn == fn:
        return monomial[0]
    return None


def broadcast_parts(dim: Dim) -> frozenset[Dim]:
    """The dimensions that a broadcast brings together; any other dimension alone."""
    call = _lone_call(dim, "broadcast")
    return frozenset((dim,)) if call is None else frozenset().union(*map(broadcast_parts, call.args))


def equal(a: Dim, b: Dim) -> Dim:
    """1 where equal, else 0; symbolic contents of comparisons."""
    if a == b:
        return 1
    if isinstance(a - b, int) or (non_negative(a) and isinstance(b, int) and b < 0):
        return 0
    if non_negative(b) and isinstance(a, int) and a < 0:
        return 0
    return _call("eq", *sorted((a, b), key=str))


def less(a: Dim, b: Dim) -> Dim:
    """1 where a < b, else 0."""
    if non_negative(a - b):
        return 0
    if non_negative(b - a - 1):
        return 1
    return _call("lt", a, b)


def select(condition: Dim, a: Dim, b: Dim) -> Dim:
    """a where the condition is non-zero, else b."""
    if isinstance(condition, int):
        return a if condition else b
    return a if a == b else _call("select", condition, a, b)


FUNCTIONS: dict[str, Callable[..., Dim]] = {
    "floordiv": floordiv,
    "mod": mod,
    "min": minimum,
    "max": maximum,
    "broadcast": broadcast,
    "eq": equal,
    "lt": less,
    "select": select,
}


def substitute(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """The expression with symbols replaced by name."""
    if isinstance(dim, int):
        return dim
    total: Dim = 0
    for monomial, coefficient in dim.terms:
        term: Dim = coefficient
        for atom in monomial:
            term = term * _substitute_atom(atom, values)
        total = total + term
    return total


def _substitute_atom(atom: Atom, values: Mapping[str, Dim]) -> Dim:
    if isinstance(atom, Symbol):
        return values.get(atom.name, SymDim((((atom,), 1),)))
    return FUNCTIONS[atom.fn](*(substitute(arg, values) for arg in atom.args))


def _atom_non_negative(atom: Atom) -> bool:
    if isinstance(atom, Symbol):
        return atom.size
    if atom.fn in ("eq", "lt", "broadcast"):
        return True
    if atom.fn == "max":
        return any(non_negative(a) for a in atom.args)
    if atom.fn == "mod":
        return non_negative(atom.args[1])
    return all(non_negative(a) for a in (atom.args[1:] if atom.fn == "select" else atom.args))


def _call(fn: str, *args: Dim) -> SymDim:
    return SymDim((((Call(fn, args),), 1),))


def _terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(dim, SymDim):
        return dim.terms
    return (((), int(dim)),) if dim else ()


def _product(m: Monomial, n: Monomial) -> Monomial:
    return tuple(sorted((*m, *n), key=str))


def _from_terms(terms: Iterable[tuple[Monomial, int]]) -> Dim:
    total: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        total[monomial] = total.get(monomial, 0) + coefficient
    kept = {m: c for m, c in total.items() if c}
    if not kept:
        return 0
    if set(kept) == {()}:
        return kept[()]
    return SymDim(tuple(sorted(kept.items(), key=lambda mc: (-len(mc[0]), "*".join(map(str, mc[0]))))))


def _text(terms: tuple[tuple[Monomial, int], ...]) -> str:
    parts: list[str] = []
    for monomial, coefficient in terms:
        factors = "*".join(map(str, monomial))
        size = abs(coefficient)
        body = factors if factors and size == 1 else f"{size}*{factors}" if factors else str(size)
        sign = "-" if coefficient < 0 else ("+" if parts else "")
        parts.append(sign + body)
    return "".join(parts)
