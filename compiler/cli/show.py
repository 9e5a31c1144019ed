"""What the commands show: errors, progress, tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from typing_extensions import override

from ...errors import IntaglioError
from ..diagnostics import STEPS

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_error(error: IntaglioError) -> None:
    """The error with its code and hint; lines are left as they are, for tools that read them."""
    code, _, rest = str(error).partition(" ")
    err.print(f"[bold red]{escape(code)}[/] {escape(rest)}", soft_wrap=True)


def show_log(name: str) -> None:
    """Shows what a part of the compiler tells its log, a line a message."""

    class Shown(logging.Handler):
        @override
        def emit(self, record: logging.LogRecord) -> None:
            err.print(f"[dim]{escape(record.getMessage())}[/]", soft_wrap=True)

    log = logging.getLogger(name)
    log.setLevel(logging.INFO)
    log.handlers = [Shown()]


@contextmanager
def compiling(what: str) -> Iterator[Callable[[str], None]]:
    """Shows the step at which a compilation is, with its time; on a terminal only, and nothing remains of it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=len(STEPS))

        def begin(step: str) -> None:
            progress.update(task, description=f"{what}: {step}", completed=STEPS.index(step))

        yield begin


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar for `total` like steps; what it gives is called after each."""
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


_SCALES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def scaled(number: float, unit: str = "") -> str:
    """A number with three digits, such as "44.6 MB"."""
    scale, letter = next((row for row in _SCALES if number >= row[0]), (1, ""))
    return f"{number / scale:.3g} {letter}{unit}".strip()


def shape_text(shape: Sequence[Any]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def outputs_table(names: Sequence[str], arrays: Sequence[np.ndarray], top: int) -> Table:
    """A row an output: its extent and its largest values by their index."""
    made = table("output", "type", "shape", "smallest", "largest", "mean", "top values")
    for name, array in zip(names, arrays, strict=True):
        made.add_row(escape(name), str(array.dtype), shape_text(array.shape), *_figures(array), escape(_top(array, top)))
    return made


def _figures(array: np.ndarray) -> tuple[str, str, str]:
    if not array.size or array.dtype.kind not in "fiubV":
        return ("", "", "")
    # Two-byte floats overflow in a sum, and those of ml_dtypes know no mean.
    wide = array.astype(np.float64)
    return (f"{wide.min():.6g}", f"{wide.max():.6g}", f"{wide.mean():.6g}")


def _top(array: np.ndarray, count: int) -> str:
    flat = array.reshape(-1)
    if not flat.size or array.dtype.kind not in "fiubV" or count <= 0:
        return ""
    wide = flat.astype(np.float64)
    best = np.argsort(-wide, kind="stable")[:count]
    # Leading extents of one, such as a batch's, say nothing.
    shape = array.shape[next((i for i, n in enumerate(array.shape) if n != 1), array.ndim - 1) :]
    places = (",".join(map(str, np.unravel_index(i, shape))) for i in best)
    return "  ".join(f"[{place}] {wide[i]:.6g}" for place, i in zip(places, best, strict=True))
