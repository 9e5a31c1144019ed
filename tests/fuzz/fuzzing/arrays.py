"""The contents of arrays, of every element type: plain numbers mostly, and where asked for what is special about the type."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from .schemas import STRING, dtype

WORDS = ("", "a", "b", "ab", "A b", "é", "日本", "same", "same", "longer than a short string", "1", "-2.5")
_SPECIAL = (np.nan, np.inf, -np.inf, -0.0, 0.0)
STYLES = ("plain", "plain", "exact", "extreme")


def contents(rng: np.random.Generator, type: int, shape: tuple[int, ...], low: float | None, high: float | None, style: str) -> np.ndarray:
    """An array. low, high: the bounds of its elements, both included; without any, `style` may bring what is special.

    style: plain (numbers about 0), exact (halves, of which sums and products are exact), special (NaN and infinities), extreme (also
    denormals and limits).
    """
    if type == STRING:
        return np.array(rng.choice(WORDS, shape), object).reshape(shape)
    kind = dtype(type)
    if kind.kind == "b":
        return np.asarray(rng.integers(0, 2, shape), bool)
    if kind.kind == "c":
        parts = [_floats(rng, shape, low, high, style) for _ in range(2)]
        return np.asarray(parts[0] + 1j * parts[1]).astype(kind)
    if is_float(kind):
        return _float_array(rng, kind, shape, low, high, style)
    return _integers(rng, kind, shape, low, high, style)


def is_float(kind: np.dtype) -> bool:
    """Whether a real floating-point type; ml_dtypes' own included."""
    return kind.kind == "f" or (kind.kind == "V" and kind.name.startswith(("bfloat", "float")))


def integer_limits(kind: np.dtype) -> tuple[int, int]:
    info = np.iinfo(kind) if kind.kind in "iu" else ml_dtypes.iinfo(kind)
    return int(info.min), int(info.max)


def _floats(rng: np.random.Generator, shape: tuple[int, ...], low: float | None, high: float | None, style: str) -> np.ndarray:
    if low is not None or high is not None:
        bottom = low if low is not None else high - 8
        values = rng.uniform(bottom, high if high is not None else bottom + 8, shape)
    elif style == "exact":
        values = rng.integers(-8, 9, shape) / 2
    else:
        values = rng.normal(0, 2, shape)
    return np.asarray(values, np.float64)


def _float_array(
    rng: np.random.Generator, kind: np.dtype, shape: tuple[int, ...], low: float | None, high: float | None, style: str
) -> np.ndarray:
    values = _floats(rng, shape, low, high, style)
    if kind.name == "float8_e8m0fnu":
        return np.asarray(np.exp2(np.clip(np.round(values), -8, 8))).astype(kind)
    with np.errstate(all="ignore"):
        array = values.astype(kind)
        if style in ("extreme", "special") and low is None and high is None and array.size:
            info = ml_dtypes.finfo(kind)
            limits = (info.max, info.min, info.tiny, -float(info.tiny) / 4) if style == "extreme" else ()
            special = np.array([*_SPECIAL, *map(float, limits)], np.float64).astype(kind)
            where = rng.random(shape) < 0.4
            array = np.where(where, special[rng.integers(0, len(special), shape)], array).astype(kind)
    return np.asarray(array)


def _integers(
    rng: np.random.Generator, kind: np.dtype, shape: tuple[int, ...], low: float | None, high: float | None, style: str
) -> np.ndarray:
    bottom, top = integer_limits(kind)
    if style == "extreme" and low is None and high is None:
        wide = rng.integers(bottom, top, shape, dtype=np.int64 if top < 1 << 63 else np.uint64, endpoint=True)
        return np.asarray(wide).astype(kind)
    first = max(bottom, -6 if low is None else int(np.ceil(low)))
    last = min(top, 6 if high is None else int(np.floor(high)))
    return np.asarray(rng.integers(first, max(first, last), shape, endpoint=True)).astype(kind)
