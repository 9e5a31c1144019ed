"""What a user can ask of a compilation; the front door and the command line fill it in, the driver reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..backends.cpu.variants import checked_levels
from ..backends.target import Target, named_target
from ..errors import IntaglioError

OPT_LEVELS = (0, 1, 2, 3)


@dataclass(frozen=True)
class Options:
    """How to compile.

    target: "cpu", the name of a target that an installed package offers, or a `Target`; cpu: the processor for target "cpu", "host" or
    LLVM's name of one, or several of "x86-64-v4" down to "x86-64" for an artifact that chooses when it is loaded; dims: sizes for open
    dimensions by name, fixed for good; opt_level: how hard LLVM works, 0 to 3; name: what the C functions' names start with, by default
    the model file's; dump_ir: a folder for every level's text; verify_ir: check the IR at every level, for work on the compiler itself;
    cache: whether a program made before may be taken from disk, and this one kept there, see compiler/cache; operators: operators of the
    user's own, as `@operator` and `@decomposition` make them, or modules and Python files that hold such; profile: the program times its
    dispatches, see `Session.profile`; winograd: whether convolutions may go by Winograd's algorithm, up to three times as fast as a plain
    sum, but with more rounding: of up to 5e-5 of a layer's largest output, and mostly a tenth of that; and products with constant weights
    by Strassen's, an eighth fewer, with up to twice the rounding, and where two rows side by side share what is not finite; tune: how many
    seconds may go into measuring, on this machine, which algorithm is fastest for a layer, in place of estimates, see compiler/tuning.
    """

    target: str | Target = "cpu"
    cpu: str | Sequence[str] = "host"
    dims: Mapping[str, int] = field(default_factory=dict)
    opt_level: int = 3
    name: str | None = None
    dump_ir: Path | None = None
    verify_ir: bool = False
    cache: bool = True
    operators: Any = ()
    profile: bool = False
    winograd: bool = True
    tune: float = 0

    def __post_init__(self) -> None:
        if self.opt_level not in OPT_LEVELS:
            raise IntaglioError("ITG7103", f"{self.opt_level!r} is none of {OPT_LEVELS}", subject="opt_level")

    def variants(self) -> tuple[Options, ...]:
        """Of several processors, each for itself, best first; they share weights, so the rows of panels are those of the widest. Empty
        for one processor. Raises IntaglioError: ITG7104, ITG7106, ITG7107."""
        if isinstance(self.cpu, str):
            return ()
        if self.target != "cpu":
            raise IntaglioError("ITG7104", 'several processors only go with target="cpu"', subject="target", node=str(self.target))
        targets = [named_target(name) for name in checked_levels(tuple(self.cpu))]
        panel = max(target.nr * target.vector_bytes for target in targets)
        return tuple(replace(self, target=replace(target, panel_bytes=panel), cpu=target.name) for target in targets)

    def chosen_target(self) -> Target:
        """The target meant. Raises IntaglioError: ITG7101 for an unknown name, ITG7102 for a broken offer, ITG7104 for two processors."""
        if isinstance(self.target, Target):
            return self.target
        if not isinstance(self.cpu, str):
            return self.variants()[0].chosen_target()
        if self.target == "cpu":
            return named_target(self.cpu)
        if self.cpu != "host":
            raise IntaglioError("ITG7104", f'cpu="{self.cpu}" only goes with target="cpu"', subject="target", node=self.target)
        return named_target(self.target)
