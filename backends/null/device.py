"""The recording device: it takes every call that a host program makes, checks it, writes it down and computes nothing.

What is read back from it is zeros. It shares no memory with the host, so that programs must upload and download. Used by the
conformance suite, and wherever one asks what a program would do: how much memory, which kernels, in which order.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..abi import BINDING, DEVICE, IMAGE, Function, ctypes_type

_Binding, _Device, _Image = BINDING.ctypes(), DEVICE.ctypes(), IMAGE.ctypes()

# Handles lie this far apart, so that no two buffers could be told from each other's insides.
_SPACING = 1 << 48


@dataclass(frozen=True)
class Dispatch:
    """One dispatch: the kernel's name, and buffers as pairs of handle and offset."""

    kernel: str
    workgroups: int
    buffers: tuple[tuple[int, int], ...]
    constants: tuple[int, ...]


@dataclass
class Log:
    """What was asked. events: (function, arguments) in order; peak_bytes: the most memory held at once."""

    events: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    dispatches: list[Dispatch] = field(default_factory=list)
    peak_bytes: int = 0

    def count(self, function: str) -> int:
        return sum(name == function for name, _ in self.events)


class NullDevice:
    """A device in Python. `limit_bytes`: allocations beyond it in total fail, as on a device whose memory is full.

    A call that makes no sense (a handle that is not, a range outside of its buffer, a free of what is not held) fails where it can
    and is kept in `faults` in any case.
    """

    def __init__(self, *, limit_bytes: int = 1 << 40) -> None:
        self.limit_bytes = limit_bytes
        self.log = Log()
        self.faults: list[str] = []
        self.held: dict[int, int] = {}
        self._handles = 0
        self._executables: dict[int, list[str]] = {}
        self._lock = threading.Lock()
        self._error = ctypes.create_string_buffer(256)
        self._name = b"null"
        functions = {m.name: ctypes_type(m)(self._callback(m.name)) for m in DEVICE.members if isinstance(m, Function)}
        self._struct = _Device(size=ctypes.sizeof(_Device), name=self._name, context=None, **functions)

    @property
    def struct(self) -> ctypes.Structure:
        return self._struct

    def _callback(self, name: str) -> Callable[..., Any]:
        method = getattr(self, f"_{name}")

        def call(_device: int, *arguments: Any) -> Any:
            with self._lock:
                return method(*arguments)

        return call

    def _allocate(self, size: int, out: int) -> int:
        self._note("allocate", size)
        if size < 0 or sum(self.held.values()) + size > self.limit_bytes:
            return self._fail(f"{size} bytes are not to be had", fault=False, status=5010)
        self._handles += 1
        handle = self._handles * _SPACING
        self.held[handle] = size
        self.log.peak_bytes = max(self.log.peak_bytes, sum(self.held.values()))
        ctypes.c_void_p.from_address(out).value = handle
        return 0

    def _free(self, handle: int | None) -> None:
        if handle is None:
            return
        self._note("free", handle)
        if self.held.pop(handle, None) is None:
            self._fail(f"free of {handle:#x}, which is not held")

    def _wrap(self, host: int | None, size: int) -> None:
        self._note("wrap", size)

    def _map(self, handle: int | None, offset: int) -> None:
        self._note("map", handle, offset)

    def _upload(self, handle: int, offset: int, source: int, size: int) -> int:
        self._note("upload", handle, offset, size)
        return self._range(handle, offset, size)

    def _download(self, handle: int, offset: int, target: int, size: int) -> int:
        self._note("download", handle, offset, size)
        if status := self._range(handle, offset, size):
            return status
        ctypes.memset(target, 0, size)
        return 0

    def _copy(self, source: int, source_offset: int, target: int, target_offset: int, size: int) -> int:
        self._note("copy", source, source_offset, target, target_offset, size)
        return self._range(source, source_offset, size) or self._range(target, target_offset, size)

    def _fill(self, handle: int, offset: int, value: int, size: int) -> int:
        self._note("fill", handle, offset, value, size)
        return self._range(handle, offset, size)

    def _load_executable(self, image: int, out: int) -> int:
        described: Any = _Image.from_address(image)
        names = (ctypes.c_char_p * described.kernel_count).from_address(described.kernels)
        self._note("load_executable", described.format.decode(), described.kernel_count)
        self._handles += 1
        self._executables[self._handles] = [(name or b"").decode() for name in names]
        ctypes.c_void_p.from_address(out).value = self._handles
        return 0

    def _unload_executable(self, executable: int | None) -> None:
        if executable is None:
            return
        self._note("unload_executable", executable)
        if self._executables.pop(executable, None) is None:
            self._fail(f"unload of executable {executable}, which is not loaded")

    def _dispatch(
        self, executable: int, kernel: int, workgroups: int, cost: int, buffers: int, count: int, constants: int, constant_count: int
    ) -> int:
        names = self._executables.get(executable)
        if names is None or not 0 <= kernel < len(names):
            return self._fail(f"dispatch of kernel {kernel} of executable {executable}")
        bindings: Any = (_Binding * count).from_address(buffers) if count else ()
        pairs = tuple((binding.buffer or 0, binding.offset) for binding in bindings)
        values = tuple((ctypes.c_int64 * constant_count).from_address(constants)) if constant_count else ()
        self._note("dispatch", names[kernel], workgroups)
        self.log.dispatches.append(Dispatch(names[kernel], workgroups, pairs, values))
        return next((status for handle, offset in pairs if (status := self._range(handle, offset, 0))), 0)

    def _synchronise(self) -> int:
        self._note("synchronise")
        return 0

    def _last_error(self) -> int:
        return ctypes.addressof(self._error)

    def _destroy(self) -> None:
        self._note("destroy")
        if self.held:
            self._fail(f"destroyed with {len(self.held)} buffers held")

    def _note(self, name: str, *arguments: Any) -> None:
        self.log.events.append((name, arguments))

    def _range(self, handle: int | None, offset: int, size: int) -> int:
        held = self.held.get(handle or 0)
        if held is None:
            return self._fail(f"buffer {handle or 0:#x} is not held")
        if offset < 0 or size < 0 or offset + size > held:
            return self._fail(f"bytes {offset} to {offset + size} of a buffer of {held}")
        return 0

    def _fail(self, message: str, *, fault: bool = True, status: int = 5011) -> int:
        if fault:
            self.faults.append(message)
        self._error.value = message.encode()[:255]
        return status
