"""Handlers for arith and for what of math LLVM computes natively; scalars and vectors alike.

bfloat, which an i16 carries, computes in float, and so does half where the target has no f16 hardware: LLVM's own promotion
would leave calls to compiler-rt behind. A half or bfloat fma rounds twice, to float and then to the short type.
"""

from __future__ import annotations

from functools import cache

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import IntegerAttr, VectorType
from xdsl.ir import Operation, SSAValue

from .emitter import Emitter, Handler
from .types import FLOAT_BYTES, constant

INTEGER_PREDICATES = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")
FLOAT_PREDICATES = ("false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true")


@cache
def element(t: str) -> str:
    """The element of an LLVM vector type, or the type itself."""
    return t[1:-1].split(" x ")[1] if t[0] == "<" else t


@cache
def like(t: str, new: str) -> str:
    """`new`, in a vector of as many elements as LLVM type `t` has."""
    return f"<{t[1:-1].split(' x ')[0]} x {new}>" if t[0] == "<" else new


def splat(t: str, text: str) -> str:
    """A constant of LLVM type `t` with every element `text`."""
    return f"splat ({element(t)} {text})" if t[0] == "<" else text


def flags(op: Operation) -> str:
    """The operation's fast-math or overflow flags as LLVM spells them before the type, a blank after each."""
    attribute = op.properties.get("fastmath") or op.properties.get("overflowFlags")
    data = getattr(attribute, "data", None)
    if not data:
        return ""
    names = sorted(flag.value for flag in data)
    return "fast " if len(names) == 7 else "".join(f"{name} " for name in names)


# Conversions between float types


def extend(e: Emitter, text: str, t: str, to: str) -> str:
    """A float value of arithmetic type `t` in the wider type `to`, exactly."""
    source, target = element(t), element(to)
    if source == target:
        return text
    if source == "bfloat":
        i16, i32, f32 = like(t, "i16"), like(t, "i32"), like(t, "float")
        high = e.binary("shl", i32, e.convert("zext", i16, text, i32), splat(i32, "16"))
        return extend(e, e.convert("bitcast", i32, high, f32), f32, to)
    if source == "half" and e.target.half == "none":
        f32 = like(t, "float")
        return extend(e, _widen_half(e, text, t), f32, to)
    if source == "half" and target == "double":
        f32 = like(t, "float")
        return extend(e, e.convert("fpext", t, text, f32), f32, to)
    return e.convert("fpext", t, text, to)


def truncate(e: Emitter, text: str, t: str, to: str) -> str:
    """A float value of arithmetic type `t` rounded once, to nearest even, to the narrower type `to`."""
    source, target = element(t), element(to)
    if source == target:
        return text
    if source == "double" and target != "float":
        text, t = _round_to_odd(e, text, t), like(t, "float")
    if target == "bfloat":
        return _round_to_bfloat(e, text, t)
    if target == "half" and e.target.half == "none":
        return _round_to_half(e, text, t)
    return e.convert("fptrunc", t, text, to)


def _round_to_bfloat(e: Emitter, text: str, t: str) -> str:
    i32, i16 = like(t, "i32"), like(t, "i16")
    bits = e.convert("bitcast", t, text, i32)
    high = e.binary("lshr", i32, bits, splat(i32, "16"))
    bias = e.binary("add", i32, e.binary("and", i32, high, splat(i32, "1")), splat(i32, "32767"))
    rounded = e.binary("lshr", i32, e.binary("add", i32, bits, bias), splat(i32, "16"))
    # A NaN whose payload lies in the low half would round to infinity: keep it quiet instead.
    quiet = e.binary("or", i32, high, splat(i32, "64"))
    nan = e.binary("fcmp uno", t, text, splat(t, "0.0"))
    chosen = e.let(f"select {like(t, 'i1')} {nan}, {i32} {quiet}, {i32} {rounded}")
    return e.convert("trunc", i32, chosen, i16)


def _widen_half(e: Emitter, text: str, t: str) -> str:
    """half to float in integers and one exact product: the exponents' biases differ by 112, and the product renormalises."""
    i16, i32, f32 = like(t, "i16"), like(t, "i32"), like(t, "float")
    bits = e.convert("zext", i16, e.convert("bitcast", t, text, i16), i32)
    sign = e.binary("shl", i32, e.binary("and", i32, bits, splat(i32, "32768")), splat(i32, "16"))
    magnitude = e.binary("shl", i32, e.binary("and", i32, bits, splat(i32, "32767")), splat(i32, "13"))
    scaled = e.binary("fmul", f32, e.convert("bitcast", i32, magnitude, f32), splat(f32, "0x46F0000000000000"))
    finite = e.convert("bitcast", f32, scaled, i32)
    special = e.binary("icmp uge", i32, magnitude, splat(i32, str(0x1F << 23)))
    infinite = e.binary("or", i32, magnitude, splat(i32, str(0xFF << 23)))
    chosen = e.let(f"select {like(t, 'i1')} {special}, {i32} {infinite}, {i32} {finite}")
    return e.convert("bitcast", i32, e.binary("or", i32, chosen, sign), f32)


def _round_to_half(e: Emitter, text: str, t: str) -> str:
    i1, i16, i32 = like(t, "i1"), like(t, "i16"), like(t, "i32")

    def pick(condition: str, a: str, b: str) -> str:
        return e.let(f"select {i1} {condition}, {i32} {a}, {i32} {b}")

    bits = e.convert("bitcast", t, text, i32)
    magnitude = e.binary("and", i32, bits, splat(i32, str(0x7FFFFFFF)))
    odd = e.binary("and", i32, e.binary("lshr", i32, magnitude, splat(i32, "13")), splat(i32, "1"))
    biased = e.binary("add", i32, e.binary("add", i32, magnitude, splat(i32, str(0xFFF - (112 << 23)))), odd)
    normal = e.binary("lshr", i32, biased, splat(i32, "13"))
    # Below 2^-14 the last place of half is that of float at 0.5: an addition there rounds as half would.
    shifted = e.binary("fadd", t, e.convert("bitcast", i32, magnitude, t), splat(t, "0.5"))
    small = e.binary("sub", i32, e.convert("bitcast", t, shifted, i32), splat(i32, str(126 << 23)))
    rounded = pick(e.binary("icmp ult", i32, magnitude, splat(i32, str(113 << 23))), small, normal)
    nan = e.binary("icmp ugt", i32, magnitude, splat(i32, str(0xFF << 23)))
    special = pick(nan, splat(i32, str(0x7E00)), splat(i32, str(0x7C00)))
    # 65520, half-way from the largest finite half to the next, rounds to infinity.
    result = pick(e.binary("icmp uge", i32, magnitude, splat(i32, str(0x477FF000))), special, rounded)
    sign = e.binary("and", i32, e.binary("lshr", i32, bits, splat(i32, "16")), splat(i32, "32768"))
    return e.convert("bitcast", i16, e.convert("trunc", i32, e.binary("or", i32, result, sign), i16), like(t, "half"))


def _round_to_odd(e: Emitter, text: str, t: str) -> str:
    """double to float such that a second rounding to a shorter type gives what one rounding would (Boldo and Melquiond, 2008):
    an inexact result takes the neighbour whose last bit is set."""
    f32, i32, i1 = like(t, "float"), like(t, "i32"), like(t, "i1")
    near = e.convert("fptrunc", t, text, f32)
    fabs = e.intrinsic("fabs", t, 1)
    a = e.let(f"call {t} {fabs}({t} {e.convert('fpext', f32, near, t)})")
    b = e.let(f"call {t} {fabs}({t} {text})")
    bits = e.convert("bitcast", f32, near, i32)
    even = e.binary("icmp eq", i32, e.binary("and", i32, bits, splat(i32, "1")), splat(i32, "0"))
    down = e.binary("and", i1, e.binary("fcmp ogt", t, a, b), even)
    up = e.binary("and", i1, e.binary("fcmp olt", t, a, b), even)
    moved = e.binary("add", i32, bits, e.convert("sext", i1, down, i32))
    moved = e.binary("add", i32, moved, e.convert("zext", i1, up, i32))
    return e.convert("bitcast", i32, moved, f32)


def compute_type(e: Emitter, t: str) -> str:
    """The LLVM type that values of arithmetic type `t` are computed in."""
    if t in ("float", "double"):
        return t
    scalar = element(t)
    return like(t, "float") if scalar == "bfloat" or (scalar == "half" and e.target.half == "none") else t


# Handlers


def constant_(e: Emitter, op: arith.ConstantOp) -> None:
    e.type(op.results[0].type)
    e.bind(op.results[0], constant(op.properties["value"]))


def _integer(opcode: str) -> Handler:
    def emit(e: Emitter, op: Operation) -> None:
        a, b = op.operands
        e.assign(op.results[0], f"{opcode} {flags(op) if op.properties else ''}{e.type(a.type)} {e.value(a)}, {e.value(b)}")

    return emit


def _integer_intrinsic(base: str) -> Handler:
    def emit(e: Emitter, op: Operation) -> None:
        t = e.type(op.results[0].type)
        name = e.intrinsic(base, t, 2)
        e.assign(op.results[0], f"call {t} {name}({', '.join(e.typed(value) for value in op.operands)})")

    return emit


def _integer_unary(base: str, flag: str | None = None) -> Handler:
    def emit(e: Emitter, op: Operation) -> None:
        t = e.type(op.results[0].type)
        name = e.intrinsic(base, t, 1, extra=("i1",) if flag else ())
        e.assign(op.results[0], f"call {t} {name}({e.typed(op.operands[0])}{f', i1 {flag}' if flag else ''})")

    return emit


def float_handler(write: str) -> Handler:
    """`write` is an instruction, or `@base` for an intrinsic, of which all operands and the result have one type."""

    def emit(e: Emitter, op: Operation) -> None:
        t = e.arithmetic_type(op.results[0].type)
        if element(t) not in FLOAT_BYTES:
            e.fail(op, f"computes floats, not {op.results[0].type}")
        texts = [e.value(value) for value in op.operands]
        wide = compute_type(e, t)
        if write in ("@fma", "@fmuladd") and element(t) == "half" and e.target.half != "arithmetic":
            wide = like(t, "float")
        if wide != t:
            texts = [extend(e, text, t, wide) for text in texts]
        if write[0] == "@":
            name = e.intrinsic(write[1:], wide, len(texts))
            text = f"call {flags(op)}{wide} {name}({', '.join(f'{wide} {text}' for text in texts)})"
        else:
            text = f"{write} {flags(op)}{wide} {', '.join(texts)}"
        if wide == t:
            e.assign(op.results[0], text)
        else:
            e.bind(op.results[0], truncate(e, e.let(text), wide, t))

    return emit


def _number(relation: str, base: str) -> Handler:
    """maxnumf and minnumf. LLVM would call fmaxf for each half, even where float is computed in: compare and select instead."""
    native = float_handler(base)

    def emit(e: Emitter, op: Operation) -> None:
        t = e.type(op.results[0].type)
        if element(t) != "half" or e.target.half == "arithmetic":
            native(e, op)
            return
        i1, wide = like(t, "i1"), like(t, "float")
        texts = [e.value(value) for value in op.operands]
        a, b = (extend(e, text, t, wide) for text in texts)
        chosen = _selected(e, i1, e.binary(f"fcmp {relation}", wide, a, b), t, *texts)
        e.bind(op.results[0], _selected(e, i1, e.binary("fcmp uno", wide, b, b), t, texts[0], chosen))

    return emit


def cmpi(e: Emitter, op: arith.CmpiOp) -> None:
    predicate = _predicate(e, op)
    e.assign(op.results[0], f"icmp {INTEGER_PREDICATES[predicate]} {e.typed(op.operands[0])}, {e.value(op.operands[1])}")


def cmpf(e: Emitter, op: arith.CmpfOp) -> None:
    predicate, t = _predicate(e, op), e.arithmetic_type(op.operands[0].type)
    wide = compute_type(e, t)
    a, b = (extend(e, e.value(value), t, wide) for value in op.operands)
    e.assign(op.results[0], f"fcmp {flags(op)}{FLOAT_PREDICATES[predicate]} {wide} {a}, {b}")


def _predicate(e: Emitter, op: Operation) -> int:
    t = e.type(op.operands[0].type)
    if e.type(op.results[0].type) != like(t, "i1"):
        e.fail(op, f"compares {op.operands[0].type} into {op.results[0].type}; the result has an i1 for each element")
    predicate = op.properties["predicate"]
    assert isinstance(predicate, IntegerAttr)
    return predicate.value.data


def select(e: Emitter, op: arith.SelectOp) -> None:
    condition, a, b = op.operands
    if isinstance(condition.type, VectorType) and not isinstance(a.type, VectorType):
        e.fail(op, f"selects between {a.type} by {condition.type}")
    t, i1 = e.type(a.type), e.type(condition.type)
    if compute_type(e, t) == t or element(t) not in ("half", "bfloat"):
        e.assign(op.results[0], f"select {e.typed(condition)}, {e.typed(a)}, {e.typed(b)}")
    else:
        e.bind(op.results[0], _selected(e, i1, e.value(condition), t, e.value(a), e.value(b)))


def _selected(e: Emitter, i1: str, condition: str, t: str, a: str, b: str) -> str:
    """One of two short floats by their bits: LLVM, unless it optimises, would select as floats and call compiler-rt to round back."""
    i16 = like(t, "i16")
    first, second = (e.convert("bitcast", t, text, i16) for text in (a, b))
    return e.convert("bitcast", i16, e.let(f"select {i1} {condition}, {i16} {first}, {i16} {second}"), t)


def negf(e: Emitter, op: arith.NegfOp) -> None:
    t = e.type(op.operands[0].type)
    if element(e.arithmetic_type(op.operands[0].type)) == "bfloat":
        e.assign(op.results[0], f"xor {e.typed(op.operands[0])}, {splat(t, '-32768')}")
        return
    e.assign(op.results[0], f"fneg {flags(op)}{e.typed(op.operands[0])}")


def _cast(opcode: str) -> Handler:
    def emit(e: Emitter, op: Operation) -> None:
        e.assign(op.results[0], f"{opcode} {e.typed(op.operands[0])} to {e.type(op.results[0].type)}")

    return emit


def bitcast(e: Emitter, op: Operation) -> None:
    source, target = e.type(op.operands[0].type), e.type(op.results[0].type)
    if source == target:
        e.bind(op.results[0], e.value(op.operands[0]))
        return
    e.assign(op.results[0], f"bitcast {source} {e.value(op.operands[0])} to {target}")


def extf(e: Emitter, op: arith.ExtFOp) -> None:
    source, result = op.operands[0], op.results[0]
    e.bind(result, extend(e, e.value(source), e.arithmetic_type(source.type), e.arithmetic_type(result.type)))


def truncf(e: Emitter, op: arith.TruncFOp) -> None:
    source, result = op.operands[0], op.results[0]
    e.bind(result, truncate(e, e.value(source), e.arithmetic_type(source.type), e.arithmetic_type(result.type)))


def _to_integer(opcode: str) -> Handler:
    def emit(e: Emitter, op: Operation) -> None:
        source, result = op.operands[0], op.results[0]
        t = e.arithmetic_type(source.type)
        wide = like(t, "float") if element(t) in ("half", "bfloat") else t
        e.assign(result, f"{opcode} {wide} {extend(e, e.value(source), t, wide)} to {e.type(result.type)}")

    return emit


def _from_integer(opcode: str) -> Handler:
    """Short floats are reached through the float type that holds the integer exactly, or else through double."""

    def emit(e: Emitter, op: Operation) -> None:
        source, result = op.operands[0], op.results[0]
        t, to = e.type(source.type), e.arithmetic_type(result.type)
        if element(to) not in ("half", "bfloat"):
            e.assign(result, f"{opcode} {t} {e.value(source)} to {to}")
            return
        wide = like(to, "float" if int(element(t)[1:]) <= 16 else "double")
        e.bind(result, truncate(e, e.convert(opcode, t, e.value(source), wide), wide, to))

    return emit


def index_cast(e: Emitter, op: arith.IndexCastOp) -> None:
    """Signed, as the op is defined: a narrower integer is sign-extended into an index."""
    _resize(e, op.operands[0], op.results[0], "sext")


def _resize(e: Emitter, source: SSAValue, result: SSAValue, extension: str) -> None:
    a, b = e.type(source.type), e.type(result.type)
    if a == b:
        e.bind(result, e.value(source))
        return
    opcode = extension if int(element(a)[1:]) < int(element(b)[1:]) else "trunc"
    text = e.value(source)
    if text[0] != "%" and a[0] == "i" and a != "i1" and opcode != "trunc":
        e.bind(result, text)  # a constant stays one, so that addresses and trip counts stay known
        return
    e.assign(result, f"{opcode} {a} {text} to {b}")


def floordivsi(e: Emitter, op: arith.FloorDivSIOp) -> None:
    """The quotient towards zero, less one where signs differ and the division is not exact."""
    _rounded_division(e, op, "slt", "sub")


def ceildivsi(e: Emitter, op: arith.CeilDivSIOp) -> None:
    _rounded_division(e, op, "sge", "add")


def _rounded_division(e: Emitter, op: Operation, signs: str, correct: str) -> None:
    t = e.type(op.results[0].type)
    a, b = map(e.value, op.operands)
    i1, zero = like(t, "i1"), splat(t, "0")
    quotient = e.binary("sdiv", t, a, b)
    inexact = e.binary("icmp ne", t, e.binary("srem", t, a, b), zero)
    chosen = e.binary(f"icmp {signs}", t, e.binary("xor", t, a, b), zero)
    by = e.convert("zext", i1, e.binary("and", i1, inexact, chosen), t)
    e.assign(op.results[0], f"{correct} {t} {quotient}, {by}")


def ceildivui(e: Emitter, op: arith.CeilDivUIOp) -> None:
    t = e.type(op.results[0].type)
    a, b = map(e.value, op.operands)
    quotient = e.binary("udiv", t, a, b)
    inexact = e.binary("icmp ne", t, e.binary("urem", t, a, b), splat(t, "0"))
    e.assign(op.results[0], f"add {t} {quotient}, {e.convert('zext', like(t, 'i1'), inexact, t)}")


def addui_extended(e: Emitter, op: arith.AddUIExtendedOp) -> None:
    t = e.type(op.results[0].type)
    pair = f"{{ {t}, {like(t, 'i1')} }}"
    name = e.intrinsic("uadd.with.overflow", t, 2, result=pair)
    both = e.let(f"call {pair} {name}({', '.join(map(e.typed, op.operands))})")
    for i, result in enumerate(op.results):
        e.assign(result, f"extractvalue {pair} {both}, {i}")


def _mul_extended(extension: str) -> Handler:
    def emit(e: Emitter, op: Operation) -> None:
        t = e.type(op.results[0].type)
        width = int(element(t)[1:])
        wide = like(t, f"i{2 * width}")
        a, b = (e.convert(extension, t, e.value(value), wide) for value in op.operands)
        product = e.binary("mul", wide, a, b)
        high = e.binary("lshr", wide, product, splat(wide, str(width)))
        e.assign(op.results[0], f"trunc {wide} {product} to {t}")
        e.assign(op.results[1], f"trunc {wide} {high} to {t}")

    return emit


HANDLERS: dict[type[Operation], Handler] = {
    arith.ConstantOp: constant_,
    arith.AddiOp: _integer("add"),
    arith.SubiOp: _integer("sub"),
    arith.MuliOp: _integer("mul"),
    arith.DivSIOp: _integer("sdiv"),
    arith.DivUIOp: _integer("udiv"),
    arith.RemSIOp: _integer("srem"),
    arith.RemUIOp: _integer("urem"),
    arith.AndIOp: _integer("and"),
    arith.OrIOp: _integer("or"),
    arith.XOrIOp: _integer("xor"),
    arith.ShLIOp: _integer("shl"),
    arith.ShRSIOp: _integer("ashr"),
    arith.ShRUIOp: _integer("lshr"),
    arith.FloorDivSIOp: floordivsi,
    arith.CeilDivSIOp: ceildivsi,
    arith.CeilDivUIOp: ceildivui,
    arith.MinSIOp: _integer_intrinsic("smin"),
    arith.MaxSIOp: _integer_intrinsic("smax"),
    arith.MinUIOp: _integer_intrinsic("umin"),
    arith.MaxUIOp: _integer_intrinsic("umax"),
    arith.AddUIExtendedOp: addui_extended,
    arith.MulUIExtendedOp: _mul_extended("zext"),
    arith.MulSIExtendedOp: _mul_extended("sext"),
    arith.CmpiOp: cmpi,
    arith.CmpfOp: cmpf,
    arith.SelectOp: select,
    arith.AddfOp: float_handler("fadd"),
    arith.SubfOp: float_handler("fsub"),
    arith.MulfOp: float_handler("fmul"),
    arith.DivfOp: float_handler("fdiv"),
    arith.NegfOp: negf,
    arith.MaximumfOp: float_handler("@maximum"),
    arith.MinimumfOp: float_handler("@minimum"),
    arith.MaxnumfOp: _number("ogt", "@maxnum"),
    arith.MinnumfOp: _number("olt", "@minnum"),
    arith.BitcastOp: bitcast,
    arith.IndexCastOp: index_cast,
    arith.FPToSIOp: _to_integer("fptosi"),
    arith.FPToUIOp: _to_integer("fptoui"),
    arith.SIToFPOp: _from_integer("sitofp"),
    arith.UIToFPOp: _from_integer("uitofp"),
    arith.ExtFOp: extf,
    arith.TruncFOp: truncf,
    arith.TruncIOp: _cast("trunc"),
    arith.ExtSIOp: _cast("sext"),
    arith.ExtUIOp: _cast("zext"),
    math.FmaOp: float_handler("@fma"),
    math.SqrtOp: float_handler("@sqrt"),
    math.FloorOp: float_handler("@floor"),
    math.CeilOp: float_handler("@ceil"),
    math.TruncOp: float_handler("@trunc"),
    math.RoundOp: float_handler("@round"),
    math.RoundEvenOp: float_handler("@roundeven"),
    math.AbsFOp: float_handler("@fabs"),
    math.CopySignOp: float_handler("@copysign"),
    math.AbsIOp: _integer_unary("abs", "false"),
    math.CtPopOp: _integer_unary("ctpop"),
    math.CountLeadingZerosOp: _integer_unary("ctlz", "false"),
    math.CountTrailingZerosOp: _integer_unary("cttz", "false"),
}
