"""The kernel under construction: buffers as memrefs, index arithmetic, loops. Every strategy of this folder builds through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    IndexType,
    IntegerAttr,
    MemRefType,
    NoneAttr,
    StridedLayoutAttr,
    TensorType,
    UnitAttr,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineMap

from ...dialects.dispatch import kernel_attributes
from ..dispatch.structure import Size, constant_index, linear_terms

Factors: TypeAlias = "tuple[int, tuple[SSAValue, ...]]"
"""A product: an integer times index values, kept apart so that equal strides compare equal."""


def factors(size: Size) -> Factors:
    if isinstance(size, int):
        return size, ()
    known = constant_index(size)
    return (known, ()) if known is not None else (1, (size,))


def times(a: Factors, b: Factors) -> Factors:
    if a[0] * b[0] == 0:
        return 0, ()
    return a[0] * b[0], tuple(sorted((*a[1], *b[1]), key=id))


def row_major(dims: Sequence[Size]) -> list[Factors]:
    """How many elements each dimension's next index lies ahead."""
    result: list[Factors] = []
    stride: Factors = (1, ())
    for d in reversed(dims):
        result.insert(0, stride)
        stride = times(stride, factors(d))
    return result


@dataclass(frozen=True, eq=False)
class Buffer:
    """A kernel argument: its 1-d memref and the row-major dimensions it holds."""

    memref: SSAValue
    dims: tuple[Size, ...]
    element: Attribute

    def strides(self) -> list[Factors]:
        """Row-major strides in elements."""
        return row_major(self.dims)


@dataclass(eq=False)
class View:
    """A buffer seen with one stride for each loop: `load` and `store` take loop indices, loops with stride 0 repeat."""

    memref: SSAValue
    strides: tuple[Factors, ...]


@dataclass(frozen=True, eq=False)
class Units:
    """What a kernel's work is cut into: how many units, and the picoseconds that one takes, roughly.

    Both are numbers or index values of the kernel's entry block, made of its constants by arithmetic alone.
    """

    count: Size
    cost: Size


class KernelBuilder:
    """Builds one kernel function at the loop level.

    divisible: whether its work may be cut into units; `units` says into which, None where it runs whole.
    """

    def __init__(self, *, divisible: bool = True) -> None:
        self.entry = Block()
        self.block = self.entry
        self.divisible = divisible
        self.units: Units | None = None
        self._constants: dict[int, SSAValue] = {}
        self._products: dict[Factors, SSAValue] = {}

    # -- building

    def emit(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0] if op.results else None  # type: ignore[return-value]

    @contextmanager
    def inside(self, block: Block):
        outer, self.block = self.block, block
        try:
            yield
        finally:
            self.block = outer

    def const(self, n: int) -> SSAValue:
        """An index constant, at the top of the kernel."""
        if n not in self._constants:
            op = arith.ConstantOp(IntegerAttr(n, IndexType()))
            first = self.entry.first_op
            if first is None:
                self.entry.add_op(op)
            else:
                self.entry.insert_op_before(op, first)
            self._constants[n] = op.result
        return self._constants[n]

    def index(self, size: Size) -> SSAValue:
        return self.const(size) if isinstance(size, int) else size

    def product(self, f: Factors) -> Size:
        """The product as a number or an index value made in the entry block."""
        if not f[1]:
            return f[0]
        if f not in self._products:
            values = list(f[1]) + ([self.const(f[0])] if f[0] != 1 else [])
            total = values[0]
            with self.inside(self.entry):
                for v in values[1:]:
                    total = self.emit(arith.MuliOp(total, v))
            self._products[f] = total
        return self._products[f]

    def add(self, a: Size, b: Size) -> Size:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.emit(arith.AddiOp(self.index(a), self.index(b)))

    def mul(self, a: Size, b: Size) -> Size:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 1 or b == 1:
            return b if a == 1 else a
        return self.emit(arith.MuliOp(self.index(a), self.index(b)))

    def sub(self, a: Size, b: Size) -> Size:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        if b == 0:
            return a
        return self.emit(arith.SubiOp(self.index(a), self.index(b)))

    def ceildiv(self, a: Size, b: Size) -> Size:
        if isinstance(a, int) and isinstance(b, int):
            return -(-a // b)
        return self.floordiv(self.add(a, self.sub(b, 1)), b)

    def floordiv(self, a: Size, b: Size) -> Size:
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        if b == 1:
            return a
        return self.emit(arith.DivUIOp(self.index(a), self.index(b)))

    def minimum(self, a: Size, b: Size) -> Size:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.emit(arith.MinSIOp(self.index(a), self.index(b)))

    def maximum(self, a: Size, b: Size) -> Size:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return self.emit(arith.MaxSIOp(self.index(a), self.index(b)))

    # -- memory

    def view(self, buffer: Buffer, map: AffineMap, loops: Sequence[int], extents: Sequence[Size], offset: int = 0) -> View:
        """The buffer through an affine indexing map: one stride for each of `loops` (positions in the map's dimensions)."""
        by_loop: dict[int, list[Factors]] = {}
        constant: list[Factors] = [(offset, ())] if offset else []
        for expr, stride in zip(map.results, buffer.strides(), strict=True):
            for loop, coefficient in linear_terms(expr):
                if loop is None:
                    constant.append(times((coefficient, ()), stride))
                else:
                    by_loop.setdefault(loop, []).append(times((coefficient, ()), stride))
        strides = tuple(self._sum(by_loop.get(loop, [])) for loop in loops)
        start = self._sum(constant)
        return self.strided(buffer, self.product(start), strides, extents)

    def _sum(self, terms: list[Factors]) -> Factors:
        """Adds products: like terms merge, unlike ones become one index value."""
        merged: dict[tuple[SSAValue, ...], int] = {}
        for number, values in terms:
            merged[values] = merged.get(values, 0) + number
        kept = [(n, v) for v, n in merged.items() if n]
        if not kept:
            return 0, ()
        if len(kept) == 1:
            return kept[0]
        with self.inside(self.entry):
            total = self.product(kept[0])
            for f in kept[1:]:
                total = self.add(total, self.product(f))
        return factors(total)

    def strided(self, buffer: Buffer, offset: Size, strides: Sequence[Factors], extents: Sequence[Size]) -> View:
        sizes = [1 if isinstance(e, int) and e == 0 else e for e in extents]
        amounts = [self.product(s) for s in strides]
        static = [a if isinstance(a, int) else None for a in amounts]
        layout = StridedLayoutAttr(
            [s if s is not None else NoneAttr() for s in static],  # type: ignore[arg-type]
            offset if isinstance(offset, int) else NoneAttr(),  # type: ignore[arg-type]
        )
        shape = [d if isinstance(d, int) else DYNAMIC_INDEX for d in sizes]
        with self.inside(self.entry):
            op = memref.ReinterpretCastOp.from_dynamic(
                buffer.memref,
                [offset],
                sizes,
                amounts,
                MemRefType(buffer.element, shape, layout),
            )
            value = self.emit(op)
        return View(value, tuple(strides))

    def whole(self, buffer: Buffer) -> SSAValue:
        """The buffer as an N-d memref in row-major order."""
        return self.strided(buffer, 0, buffer.strides(), buffer.dims).memref

    def scratch(self, shape: Sequence[int], element: Attribute) -> SSAValue:
        """A small array on the stack."""
        with self.inside(self.entry):
            return self.emit(memref.AllocaOp.get(element, 64, list(shape)))

    # -- loops

    def loop(
        self,
        lower: Size,
        upper: Size,
        step: int,
        body: Callable[..., Sequence[SSAValue] | None],
        carried: Sequence[SSAValue] = (),
        **attributes: Attribute,
    ) -> list[SSAValue]:
        """`for i in range(lower, upper, step)`; `body(i, *carried)` returns the next carried values. Returns the last ones."""
        block = Block(arg_types=[IndexType(), *(c.type for c in carried)])
        lower_v, upper_v, step_v = self.index(lower), self.index(upper), self.const(step)
        with self.inside(block):
            values = body(block.args[0], *block.args[1:]) or ()
            self.emit(scf.YieldOp(*values))
        op = scf.ForOp(lower_v, upper_v, step_v, list(carried), Region(block))
        op.attributes.update(attributes)
        self.block.add_op(op)
        return list(op.results)

    def if_(
        self,
        condition: SSAValue,
        then: Callable[[], Sequence[SSAValue] | None],
        otherwise: Callable[[], Sequence[SSAValue] | None] | None = None,
    ) -> list[SSAValue]:
        blocks: list[Block] = []
        types: list[Attribute] = []
        for branch in (then, otherwise or (lambda: ())):
            block = Block()
            with self.inside(block):
                values = list(branch() or ())
                self.emit(scf.YieldOp(*values))
            types = [v.type for v in values]
            blocks.append(block)
        op = scf.IfOp(condition, types, Region(blocks[0]), Region(blocks[1]) if otherwise or types else Region(Block([scf.YieldOp()])))
        self.block.add_op(op)
        return list(op.results)

    # -- finishing

    def argument(self, type: Attribute) -> SSAValue:
        return self.entry.insert_arg(type, len(self.entry.args))

    def bounds(self) -> None:
        """The last two arguments: the units to run, from `begin` to `end`."""
        self.begin, self.end = self.argument(IndexType()), self.argument(IndexType())

    def finish(self, name: str) -> func.FuncOp:
        """The kernel function in the kernel ABI: memrefs, constants, begin, end."""
        self.entry.add_op(func.ReturnOp())
        kernel = func.FuncOp(name, ([a.type for a in self.entry.args], []), Region(self.entry))
        kernel.attributes.update(kernel_attributes())
        kernel.attributes["noalias"] = UnitAttr()
        return kernel


def flat_type(type: TensorType) -> MemRefType:
    """The memref by which a kernel takes a tensor."""
    return MemRefType(type.element_type, [DYNAMIC_INDEX])


UNROLL_FULL: dict[str, Any] = {"unroll": UnitAttr()}


def unroll(n: int) -> dict[str, Attribute]:
    return {"unroll": IntegerAttr(n, i64)}
