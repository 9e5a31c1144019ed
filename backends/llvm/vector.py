"""Handlers for vector: one-dimensional vectors only, each an LLVM vector; a mask is a vector of i1."""

from __future__ import annotations

from xdsl.dialects import vector
from xdsl.dialects.builtin import DYNAMIC_INDEX
from xdsl.ir import Operation, SSAValue

from .arith import bitcast, compute_type, element, extend, flags, float_handler, like, splat, truncate
from .emitter import Emitter, Handler, mangled
from .memory import alignment, hints
from .types import memory_type, static_values, vector_constant


def load(e: Emitter, op: vector.LoadOp) -> None:
    base, *indices = op.operands
    source, result = e.memref(base), op.results[0]
    address = e.address(source, map(e.number, indices))
    t = memory_type(result.type)
    text = f"load {t}, ptr {address}, align {alignment(op, source.bytes)}{hints(e, op)}"
    _assign_from_memory(e, result, t, text)


def store(e: Emitter, op: vector.StoreOp) -> None:
    value, base, *indices = op.operands
    target = e.memref(base)
    address = e.address(target, map(e.number, indices))
    e.line(f"store {_for_memory(e, value)}, ptr {address}, align {alignment(op, target.bytes)}{hints(e, op)}")


def masked_load(e: Emitter, op: vector.MaskedLoadOp) -> None:
    base, *indices, mask, other = op.operands
    source, result = e.memref(base), op.results[0]
    address = e.address(source, map(e.number, indices))
    t, m = memory_type(result.type), e.type(mask.type)
    name = e.declare(t, f"llvm.masked.load.{mangled(t)}.p0", ["ptr", m, t])
    align = alignment(op, source.bytes)
    text = f"call {t} {name}(ptr align {align} {address}, {e.typed(mask)}, {_for_memory(e, other)})"
    _assign_from_memory(e, result, t, text)


def masked_store(e: Emitter, op: vector.MaskedStoreOp) -> None:
    base, *indices, mask, value = op.operands
    target = e.memref(base)
    address = e.address(target, map(e.number, indices))
    t = memory_type(value.type)
    if _is_first_lane(e.value(mask)):
        # For AVX-512 LLVM 22 gives the store of one truncated lane the width from before the truncation, and so overwrites what follows.
        first = e.let(f"extractelement {_for_memory(e, value)}, i64 0")
        e.line(f"store {element(t)} {first}, ptr {address}, align {alignment(op, target.bytes)}")
        return
    name = e.declare("void", f"llvm.masked.store.{mangled(t)}.p0", [t, "ptr", e.type(mask.type)])
    align = alignment(op, target.bytes)
    e.line(f"call void {name}({_for_memory(e, value)}, ptr align {align} {address}, {e.typed(mask)})")


def _is_first_lane(mask: str) -> bool:
    """Whether a mask is the constant one of lane 0."""
    first, *others = (lane.split()[-1] for lane in mask.strip("<>").split(","))
    return first == "true" and all(lane == "false" for lane in others)


def _assign_from_memory(e: Emitter, result: SSAValue, t: str, text: str) -> None:
    if e.type(result.type) == t:
        e.assign(result, text)
    else:
        e.assign(result, f"icmp ne {t} {e.let(text)}, zeroinitializer")


def _for_memory(e: Emitter, value: SSAValue) -> str:
    text, t = e.typed(value), memory_type(value.type)
    return text if e.type(value.type) == t else f"{t} {e.let(f'zext {text} to {t}')}"


def broadcast(e: Emitter, op: vector.BroadcastOp) -> None:
    source, result = op.operands[0], op.results[0]
    if e.type(source.type) == e.type(result.type):
        e.bind(result, e.value(source))
        return
    if e.type(source.type) != element(e.type(result.type)):
        e.fail(op, f"broadcasts {source.type} to {result.type}")
    spread(e, result, e.type(result.type), e.value(source))


def spread(e: Emitter, result: SSAValue, t: str, text: str) -> None:
    """Binds `result` to a vector of LLVM type `t` with every element `text`."""
    if text[0] != "%":
        e.bind(result, splat(t, text))
        return
    first = e.let(f"insertelement {t} poison, {element(t)} {text}, i64 0")
    e.assign(result, f"shufflevector {t} {first}, {t} poison, {like(t, 'i32')} zeroinitializer")


def shuffle(e: Emitter, op: vector.ShuffleOp) -> None:
    a, b = op.operands
    if e.type(a.type) != e.type(b.type):
        e.fail(op, f"shuffles {a.type} with {b.type}; both have one length")
    texts = [str(i) if i >= 0 else "poison" for i in static_values(op.properties["mask"])]
    e.assign(op.results[0], f"shufflevector {e.typed(a)}, {e.typed(b)}, <{len(texts)} x i32> {vector_constant(texts, 'i32')}")


def extract(e: Emitter, op: vector.ExtractOp) -> None:
    source, *dynamic = op.operands
    e.assign(op.results[0], f"extractelement {e.typed(source)}, i64 {_position(e, op, dynamic)}")


def insert(e: Emitter, op: vector.InsertOp) -> None:
    source, target, *dynamic = op.operands
    e.assign(op.results[0], f"insertelement {e.typed(target)}, {e.typed(source)}, i64 {_position(e, op, dynamic)}")


def _position(e: Emitter, op: Operation, dynamic: list[SSAValue]) -> str:
    static = static_values(op.properties["static_position"])
    if len(static) != 1:
        e.fail(op, f"has {len(static)} positions; a vector has one dimension")
    return e.value(dynamic[0]) if static[0] == DYNAMIC_INDEX else str(static[0])


REDUCTIONS = {
    "minsi": "smin",
    "maxsi": "smax",
    "minui": "umin",
    "maxui": "umax",
    "minnumf": "fmin",
    "maxnumf": "fmax",
    "minimumf": "fminimum",
    "maximumf": "fmaximum",
}
_JOIN_INTRINSIC = {"fmin": "minnum", "fmax": "maxnum", "fminimum": "minimum", "fmaximum": "maximum"}


def reduction(e: Emitter, op: vector.ReductionOp) -> None:
    """Sums and products of floats go in order from the accumulator, unless the fast-math flag reassoc frees them.

    Short floats are summed in float and rounded once.
    """
    source, *accumulator = op.operands
    kind, result = op.kind.data.value, op.results[0]
    t = e.arithmetic_type(source.type)
    wide = like(t, "float") if element(t) == "half" and e.target.half != "arithmetic" else compute_type(e, t)
    text = extend(e, e.value(source), t, wide)
    scalar = element(wide)
    acc = extend(e, e.value(accumulator[0]), element(t), scalar) if accumulator else None
    if kind in ("add", "mul") and scalar[0] != "i":
        base = f"vector.reduce.f{kind}"
        start = acc or ("-0.0" if kind == "add" else "1.0")
        name = e.declare(scalar, f"llvm.{base}.{mangled(wide)}", [scalar, wide])
        value = e.let(f"call {flags(op)}{scalar} {name}({scalar} {start}, {wide} {text})")
    else:
        base = REDUCTIONS.get(kind, kind)
        name = e.declare(scalar, f"llvm.vector.reduce.{base}.{mangled(wide)}", [wide])
        value = e.let(f"call {flags(op) if scalar[0] != 'i' else ''}{scalar} {name}({wide} {text})")
        value = _join(e, base, scalar, value, acc) if acc is not None else value
    e.bind(result, truncate(e, value, scalar, element(t)))


def _join(e: Emitter, base: str, t: str, a: str, b: str) -> str:
    if base in ("add", "mul", "and", "or", "xor"):
        return e.let(f"{base} {t} {a}, {b}")
    name = e.intrinsic(_JOIN_INTRINSIC.get(base, base), t, 2)
    return e.let(f"call {t} {name}({t} {a}, {t} {b})")


def create_mask(e: Emitter, op: vector.CreateMaskOp) -> None:
    """Element i is set where i < n; n below zero sets none, above the length sets all."""
    result = op.results[0]
    if len(op.operands) != 1:
        e.fail(op, f"makes a mask of {len(op.operands)} dimensions; a vector has one")
    t, n = e.type(result.type), e.number(op.operands[0])
    count = int(t[1:-1].split(" x ")[0])
    if isinstance(n, int):
        e.bind(result, vector_constant(["true" if i < n else "false" for i in range(count)], "i1"))
        return
    # Compared in i32: half the registers that i64 would take, and the clamp keeps it right.
    low = e.let(f"call i64 {e.intrinsic('smax', 'i64', 2)}(i64 {n}, i64 0)")
    clamped = e.let(f"call i64 {e.intrinsic('smin', 'i64', 2)}(i64 {low}, i64 {count})")
    short = e.let(f"trunc i64 {clamped} to i32")
    wide = like(t, "i32")
    first = e.let(f"insertelement {wide} poison, i32 {short}, i64 0")
    bound = e.let(f"shufflevector {wide} {first}, {wide} poison, {wide} zeroinitializer")
    steps = vector_constant([str(i) for i in range(count)], "i32")
    e.assign(result, f"icmp slt {wide} {steps}, {bound}")


HANDLERS: dict[type[Operation], Handler] = {
    vector.LoadOp: load,
    vector.StoreOp: store,
    vector.MaskedLoadOp: masked_load,
    vector.MaskedStoreOp: masked_store,
    vector.BroadcastOp: broadcast,
    vector.ShuffleOp: shuffle,
    vector.ExtractOp: extract,
    vector.InsertOp: insert,
    vector.ReductionOp: reduction,
    vector.CreateMaskOp: create_mask,
    # One rounding where the processor has such an instruction, else two: sums of products need speed, not a libm's fma for each.
    vector.FMAOp: float_handler("@fmuladd"),
    vector.BitcastOp: bitcast,
}
