"""`intaglio compile`: a model to a library, an object, an archive, or the text of a level."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.markup import escape

from ...errors import IntaglioError
from ..driver import Program, compile_model
from ..lowering import level_text
from .arguments import IR_LEVELS
from .show import compiling, err, out, scaled, show_log
from .subject import options_of

_SUFFIXES = {"obj": ".o", "so": ".so"}
_KINDS = {".so": "so", ".o": "obj", ".a": "obj", ".ll": "llvm", ".s": "asm"}


def run(asked: argparse.Namespace) -> int:
    kind = asked.emit or _KINDS.get(asked.output.suffix if asked.output else ".so")
    if kind is None:
        hint = f"Give --emit, or a suffix of {', '.join(_KINDS)}."
        raise IntaglioError("ITG7408", f'"{asked.output.suffix}" does not say what to write', subject=str(asked.output), hint=hint)
    if kind in IR_LEVELS:
        with compiling(asked.model.name) as begin:
            text = level_text(asked.model, options_of(asked), kind, begin)
        return _write_text(text, asked.output)
    start = time.perf_counter()
    if asked.tune:
        show_log("intaglio.tuning")
    with compiling(asked.model.name) as begin:
        program = compile_model(asked.model, options_of(asked), begin)
    if kind in ("llvm", "asm"):
        return _write_text(program.llvm_ir() if kind == "llvm" else program.assembly(), asked.output)
    _save(program, asked.output or Path(asked.model.stem).with_suffix(_SUFFIXES[kind]), kind, start)
    return 0


def _save(program: Program, path: Path, kind: str, start: float) -> None:
    if _KINDS.get(path.suffix) != kind:
        raise IntaglioError("ITG7408", f'--emit {kind} does not go with the suffix "{path.suffix}"', subject=str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        program.save(path)
    except OSError as error:
        raise IntaglioError("ITG7406", f"cannot be written: {error}", subject=str(path)) from error
    size = scaled(path.stat().st_size, "B")
    out.print(escape(f"{path} ({size}), {path.with_suffix('.h')}: {time.perf_counter() - start:.1f} s"), soft_wrap=True)


def _write_text(text: str, path: Path | None) -> int:
    if path is None:
        sys.stdout.write(text)
        return 0
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise IntaglioError("ITG7406", f"cannot be written: {error}", subject=str(path)) from error
    err.print(f"[dim]{escape(str(path))}[/]")
    return 0
