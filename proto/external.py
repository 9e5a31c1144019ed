"""Tensor bytes that stand in a file beside the model: found, checked and mapped; `tensors` and `files` call it.

https://github.com/onnx/onnx/blob/main/docs/ExternalData.md. A location is a relative path that must end up, after
symbolic links and "..", on a regular file inside the model's folder. The optional SHA1 checksum is not computed: it
covers the whole file, and reading all of it would undo the mapping.
"""

from __future__ import annotations

import mmap
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from weakref import WeakValueDictionary

import numpy as np

from .errors import ModelFileError
from .onnx_pb2 import TensorProto

Folder = str | os.PathLike[str]

# One map a file, shared by all its tensors: each map holds a descriptor, and a model may have thousands of tensors.
_maps: WeakValueDictionary[tuple[int, int, int, int], mmap.mmap] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a tensor's bytes stand: file, first byte, number of bytes (None: as many as the tensor needs)."""

    tensor: str
    location: str
    offset: int
    length: int | None


def is_external(tensor: TensorProto) -> bool:
    """Whether the tensor's elements stand in another file."""
    return tensor.data_location == TensorProto.EXTERNAL


def external_bytes(tensor: TensorProto, folder: Folder | None, needed: int) -> np.ndarray:
    """The tensor's bytes as a read-only uint8 array of shape (n,), mapped, not read. Nothing is copied.

    needed: the number of bytes taken where the entry gives no length; with a length, n is that length.
    The map stays open as long as the array. A file that is truncated under an open map is fatal to any reader of it.
    Raises ModelFileError.
    """
    reference = _reference(tensor)
    fd = _open(reference, folder)
    try:
        size = os.fstat(fd).st_size
        length = needed if reference.length is None else reference.length
        _check_bounds(reference, length, size)
        if length == 0:
            return np.empty(0, np.uint8)
        return np.frombuffer(_map(fd), np.uint8, length, reference.offset)
    finally:
        os.close(fd)


def check_external(tensor: TensorProto, folder: Folder) -> None:
    """Raises ModelFileError unless the tensor's file is there, inside the folder, and long enough for its entry."""
    reference = _reference(tensor)
    fd = _open(reference, folder)
    try:
        _check_bounds(reference, reference.length or 0, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def set_external(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    """Makes the tensor refer to `length` bytes at `offset` of `location`, and drops the elements it holds itself."""
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "external_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)


def location_of(tensor: TensorProto) -> str:
    """The path, relative to the model's folder, of the file that an external tensor's bytes stand in. Raises ModelFileError (ITG0120)."""
    return _reference(tensor).location


def _reference(tensor: TensorProto) -> Reference:
    entries = {}
    for entry in tensor.external_data:
        if entry.key in entries:
            raise _error("ITG0120", tensor.name, f'the external data entry gives "{entry.key}" twice')
        entries[entry.key] = entry.value
    location = entries.get("location", "")
    if not location or "\0" in location:
        raise _error("ITG0120", tensor.name, f"the external data entry names no usable location: {location!r}")
    length = entries.get("length")
    return Reference(
        tensor.name,
        location,
        _natural(tensor.name, "offset", entries.get("offset", "0")),
        None if length is None else _natural(tensor.name, "length", length),
    )


def _natural(tensor: str, key: str, text: str) -> int:
    # int() would also take "+1", "1_0", " 1" and digits of other scripts. 18 digits stay below 2**63.
    if not re.fullmatch("[0-9]{1,18}", text):
        raise _error("ITG0120", tensor, f"external data {key} is {text[:40]!r}, not a number of bytes")
    return int(text)


def _open(reference: Reference, folder: Folder | None) -> int:
    """A descriptor of the file, which is regular and inside the folder."""
    path = _resolve(reference, folder)
    # The path is free of links by now: O_NOFOLLOW refuses one made since; O_NONBLOCK keeps a pipe from hanging us.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, flags)
    except OSError as error:
        raise _unreadable(reference, error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _unreadable(reference, "it is not a regular file")
    return fd


def _resolve(reference: Reference, folder: Folder | None) -> Path:
    location = reference.location
    if folder is None:
        raise _error(
            "ITG0124", reference.tensor, f'the elements stand in "{location}", but the model came without a folder',
            hint="load the model by its path, or say where its data files are: load_model(source, base_dir=...)",
        )  # fmt: skip
    windows = PureWindowsPath(location)
    if PurePosixPath(location).is_absolute() or windows.drive or windows.root:
        raise _escape(reference, "the location must be a relative path")
    try:
        base = Path(folder).resolve(strict=True)
        path = (base / location).resolve(strict=True)
    except FileNotFoundError as error:
        raise _unreadable(reference, f"there is no such file in {folder}") from error
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise _unreadable(reference, str(error)) from error
    if not path.is_relative_to(base):
        raise _escape(reference, f"it leads to {path}, outside {base}")
    return path


def _check_bounds(reference: Reference, length: int, size: int) -> None:
    end = reference.offset + length
    if end > size:
        raise _error(
            "ITG0123", reference.tensor,
            f'bytes {reference.offset} to {end} are asked for, but "{reference.location}" has {size}',
            hint="the data file is incomplete or belongs to another model: copy it again",
        )  # fmt: skip


def _map(fd: int) -> mmap.mmap:
    status = os.fstat(fd)
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    mapped = _maps.get(key)
    if mapped is None:
        mapped = _maps[key] = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    return mapped


def _error(code: str, tensor: str, message: str, hint: str = "re-export the model") -> ModelFileError:
    return ModelFileError(code, message, subject=f'tensor "{tensor}"', hint=hint)


def _escape(reference: Reference, why: str) -> ModelFileError:
    return _error(
        "ITG0121", reference.tensor, f'external data location "{reference.location}" is refused: {why}',
        hint="data files are only read from the model's own folder: put the file there, not a link to it",
    )  # fmt: skip


def _unreadable(reference: Reference, why: str) -> ModelFileError:
    return _error(
        "ITG0122", reference.tensor, f'external data file "{reference.location}" cannot be read: {why}',
        hint="keep the data files beside the model when moving or downloading it",
    )  # fmt: skip
