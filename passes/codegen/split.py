"""Cuts a kernel's parallel loops into units that a device may run apart, on several threads; every strategy loops through it.

The units of a kernel are numbered in the order of its loops. A kernel runs those from `begin` to `end`: its loops keep their form
and only start later and end sooner, so that a kernel that runs whole is as fast as one that was never cut. What a unit computes
does not depend on where the others run. How many there are, and what one costs, is told to the host program; see `Units`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, SSAValue

from ..dispatch.structure import Size
from .kernel import Factors, KernelBuilder, Units, factors, times

ENOUGH = 64
"""Loops are cut from the outermost inwards until they give so many units: a few for each thread there may be, so that uneven ones
balance."""

CHUNK = 1_000_000
"""Picoseconds of work that a unit has at least where the innermost loop is cut, so that vectors and prefetching get going."""

ALIGNED = 256
"""Where the innermost loop is cut and LLVM may make vectors of it, at multiples of this: of any unrolled vector, so that the same elements
are left over for the scalar end of the loop however it is cut."""

LONG = 100_000
"""Rounds of more picoseconds than this have loops of their own inside, and are not made vectors of."""

SMALL = 5_000_000
"""Kernels of less work than this many picoseconds are not cut: what is left of it for each thread is not worth handing over."""

MEMORY, ARITHMETIC, DIVISION, FUNCTION, LOOKUP = 150, 30, 150, 600, 1000
"""Picoseconds an element takes: to be read or written, for an operation on it, a division, a function such as exp, a read at an index.
From whole models on one core with AVX-512; what matters is which kernels take over 20 microseconds."""

VECTOR = 500
"""Picoseconds a vector takes to be read or written, most often from a cache; the others take a vector as long as an element."""

Indices = list[SSAValue]


def element_cost(op: linalg.GenericOp, *, vector: bool = False) -> int:
    """Picoseconds that one element of a generic takes, roughly, or a vector of them."""
    return (VECTOR if vector else MEMORY) * len(op.operands) + body_cost(op.body.block)


def body_cost(block: Block) -> int:
    """Picoseconds that the operations of a body take, roughly."""
    return sum(_cost(op.name) for op in block.ops)


def _cost(name: str) -> int:
    if name.endswith(".yield"):
        return 0
    if name.startswith("math."):
        return FUNCTION
    if name == "tensor.extract":
        return LOOKUP
    return DIVISION if name.startswith(("arith.div", "arith.rem")) else ARITHMETIC


def parallel(
    k: KernelBuilder,
    extents: Sequence[Size],
    cost: Factors,
    body: Callable[[Indices], object],
    step: int = 1,
    *,
    tiles: bool = False,
    hints: Mapping[str, Any] | None = None,
) -> None:
    """Loops over `extents`, the last in steps of `step`, whose rounds do not depend on each other; `body(indices)` is one.

    cost: picoseconds of one. tiles: rounds are made of vectors or have loops inside, so that LLVM makes no vectors of the last loop.
    hints: for LLVM, of the last loop.
    No kernel has more than one such nest.
    """
    if not extents:
        body([])
        return

    def row(outer: Indices, lower: Size, upper: Size) -> None:
        def one(i: SSAValue) -> None:
            body([*outer, i])

        k.loop(lower, upper, step, one, **(hints or {}))

    parallel_rows(k, extents, cost, row, step, tiles=tiles)


def parallel_rows(
    k: KernelBuilder,
    extents: Sequence[Size],
    cost: Factors,
    body: Callable[[Indices, Size, Size], None],
    step: int = 1,
    *,
    tiles: bool = False,
) -> None:
    """The same, the last loop being left to the body, which gets its bounds: `body(outer indices, lower, upper)`.

    The lower bound is a multiple of `step`, and so is the upper one unless it is the end.
    """
    cut, chunk = _cuts(k, extents, cost, step, tiles)
    last = len(extents) - 1

    def level(n: int, outer: Indices, lower: Size, upper: Size) -> None:
        """Loops n and those inside it, over the units from `lower` to `upper` of theirs; whole loops where `n` is not cut."""
        if n < cut - 1:
            inner = _units(k, extents[n + 1 : cut], chunk)

            def clipped(i: SSAValue) -> None:
                start = k.mul(i, inner)
                level(n + 1, [*outer, i], k.maximum(k.sub(lower, start), 0), k.minimum(k.sub(upper, start), inner))

            if extents[n] == 1:
                level(n + 1, [*outer, k.const(0)], lower, upper)
            else:
                k.loop(k.floordiv(lower, inner), k.ceildiv(upper, inner), 1, clipped)
            return
        if n >= cut:
            lower, upper = 0, extents[n]
        elif chunk != 1:
            lower, upper = k.mul(lower, chunk), k.minimum(k.mul(upper, chunk), extents[n])
        if n == last:
            body(outer, lower, upper)
        elif extents[n] == 1:
            level(n + 1, [*outer, k.const(0)], 0, 0)
        else:
            k.loop(lower, upper, 1, lambda i: level(n + 1, [*outer, i], 0, 0))

    if not cut:
        level(0, [], 0, 0)
        return
    rounds: Factors = (1, ())
    for n in range(cut, last + 1):
        rounds = times(rounds, factors(_rounds(k, extents[n], step if n == last else 1)))
    if cut > last:
        rounds = (chunk // step, ())
    k.units = Units(_units(k, extents[:cut], chunk), k.product(times(cost, rounds)))
    level(0, [], k.begin, k.end)


def _cuts(k: KernelBuilder, extents: Sequence[Size], cost: Factors, step: int, tiles: bool) -> tuple[int, int]:
    """(how many loops are cut, elements of the last of them in a unit); no loop is cut where that is not worth it."""
    known = [e for e in extents if isinstance(e, int)]
    total = cost[0]
    for e in known:
        total *= e
    static = len(known) == len(extents) and not cost[1]
    if not k.divisible or (static and total // step < SMALL):
        return 0, 1
    cut = count = 0
    while cut < len(extents) and (not isinstance(e := extents[cut], int) or e > 0):
        cut += 1
        count = max(count, 1) * (e if isinstance(e, int) else 1)
        if count >= ENOUGH and cut < len(extents):
            return cut, 1
    if cut < len(extents):
        return 0, 1
    chunk = 1 if cost[1] else -(-CHUNK // max(1, cost[0]))
    if step == 1 and cost[0] <= LONG and not cost[1] and not tiles:
        chunk = -(-chunk // ALIGNED) * ALIGNED
    innermost = extents[-1]
    if isinstance(innermost, int) and innermost <= chunk * step:
        return cut - 1, 1
    return cut, chunk * step


def _units(k: KernelBuilder, extents: Sequence[Size], chunk: int) -> Size:
    """How many units cut loops have, the last of them in chunks; worked out where the kernel begins."""
    total = factors(_rounds(k, extents[-1], chunk))
    for e in extents[:-1]:
        total = times(total, factors(e))
    return k.product(total)


def _rounds(k: KernelBuilder, extent: Size, step: int) -> Size:
    if step == 1:
        return extent
    with k.inside(k.entry):
        return k.ceildiv(extent, step)
