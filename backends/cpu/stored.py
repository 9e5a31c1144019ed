"""A program for the CPU as one file, and back: the object and the IR as they are, the weights where they can be mapped.

The file begins with a magic text, the header's size and SHA-256, and the header, JSON, which says where the sections lie and what their
SHA-256 is. Sections begin on a page.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...dialects.hal import Port
from ..llvm import Machine
from .program import CpuProgram
from .weights import Layout

_MAGIC = b"intaglio program 1\n"
_PREAMBLE = struct.Struct("<Q32s")
_PAGE = 4096


def write_program(path: Path, program: CpuProgram, externals: Mapping[str, str]) -> None:
    """Writes the file. externals: files with data of the model and their SHA-256, kept beside it. Raises OSError."""
    text = zlib.compress(program.unoptimised.encode(), 1)
    with path.open("xb") as file:
        sections = {}
        start = _room_for_header(program, externals)
        for name, chunks in (("object", [program.object]), ("ir", [text]), ("weights", program.layout.chunks())):
            start = -(-start // _PAGE) * _PAGE
            file.seek(start)
            digest = hashlib.sha256()
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
            sections[name] = [start, file.tell() - start, digest.hexdigest()]
            start = file.tell()
        _write_header(file, _about(program, externals) | {"sections": sections})


def read_program(path: Path, accepts: Callable[[dict[str, str]], bool]) -> CpuProgram:
    """The program of a file, its weights mapped. accepts: whether the files beside it are still what they were.

    Raises OSError, ValueError for a file that is damaged or is not accepted.
    """
    with path.open("rb") as file:
        about = _read_header(file)
        if not accepts(about["externals"]):
            raise ValueError("what the program was made of has changed")
    data = np.memmap(path, np.uint8, "r")
    found = {}
    for name, (start, count, expected) in about["sections"].items():
        section = data[start : start + count]
        if len(section) != count or hashlib.sha256(section.data).hexdigest() != expected:
            raise ValueError(f"section {name} is damaged")
        found[name] = section
    try:
        return _program(about, found)
    except (KeyError, TypeError, zlib.error) as error:
        raise ValueError(f"the header is damaged: {error}") from error


def _program(about: dict[str, Any], sections: dict[str, np.ndarray]) -> CpuProgram:
    blob = sections["weights"]
    arrays, offsets = {}, {}
    for key, kind, shape, offset in about["arrays"]:
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        arrays[key], offsets[key] = blob[offset : offset + count].view(dtype).reshape(shape), offset
    program = CpuProgram(
        Machine(**about["machine"]),
        about["prefix"],
        tuple(map(_port, about["inputs"])),
        tuple(map(_port, about["outputs"])),
        Layout(arrays, offsets, about["bytes"], blob),
        zlib.decompress(sections["ir"].data).decode(),
    )
    program.__dict__["object"] = sections["object"].tobytes()  # where the cached property keeps it
    return program


def _about(program: CpuProgram, externals: Mapping[str, str]) -> dict[str, Any]:
    machine, layout = program.machine, program.layout
    return {
        "machine": {"triple": machine.triple, "cpu": machine.cpu, "features": machine.features, "level": machine.level},
        "prefix": program.prefix,
        "inputs": [_described(port) for port in program.inputs],
        "outputs": [_described(port) for port in program.outputs],
        "arrays": [[key, a.dtype.name, list(a.shape), layout.offsets[key]] for key, a in layout.arrays.items()],
        "bytes": layout.bytes,
        "externals": dict(externals),
    }


def _described(port: Port) -> list[Any]:
    return [port.name, port.element, port.dims, port.kind, [_described(item) for item in port.items]]


def _port(described: list[Any]) -> Port:
    name, element, dims, kind, items = described
    return Port(name, element, None if dims is None else tuple(dims), kind, tuple(map(_port, items)))


def _encoded(about: dict[str, Any]) -> bytes:
    return json.dumps(about).encode()


def _room_for_header(program: CpuProgram, externals: Mapping[str, str]) -> int:
    """More than the header takes, whatever the sections' numbers are."""
    return len(_MAGIC) + _PREAMBLE.size + len(_encoded(_about(program, externals))) + 512


def _write_header(file: BinaryIO, about: dict[str, Any]) -> None:
    header = _encoded(about)
    file.seek(0)
    file.write(_MAGIC + _PREAMBLE.pack(len(header), hashlib.sha256(header).digest()) + header)


def _read_header(file: BinaryIO) -> dict[str, Any]:
    preamble = file.read(len(_MAGIC) + _PREAMBLE.size)
    if len(preamble) < len(_MAGIC) + _PREAMBLE.size or not preamble.startswith(_MAGIC):
        raise ValueError("this is no stored program")
    count, digest = _PREAMBLE.unpack_from(preamble, len(_MAGIC))
    header = file.read(min(count, 1 << 30))
    if len(header) != count or hashlib.sha256(header).digest() != digest:
        raise ValueError("the header is damaged")
    return json.loads(header)
