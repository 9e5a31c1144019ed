"""log, log2, log10, log1p and their inverses' hyperbolic kin asinh, acosh, atanh: x = 2^e (1 + f) with 1 + f in [0.707, 1.414)."""

from __future__ import annotations

from math import nan

from .builder import FloatBuilder, Real

# The bits of sqrt(1/2)
SQRT_HALF = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}
LOG_2 = 0.6931471805599453

# Each in two parts, both rounded; with fused multiply-add the first needs no trailing zeros.
LOG2_PARTS = {32: (0.6931471824645996, -1.9046542121259336e-09), 64: (0.6931471805599453, 2.3190468138462996e-17)}
LOG10_2_PARTS = {32: (0.3010300099849701, -1.432098883924482e-08), 64: (0.3010299956639812, -2.8037281277851704e-18)}
LOG2_E = {32: (1.4426950216293335, 1.925963033500011e-08), 64: (1.4426950408889634, 2.0355273740931033e-17)}
LOG10_E = {32: (0.4342944920063019, -1.0103049952192578e-08), 64: (0.4342944819032518, 1.098319650216765e-17)}

# (2 atanh(s) - 2s)/s^3 in s^2, s <= 0.1717; relative to the logarithm 2^-34 and 2^-63
ATANH = {
    32: (0.66666776, 0.39977553, 0.29872125),
    64: (
        0.6666666666666735,
        0.3999999999940875,
        0.2857142874391857,
        0.2222219839736676,
        0.18183574332280628,
        0.1531377423513365,
        0.1479890318939951,
    ),
}

# Beyond these, asinh x and acosh x are log 2x, and log x is log(1 + x); their squares are still finite.
HUGE = {32: 2.0**28, 64: 2.0**56}


def log(b: FloatBuilder, x: Real) -> Real:
    e, f = split(b, x)
    return b.positive(x, _log(b, e, f))


def log2(b: FloatBuilder, x: Real) -> Real:
    e, f = split(b, x)
    high, low = LOG2_E[b.width]
    y = _log(b, None, f)
    return b.positive(x, b.fma(y, low, b.fma(y, high, e)))


def log10(b: FloatBuilder, x: Real) -> Real:
    e, f = split(b, x)
    high, low = LOG10_2_PARTS[b.width]
    y = _log(b, None, f)
    return b.positive(x, b.fma(e, high, b.fma(y, LOG10_E[b.width][0], b.fma(y, LOG10_E[b.width][1], e * low))))


def log1p(b: FloatBuilder, x: Real) -> Real:
    u = x + 1.0
    v = u - 1.0
    lost = (1.0 - (u - v)) + (x - v)  # 1 + x = u + lost, exactly
    e, f = split(b, u)
    near = e.equals(0.0)
    y = _log(b, e, b.select(near, x, f), b.select(near, 0.0, lost / u))
    return b.positive(u, y).with_sign_of(x)


def asinh(b: FloatBuilder, x: Real) -> Real:
    a = abs(x)
    square = a * a
    large = a > HUGE[b.width]
    u = b.select(large, a, a + square / ((square + 1.0).sqrt() + 1.0))
    return (log1p(b, u) + b.select(large, LOG_2, 0.0)).with_sign_of(x)


def acosh(b: FloatBuilder, x: Real) -> Real:
    t = x - 1.0
    large = x > HUGE[b.width]
    u = b.select(large, x, t + b.fma(t, t, t + t).sqrt())
    return b.select(x >= 1.0, log1p(b, u) + b.select(large, LOG_2, 0.0), nan)


def atanh(b: FloatBuilder, x: Real) -> Real:
    a = abs(x)
    return (log1p(b, (a + a) / (1.0 - a)) * 0.5).with_sign_of(x)


def split(b: FloatBuilder, x: Real) -> tuple[Real, Real]:
    """e and f of x = 2^e (1 + f), both floats; x positive and finite, or else whatever."""
    form = b.format
    subnormal = x < form.smallest_normal
    scale = form.mantissa + 1
    x = b.select(subnormal, x * 2.0**scale, x)
    # Counted from sqrt(1/2), the exponent steps where the mantissa should.
    origin = SQRT_HALF[b.width]
    i = x.bits - (origin - form.one)
    biased = ((i >> form.mantissa) | form.power(form.mantissa)).real
    base = 2.0**form.mantissa + form.bias
    e = biased - b.select(subnormal, base + scale, base)
    m = ((i & ((1 << form.mantissa) - 1)) + origin).real
    return e, m - 1.0


def _log(b: FloatBuilder, e: Real | None, f: Real, extra: Real | None = None) -> Real:
    """e log 2 + log(1 + f) + extra, where extra is small beside the rest.

    log(1 + f) = f - (f^2/2 - s (f^2/2 + R)) with s = f/(2 + f): the large part f is exact (Ng, FreeBSD msun's arrangement).
    """
    s = f / (f + 2.0)
    z = s * s
    half = f * f * 0.5
    y = s * b.fma(z, b.horner(z, ATANH[b.width]), half)
    if e is None:
        return f - (half - y)
    high, low = LOG2_PARTS[b.width]
    y = b.fma(e, low, y if extra is None else y + extra)
    return b.fma(e, high, f - (half - y))
