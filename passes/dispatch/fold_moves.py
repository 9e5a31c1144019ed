"""Lets contractions read and write elements where they lie: copies that only move them, before and after, become index maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from xdsl.context import Context
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import AffineMapAttr, ArrayAttr, ModuleOp, TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.passes import ModulePass

from ...dialects import dispatch, locations
from ..codegen.kernel import Factors, factors, times
from .structure import Size, dims_of, extents_of, is_identity, is_parallel, linear_terms, logical_dims, maps_of

ONE: Factors = (1, ())


class FoldMoves(ModulePass):
    """Folds copies into the reads of attention and into the writes of attention and matrix products."""

    name = "fold-moves"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        contracts = [o for o in op.walk() if isinstance(o, dispatch.ContractOp) and o.kind.data in ("matmul", "strassen", "attention")]
        for contract in contracts:
            if contract.reads is not None:
                _read_in_place(contract)
        for contract in contracts:
            _write_in_place(contract)
        for block in {id(b): b for c in op.walk() if (b := c.parent) is not None}.values():
            _erase_dead(block)


@dataclass(frozen=True)
class Linear:
    """constant + the sum of coefficient times loop."""

    terms: tuple[tuple[int, int], ...] = ()
    constant: int = 0

    @staticmethod
    def of(terms: Sequence[tuple[int | None, int]]) -> Linear:
        total: dict[int | None, int] = {}
        for loop, coefficient in terms:
            total[loop] = total.get(loop, 0) + coefficient
        constant = total.pop(None, 0)
        return Linear(tuple(sorted((loop, c) for loop, c in total.items() if loop is not None and c)), constant)

    def scaled(self, factor: int) -> list[tuple[int | None, int]]:
        return [*((loop, c * factor) for loop, c in self.terms), (None, self.constant * factor)]

    def divided(self, by: int, extents: Sequence[Factors]) -> tuple[Linear, Linear] | None:
        """Quotient and remainder, where these are linear, too."""
        whole, rest = divmod(self.constant, by)
        quotient: list[tuple[int | None, int]] = [(None, whole)]
        remainder: list[tuple[int | None, int]] = [(None, rest)]
        for loop, c in self.terms:
            (quotient if c % by == 0 else remainder).append((loop, c // by if c % by == 0 else c))
            if c % by and (c < 0 or extents[loop][1]):
                return None
            rest += 0 if c % by == 0 else c * (extents[loop][0] - 1)
        return (Linear.of(quotient), Linear.of(remainder)) if rest < by else None

    @property
    def expr(self) -> AffineExpr:
        terms = [AffineExpr.dimension(loop) * c if c != 1 else AffineExpr.dimension(loop) for loop, c in self.terms]
        if self.constant or not terms:
            terms.append(AffineExpr.constant(self.constant))
        return reduce(lambda a, b: a + b, terms)


Index = tuple[Linear, ...]


def size_of(size: Size) -> Factors:
    """A size as a product, taken apart where the host program multiplies."""
    if not isinstance(size, int) and isinstance(size.owner, arith.MuliOp):
        return times(size_of(size.owner.lhs), size_of(size.owner.rhs))
    return factors(size)


# Reads


def _read_in_place(contract: dispatch.ContractOp) -> None:
    """Attention's queries, keys and values from before they were split into heads, wherever a feature stays beside the next one."""
    assert contract.reads is not None
    *batch, m, n, depth, features = (size_of(d) for d in logical_dims(contract))
    operands = [(contract.lhs, (m, depth)), (contract.rhs, (n, depth)), (contract.values, (n, features))]
    packed = contract.layout.get_values()[1]
    maps = list(contract.reads.data)
    for position, (value, own) in enumerate(operands):
        if value is None or (position == 1 and packed):
            continue
        found, maps[position] = _source(value, maps[position].data, [*batch, *own])
        at = next(i for i, operand in enumerate(contract.operands) if operand is value and (i != 0 or position == 0))
        contract.operands[at] = found
    contract.properties["reads"] = ArrayAttr(maps)


def _source(value: SSAValue, map: AffineMap, extents: Sequence[Factors]) -> tuple[SSAValue, AffineMapAttr]:
    """Where a tensor's elements come from, the farthest off that still has elements along the last loop side by side."""
    index: Index | None = tuple(Linear.of(linear_terms(e)) for e in map.results)
    best = value, index
    last = len(extents) - 1
    while index is not None:
        owner = value.owner
        if isinstance(owner, dispatch.ReshapeOp):
            index = reindexed(index, _dims(value), _dims(owner.source), extents)
            value = owner.source
        elif (source := copied(owner)) is not None:
            index = _through(maps_of(owner)[list(owner.inputs).index(source)], index)  # type: ignore[union-attr]
            value = source
        else:
            break
        if index is not None and [e.terms for e in index if last in dict(e.terms)] == [index[-1].terms] and (last, 1) in index[-1].terms:
            best = value, index
    found, index = best
    assert index is not None
    return found, AffineMapAttr(AffineMap(len(extents), 0, tuple(e.expr for e in index)))


def _through(map: AffineMap, index: Index) -> Index | None:
    """The index by which a copy reads the element that it puts at `index`."""
    try:
        read = [linear_terms(e) for e in map.results]
    except ValueError:
        return None
    return tuple(Linear.of([term for d, c in terms for term in ([(None, c)] if d is None else index[d].scaled(c))]) for terms in read)


def copied(op: object) -> SSAValue | None:
    """What a generic copies, if that is all it does."""
    if not isinstance(op, linalg.GenericOp) or len(op.outputs) != 1 or not is_parallel(op) or not is_identity(maps_of(op)[-1]):
        return None
    inputs = [(x, a) for x, a in zip(op.inputs, op.body.block.args, strict=False) if not isinstance(x.owner, tensor.EmptyOp)]
    only = op.body.block.first_op
    return inputs[0][0] if len(inputs) == 1 and isinstance(only, linalg.YieldOp) and only.operands[0] is inputs[0][1] else None


def reindexed(index: Index, own: Sequence[Factors], other: Sequence[Factors], extents: Sequence[Factors]) -> Index | None:
    """The index of the same element under another shape; None where that is not linear in the loops."""
    groups = _groups(own, other)
    if groups is None:
        return None
    found: list[Linear] = []
    for mine, theirs in groups:
        if len(mine) == len(theirs) == 1:
            found.append(index[mine[0]])
            continue
        flat, stride = Linear(), 1
        for axis in reversed(mine):
            flat = Linear.of([*flat.scaled(1), *index[axis].scaled(stride)])
            if axis != mine[0]:
                if own[axis][1]:
                    return None
                stride *= own[axis][0]
        split: list[Linear] = []
        for axis in reversed(theirs[1:]):
            parts = None if other[axis][1] else flat.divided(other[axis][0], extents)
            if parts is None:
                return None
            flat, rest = parts
            split.insert(0, rest)
        found += [flat, *split] if theirs else []
    return tuple(found)


def _groups(own: Sequence[Factors], other: Sequence[Factors]) -> list[tuple[list[int], list[int]]] | None:
    """Axes of two shapes of the same elements, so that each group has as many elements in both."""
    if any(d[0] == 0 for d in (*own, *other)):
        return None
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(own) and j < len(other):
        a, b = own[i], other[j]
        mine, theirs = [i], [j]
        i, j = i + 1, j + 1
        while a != b:
            if _divides(a, b) and i < len(own):
                a, i = times(a, own[i]), i + 1
                mine.append(i - 1)
            elif _divides(b, a) and j < len(other):
                b, j = times(b, other[j]), j + 1
                theirs.append(j - 1)
            else:
                return None
        groups.append((mine, theirs))
    if any(d != ONE for d in (*own[i:], *other[j:])):
        return None
    return [*groups, *(([], [axis]) for axis in range(j, len(other)))]


def _divides(a: Factors, b: Factors) -> bool:
    left = list(b[1])
    for value in a[1]:
        if value not in left:
            return False
        left.remove(value)
    return b[0] % a[0] == 0


def _dims(value: SSAValue) -> list[Factors]:
    return [size_of(d) for d in dims_of(value)]


# Writes


def _write_in_place(contract: dispatch.ContractOp) -> None:
    """Puts the result where the copy that alone reads it would."""
    count = contract.batch.value.data
    sizes = logical_dims(contract)
    if contract.kind.data == "attention":
        *batch, m, _, _, n = (size_of(d) for d in sizes)
    else:
        batch, n = [size_of(d) for d in sizes[:count]], size_of(sizes[-1])
        m = ONE
        for d in sizes[count:-1]:
            m = times(m, size_of(d))
    if n[1] or not n[0] or contract.place is not None:
        return
    block = dispatch.column_block(n[0])
    if contract.kind.data != "attention" and (block != dispatch.BLOCK or contract.layout.get_values()[3] % block):
        return
    extents = [*batch, m, (n[0] // block, ()), (block, ())]
    index: Index | None = (*(Linear(((d, 1),)) for d in range(count + 1)), Linear(((count + 1, block), (count + 2, 1))))
    dims = [*batch, m, n]
    value, best = contract.result, None
    while index is not None and len(uses := list(value.uses)) == 1:
        user = uses[0].operation
        if user.parent is not contract.parent:
            break
        if isinstance(user, dispatch.ReshapeOp):
            value = user.result
            index = reindexed(index, dims, _dims(value), extents)
        elif copied(user) is not None and isinstance(user, linalg.GenericOp):
            index = _put(user, uses[0].index, index, dims, extents)
            value = user.results[0]
        else:
            break
        dims = _dims(value)
        if index is not None and isinstance(user, linalg.GenericOp) and _side_by_side(index, count):
            best = value, index
    if best is not None:
        _move(contract, *best, sizes)


def _put(copy: linalg.GenericOp, operand: int, index: Index, dims: Sequence[Factors], extents: Sequence[Factors]) -> Index | None:
    """Where a copy puts the element at `index` of a tensor of `dims`; None where it leaves some out, or the place is not linear."""
    loops = [size_of(d) for d in extents_of(copy)]
    map = maps_of(copy)[operand]
    if len(map.results) != len(index):
        return None
    places: dict[int, Linear] = {}
    for axis, e in enumerate(map.results):
        try:
            read = Linear.of(linear_terms(e))
        except ValueError:
            return None
        steps = sorted(read.terms, key=lambda term: -term[1])
        if read.constant or any(loop in places for loop, _ in steps) or not _covers(steps, loops, dims[axis]):
            return None
        rest = index[axis]
        for loop, _ in reversed(steps[1:]):
            parts = rest.divided(loops[loop][0], extents)
            if parts is None:
                return None
            rest, places[loop] = parts
        if steps:
            places[steps[0][0]] = rest
    if any(loop not in places and size != ONE for loop, size in enumerate(loops)):
        return None
    return tuple(places.get(loop, Linear()) for loop in range(len(loops)))


def _covers(steps: Sequence[tuple[int, int]], loops: Sequence[Factors], size: Factors) -> bool:
    """Whether loops of these steps, the longest first, visit each place of an axis once."""
    expected: Factors = ONE
    for loop, step in reversed(steps):
        if expected != (step, ()):
            return False
        expected = times(expected, loops[loop])
    return expected == size


def _side_by_side(index: Index, count: int) -> bool:
    """Whether places in a block of columns are side by side."""
    place = count + 2
    return [e.terms for e in index if place in dict(e.terms)] == [index[-1].terms] and (place, 1) in index[-1].terms


def _move(contract: dispatch.ContractOp, value: SSAValue, index: Index, sizes: Sequence[Size]) -> None:
    """The same contraction with its result where `value` lies, in the place of what made that."""
    copy = value.owner
    assert isinstance(copy, Operation) and isinstance(value.type, TensorType)
    new = dispatch.ContractOp(
        contract.kind.data,
        contract.lhs,
        contract.rhs,
        value.type,
        [d for d in dims_of(value) if isinstance(d, SSAValue)],
        extras=list(contract.extras),
        epilogue=contract.detach_region(contract.epilogue),
        extra_maps=contract.extra_maps.data,
        values=contract.values,
        shape=[d if isinstance(d, int) else -1 for d in sizes],
        sizes=[d for d in sizes if isinstance(d, SSAValue)],
    )
    kept = ("window", "batch", "layout", "products", "signed", "reads")
    new.properties.update((name, contract.properties[name]) for name in kept if name in contract.properties)
    loops = contract.batch.value.data + 3
    new.properties["place"] = AffineMapAttr(AffineMap(loops, 0, tuple(e.expr for e in index)))
    new.location = locations.fused(contract.location, copy.location)
    block = copy.parent
    assert block is not None
    block.insert_op_before(new, copy)
    new.result.name_hint = value.name_hint
    value.replace_all_uses_with(new.result)


def _erase_dead(block: Block) -> None:
    for op in reversed(list(block.ops)):
        if isinstance(op, linalg.GenericOp | dispatch.ReshapeOp | dispatch.ContractOp) and not any(r.uses for r in op.results):
            op.detach()
            op.erase()
