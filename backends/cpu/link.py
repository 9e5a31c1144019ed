"""Files out of objects: a shared library by whichever linker is there, an object, an archive; `CpuProgram.save` calls it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ...errors import IntaglioError
from .weights import Layout, embed


@dataclass(frozen=True)
class Artifact:
    """What there is to save: an object, the weights it has room for, its triple, the names it exports; more objects, by the symbol
    that the first one takes from each."""

    image: bytes
    layout: Layout
    triple: str
    exports: tuple[str, ...]
    more: Mapping[str, bytes] = field(default_factory=dict)


def save_object(artifact: Artifact, path: Path) -> None:
    """Writes one relocatable object with the weights in it."""
    with _replacing(path) as temporary, temporary.open("wb") as file:
        embed(artifact.image, artifact.layout, file)


def save_archive(artifact: Artifact, path: Path) -> None:
    """Writes a static library, with the index of symbols that linkers ask for."""
    symbols = [(name, 0) for name in artifact.exports] + [(name, n) for n, name in enumerate(artifact.more, 1)]
    with _replacing(path) as temporary, temporary.open("wb") as file:
        names = b"".join(name.encode() + b"\0" for name, _ in symbols)
        index_bytes = 4 + 4 * len(symbols) + len(names)
        file.write(b"!<arch>\n")
        _member(file, "/", index_bytes)
        index_at = file.tell()
        file.write(bytes(index_bytes) + b"\n" * (index_bytes % 2))
        starts = [_archived(file, "model.o/", lambda: embed(artifact.image, artifact.layout, file))]
        for n, image in enumerate(artifact.more.values()):
            starts.append(_archived(file, f"variant{n}.o/", lambda image=image: file.write(image)))
        # Big-endian: how many symbols, and for each where its member's header stands.
        file.seek(index_at)
        file.write(struct.pack(f">{len(symbols) + 1}I", len(symbols), *(starts[n] for _, n in symbols)) + names)


def _archived(file: BinaryIO, name: str, write: Callable[[], object]) -> int:
    """Adds a member, whose bytes `write` appends to the file; where its header stands."""
    header_at = file.tell()
    _member(file, name, 0)
    start = file.tell()
    write()
    size = file.tell() - start
    file.write(b"\n" * (size % 2))
    file.seek(header_at)
    _member(file, name, size)
    file.seek(0, 2)
    return header_at


def _member(file: BinaryIO, name: str, size: int) -> None:
    """The header of an archive's member: name, time, owner, group, mode, size; a time of 0, so that equal inputs give equal files."""
    file.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'644':<8}{size:<10}`\n".encode())


def save_shared(artifact: Artifact, path: Path) -> None:
    """Links a shared library. Raises IntaglioError: ITG7010 if there is no linker for the target, ITG7011 if it fails."""
    with _replacing(path) as temporary:
        object_path = temporary.with_suffix(".o")
        with object_path.open("wb") as file:
            embed(artifact.image, artifact.layout, file)
        sources = [object_path]
        for n, image in enumerate(artifact.more.values()):
            sources.append(temporary.with_suffix(f".{n}.o"))
            sources[-1].write_bytes(image)
        _link(artifact.triple, sources, temporary, path.name)


def _link(triple: str, sources: Sequence[Path], target: Path, soname: str) -> None:
    command = linker(triple)
    files = [str(source) for source in sources]
    by_compiler = command[-1] != "-shared"
    flags = ["-soname", soname, "-z", "noexecstack", "-z", "relro", "-z", "now"]
    if by_compiler:
        # What stays undefined is libc's or libm's, and then found by them.
        flags = ["-shared", "-Wl," + ",".join([*flags, "-z", "defs", "--as-needed"])]
        arguments = [*command, *flags, "-o", str(target), *files, "-pthread", "-lm"]
    else:
        arguments = [*command, *flags, "-o", str(target), *files]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        name = "ziglang" if "ziglang" in command else Path(command[0]).name
        raise IntaglioError("ITG7011", f"{name} failed: {done.stderr.strip()}", subject="linker", hint=" ".join(arguments))


def linker(triple: str) -> list[str]:
    """The command that links for a target: a C compiler, or a linker with its `-shared`.

    This machine's own compiler where it fits, else ld.lld, else the wheel of ziglang. Raises IntaglioError (ITG7010) for none.
    """
    architecture = triple.split("-")[0]
    if architecture == platform.machine() and sys.platform == "linux":
        for name in ("cc", "gcc", "clang"):
            if (found := shutil.which(name)) is not None:
                return [found]
    emulation = {"x86_64": "elf_x86_64", "aarch64": "aarch64linux", "riscv64": "elf64lriscv"}.get(architecture)
    if emulation is not None and (found := shutil.which("ld.lld")) is not None:
        return [found, "-m", emulation, "-shared"]
    if emulation is not None and importlib.util.find_spec("ziglang") is not None:
        # Its linker, not its compiler: that would first build a libc of its own, for half a minute.
        return [sys.executable, "-m", "ziglang", "ld.lld", "-m", emulation, "-shared"]
    hint = "Install a C compiler, or LLVM's ld.lld, or `pip install intaglio[link]`; .o and .a need no linker."
    raise IntaglioError("ITG7010", f"there is no linker for {triple}", subject="linker", hint=hint)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A path beside `path`, in a folder that goes away; what is written there takes the place of `path` if all goes well."""
    try:
        with tempfile.TemporaryDirectory(prefix=".intaglio-", dir=path.parent) as folder:
            temporary = Path(folder) / "out"
            yield temporary
            temporary.replace(path)
    except OSError as error:
        raise IntaglioError("ITG7012", f"cannot be written: {error.strerror or error}", subject="file", node=str(path)) from error
