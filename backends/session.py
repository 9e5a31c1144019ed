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

from ..dialects.onnx.types import BY_NUMBER
from ..errors import IntaglioError, UnsupportedError
from .abi import MODULE, MODULE_SYMBOL, OPTIONS, PORT, TENSOR, VERSION
from .pillow import decode_image

_Module, _Options, _Port, _Tensor = (struct.ctypes() for struct in (MODULE, OPTIONS, PORT, TENSOR))

_CREATE_ERRORS = {
    5010: "there is no memory for an instance",
    5011: "the device failed, or is of an older version",
    5012: "the weights are missing",
}


class HostedDevice(Protocol):
    """A device written in Python: `struct` is a ctypes instance of `abi.DEVICE`, kept alive by whoever made it."""

    @property
    def struct(self) -> ctypes.Structure: ...


@dataclass(frozen=True)
class NodeArg:
    """One input or output. type: such as "tensor(float)"; shape: a size, or a name where it is open."""

    name: str
    type: str
    shape: list[int | str]


@dataclass(frozen=True)
class _Checked:
    """A port as `run` needs it."""

    arg: NodeArg
    number: int
    dtype: np.dtype
    has_default: bool


class Session:
    """One instance of a compiled program. `run` may be called from several threads; they take turns."""

    def __init__(
        self,
        module: int,
        *,
        keep: object = None,
        weights: np.ndarray | None = None,
        device: HostedDevice | None = None,
        num_threads: int = 1,
    ) -> None:
        """module: the address of a program's `intaglio_module`; keep: whatever must live as long; weights: the blob, in place of the
        module's own; device: in place of the CPU. Raises IntaglioError: ITG5530, ITG7022, ITG5010 to ITG5012."""
        if num_threads != 1:
            raise UnsupportedError("ITG5530", f"num_threads={num_threads} is not supported yet, only 1", subject="session")
        self._module = _Module.from_address(module)
        if self._module.version != VERSION:
            hint = "Compile the model again."
            raise IntaglioError("ITG7022", f"is of version {self._module.version}, not {VERSION}", subject="compiled module", hint=hint)
        self._lock = threading.Lock()
        self._inputs = _ports(self._module.inputs, self._module.input_count)
        self._outputs = _ports(self._module.outputs, self._module.output_count)
        self._index = {port.arg.name: i for i, port in enumerate(self._outputs)}
        self._names = frozenset(port.arg.name for port in self._inputs)
        self._instance = self._create(weights, device)
        # Not __del__: in a cycle that is collected, the code might go before it.
        self._end = weakref.finalize(self, _destroy, self._module, self._instance, keep, weights, device)

    @classmethod
    def load(cls, path: str | Path, *, num_threads: int = 1) -> Session:
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
        return [port.arg for port in self._inputs]

    def get_outputs(self) -> list[NodeArg]:
        return [port.arg for port in self._outputs]

    def run(self, output_names: Sequence[str] | None, feeds: Mapping[str, Any], run_options: object = None) -> list[np.ndarray]:
        """The outputs named, all of them for None, as fresh arrays.

        feeds: an array for each input, by name; inputs that have a default may be left out. What is not an array becomes one of
        the input's type. run_options: taken for compatibility and ignored.

        Raises IntaglioError: ITG5503 for an element type, ITG5504 for a rank, ITG5505 for a size, ITG5506 for two sizes of one
        name, ITG5509 for a name that no input has, ITG5510 for an input left out, ITG5511 for a name that no output has; else what
        the model itself refused, ITG5010 for a lack of memory.
        """
        wanted = range(len(self._outputs)) if output_names is None else [self._output(name) for name in output_names]
        if not self._names.issuperset(feeds):
            unknown = next(name for name in feeds if name not in self._names)
            raise IntaglioError("ITG5509", "the model has no such input", subject="input", node=str(unknown), hint=self._takes())
        arrays = [self._feed(port, feeds) for port in self._inputs]
        inputs = (_Tensor * max(len(arrays), 1))()
        sizes = [_fill(tensor, array, port) for tensor, array, port in zip(inputs, arrays, self._inputs, strict=False)]
        outputs = (_Tensor * max(len(self._outputs), 1))()
        with self._lock:
            if not self._end.alive:
                raise IntaglioError("ITG5501", "is closed", subject="session")
            status = self._module.run(self._instance, inputs, len(arrays), outputs, len(self._outputs))
            if status:
                raise self._error(status)
            results = [_read(outputs[i], self._outputs[i].dtype) for i in wanted]
        del sizes  # the sizes' memory had to last until here
        return results

    def close(self) -> None:
        """Gives the instance's memory back at once; the session cannot run after."""
        with self._lock:
            self._end()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self, weights: np.ndarray | None, device: HostedDevice | None) -> ctypes.c_void_p:
        instance = ctypes.c_void_p()
        options = _Options(
            size=ctypes.sizeof(_Options),
            device=ctypes.addressof(device.struct) if device is not None else None,
            weights=weights.ctypes.data if weights is not None else None,
            decode_image=decode_image(),
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

    def _feed(self, port: _Checked, feeds: Mapping[str, Any]) -> np.ndarray | None:
        name, expected = port.arg.name, port.dtype
        if name not in feeds:
            if port.has_default:
                return None
            raise IntaglioError("ITG5510", "nothing is fed to it", subject="input", node=name, hint=self._takes())
        value = feeds[name]
        array = value if isinstance(value, np.ndarray) else _converted(value, port)
        if array.dtype != expected:
            if array.dtype.newbyteorder("=") != expected:
                raise self._mismatch("ITG5503", port, array)
            array = array.astype(expected)
        if array.ndim != len(port.arg.shape):
            raise self._mismatch("ITG5504", port, array)
        for size, given in zip(port.arg.shape, array.shape, strict=True):
            if size != given and not isinstance(size, str):
                raise self._mismatch("ITG5505", port, array)
        # ascontiguousarray would make a scalar one-dimensional.
        return array if array.flags.c_contiguous and array.flags.aligned else array.copy(order="C")

    def _mismatch(self, code: str, port: _Checked, array: np.ndarray) -> IntaglioError:
        given = f"{array.dtype}{list(array.shape)}"
        expected = f"{port.dtype}[{', '.join(map(str, port.arg.shape))}]"
        return IntaglioError(code, f"{given} is given, the model takes {expected}", subject="input", node=port.arg.name)

    def _takes(self) -> str:
        return f"It takes: {', '.join(port.arg.name for port in self._inputs) or 'nothing'}."

    def _error(self, status: int) -> IntaglioError:
        text = ctypes.string_at(self._module.last_error(self._instance)).decode(errors="replace")
        parts = re.fullmatch(r'ITG\d{4} (?:(\w*) ?"(.*?)": )?(.*)', text, flags=re.DOTALL)
        subject, node, message = parts.groups() if parts else ("", None, text or "the run failed")
        return IntaglioError(f"ITG{status:04d}", message, subject=subject or "", node=node)


def _destroy(module: Any, instance: ctypes.c_void_p, *_keep: object) -> None:
    """Ends an instance; what it runs on is held until then."""
    module.destroy(instance)


def _ports(address: int, count: int) -> list[_Checked]:
    return [_port(port) for port in (_Port * count).from_address(address or 0)] if count else []


def _port(port: Any) -> _Checked:
    sizes = (ctypes.c_int64 * port.rank).from_address(port.dims)
    names = (ctypes.c_char_p * port.rank).from_address(port.dim_names)
    kind = BY_NUMBER[port.type]
    shape = [size if name is None else name.decode() for size, name in zip(sizes, names, strict=True)]
    return _Checked(NodeArg(port.name.decode(), f"tensor({kind.name})", shape), kind.number, kind.numpy, bool(port.has_default))


def _converted(value: Any, port: _Checked) -> np.ndarray:
    """A scalar or nested list as an array of the input's type; an array-like that has a type keeps it."""
    if hasattr(value, "dtype"):
        return np.asarray(value)
    try:
        return np.asarray(value, dtype=port.dtype)
    except (ValueError, TypeError, OverflowError) as error:
        message = f"what is given cannot become an array of {port.dtype}: {error}"
        raise IntaglioError("ITG5503", message, subject="input", node=port.arg.name) from error


def _fill(tensor: Any, array: np.ndarray | None, port: _Checked) -> object:
    """Describes `array` in `tensor`; returns what must live as long. None is an input left to its default."""
    tensor.type = port.number
    if array is None:
        return None
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)  # shape_as gives None for a scalar
    tensor.data = array.ctypes.data
    tensor.rank = array.ndim
    tensor.dims = ctypes.addressof(dims)
    return dims, array


def _read(tensor: Any, dtype: np.dtype) -> np.ndarray:
    shape = (ctypes.c_int64 * tensor.rank).from_address(tensor.dims)
    result = np.empty(tuple(shape), dtype)
    ctypes.memmove(result.ctypes.data, tensor.data, result.nbytes)
    return result
