"""`intaglio cache`: where compiled programs are kept, and how much they take."""

from __future__ import annotations

import argparse

from rich.markup import escape

from ..cache import Cache, default_folder, limit
from .show import out, scaled


def run(asked: argparse.Namespace) -> int:
    kept = Cache(default_folder(), limit())
    if asked.clear:
        kept.shrink(0)
    entries = kept.entries()
    total = scaled(sum(size for _, size, _ in entries), "B")
    programs = f"{len(entries)} program{'' if len(entries) == 1 else 's'}"
    out.print(escape(f"{kept.folder}: {programs}, {total} of {scaled(kept.limit, 'B')}"), soft_wrap=True)
    return 0
