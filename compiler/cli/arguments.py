"""What can be said on the command line; loads nothing of the compiler, so that help is quick."""

from __future__ import annotations

import argparse
from pathlib import Path

IR_LEVELS = ("onnx", "linalg", "dispatch", "loops")
"""Of `--emit`: levels printed as IR. A test holds them against the pipeline's."""

EMIT = (*IR_LEVELS, "llvm", "asm", "obj", "so")

DEFAULT_RTOL = DEFAULT_ATOL = 1e-3


def parser() -> argparse.ArgumentParser:
    """The parser; what it returns has `command`, the name of a module of this folder, and that command's arguments."""
    top = argparse.ArgumentParser(prog="intaglio", description="Compiles ONNX models to native code.")
    top.add_argument("--version", action="version", version=f"intaglio {_version()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    one = commands.add_parser("compile", help="compile a model into a library, an object, or the text of a level")
    _model(one, "the .onnx file")
    _options(one)
    one.add_argument("-o", "--output", type=Path, metavar="FILE", help="what to write; a suffix .so, .o or .a chooses the kind")
    one.add_argument("--emit", choices=EMIT, help="what to emit: a level's text, on the terminal without -o, or an artifact")
    one.add_argument("--profile", action="store_true", help="let the program keep a profile; costs some 50 ns a dispatch")
    one.add_argument("--name", help="what the exported C functions' names start with (default: the file's name)")

    one = commands.add_parser("run", help="run a model on files or random inputs and show its outputs")
    _model(one, "the .onnx file, or a .so that was compiled from one")
    _options(one)
    _inputs(one)
    one.add_argument("-o", "--output", type=Path, metavar="FILE.npz", help="write the outputs")
    _running(one, 0, "as many as the process may use")
    one.add_argument("--top", type=int, default=5, metavar="K", help="how many of the largest values to show (default 5)")
    one.add_argument("--verify", action="store_true", help="compare with ONNX Runtime")
    one.add_argument("--rtol", type=float, default=DEFAULT_RTOL, help=f"relative tolerance (default {DEFAULT_RTOL})")
    one.add_argument(
        "--atol", type=float, default=DEFAULT_ATOL, help=f"absolute tolerance, as a share of the largest value (default {DEFAULT_ATOL})"
    )

    one = commands.add_parser("bench", help="measure how long a model takes")
    _model(one, "the .onnx file, or a .so that was compiled from one")
    _options(one)
    _inputs(one)
    _running(one, 1, "1")
    one.add_argument("--runs", type=int, default=30, metavar="N", help="runs that are measured (default 30)")
    one.add_argument("--warmup", type=int, default=3, metavar="N", help="runs before those (default 3)")
    one.add_argument("--compare", action="store_true", help="measure ONNX Runtime as well, in turns")
    one.add_argument("--profile", action="store_true", help="show where the time goes, by dispatch and by node")
    one.add_argument("--top", type=int, default=20, metavar="K", help="how many rows of each such table (default 20)")
    one.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the profile under the machine's limits; needs matplotlib")
    one.add_argument("--json", type=Path, metavar="FILE", help="write the figures, and the whole profile, as JSON")

    one = commands.add_parser("info", help="show a model's inputs, outputs, operators, and which are not supported")
    _model(one, "the .onnx file")
    _reading(one)

    one = commands.add_parser("cache", help="show where compiled programs are kept, and how much they take")
    one.add_argument("--clear", action="store_true", help="remove them all")

    one = commands.add_parser("check", help="report everything that keeps a model from being compiled")
    _model(one, "the .onnx file")
    _options(one)
    return top


def named_number(text: str) -> tuple[str, int]:
    """NAME=NUMBER, as --dim and --size take it."""
    name, equals, number = text.rpartition("=")
    if not (name and equals and number.isascii() and number.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER")
    return name, int(number)


def processors(text: str) -> str | tuple[str, ...]:
    """One name, or several with commas between, as --cpu takes them."""
    return tuple(text.split(",")) if "," in text else text


def _model(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("model", type=Path, help=what)


def _reading(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dim", dest="dims", type=named_number, action="append", default=[], metavar="NAME=N", help="fix an open dimension for good"
    )
    command.add_argument(
        "--operators", type=Path, action="append", default=[], metavar="FILE.py", help="declarations of custom operators; it is run"
    )


def _options(command: argparse.ArgumentParser) -> None:
    _reading(command)
    command.add_argument("--target", default="cpu", help='"cpu", or a target that an installed package offers')
    command.add_argument(
        "--cpu",
        type=processors,
        default="host",
        help='the processor: "host", x86-64-v3, neoverse-v1, .. (default host); of x86-64-v3,x86-64-v4 or other levels the '
        "library chooses when it is loaded",
    )
    command.add_argument("-O", dest="opt_level", type=int, choices=range(4), default=3, help="how hard LLVM works (default 3)")
    command.add_argument("--dump-ir", type=Path, metavar="DIR", help="write every level there, one file each")
    command.add_argument("--verify-ir", action="store_true", help="check the IR at every level")
    plainly = "sum convolutions and products plainly: slower, but rounded less"
    command.add_argument("--no-winograd", dest="winograd", action="store_false", help=plainly)
    command.add_argument(
        "--tune",
        type=float,
        nargs="?",
        default=0,
        const=60,
        metavar="SECONDS",
        help="measure which algorithms and schedules are fastest here, for so long at most (default 60), and remember it",
    )
    command.add_argument("--no-cache", action="store_true", help="compile afresh and keep nothing, see `intaglio cache`")


def _running(command: argparse.ArgumentParser, threads: int, default: str) -> None:
    command.add_argument("--threads", type=int, default=threads, metavar="N", help=f"threads of a run (default {default})")


def _inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="an .npz of named arrays, or .npy and .pb files in the inputs' order or as NAME=FILE; what is missing is random",
    )
    command.add_argument("--seed", type=int, default=0, help="of random inputs (default 0)")
    command.add_argument(
        "--size",
        dest="sizes",
        type=named_number,
        action="append",
        default=[],
        metavar="NAME=N",
        help="of an open dimension in random inputs (default 1)",
    )


def _version() -> str:
    from ... import __version__

    return __version__
