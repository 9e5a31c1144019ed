"""Dot products of bytes: by the processor's instruction for them, by its sums of pairs of products, or one product after the other."""

from __future__ import annotations

import re
from collections.abc import Callable

from ...dialects.dispatch import GROUP, DotOp
from .arith import splat
from .emitter import Emitter

PROBES = {4: "xmm", 8: "ymm", 16: "zmm"}
"""Sums that a vector may have, and x86's name of its register."""

_PAIRS = {4: "x86.sse2.pmadd.wd", 8: "x86.avx2.pmadd.wd", 16: "x86.avx512.pmaddw.d.512"}
_BITS = {4: 128, 8: 256, 16: 512}


def dot_products(assembly: Callable[[str], str], vector_width: int) -> dict[int, str]:
    """What a target has for dot products into 4, 8 and 16 sums, as `TargetAttributes.dot` says it. LLVM is asked, since it fails on an
    instruction that the processor lacks: the sum of all products, which it may compute in any way, shows what it has.

    assembly: LLVM's code for a module; vector_width: as in TargetAttributes.
    """
    found: dict[int, str] = {}
    for lanes, register in PROBES.items():
        unsigned, signed = (assembly(_probe(lanes, extension, vector_width)) for extension in ("zext", "sext"))
        if re.search(rf"\bv?pdp\w+\s.*{register}", unsigned):
            found[lanes] = "vnni"
        elif lanes == 4 and re.search(r"\bsdot\b", signed):
            found[lanes] = "sdot"
        elif re.search(rf"pmaddwd\s.*{register}", unsigned):
            found[lanes] = "pairs"
    return found


def _probe(lanes: int, extension: str, vector_width: int) -> str:
    wide, bytes_ = f"<{GROUP * lanes} x i32>", f"<{GROUP * lanes} x i8>"
    name = f"@llvm.vector.reduce.add.v{GROUP * lanes}i32"
    width = f'"prefer-vector-width"="{vector_width}"' if vector_width else ""
    return (
        f"declare i32 {name}({wide})\n"
        f"define i32 @f(ptr %a, ptr %b) {width} {{ %x = load {bytes_}, ptr %a %y = load {bytes_}, ptr %b\n"
        f"%p = {extension} {bytes_} %x to {wide} %q = sext {bytes_} %y to {wide} %m = mul {wide} %p, %q\n"
        f"%r = call i32 {name}({wide} %m) ret i32 %r }}"
    )


def dot(e: Emitter, op: DotOp) -> None:
    sums = e.type(op.acc.type)
    lanes = int(sums[1:-1].split(" x ")[0])
    signed = op.signed is not None
    first = e.let(f"insertelement {sums} poison, i32 {e.convert('bitcast', e.type(op.a.type), e.value(op.a), 'i32')}, i64 0")
    a = e.let(f"shufflevector {sums} {first}, {sums} poison, {sums} zeroinitializer")
    b, acc = e.value(op.b), e.value(op.acc)
    kind = e.target.dot.get(lanes)
    if (kind, signed) in (("vnni", False), ("sdot", True)):
        bytes_ = e.type(op.b.type)
        name = f"x86.avx512.vpdpbusd.{_BITS[lanes]}" if kind == "vnni" else "aarch64.neon.sdot.v4i32.v16i8"
        callee = e.declare(sums, f"llvm.{name}", [sums, bytes_, bytes_])
        e.assign(op.result, f"call {sums} {callee}({sums} {acc}, {bytes_} {e.convert('bitcast', sums, a, bytes_)}, {bytes_} {b})")
    elif kind in ("pairs", "vnni"):
        e.bind(op.result, _by_pairs(e, lanes, acc, e.convert("bitcast", sums, a, f"<{2 * lanes} x i16>"), b, signed))
    else:
        e.bind(op.result, _one_by_one(e, sums, acc, a, e.convert("bitcast", e.type(op.b.type), b, sums), signed))


def _by_pairs(e: Emitter, lanes: int, acc: str, a: str, b: str, signed: bool) -> str:
    """Bytes at even and at odd places apart, each as 16 bits: sums of two products of those are exact in 32."""
    sums, words = f"<{lanes} x i32>", f"<{2 * lanes} x i16>"
    callee = e.declare(sums, f"llvm.{_PAIRS[lanes]}", [words, words])
    b = e.convert("bitcast", f"<{GROUP * lanes} x i8>", b, words)
    low, eight = splat(words, "255"), splat(words, "8")

    def even(text: str, signed: bool) -> str:
        return e.binary("ashr", words, e.binary("shl", words, text, eight), eight) if signed else e.binary("and", words, text, low)

    def odd(text: str, signed: bool) -> str:
        return e.binary("ashr" if signed else "lshr", words, text, eight)

    for place in (even, odd):
        products = e.let(f"call {sums} {callee}({words} {place(a, signed)}, {words} {place(b, True)})")
        acc = e.binary("add", sums, acc, products)
    return acc


def _one_by_one(e: Emitter, sums: str, acc: str, a: str, b: str, signed: bool) -> str:
    rest = splat(sums, "24")

    def byte(text: str, place: int, signed: bool) -> str:
        up = e.binary("shl", sums, text, splat(sums, str(24 - 8 * place)))
        return e.binary("ashr" if signed else "lshr", sums, up, rest)

    for place in range(GROUP):
        acc = e.binary("add", sums, acc, e.binary("mul", sums, byte(a, place, signed), byte(b, place, True)))
    return acc


HANDLERS = {DotOp: dot}
