"""Compiles cases for an AArch64 processor and runs them under the emulator: `python run_emulated.py CPU CASE...`.

Out comes a pickled dictionary from a case's name to its outputs, or to the text of what went wrong. A process of its own: pages of
this one are lent to the emulator, which does not forget those that are given back, so it is not for one that lives long.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback

os.environ["INTAGLIO_CACHE"] = "off"

import intaglio
from cases import CASES, prefer_winograd
from emulator import emulated


def main(cpu: str, *names: str) -> None:
    prefer_winograd(setattr)
    sys.stdout.buffer.write(pickle.dumps({name: _outputs(cpu, name) for name in names}))


def _outputs(cpu: str, name: str) -> object:
    case = CASES[name]
    try:
        return emulated(intaglio.compile(case.model(), cpu=cpu, opt_level=2).core).run(None, {"x": case.x})
    except Exception:
        return traceback.format_exc()


if __name__ == "__main__":
    main(*sys.argv[1:])
