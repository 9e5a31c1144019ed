"""Where weights lie and how their bytes get there: a blob in memory for a session, a section of an ELF object for a file."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ...errors import IntaglioError

ALIGNMENT = 64
SECTION = ".rodata.intaglio"
# Past this, code of the small model may lie too far from what follows the weights: x86 has sections for that.
LARGE_BYTES = 1 << 30
_LARGE_SECTION = ".lrodata.intaglio"
_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True)
class Layout:
    """The arrays of a model one after the other; offsets and the total size in bytes; the blob itself where a file maps it."""

    arrays: Mapping[str, np.ndarray]
    offsets: Mapping[str, int]
    bytes: int
    mapped: np.ndarray | None = None

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The blob piece by piece; no more than a chunk of it is ever copied."""
        at = 0
        for key, array in self.arrays.items():
            yield bytes(self.offsets[key] - at)
            yield from _chunks(array)
            at = self.offsets[key] + array.nbytes

    def blob(self) -> np.ndarray:
        """The blob as bytes in memory, aligned."""
        if self.mapped is not None:
            return self.mapped
        room = np.empty(self.bytes + ALIGNMENT, np.uint8)
        start = -room.ctypes.data % ALIGNMENT
        blob = room[start : start + self.bytes]
        at = 0
        for chunk in self.chunks():
            blob[at : at + len(chunk)] = np.frombuffer(chunk, np.uint8)
            at += len(chunk)
        return blob


def lay_out(arrays: Iterable[tuple[str, np.ndarray]], after: Layout | None = None) -> Layout:
    """Places arrays in the order given. A bool takes a byte, and so does an element of a type below a byte.

    after: another program's, which comes first; an array that it has by the same name and of the same bytes is not placed again.

    Raises IntaglioError (ITG7001) for an array of Python objects, such as strings.
    """
    kept: dict[str, np.ndarray] = dict(after.arrays) if after is not None else {}
    offsets: dict[str, int] = dict(after.offsets) if after is not None else {}
    at = after.bytes if after is not None else 0
    for key, array in arrays:
        if array.dtype.hasobject:
            raise IntaglioError("ITG7001", f"arrays of {array.dtype} have no form in memory", subject="weight", node=key)
        if key in kept:
            if _alike(kept[key], array):
                continue
            kept = {f"{name}@{len(kept)}" if name == key else name: value for name, value in kept.items()}
            offsets = dict(zip(kept, offsets.values(), strict=True))
        at += -at % ALIGNMENT
        kept[key], offsets[key] = array, at
        at += array.nbytes
    return Layout(kept, offsets, at)


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return all(x == y for x, y in zip(_chunks(a), _chunks(b), strict=False))


def _chunks(array: np.ndarray) -> Iterator[memoryview]:
    """The array's bytes in row-major, little-endian order."""
    if array.nbytes == 0:
        return
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    if array.flags.c_contiguous:
        data = array.reshape(-1).view(np.uint8).data
        for start in range(0, len(data), _CHUNK_BYTES):
            yield data[start : start + _CHUNK_BYTES]
        return
    if array[0].nbytes <= _CHUNK_BYTES:
        rows = max(1, _CHUNK_BYTES // max(array[0].nbytes, 1))
        for start in range(0, len(array), rows):
            yield np.ascontiguousarray(array[start : start + rows]).reshape(-1).view(np.uint8).data
        return
    for row in array:
        yield from _chunks(row)


# In an object


def weights_elsewhere(symbol: str) -> str:
    """LLVM IR of a `@weights.own` that points at the blob of another object."""
    return f'@"{symbol}" = external hidden constant i8\n@weights.own = internal externally_initialized constant ptr @"{symbol}", align 8'


def placeholder(total: int, triple: str, symbol: str = "") -> str:
    """LLVM IR of one byte in a section of its own, which `embed` makes the whole blob, and of `@weights.own`, which points at it.

    symbol: what other objects find the blob by.

    Both are marked as initialised elsewhere, as their contents are not what LLVM sees.
    """
    if not total:
        return "@weights.own = internal constant ptr null, align 8"
    if not is_elf(triple):
        # No place for `embed`, and section names of ELF mean nothing there; a session brings the weights itself.
        return "@weights.own = internal constant ptr null, align 8"
    large = total > LARGE_BYTES and triple.startswith("x86_64")
    section, model = (_LARGE_SECTION, ', code_model "large"') if large else (SECTION, "")
    name, linkage = (symbol, "hidden") if symbol else ("weights.blob", "internal")
    return (
        f'@"{name}" = {linkage} externally_initialized constant [1 x i8] zeroinitializer, '
        f'section "{section}"{model}, align {ALIGNMENT}\n'
        f'@weights.own = internal externally_initialized constant ptr @"{name}", align 8'
    )


def is_elf(triple: str) -> bool:
    """Whether objects for this triple are ELF."""
    return not any(name in triple for name in ("apple", "darwin", "macos", "windows", "win32", "wasm"))


def embed(image: bytes, layout: Layout, file: BinaryIO) -> None:
    """Writes an ELF object of 64 bits to `file` with the blob in the place of the placeholder's byte.

    The section's header is pointed at the blob, which follows the object's bytes; nothing else moves. Raises IntaglioError
    (ITG7002) for objects of another format.
    """
    if not layout.bytes:
        file.write(image)
        return
    if image[:6] != b"\x7fELF\x02\x01":
        hint = "Only 64-bit little-endian ELF objects can take weights; compile for a Linux target, or use the program in process."
        raise IntaglioError("ITG7002", "weights cannot be put into an object of this format", subject="object", hint=hint)
    header = bytearray(image)
    at = _section_header(header)
    padding = -len(image) % ALIGNMENT
    struct.pack_into("<QQ", header, at + 24, len(image) + padding, layout.bytes)  # sh_offset, sh_size
    file.write(header)
    file.write(bytes(padding))
    for chunk in layout.chunks():
        file.write(chunk)


def _section_header(image: bytearray) -> int:
    """Where the header of the placeholder's section stands in the object."""
    (headers,) = struct.unpack_from("<Q", image, 40)
    size, count, names_index = struct.unpack_from("<HHH", image, 58)
    (names,) = struct.unpack_from("<Q", image, headers + names_index * size + 24)
    for i in range(count):
        at = headers + i * size
        (name,) = struct.unpack_from("<I", image, at)
        text = bytes(image[names + name : image.index(0, names + name)]).decode()
        if text in (SECTION, _LARGE_SECTION):
            return at
    raise IntaglioError("ITG7002", "the object has no place for weights", subject="object", hint="Please report it.")
