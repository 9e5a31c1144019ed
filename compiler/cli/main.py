"""Where the command `intaglio` starts: reads the arguments, runs one command, and turns errors into messages and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .arguments import parser

USAGE_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns 0, 1 for an error or a check that failed, 2 for wrong usage, 130 for an interruption.

    The environment variable INTAGLIO_TRACEBACK=1 lets errors through with their traceback, for work on the compiler.
    """
    asked = parser().parse_args(arguments)
    # Commands are loaded one by one: the compiler takes a second, which --help should not.
    from ...errors import IntaglioError
    from ..diagnostics import Place, internal_errors
    from .show import print_error

    command = import_module(f".{asked.command}", __package__)
    try:
        with internal_errors(Place(asked.command)):
            return command.run(asked)
    except IntaglioError as error:
        if os.environ.get("INTAGLIO_TRACEBACK") == "1":
            raise
        print_error(error)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; closing it once more at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
