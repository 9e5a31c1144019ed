"""The strategy for a lone fill: one flat loop of stores."""

from __future__ import annotations

from xdsl.dialects import memref
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import SSAValue

from .kernel import Buffer, KernelBuilder, factors, times
from .nest import start_value
from .split import MEMORY, parallel


def emit_fill(k: KernelBuilder, fill: linalg.FillOp, buffers: dict[SSAValue, Buffer]) -> None:
    """Stores the fill's constant over its whole result."""
    buffer = buffers[fill.results[0]]
    size = (1, ())
    for d in buffer.dims:
        size = times(size, factors(d))
    value = start_value(k, fill.results[0])
    parallel(k, [k.product(size)], (MEMORY, ()), lambda i: k.emit(memref.StoreOp.get(value, buffer.memref, i)))
