"""Writes a compilation's levels to a folder, one file each; the driver hands it every level it reaches (`--dump-ir DIR`)."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp
from xdsl.printer import Printer

from ..errors import IntaglioError


class Dump:
    """A folder of files numbered in the order in which they are reached: `0-onnx.mlir`, .. `4-llvm.ll`, `5-machine.s`."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises IntaglioError (ITG7301) if it cannot be written."""
        self.folder = folder
        self._next = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def level(self, name: str, module: ModuleOp) -> None:
        self.text(f"{name}.mlir", printed(module))

    def text(self, name: str, text: str) -> None:
        path = self.folder / f"{self._next}-{name}"
        self._next += 1
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise _unwritable(path, error) from error


def printed(module: ModuleOp) -> str:
    """A module's text; it parses back with `intaglio-opt`."""
    stream = StringIO()
    Printer(stream).print_op(module)
    return stream.getvalue() + "\n"


def _unwritable(path: Path, error: OSError) -> IntaglioError:
    return IntaglioError("ITG7301", f"cannot be written: {error.strerror or error}", subject="dump", node=str(path))
