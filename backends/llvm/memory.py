"""Handlers for memref: views are arithmetic on what the emitter knows of a memref, accesses are LLVM loads and stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from xdsl.dialects import memref
from xdsl.dialects.builtin import DYNAMIC_INDEX, IntegerAttr, MemRefType
from xdsl.ir import Attribute, Operation, SSAValue

from ...dialects.dispatch import PrefetchOp
from .emitter import STACK_LIMIT, Emitter, Handler
from .types import MemRef, Number, argument_memref, element_bytes, memory_type, static_values

WIDEST = 8
"""No element is aligned wider, as numpy has it: a complex128 lies as two doubles do."""


def alignment(op: Operation, natural: int) -> int:
    """The alignment that an access states: its integer attribute `alignment`, else its element's own."""
    natural = min(natural, WIDEST)
    if not op.attributes and not op.properties:
        return natural
    stated = op.attributes.get("alignment") or op.properties.get("alignment")
    return stated.value.data if isinstance(stated, IntegerAttr) else natural


def hints(e: Emitter, op: Operation) -> str:
    """What follows an access: `nontemporal`, for data that should not displace what the caches hold."""
    flag = op.properties.get("nontemporal")
    return f", !nontemporal {e.metadata('i32 1')}" if isinstance(flag, IntegerAttr) and flag.value.data else ""


def load(e: Emitter, op: memref.LoadOp) -> None:
    base, *indices = op.operands
    source = e.memref(base)
    address = e.address(source, map(e.number, indices))
    t = e.type(source.element)
    align = alignment(op, source.bytes)
    if t != "i1":
        e.assign(op.results[0], f"load {t}, ptr {address}, align {align}{hints(e, op)}")
        return
    byte = e.let(f"load i8, ptr {address}, align {align}{hints(e, op)}")
    e.assign(op.results[0], f"icmp ne i8 {byte}, 0")


def store(e: Emitter, op: memref.StoreOp) -> None:
    value, base, *indices = op.operands
    target = e.memref(base)
    address = e.address(target, map(e.number, indices))
    text = e.typed(value)
    if text.startswith("i1 "):
        text = f"i8 {e.let(f'zext {text} to i8')}"
    e.line(f"store {text}, ptr {address}, align {alignment(op, target.bytes)}{hints(e, op)}")


def alloca(e: Emitter, op: memref.AllocaOp) -> None:
    t = op.memref.type
    assert isinstance(t, MemRefType)
    if op.dynamic_sizes or op.symbol_operands:
        e.fail(op, f"takes a dynamic size ({t})", hint="Scratch of dynamic size is a buffer that the host program passes in.")
    count, size = 1, element_bytes(t.element_type)
    for dimension in t.get_shape():
        count *= dimension
    if count * size > STACK_LIMIT:
        e.fail(op, f"takes {count * size} bytes of stack, more than {STACK_LIMIT}", hint="Pass a buffer instead.")
    # A cache line, so that vectors of any width stay inside one.
    align = alignment(op, 64 if count * size >= 64 else size)
    pointer = e.alloca(memory_type(t.element_type), max(count, 1), align, op.memref.name_hint)
    e.bind_memref(op.memref, argument_memref(pointer, t))


def reinterpret_cast(e: Emitter, op: memref.ReinterpretCastOp) -> None:
    source = e.memref(op.source)
    offsets = mixed(e, op.static_offsets, op.offsets)
    sizes = mixed(e, op.static_sizes, op.sizes)
    strides = mixed(e, op.static_strides, op.strides)
    pointer = e.offset(source.pointer, source.storage, offsets[0] if offsets else 0)
    e.bind_memref(op.result, source.view(pointer, sizes, strides))


def subview(e: Emitter, op: memref.SubviewOp) -> None:
    source, result = e.memref(op.source), op.result.type
    assert isinstance(result, MemRefType)
    offsets = mixed(e, op.static_offsets, op.offsets)
    sizes = mixed(e, op.static_sizes, op.sizes)
    steps = mixed(e, op.static_strides, op.strides)
    pointer = e.address(source, offsets)
    strides = [e.mul(step, stride) for step, stride in zip(steps, source.strides, strict=True)]
    kept = _kept_dimensions(e, op, sizes, result.get_num_dims())
    e.bind_memref(op.result, source.view(pointer, [sizes[i] for i in kept], [strides[i] for i in kept]))


def _kept_dimensions(e: Emitter, op: Operation, sizes: Sequence[Number], rank: int) -> list[int]:
    """A subview to a smaller rank drops dimensions of static size 1, the leading ones first."""
    excess = len(sizes) - rank
    kept = []
    for i, size in enumerate(sizes):
        if size == 1 and excess > 0:
            excess -= 1
        else:
            kept.append(i)
    if excess:
        e.fail(op, f"cannot drop {len(sizes) - rank} dimensions of size 1 from sizes {list(sizes)}")
    return kept


def cast(e: Emitter, op: memref.CastOp) -> None:
    source, t = e.memref(op.source), op.dest.type
    if not isinstance(t, MemRefType) or t.get_num_dims() != len(source.sizes):
        e.fail(op, f"casts {op.source.type} to {t}; only casts of the same rank are supported")
    e.bind_memref(op.dest, source)


def view(e: Emitter, op: memref.ViewOp) -> None:
    source, t = e.memref(op.source), op.result.type
    assert isinstance(t, MemRefType)
    dynamic = map(e.number, op.sizes)
    sizes: list[Number] = [next(dynamic) if size == DYNAMIC_INDEX else size for size in t.get_shape()]
    pointer = e.offset(source.pointer, "i8", e.number(op.byte_shift))
    e.bind_memref(op.result, MemRef.of(pointer, t.element_type, sizes, row_major(e, sizes)))


def row_major(e: Emitter, sizes: Sequence[Number]) -> list[Number]:
    """Strides, in elements, of a row-major memref of the sizes given."""
    strides: list[Number] = []
    stride: Number = 1
    for size in reversed(sizes):
        strides.insert(0, stride)
        stride = e.mul(stride, size) if len(strides) < len(sizes) else stride
    return strides


def dim(e: Emitter, op: memref.DimOp) -> None:
    source, index = e.memref(op.source), e.number(op.index)
    if not isinstance(index, int) or not 0 <= index < len(source.sizes):
        e.fail(op, f"asks for dimension {index} of {op.source.type}; it is a constant below the rank")
    if (size := source.sizes[index]) is None:
        e.fail(op, f"asks for a size of {op.source.type} that only the caller knows", hint="Pass it as an index argument.")
    e.bind(op.result, str(size))


def assume_alignment(e: Emitter, op: memref.AssumeAlignmentOp) -> None:
    source = e.memref(op.memref)
    assume = e.declare("void", "llvm.assume", ["i1"])
    e.line(f'call void {assume}(i1 true) [ "align"(ptr {source.pointer}, i64 {op.alignment.value.data}) ]')
    e.bind_memref(op.result, source)


def copy(e: Emitter, op: memref.CopyOp) -> None:
    """One memcpy between contiguous memrefs, else nested loops over elements."""
    source, target = e.memref(op.source), e.memref(op.destination)
    if source.element != target.element or len(source.sizes) != len(target.sizes):
        e.fail(op, f"copies {op.source.type} to {op.destination.type}")
    sizes = [a if a is not None else b for a, b in zip(source.sizes, target.sizes, strict=True)]
    known = [size for size in sizes if size is not None]
    if len(known) != len(sizes):
        e.fail(op, f"copies {op.source.type}, of which no size is known")
    size, align = source.bytes, min(source.bytes, WIDEST)
    if source.contiguous and target.contiguous:
        count: Number = size
        for dimension in known:
            count = e.mul(count, dimension)
        memcpy = e.declare("void", "llvm.memcpy.p0.p0.i64", ["ptr", "ptr", "i64", "i1"])
        e.line(f"call void {memcpy}(ptr align {align} {target.pointer}, ptr align {align} {source.pointer}, i64 {count}, i1 false)")
        return
    _copy_loops(e, source, target, known, [], size)


def _copy_loops(e: Emitter, source: MemRef, target: MemRef, sizes: list[Number], indices: list[Number], size: int) -> None:
    if len(indices) == len(sizes):
        t = source.storage
        value = e.let(f"load {t}, ptr {e.address(source, indices)}, align {min(size, WIDEST)}")
        e.line(f"store {t} {value}, ptr {e.address(target, indices)}, align {min(size, WIDEST)}")
        return
    body, done, before, extent = e.fresh_label("copy"), e.fresh_label("copied"), e.block, sizes[len(indices)]
    e.line(f"br i1 {e.let(f'icmp slt i64 0, {extent}')}, label %{body}, label %{done}")
    e.label(body)
    index, hole = e.fresh("i"), e.hole()
    _copy_loops(e, source, target, sizes, [*indices, index], size)
    following = e.let(f"add nsw i64 {index}, 1")
    e.fill(hole, f"{index} = phi i64 [ 0, %{before} ], [ {following}, %{e.block} ]")
    e.line(f"br i1 {e.let(f'icmp slt i64 {following}, {extent}')}, label %{body}, label %{done}")
    e.label(done)


def prefetch(e: Emitter, op: PrefetchOp) -> None:
    """Into all caches."""
    address = e.address(e.memref(op.buffer), map(e.number, op.indices))
    ahead = e.let(f"getelementptr i8, ptr {address}, i64 {op.ahead.value.data}")
    ask = e.declare("void", "llvm.prefetch.p0", ["ptr", "i32", "i32", "i32"])
    e.line(f"call void {ask}(ptr {ahead}, i32 {int(op.write is not None)}, i32 3, i32 1)")


def mixed(e: Emitter, static: Attribute, dynamic: Iterable[SSAValue]) -> list[Number]:
    """A static list whose DYNAMIC_INDEX entries stand for the dynamic operands, in order."""
    operands: Iterator[Number] = map(e.number, dynamic)
    return [next(operands) if value == DYNAMIC_INDEX else value for value in static_values(static)]


HANDLERS: dict[type[Operation], Handler] = {
    memref.LoadOp: load,
    memref.StoreOp: store,
    memref.AllocaOp: alloca,
    memref.ReinterpretCastOp: reinterpret_cast,
    memref.SubviewOp: subview,
    memref.CastOp: cast,
    memref.ViewOp: view,
    memref.DimOp: dim,
    memref.AssumeAlignmentOp: assume_alignment,
    memref.CopyOp: copy,
    PrefetchOp: prefetch,
}
