"""What the host program checks before an operator runs: sizes that only the run knows. Lowerings of data movement call it."""

from __future__ import annotations

from collections.abc import Sequence

from ...dialects.onnx.dims import Dim, Shape, non_negative, product
from ..scalar import INDEX, Scalar, ScalarBuilder
from .builder import Lowering


def require_at_most(b: Lowering, small: Dim, large: Dim, what: str) -> None:
    """Ends the run with ITG5004 where a size is larger than it may be; known sizes are the shape inference's business."""
    if non_negative(large - small):
        return
    _require(b, small, large, "ITG5004", f"{_named(b, what, small)} is {{}}, but must be at most {{}}", small, large)


def require_equal(b: Lowering, found: Dim, expected: Dim, what: str) -> None:
    """Ends the run with ITG5002 where a size is not what it must be."""
    if found != expected:
        held = _host(b, found).equals(_host(b, expected))
        b.require(held.value, "ITG5002", f"{what} is {{}}, but must be {{}}", b.dim(found), b.dim(expected))


def require_sizes(b: Lowering, dims: Sequence[Dim], what: str) -> None:
    """Ends the run with ITG5004 where a size read from a tensor is negative."""
    for d in dims:
        if not non_negative(d):
            _require(b, 0, d, "ITG5004", f"{_named(b, what, d)} is {{}}, but must not be negative", d)


def require_not_zero(b: Lowering, d: Dim, what: str) -> None:
    """Ends the run with ITG5004 where a value read from a tensor is 0."""
    if not isinstance(d, int):
        b.require(_host(b, d).differs(0).value, "ITG5004", f"{_named(b, what, d)} must not be 0")


def require_not_one(b: Lowering, dims: Sequence[Dim]) -> None:
    """Ends the run with ITG5007 where a dimension that only the run knows is 1, and would have to vanish."""
    for k, d in enumerate(dims):
        if not isinstance(d, int):
            what = _named(b, f"dimension {k} of the result", d)
            b.require(_host(b, d).differs(1).value, "ITG5007", f"{what} is 1, and only axes remove it")


def require_axes(b: Lowering, axes: Sequence[Dim], count: Dim, rank: int) -> None:
    """Ends the run with ITG5030 where axes that it reads, the first `count` of these, are out of range or name an axis twice."""
    if not isinstance(count, int):
        require_at_most(b, count, rank, "the number of axes")
    found = [_host(b, a) for a in axes]
    found = [a.b.select(a < 0, a + rank, a) for a in found]
    for k, a in enumerate(found):
        held = a.b.all([a >= 0, a < rank, *(a.differs(other) for other in found[:k])])
        held = held if isinstance(count, int) else held | (_host(b, count) <= k)
        message = f"axis {k} of those read is {{}}, but must be one of {rank} and be named once"
        b.require(held.value, "ITG5030", message, b.dim(axes[k]))


def require_same_count(b: Lowering, source: Shape, target: Shape) -> None:
    """Ends the run with ITG5005 where a view has not as many elements as what it is of."""
    total, found = product(source), product(target)
    if total == found:
        return
    message = f"cannot view {_shown(b, source)} as {_shown(b, target)}: {{}} elements are not {{}}"
    b.require(_host(b, total).equals(_host(b, found)).value, "ITG5005", message, b.dim(total), b.dim(found))


def require_broadcast(b: Lowering, dims: Sequence[Dim], target: Shape) -> None:
    """Ends the run with ITG5006 where one of the last dimensions is neither 1 nor the target's."""
    for d, goal in zip(reversed(dims), reversed(target), strict=False):
        if d not in (1, goal):
            held = _host(b, d).equals(1) | _host(b, d).equals(_host(b, goal))
            b.require(held.value, "ITG5006", "a dimension of {} cannot be broadcast to {}", b.dim(d), b.dim(goal))


def require_elements(b: Lowering, d: Dim, needed_for: Dim, what: str) -> None:
    """Ends the run with ITG5020 where an axis is empty from which the elements of a result that is not are taken."""
    if isinstance(d, int) and d > 0:
        return
    held = (_host(b, d) > 0) | _host(b, needed_for).equals(0)
    b.require(held.value, "ITG5020", f"{what} is empty")


def _named(b: Lowering, what: str, d: Dim) -> str:
    """What a message calls a size: with its expression where that says something."""
    shown = b.shapes.readable(d)
    return what if shown is None else f"{what} ({_plain(shown)})"


def _shown(b: Lowering, shape: Shape) -> str:
    """A shape as messages print it, without expressions that tell a user nothing."""
    return _plain("x".join(b.shapes.readable(d) or "?" for d in shape) or "scalar")


def _plain(text: str) -> str:
    """A dimension's text where {} stands for a value: names come from the model."""
    return text.replace("{}", "{ }")


def _require(b: Lowering, small: Dim, large: Dim, code: str, message: str, *told: Dim) -> None:
    b.require((_host(b, small) <= _host(b, large)).value, code, message, *(b.dim(d) for d in told))


def _host(b: Lowering, d: Dim) -> Scalar:
    """A dimension as a scalar of the host program."""
    return ScalarBuilder(b.block).wrap(b.dim(d), INDEX)
