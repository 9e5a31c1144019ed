"""exp, exp2, expm1, sinh, cosh, tanh and erf: all stand on e^x = 2^n (1 + q) with |x - n log 2| <= log(2)/2."""

from __future__ import annotations

from dataclasses import dataclass

from ....dialects.dispatch import ScaleOp
from .builder import Bits, FloatBuilder, Real

LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class ExpTable:
    """Coefficients and bounds of one width.

    log2_high, log2_low: -log 2 in two parts (with fused multiply-add the high part needs no trailing zeros); tail: (e^r - 1 - r)/r^2;
    power2: 2^r; lowest, highest: beyond these e^x is 0 or infinite; lowest2, highest2: so for 2^x; flat_expm1: below, e^x - 1
    rounds to -1; highest_sinh: beyond, sinh is infinite; flat_tanh, flat_erf: beyond, the function rounds to 1;
    erf: -log(1 - erf a)/a; brief_tail: a shorter one for `exp_to_add`, if there is one; below, above: where
    n is one too small for normal numbers, and one too large.
    """

    log2_high: float
    log2_low: float
    tail: tuple[float, ...]
    power2: tuple[float, ...]
    lowest: float
    highest: float
    lowest2: float
    highest2: float
    flat_expm1: float
    highest_sinh: float
    flat_tanh: float
    flat_erf: float
    erf: tuple[float, ...]
    brief_tail: tuple[float, ...]
    below: float
    above: float


TABLES = {
    32: ExpTable(
        log2_high=-0.6931471824645996,
        log2_low=1.9046542121259336e-09,
        # 2^-26.0 relative to e^r - 1 on |r| < 0.348
        tail=(0.5, 0.16666538, 0.0416666, 0.008367227, 0.0013921651),
        # 2^-28.5 on |r| < 0.501
        power2=(1.0, 0.69314724, 0.24022655, 0.05550273, 0.009617049, 0.001341754, 0.00015830618),
        lowest=-104.5,
        highest=89.0,
        lowest2=-151.0,
        highest2=129.0,
        flat_expm1=-18.0,
        highest_sinh=89.45,
        flat_tanh=10.0,
        flat_erf=3.95,
        # 2^-27.9 relative to erf on [0, 3.95]
        erf=(1.1283792, 0.636615, 0.10283349, -0.019408662, 0.000392189, 0.0010427996, -0.00025582724, 2.93123e-06, 4.4902135e-06),
        # 2^-23.2 relative to e^r on |r| < 0.347
        brief_tail=(0.4999923, 0.16667116, 0.04189027, 0.0083125075),
        below=-88.0,
        above=89.0,
    ),
    64: ExpTable(
        log2_high=-0.6931471805599453,
        log2_low=-2.3190468138462996e-17,
        # 2^-61.6 relative to e^r - 1 on |r| < 0.348
        tail=(
            0.5,
            0.16666666666666677,
            0.04166666666666667,
            0.008333333333321567,
            0.001388888888887422,
            0.00019841269885706935,
            2.4801587372355014e-05,
            2.755724532592828e-06,
            2.7557200181493567e-07,
            2.510842763707387e-08,
            2.094873837209122e-09,
        ),
        # 2^-63.9 on |r| < 0.501
        power2=(
            1.0,
            0.6931471805599453,
            0.2402265069591007,
            0.05550410866482337,
            0.00961812910763023,
            0.001333355814603686,
            0.0001540353038889516,
            1.5252734162373602e-05,
            1.3215491305636611e-06,
            1.0177934620080488e-07,
            7.052969932331239e-09,
            4.4729051324854486e-10,
            2.8681742565443224e-11,
        ),
        lowest=-746.0,
        highest=710.0,
        lowest2=-1080.0,
        highest2=1025.0,
        flat_expm1=-38.0,
        highest_sinh=710.5,
        flat_tanh=20.0,
        flat_erf=5.95,
        # 2^-57.5 relative to erf on [0, 5.95]
        erf=(
            1.1283791670955126,
            0.6366197723675875,
            0.10277260330154035,
            -0.019128446998751384,
            -0.00020919477922439047,
            0.0016962070704373354,
            -0.000590129238761234,
            2.5892553970802528e-05,
            6.445320901048573e-05,
            -2.964330498912065e-05,
            3.2773297542142583e-06,
            2.998824156281531e-06,
            -1.9048357807139765e-06,
            4.663903469774416e-07,
            5.4140832778586644e-08,
            -9.915314433206129e-08,
            4.819292013390017e-08,
            -1.5197434857235674e-08,
            3.4984850061798453e-09,
            -6.042756134036516e-10,
            7.788789068474606e-11,
            -7.280288727091356e-12,
            4.657819189963675e-13,
            -1.8192139182504128e-14,
            3.2553097585558735e-16,
        ),
        brief_tail=(),
        below=-709.0,
        above=710.0,
    ),
}


def exp(b: FloatBuilder, x: Real) -> Real:
    t = TABLES[b.width]
    r, k = reduced(b, b.clamp(x, t.lowest, t.highest))
    return scaled(b, b.horner(r, (1.0, 1.0, *t.tail)), k)


def exp_of_negative(b: FloatBuilder, x: Real) -> Real:
    """e^x of x <= 0 that is 0 below the normal numbers: 2^n is one factor, which is 0 for the n below theirs. NaN stays.

    A third of the work less than `exp`. The remainder is off by 2e-9 |n|, the error of log 2: that of a weight of e^-20 is 1e-7 of it.
    """
    t = TABLES[b.width]
    below = b.format.power(0) >> b.format.mantissa
    x = b.at_least(x, below / -LOG2_E)
    n, k = b.nearest(x, LOG2_E)
    return b.horner(b.fma(n, t.log2_high, x), (1.0, 1.0, *t.tail)) * power_of_two(b, k, 0)


def exp_to_add(b: FloatBuilder, x: Real) -> Real:
    """e^x for a sum with 1: 0 below the normal numbers, infinite above them, and off by 2^-23 of itself; NaN stays.

    Half of the work of `exp`. 2^n is one factor, whose pattern is that of 0 and of infinity at the ends; the sum may take the product in.
    """
    t = TABLES[b.width]
    x = b.clamp(x, t.below, t.above)
    n, k = b.nearest(x, LOG2_E)
    return b.contracted(b.horner(b.fma(n, t.log2_high, x), (1.0, 1.0, *(t.brief_tail or t.tail))), power_of_two(b, k, 0))


def exp2(b: FloatBuilder, x: Real) -> Real:
    t = TABLES[b.width]
    x = b.clamp(x, t.lowest2, t.highest2)
    n, k = b.nearest(x, 1.0)
    return scaled(b, b.horner(x - n, t.power2), k)


def expm1(b: FloatBuilder, x: Real) -> Real:
    t = TABLES[b.width]
    q, k = parts(b, b.clamp(x, t.flat_expm1, t.highest))
    half = power_of_two(b, k, -1)  # 2^n itself overflows before the result does
    return (b.fma(half, q, half - 0.5) * 2.0).with_sign_of(x)


def sinh(b: FloatBuilder, x: Real) -> Real:
    grown, shrunk, up, down = _hyperbolic(b, x)
    return (((grown - shrunk) + (up + down)) * 2.0).with_sign_of(x)


def cosh(b: FloatBuilder, x: Real) -> Real:
    grown, shrunk, up, down = _hyperbolic(b, x)
    return ((grown + shrunk) + (up - down)) * 2.0


def tanh(b: FloatBuilder, x: Real) -> Real:
    a = b.at_most(abs(x), TABLES[b.width].flat_tanh)
    q, k = parts(b, a + a)
    s = power_of_two(b, k, 0)
    m = b.fma(s, q, s - 1.0)  # e^2a - 1
    return (m / (m + 2.0)).with_sign_of(x)


def erf(b: FloatBuilder, x: Real) -> Real:
    """1 - e^(-a Q(a)): one smooth Q serves the whole line, and expm1 keeps the relative accuracy near zero."""
    t = TABLES[b.width]
    a = b.at_most(abs(x), t.flat_erf)
    q, k = parts(b, -a * b.horner(a, t.erf))
    s = power_of_two(b, k, 0)
    return b.fma(-q, s, 1.0 - s).with_sign_of(x)


def reduced(b: FloatBuilder, x: Real) -> tuple[Real, Bits]:
    """x - n log 2 and n as `nearest` gives it."""
    t = TABLES[b.width]
    n, k = b.nearest(x, LOG2_E)
    return b.fma(n, t.log2_low, b.fma(n, t.log2_high, x)), k


def parts(b: FloatBuilder, x: Real) -> tuple[Real, Bits]:
    """q and n of e^x = 2^n (1 + q), |q| < 0.42, q accurate relative to itself; x within the range of e^x."""
    r, k = reduced(b, x)
    return b.fma(r * r, b.horner(r, TABLES[b.width].tail), r), k


def power_of_two(b: FloatBuilder, k: Bits, shift: int) -> Real:
    """2^(n + shift), n + shift being an exponent of normal floats."""
    return ((k << b.format.mantissa) + b.format.power(shift)).real


def scaled(b: FloatBuilder, p: Real, k: Bits) -> Real:
    """p 2^n for p in [0.7, 1.5] and n as `nearest` gives it, rounded once where that is subnormal, infinite where it is too large; NaN
    stays."""
    return Real(b, b.emit(ScaleOp, [p.ssa, k.ssa], b.floats))


def _hyperbolic(b: FloatBuilder, x: Real) -> tuple[Real, Real, Real, Real]:
    """S, s, S q and s q/(1+q) where e^|x| = 4 S (1+q) and e^-|x| = 4 s (1 - q/(1+q))."""
    f = b.format
    q, k = parts(b, b.at_most(abs(x), TABLES[b.width].highest_sinh))
    grown = power_of_two(b, k, -2)
    # A negative pattern is an exponent below the range: nothing then, beside `grown`.
    shrunk = (f.power(-2) - (k << f.mantissa)).at_least(0).real
    return grown, shrunk, grown * q, shrunk * (q / (q + 1.0))
