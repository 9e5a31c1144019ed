"""What lowerings build with: tensors with symbolic shapes, and `compute`, `reduce` and friends that turn Python expressions over
indices into linalg.generic. Called by every family module beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from xdsl.dialects import arith, func, scf, tensor
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AffineMapAttr,
    IndexType,
    IntegerAttr,
    StringAttr,
    TensorType,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorType, IteratorTypeAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap

from ...dialects import dispatch
from ...dialects.kernel import ParameterKind
from ...dialects.onnx.base import OnnxOp
from ...dialects.onnx.dims import Call, Dim, Shape, SymDim, broadcast_parts, product, symbol
from ...dialects.onnx.shapes import Shapes
from ...dialects.onnx.types import BY_IR, ElementType
from ...errors import UnsupportedError
from ..scalar import INDEX, INT64, STRING, Number, Scalar, ScalarBuilder, storage
from .texts import TextPool
from .trace import Idx, Index, Trace

PARALLEL, REDUCTION = IteratorTypeAttr(IteratorType.PARALLEL), IteratorTypeAttr(IteratorType.REDUCTION)
INLINE_CONSTANT = 1
"""Constants of up to this many elements become literals in kernel bodies instead of operands."""


@dataclass(eq=False)
class Tensor:
    """A tensor value on the linalg level: `shape` in symbolic dims, `type` the ONNX element type (the IR is signless).

    Inside a body, `x[i, j]` is the element there as a `Scalar`. `constant` holds the elements where they are known and few.
    """

    b: Lowering
    value: SSAValue
    shape: Shape
    type: ElementType
    constant: np.ndarray | None = None

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Dim:
        return product(self.shape)

    def __getitem__(self, indices: Any) -> Scalar:
        indices = indices if isinstance(indices, tuple) else (indices,)
        return self.b.trace.access(self, indices)

    def at(self, indices: Sequence[Idx]) -> Scalar:
        """The element at the indices of a shape that this tensor broadcasts to (right-aligned, size-1 axes repeat)."""
        return self.b.trace.access(self, self.b.broadcast_indices(self, indices))

    def scalar(self) -> Scalar:
        """The only element of a tensor with one element."""
        return self[(0,) * self.rank]


@dataclass
class _Scope:
    """A block being filled, the dimensions already worked out in it, and the broadcasts already checked."""

    block: Block
    dims: dict[Dim, SSAValue] = field(default_factory=dict)
    broadcasts: set[tuple[Dim, Dim]] = field(default_factory=set)


class Lowering:
    """The state of one function's lowering: insertion point, lowered values, materialised dimensions, the open body if any."""

    def __init__(self, shapes: Shapes, block: Block, module_block: Block, target: Any = None) -> None:
        self.shapes = shapes
        self.target = target
        self.module_block = module_block
        self.values: dict[SSAValue, Any] = {}
        self.weights: dict[str, np.ndarray] = {}
        self.texts = TextPool()
        self.packed: dict[Any, Tensor] = {}
        self._scopes = [_Scope(block)]
        self._traces: list[Trace] = []
        self._serial = itertools.count()
        self._instances: dict[tuple[Any, ...], str] = {}
        self._weight_ops: dict[str, SSAValue] = {}
        self.op: OnnxOp | None = None

    # -- insertion

    @property
    def block(self) -> Block:
        return self._scopes[-1].block

    @property
    def trace(self) -> Trace:
        if not self._traces:
            raise RuntimeError("tensor elements can only be read inside compute or reduce; read host scalars with host_scalar")
        return self._traces[-1]

    def emit(self, op: Operation) -> SSAValue:
        """Appends an operation to the host program; returns its first result."""
        if self.op is not None:
            op.location = self.op.location
        self.block.add_op(op)
        return op.results[0] if op.results else None  # type: ignore[return-value]

    @contextmanager
    def scope(self, block: Block):
        """Everything built inside goes to `block`, a region nested in the current one."""
        self._scopes.append(_Scope(block))
        try:
            yield
        finally:
            self._scopes.pop()

    # -- dimensions as index values

    def dim(self, d: Dim) -> SSAValue:
        """The dimension as an index value of the host program."""
        d = int(d) if isinstance(d, np.integer) else d
        for scope in self._scopes:
            if d in scope.dims:
                return scope.dims[d]
        value = self._materialise(d)
        self._scopes[-1].dims[d] = value
        return value

    def dims(self, shape: Shape) -> list[SSAValue]:
        """Index values of the symbolic dimensions only, in order: what ops with dynamic result types take."""
        return [self.dim(d) for d in shape if not isinstance(d, int)]

    def new_dim(self, value: SSAValue) -> Dim:
        """A size that a host value, an index of at least 0, gives; it holds in the current scope and below."""
        name = f"%n{next(self._serial)}"
        self.define_symbol(name, value)
        return symbol(name)

    def define_symbol(self, name: str, value: SSAValue) -> None:
        """Says where a symbol's value is found; it holds in the current scope and below."""
        self._scopes[-1].dims[symbol(name)] = value

    def define_result_dim(self, result: SSAValue, index: int, value: SSAValue) -> None:
        """Defines the symbol that `shapes.result_symbol(result, index)` stands for."""
        self.define_symbol(str(self.shapes.result_symbol(result, index)), value)

    def _materialise(self, d: Dim) -> SSAValue:
        if isinstance(d, int):
            return self.emit(arith.ConstantOp(IntegerAttr(d, IndexType())))
        total: SSAValue | None = None
        for monomial, coefficient in d.terms:
            factors = [self._atom(a) for a in monomial]
            if coefficient != 1 or not factors:
                factors.append(self.dim(coefficient))
            term = factors[0]
            for factor in factors[1:]:
                term = self.emit(arith.MuliOp(term, factor))
            total = term if total is None else self.emit(arith.AddiOp(total, term))
        assert total is not None
        return total

    def _atom(self, atom: Any) -> SSAValue:
        as_dim = SymDim((((atom,), 1),))
        for scope in self._scopes:
            if as_dim in scope.dims:
                return scope.dims[as_dim]
        value = self._call(atom) if isinstance(atom, Call) else self._symbol(atom.name)
        self._scopes[-1].dims[as_dim] = value
        return value

    def _call(self, call: Call) -> SSAValue:
        args = [self.dim(a) for a in call.args]
        b = ScalarBuilder(self.block)
        xs = [b.wrap(a, INDEX) for a in args]
        if call.fn == "floordiv":
            return b.floordiv(*xs).value
        if call.fn == "mod":
            return b.floormod(*xs).value
        if call.fn in ("min", "max"):
            return (b.min if call.fn == "min" else b.max)(*xs).value
        if call.fn == "broadcast":
            return b.select(xs[0].equals(1), xs[1], xs[0]).value
        if call.fn == "select":
            return b.select(xs[0].differs(0), xs[1], xs[2]).value
        held = xs[0].equals(xs[1]) if call.fn == "eq" else xs[0] < xs[1]
        return b.select(held, b.const(1, INDEX), b.const(0, INDEX)).value

    def _symbol(self, name: str) -> SSAValue:
        source = self.shapes.sources.get(name)
        if source is None:
            raise UnsupportedError("ITG3010", f"the size {name} is not known at this point")
        if source.kind == "element":
            return self._element(self.values[source.value], source.index, source.default)
        raise UnsupportedError("ITG3011", f"the size {name} depends on data, and its operator does not tell it")

    def _element(self, x: Tensor, index: Dim, default: int | None) -> SSAValue:
        """An element of a list of integers, which may turn out to have none at the index where there is a default."""
        if default is None:
            return self._index_at(x, index)
        s = ScalarBuilder(self.block)
        place = s.wrap(self.dim(index), INDEX)
        there = (place >= 0) & (place < s.wrap(self.dim(x.size), INDEX))
        (value,) = self.if_(there.value, lambda: [self._index_at(x, index)], lambda: [self.dim(default)])
        return value

    def _index_at(self, x: Tensor, index: Dim) -> SSAValue:
        return ScalarBuilder(self.block).cast(self.host_scalar(x, index), INDEX).value

    # -- host scalars

    def host_scalar(self, x: Tensor, flat: Dim = 0) -> Scalar:
        """One element of a small tensor read by the host program, integers as index values."""
        b = ScalarBuilder(self.block)
        indices: list[SSAValue] = []
        rest = flat
        for d in reversed(x.shape):
            size = d if isinstance(d, int) else 1 << 62
            indices.insert(0, self.dim(rest % size))
            rest //= size
        element = b.wrap(self.emit(tensor.ExtractOp(x.value, indices, storage(x.type))), x.type)
        return b.cast(element, INDEX) if x.type.is_integer else element

    def require(self, condition: SSAValue, code: str, message: str, *values: SSAValue) -> None:
        """Ends the run with this error unless the host condition (an i1) holds; index values take the places of {} in the message."""
        # A message without values may hold names of the model, whatever these are.
        self.emit(dispatch.RequireOp(condition, code, message if values else message.replace("{}", "{ }"), values))

    def told(self, d: Dim) -> str:
        """What a message says of a size whose value follows in its values: what it is called, and the input that it is of."""
        source = self.shapes.sources.get(str(d))
        of_input = source is not None and source.kind == "dim" and isinstance(source.value.owner.parent_op(), func.FuncOp)
        where = f" in {source.value.name_hint}" if source is not None and of_input else ""
        return f"{(self.shapes.readable(d) or 'one').replace('{}', '{ }')} is {{}}{where}"

    # -- tensors

    def tensor_type(self, shape: Shape, type: ElementType) -> TensorType:
        return TensorType(storage(type), [d if isinstance(d, int) else DYNAMIC_INDEX for d in shape])

    def empty(self, shape: Shape, type: ElementType) -> SSAValue:
        return self.emit(tensor.EmptyOp(self.dims(shape), self.tensor_type(shape, type)))

    def tensor(self, value: SSAValue, shape: Shape, type: ElementType) -> Tensor:
        return Tensor(self, value, shape, type)

    def constant(self, array: np.ndarray, type: ElementType, id: str | None = None) -> Tensor:
        """A constant tensor kept in the weight store; strings become numbers of the pool."""
        id = id or f"const{next(self._serial)}"
        if type is STRING:
            self.weights[id] = array = self.texts.numbers(array)
        self.weights.setdefault(id, array)
        # xDSL ops cannot be shared between sibling regions, so weights stand where they are used; the host program dedups by id.
        value = self.emit(dispatch.WeightOp(id, self.tensor_type(array.shape, type)))
        known = array if array.size <= 64 else None
        return Tensor(self, value, tuple(array.shape), type, known)

    def reshape(self, x: Tensor, shape: Shape) -> Tensor:
        """The same elements under another shape; free at run time. Of a weight it is a weight, which can be packed at compile time."""
        if tuple(shape) == tuple(x.shape):
            return x
        owner, sizes = x.value.owner, [d for d in shape if isinstance(d, int)]
        if isinstance(owner, dispatch.WeightOp) and len(sizes) == len(shape) and x.type is not STRING:
            id = f"{owner.id.data}:{'x'.join(map(str, shape))}"
            return self.constant(self.weights[owner.id.data].reshape(sizes), x.type, id)
        value = self.emit(dispatch.ReshapeOp(x.value, self.dims(shape), self.tensor_type(shape, x.type)))
        known = x.constant.reshape(sizes) if x.constant is not None and len(sizes) == len(shape) else None
        return Tensor(self, value, tuple(shape), x.type, known)

    def slab(self, x: Tensor, index: SSAValue) -> Tensor:
        """The part of a tensor at an index of its leading axis, which is in range; no copy."""
        shape = x.shape[1:]
        return Tensor(self, self.emit(dispatch.SlabOp(x.value, index, self.dims(shape), self.tensor_type(shape, x.type))), shape, x.type)

    def join(self, parts: Sequence[Tensor], shape: Shape) -> Tensor:
        """The elements of one tensor after another, under this shape; copied at most, see `dispatch.JoinOp`."""
        type = parts[0].type
        value = self.emit(dispatch.JoinOp([p.value for p in parts], self.dims(shape), self.tensor_type(shape, type)))
        return Tensor(self, value, tuple(shape), type)

    def retype(self, x: Tensor, type: ElementType) -> Tensor:
        """The same stored bits read as another element type of the same storage (signed and unsigned, say)."""
        return Tensor(self, x.value, x.shape, type)

    def transpose(self, x: Tensor, permutation: Sequence[int]) -> Tensor:
        inverse = np.argsort(permutation)
        shape = tuple(x.shape[p] for p in permutation)
        return self.compute(shape, x.type, lambda *i: x[tuple(i[k] for k in inverse)])

    def cast(self, x: Tensor, type: ElementType) -> Tensor:
        if x.type == type:
            return x
        return self.compute(x.shape, type, lambda *i: self.s.cast(x[i], type))

    def broadcast_to(self, x: Tensor, shape: Shape) -> Tensor:
        return x if tuple(x.shape) == tuple(shape) else self.compute(shape, x.type, lambda *i: x.at(i))

    def broadcast_indices(self, x: Tensor, indices: Sequence[Idx]) -> tuple[Idx, ...]:
        """Right-aligned indices into `x` where size-1 axes read 0; an axis that may turn out 1 at run time selects there."""
        return self.broadcast_places(x.shape, indices[len(indices) - x.rank :] if x.rank else ())

    def broadcast_places(self, shape: Shape, indices: Sequence[Idx]) -> tuple[Idx, ...]:
        """`broadcast_indices` for some axes of a tensor, of this shape."""
        picked: list[Idx] = []
        for d, i in zip(shape, indices, strict=True):
            if d == 1:
                # In a loop of one step the index itself says the same, and leaves the map an identity, which fusion looks for.
                picked.append(i if self.trace.extents_of(i) == (1,) else 0)
            elif isinstance(d, int) or d in self.trace.extents_of(i):
                picked.append(i)
            else:
                for extent in self.trace.extents_of(i):
                    self._require_broadcast(d, extent)
                picked.append(
                    self.s.select(self.s.operand(self.index(d), INDEX).equals(1), self.s.const(0, INDEX), self.s.operand(i, INDEX))
                )
        return tuple(picked)

    def _require_broadcast(self, d: Dim, extent: Dim) -> None:
        """Ends the run unless an axis that shape inference took to broadcast is 1 or of the size that it is read along."""
        if any((d, extent) in scope.broadcasts for scope in self._scopes):
            return
        self._scopes[-1].broadcasts.add((d, extent))
        s = ScalarBuilder(self.block)
        here = s.wrap(self.dim(d), INDEX)
        held = here.equals(1) | here.equals(s.wrap(self.dim(extent), INDEX))
        others = [part for part in broadcast_parts(extent) if part != d]
        other = others[0] if len(others) == 1 else extent
        message = f"dimensions cannot be broadcast: {self.told(d)} and {self.told(other)}"
        self.require(held.value, "ITG5006", message, self.dim(d), self.dim(other))

    # -- bodies

    @property
    def s(self) -> ScalarBuilder:
        """The scalar builder of the open body: math functions, select, cast."""
        return self.trace.scalars

    def index(self, d: Dim) -> Idx:
        """A dimension as an index for use inside a body."""
        return d if isinstance(d, int) else Index.value(self.trace, self.dim(d))

    def compute(self, shape: Shape, type: ElementType, element: Callable[..., Any], *, doc: str = "") -> Tensor:
        """A tensor of that shape whose element at indices (i0, i1, ..) is `element(i0, i1, ..)`."""
        (result,) = self.compute_many(shape, (type,), lambda *i: (element(*i),), doc=doc)
        return result

    def compute_many(
        self, shape: Shape, types: Sequence[ElementType], elements: Callable[..., Sequence[Any]], *, doc: str = ""
    ) -> tuple[Tensor, ...]:
        """Several tensors of one shape from one pass over the indices."""
        identity = tuple(AffineExpr.dimension(k) for k in range(len(shape)))
        outs = [(self.empty(shape, t), identity, tuple(shape), t) for t in types]
        return self._generic(shape, [PARALLEL] * len(shape), outs, lambda i, _: elements(*i), doc)

    def reduce(
        self,
        shape: Shape,
        over: Shape,
        type: ElementType,
        element: Callable[[tuple[Index, ...], tuple[Index, ...]], Any],
        combine: Callable[[Scalar, Scalar], Scalar],
        init: Number,
        *,
        out_axes: Sequence[int | None] | None = None,
        doc: str = "",
    ) -> Tensor:
        """Folds `element(i, r)` over all r in `over` with `combine(accumulator, element)`, from `init`, for every i in `shape`.

        `combine` is associative and commutative; the order of folding is not defined. `out_axes` lays the result out with extra
        axes of size 1: for each result axis, which of i it is, or None for an axis of size 1 (keepdims).
        """
        axes = list(range(len(shape))) if out_axes is None else list(out_axes)
        out_shape = tuple(1 if a is None else shape[a] for a in axes)
        if not over:
            single = self.compute(shape, type, lambda *i: combine(self.s.const(init, type), self.s.operand(element(i, ()), type)), doc=doc)
            return self.reshape(single, out_shape)
        out_map = tuple(AffineExpr.constant(0) if a is None else AffineExpr.dimension(a) for a in axes)
        start = self.emit(arith.ConstantOp(_attr(init, type)))
        filled = self.emit(linalg.FillOp([start], [self.empty(out_shape, type)]))
        rank = len(shape)

        def body(i: tuple[Index, ...], accumulators: Sequence[Scalar]) -> Sequence[Any]:
            return (combine(accumulators[0], self.s.operand(element(i[:rank], i[rank:]), type)),)

        iterators = [PARALLEL] * rank + [REDUCTION] * len(over)
        (result,) = self._generic((*shape, *over), iterators, [(filled, out_map, out_shape, type)], body, doc)
        return result

    def _generic(
        self,
        extents: Shape,
        iterators: Sequence[IteratorTypeAttr],
        outs: Sequence[tuple[SSAValue, tuple[AffineExpr, ...], Shape, ElementType]],
        body: Callable[[tuple[Index, ...], Sequence[Scalar]], Sequence[Any]],
        doc: str,
    ) -> tuple[Tensor, ...]:
        trace = Trace(self, extents)
        accumulators = [trace.add_output(storage(t), t) for _, _, _, t in outs]
        self._traces.append(trace)
        try:
            values = [
                trace.scalars.cast(v, t) if isinstance(v, Index) else trace.scalars.operand(v, t)
                for v, (*_, t) in zip(body(trace.indices, accumulators), outs, strict=True)
            ]
        finally:
            self._traces.pop()
        for v, (*_, t) in zip(values, outs, strict=True):
            if v.value.type != storage(t):
                raise TypeError(f"the body computes {v.type.name} where {t.name} is expected")
        trace.block.add_op(linalg.YieldOp(*(v.value for v in values)))
        self._pin_extents(trace, outs, iterators)
        dims = len(extents)
        maps = [AffineMapAttr(AffineMap(dims, 0, m)) for m in (*trace.maps, *(m for _, m, _, _ in outs))]
        op = linalg.GenericOp(
            trace.operands,
            [o for o, *_ in outs],
            Region(trace.block),
            maps,
            list(iterators),
            [o.type for o, *_ in outs],
            doc=StringAttr(doc) if doc else None,
        )
        self.emit(op)
        return tuple(Tensor(self, r, shape, t) for r, (_, _, shape, t) in zip(op.results, outs, strict=True))

    def _pin_extents(self, trace: Trace, outs: Sequence[Any], iterators: Sequence[IteratorTypeAttr]) -> None:
        """Every loop's extent must follow from an operand indexed by it alone: where none tells it, or one tells more, an empty
        tensor operand does."""
        told = {k for k, sizes in trace.told.items() if sizes == {trace.extents[k]}}
        told |= {e.position for _, m, _, _ in outs for e in m if isinstance(e, AffineDimExpr)}
        loose = [k for k in range(len(iterators)) if k not in told]
        if not loose:
            return
        from ..scalar import FLOAT

        shape = tuple(trace.extents[k] for k in loose)
        trace.add_operand(self.empty(shape, FLOAT), tuple(AffineExpr.dimension(k) for k in loose), FLOAT)

    # -- kernels

    def kernel(
        self,
        kernel: Any,
        arrays: Mapping[str, Tensor | tuple[Shape, ElementType] | None],
        attrs: dict[str, Any] | None = None,
        sizes: Sequence[Dim] = (),
    ) -> tuple[Tensor, ...]:
        """Calls a kernel-language function. `arrays`: a Tensor for each input parameter (None for one left out), (shape, type) for
        each output, for an InOut one the Tensor that it begins as; in parameter order, inputs before outputs, InOut last. Returns the
        outputs. Calls that differ in sizes only share a kernel."""
        present = {n: a for n, a in arrays.items() if a is not None}
        updated = {p.name for p in kernel.parameters if p.kind is ParameterKind.INOUT}
        inputs = {n: a for n, a in present.items() if isinstance(a, Tensor) and n not in updated}
        starts = {n: a for n, a in present.items() if isinstance(a, Tensor) and n in updated}
        outputs = {n: a for n, a in present.items() if not isinstance(a, Tensor)} | {n: (a.shape, a.type) for n, a in starts.items()}
        if list(present) != [*inputs, *outputs]:
            raise TypeError(f"kernel {kernel.name}: inputs come before outputs, those that are updated last")
        rows = {n: (a.type, a.rank) if isinstance(a, Tensor) else (a[1], len(a[0])) for n, a in present.items()}
        types = {n: None if (row := rows.get(n)) is None else (_kernel_element(row[0]), row[1]) for n in arrays}
        name = self._instance(kernel, types, attrs or {})
        shapes = [a.shape if isinstance(a, Tensor) else a[0] for a in present.values()]
        constants = [self.dim(d) for shape in shapes for d in shape] + [self.dim(d) for d in sizes]
        out_shapes = [a[0] for a in outputs.values()]
        op = dispatch.CallOp(
            name,
            [a.value for a in (*inputs.values(), *starts.values())],
            constants,
            [v for s in out_shapes for v in self.dims(s)],
            self.dim(1),
            [self.tensor_type(s, t) for s, t in outputs.values()],
            len(starts),
        )
        self.emit(op)
        return tuple(Tensor(self, r, s, t) for r, (s, t) in zip(op.results, outputs.values(), strict=True))

    def _instance(self, kernel: Any, arrays: dict[str, Any], attrs: dict[str, Any]) -> str:
        """The name of the kernel's instance for these element types, ranks and attributes, made at the first call."""
        from ...dialects.kernel import instantiate

        key = (kernel, *sorted((n, repr(a)) for n, a in (arrays | attrs).items()))
        if key not in self._instances:
            name = self._instances[key] = f"{kernel.name}_{next(self._serial)}"
            func = instantiate(kernel, name, arrays, attrs)
            func.attributes.update(dispatch.kernel_attributes())
            self.module_block.add_op(func)
        return self._instances[key]

    # -- control flow on the host

    def if_(
        self, condition: SSAValue, then: Callable[[], Sequence[SSAValue]], otherwise: Callable[[], Sequence[SSAValue]]
    ) -> list[SSAValue]:
        """scf.if on a host condition; both branches return values of the same types."""
        blocks: list[Block] = []
        types: list[Any] = []
        for branch in (then, otherwise):
            block = Block()
            with self.scope(block):
                values = list(branch())
                block.add_op(scf.YieldOp(*values))
            blocks.append(block)
            types = [v.type for v in values]
        op = scf.IfOp(condition, types, Region(blocks[0]), Region(blocks[1]))
        self.emit(op)
        return list(op.results)

    def unsupported(self, what: str, hint: str = "") -> UnsupportedError:
        """An error that names the node being lowered; the caller raises it."""
        op = self.op
        return UnsupportedError("ITG3001", what, subject=op.op_type if op else "", node=op.node if op else None, hint=hint)


def _kernel_element(type: ElementType) -> Any:
    storage(type)
    return INT64.ir if type is STRING else type.ir


def _attr(number: Number, type: ElementType) -> Any:
    from ..scalar import _constant_attr

    return _constant_attr(number, type)


def element_type(value: SSAValue) -> ElementType:
    """The ONNX element type of an onnx-level tensor value."""
    assert isinstance(value.type, TensorType)
    return BY_IR[value.type.element_type]


@dataclass(eq=False)
class List:
    """A sequence, an optional or a map on the linalg level, see dialects/lists: an item's type follows from the onnx level's value."""

    value: SSAValue
