"""AArch64 code run on any machine: an object is placed in memory and its functions are called by Unicorn, QEMU's processor as a library.

The guest's addresses are the host's: a page is lent to the processor when it first touches it, so that callers hand over their own
arrays and structs. What the object takes from libc is the host's; one thread runs.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from typing import Any

from intaglio.backends.abi import MODULE, MODULE_SYMBOL, Function
from intaglio.backends.cpu import CpuProgram
from intaglio.backends.session import Session
from unicorn import UC_ARCH_ARM64, UC_HOOK_CODE, UC_HOOK_MEM_UNMAPPED, UC_MODE_ARM, UC_PROT_ALL, Uc
from unicorn import arm64_const as arm

PAGE = mmap.PAGESIZE
STACK_BYTES = 8 << 20

_libc = ctypes.CDLL(None)

_INTEGERS = {
    "malloc": 1, "calloc": 2, "aligned_alloc": 2, "free": 1, "memcpy": 3, "memmove": 3, "memset": 3, "memcmp": 3,
    "strcmp": 2, "strncmp": 3, "strlen": 1, "snprintf": 8, "getenv": 1, "getpid": 0,
}  # fmt: skip
"""Functions that take and return integers or addresses, and how many: here the host's do as well, as the memory is the same."""


def emulated(program: CpuProgram) -> Session:
    """A session whose code runs on an emulated AArch64 processor."""
    machine = Emulator(program.object)
    module = MODULE.ctypes().from_buffer_copy(ctypes.string_at(machine.symbols[MODULE_SYMBOL], ctypes.sizeof(MODULE.ctypes())))
    for member in MODULE.members:
        if isinstance(member, Function):
            address = ctypes.cast(getattr(module, member.name), ctypes.c_void_p).value
            kind = dict(MODULE.ctypes()._fields_)[member.name]  # type: ignore[misc]
            setattr(module, member.name, kind(lambda *arguments, at=address: machine.call(at, *arguments)))
    weights = program.layout.blob() if program.layout.bytes else None
    return Session(ctypes.addressof(module), keep=(machine, module), weights=weights, num_threads=1)


class Emulator:
    """One processor with an object in its memory; `symbols`: the object's, by name."""

    def __init__(self, image: bytes) -> None:
        self.cpu = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        self.cpu.ctl_set_cpu_model(arm.UC_CPU_ARM64_MAX)
        self.cpu.reg_write(arm.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # floating point and vectors are allowed
        self._lent: set[int] = set()
        self.cpu.hook_add(UC_HOOK_MEM_UNMAPPED, self._lend)
        self._regions: list[mmap.mmap] = []
        self._stack, self._stubs = self.region(STACK_BYTES), self.region(PAGE)
        self._names: dict[int, str] = {}
        self.cpu.hook_add(UC_HOOK_CODE, self._libc_call, begin=self._stubs, end=self._stubs + PAGE - 1)
        self._home = self.external("home")  # where calls return to
        self.symbols = _Loader(image, self).symbols

    def region(self, size: int) -> int:
        """The address of new memory, of the host and the guest alike."""
        memory = mmap.mmap(-1, size)
        self._regions.append(memory)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self.cpu.mem_map_ptr(address, size, UC_PROT_ALL, address)
        return address

    def call(self, address: int | None, *arguments: Any) -> int:
        """x0 after a call with up to eight integers or addresses."""
        for n, value in enumerate(arguments):
            self.cpu.reg_write(arm.UC_ARM64_REG_X0 + n, (value or 0) & (1 << 64) - 1)
        self.cpu.reg_write(arm.UC_ARM64_REG_SP, self._stack + STACK_BYTES - 64)
        self.cpu.reg_write(arm.UC_ARM64_REG_LR, self._home)
        self.cpu.emu_start(address, self._home)
        return self.cpu.reg_read(arm.UC_ARM64_REG_X0)

    def external(self, name: str) -> int:
        """The address of what the object takes from libc: of a stub, where the host's function is called in its place."""
        at = self._stubs + 8 * len(self._names)
        ctypes.memmove(at, struct.pack("<II", 0xD503201F, 0xD65F03C0), 8)  # nop, ret
        self._names[at] = name
        return at

    def _libc_call(self, cpu: Uc, address: int, size: int, data: object) -> None:
        if (name := self._names.get(address)) is None:
            return
        if name not in _INTEGERS:
            raise NotImplementedError(f"the emulator has no {name}")
        function = getattr(_libc, name)
        function.restype = ctypes.c_uint64
        arguments = (ctypes.c_uint64(cpu.reg_read(arm.UC_ARM64_REG_X0 + n)) for n in range(_INTEGERS[name]))
        cpu.reg_write(arm.UC_ARM64_REG_X0, function(*arguments))

    def _lend(self, cpu: Uc, access: int, address: int, size: int, value: int, data: object) -> bool:
        """Maps the pages touched if the host has them."""
        for page in {address // PAGE * PAGE, (address + size - 1) // PAGE * PAGE} - self._lent:
            if _libc.mincore(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), ctypes.create_string_buffer(1)):
                return False
            cpu.mem_map_ptr(page, PAGE, UC_PROT_ALL, page)
            self._lent.add(page)
        return True


class _Loader:
    """Places the sections of a relocatable ELF object and applies its relocations, after "ELF for the Arm 64-bit Architecture"."""

    def __init__(self, image: bytes, emulator: Emulator) -> None:
        self.image, self.emulator = image, emulator
        self.sections = self._sections()
        self.symbols: dict[str, int] = {}
        self.slots: dict[int, int] = {}
        self.addresses = self._place()
        (table,) = (s for s in self.sections if s["type"] == 2)
        values = self._read_symbols(table)
        for section in self.sections:
            if section["type"] == 4 and section["info"] in self.addresses:
                self._relocate(section, self.addresses[section["info"]], values)

    def _sections(self) -> list[dict[str, int]]:
        (start,) = struct.unpack_from("<Q", self.image, 40)
        size, count, _ = struct.unpack_from("<HHH", self.image, 58)
        names = ("name", "type", "flags", "address", "offset", "size", "link", "info", "align", "entry")
        return [dict(zip(names, struct.unpack_from("<IIQQQQIIQQ", self.image, start + n * size), strict=True)) for n in range(count)]

    def _place(self) -> dict[int, int]:
        """Where each section that is there at run time lies, all within reach of one another."""
        offsets: dict[int, int] = {}
        total = 0
        for n, section in enumerate(self.sections):
            if section["flags"] & 2 and section["size"]:
                total = -(-total // max(section["align"], 16)) * max(section["align"], 16)
                offsets[n], total = total, total + section["size"]
        base = self.emulator.region(-(-total // PAGE) * PAGE + PAGE)
        for n, offset in offsets.items():
            section = self.sections[n]
            if section["type"] != 8:  # no bytes are stored of what is zero
                ctypes.memmove(base + offset, self.image[section["offset"] : section["offset"] + section["size"]], section["size"])
        self.got = base + total // 16 * 16 + 16
        return {n: base + offset for n, offset in offsets.items()}

    def _read_symbols(self, table: dict[str, int]) -> list[int]:
        strings, values = self.sections[table["link"]]["offset"], []
        for at in range(table["offset"], table["offset"] + table["size"], 24):
            name_at, info, _, section, value, _ = struct.unpack_from("<IBBHQQ", self.image, at)
            end = self.image.index(0, strings + name_at)
            name = self.image[strings + name_at : end].decode()
            if section in self.addresses:
                value += self.addresses[section]
            elif section == 0 and name:
                value = self.emulator.external(name)
            values.append(value)
            if info >> 4:
                self.symbols[name] = value
        return values

    def _relocate(self, section: dict[str, int], base: int, values: list[int]) -> None:
        for at in range(section["offset"], section["offset"] + section["size"], 24):
            offset, info, addend = struct.unpack_from("<QQq", self.image, at)
            self._apply(info & 0xFFFFFFFF, base + offset, values[info >> 32] + addend)

    def _apply(self, kind: int, at: int, value: int) -> None:
        if kind in (311, 312):  # a slot of the global offset table, by its page and its place there
            kind, value = {311: 275, 312: 286}[kind], self._slot(value)
        if kind == 257:
            ctypes.memmove(at, struct.pack("<Q", value & (1 << 64) - 1), 8)
            return
        if kind == 261:
            ctypes.memmove(at, struct.pack("<i", value - at), 4)
            return
        if kind == 275:
            pages = (value >> 12) - (at >> 12)
            self._insert(at, (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5)
        elif kind in (282, 283):
            self._insert(at, (value - at) >> 2 & 0x3FFFFFF)
        elif kind in (277, 278, 284, 285, 286, 299):
            scale = {277: 0, 278: 0, 284: 1, 285: 2, 286: 3, 299: 4}[kind]
            self._insert(at, (value & 0xFFF) >> scale << 10)
        else:
            raise NotImplementedError(f"relocation {kind}")

    def _insert(self, at: int, bits: int) -> None:
        (word,) = struct.unpack("<I", ctypes.string_at(at, 4))
        ctypes.memmove(at, struct.pack("<I", word | bits), 4)

    def _slot(self, value: int) -> int:
        if value not in self.slots:
            self.slots[value] = self.got + 8 * len(self.slots)
            ctypes.memmove(self.slots[value], struct.pack("<Q", value), 8)
        return self.slots[value]
