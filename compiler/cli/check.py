"""`intaglio check`: everything that keeps a model from being compiled, in one report."""

from __future__ import annotations

import argparse

from rich.markup import escape

from ...errors import IntaglioError
from ..lowering import lower_model
from .show import compiling, err, out, print_error
from .subject import options_of


def run(asked: argparse.Namespace) -> int:
    problems = _problems(asked)
    for problem in problems:
        print_error(problem)
    if problems:
        err.print(f"{escape(asked.model.name)}: {len(problems)} problem{'s' if len(problems) > 1 else ''}")
        return 1
    out.print(f"{escape(asked.model.name)}: [green]can be compiled[/]")
    return 0


def _problems(asked: argparse.Namespace) -> list[IntaglioError]:
    try:
        with compiling(asked.model.name) as begin:
            lower_model(asked.model, options_of(asked), begin)
    except IntaglioError as error:
        # Failures that gather several say so by this attribute; each is as good an error as the whole.
        return list(getattr(error, "problems", ())) or [error]
    return []
