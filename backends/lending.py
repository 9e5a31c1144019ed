"""Memory that a session lends to its runs for outputs: a result is an array over it, uncopied, and its memory is lent again once no
array refers to it any more. Fresh memory would cost more than many operators do, as the system clears each page of it."""

from __future__ import annotations

import ctypes
import math
import sys
from typing import Any

import numpy as np

from ..errors import IntaglioError
from .values import Port, array_address, read_array

ALIGNMENT = 64
"""A cache line, and the width of the widest vectors."""

KEPT = 2
"""Places that are kept for an output: in a loop one result is still held while the next one is made."""

SMALL = 4096
"""Bytes below which an array may hold any larger place."""


class _Place:
    """Memory for one result of up to `bytes`, from `address` on."""

    __slots__ = ("address", "bytes", "memory", "offset")

    def __init__(self, bytes: int) -> None:
        self.bytes = bytes
        self.memory = np.empty(bytes + ALIGNMENT, np.uint8)
        start = self.memory.ctypes.data
        self.offset = -start % ALIGNMENT
        self.address = start + self.offset


def _references(place: _Place) -> int:
    return sys.getrefcount(place.memory)


_UNUSED = _references(_Place(0))


class Lender:
    """What is lent for one output, whose C struct is `tensor`; it must be a tensor, and not one of strings."""

    def __init__(self, tensor: Any, port: Port) -> None:
        self._tensor = tensor
        self._port = port
        self._places: list[_Place] = []
        self._lent: _Place | None = None
        shape = port.shape or []
        sizes = [size for size in shape if isinstance(size, int)]
        self._shape = tuple(sizes) if len(sizes) == len(shape) else None
        # What a run may need, once one told it where sizes are open.
        self._bytes = math.prod(sizes) * port.dtype.itemsize if self._shape is not None else 0
        self._dims = (ctypes.c_int64 * len(shape))(*[1] * len(shape))
        self._dims_address, self._described = ctypes.addressof(self._dims), -1
        tensor.type, tensor.rank = port.number, len(shape)

    def lend(self) -> None:
        """Describes memory to the run that comes next, as a tensor whose other sizes are 1."""
        try:
            self._lent = place = self._free_place()
        except (MemoryError, ValueError):
            return self.keep()  # what is too large the run itself refuses, by name
        if place.bytes != self._described:
            self._described = place.bytes
            if self._dims:
                self._dims[0] = place.bytes // self._port.dtype.itemsize
        tensor = self._tensor
        tensor.data, tensor.dims = place.address, self._dims_address

    def keep(self) -> None:
        """Lends nothing to the run that comes next."""
        self._lent = None
        self._tensor.data = None

    def read(self) -> np.ndarray:
        """What the run gave, as an array that is the caller's own."""
        place, self._lent = self._lent, None
        if place is None or self._tensor.data != place.address:
            array = read_array(self._tensor, self._port)
            self._expect(array.nbytes)
            return array
        shape = self._shape
        if shape is None:
            shape = tuple((ctypes.c_int64 * self._tensor.rank).from_address(self._tensor.dims))
        array = np.ndarray(shape, self._port.dtype, place.memory, place.offset)
        if self._shape is None:
            self._expect(array.nbytes)
        # A small result that is kept for long should not keep much more than it is.
        return array if place.bytes <= max(2 * array.nbytes, SMALL) else array.copy()

    def clear(self) -> None:
        """Lets go of the memory; results that are still there keep theirs."""
        self._places.clear()

    def _free_place(self) -> _Place:
        for place in self._places:
            if place.bytes >= self._bytes and _references(place) == _UNUSED:
                return place
        place = _Place(self._bytes)
        self._places = [*self._places[1 - KEPT :], place]
        return place

    def _expect(self, bytes: int) -> None:
        """Learns from a run of open sizes; what has grown may grow further, as the past of a decoder does."""
        if bytes > self._bytes:
            self._bytes = bytes + bytes // 8
        elif 2 * bytes < self._bytes:
            self._bytes = bytes


def checked_place(array: Any, port: Port) -> np.ndarray:
    """An array of the caller's as one that an output can be left in. Raises IntaglioError: ITG5512."""
    if port.kind != "tensor" or port.dtype.hasobject:
        raise _no_place(port, f"{port.type} is not left in an array")
    if not isinstance(array, np.ndarray) or array.dtype != port.dtype:
        raise _no_place(port, f"it takes a numpy array of {port.dtype}, not {getattr(array, 'dtype', type(array).__name__)}")
    if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
        raise _no_place(port, "the array is read-only, or its elements do not lie side by side in order")
    shape = port.shape or []
    if array.ndim != len(shape) or any(isinstance(d, int) and d != n for d, n in zip(shape, array.shape, strict=True)):
        raise _no_place(port, f"its shape is {shape}, that of the array {list(array.shape)}")
    return array


def require_there(tensor: Any, array: np.ndarray, port: Port) -> None:
    """Raises IntaglioError unless a run left its output in the array: ITG5512."""
    shape = (ctypes.c_int64 * tensor.rank).from_address(tensor.dims)[:] if tensor.rank else []
    if shape != list(array.shape):
        raise _no_place(port, f"its shape is {shape} in this run, that of the array {list(array.shape)}")
    if tensor.data != array_address(array):
        raise _no_place(port, "its array has memory in common with that of another output")


def _no_place(port: Port, message: str) -> IntaglioError:
    return IntaglioError("ITG5512", message, subject="output", node=port.name)
