"""Numbers to texts and back: what Cast does where strings are on one side.

A float becomes the fewest digits that tell it apart, positional from 1e-4 to below 1e16 and scientific beyond, as Python writes it;
nan, inf and -inf are words. A string is read as the specification of Cast says: plain or scientific, INF and NaN in any case.
"""

from __future__ import annotations

from typing import Any

from ...dialects import texts
from ...dialects.kernel import Array, Out, bitcast, check, i64, inline, isinf, isnan, issigned, kernel, u8, u64, unroll
from ...dialects.onnx.types import BY_NAME, ElementType
from ..scalar import BOOL, DOUBLE, FLOAT, INT32, INT64, STRING
from .builder import Lowering, Tensor
from .texts import UINT8, Bytes, bytes_of, enter, flat, tied

UINT64 = BY_NAME["uint64"]
_INTEGER_ROOM = 20
_FLOAT_ROOM = 26
_SPARE_ROOM = 12
"""What an exponent, its letter, a sign and the end add to a number's own characters."""
_PRECISIONS = {"float16": 11, "bfloat16": 8, "double": 53}


def text_of(b: Lowering, x: Tensor) -> Tensor:
    """A tensor of numbers as strings."""
    if x.type is BOOL:
        yes, no = b.texts.number("True"), b.texts.number("False")
        return b.compute(x.shape, STRING, lambda *i: b.s.select(x[i], b.s.const(yes, STRING), no))
    if x.type.is_float:
        return _float_text(b, x)
    row = b.cast(flat(b, x), INT64 if x.type.is_signed else UINT64)
    results = {"offsets": ((x.size + 1,), INT64), "y": ((x.size * _INTEGER_ROOM,), UINT8)}
    return enter(b, Bytes(*b.kernel(integer_text, {"x": row} | results)), x.shape)


def number_of(b: Lowering, x: Tensor, type: ElementType) -> Tensor:
    """A tensor of strings as numbers; the run ends with ITG5064 where one is none."""
    text = bytes_of(b, x)
    arrays = {"offsets": text.offsets, "bytes": text.bytes}
    if type.is_integer:
        (whole,) = b.kernel(integer_value, arrays | {"y": ((x.size,), INT64)})
        return b.reshape(b.cast(whole, type), x.shape)
    results = {
        "to_offsets": ((x.size + 1,), INT64),
        "to_bytes": ((text.bytes.shape[0] + x.size * _SPARE_ROOM,), UINT8),
        "words": ((x.size,), INT64),
    }
    offsets, normal, words = b.kernel(normal_number, arrays | results)
    op = texts.NumberOp(offsets.value, normal.value, b.dim(x.size), b.dim(normal.shape[0]))
    b.emit(op)
    values = tied(b, op.values, x.size, DOUBLE)

    def element(i: Any) -> Any:
        word = words[i]
        infinite = b.s.select(word.equals(2), b.s.const(float("-inf"), DOUBLE), float("inf"))
        special = b.s.select(word.equals(3), b.s.const(float("nan"), DOUBLE), infinite)
        value = b.s.select(word.equals(0), values[i], special)
        return value.differs(0.0) if type is BOOL else b.s.cast(value, type)

    return b.reshape(b.compute((x.size,), type, element), x.shape)


def _float_text(b: Lowering, x: Tensor) -> Tensor:
    row = b.cast(b.cast(flat(b, x), FLOAT) if x.type is not DOUBLE else flat(b, x), DOUBLE)
    values = b.compute(row.shape, DOUBLE, lambda i: row[i])
    op = texts.DecimalOp(values.value, b.dim(x.size), _PRECISIONS.get(x.type.name, 24))
    b.emit(op)
    arrays = {"x": values, "digits": tied(b, op.digits, x.size, INT64), "exponents": tied(b, op.exponents, x.size, INT32)}
    results = {"offsets": ((x.size + 1,), INT64), "y": ((x.size * _FLOAT_ROOM,), UINT8)}
    return enter(b, Bytes(*b.kernel(float_text, arrays | results)), x.shape)


@inline
def put(y, n, code):
    y[n] = u8(code)
    return n + 1


@inline
def put_digits(y, n, value, places):
    """Writes that many decimal places of an integer."""
    for k in range(places):
        rest = value
        for _ in range(places - 1 - k):
            rest = rest // 10
        n = put(y, n, 48 + int(rest % 10))
    return n


@inline
def places_of(value):
    """How many decimal places an integer has; zero has one."""
    places = 1
    rest = value // 10
    while rest > 0:
        rest = rest // 10
        places += 1
    return places


@kernel
def integer_text(x: Array, offsets: Out, y: Out):
    n = 0
    for i in range(x.size):
        offsets[i] = n
        size = u64(x[i])
        if issigned(x) and x[i] < 0:
            n = put(y, n, 45)
            size = u64(0) - size
        n = put_digits(y, n, size, places_of(size))
    offsets[x.size] = n


@kernel
def float_text(x: Array, digits: Array, exponents: Array, offsets: Out, y: Out):
    """x = +-digits * 10^exponents."""
    n = 0
    for i in range(x.size):
        offsets[i] = n
        if isnan(x[i]):
            for code in (110, 97, 110):
                n = put(y, n, code)
            continue
        if bitcast(x[i], i64) < 0:
            n = put(y, n, 45)
        if isinf(x[i]):
            for code in (105, 110, 102):
                n = put(y, n, code)
            continue
        value = int(digits[i])
        places = places_of(value)
        # Where the first digit stands: 10^top.
        top = int(exponents[i]) + places - 1
        if value != 0 and (top < -4 or top >= 16):
            first = value
            for _ in range(places - 1):
                first = first // 10
            n = put_digits(y, n, first, 1)
            if places > 1:
                n = put(y, n, 46)
                rest = value
                power = 1
                for _ in range(places - 1):
                    power *= 10
                rest = value - first * power
                n = put_digits(y, n, rest, places - 1)
            n = put(y, n, 101)
            n = put(y, n, 45 if top < 0 else 43)
            size = abs(top)
            n = put_digits(y, n, size, max(2, places_of(size)))
        elif top < 0:
            n = put(y, n, 48)
            n = put(y, n, 46)
            for _ in range(-top - 1):
                n = put(y, n, 48)
            n = put_digits(y, n, value, places)
        else:
            whole = min(places, top + 1)
            power = 1
            for _ in range(places - whole):
                power *= 10
            n = put_digits(y, n, value // power, whole)
            for _ in range(top + 1 - whole):
                n = put(y, n, 48)
            n = put(y, n, 46)
            if places > whole:
                n = put_digits(y, n, value % power, places - whole)
            else:
                n = put(y, n, 48)
    offsets[x.size] = n


@inline
def spells(bytes, i, end, word):
    """Whether what is left is a word, given in lower case, in any case."""
    same = end - i == len(word)
    if same:
        for k in unroll(len(word)):
            code = int(bytes[i + k])
            if 65 <= code <= 90:
                code += 32
            if code != word[k]:
                same = False
    return same


@inline
def trimmed(bytes, i, end):
    """Without white space around it."""
    while i < end and (bytes[i] == 32 or 9 <= int(bytes[i]) <= 13):
        i += 1
    while end > i and (bytes[end - 1] == 32 or 9 <= int(bytes[end - 1]) <= 13):
        end -= 1
    return i, end


INF = (105, 110, 102)
INFINITY = (105, 110, 102, 105, 110, 105, 116, 121)
NAN = (110, 97, 110)


@kernel
def normal_number(offsets: Array, bytes: Array, to_offsets: Out, to_bytes: Out, words: Out):
    """Each text as a sign, digits, e, an exponent and a zero byte. words: 0 for such, 1 infinity, 2 minus infinity, 3 no number."""
    n = 0
    for t in range(words.size):
        to_offsets[t] = n
        words[t] = 0
        i, end = trimmed(bytes, int(offsets[t]), int(offsets[t + 1]))
        negative = False
        if i < end and (bytes[i] == 43 or bytes[i] == 45):
            negative = bytes[i] == 45
            i += 1
        if spells(bytes, i, end, INF) or spells(bytes, i, end, INFINITY):
            words[t] = 2 if negative else 1
            i = end
        elif spells(bytes, i, end, NAN):
            words[t] = 3
            i = end
        begin = n
        if negative:
            n = put(to_bytes, n, 45)
        power = 0
        digits = 0
        point = False
        while i < end and (48 <= int(bytes[i]) <= 57 or (bytes[i] == 46 and not point)):
            if bytes[i] == 46:
                point = True
            else:
                to_bytes[n] = bytes[i]
                n += 1
                digits += 1
                if point:
                    power -= 1
            i += 1
        good = words[t] != 0 or digits > 0
        if good and words[t] == 0 and i < end and (bytes[i] == 101 or bytes[i] == 69):
            i += 1
            down = False
            if i < end and (bytes[i] == 43 or bytes[i] == 45):
                down = bytes[i] == 45
                i += 1
            good = i < end
            given = 0
            while i < end and 48 <= int(bytes[i]) <= 57:
                given = min(given * 10 + int(bytes[i]) - 48, 999999)
                i += 1
            power += -given if down else given
        good = good and i == end
        check(good, "ITG5064")
        if not good or words[t] != 0:
            n = put(to_bytes, begin, 48)
            power = 0
        n = put(to_bytes, n, 101)
        if power < 0:
            n = put(to_bytes, n, 45)
        size = min(abs(power), 9999999)
        n = put_digits(to_bytes, n, size, places_of(size))
        n = put(to_bytes, n, 0)
    to_offsets[words.size] = n


@kernel
def integer_value(offsets: Array, bytes: Array, y: Out):
    """Each text as an integer, modulo 2^64; a fraction is dropped, an exponent moves the point."""
    for t in range(y.size):
        i, end = trimmed(bytes, int(offsets[t]), int(offsets[t + 1]))
        negative = False
        if i < end and (bytes[i] == 43 or bytes[i] == 45):
            negative = bytes[i] == 45
            i += 1
        first = i
        digits = 0
        last = i
        while last < end and (48 <= int(bytes[last]) <= 57 or bytes[last] == 46):
            if bytes[last] != 46:
                digits += 1
            last += 1
        power = 0
        good = digits > 0
        j = last
        if good and j < end and (bytes[j] == 101 or bytes[j] == 69):
            j += 1
            down = False
            if j < end and (bytes[j] == 43 or bytes[j] == 45):
                down = bytes[j] == 45
                j += 1
            good = j < end
            while j < end and 48 <= int(bytes[j]) <= 57:
                power = min(power * 10 + int(bytes[j]) - 48, 9999)
                j += 1
            if down:
                power = -power
        good = good and j == end
        whole = 0
        left = 0
        point = False
        for k in range(first, last):
            if bytes[k] == 46:
                good = good and not point
                point = True
                left = power
            elif not point or left > 0:
                whole = whole * 10 + int(bytes[k]) - 48
                left -= 1
        if not point:
            left = power
        else:
            left = max(left, 0)
        for _ in range(min(max(left, 0), 64)):
            whole = whole * 10
        for _ in range(max(-power, 0)):
            whole = whole // 10
        check(good, "ITG5064")
        y[t] = -whole if negative else whole
