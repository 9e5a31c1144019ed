"""Operators on strings: what compares or moves them works on their numbers, what looks into them on their bytes. See `texts`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...dialects.kernel import Array, Out, Size, inline, kernel
from ...dialects.onnx import string as ops
from ...dialects.onnx.dims import maximum, product
from ..scalar import INT64, STRING
from .builder import Lowering, Tensor
from .case_mapping import character, in_case
from .registry import lower
from .texts import UINT8, Bytes, bytes_of, enter, flat

# -- joining


@kernel
def concatenate(first: Array, x: Array, second: Array, y: Array, offsets: Out, z: Out):
    """Text by text, the one of x and then the one of y."""
    n = 0
    for t in range(first.size - 1):
        offsets[t] = n
        for i in range(int(first[t]), int(first[t + 1])):
            z[n] = x[i]
            n += 1
        for i in range(int(second[t]), int(second[t + 1])):
            z[n] = y[i]
            n += 1
    offsets[first.size - 1] = n


@lower(ops.StringConcatOp)
def string_concat(b: Lowering, op: ops.StringConcatOp, x: Tensor, y: Tensor) -> Tensor:
    shape = b.shapes.of(op.z)
    left, right = (bytes_of(b, b.broadcast_to(t, shape)) for t in (x, y))
    arrays = {"first": left.offsets, "x": left.bytes, "second": right.offsets, "y": right.bytes}
    total = left.bytes.shape[0] + right.bytes.shape[0]
    return enter(b, Bytes(*b.kernel(concatenate, arrays | {"offsets": (left.offsets.shape, INT64), "z": ((total,), UINT8)})), shape)


# -- splitting


@inline
def is_space(code):
    """Whether a character is white space in Unicode."""
    if code <= 32:
        return code == 32 or 9 <= code <= 13 or 28 <= code <= 31
    return (
        code == 0x85
        or code == 0xA0
        or code == 0x1680
        or 0x2000 <= code <= 0x200A
        or code == 0x2028
        or code == 0x2029
        or code == 0x202F
        or code == 0x205F
        or code == 0x3000
    )


@kernel
def split_at_spaces(offsets: Array, bytes: Array, begins: Out, ends: Out, counts: Out, limit: int):
    """The pieces between runs of white space, which count for nothing at either end; the last of limit + 1 takes what is left."""
    n = 0
    for t in range(counts.size):
        first = n
        i = int(offsets[t])
        end = int(offsets[t + 1])
        while i < end:
            code, size = character(bytes, i, end)
            if is_space(code):
                i += size
                continue
            begins[n] = i
            if n - first == limit:
                i = end
            else:
                while i < end:
                    code, size = character(bytes, i, end)
                    if is_space(code):
                        break
                    i += size
            ends[n] = i
            n += 1
        counts[t] = n - first


@kernel
def split_at(offsets: Array, bytes: Array, delimiter: Array, begins: Out, ends: Out, counts: Out, limit: int):
    """The pieces between delimiters, empty ones too; the last of limit + 1 takes what is left."""
    n = 0
    for t in range(counts.size):
        first = n
        i = int(offsets[t])
        end = int(offsets[t + 1])
        begins[n] = i
        while i + delimiter.size <= end and n - first != limit:
            found = True
            for k in range(delimiter.size):
                if bytes[i + k] != delimiter[k]:
                    found = False
                    break
            if found:
                ends[n] = i
                i += delimiter.size
                n += 1
                begins[n] = i
            else:
                i += 1
        ends[n] = end
        n += 1
        counts[t] = n - first


@kernel
def most(counts: Array, largest: Out):
    """The largest count, 0 where there is none."""
    best = 0
    for t in range(counts.size):
        best = max(best, int(counts[t]))
    largest[0] = best


@kernel
def lay_out(bytes: Array, begins: Array, ends: Array, counts: Array, offsets: Out, y: Out, width: Size):
    """The pieces text by text, each text's padded with empty ones to `width`."""
    n = 0
    piece = 0
    for t in range(counts.size):
        for k in range(width):
            offsets[t * width + k] = n
            if k < counts[t]:
                for i in range(int(begins[piece]), int(ends[piece])):
                    y[n] = bytes[i]
                    n += 1
                piece += 1
    offsets[counts.size * width] = n


@lower(ops.StringSplitOp)
def string_split(b: Lowering, op: ops.StringSplitOp, x: Tensor) -> tuple[Tensor, Tensor]:
    text, count = bytes_of(b, x), x.size
    total = text.bytes.shape[0]
    delimiter, limit = op.attr("delimiter") or "", op.attr("maxsplit")
    limit = -1 if limit is None or limit < 0 else limit
    places = ((total + count + 1,), INT64)
    arrays = {"offsets": text.offsets, "bytes": text.bytes}
    results = {"begins": places, "ends": places, "counts": ((count,), INT64)}
    if delimiter:
        arrays["delimiter"] = b.constant(np.frombuffer(delimiter.encode(), np.uint8), UINT8)
    begins, ends, counts = b.kernel(split_at if delimiter else split_at_spaces, arrays | results, {"limit": limit})
    (largest,) = b.kernel(most, {"counts": counts, "largest": ((1,), INT64)})
    b.define_result_dim(op.y, x.rank, b.host_scalar(largest).value)
    shape = b.shapes.of(op.y)
    arrays = {"bytes": text.bytes, "begins": begins, "ends": ends, "counts": counts}
    pieces = {"offsets": ((product(shape) + 1,), INT64), "y": ((total,), UINT8)}
    offsets, y = b.kernel(lay_out, arrays | pieces, sizes=[shape[-1]])
    return enter(b, Bytes(offsets, y), shape), b.reshape(counts, x.shape)


# -- normalising


@lower(ops.StringNormalizerOp)
def string_normalizer(b: Lowering, op: ops.StringNormalizerOp, x: Tensor) -> Tensor:
    """Stop words are compared in lower case where case does not matter, and the rest then changes its case."""
    locale, action = op.attr("locale"), op.attr("case_change_action")
    words = flat(b, x)
    kept = words
    stops: Sequence[str] = op.attr("stopwords") or ()
    if stops:
        compared, listed = words, b.constant(np.array(stops, object), STRING)
        if not op.attr("is_case_sensitive"):
            compared, listed = (_changed(b, t, "LOWER", locale) for t in (compared, listed))
        kept = _without(b, words, compared, listed)
    found = _or_empty(b, kept)
    result = _changed(b, found, action, locale)
    b.define_result_dim(op.y, x.rank - 1, b.dim(result.shape[0]))
    return b.reshape(result, b.shapes.of(op.y))


def _changed(b: Lowering, x: Tensor, action: str, locale: str | None) -> Tensor:
    if action == "NONE":
        return x
    return enter(b, in_case(b, bytes_of(b, x), action.lower(), locale), x.shape)


@kernel
def keep_others(words: Array, compared: Array, stops: Array, kept: Out, count: Out):
    """The words whose compared form is none of the stop words."""
    n = 0
    for i in range(words.size):
        stopped = False
        for k in range(stops.size):
            if compared[i] == stops[k]:
                stopped = True
                break
        if not stopped:
            kept[n] = words[i]
            n += 1
    count[0] = n


def _without(b: Lowering, words: Tensor, compared: Tensor, stops: Tensor) -> Tensor:
    arrays = {"words": words, "compared": compared, "stops": stops, "kept": (words.shape, STRING), "count": ((1,), INT64)}
    kept, count = b.kernel(keep_others, arrays)
    return b.compute((b.new_dim(b.host_scalar(count).value),), STRING, lambda i: kept[i])


@kernel
def or_empty(words: Array, result: Out):
    """The words; one empty word where there is none."""
    result[0] = 0
    for i in range(words.size):
        result[i] = words[i]


def _or_empty(b: Lowering, words: Tensor) -> Tensor:
    """The words, or one empty word where none is left: its number is 0."""
    return b.kernel(or_empty, {"words": words, "result": ((maximum(words.shape[0], 1),), STRING)})[0]
