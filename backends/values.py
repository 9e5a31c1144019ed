"""Python values as the C structs that a run takes and gives: arrays, strings, and lists, tuples and dictionaries for what is no tensor."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..dialects.onnx.types import BY_NUMBER
from ..errors import IntaglioError
from .abi import KINDS, PORT, STRING, TENSOR

Tensor, CPort, _String = (struct.ctypes() for struct in (TENSOR, PORT, STRING))

# Code units of one letter each that UTF-8 has no bytes for stand for bytes that are no UTF-8, in and out.
_FOREIGN = "surrogateescape"

_Byte = ctypes.c_char


@dataclass(frozen=True)
class Port:
    """An input or output as a session needs it. shape: sizes, and names where they are open, None for any rank; number and dtype: of a
    tensor's elements; items: the ports of what a sequence, an optional or a map holds."""

    name: str
    type: str
    shape: list[int | str] | None
    kind: str
    number: int
    dtype: np.dtype
    has_default: bool
    items: tuple[Port, ...]


def read_ports(address: int, count: int) -> list[Port]:
    """The ports in an array of C structs."""
    return [_port(port) for port in (CPort * count).from_address(address)] if count else []


def _port(port: Any) -> Port:
    kind = KINDS[port.kind]
    shown = port.type_name.decode()
    dtype = BY_NUMBER[port.type].numpy if kind == "tensor" else np.dtype(object)
    items = tuple(read_ports(port.items, port.item_count))
    type = f"tensor({shown})" if kind == "tensor" else shown
    return Port(port.name.decode(), type, _shape(port), kind, port.type, dtype, bool(port.has_default), items)


def _shape(port: Any) -> list[int | str] | None:
    if port.rank < 0:
        return None
    sizes = (ctypes.c_int64 * port.rank).from_address(port.dims)
    names = (ctypes.c_char_p * port.rank).from_address(port.dim_names)
    return [size if name is None else name.decode() for size, name in zip(sizes, names, strict=True)]


class Fed:
    """The C struct of an input that is a tensor of numbers, and what it says: runs most often feed arrays of one shape."""

    __slots__ = ("_dims", "_dtype", "_port", "_shape", "_tensor", "name")

    def __init__(self, tensor: Any, port: Port) -> None:
        self._tensor, self._port, self._dtype, self.name = tensor, port, port.dtype, port.name
        self._shape: tuple[int, ...] | None = None

    def feed(self, value: Any) -> np.ndarray:
        """Describes a value; the array that has to last as long. Raises IntaglioError: ITG5503 to ITG5505, see `checked_array`."""
        if type(value) is np.ndarray and value.dtype is self._dtype and value.shape == self._shape:
            try:
                address = ctypes.addressof(_Byte.from_buffer(value))  # type: ignore[arg-type]
            except (TypeError, ValueError):
                pass  # read-only, empty, or not side by side
            else:
                if not address % self._dtype.alignment:
                    self._tensor.data = address
                    return value
        array = checked_array(value, self._port)
        if array.shape != self._shape:
            tensor, self._shape, self._dims = self._tensor, array.shape, _sizes(array.shape)
            tensor.type, tensor.rank, tensor.dims = self._port.number, array.ndim, ctypes.addressof(self._dims)
        self._tensor.data = array_address(array)
        return array

    def leave(self) -> None:
        """Feeds nothing, so that the input's default stands."""
        self._shape = None
        self._tensor.type, self._tensor.data, self._tensor.dims = self._port.number, None, None


class Writer:
    """Describes values in C structs; `keep` holds what must live as long as these."""

    def __init__(self) -> None:
        self.keep: list[object] = []

    def value(self, tensor: Any, value: Any, port: Port) -> None:
        """Describes a value of a port. Raises IntaglioError: ITG5503 to ITG5505 for one that does not fit the port."""
        if port.kind == "tensor":
            self.array(tensor, checked_array(value, port), port)
        else:
            self._list(tensor, _items(value, port), port)

    def array(self, tensor: Any, array: np.ndarray, port: Port) -> None:
        dims = _sizes(array.shape)
        tensor.type, tensor.rank = port.number, array.ndim
        tensor.data = array_address(array) if not array.dtype.hasobject else self._strings(array, port)
        tensor.dims = ctypes.addressof(dims)
        self.keep += [dims, array]

    def _strings(self, array: np.ndarray, port: Port) -> int:
        texts = [_encoded(s, port) for s in array.flat]
        blob = b"".join(texts)
        start = ctypes.cast(ctypes.c_char_p(blob), ctypes.c_void_p).value or 0
        strings = (_String * max(len(texts), 1))()
        rows = np.frombuffer(memoryview(strings), np.int64).reshape(-1, 2)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        rows[: len(texts), 1] = lengths
        rows[: len(texts), 0] = start + np.cumsum(lengths) - lengths
        self.keep += [blob, strings]
        return ctypes.addressof(strings)

    def _list(self, tensor: Any, items: Sequence[tuple[Any, Port]], port: Port) -> None:
        inner = (Tensor * max(len(items), 1))()
        dims = (ctypes.c_int64 * 1)(len(items))
        tensor.type, tensor.rank = 0, 1
        tensor.data, tensor.dims = ctypes.addressof(inner), ctypes.addressof(dims)
        self.keep += [inner, dims]
        for one, (value, item) in zip(inner, items, strict=False):
            self.value(one, value, item)


@lru_cache(256)
def _sizes(shape: tuple[int, ...]) -> Any:
    """A shape as C has it, not to be written to."""
    return (ctypes.c_int64 * len(shape))(*shape)


def array_address(array: Any) -> int:
    """Where its elements begin; in a quarter of the time that its `ctypes` takes, but for what is read-only, empty or of no C type."""
    try:
        return ctypes.addressof(_Byte.from_buffer(array))
    except (TypeError, ValueError):
        return array.ctypes.data


def _encoded(text: Any, port: Port) -> bytes:
    if isinstance(text, str):
        return text.encode("utf-8", _FOREIGN)
    if isinstance(text, bytes):
        return text
    raise IntaglioError("ITG5503", f"an element is a {type(text).__name__}, no string", subject="input", node=port.name)


def _items(value: Any, port: Port) -> list[tuple[Any, Port]]:
    if port.kind == "optional":
        return [] if value is None else [(value, _named(port.items[0], port))]
    if port.kind == "map" and isinstance(value, Mapping):
        keys, values = (_named(item, port) for item in port.items)
        return [(list(value.keys()), keys), (_row(value.values()), values)]
    if port.kind == "sequence" and isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return [(item, _named(port.items[0], port)) for item in value]
    raise IntaglioError("ITG5503", f"a {type(value).__name__} is given, the model takes {port.type}", subject="input", node=port.name)


def _row(values: Iterable[Any]) -> list[Any]:
    """A map's values, each a number, a string or an array of one."""
    return [v.item() if isinstance(v, np.ndarray) and v.size == 1 else v for v in values]


def _named(item: Port, port: Port) -> Port:
    """The port of an item under the name of the input, for messages."""
    return Port(port.name, item.type, item.shape, item.kind, item.number, item.dtype, item.has_default, item.items)


def checked_array(value: Any, port: Port) -> np.ndarray:
    """A value as a contiguous array that fits the port. Raises IntaglioError: ITG5503 to ITG5505."""
    array = value if isinstance(value, np.ndarray) else _converted(value, port)
    if array.dtype != port.dtype:
        if port.dtype.hasobject and array.dtype.kind in "UST":
            array = array.astype(object)
        elif array.dtype.newbyteorder("=") != port.dtype:
            raise _mismatch("ITG5503", port, array)
        else:
            array = array.astype(port.dtype)
    if port.shape is not None and array.ndim != len(port.shape):
        raise _mismatch("ITG5504", port, array)
    for size, given in zip(port.shape or (), array.shape, strict=False):
        if size != given and not isinstance(size, str):
            raise _mismatch("ITG5505", port, array)
    # ascontiguousarray would make a scalar one-dimensional.
    return array if array.flags.c_contiguous and array.flags.aligned else array.copy(order="C")


def _converted(value: Any, port: Port) -> np.ndarray:
    """A scalar or nested list as an array of the port's type; an array-like that has a type keeps it."""
    if hasattr(value, "dtype"):
        return np.asarray(value)
    try:
        return np.asarray(value, dtype=port.dtype)
    except (ValueError, TypeError, OverflowError) as error:
        message = f"what is given cannot become an array of {port.dtype}: {error}"
        raise IntaglioError("ITG5503", message, subject="input", node=port.name) from error


def _mismatch(code: str, port: Port, array: np.ndarray) -> IntaglioError:
    given = f"{array.dtype}{list(array.shape)}"
    shape = ", ".join(map(str, port.shape)) if port.shape is not None else "..."
    return IntaglioError(code, f"{given} is given, the model takes {port.dtype}[{shape}]", subject="input", node=port.name)


def read_value(tensor: Any, port: Port) -> Any:
    """A value that a run gave, as a Python object of its own: an array; a list; None or what an optional holds; a dictionary."""
    if port.kind == "tensor":
        return read_array(tensor, port)
    (count,) = (ctypes.c_int64 * 1).from_address(tensor.dims)
    inner = (Tensor * count).from_address(tensor.data) if count else ()
    if port.kind == "map":
        keys, values = (read_array(one, item) for one, item in zip(inner, port.items, strict=True))
        return dict(zip(keys.tolist(), values.tolist(), strict=True))
    items = [read_value(one, port.items[0]) for one in inner]
    if port.kind == "optional":
        return items[0] if items else None
    return items


def read_array(tensor: Any, port: Port) -> np.ndarray:
    """A copy of a tensor that a run gave."""
    shape = tuple((ctypes.c_int64 * tensor.rank).from_address(tensor.dims)) if tensor.rank else ()
    result = np.empty(shape, port.dtype)
    if not port.dtype.hasobject:
        ctypes.memmove(result.ctypes.data, tensor.data, result.nbytes)
    elif result.size:
        # As numbers: ctypes would make the first member a Python string, up to the first zero byte.
        rows = np.ctypeslib.as_array((ctypes.c_int64 * (2 * result.size)).from_address(tensor.data)).reshape(-1, 2).tolist()
        texts = [ctypes.string_at(at, size).decode("utf-8", _FOREIGN) if size else "" for at, size in rows]
        result.reshape(-1)[:] = texts
    return result
