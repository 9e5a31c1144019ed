"""Operators that find elements: where some are not zero or kept, the distinct, the largest, the boxes that overlap no better one."""

from __future__ import annotations

from typing import Any

from xdsl.dialects.builtin import ComplexType

from ...dialects.kernel import (
    Array,
    Out,
    Size,
    bitcast,
    cast,
    f32,
    f64,
    i32,
    i64,
    inline,
    isfloat,
    isnan,
    kernel,
    parallel,
    u32,
    u64,
    unroll,
)
from ...dialects.onnx import indexing as ops
from ...dialects.onnx.dims import ceildiv, minimum
from ...dialects.onnx.image import NonMaxSuppressionOp
from ...dialects.onnx.types import BY_NAME
from ..scalar import BOOL, INDEX, INT64, STRING, Scalar
from .builder import Lowering, Tensor
from .guards import require_at_most, require_sizes
from .indexing import around
from .registry import lower
from .tensor import is_own_size
from .texts import bytes_of

UINT8 = BY_NAME["uint8"]

# -- non-zero and kept elements


@kernel
def count_nonzero(x: Array, count: Out):
    """How many elements are not zero."""
    n = 0
    for i in range(x.size):
        if x.flat[i] != 0:
            n += 1
    count[0] = n


@kernel
def find_nonzero(x: Array, y: Out):
    """The index tuples of the elements that are not zero, a column each."""
    n = 0
    for i in range(x.size):
        if x.flat[i] != 0:
            rest = i
            for k in unroll(x.rank):
                y[k, n] = rest // x.strides[k]
                rest = rest % x.strides[k]
            n += 1


@lower(ops.NonZeroOp)
def nonzero(b: Lowering, op: ops.NonZeroOp, x: Tensor) -> Tensor:
    x = b.compute(x.shape, UINT8, lambda *i: _is_not_zero(b, x[i])) if isinstance(x.type.ir, ComplexType) else as_numbers(b, x)
    (count,) = b.kernel(count_nonzero, {"x": x, "count": ((1,), INT64)})
    b.define_result_dim(op.y, 0, b.host_scalar(count).value)
    return b.kernel(find_nonzero, {"x": x, "y": (b.shapes.of(op.y), INT64)})[0]


def as_numbers(b: Lowering, x: Tensor) -> Tensor:
    """Truth values as numbers, which kernels can compare; complex numbers by their parts, the real one first, along the last axis."""
    if isinstance(x.type.ir, ComplexType):
        return _parts(b, x)
    return b.cast(x, UINT8) if x.type is BOOL else x


@inline
def text_precedes(offsets, bytes, p, q):
    """Whether text p stands before text q by its bytes, which for UTF-8 is the order of the characters."""
    size_p = int(offsets[p + 1] - offsets[p])
    size_q = int(offsets[q + 1] - offsets[q])
    for k in range(min(size_p, size_q)):
        left = bytes[offsets[p] + k]
        right = bytes[offsets[q] + k]
        if left != right:
            return left < right
    return size_p < size_q


@kernel
def rank_texts(numbers: Array, offsets: Array, bytes: Array, order: Out, scratch: Out, ranks: Out):
    """For each text how many distinct texts stand before it: a merge sort from below, then equal numbers share a rank."""
    for i in range(numbers.size):
        order[i] = i
    width = 1
    while width < numbers.size:
        for begin in range(0, numbers.size, 2 * width):
            middle = min(begin + width, numbers.size)
            end = min(begin + 2 * width, numbers.size)
            left = begin
            right = middle
            for k in range(begin, end):
                if left < middle and (right >= end or not text_precedes(offsets, bytes, int(order[right]), int(order[left]))):
                    scratch[k] = order[left]
                    left += 1
                else:
                    scratch[k] = order[right]
                    right += 1
        for k in range(numbers.size):
            order[k] = scratch[k]
        width *= 2
    rank = 0
    for k in range(numbers.size):
        if k > 0 and numbers[int(order[k])] != numbers[int(order[k - 1])]:
            rank += 1
        ranks[int(order[k])] = rank


def as_ordered(b: Lowering, x: Tensor) -> Tensor:
    """Elements as numbers in the same order: a string as its rank among the strings of the tensor."""
    if x.type is not STRING:
        return as_numbers(b, x)
    text, vector = bytes_of(b, x), ((x.size,), INT64)
    arrays = {"numbers": b.retype(b.reshape(x, (x.size,)), INT64), "offsets": text.offsets, "bytes": text.bytes}
    return b.reshape(b.kernel(rank_texts, arrays | dict.fromkeys(("order", "scratch", "ranks"), vector))[2], x.shape)


@kernel
def find_kept(keep: Array, places: Out, count: Out):
    """The places where elements are kept, as far as there are places."""
    n = 0
    for i in range(min(keep.size, places.size)):
        if keep[i]:
            places[n] = i
            n += 1
    count[0] = n


@lower(ops.CompressOp)
def compress(b: Lowering, op: ops.CompressOp, x: Tensor, keep: Tensor) -> Tensor:
    axis = None if op.axis is None else op.attr("axis") % x.rank
    rows = b.reshape(x, (x.size,)) if axis is None else x
    axis = axis or 0
    shape = b.shapes.of(op.output)
    places, count = b.kernel(find_kept, {"keep": keep, "places": ((rows.shape[axis],), INT64), "count": ((1,), INT64)})
    if is_own_size(b, op.output, shape[axis]):
        b.define_result_dim(op.output, 0, b.host_scalar(count).value)
    return _taken(b, rows, axis, places, shape)


def _taken(b: Lowering, x: Tensor, axis: int, places: Tensor, shape: Any) -> Tensor:
    """The slices of x along an axis at the first places, all of which are inside."""

    def element(*i: Any) -> Any:
        return x[(*i[:axis], b.s.cast(places[i[axis]], INDEX), *i[axis + 1 :])]

    return b.compute(shape, x.type, element, doc="gather")


# -- sorting


@inline
def goes_before(p, q, descending):
    """Whether element p stands before element q, and whether q before p; NaN counts as the largest."""
    less, more = p < q, p > q
    if isfloat(p):
        less = less or (isnan(q) and not isnan(p))
        more = more or (isnan(p) and not isnan(q))
    return (more, less) if descending else (less, more)


@inline
def before(x, a, b):
    """Whether slice a of x (outer, size, inner) stands before slice b, or an element of x (size) before another."""
    if x.rank == 1:
        only, _ = goes_before(x[a], x[b], False)
        return only
    for o in range(x.shape[0]):
        for j in range(x.shape[2]):
            first, second = goes_before(x[o, a, j], x[o, b, j], False)
            if first or second:
                return first
    return False


@inline
def alike(x, a, b):
    """Whether neither of two slices or elements of x stands before the other."""
    if x.rank == 1:
        first, second = goes_before(x[a], x[b], False)
        return not first and not second
    for o in range(x.shape[0]):
        for j in range(x.shape[2]):
            first, second = goes_before(x[o, a, j], x[o, b, j], False)
            if first or second:
                return False
    return True


@inline
def bits_of(x, v):
    """The same number for elements of x that are equal, or both NaN."""
    if not isfloat(x):
        return u64(i64(v))
    if isnan(v):
        return u64(1)
    v = v + 0  # for both zeros
    if x.dtype == f64:
        return bitcast(v, u64)
    return u64(bitcast(f32(v), u32))


GOLDEN = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio, which spreads neighbours."""


@inline
def place_of(x, a, places):
    """Where to look for a slice or element of x in a table of so many places: by the upper bits of products with the golden ratio."""
    mixed = u64(0)
    if x.rank == 1:
        mixed = bits_of(x, x[a]) * GOLDEN
    else:
        for o in range(x.shape[0]):
            for j in range(x.shape[2]):
                mixed = ((mixed >> 29) ^ mixed ^ bits_of(x, x[o, a, j])) * GOLDEN
    return i64((mixed >> 33) * u64(places) >> 31)


@inline
def merge_sort(x, slices, order, scratch, count):
    """Sorts order[0 .. count], numbers of the slices of x that `slices` lists, none of which are alike."""
    width = 1
    while width < count:
        for start in range(0, count, 2 * width):
            middle, end = min(start + width, count), min(start + 2 * width, count)
            left, right = start, middle
            for at in range(start, end):
                take_right = left >= middle
                if not take_right and right < end:
                    take_right = before(x, slices[order[right]], slices[order[left]])
                if take_right:
                    scratch[at] = order[right]
                    right += 1
                else:
                    scratch[at] = order[left]
                    left += 1
        for at in range(count):
            order[at] = scratch[at]
        width *= 2


def _is_not_zero(b: Lowering, x: Scalar) -> Scalar:
    real, imaginary = b.s.parts(x)
    return b.s.cast(real.differs(0) | imaginary.differs(0), UINT8)


def _parts(b: Lowering, x: Tensor) -> Tensor:
    half = BY_NAME["float" if x.type.name == "complex64" else "double"]

    def element(*i: Any) -> Scalar:
        at = b.s.operand(i[-1], INDEX)
        real, imaginary = b.s.parts(x[(*i[:-1], at // 2)])
        return b.s.select((at % 2).equals(0), real, imaginary)

    return b.compute((*x.shape[:-1], x.shape[-1] * 2), half, element)


@kernel
def find_distinct(
    x: Array, table: Out, order: Out, scratch: Out, found: Out, first: Out, counts: Out, inverse: Out, count: Out, ascending: bool
):
    """Groups equal slices of x: each group's first slice and size, each slice's group, the number of groups.

    A hash table of groups finds them in the order of their first slices; they alone are sorted then, if asked for.
    """
    size, groups = inverse.size, 0
    for place in range(table.size):
        table[place] = -1
    for i in range(size):
        at = place_of(x, i, table.size)
        while table[at] >= 0 and not alike(x, found[table[at]], i):
            at = at + 1 if at + 1 < table.size else 0
        if table[at] < 0:
            table[at], found[groups], scratch[groups] = groups, i, 0
            groups += 1
        inverse[i] = table[at]
        scratch[table[at]] += 1
    count[0] = groups
    for g in range(groups):
        order[g], first[g], counts[g] = g, found[g], scratch[g]
    if ascending:
        merge_sort(x, found, order, scratch, groups)
        for g in range(groups):
            first[g], scratch[g], table[order[g]] = found[order[g]], counts[order[g]], g
        for g in range(groups):
            counts[g] = scratch[g]
        for i in range(size):
            inverse[i] = table[inverse[i]]


@lower(ops.UniqueOp)
def unique(b: Lowering, op: ops.UniqueOp, x: Tensor) -> tuple[Tensor | None, ...]:
    axis = None if op.axis is None else op.attr("axis") % x.rank
    rows = b.reshape(x, (x.size,)) if axis is None else x
    axis = axis or 0
    vector = ((rows.shape[axis],), INT64)
    names = ("order", "scratch", "found", "first", "counts", "inverse")
    parted = rows.rank > 1 or isinstance(rows.type.ir, ComplexType)
    slices = as_ordered(b, around(b, rows, axis) if parted else rows)
    table = ((2 * rows.shape[axis] + 1,), INT64)
    arrays: dict[str, Any] = {"x": slices, "table": table, **dict.fromkeys(names, vector), "count": ((1,), INT64)}
    *_, first, counts, inverse, count = b.kernel(find_distinct, arrays, {"ascending": op.attr("sorted") != 0})
    b.define_result_dim(op.y, 0, b.host_scalar(count).value)
    shape = b.shapes.of(op.y)
    found = (shape[axis],)
    return (
        _taken(b, rows, axis, first, shape),
        b.compute(found, INT64, lambda i: first[i]) if op.indices is not None else None,
        inverse if op.inverse_indices is not None else None,
        b.compute(found, INT64, lambda i: counts[i]) if op.counts is not None else None,
    )


# -- the largest


@inline
def outranks(p, at_p, q, at_q, largest):
    """Whether element p stands before element q among the largest (or smallest), equals by place; NaN counts as the largest."""
    wins, loses = goes_before(p, q, largest)
    return wins or (not loses and at_p < at_q)


@inline
def sink(values, places, o, j, at, size, value, place, largest):
    """Puts an element at a place of a heap whose root is the last in rank, and lets it sink to where it belongs."""
    while 2 * at + 1 < size:
        child = 2 * at + 1
        last = child + 1 == size
        if not last and outranks(values[o, child, j], places[o, child, j], values[o, child + 1, j], places[o, child + 1, j], largest):
            child += 1
        if not outranks(value, place, values[o, child, j], places[o, child, j], largest):
            break
        values[o, at, j], places[o, at, j] = values[o, child, j], places[o, child, j]
        at = child
    values[o, at, j], places[o, at, j] = value, place


@inline
def offer(values, places, o, j, count, value, place, largest):
    """Puts an element into a heap of the first in rank, of which `count` are there, if it belongs there; returns how many there are then.

    Elements come in the order of their places.
    """
    at = count
    if count == values.shape[1]:
        if count > 0 and outranks(value, place, values[o, 0, j], places[o, 0, j], largest):
            sink(values, places, o, j, 0, count, value, place, largest)
        return count
    while at > 0 and outranks(values[o, (at - 1) // 2, j], places[o, (at - 1) // 2, j], value, place, largest):
        up = (at - 1) // 2
        values[o, at, j], places[o, at, j] = values[o, up, j], places[o, up, j]
        at = up
    values[o, at, j], places[o, at, j] = value, place
    return count + 1


ABREAST = 32
"""Elements or boxes that are compared with one at once, without asking in between: a loop of vectors for LLVM."""

OFFER = 700
"""Picoseconds that an element takes to be offered, where most do not belong to the first."""

COLUMNS = 4
"""Columns for each element that is looked for, at least: their first ones let through few elements that are not among the first of all."""


@inline
def find_bound(x, o, firsts, values, places, largest):
    """An element of a row of x that the first in rank of the row do not come after: the last of the first among those of each column of
    the row, written in lines of that many."""
    size, columns, begin = x.shape[1], firsts.shape[1], o * x.shape[1]
    for g in range(columns):
        firsts[o, g] = x.flat[begin + g]
    for line in range(columns, size, columns):
        for g in range(min(columns, size - line)):
            value = x.flat[begin + line + g]
            wins, _ = goes_before(value, firsts[o, g], largest)
            firsts[o, g] = value if wins else firsts[o, g]
    count = 0
    for g in range(columns):
        count = offer(values, places, o, 0, count, firsts[o, g], g, largest)
    return values[o, 0, 0]


@inline
def offer_within(x, o, bound, values, places, largest):
    """Offers those elements of a row that do not come after the bound."""
    size, begin, count = x.shape[1], o * x.shape[1], 0
    for start in range(0, size, ABREAST):
        hits = i32(0)
        for n in range(start, min(start + ABREAST, size)):
            _, loses = goes_before(x.flat[begin + n], bound, largest)
            hits |= i32(not loses)
        if hits != 0:
            for n in range(start, min(start + ABREAST, size)):
                _, loses = goes_before(x.flat[begin + n], bound, largest)
                if not loses:
                    count = offer(values, places, o, 0, count, x.flat[begin + n], n, largest)


@kernel
def top_k(x: Array, firsts: Out, values: Out, places: Out, largest: bool, packed: bool):
    """The first elements in rank along the middle axis, and where they stand: kept in a heap, which is then sorted in place.

    Long rows that lie side by side (packed) offer only what may be among them.
    """
    k = values.shape[1]
    for u in parallel(x.shape[0] * x.shape[2], x.shape[1] * OFFER):
        o, j = u // x.shape[2], u % x.shape[2]
        if packed and k > 0 and x.shape[1] >= COLUMNS * firsts.shape[1]:
            offer_within(x, o, find_bound(x, o, firsts, values, places, largest), values, places, largest)
        else:
            count = 0
            for n in range(x.shape[1]):
                count = offer(values, places, o, j, count, x[o, n, j], n, largest)
        for done in range(1, k):
            last = k - done
            value, place = values[o, last, j], places[o, last, j]
            values[o, last, j], places[o, last, j] = values[o, 0, j], places[o, 0, j]
            sink(values, places, o, j, 0, last, value, place, largest)


@lower(ops.TopKOp)
def lower_top_k(b: Lowering, op: ops.TopKOp, x: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
    axis, shape = op.attr("axis") % x.rank, b.shapes.of(op.values)
    require_sizes(b, (shape[axis],), "k")
    require_at_most(b, shape[axis], x.shape[axis], "k")
    rows = around(b, x, axis)
    packed = rows.shape[2] == 1
    columns = minimum(ceildiv(COLUMNS * shape[axis], ABREAST) * ABREAST, rows.shape[1]) if packed else 1
    found = (rows.shape[0], shape[axis], rows.shape[2])
    arrays = {"x": rows, "firsts": ((rows.shape[0], columns), x.type), "values": (found, x.type), "places": (found, INT64)}
    _, values, places = b.kernel(top_k, arrays, {"largest": op.attr("largest") != 0, "packed": packed})
    return b.reshape(values, shape), b.reshape(places, shape)


# -- boxes


@inline
def corners(boxes, n, s, center):
    """A box's top, left, bottom and right."""
    p, q, r, t = boxes[n, s, 0], boxes[n, s, 1], boxes[n, s, 2], boxes[n, s, 3]
    if center:
        return q - t * 0.5, p - r * 0.5, q + t * 0.5, p + r * 0.5
    return min(p, r), min(q, t), max(p, r), max(q, t)


@inline
def overlaps_one(kept, count, top, left, bottom, right, bound):
    """Whether a box shares more of the union with one of the first `count` boxes kept than the bound; nothing where one has no area.

    kept: top, left, bottom, right and area (5, room); what stands in it beyond `count`, up to a multiple of ABREAST, does not matter.
    """
    area = (bottom - top) * (right - left)
    for start in range(0, count, ABREAST):
        hits = i32(0)
        for lane in range(ABREAST):
            m = start + lane
            bottom2, top2, right2, left2, area2 = kept[2, m], kept[0, m], kept[3, m], kept[1, m], kept[4, m]
            low, high = bottom if bottom < bottom2 else bottom2, top if top > top2 else top2
            end, begin = right if right < right2 else right2, left if left > left2 else left2
            height, width = low - high, end - begin
            shared = (height if height > 0.0 else height * 0.0) * (width if width > 0.0 else width * 0.0)
            union = area + area2 - shared
            ratio = shared / union
            some = (area > 0.0) & (area2 > 0.0) & (union > 0.0)
            hits |= i32(((ratio if some else shared * 0.0) > bound) & (m < count))
        if hits != 0:
            return True
    return False


@kernel
def suppress(
    boxes: Array,
    scores: Array,
    limit: Array | None,
    iou: Array | None,
    threshold: Array | None,
    values: Out,
    places: Out,
    kept: Out,
    chosen: Out,
    count: Out,
    classes: Size,
    center: bool,
):
    """The boxes of each batch and class from the best score on that overlap none chosen before.

    Scores wait in a heap: only those that come up are ever in order.
    """
    n, most = 0, 0
    if limit is not None:
        most = limit.flat[0]
    bound = cast(0, kept)
    if iou is not None:
        bound = iou.flat[0]
    for row in range(scores.shape[0]):
        batch, size, start = row // classes, 0, n
        for s in range(scores.shape[1]):
            above = True
            if threshold is not None:
                above = scores[row, s] > threshold.flat[0]
            if above:
                values[0, size, 0], places[0, size, 0] = scores[row, s], -s
                size += 1
        for k in range(size // 2):
            root = size // 2 - 1 - k
            sink(values, places, 0, 0, root, size, values[0, root, 0], places[0, root, 0], False)
        while size > 0 and n - start < most:
            best = -places[0, 0, 0]
            size -= 1
            sink(values, places, 0, 0, 0, size, values[0, size, 0], places[0, size, 0], False)
            top, left, bottom, right = corners(boxes, batch, best, center)
            if not overlaps_one(kept, n - start, top, left, bottom, right, bound):
                at = n - start
                kept[0, at], kept[1, at], kept[2, at], kept[3, at] = top, left, bottom, right
                kept[4, at] = (bottom - top) * (right - left)
                chosen[n, 0], chosen[n, 1], chosen[n, 2] = batch, row % classes, best
                n += 1
    count[0] = n


@kernel
def copy_head(x: Array, y: Out):
    """The first elements of x."""
    for i in range(y.size):
        y.flat[i] = x.flat[i]


@lower(NonMaxSuppressionOp)
def non_max_suppression(
    b: Lowering, op: NonMaxSuppressionOp, boxes: Tensor, scores: Tensor, limit: Tensor | None, iou: Tensor | None, threshold: Tensor | None
) -> Tensor:
    batch, classes, size = scores.shape
    known = b.shapes.ints(op.max_output_boxes_per_class)
    most = size if known is None else minimum(size, max(known[0], 0))
    arrays: dict[str, Any] = {
        "boxes": boxes,
        "scores": b.reshape(scores, (batch * classes, size)),
        "limit": limit,
        "iou": iou,
        "threshold": threshold,
        "values": ((1, size, 1), scores.type),
        "places": ((1, size, 1), INT64),
        "kept": ((5, most + ABREAST), boxes.type),
        "chosen": ((batch * classes * most, 3), INT64),
        "count": ((1,), INT64),
    }
    *_, chosen, count = b.kernel(suppress, arrays, {"center": op.attr("center_point_box") != 0}, [classes])
    b.define_result_dim(op.selected_indices, 0, b.host_scalar(count).value)
    return b.kernel(copy_head, {"x": chosen, "y": (b.shapes.of(op.selected_indices), INT64)})[0]
