"""`intaglio run`: one run of a model or a compiled library, its outputs shown, written, and compared with ONNX Runtime's."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.markup import escape

from ...errors import IntaglioError
from .feeds import gather
from .show import err, out, outputs_table, table
from .subject import Reference, open_session


def run(asked: argparse.Namespace) -> int:
    reference = Reference(asked.model) if asked.verify else None  # first: where it is missing, nothing need be compiled
    session = open_session(asked)
    feeds, made_up = gather(session.get_inputs(), asked.inputs, seed=asked.seed, sizes=dict(asked.sizes))
    if made_up:
        err.print(f"random inputs (seed {asked.seed}): {escape(', '.join(f'{n} {list(feeds[n].shape)}' for n in made_up))}", soft_wrap=True)
    start = time.perf_counter()
    arrays = session.run(None, feeds)
    milliseconds = (time.perf_counter() - start) * 1e3
    names = [port.name for port in session.get_outputs()]
    out.print(outputs_table(names, arrays, asked.top))
    out.print(f"[dim]{milliseconds:.2f} ms[/]")
    if asked.output is not None:
        _write(asked.output, names, arrays)
    if reference is None:
        return 0
    return int(not _verified(names, arrays, reference.run(names, feeds), asked.rtol, asked.atol))


@dataclass(frozen=True)
class Difference:
    """How an output differs: the largest absolute and relative difference, and whether it is within the tolerance."""

    absolute: float
    relative: float
    within: bool
    reason: str = ""


def difference(ours: np.ndarray, theirs: np.ndarray, rtol: float, atol: float) -> Difference:
    """Compares an output with the reference: |a - b| <= atol * max|b| + rtol * |b|; NaN equals NaN, infinities their like."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        shown = f"{ours.dtype}{list(ours.shape)} against {theirs.dtype}{list(theirs.shape)}"
        return Difference(np.inf, np.inf, False, shown)
    if ours.dtype.kind not in "fiubcV":
        same = bool(np.array_equal(ours, theirs))
        return Difference(0.0 if same else np.inf, 0.0 if same else np.inf, same)
    wide = np.complex128 if ours.dtype.kind == "c" else np.float64
    a, b = ours.astype(wide), theirs.astype(wide)
    finite = np.isfinite(a) & np.isfinite(b)
    odd = bool(np.array_equal(a[~finite], b[~finite], equal_nan=True))
    gap, size = np.abs(a[finite] - b[finite]), np.abs(b[finite])
    largest = float(size.max(initial=0.0))
    absolute = float(gap.max(initial=0.0))
    relative = float((gap / np.maximum(size, np.finfo(np.float64).tiny)).max(initial=0.0))
    within = bool(np.all(gap <= atol * largest + rtol * size))
    return Difference(absolute, relative, within and odd, "" if odd else "infinities or NaN stand elsewhere")


def _verified(names: Sequence[str], ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], rtol: float, atol: float) -> bool:
    shown = table("against ONNX Runtime", "largest difference", "relative", "")
    everything = True
    for name, a, b in zip(names, ours, theirs, strict=True):
        found = difference(a, b, rtol, atol)
        everything &= found.within
        verdict = "[green]agrees[/]" if found.within else f"[bold red]differs[/] {escape(found.reason)}"
        shown.add_row(escape(name), f"{found.absolute:.3g}", f"{found.relative:.3g}", verdict)
    out.print(shown)
    out.print(f"[dim]tolerance: {rtol:g} of the value + {atol:g} of the output's largest value[/]")
    return everything


def _write(path: Path, names: Sequence[str], arrays: Sequence[np.ndarray]) -> None:
    if path.suffix != ".npz":
        raise IntaglioError("ITG7406", "outputs are written as .npz", subject=str(path))
    try:
        np.savez(path, **dict(zip(names, arrays, strict=True)))  # type: ignore[arg-type]
    except OSError as error:
        raise IntaglioError("ITG7406", f"cannot be written: {error}", subject=str(path)) from error
