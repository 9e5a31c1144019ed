"""What a target says of itself: the passes size their tiles by it, the backends compile for it; the driver picks one by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path

from ..errors import IntaglioError
from .llvm import Machine, host_cpu

ENTRY_POINTS = "intaglio.targets"
"""Third parties add a target here: the entry point's name is the target's, its object a `Target` or a function that makes one."""


@dataclass(frozen=True)
class Target:
    """A machine to compile for.

    triple, cpu, features: as LLVM names them, an empty triple being this host's; vector_bytes: of one vector register;
    l1_bytes, l2_bytes: data caches of one core; mr, nr: the contraction kernel's register tile, mr rows by nr vectors; panel_bytes: of a
    row of packed weights, those of nr vectors where it is 0; wide: vectors of a wider tile of fewer rows, for matrices, 0 where there is
    none; fmas: multiply-adds of vectors in a cycle.
    """

    name: str
    triple: str
    cpu: str
    features: str
    vector_bytes: int
    l1_bytes: int
    l2_bytes: int
    mr: int
    nr: int
    panel_bytes: int = 0
    wide: int = 0
    fmas: int = 2

    def lanes(self, bits: int) -> int:
        """How many elements of `bits` bits one vector register holds."""
        return max(1, self.vector_bytes * 8 // bits)

    @property
    def signed_bytes(self) -> bool:
        """Whether dot products of bytes take signed ones on the left; those on the right are always signed."""
        return self.machine().attributes.dot.get(self.lanes(32)) == "sdot"

    @property
    def fuses(self) -> bool:
        """Whether an instruction multiplies and adds, rounded once."""
        return architecture(self) != "x86_64" or self.vector_bytes > 16

    def panel(self, bits: int) -> int:
        """How many elements of `bits` bits a row of a panel of packed weights holds."""
        return max(1, (self.panel_bytes or self.nr * self.vector_bytes) * 8 // bits)

    def machine(self, level: int = 3) -> Machine:
        """LLVM set up for this target."""
        return Machine(self.triple, self.cpu, self.features, level)


@dataclass(frozen=True)
class _Shape:
    """What follows from the vector registers: 32 of them hold a tile of 14 x 2, 16 a tile of 6 x 2, operands beside it. Where memory
    is no operand, as on NEON, or a product needs a register of its own, as on SSE2, fewer rows leave room for that: with 12 and 4 none
    of the sums is spilled. A tile of 9 x 3 beside 14 x 2 goes through the left operand by two thirds of the panels, and nine of its rows do
    not evict each other from L1: 1500x384x1536 took 17.1 ms by the one, 16.7 ms by the other."""

    vector_bytes: int
    mr: int
    nr: int = 2
    wide: int = 0


_AVX512, _AVX2, _SSE, _NEON = _Shape(64, 14, wide=3), _Shape(32, 6), _Shape(16, 4), _Shape(16, 12)

# Names of LLVM's, with the triple to compile for and the caches of a typical part.
_NAMED = {
    "x86-64": ("x86_64-unknown-linux-gnu", _SSE, 32 << 10, 256 << 10),
    "x86-64-v2": ("x86_64-unknown-linux-gnu", _SSE, 32 << 10, 256 << 10),
    "x86-64-v3": ("x86_64-unknown-linux-gnu", _AVX2, 32 << 10, 256 << 10),
    "x86-64-v4": ("x86_64-unknown-linux-gnu", _AVX512, 32 << 10, 1 << 20),
    "haswell": ("x86_64-unknown-linux-gnu", _AVX2, 32 << 10, 256 << 10),
    "skylake": ("x86_64-unknown-linux-gnu", _AVX2, 32 << 10, 256 << 10),
    "skylake-avx512": ("x86_64-unknown-linux-gnu", _AVX512, 32 << 10, 1 << 20),
    "icelake-server": ("x86_64-unknown-linux-gnu", _AVX512, 48 << 10, 1280 << 10),
    "sapphirerapids": ("x86_64-unknown-linux-gnu", _AVX512, 48 << 10, 2 << 20),
    "znver3": ("x86_64-unknown-linux-gnu", _AVX2, 32 << 10, 512 << 10),
    "znver4": ("x86_64-unknown-linux-gnu", _AVX512, 32 << 10, 1 << 20),
    "znver5": ("x86_64-unknown-linux-gnu", _AVX512, 48 << 10, 1 << 20),
    "cortex-a72": ("aarch64-unknown-linux-gnu", _NEON, 32 << 10, 1 << 20),
    "cortex-a76": ("aarch64-unknown-linux-gnu", _NEON, 64 << 10, 512 << 10),
    "neoverse-n1": ("aarch64-unknown-linux-gnu", _NEON, 64 << 10, 1 << 20),
    "neoverse-v1": ("aarch64-unknown-linux-gnu", _NEON, 64 << 10, 1 << 20),
}


_ONE_UNIT = ("znver4", "icelake-client", "rocketlake", "tigerlake")
"""Processors with AVX-512 that multiply one of its vectors in a cycle, by two halves; LLVM's names."""


def _fmas(cpu: str, shape: _Shape) -> int:
    return 1 if cpu in _ONE_UNIT and shape is _AVX512 else 2


def named_target(name: str = "host") -> Target:
    """The target of that name: "host", a processor of the table above, or one that an installed package offers.

    Raises IntaglioError: ITG7101 for an unknown name, ITG7102 for an entry point that gives no Target.
    """
    if name == "host":
        return host_target()
    if (row := _NAMED.get(name)) is not None:
        triple, shape, l1, l2 = row
        return Target(name, triple, name, "", shape.vector_bytes, l1, l2, shape.mr, shape.nr, wide=shape.wide, fmas=_fmas(name, shape))
    for point in entry_points(group=ENTRY_POINTS, name=name):
        return _offered(name, point.load())
    hint = f'Known here: host, {", ".join(_NAMED)}; a package adds more by the entry point group "{ENTRY_POINTS}".'
    raise IntaglioError("ITG7101", f'there is no target "{name}"', subject="target", hint=hint)


def target_names() -> tuple[str, ...]:
    """The names that `named_target` takes, "host" first."""
    return ("host", *_NAMED, *sorted(point.name for point in entry_points(group=ENTRY_POINTS)))


@lru_cache(maxsize=1)
def host_target() -> Target:
    """The processor this runs on."""
    triple, (cpu, features) = Machine().attributes.triple, host_cpu()
    shape = _host_shape(triple, features.split(","))
    l1, l2 = _cache_bytes(1, 32 << 10), _cache_bytes(2, 512 << 10)
    fmas = _fmas(cpu, shape)
    return Target("host", triple, "host", "", shape.vector_bytes, l1, l2, shape.mr, shape.nr, wide=shape.wide, fmas=fmas)


def runs_here(target: Target) -> bool:
    """Whether this machine runs its code. Of one architecture, wider registers stand for newer instructions."""
    host = host_target()
    return architecture(target) == architecture(host) and target.vector_bytes <= host.vector_bytes


def architecture(target: Target) -> str:
    return target.triple.partition("-")[0]


def _host_shape(triple: str, features: list[str]) -> _Shape:
    if not triple.startswith(("x86_64", "i686")):
        return _NEON
    if "+avx512f" in features:
        return _AVX512
    return _AVX2 if "+avx2" in features and "+fma" in features else _SSE


def _cache_bytes(level: int, otherwise: int) -> int:
    """Size of the data cache of one level as Linux tells it, else `otherwise`."""
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            kind, found, size = ((index / name).read_text().strip() for name in ("type", "level", "size"))
        except OSError:
            continue
        if kind != "Instruction" and found == str(level) and size.endswith("K") and size[:-1].isdigit():
            return int(size[:-1]) << 10
    return _sysconf("SC_LEVEL1_DCACHE_SIZE" if level == 1 else f"SC_LEVEL{level}_CACHE_SIZE") or otherwise


def _sysconf(name: str) -> int:
    return max(os.sysconf(name), 0) if name in getattr(os, "sysconf_names", {}) else 0


def _offered(name: str, offer: Target | Callable[[], Target]) -> Target:
    target = offer if isinstance(offer, Target) else offer()
    if not isinstance(target, Target):
        raise IntaglioError("ITG7102", f"its entry point gives a {type(target).__name__}, not a Target", subject="target", node=name)
    return replace(target, name=name)
