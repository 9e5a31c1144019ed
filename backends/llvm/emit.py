"""From functions at the loop level to the text of one LLVM module; the drivers of the backends call `emit_module`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xdsl.dialects import func
from xdsl.ir import Operation

from . import arith, control, dot, memory, scale, vector
from .emitter import Emitter, Handler, TargetAttributes

HANDLERS: dict[type[Operation], Handler] = {
    handled: by for each in (control, arith, memory, vector, dot, scale) for handled, by in each.HANDLERS.items()
}


def emitter(handlers: Mapping[type[Operation], Handler] | None = None, target: TargetAttributes | None = None) -> Emitter:
    """An emitter that knows the loop level and the extra `handlers`, which win over it."""
    return Emitter({**HANDLERS, **(handlers or {})}, target)


def emit_module(
    funcs: Iterable[func.FuncOp],
    *,
    kernels: Iterable[func.FuncOp] = (),
    handlers: Mapping[type[Operation], Handler] | None = None,
    target: TargetAttributes | None = None,
    export: bool = False,
) -> str:
    """LLVM IR text of one module with plain functions and kernels.

    funcs: keep their own signature, memrefs as pointers; a private one is internal. kernels: each becomes a body and a wrapper of
    the kernel ABI (`Emitter.emit_kernel`), hidden unless `export`. Raises EmissionError (ITG4001) for what has no LLVM form and
    IntaglioError (ITG4003) for a value used where it is not defined.
    """
    e = emitter(handlers, target)
    for op in funcs:
        private = op.sym_visibility is not None and op.sym_visibility.data == "private"
        e.emit_function(op, linkage="internal" if private else "")
    for op in kernels:
        e.emit_kernel(op, linkage="" if export else "hidden")
    return e.finish()


def emit_kernel(op: func.FuncOp, *, target: TargetAttributes | None = None, export: bool = False) -> str:
    """A module with one kernel; see `emit_module`."""
    return emit_module((), kernels=(op,), target=target, export=export)
