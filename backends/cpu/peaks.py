"""What this machine can do at most: products and sums a second, bytes read a second; measured by small kernels, for profiles."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..llvm import Library, Machine
from ..target import host_target

CHAINS = 12
"""Independent accumulators: latency times pipes of any processor known (4 x 2), and few enough for 16 registers."""

LOADS = 8
"""Vectors loaded in a round of the reading loop, so that the loop itself costs nothing."""

DRAM_BYTES = 256 << 20
"""More than the caches of the machines at hand hold, for all threads together."""

SECONDS, REPEATS = 0.02, 5


@dataclass(frozen=True)
class Peaks:
    """Float32 operations a second (a fused product and sum are two), bytes read a second from memory and from L2, by `threads`."""

    threads: int
    operations: float
    dram: float
    l2: float


@lru_cache
def measured_peaks(threads: int = 1) -> Peaks:
    """This machine's peaks, the best of a few tries; takes about half a second, once a process."""
    target, library = host_target(), _library()
    read = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(library.address("read"))

    def reading(bytes: int) -> float:
        step = LOADS * target.vector_bytes
        arrays = [np.ones(bytes // step * step, np.uint8) for _ in range(threads)]
        return _rate(threads, lambda t, n: read(arrays[t].ctypes.data, arrays[t].size, n)) * arrays[0].size

    return Peaks(threads, operations_now(threads), reading(DRAM_BYTES // threads), reading(target.l2_bytes // 2))


def operations_now(threads: int) -> float:
    """Float32 operations a second of all threads together at this moment; on a machine shared with others it comes and goes."""
    multiply = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64)(_library().address("multiply"))
    return _rate(threads, lambda _, n: multiply(n)) * CHAINS * host_target().lanes(32) * 2


@lru_cache
def _library() -> Library:
    return Machine().load([Machine().compile(_kernels(host_target().lanes(32)))])


def _rate(threads: int, work: Callable[[int, int], object]) -> float:
    """Rounds a second of all threads together. work: is called with the thread's number and how many rounds to do."""
    rounds, seconds = 1, 0.0
    while True:
        seconds = _timed(threads, work, rounds)
        if seconds >= SECONDS or rounds >= 1 << 40:
            break
        rounds = max(rounds * 2, int(rounds * min(1.2 * SECONDS / max(seconds, 1e-9), 1000)))
    best = min(seconds, *(_timed(threads, work, rounds) for _ in range(REPEATS - 1)))
    return threads * rounds / best


def _timed(threads: int, work: Callable[[int, int], object], rounds: int) -> float:
    """Seconds until every thread has done its rounds; they start together, ctypes lets go of Python's lock."""
    if threads == 1:
        start = time.perf_counter()
        work(0, rounds)
        return time.perf_counter() - start
    gate = threading.Barrier(threads + 1)

    def run(t: int) -> None:
        gate.wait()
        work(t, rounds)
        gate.wait()

    for t in range(threads):
        threading.Thread(target=run, args=(t,), daemon=True).start()
    gate.wait()
    start = time.perf_counter()
    gate.wait()
    return time.perf_counter() - start


def _kernels(lanes: int) -> str:
    """LLVM IR of `multiply(rounds)` and `read(address, bytes, rounds)`, with attributes for this machine."""
    attributes = Machine().attributes
    width = f'"prefer-vector-width"="{attributes.vector_width}" ' if attributes.vector_width else ""
    vector, words = f"<{lanes} x float>", f"<{lanes} x i32>"
    bytes = 4 * lanes
    one, nearly = (f"splat (float {x})" for x in ("1.0", "0x3FEFFFF000000000"))
    chains = [
        f"  %c{i} = phi {vector} [ {one}, %entry ], [ %d{i}, %loop ]\n" for i in range(CHAINS)
    ] + [
        f"  %d{i} = call {vector} @llvm.fma.v{lanes}f32({vector} %c{i}, {vector} {nearly}, {vector} {one})\n" for i in range(CHAINS)
    ]  # fmt: skip
    sums = [f"  %s{i} = fadd {vector} {f'%s{i - 1}' if i > 1 else '%d0'}, %d{i}\n" for i in range(1, CHAINS)]
    loads = [
        f"  %p{i} = getelementptr i8, ptr %at, i64 {i * bytes}\n"
        f"  %v{i} = load volatile {words}, ptr %p{i}, align 4\n"
        f"  %y{i} = xor {words} %x{i}, %v{i}\n"
        for i in range(LOADS)
    ]
    phis = "".join(f"  %x{i} = phi {words} [ zeroinitializer, %round ], [ %y{i}, %inner ]\n" for i in range(LOADS))
    joined = "".join(f"  %z{i} = xor {words} {f'%z{i - 1}' if i > 1 else '%y0'}, %y{i}\n" for i in range(1, LOADS))
    return f"""
declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})
define float @multiply(i64 %rounds) #0 {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %j, %loop ]
{"".join(chains)}  %j = add i64 %i, 1
  %more = icmp slt i64 %j, %rounds
  br i1 %more, label %loop, label %end
end:
{"".join(sums)}  %first = extractelement {vector} %s{CHAINS - 1}, i64 0
  ret float %first
}}
define i32 @read(ptr %data, i64 %bytes, i64 %rounds) #0 {{
entry:
  br label %round
round:
  %r = phi i64 [ 0, %entry ], [ %s, %next ]
  %had = phi i32 [ 0, %entry ], [ %has, %next ]
  br label %inner
inner:
  %o = phi i64 [ 0, %round ], [ %p, %inner ]
{phis}  %at = getelementptr i8, ptr %data, i64 %o
{"".join(loads)}  %p = add i64 %o, {LOADS * bytes}
  %on = icmp slt i64 %p, %bytes
  br i1 %on, label %inner, label %next
next:
{joined}  %first = extractelement {words} %z{LOADS - 1}, i64 0
  %has = xor i32 %had, %first
  %s = add i64 %r, 1
  %more = icmp slt i64 %s, %rounds
  br i1 %more, label %round, label %end
end:
  ret i32 %has
}}
attributes #0 = {{ nounwind {width}"target-cpu"="{attributes.cpu}" "target-features"="{attributes.features}" }}
"""
