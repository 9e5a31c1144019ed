"""LLVM as a tool: optimise IR text for a target, emit objects and assembly, load objects into this process."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding import orcjit

from ...errors import IntaglioError
from .dot import dot_products
from .emitter import TargetAttributes

_library_numbers = itertools.count()
_once = threading.Lock()


class LlvmError(IntaglioError):
    """LLVM refused the IR, the target or the object (ITG4002): always a fault of the compiler or of a target's description."""

    def __init__(self, message: str, *, subject: str = "LLVM", hint: str = "") -> None:
        super().__init__("ITG4002", message, subject=subject, hint=hint)


@lru_cache(maxsize=1)
def host_cpu() -> tuple[str, str]:
    """LLVM's name of the processor this runs on and its features, as `+a,-b,..`."""
    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:
        features = ""  # LLVM cannot ask every architecture: the name alone must do
    return llvm.get_host_cpu_name(), features


@dataclass(frozen=True)
class Optimised:
    """A module after LLVM's pass pipeline; each emission parses it afresh, since emission changes what it emits."""

    machine: Machine
    bitcode: bytes

    @property
    def ir(self) -> str:
        return str(self._module())

    def object(self) -> bytes:
        """A relocatable object in the target's own format, position-independent."""
        return self.machine.target_machine.emit_object(self._module())

    def assembly(self) -> str:
        return self.machine.target_machine.emit_assembly(self._module())

    def _module(self) -> llvm.ModuleRef:
        return llvm.parse_bitcode(self.bitcode)


@dataclass(frozen=True)
class Machine:
    """What code is compiled for.

    triple: LLVM's, empty for this host; cpu: "host" (only with the host's own architecture) or a name that LLVM knows, such as
    "x86-64-v3"; features: `+a,-b`, added to the cpu's; level: 0 to 3, of LLVM's pipeline and of its code generator.
    """

    triple: str = ""
    cpu: str = "host"
    features: str = ""
    level: int = 3

    @cached_property
    def attributes(self) -> TargetAttributes:
        """What the emitter writes into modules for this machine."""
        cpu, features = self._cpu
        layout = str(self.target_machine.target_data)
        return TargetAttributes(self._triple, layout, cpu, features, self.vector_width, _half(self), _dot(self))

    @cached_property
    def vector_width(self) -> int:
        """Bits of the vectors to prefer, 0 for LLVM's choice. Named, since LLVM holds back from 512 bits for old processors' sake."""
        cpu, features = self._cpu
        names = features.split(",")
        wide = "+avx512f" in names or cpu in ("x86-64-v4", "znver4", "znver5", "sapphirerapids", "graniterapids")
        return 512 if wide and "-avx512f" not in names else 0

    @cached_property
    def target_machine(self) -> llvm.TargetMachine:
        _initialise()
        cpu, features = self._cpu
        try:
            target = llvm.Target.from_triple(self._triple)
        except RuntimeError as error:
            raise LlvmError(str(error), subject=f"target {self._triple!r}") from error
        # Small code model and PIC: one object serves the shared library and the JIT, with direct loads of constants.
        return target.create_target_machine(cpu=cpu, features=features, opt=self.level, reloc="pic", codemodel="small")

    def optimise(self, ir: str) -> Optimised:
        """Parses, verifies and optimises one module of LLVM IR text. Raises LlvmError (ITG4002), with the line where there is one."""
        module = self.parse(ir)
        options = llvm.create_pipeline_tuning_options(speed_level=self.level)
        options.loop_vectorization = self.level >= 2
        options.slp_vectorization = self.level >= 2
        options.loop_interleaving = self.level >= 2
        options.loop_unrolling = self.level >= 2
        builder = llvm.create_pass_builder(self.target_machine, options)
        builder.getModulePassManager().run(module, builder)
        return Optimised(self, module.as_bitcode())

    def parse(self, ir: str) -> llvm.ModuleRef:
        """The module, verified, for this target whatever the text says of one."""
        target_machine = self.target_machine
        try:
            module = llvm.parse_assembly(ir)
            module.triple = target_machine.triple
            module.data_layout = str(target_machine.target_data)
            module.verify()
        except RuntimeError as error:
            raise _explain(ir, str(error)) from error
        return module

    def compile(self, ir: str) -> bytes:
        """Object bytes of one module of LLVM IR text."""
        return self.optimise(ir).object()

    def load(self, objects: Iterable[bytes], imports: Mapping[str, int] | None = None) -> Library:
        """Links objects into this process: see `Library`."""
        return Library(objects, imports)

    @cached_property
    def _triple(self) -> str:
        return self.triple or llvm.get_default_triple()

    @cached_property
    def _cpu(self) -> tuple[str, str]:
        if self.cpu != "host":
            return self.cpu, self.features
        host = llvm.get_default_triple()
        if self._triple.split("-")[0] != host.split("-")[0]:
            hint = 'Name the processor, such as "x86-64-v3" or "cortex-a72".'
            raise LlvmError(f'cpu "host" is for {host}, not for {self._triple}', subject="target", hint=hint)
        cpu, features = host_cpu()
        return cpu, ",".join(part for part in (features, self.features) if part)


@lru_cache
def _half(machine: Machine) -> str:
    """What the target does with f16, as `TargetAttributes.half` says it: LLVM is asked, since processors' names imply features."""
    probe = "define half @f(half %a, half %b, half %c) {{ %r = {} ret half %r }} declare half @llvm.fma.f16(half, half, half)"
    fma = machine.target_machine.emit_object(machine.parse(probe.format("call half @llvm.fma.f16(half %a, half %b, half %c)")))
    if not any(name in fma for name in (b"hf2", b"fma\0", b"fmaf\0")):
        return "arithmetic"
    add = machine.target_machine.emit_object(machine.parse(probe.format("fadd half %a, %b")))
    return "none" if b"hf2" in add else "conversion"


@lru_cache
def _dot(machine: Machine) -> dict[int, str]:
    """What the target has for dot products of bytes, as `TargetAttributes.dot` says it."""
    full = replace(machine, level=3)  # a code generator that does not optimise has no instruction for what spans several
    return dot_products(lambda ir: full.target_machine.emit_assembly(full.parse(ir)), machine.vector_width)


class Library:
    """Objects linked into this process; its code stays mapped for as long as this lives.

    objects: for this host; imports: addresses of symbols that the objects leave undefined. What neither gives is looked for in
    the process (libc's memcpy, libm's fma on old processors). Raises LlvmError where a symbol stays undefined.
    """

    def __init__(self, objects: Iterable[bytes], imports: Mapping[str, int] | None = None) -> None:
        _initialise()
        self._name = f"intaglio.{next(_library_numbers)}"
        self._jit = _jit()
        builder = orcjit.JITLibraryBuilder()
        for image in objects:
            builder.add_object_img(image)
        for symbol, address in (imports or {}).items():
            builder.import_symbol(symbol, address)
        builder.add_current_process()
        try:
            self._trackers: list[Any] = [builder.link(self._jit, self._name)]
        except RuntimeError as error:
            raise LlvmError(str(error), subject="JIT") from error
        self._addresses: dict[str, int] = {}

    def address(self, symbol: str) -> int:
        """The address of a function or global of default visibility. Raises LlvmError if there is none of that name."""
        if symbol not in self._addresses:
            try:
                tracker = self._jit.lookup(self._name, symbol)
            except RuntimeError as error:
                raise LlvmError(str(error), subject=f"symbol {symbol!r}") from error
            self._trackers.append(tracker)
            self._addresses[symbol] = tracker[symbol]
        return self._addresses[symbol]


@lru_cache(maxsize=1)
def _jit() -> orcjit.LLJIT:
    """One for the process: libraries are told apart by name."""
    return orcjit.create_lljit_compiler(use_jit_link=False)


@lru_cache(maxsize=1)
def _initialise() -> None:
    with _once:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        llvm.initialize_native_asmparser()  # for the instructions that tell processors apart


def _explain(ir: str, message: str) -> LlvmError:
    """LLVM's message, first line, with the line of IR that it points at."""
    text = message.strip().removeprefix("LLVM IR parsing error").strip()
    where = re.match(r"<string>:(\d+):\d+: error: (.*)", text)
    if where is None:
        return LlvmError(text.splitlines()[0] if text else "refused the module")
    number = int(where.group(1))
    line = ir.splitlines()[number - 1].strip()
    return LlvmError(f"{where.group(2)}, line {number}: {line}", hint="The emitter wrote invalid IR; please report it.")
