"""Keeps tracebacks away from users: whatever escapes a compilation that is no error of ours becomes one, with its place; the driver
and the command line wrap their work in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..dialects.onnx.base import OnnxOp
from ..errors import IntaglioError

REPORT = "This is a fault of the compiler, not of the model: please report it with the model."


LEVELS = ("onnx", "linalg", "dispatch", "loops")
"""The IR levels in order; below them are llvm, asm and obj."""

STEPS = ("read", "import", *LEVELS, "llvm", "machine code")
"""What a compilation goes through, in order; a progress display shows them."""


class Place:
    """How far a compilation has come: `level` is the one being reached."""

    def __init__(self, level: str = "read") -> None:
        self.level = level


@contextmanager
def internal_errors(place: Place) -> Iterator[None]:
    """Turns any other exception into an IntaglioError, the exception as its cause: ITG9001 for a fault of ours, ITG9002 for a model
    nested too deeply, ITG9003 for a lack of memory. KeyboardInterrupt and its like pass."""
    try:
        yield
    except IntaglioError:
        raise
    except RecursionError as error:
        hint = "Does it hold a very long chain of expressions or deeply nested subgraphs?"
        raise IntaglioError("ITG9002", f"the model is nested too deeply to reach level {place.level}", hint=hint) from error
    except MemoryError as error:
        raise IntaglioError("ITG9003", f"memory ran out on the way to level {place.level}: {error}") from error
    except Exception as error:
        op = _operator(error)
        what = f"internal error at level {place.level}: {type(error).__name__}: {_first_line(error)}"
        subject, node = (op.op_type, op.node) if op is not None else ("", None)
        raise IntaglioError("ITG9001", what, subject=subject, node=node, hint=REPORT) from error


def _operator(error: BaseException) -> OnnxOp | None:
    """The operator that was being worked on: the innermost that a frame of the traceback holds."""
    found: OnnxOp | None = None
    trace = error.__traceback__
    while trace is not None:
        found = _held(trace.tb_frame) or found
        trace = trace.tb_next
    return found


def _held(frame: FrameType) -> OnnxOp | None:
    for name in ("op", "self"):
        value = frame.f_locals.get(name)
        if isinstance(value, OnnxOp):
            return value
    return None


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else "no message"
