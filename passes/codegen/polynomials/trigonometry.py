"""sin, cos, tan by reduction to [-pi/4, pi/4]; asin, acos, atan, atan2 by reduction to where an odd polynomial is short."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from .builder import Bits, FloatBuilder, Mask, Real

TWO_OVER_PI = 0.6366197723675814


@dataclass(frozen=True)
class CircleTable:
    """Coefficients of one width, all in z = r^2.

    half_pi: pi/2 in three parts, each rounded; sin: (sin r - r)/r^3; cos: (cos r - 1 + z/2)/z^2; asin: (asin r - r)/r^3;
    atan: (atan r - r)/r^3; large: beyond it, the sum of two floats may overflow.
    """

    half_pi: tuple[float, float, float]
    sin: tuple[float, ...]
    cos: tuple[float, ...]
    asin: tuple[float, ...]
    atan: tuple[float, ...]
    large: float


TABLES = {
    32: CircleTable(
        half_pi=(1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
        # 2^-34.8 and 2^-30.6 on |r| < 0.95
        sin=(-0.16666667, 0.008333361, -0.00019844579, 2.7433973e-06),
        cos=(0.041666605, -0.0013885633, 2.4270938e-05),
        # 2^-27.6 on |r| < 0.5
        asin=(0.16666754, 0.07495248, 0.045476727, 0.024147784, 0.042220376),
        # 2^-30.5 on |r| < 0.415
        atan=(-0.33333316, 0.19998528, -0.14244393, 0.10599069, -0.060894977),
        large=2.0**125,
    ),
    64: CircleTable(
        half_pi=(1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
        # 2^-64.4 and 2^-59.8 on |r| < 0.95
        sin=(
            -0.16666666666666666,
            0.008333333333333102,
            -0.0001984126984107537,
            2.7557319146419515e-06,
            -2.5052091882117933e-08,
            1.6057120823879083e-10,
            -7.531507164433482e-13,
        ),
        cos=(
            0.04166666666666601,
            -0.0013888888888790479,
            2.4801587246398277e-05,
            -2.7557304032408644e-07,
            2.0874552047835452e-09,
            -1.130860072116523e-11,
        ),
        # 2^-59.8 on |r| < 0.5
        asin=(
            0.16666666666666763,
            0.07499999999970118,
            0.04464285717527165,
            0.03038194267583877,
            0.02237221589253089,
            0.017351595711652543,
            0.013981016241390656,
            0.011397310354958595,
            0.010789230500049318,
            0.0036725082860603274,
            0.02178989907472547,
            -0.021115705784754617,
            0.0327015519323332,
        ),
        # 2^-59.5 on |r| < 0.415
        atan=(
            -0.333333333333332,
            0.19999999999953624,
            -0.1428571428018961,
            0.11111110782743727,
            -0.09090897728867106,
            0.07692059578194205,
            -0.06663095577248786,
            0.05847819512508451,
            -0.05038956403215621,
            0.03805491311633467,
            -0.017895827225266683,
        ),
        large=2.0**1021,
    ),
}


def sin(b: FloatBuilder, x: Real) -> Real:
    s, c, k = _quadrant(b, x)
    sign = (k << (b.width - 2)) ^ x.bits
    return _signed(b, b.select(k.odd, c, s), sign)


def cos(b: FloatBuilder, x: Real) -> Real:
    s, c, k = _quadrant(b, x)
    return _signed(b, b.select(k.odd, s, c), (k + 1) << (b.width - 2))


def tan(b: FloatBuilder, x: Real) -> Real:
    s, c, k = _quadrant(b, x)
    odd = k.odd
    return _signed(b, b.select(odd, c, s) / b.select(odd, s, c), (k << (b.width - 1)) ^ x.bits)


def asin(b: FloatBuilder, x: Real) -> Real:
    p, outer = _half_asin(b, x)
    high, low, _ = TABLES[b.width].half_pi
    return b.select(outer, high - (p + p - low), p).with_sign_of(x)


def acos(b: FloatBuilder, x: Real) -> Real:
    p, outer = _half_asin(b, x)
    high, low, _ = TABLES[b.width].half_pi
    twice = p + p
    ends = b.select(x < 0.0, 2.0 * high - (twice - 2.0 * low), twice)
    return b.select(outer, ends, high - (p.with_sign_of(x) - low))


def atan(b: FloatBuilder, x: Real) -> Real:
    """tan(pi/8) and tan(3 pi/8) part the half line; beyond each, atan a = base + atan of something small."""
    a = abs(x)
    outer, middle = a > 2.414213562373095, a > 0.41421356237309503
    top = b.select(outer, -1.0, b.select(middle, a - 1.0, a))
    bottom = b.select(outer, a, b.select(middle, a + 1.0, 1.0))
    high, low, _ = TABLES[b.width].half_pi
    base = b.select(outer, high, b.select(middle, high * 0.5, 0.0))
    rest = b.select(outer, low, b.select(middle, low * 0.5, 0.0))
    return (base + (_small_atan(b, top / bottom) + rest)).with_sign_of(x)


def atan2(b: FloatBuilder, y: Real, x: Real) -> Real:
    """The angle of (x, y) in [-pi, pi]; a zero's sign counts, as in IEEE 754."""
    ay, ax = abs(y), abs(x)
    steep = ay > ax
    high, low, _ = TABLES[b.width].half_pi
    small, large = b.least(ay, ax), b.greatest(ay, ax)
    # Two infinities count as equal, two zeros as 0/1; large ones make room for their sum.
    both = small.equals(inf)
    scale = b.select(large > TABLES[b.width].large, 0.25, 1.0)
    small, large = b.select(both, 1.0, small * scale), b.select(both, 1.0, large * scale)
    large = b.select(large.equals(0.0), 1.0, large)
    middle = small > large * 0.41421356237309503
    top, bottom = b.select(middle, small - large, small), b.select(middle, small + large, large)
    t = _small_atan(b, top / bottom)
    angle = b.select(middle, high * 0.5 + (t + low * 0.5), t)
    angle = b.select(steep, high - (angle - low), angle)
    left = b.number(1.0).with_sign_of(x) < 0.0
    return b.select(left, 2.0 * high - (angle - 2.0 * low), angle).with_sign_of(y)


def _quadrant(b: FloatBuilder, x: Real) -> tuple[Real, Real, Bits]:
    """sin and cos of |x| - n pi/2, and bits that end in those of n.

    n may be off the nearest by a tenth where x is large: the polynomials reach beyond pi/4 for that. The remainder is accurate
    relative to itself up to |x| = 2^22 (f32), 2^51 (f64). Beyond, only its bounds are kept: results stay in [-1, 1] but mean nothing.
    """
    t = TABLES[b.width]
    a = abs(x)
    n, k = b.nearest(a, TWO_OVER_PI)
    r = a
    for part in t.half_pi:  # each product is exact, and so is the first difference
        r = b.fma(n, -part, r)
    r = b.clamp(r, -0.95, 0.95)
    z = r * r
    s = b.fma(r * z, b.horner(z, t.sin), r)
    c = b.fma(z * z, b.horner(z, t.cos), b.fma(z, -0.5, 1.0))
    return s, c, k


def _signed(b: FloatBuilder, x: Real, sign: Bits) -> Real:
    """x negated where the highest bit of `sign` is set."""
    return (x.bits ^ (sign & b.format.sign)).real


def _half_asin(b: FloatBuilder, x: Real) -> tuple[Real, Mask]:
    """asin|x| where |x| <= 1/2, else asin sqrt((1 - |x|)/2), which is (pi/2 - asin|x|)/2; and the mask of the latter."""
    a = abs(x)
    outer = a > 0.5
    z = b.select(outer, b.fma(a, -0.5, 0.5), a * a)
    s = b.select(outer, z.sqrt(), a)
    return b.fma(s * z, b.horner(z, TABLES[b.width].asin), s), outer


def _small_atan(b: FloatBuilder, t: Real) -> Real:
    z = t * t
    return b.fma(t * z, b.horner(z, TABLES[b.width].atan), t)
