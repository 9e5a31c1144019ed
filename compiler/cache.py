"""Compiled programs kept on disk, found again by what they were made of: the model's bytes, the options, the machine, the compiler.

An entry is one file. It is written beside its place and moved there whole, so that processes need no lock, and it is read only if
everything in it checks. The folder is bounded: the programs used longest ago go first. Nothing that goes wrong here keeps a
compilation from being made.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numpy
import xdsl

from ..backends.cpu import CpuProgram
from ..backends.cpu.stored import read_program, write_program
from ..backends.llvm.machine import host_cpu
from .options import Options

FOLDER, LIMIT = "INTAGLIO_CACHE", "INTAGLIO_CACHE_BYTES"
"""Environment variables: the folder, or "off"; the most bytes in it."""
DEFAULT_LIMIT = 4 << 30
_SUFFIX = ".program"
_STALE_SECONDS = 3600


@dataclass(frozen=True)
class Cache:
    """The folder of compiled programs; `limit`: the most bytes that may lie there."""

    folder: Path
    limit: int = DEFAULT_LIMIT

    def find(self, key: str) -> CpuProgram | None:
        """The program of that key. None where there is none, or where its file is damaged, in which case it goes."""
        path = self._path(key)
        try:
            program = read_program(path, self._externals_hold)
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return program

    def store(self, key: str, program: CpuProgram, externals: Sequence[Path] = ()) -> None:
        """Keeps a program, unless it would take more than a quarter of the room. externals: files that hold data of the model."""
        if program.stored_bytes > self.limit // 4:
            return
        temporary = self.folder / f".{secrets.token_hex(8)}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._is_ours():
                return
            write_program(temporary, program, {str(path.resolve()): _digest_of(path) for path in externals})
            os.replace(temporary, self._path(key))
            self.shrink()
        except OSError:
            pass
        finally:
            with suppress(OSError):
                temporary.unlink()

    def entries(self) -> list[tuple[float, int, Path]]:
        """(last use in seconds since the epoch, bytes, file) of each program, the one used longest ago first."""
        found = []
        with suppress(OSError), os.scandir(self.folder) as files:
            for file in files:
                if file.name.endswith(_SUFFIX):
                    with suppress(OSError):
                        about = file.stat()
                        found.append((about.st_mtime, about.st_size, Path(file.path)))
        return sorted(found)

    def shrink(self, limit: int | None = None) -> None:
        """Removes programs until `limit` bytes are left, and what writers that were stopped left behind."""
        limit = self.limit if limit is None else limit
        entries = self.entries()
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= limit:
                break
            with suppress(OSError):
                path.unlink()
            total -= size
        with suppress(OSError):
            for path in self.folder.glob(".*.tmp"):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _is_ours(self) -> bool:
        """Whether nobody else can write here: what lies in the folder is run."""
        about = self.folder.stat()
        return about.st_uid == os.getuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

    def _externals_hold(self, externals: dict[str, str]) -> bool:
        return self._is_ours() and all(_digest_of(Path(path)) == digest for path, digest in externals.items())


def cache_of(options: Options) -> Cache | None:
    """The cache that a compilation uses; None where it is off, or where something must be seen happening or is not in the key."""
    where = os.environ.get(FOLDER, "")
    if not options.cache or where == "off" or options.dump_ir is not None or options.verify_ir or options.operators:
        return None
    if not hasattr(os, "getuid"):
        return None  # whether a folder is the user's alone is not known here
    return Cache(default_folder(), limit())


def default_folder() -> Path:
    """INTAGLIO_CACHE, else `intaglio` in the user's folder for caches."""
    given = os.environ.get(FOLDER, "")
    if given and given != "off":
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "intaglio"


def key_of(model: Any, options: Options) -> str | None:
    """The key of a compilation; None where the model's bytes cannot be had without reading it otherwise."""
    try:
        path = os.fspath(model) if isinstance(model, str | os.PathLike) else None
        if path is not None:
            content = _digest_of(Path(path))
        elif isinstance(model, bytes | bytearray | memoryview):
            content = hashlib.sha256(model).hexdigest()
        else:
            return None
    except (OSError, TypeError, ValueError):
        return None  # the reader of models says what is wrong
    # The folder counts, as external data lies beside the model; and the name, as C functions are called by it.
    place = (str(Path(path).resolve().parent), Path(path).stem) if path is not None else ("", "")
    target = options.chosen_target()
    host = host_cpu() if "host" in (target.cpu, options.cpu) else ()
    given = (sorted(options.dims.items()), options.opt_level, options.name, options.profile, options.winograd, bool(options.tune))
    made_of = (content, place, target, host, *given, compiler_digest())
    return hashlib.sha256(repr(made_of).encode()).hexdigest()


def limit() -> int:
    """INTAGLIO_CACHE_BYTES, else 4 GiB."""
    try:
        return max(0, int(os.environ.get(LIMIT, "") or DEFAULT_LIMIT))
    except ValueError:
        return DEFAULT_LIMIT


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def compiler_digest() -> str:
    """What this compiler is made of: its own files, which change between releases too, and the libraries that decide what comes out."""
    root = Path(__file__).resolve().parent.parent
    found = [f"{llvmlite.__version__} {numpy.__version__} {xdsl.__version__}"]
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith((".", "__", "build", "tests"))]
        for name in files:
            if name.endswith(".py"):
                about = os.stat(os.path.join(folder, name))
                found.append(f"{folder} {name} {about.st_size} {about.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()
