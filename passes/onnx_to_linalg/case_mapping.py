"""Upper and lower case of texts: the Unicode mappings as tables, and the kernel that applies them. The string family uses it.

The mappings are those of Unicode's full case conversion without context (one character may become several, a final sigma is like any
other), with the dotted and dotless i of Turkish and Azerbaijani where the locale is one of these languages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ...dialects.kernel import Array, Out, inline, kernel
from ..scalar import INT64
from .builder import Lowering
from .texts import UINT8, Bytes

_TURKIC = {"lower": {"I": "ı", "İ": "i"}, "upper": {"i": "İ", "ı": "I"}}
_LONGEST = 3
"""A mapping takes at most three times the bytes: two bytes may become three letters of two."""


@dataclass(frozen=True)
class CaseTable:
    """codes: the characters that change, ascending; what each becomes is bytes[ends[k - 1]: ends[k]]."""

    codes: np.ndarray
    ends: np.ndarray
    bytes: np.ndarray


@cache
def case_table(how: str, turkic: bool) -> CaseTable:
    """The table of "lower" or "upper"."""
    special = _TURKIC[how] if turkic else {}
    changed = {}
    for code in range(0x110000):
        character = chr(code)
        mapped = special.get(character) or getattr(character, how)()
        if mapped != character and not 0xD800 <= code < 0xE000:
            changed[code] = mapped.encode()
    ends = np.cumsum([len(mapped) for mapped in changed.values()], dtype=np.int64)
    return CaseTable(np.array(list(changed), np.int64), ends, np.frombuffer(b"".join(changed.values()), np.uint8))


def is_turkic(locale: str | None) -> bool:
    """Whether a locale's language, the letters before its first mark, is Turkish or Azerbaijani."""
    language = (locale or "").replace("-", "_").partition("_")[0].partition(".")[0].lower()
    return language in ("tr", "az")


@inline
def character(bytes, i, end):
    """The code of the UTF-8 character at i, and how many bytes it has; a byte that begins none is -1 and one."""
    first = int(bytes[i])
    if first < 0x80:
        return first, 1
    size = 1
    code = -1
    if 0xC0 <= first < 0xE0:
        size, code = 2, first & 0x1F
    elif 0xE0 <= first < 0xF0:
        size, code = 3, first & 0x0F
    elif 0xF0 <= first < 0xF8:
        size, code = 4, first & 0x07
    if i + size > end:
        size, code = 1, -1
    for k in range(1, size):
        code = (code << 6) | (int(bytes[i + k]) & 0x3F)
    return code, size


@kernel
def map_case(offsets: Array, bytes: Array, codes: Array, ends: Array, mapped: Array, to_offsets: Out, to_bytes: Out):
    """Each character of the texts replaced as the table says; others, and bytes that are no characters, stay."""
    n = 0
    for t in range(offsets.size - 1):
        to_offsets[t] = n
        i = int(offsets[t])
        end = int(offsets[t + 1])
        while i < end:
            code, size = character(bytes, i, end)
            low = 0
            high = codes.size
            while low < high:
                middle = (low + high) // 2
                if codes[middle] < code:
                    low = middle + 1
                else:
                    high = middle
            if low < codes.size and codes[low] == code:
                begin = 0
                if low > 0:
                    begin = int(ends[low - 1])
                for k in range(begin, int(ends[low])):
                    to_bytes[n] = mapped[k]
                    n += 1
            else:
                for k in range(size):
                    to_bytes[n] = bytes[i + k]
                    n += 1
            i += size
    to_offsets[offsets.size - 1] = n


def in_case(b: Lowering, text: Bytes, how: str, locale: str | None) -> Bytes:
    """The texts in "lower" or "upper" case."""
    table = case_table(how, is_turkic(locale))
    total = text.bytes.shape[0]
    offsets, mapped = b.kernel(
        map_case,
        {
            "offsets": text.offsets,
            "bytes": text.bytes,
            "codes": b.constant(table.codes, INT64),
            "ends": b.constant(table.ends, INT64),
            "mapped": b.constant(table.bytes, UINT8),
            "to_offsets": (text.offsets.shape, INT64),
            "to_bytes": ((total * _LONGEST,), UINT8),
        },
    )
    return Bytes(offsets, mapped)
