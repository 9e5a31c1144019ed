"""Runs compiled programs from Python with ONNX Runtime's habits, over their C API; in process or from a shared library alike."""

from __future__ import annotations

import ctypes
import re
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import IntaglioError
from .abi import MODULE, MODULE_SYMBOL, OPTIONS, VERSION
from .lending import Lender, checked_place, require_there
from .pillow import decode_image
from .profile import Dispatch, read_profile
from .values import Fed, Port, Tensor, Writer, read_ports, read_value

_Module, _Options = (struct.ctypes() for struct in (MODULE, OPTIONS))

MOST_THREADS = 1024

_CREATE_ERRORS = {
    5010: "there is no memory for an instance",
    5011: "the device failed, or is of an older version",
    5012: "the weights are missing",
    5014: "this processor is none that the library was compiled for",
}


class HostedDevice(Protocol):
    """A device written in Python: `struct` is a ctypes instance of `abi.DEVICE`, kept alive by whoever made it."""

    @property
    def struct(self) -> ctypes.Structure: ...


@dataclass(frozen=True)
class NodeArg:
    """One input or output. type: such as "tensor(float)", "seq(tensor(int64))"; shape: of a tensor, a size, or a name where it is open."""

    name: str
    type: str
    shape: list[int | str]


class Session:
    """One instance of a compiled program. `run` may be called from several threads; they take turns."""

    def __init__(
        self,
        module: int,
        *,
        keep: object = None,
        weights: np.ndarray | None = None,
        device: HostedDevice | None = None,
        num_threads: int = 0,
    ) -> None:
        """module: the address of a program's `intaglio_module`; keep: whatever must live as long; weights: the blob, in place of the
        module's own; device: in place of the CPU; num_threads: of the CPU, the caller's among them, 0 for as many as the environment
        variable INTAGLIO_NUM_THREADS says, else as this process may use. Raises IntaglioError: ITG5530, ITG7022, ITG5010 to ITG5012."""
        if not 0 <= num_threads <= MOST_THREADS:
            raise IntaglioError("ITG5530", f"num_threads={num_threads} is not between 0 and {MOST_THREADS}", subject="session")
        self._module = _Module.from_address(module)
        if self._module.version != VERSION:
            hint = "Compile the model again."
            raise IntaglioError("ITG7022", f"is of version {self._module.version}, not {VERSION}", subject="compiled module", hint=hint)
        self._lock = threading.Lock()
        self._inputs = read_ports(self._module.inputs, self._module.input_count)
        self._outputs = read_ports(self._module.outputs, self._module.output_count)
        self._index = {port.name: i for i, port in enumerate(self._outputs)}
        self._names = frozenset(port.name for port in self._inputs)
        # Of one run at a time, as the lock has it.
        self._fed = (Tensor * max(len(self._inputs), 1))()
        self._given = (Tensor * max(len(self._outputs), 1))()
        self._lenders = [_lender(tensor, port) for tensor, port in zip(self._given, self._outputs, strict=False)]
        self._tensors = [_fed(tensor, port) for tensor, port in zip(self._fed, self._inputs, strict=False)]
        self._run = self._module.run_into
        self._instance = self._create(weights, device, num_threads)
        # Not __del__: in a cycle that is collected, the code might go before it.
        self._end = weakref.finalize(self, _destroy, self._module, self._instance, keep, weights, device)

    @classmethod
    def load(cls, path: str | Path, *, num_threads: int = 0) -> Session:
        """A session over a shared library that `CpuProgram.save` wrote; its code runs in this process, so load what you trust.

        Raises IntaglioError: ITG7020 if it cannot be loaded, ITG7021 if it is no compiled model.
        """
        try:
            library = ctypes.CDLL(str(Path(path).resolve()), mode=getattr(ctypes, "RTLD_LOCAL", 0))
        except OSError as error:
            raise IntaglioError("ITG7020", f"cannot be loaded: {error}", subject="library", node=str(path)) from error
        try:
            module = ctypes.c_char.in_dll(library, MODULE_SYMBOL)
        except ValueError as error:
            raise IntaglioError("ITG7021", "is no model that Intaglio compiled", subject="library", node=str(path)) from error
        return cls(ctypes.addressof(module), keep=library, num_threads=num_threads)

    def get_inputs(self) -> list[NodeArg]:
        return list(map(_described, self._inputs))

    def get_outputs(self) -> list[NodeArg]:
        return list(map(_described, self._outputs))

    def run(
        self,
        output_names: Sequence[str] | None,
        feeds: Mapping[str, Any],
        run_options: object = None,
        *,
        into: Mapping[str, np.ndarray] | None = None,
    ) -> list[Any]:
        """The outputs named, all of them for None, as arrays of the caller's own; a sequence is a list, a map a dictionary, an empty
        optional None. Memory of arrays that are gone is used for later ones.

        feeds: an array for each input, by name; inputs that have a default, and optionals, may be left out. What is not an array
        becomes one of the input's type. run_options: taken for compatibility and ignored. into: arrays in which outputs are left, by
        name. Such an array may be an input's, too: a cache that the model updates is changed where it lies then, see docs/caches.md.

        Raises IntaglioError: ITG5503 for an element type, ITG5504 for a rank, ITG5505 for a size, ITG5506 for two sizes of one
        name, ITG5509 for a name that no input has, ITG5510 for an input left out, ITG5511 for a name that no output has, ITG5512 for an
        array that cannot take an output; else what the model itself refused, ITG5010 for a lack of memory.
        """
        wanted = range(len(self._outputs)) if output_names is None else [self._output(name) for name in output_names]
        if not self._names.issuperset(feeds):
            unknown = next(name for name in feeds if name not in self._names)
            raise IntaglioError("ITG5509", "the model has no such input", subject="input", node=str(unknown), hint=self._takes())
        given: dict[int, np.ndarray] = {}
        for name, array in into.items() if into else ():
            i = self._output(name)
            given[i] = checked_place(array, self._outputs[i])
        with self._lock:
            if not self._end.alive:
                raise IntaglioError("ITG5501", "is closed", subject="session")
            writer = Writer()  # what it keeps has to last until all is read
            for i, tensor in enumerate(self._tensors):
                if tensor is not None and tensor.name in feeds:
                    writer.keep.append(tensor.feed(feeds[tensor.name]))
                else:
                    self._feed(writer, i, feeds)
            for i, lender in enumerate(self._lenders):
                if lender is not None:
                    lender.lend() if i in wanted and i not in given else lender.keep()
            for i, array in given.items():
                writer.array(self._given[i], array, self._outputs[i])
            status = self._run(self._instance, self._fed, len(self._inputs), self._given, len(self._outputs))
            if status:
                raise self._error(status)
            for i, array in given.items():
                require_there(self._given[i], array, self._outputs[i])
            return [given[i] if i in given else self._read(i) for i in wanted]

    def profile(self, *, reset: bool = False) -> list[Dispatch]:
        """The time and the work of each dispatch over all runs so far, in the program's order; reset: begin anew.

        Raises IntaglioError: ITG5531 for a program that keeps no profile.
        """
        if not self._module.site_count:
            hint = "Compile the model with profile=True (intaglio compile --profile)."
            raise IntaglioError("ITG5531", "keeps no profile", subject="compiled module", hint=hint)
        with self._lock:
            if not self._end.alive:
                raise IntaglioError("ITG5501", "is closed", subject="session")
            return read_profile(self._module, self._instance, reset=reset)

    def close(self) -> None:
        """Gives the instance's memory back at once; the session cannot run after."""
        with self._lock:
            self._end()
            for lender in self._lenders:
                if lender is not None:
                    lender.clear()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self, weights: np.ndarray | None, device: HostedDevice | None, num_threads: int) -> ctypes.c_void_p:
        instance = ctypes.c_void_p()
        options = _Options(
            size=ctypes.sizeof(_Options),
            device=ctypes.addressof(device.struct) if device is not None else None,
            weights=weights.ctypes.data if weights is not None else None,
            decode_image=decode_image(),
            num_threads=num_threads,
        )
        status = self._module.create(ctypes.addressof(options), ctypes.addressof(instance))
        if status:
            raise IntaglioError(f"ITG{status:04d}", _CREATE_ERRORS.get(status, "no instance could be made"), subject="session")
        return instance

    def _output(self, name: str) -> int:
        if (i := self._index.get(name)) is None:
            hint = f"It has: {', '.join(self._index)}."
            raise IntaglioError("ITG5511", "the model has no such output", subject="output", node=str(name), hint=hint)
        return i

    def _feed(self, writer: Writer, i: int, feeds: Mapping[str, Any]) -> None:
        port = self._inputs[i]
        if port.name in feeds:
            writer.value(self._fed[i], feeds[port.name], port)
        elif port.kind == "optional":
            writer.value(self._fed[i], None, port)
        elif port.has_default:
            (self._tensors[i] or Fed(self._fed[i], port)).leave()
        else:
            raise IntaglioError("ITG5510", "nothing is fed to it", subject="input", node=port.name, hint=self._takes())

    def _read(self, output: int) -> Any:
        lender = self._lenders[output]
        return lender.read() if lender is not None else read_value(self._given[output], self._outputs[output])

    def _takes(self) -> str:
        return f"It takes: {', '.join(port.name for port in self._inputs) or 'nothing'}."

    def _error(self, status: int) -> IntaglioError:
        text = ctypes.string_at(self._module.last_error(self._instance)).decode(errors="replace")
        parts = re.fullmatch(r'ITG\d{4} (?:(\w*) ?"(.*?)": )?(.*)', text, flags=re.DOTALL)
        subject, node, message = parts.groups() if parts else ("", None, text or "the run failed")
        return IntaglioError(f"ITG{status:04d}", message, subject=subject or "", node=node)


def _destroy(module: Any, instance: ctypes.c_void_p, *_keep: object) -> None:
    """Ends an instance; what it runs on is held until then."""
    module.destroy(instance)


def _lender(tensor: Any, port: Port) -> Lender | None:
    return Lender(tensor, port) if port.kind == "tensor" and not port.dtype.hasobject else None


def _fed(tensor: Any, port: Port) -> Fed | None:
    return Fed(tensor, port) if port.kind == "tensor" and not port.dtype.hasobject else None


def _described(port: Port) -> NodeArg:
    return NodeArg(port.name, port.type, list(port.shape or ()))
