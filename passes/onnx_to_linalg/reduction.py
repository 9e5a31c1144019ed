"""Reductions over axes known now or at run time, extreme indices, running sums, and what normalises along one axis.

Other families take `Axes`, `fold` and `softmax` from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...dialects.kernel import Array, Out, cast, check, highest, i64, inline, kernel, local, lowest, unroll
from ...dialects.onnx import reduction as ops
from ...dialects.onnx.dims import Dim, Shape, equal, product, select
from ...dialects.onnx.types import BY_NAME, ElementType
from ..scalar import BOOL, DOUBLE, INDEX, INT64, Number, Scalar, ScalarBuilder
from .builder import Lowering, Tensor, element_type
from .elementwise import check_plain, wide
from .guards import require_elements, require_equal
from .registry import lower

Each = Callable[..., Scalar]
"""function(element, *indices) -> the scalar that is folded."""


@dataclass(frozen=True)
class Monoid:
    """A way to fold: its name in the kernel language, its combination of scalars, its neutral element for a type."""

    name: str
    combine: Callable[[ScalarBuilder, Scalar, Scalar], Scalar]
    neutral: Callable[[ElementType], Number]


def _lowest(t: ElementType) -> Number:
    if t.is_float:
        return float("-inf")
    return -(1 << (_bits(t) - 1)) if t.is_signed else 0


def _highest(t: ElementType) -> Number:
    if t.is_float:
        return float("inf")
    return (1 << (_bits(t) - 1)) - 1 if t.is_signed else (1 << _bits(t)) - 1


def _bits(t: ElementType) -> int:
    return t.ir.width.data  # type: ignore[union-attr]


SUM = Monoid("sum", lambda s, a, x: a + x, lambda t: 0)
PRODUCT = Monoid("product", lambda s, a, x: a * x, lambda t: 1)
MAX = Monoid("max", lambda s, a, x: a | x if x.type is BOOL else s.max(a, x), _lowest)
MIN = Monoid("min", lambda s, a, x: a & x if x.type is BOOL else s.min(a, x), _highest)


@dataclass(frozen=True)
class Axes:
    """Axes known now: which of a shape's axes fold, counted from the front and in order."""

    shape: Shape
    reduced: tuple[int, ...]

    @staticmethod
    def of(shape: Shape, axes: Sequence[int]) -> Axes:
        return Axes(tuple(shape), tuple(sorted(a % len(shape) for a in axes)))

    @property
    def count(self) -> Dim:
        """How many elements fold into one."""
        return product(self.shape[k] for k in self.reduced)

    def fold(self, b: Lowering, x: Tensor, monoid: Monoid, type: ElementType, each: Each | None = None) -> Tensor:
        return fold(b, x, self.reduced, monoid, type, each)


def fold(b: Lowering, x: Tensor, axes: Sequence[int], monoid: Monoid, type: ElementType, each: Each | None = None) -> Tensor:
    """Folds `each(element, *indices)`, by default the element itself, cast to `type`, over the axes, which are kept with size 1."""
    kept = [k for k in range(x.rank) if k not in axes]
    order = (*kept, *axes)

    def element(*loops: Any) -> Scalar:
        where = dict(zip(order, loops, strict=True))
        i = tuple(where[k] for k in range(x.rank))
        return b.s.cast(x[i] if each is None else each(x[i], *i), type)

    if not axes:
        return b.compute(x.shape, type, element)
    return b.reduce(
        tuple(x.shape[k] for k in kept),
        tuple(x.shape[k] for k in axes),
        type,
        lambda i, r: element(*i, *r),
        lambda a, v: monoid.combine(b.s, a, v),
        monoid.neutral(type),
        out_axes=[kept.index(k) if k in kept else None for k in range(x.rank)],
    )


def size_scalar(b: Lowering, n: Dim, type: ElementType) -> Scalar:
    """A size as a scalar of the type, inside a body."""
    return b.s.const(n, type) if isinstance(n, int) else b.s.cast(b.s.operand(b.index(n), INDEX), type)


# -- axes that only the run knows --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AxesOfTheRun:
    """Axes in a tensor that the program reads; `flags` are 1 for each axis that is reduced, 0 for the others. `Axes` otherwise."""

    shape: Shape
    axes: Tensor
    flags: list[Dim]
    all_of_none: bool

    @property
    def count(self) -> Dim:
        return product(select(r, d, 1) for d, r in zip(self.shape, self.flags, strict=True))

    def fold(self, b: Lowering, x: Tensor, monoid: Monoid, type: ElementType, each: Each | None = None) -> Tensor:
        held = BY_NAME["uint8"] if type is BOOL else type
        values = b.compute(x.shape, held, lambda *i: b.s.cast(x[i] if each is None else each(x[i], *i), held))
        kept = tuple(select(r, 1, d) for d, r in zip(self.shape, self.flags, strict=True))
        arrays = {"x": values, "axes": self.axes, "y": ((product(kept),), held)}
        (folded,) = b.kernel(fold_at_axes, arrays, {"how": monoid.name, "all_of_none": self.all_of_none})
        return b.cast(b.reshape(folded, kept), type)

    def define_result(self, b: Lowering, op: ops.ReduceOp) -> None:
        """Checks the axes and, where reduced dimensions are dropped, says which sizes are left."""
        s = ScalarBuilder(b.block)
        named, listed = (s.wrap(b.dim(n), INDEX) for n in (sum(self.flags), op.reduced_count(b.shapes)))
        b.require(named.equals(listed).value, "ITG5030", f"axes must differ from each other and lie within the rank {len(self.flags)}")
        if op.attr("keepdims"):
            return
        left = len(b.shapes.of(op.results[0]))
        require_equal(b, sum(self.flags), len(self.shape) - left, "the number of axes reduced")
        place: Dim = 0
        terms: list[list[Dim]] = [[] for _ in range(left)]
        for d, r in zip(self.shape, self.flags, strict=True):
            for k in range(left):
                terms[k].append(select(r, 0, select(equal(place, k), d, 0)))
            place = place + (1 - r)
        for k in range(left):
            b.define_result_dim(op.results[0], k, b.dim(sum(terms[k])))


@kernel
def fold_at_axes(x: Array, axes: Array, y: Out, how: str, all_of_none: bool):
    """Folds x over the axes into y, which is flat and without them; over all for none, if asked.

    Axes out of range are passed over: the host has refused them.
    """
    step = local(i64, x.rank)
    place = local(i64, x.rank)
    for k in range(x.rank):
        step[k], place[k] = 1, 0
        if all_of_none:
            step[k] = min(axes.size, 1)
    for a in range(axes.size):
        axis = axes.flat[a]
        if axis < 0:
            axis += x.rank
        if axis >= 0 and axis < x.rank:
            step[axis] = 0
    stride = 1
    for d in unroll(x.rank):
        if step[x.rank - 1 - d] == 1:
            step[x.rank - 1 - d] = stride
            stride *= x.shape[x.rank - 1 - d]

    for j in range(y.size):
        if how == "sum":
            y[j] = cast(0, y)
        elif how == "product":
            y[j] = cast(1, y)
        elif how == "max":
            y[j] = lowest(y)
        else:
            y[j] = highest(y)

    at = 0
    for i in range(x.size):
        if how == "sum":
            y[at] += x.flat[i]
        elif how == "product":
            y[at] *= x.flat[i]
        elif how == "max":
            y[at] = max(y[at], x.flat[i])
        else:
            y[at] = min(y[at], x.flat[i])
        running = True
        for d in unroll(x.rank):
            if running:
                place[x.rank - 1 - d] += 1
                at += step[x.rank - 1 - d]
                if place[x.rank - 1 - d] < x.shape[x.rank - 1 - d]:
                    running = False
                else:
                    at -= step[x.rank - 1 - d] * x.shape[x.rank - 1 - d]
                    place[x.rank - 1 - d] = 0


def _axes_of(b: Lowering, op: ops.ReduceOp, data: Tensor, axes: Tensor | None) -> Axes | AxesOfTheRun:
    known = ops.reduced_axes(op, b.shapes)
    if known is not None:
        return Axes.of(data.shape, known)
    assert axes is not None, "without axes all are reduced"
    found = AxesOfTheRun(data.shape, axes, op.flags(b.shapes), not op.attr("noop_with_empty_axes"))
    found.define_result(b, op)
    return found


# -- reductions --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reduction:
    """What a Reduce operator does: to each element, how it folds, and what becomes of a fold of n elements."""

    monoid: Monoid
    each: Callable[[ScalarBuilder, Scalar], Scalar] = lambda s, x: x
    after: Callable[[ScalarBuilder, Scalar, Scalar], Scalar] = lambda s, x, n: x


def _square_root(s: ScalarBuilder, x: Scalar, n: Scalar) -> Scalar:
    return s.cast(s.sqrt(x if x.type.is_float else s.cast(x, DOUBLE)), x.type)


REDUCTIONS: dict[type[ops.ReduceOp], Reduction] = {
    ops.ReduceSumOp: Reduction(SUM),
    ops.ReduceProdOp: Reduction(PRODUCT),
    ops.ReduceMaxOp: Reduction(MAX),
    ops.ReduceMinOp: Reduction(MIN),
    ops.ReduceMeanOp: Reduction(SUM, after=lambda s, x, n: x / n),
    ops.ReduceL1Op: Reduction(SUM, each=lambda s, x: s.abs(x)),
    ops.ReduceL2Op: Reduction(SUM, each=lambda s, x: x * x, after=_square_root),
    ops.ReduceSumSquareOp: Reduction(SUM, each=lambda s, x: x * x),
    ops.ReduceLogSumOp: Reduction(SUM, after=lambda s, x, n: s.log(x)),
}
"""What is not here is `reduce_log_sum_exp`, which takes two folds."""


@lower(*REDUCTIONS)
def reduce(b: Lowering, op: ops.ReduceOp, data: Tensor, axes: Tensor | None) -> Tensor:
    check_plain(b, data.type)
    rule, computed = REDUCTIONS[type(op)], wide(data.type)
    chosen = _axes_of(b, op, data, axes)
    folded = chosen.fold(b, data, rule.monoid, computed, lambda x, *i: rule.each(b.s, b.s.cast(x, computed)))
    return _finished(b, op, folded, lambda x: rule.after(b.s, x, size_scalar(b, chosen.count, computed)))


@lower(ops.ReduceLogSumExpOp)
def reduce_log_sum_exp(b: Lowering, op: ops.ReduceLogSumExpOp, data: Tensor, axes: Tensor | None) -> Tensor:
    """The largest element is taken out of the exponentials, which then cannot overflow."""
    type = wide(data.type)
    chosen = _axes_of(b, op, data, axes)
    largest = chosen.fold(b, data, MAX, type)
    shift = b.compute(largest.shape, type, lambda *i: b.s.select(b.s.isinf(largest[i]), 0.0, largest[i]))
    total = chosen.fold(b, data, SUM, type, lambda x, *i: b.s.exp(b.s.cast(x, type) - shift.at(i)))
    logarithm = b.compute(total.shape, type, lambda *i: b.s.log(total[i]) + shift[i])
    return _finished(b, op, logarithm, lambda x: x)


def _finished(b: Lowering, op: ops.ReduceOp, folded: Tensor, after: Callable[[Scalar], Scalar]) -> Tensor:
    """The result of a fold with kept dimensions, in the operator's element type and shape."""
    to = element_type(op.results[0])
    done = b.compute(folded.shape, to, lambda *i: b.s.cast(after(folded[i]), to))
    return b.reshape(done, b.shapes.of(op.results[0]))


# -- extreme indices ---------------------------------------------------------------------------------------------------------


@lower(ops.ArgMaxOp, ops.ArgMinOp)
def arg(b: Lowering, op: ops.ArgOp, data: Tensor) -> Tensor:
    last, result = bool(op.attr("select_last_index")), b.shapes.of(op.reduced)
    require_elements(b, data.shape[op.attr("axis") % data.rank], product(result), f"axis {op.attr('axis')} of the input")
    found = extreme_index(b, data, op.attr("axis"), MAX if isinstance(op, ops.ArgMaxOp) else MIN, last=last)
    return b.reshape(found, result)


def extreme_index(b: Lowering, x: Tensor, axis: int, extreme: Monoid, *, last: bool = False) -> Tensor:
    """The int64 index along the axis, kept with size 1, of the first (or last) extreme element; NaN counts as the extreme.

    Of no elements it is the limit of int64."""
    axis %= x.rank
    best = fold(b, x, (axis,), extreme, x.type)

    def index(v: Scalar, *i: Any) -> Scalar:
        hit = v.equals(best.at(i))
        hit = hit | b.s.isnan(v) if x.type.is_float else hit
        return b.s.select(hit, b.s.cast(i[axis], INT64), (MAX if last else MIN).neutral(INT64))

    return fold(b, x, (axis,), MAX if last else MIN, INT64, index)


# -- running sums and products -----------------------------------------------------------------------------------------------


@lower(ops.CumSumOp, ops.CumProdOp)
def running(b: Lowering, op: ops.RunningOp, x: Tensor, axis: Tensor) -> Tensor:
    check_plain(b, x.type)
    attrs = {"total": isinstance(op, ops.CumSumOp), "exclusive": bool(op.attr("exclusive")), "reverse": bool(op.attr("reverse"))}
    (y,) = b.kernel(run_along, {"x": x, "axis": axis, "y": (b.shapes.of(op.y), x.type)}, attrs)
    return y


SUMS = 4
"""Rows summed side by side along the last axis: no sum has to wait for the one before it in its row."""


@kernel
def run_along(x: Array, axis: Array, y: Out, total: bool, exclusive: bool, reverse: bool):
    """y[.., j, ..] = the sum (total) or product of x[.., k, ..] for k up to j, along the axis that `axis` holds."""
    k = int(axis.flat[0])
    if k < 0:
        k += x.rank
    check(k >= 0 and k < x.rank, "ITG5031", "axis {} is outside of [{}, {})", int(axis.flat[0]), -x.rank, x.rank)
    if x.size == 0 or k < 0 or k >= x.rank:
        return
    n = 0
    for d in unroll(x.rank):
        if d == k:
            n = x.shape[d]
    inner = x.strides[k]
    outer = x.size // (n * inner)
    if inner == 1:
        together = outer - outer % SUMS
        for row in range(0, together, SUMS):
            run_along_rows(x, y, row, SUMS, n, total, exclusive, reverse)
        for row in range(together, outer):
            run_along_rows(x, y, row, 1, n, total, exclusive, reverse)
        return
    for o in range(outer):
        for step in range(n):
            j = n - 1 - step if reverse else step
            at = (o * n + j) * inner
            before = at + inner if reverse else at - inner
            for i in range(inner):
                if exclusive and step == 0:
                    y.flat[at + i] = cast(0, y) if total else cast(1, y)
                elif exclusive:
                    y.flat[at + i] = running_on(y.flat[before + i], x.flat[before + i], total)
                elif step == 0:
                    y.flat[at + i] = x.flat[at + i]
                else:
                    y.flat[at + i] = running_on(y.flat[before + i], x.flat[at + i], total)


@inline
def run_along_rows(x, y, row, rows, n, total, exclusive, reverse):
    """As many rows from one on, the sums in registers."""
    sums = local(y, rows)
    for r in unroll(rows):
        sums[r] = cast(0, y) if total else cast(1, y)
    for step in range(n):
        j = n - 1 - step if reverse else step
        for r in unroll(rows):
            at = (row + r) * n + j
            before = sums[r]
            sums[r] = running_on(before, x.flat[at], total)
            y.flat[at] = before if exclusive else sums[r]


@inline
def running_on(sum, value, total):
    return sum + value if total else sum * value


# -- along one axis ----------------------------------------------------------------------------------------------------------


@lower(ops.SoftmaxOp)
def _(b: Lowering, op: ops.SoftmaxOp, x: Tensor) -> Tensor:
    return softmax(b, x, op.attr("axis"))


def softmax(b: Lowering, x: Tensor, axis: int = -1) -> Tensor:
    """Softmax along an axis in the element type of x; 16-bit floats are computed in float."""
    type, axes = wide(x.type), (axis % x.rank,)
    largest = fold(b, x, axes, MAX, type)
    powers = b.compute(x.shape, type, lambda *i: b.s.weight(b.s.cast(x[i], type) - largest.at(i)))
    total = fold(b, powers, axes, SUM, type)
    scale = b.compute(total.shape, type, lambda *i: 1.0 / total[i])
    return b.compute(x.shape, x.type, lambda *i: b.s.cast(powers[i] * scale.at(i), x.type), doc="Softmax")


@lower(ops.LogSoftmaxOp)
def _(b: Lowering, op: ops.LogSoftmaxOp, x: Tensor) -> Tensor:
    return log_softmax(b, x, op.attr("axis"))


def log_softmax(b: Lowering, x: Tensor, axis: int) -> Tensor:
    """The logarithm of softmax along an axis, as x - max - log(sum e^(x - max)): small probabilities keep their precision."""
    type, axes = wide(x.type), (axis % x.rank,)
    largest = fold(b, x, axes, MAX, type)
    total = fold(b, x, axes, SUM, type, lambda v, *i: b.s.weight(b.s.cast(v, type) - largest.at(i)))
    shift = b.compute(total.shape, type, lambda *i: b.s.log(total[i]))
    return b.compute(x.shape, x.type, lambda *i: b.s.cast(b.s.cast(x[i], type) - largest.at(i) - shift.at(i), x.type), doc="LogSoftmax")


@lower(ops.HardmaxOp)
def _(b: Lowering, op: ops.HardmaxOp, x: Tensor) -> Tensor:
    axis = op.attr("axis") % x.rank
    first = extreme_index(b, x, axis, MAX)
    return b.compute(x.shape, x.type, lambda *i: b.s.select(first.at(i).equals(i[axis]), b.s.const(1.0, x.type), 0.0), doc="Hardmax")


@lower(ops.LpNormalizationOp)
def _(b: Lowering, op: ops.LpNormalizationOp, x: Tensor) -> Tensor:
    """Where the norm is 0, so is the result."""
    type, axes, manhattan = wide(x.type), (op.attr("axis") % x.rank,), op.attr("p") == 1

    def each(v: Scalar, *i: Any) -> Scalar:
        v = b.s.cast(v, type)
        return b.s.abs(v) if manhattan else v * v

    total = fold(b, x, axes, SUM, type, each)
    norm = total if manhattan else b.compute(total.shape, type, lambda *i: b.s.sqrt(total[i]))

    def element(*i: Any) -> Scalar:
        n = norm.at(i)
        return b.s.cast(b.s.select(n.equals(0.0), 0.0, b.s.cast(x[i], type) / n), x.type)

    return b.compute(x.shape, x.type, element, doc="LpNormalization")


@lower(ops.MeanVarianceNormalizationOp)
def _(b: Lowering, op: ops.MeanVarianceNormalizationOp, x: Tensor) -> Tensor:
    """The specification adds 1e-9 to the deviation."""
    type = wide(x.type)
    mean, variance = moments(b, x, [a % x.rank for a in op.attr("axes")], type)
    scale = b.compute(variance.shape, type, lambda *i: 1.0 / (b.s.sqrt(variance[i]) + 1e-9))
    return b.compute(x.shape, x.type, lambda *i: b.s.cast((b.s.cast(x[i], type) - mean.at(i)) * scale.at(i), x.type))


def moments(b: Lowering, x: Tensor, axes: Sequence[int], type: ElementType) -> tuple[Tensor, Tensor]:
    """Mean and variance (of the population) over the axes, kept with size 1, computed in `type`.

    The variance is the mean of squared distances from the mean: the difference of the mean square and the squared mean would lose
    everything to cancellation where the mean is large.
    """
    axes = sorted(axes)
    n = product(x.shape[a] for a in axes)
    total = fold(b, x, axes, SUM, type)
    mean = b.compute(total.shape, type, lambda *i: total[i] / size_scalar(b, n, type))

    def squared(v: Scalar, *i: Any) -> Scalar:
        distance = b.s.cast(v, type) - mean.at(i)
        return distance * distance

    squares = fold(b, x, axes, SUM, type, squared)
    return mean, b.compute(squares.shape, type, lambda *i: squares[i] / size_scalar(b, n, type))
