"""powf, in twice the working precision where it matters, cbrt and rsqrt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nan

from .builder import FloatBuilder, Real
from .exponential import TABLES as EXP_TABLES
from .exponential import scaled
from .logarithm import LOG2_E, split


@dataclass(frozen=True)
class PowerTable:
    """One width's numbers.

    two_thirds: in two parts; atanh: (2 atanh(s) - 2s - 2/3 s^3)/s^5 in s^2; lowest, highest: beyond these 2^p is 0 or infinite;
    decisive: exponents this large drive every base but 1 to 0 or infinity.
    root_drop: mantissa bits that the cube root's first guess leaves out; root_origin: 4/3 of the bits of 1, less a little.
    """

    two_thirds: tuple[float, float]
    atanh: tuple[float, ...]
    lowest: float
    highest: float
    decisive: float
    root_drop: int
    root_origin: float


TABLES = {
    32: PowerTable(
        two_thirds=(0.6666666865348816, -1.9868215517249155e-08),
        # 2^-35.8 relative to the logarithm, |s| < 0.1717
        atanh=(0.40000153, 0.28547078, 0.23420167),
        lowest=-160.0,
        highest=136.0,
        decisive=2.0**40,
        root_drop=9,
        root_origin=4 / 3 * (127 - 0.0450466) * 2**14,
    ),
    64: PowerTable(
        two_thirds=(0.6666666666666666, 3.700743415417188e-17),
        # 2^-65.3
        atanh=(
            0.4000000000000229,
            0.28571428570082635,
            0.22222222523106852,
            0.18181784075978027,
            0.1538677126640158,
            0.13256482105784323,
            0.13199539259603218,
        ),
        lowest=-1100.0,
        highest=1040.0,
        decisive=2.0**80,
        root_drop=12,
        root_origin=4 / 3 * (1023 - 0.0450466) * 2**40,
    ),
}


def powf(b: FloatBuilder, x: Real, y: Real) -> Real:
    """x^y with the special cases of IEEE 754 `pow`; a few arithmetic operations for the exponents of `SHORT`, where known."""
    if (short := SHORT.get(b.known(y))) is not None:
        return short(b, x)
    t = TABLES[b.width]
    a = abs(x)
    size = _exp2_product(b, b.clamp(y, -t.decisive, t.decisive), *_log2(b, a))
    falls = y < 0.0
    size = b.select(a.equals(0.0), b.select(falls, inf, 0.0), size)
    size = b.select(a.equals(inf), b.select(falls, 0.0, inf), size)

    whole = y.rounded().equals(y)
    half = y * 0.5
    even = half.rounded().equals(half)
    negative = b.number(1.0).with_sign_of(x) < 0.0
    result = b.select(even, size, b.select(whole & negative, -size, size))
    # A base of -inf is as good as an even one for exponents that are not whole.
    undefined = (x < 0.0) & (a < inf) & ~whole
    result = b.select(undefined, nan, result)
    # 1 and exponent 0 win over NaN, everything else loses to it.
    result = b.select(x.equals(x), b.select(y.equals(y), result, nan), nan)
    return b.select(x.equals(1.0) | y.equals(0.0), 1.0, result)


def cbrt(b: FloatBuilder, x: Real) -> Real:
    """From a linear guess at a^(-1/3) on the logarithm that the bits of a float are; each step is of fourth order."""
    t, form = TABLES[b.width], b.format
    a = abs(x)
    subnormal = a < form.smallest_normal
    shift = 8 if b.width == 32 else 18
    m = b.select(subnormal, a * 2.0 ** (3 * shift), a)
    base = 2.0**form.mantissa
    high = ((m.bits >> t.root_drop) | form.power(form.mantissa)).real  # base + the bits kept
    guess = b.fma(high, -1 / 3, base + base / 3 + t.root_origin)
    y = (guess.bits << t.root_drop).real
    for _ in range(2):
        h = 1.0 - (m * y) * (y * y)
        y = b.fma(y * h, b.horner(h, (1 / 3, 2 / 9, 14 / 81)), y)
    square = y * y
    r = m * square
    # Three roundings above are undone by one Newton step whose residue is exact.
    r2 = r * r
    residue = b.fma(-r2, r, m) - b.fma(r, r, -r2) * r
    r = b.fma(residue, square * (1 / 3), r)
    r = b.select(subnormal, r * 2.0**-shift, r)
    return b.select(a < inf, r, a).with_sign_of(x)


def rsqrt(b: FloatBuilder, x: Real) -> Real:
    return 1.0 / x.sqrt()


def _square_root(b: FloatBuilder, x: Real) -> Real:
    """pow(x, 1/2): unlike sqrt, +0 at -0 and infinite at -inf."""
    return b.select(x.equals(-inf), inf, (x + 0.0).sqrt())


def _inverse_square(b: FloatBuilder, x: Real) -> Real:
    inverse = 1.0 / x  # inverted first: x*x leaves the range before the result does
    return inverse * inverse


SHORT: dict[float | None, Callable[[FloatBuilder, Real], Real]] = {
    -2.0: _inverse_square,
    -1.0: lambda b, x: 1.0 / x,
    -0.5: lambda b, x: 1.0 / _square_root(b, x),
    0.5: _square_root,
    1.0: lambda b, x: x,
    2.0: lambda b, x: x * x,
    3.0: lambda b, x: x * x * x,
    4.0: lambda b, x: (x * x) * (x * x),
}
"""Exponents that models have as constants, in at most three roundings."""


def _log2(b: FloatBuilder, a: Real) -> tuple[Real, Real]:
    """log2 a as a sum of two, the second small; a positive and finite, or else whatever. Error below 2^-(1.2 width)."""
    t = TABLES[b.width]
    e, f = split(b, a)
    # s = f/(2 + f) and what its rounding lost
    d = f + 2.0
    d_low = f - (d - 2.0)
    s = f / d
    s_low = b.fma(-s, d_low, b.fma(-s, d, f)) / d
    z = s * s
    z_low = b.fma(s, s, -z) + (s + s) * s_low
    # s^3 (2/3 + z T)
    cube = s * z
    cube_low = b.fma(s, z, -cube) + b.fma(s, z_low, s_low * z)
    w = b.fma(z, b.horner(z, t.atanh), t.two_thirds[1])
    v = w + t.two_thirds[0]
    v_low = w - (v - t.two_thirds[0])
    tail = cube * v
    tail_low = b.fma(cube, v, -tail) + b.fma(cube, v_low, cube_low * v)
    # log(1 + f), then in base 2, then with the exponent
    twice = s + s
    high = twice + tail
    low = (tail - (high - twice)) + (s_low + s_low + tail_low)
    c, c_low = LOG2_E[b.width]
    p = high * c
    p_low = b.fma(high, c, -p) + b.fma(low, c, high * c_low)
    total = e + p
    return total, (p - (total - e)) + p_low


def _exp2_product(b: FloatBuilder, y: Real, high: Real, low: Real) -> Real:
    """2^(y (high + low))."""
    t = TABLES[b.width]
    p = y * high
    p_low = b.fma(y, high, -p) + y * low
    p, p_low = b.clamp(p, t.lowest, t.highest), b.clamp(p_low, -1.0, 1.0)
    n, k = b.nearest(p, 1.0)
    return scaled(b, b.horner((p - n) + p_low, EXP_TABLES[b.width].power2), k)
