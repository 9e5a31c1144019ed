"""One model compiled for several processors, of which the best that the running one is gets chosen when the library is loaded.

Each variant is a whole program with a module table of its own; what is exported is written here, a table that a constructor fills from
the variant's, and functions that go through it. A variant's weights are laid out after those of the ones before it, so that arrays
packed alike are there once.
"""

from __future__ import annotations

import ctypes
import platform
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...dialects.hal import Port
from ...errors import IntaglioError
from ..abi import MODULE_SYMBOL, STRUCTS, expand
from ..llvm import Machine
from ..session import Session
from .device import constant_text
from .header import header
from .instance import EXPORTS
from .link import Artifact, save_archive, save_shared
from .program import CpuProgram
from .weights import Layout, placeholder

WISH = "INTAGLIO_CPU"
"""Environment variable: the name of the variant to take if the processor is that, in place of the best."""


def _bits(*numbers: int) -> int:
    return sum(1 << n for n in numbers)


_V2 = _bits(0, 9, 13, 19, 20, 23)  # SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT
_V3 = _V2 | _bits(12, 22, 27, 28, 29)  # FMA, MOVBE, OSXSAVE, AVX, F16C
_V3_7 = _bits(3, 5, 8)  # BMI1, AVX2, BMI2
_V4_7 = _V3_7 | _bits(16, 17, 28, 30, 31)  # AVX-512 F, DQ, CD, BW, VL

LEVELS = {
    "x86-64-v4": (_V3, _V4_7, _bits(0, 5), 0xE6),
    "x86-64-v3": (_V3, _V3_7, _bits(0, 5), 0x06),
    "x86-64-v2": (_V2, 0, _bits(0), 0),
    "x86-64": (0, 0, 0, 0),
}
"""The levels of the x86-64 psABI, best first: bits that must be set in cpuid's leaf 1 (ecx), 7 (ebx), 0x80000001 (ecx), and in the
register state that the system keeps (xcr0)."""

_TEXT = """
@module = internal global %module zeroinitializer, align 8
@$SYMBOL = weak alias %module, ptr @module
%variant = type { ptr, ptr, i32, i32, i32, i32 }
@variants = internal constant [$COUNT x %variant] [$ROWS], align 8
@llvm.global_ctors = appending global [1 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 101, ptr @choose, ptr null }]

declare ptr @getenv(ptr)
declare i32 @strcmp(ptr, ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define internal { i32, i32, i32 } @cpuid(i32 %leaf) {
  %all = call { i32, i32, i32, i32 } asm sideeffect "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx}"(i32 %leaf, i32 0)
  %a = extractvalue { i32, i32, i32, i32 } %all, 0
  %b = extractvalue { i32, i32, i32, i32 } %all, 1
  %c = extractvalue { i32, i32, i32, i32 } %all, 2
  %r.1 = insertvalue { i32, i32, i32 } poison, i32 %a, 0
  %r.2 = insertvalue { i32, i32, i32 } %r.1, i32 %b, 1
  %r.3 = insertvalue { i32, i32, i32 } %r.2, i32 %c, 2
  ret { i32, i32, i32 } %r.3
}

; Leaf 7's ebx, 0 where there is no such leaf.
define internal i32 @leaf.7() {
entry:
  %zero = call { i32, i32, i32 } @cpuid(i32 0)
  %last = extractvalue { i32, i32, i32 } %zero, 0
  %there = icmp uge i32 %last, 7
  br i1 %there, label %ask, label %none
ask:
  %leaf = call { i32, i32, i32 } @cpuid(i32 7)
  %bits = extractvalue { i32, i32, i32 } %leaf, 1
  ret i32 %bits
none:
  ret i32 0
}

; The registers whose state the system keeps, 0 where it keeps none by xsave (bit 27 of leaf 1).
define internal i32 @kept(i32 %leaf.1) {
entry:
  %os = and i32 %leaf.1, 134217728
  %none = icmp eq i32 %os, 0
  br i1 %none, label %nothing, label %ask
ask:
  %all = call { i32, i32 } asm sideeffect "xgetbv", "={ax},={dx},{cx}"(i32 0)
  %low = extractvalue { i32, i32 } %all, 0
  ret i32 %low
nothing:
  ret i32 0
}

; Whether the processor is what variant %i asks for.
define internal i1 @fits(i64 %i) {
  %one = call { i32, i32, i32 } @cpuid(i32 1)
  %has.1 = extractvalue { i32, i32, i32 } %one, 2
  %has.7 = call i32 @leaf.7()
  %more = call { i32, i32, i32 } @cpuid(i32 -2147483647)
  %has.more = extractvalue { i32, i32, i32 } %more, 2
  %has.kept = call i32 @kept(i32 %has.1)
  %variant = getelementptr %variant, ptr @variants, i64 %i
  %row = load %variant, ptr %variant, align 8
  %want.1 = extractvalue %variant %row, 2
  %want.7 = extractvalue %variant %row, 3
  %want.more = extractvalue %variant %row, 4
  %want.kept = extractvalue %variant %row, 5
  %not.1 = xor i32 %has.1, -1
  %not.7 = xor i32 %has.7, -1
  %not.more = xor i32 %has.more, -1
  %not.kept = xor i32 %has.kept, -1
  %lacks.1 = and i32 %want.1, %not.1
  %lacks.7 = and i32 %want.7, %not.7
  %lacks.more = and i32 %want.more, %not.more
  %lacks.kept = and i32 %want.kept, %not.kept
  %lacks.17 = or i32 %lacks.1, %lacks.7
  %lacks.rest = or i32 %lacks.more, %lacks.kept
  %lacks = or i32 %lacks.17, %lacks.rest
  %all = icmp eq i32 %lacks, 0
  ret i1 %all
}

; The first variant that fits, of the name %wish unless that is null; $COUNT for none.
define internal i64 @find(ptr %wish) {
entry:
  %any = icmp eq ptr %wish, null
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %following, %other ]
  %over = icmp eq i64 %i, $COUNT
  br i1 %over, label %done, label %look
look:
  br i1 %any, label %ask, label %compare
compare:
  %variant = getelementptr %variant, ptr @variants, i64 %i
  %name = load ptr, ptr %variant, align 8
  %differs = call i32 @strcmp(ptr %name, ptr %wish)
  %wanted = icmp eq i32 %differs, 0
  br i1 %wanted, label %ask, label %other
ask:
  %fits = call i1 @fits(i64 %i)
  br i1 %fits, label %done, label %other
other:
  %following = add i64 %i, 1
  br label %next
done:
  ret i64 %i
}

define internal i32 @refuse(ptr %options, ptr %out) {
  store ptr null, ptr %out, align 8
  ret i32 5014 ; ITG5014
}

; Fills the table when the library is loaded: from the last variant where none fits, but then none can be created.
define internal void @choose() {
entry:
  %wish = call ptr @getenv(ptr @wish)
  %free = icmp eq ptr %wish, null
  br i1 %free, label %best, label %wished
wished:
  %asked = call i64 @find(ptr %wish)
  %found = icmp ult i64 %asked, $COUNT
  br i1 %found, label %take, label %best
best:
  %first = call i64 @find(ptr null)
  br label %take
take:
  %chosen = phi i64 [ %asked, %wished ], [ %first, %best ]
  %none = icmp eq i64 %chosen, $COUNT
  %place = select i1 %none, i64 $LAST, i64 %chosen
  %variant = getelementptr %variant, ptr @variants, i64 %place
  %source.at = getelementptr %variant, ptr %variant, i64 0, i32 1
  %source = load ptr, ptr %source.at, align 8
  call void @llvm.memcpy.p0.p0.i64(ptr @module, ptr %source, i64 ptrtoint (ptr getelementptr (%module, ptr null, i32 1) to i64), i1 false)
  br i1 %none, label %close, label %done
close:
  %create.at = FIELD(module, @module, create)
  store ptr @refuse, ptr %create.at, align 8
  br label %done
done:
  ret void
}

define internal ptr @port(i32 %i, ptr %count.at, ptr %ports.at) {
entry:
  %count = load i32, ptr %count.at, align 4
  %inside = icmp ult i32 %i, %count
  br i1 %inside, label %there, label %none
there:
  %ports = load ptr, ptr %ports.at, align 8
  %port = getelementptr %port, ptr %ports, i32 %i
  ret ptr %port
none:
  ret ptr null
}
"""


@dataclass(frozen=True, eq=False)
class Variants:
    """Programs of one model, the best first; all but the last of their layouts are beginnings of the last one made, `layout`."""

    prefix: str
    programs: tuple[CpuProgram, ...]
    layout: Layout

    @property
    def inputs(self) -> tuple[Port, ...]:
        return self.programs[0].inputs

    @property
    def outputs(self) -> tuple[Port, ...]:
        return self.programs[0].outputs

    def session(self, program: CpuProgram, *, num_threads: int = 0) -> Session:
        """One of the programs in this process. Raises IntaglioError as `CpuProgram.session`."""
        module, weights = module_symbol(self.prefix, program.machine.cpu), weights_symbol(self.prefix)
        # Hidden names are found by other objects only.
        finder = f'@"{module}" = external hidden constant i8\n@found = constant ptr @"{module}", align 8\n'
        blob = program.layout.blob()
        library = self.machine.load([program.object, self.machine.compile(finder)], {weights: blob.ctypes.data})
        address = ctypes.c_void_p.from_address(library.address("found")).value
        assert address is not None
        return Session(address, keep=(library, blob), weights=blob if program.layout.bytes else None, num_threads=num_threads)

    def save(self, path: str | Path) -> Path:
        """Writes a shared library (.so) or archive (.a), by the suffix, and the C header beside it. Errors: see `CpuProgram.save`."""
        path = Path(path)
        savers = {".so": save_shared, ".a": save_archive}
        if (saver := savers.get(path.suffix)) is None:
            hint = f"The suffix says what to write: {', '.join(savers)}; several variants are several objects."
            raise IntaglioError("ITG7004", f'no artifact of several variants has the suffix "{path.suffix}"', subject=str(path), hint=hint)
        exports = (*(f"{self.prefix}_{name}" for name in EXPORTS), MODULE_SYMBOL)
        more = {module_symbol(self.prefix, program.machine.cpu): program.object for program in self.programs}
        saver(Artifact(self.object, self.layout, self.machine.attributes.triple, exports, more), path)
        path.with_suffix(".h").write_text(self.header(), encoding="utf-8")
        return path

    def header(self) -> str:
        """The C header that `save` writes."""
        return header(self.prefix, self.inputs, self.outputs)

    def llvm_ir(self, *, optimised: bool = False) -> str:
        """LLVM IR text of the choice, then of each variant."""
        return "\n".join([_choice(self), *(one.llvm_ir(optimised=optimised) for one in self.programs)])

    def assembly(self) -> str:
        return "\n".join([self.machine.optimise(_choice(self)).assembly(), *(one.assembly() for one in self.programs)])

    @property
    def machine(self) -> Machine:
        """What the choice is compiled for: any x86-64."""
        return Machine(self.programs[0].machine.triple, "x86-64", level=1)

    @cached_property
    def object(self) -> bytes:
        """A relocatable object of the choice, with the place for all weights."""
        return self.machine.optimise(_choice(self)).object()


def module_symbol(prefix: str, cpu: str) -> str:
    """The hidden name of a variant's module table."""
    return f"{prefix}.{cpu}.module"


def weights_symbol(prefix: str) -> str:
    """The hidden name of the weights of all variants."""
    return f"{prefix}.weights"


def checked_levels(names: tuple[str, ...]) -> tuple[str, ...]:
    """The processors of variants, best first. Raises IntaglioError: ITG7106 for other than levels of x86-64, ITG7107 on other machines."""
    if platform.machine() not in ("x86_64", "AMD64"):
        raise IntaglioError("ITG7107", "a choice between processors is assembled on x86-64 only", subject="cpu")
    if not names or set(names) - set(LEVELS):
        hint = f"Several processors may be: {', '.join(LEVELS)}."
        raise IntaglioError("ITG7106", f"cannot choose between {', '.join(names) or 'none'} at run time", subject="cpu", hint=hint)
    return tuple(level for level in LEVELS if level in names)


def _choice(variants: Variants) -> str:
    """The LLVM module that chooses: tables, the constructor, the C API."""
    prefix = variants.prefix
    names = [program.machine.cpu for program in variants.programs]
    symbols = [module_symbol(prefix, name) for name in names]
    rows = [
        f'%variant {{ ptr @cpu.{i}, ptr @"{symbol}", {", ".join(f"i32 {mask}" for mask in LEVELS[name])} }}'
        for i, (name, symbol) in enumerate(zip(names, symbols, strict=True))
    ]
    words = {"SYMBOL": MODULE_SYMBOL, "COUNT": str(len(rows)), "LAST": str(len(rows) - 1), "ROWS": ", ".join(rows)}
    lines = [
        *(struct.llvm() for struct in STRUCTS),
        *(f'@"{symbol}" = external hidden constant %module' for symbol in symbols),
        *(constant_text(f"cpu.{i}", name) for i, name in enumerate(names)),
        constant_text("wish", WISH),
        placeholder(variants.layout.bytes, variants.machine.attributes.triple, weights_symbol(prefix)),
        re.sub(r"\$(\w+)", lambda match: words[match.group(1)], _TEXT),
        *(_exported(prefix, name, signature) for name, signature in EXPORTS.items()),
    ]
    return expand("\n".join(lines))


def _exported(prefix: str, name: str, signature: str) -> str:
    """A function of the C API, over the table."""
    found = re.fullmatch(r"(\w+) \((.*)\)", signature)
    assert found is not None
    result, types = found.group(1), [t for t in found.group(2).split(", ") if t]
    parameters = ", ".join(f"{t} %a{i}" for i, t in enumerate(types))
    head = f"define {result} @{prefix}_{name}({parameters}) {{\n"
    if name.startswith("num_"):
        return f"{head}  %at = FIELD(module, @module, {name[4:-1]}_count)\n  %count = load i32, ptr %at, align 4\n  ret i32 %count\n}}"
    if name in ("input", "output"):
        fields = f"  %count = FIELD(module, @module, {name}_count)\n  %ports = FIELD(module, @module, {name}s)\n"
        return f"{head}{fields}  %port = call ptr @port(i32 %a0, ptr %count, ptr %ports)\n  ret ptr %port\n}}"
    call = f"call {result} %function({parameters})"
    returned = f"  {call}\n  ret void" if result == "void" else f"  %result = {call}\n  ret {result} %result"
    return f"{head}  %at = FIELD(module, @module, {name})\n  %function = load ptr, ptr %at, align 8\n{returned}\n}}"
