"""From the loop level to LLVM: `emit` writes LLVM IR text, `machine` has LLVM compile and load it; every LLVM target shares them."""

from .emit import emit_kernel, emit_module
from .emitter import Emitter, Handler, TargetAttributes
from .machine import Library, Machine, host_cpu

__all__ = ["Emitter", "Handler", "Library", "Machine", "TargetAttributes", "emit_kernel", "emit_module", "host_cpu"]
