"""Tokenizer of com.microsoft: tokens are spans of the strings' bytes, which each separator cuts further; then they are laid out in rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...dialects.kernel import Array, Out, Size, inline, kernel
from ...dialects.onnx.dims import Dim, product
from ...dialects.onnx.microsoft import TokenizerOp
from ...dialects.onnx.types import BY_NAME
from ..regex import PatternError, compile_search
from ..scalar import INT64, STRING
from .builder import Lowering, Tensor
from .case_mapping import character
from .registry import lower
from .string import lay_out
from .texts import UINT8, Bytes, bytes_of, enter

INT32 = BY_NAME["int32"]
_MARKS = ("\x02", "\x03")


@dataclass(frozen=True)
class _Spans:
    """Tokens as places in the strings' bytes. begins, ends: int64, string by string; counts: (strings,) int64, the tokens of each."""

    begins: Tensor
    ends: Tensor
    counts: Tensor


@kernel
def characters(offsets: Array, bytes: Array, begins: Out, ends: Out, counts: Out):
    """Each character as a token."""
    n = 0
    for t in range(counts.size):
        first = n
        at = int(offsets[t])
        end = int(offsets[t + 1])
        while at < end:
            _, size = character(bytes, at, end)
            begins[n] = at
            at += size
            ends[n] = at
            n += 1
        counts[t] = n - first


@kernel
def whole(offsets: Array, begins: Out, ends: Out, counts: Out):
    """Each string as a token."""
    for t in range(counts.size):
        begins[t] = offsets[t]
        ends[t] = offsets[t + 1]
        counts[t] = 1


@inline
def longest(bytes, kinds, classes, steps, starts, accepts, begin, at, end):
    """Where the longest match that begins at `at` ends, -1 where none does; begin and end are those of the text around it."""
    state = int(starts[int(kinds[int(bytes[at - 1])]) if at > begin else 0])
    best = -1
    i = at
    while state != 0:
        after = int(kinds[int(bytes[i])]) if i < end else 0
        if (int(accepts[state]) >> after) & 1:
            best = i
        if i == end:
            break
        state = int(steps[state, int(classes[int(bytes[i])])])
        i += 1
    return best


@inline
def is_long(bytes, begin, end, least):
    """Whether there are at least so many characters."""
    count = 0
    i = begin
    while i < end and count < least:
        _, size = character(bytes, i, end)
        i += size
        count += 1
    return count >= least


@kernel
def search(
    bytes: Array,
    kinds: Array,
    classes: Array,
    steps: Array,
    starts: Array,
    accepts: Array,
    from_begins: Array,
    from_ends: Array,
    from_counts: Array,
    begins: Out,
    ends: Out,
    counts: Out,
    between: bool,
    least: int,
):
    """What matches inside of each token, or what lies between the matches, if it has at least so many characters."""
    n = 0
    span = 0
    for t in range(counts.size):
        first = n
        for _token in range(int(from_counts[t])):
            begin = int(from_begins[span])
            end = int(from_ends[span])
            span += 1
            start = begin
            at = begin
            while at < end:
                stop = longest(bytes, kinds, classes, steps, starts, accepts, begin, at, end)
                if stop < 0:
                    _, size = character(bytes, at, end)
                    at += size
                    continue
                left = start if between else at
                right = at if between else stop
                if is_long(bytes, left, right, least):
                    begins[n] = left
                    ends[n] = right
                    n += 1
                if stop == at:
                    _, size = character(bytes, at, end)
                    stop += size
                at = stop
                start = stop
            if between and is_long(bytes, start, end, least):
                begins[n] = start
                ends[n] = end
                n += 1
        counts[t] = n - first


@kernel
def measure(counts: Array, widths: Out, mark: bool):
    """The most tokens of a string, and how much room they take with their marks."""
    best = 0
    for t in range(counts.size):
        best = max(best, int(counts[t]))
    widths[0] = best
    widths[1] = best + 2 if mark and best > 0 else best


@kernel
def arrange(tokens: Array, counts: Array, special: Array, y: Out, width: Size, mark: bool):
    """The tokens of each string, between marks or not, and what fills the row; `special` holds the two marks and the filling."""
    for t in range(counts.size):
        at = t * width
        row = at + width
        if mark and width > 0:
            y.flat[at] = special[0]
            at += 1
        for k in range(int(counts[t])):
            y.flat[at] = tokens.flat[t * tokens.shape[1] + k]
            at += 1
        if mark and width > 0:
            y.flat[at] = special[1]
            at += 1
        while at < row:
            y.flat[at] = special[2]
            at += 1


@lower(TokenizerOp)
def tokenizer(b: Lowering, op: TokenizerOp, x: Tensor) -> Tensor:
    text, mark = bytes_of(b, x), bool(op.attr("mark"))
    spans = _spans(b, op, text, x.size)
    (widths,) = b.kernel(measure, {"counts": spans.counts, "widths": ((2,), INT64)}, {"mark": mark})
    width = b.new_dim(b.host_scalar(widths, 0).value)
    b.define_result_dim(op.Y, x.rank, b.host_scalar(widths, 1).value)
    shape = b.shapes.of(op.Y)
    special = b.constant(np.array([*_MARKS, op.attr("pad_value")], object), STRING)
    arrays = {"tokens": _table(b, text, spans, x.size, width), "counts": spans.counts, "special": special, "y": (shape, STRING)}
    return b.kernel(arrange, arrays, {"mark": mark}, sizes=[shape[-1]])[0]


def _spans(b: Lowering, op: TokenizerOp, text: Bytes, count: Dim) -> _Spans:
    separators, total, counts = op.attr("separators"), text.bytes.shape[0], ((count,), INT64)
    if separators and list(separators) == [""]:
        places = ((total,), INT64)
        arrays = {"offsets": text.offsets, "bytes": text.bytes, "begins": places, "ends": places, "counts": counts}
        return _Spans(*b.kernel(characters, arrays))
    places = ((count,), INT64)
    spans = _Spans(*b.kernel(whole, {"offsets": text.offsets, "begins": places, "ends": places, "counts": counts}))
    for pattern in separators or [op.attr("tokenexp")]:
        spans = _searched(b, op, text, spans, pattern)
    return spans


def _searched(b: Lowering, op: TokenizerOp, text: Bytes, spans: _Spans, pattern: str) -> _Spans:
    try:
        found = compile_search(pattern)
    except PatternError as error:
        hint = "The pattern is read as RE2 reads it: https://github.com/google/re2/wiki/Syntax"
        raise op.fail("ITG2172", f"{pattern!r}: {error}", hint=hint) from error
    # A token has a character, and no two share one.
    places = ((text.bytes.shape[0],), INT64)
    arrays = {
        "bytes": text.bytes,
        "kinds": b.constant(found.kinds, UINT8),
        "classes": b.constant(found.classes, UINT8),
        "steps": b.constant(found.steps, INT32),
        "starts": b.constant(found.starts, INT32),
        "accepts": b.constant(found.accepts, UINT8),
        "from_begins": spans.begins,
        "from_ends": spans.ends,
        "from_counts": spans.counts,
        "begins": places,
        "ends": places,
        "counts": (spans.counts.shape, INT64),
    }
    between = bool(op.attr("separators"))
    return _Spans(*b.kernel(search, arrays, {"between": between, "least": op.attr("mincharnum")}))


def _table(b: Lowering, text: Bytes, spans: _Spans, count: Dim, width: Dim) -> Tensor:
    """The tokens as strings, (strings, width)."""
    shape = (count, width)
    arrays = {"bytes": text.bytes, "begins": spans.begins, "ends": spans.ends, "counts": spans.counts}
    pieces = {"offsets": ((product(shape) + 1,), INT64), "y": ((text.bytes.shape[0],), UINT8)}
    return enter(b, Bytes(*b.kernel(lay_out, arrays | pieces, sizes=[width])), shape)
