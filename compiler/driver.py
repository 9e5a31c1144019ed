"""The front door's work: a model in, a program out; `intaglio.compile`, the sessions, the ONNX backend and the command line call it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backends.cpu import CpuProgram, Variants
from ..backends.session import NodeArg, Session
from ..backends.target import Target, architecture, host_target, named_target, runs_here
from ..dialects.hal import Port
from ..errors import IntaglioError
from .cache import cache_of, key_of
from .diagnostics import Place, internal_errors
from .options import Options

Progress = Callable[[str], None]
"""Called with each of `STEPS` as it begins."""


@dataclass(frozen=True, eq=False)
class Program:
    """A compiled model: run it here with `session`, or ship it with `save`."""

    core: CpuProgram | Variants
    target: Target

    def session(self, *, num_threads: int = 0) -> Session:
        """The program in this process. num_threads: see `Session`.

        Raises IntaglioError: ITG7105 if it was compiled for another machine, ITG5530 for a number of threads that cannot be.
        """
        if isinstance(self.core, Variants):
            here = next((one for one in self.core.programs if runs_here(named_target(one.machine.cpu))), self.core.programs[-1])
            _check_runs_here(named_target(here.machine.cpu))
            return self.core.session(here, num_threads=num_threads)
        _check_runs_here(self.target)
        return self.core.session(num_threads=num_threads)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes a shared library (.so), object (.o) or archive (.a), by the suffix, with its C header beside it.

        Raises IntaglioError: ITG7004 for another suffix, ITG7010 if a .so is wanted and there is no linker, ITG7011 if linking fails.
        """
        return self.core.save(os.fspath(path))

    def get_inputs(self) -> list[NodeArg]:
        return list(map(_described, self.core.inputs))

    def get_outputs(self) -> list[NodeArg]:
        return list(map(_described, self.core.outputs))

    def header(self) -> str:
        """The C header that `save` writes."""
        return self.core.header()

    def llvm_ir(self, *, optimised: bool = False) -> str:
        return self.core.llvm_ir(optimised=optimised)

    def assembly(self) -> str:
        return self.core.assembly()


def _check_runs_here(target: Target) -> None:
    """Code of another machine would end the process."""
    if runs_here(target):
        return
    host = host_target()
    wanted, ours = architecture(target), architecture(host)
    message = f"is for {wanted} with registers of {target.vector_bytes} bytes, this is {ours} with {host.vector_bytes}"
    hint = 'Compile it for cpu="host" to run it here; `save` writes it for the other machine.'
    raise IntaglioError("ITG7105", message, subject="program", node=target.name, hint=hint)


def _described(port: Port) -> NodeArg:
    return NodeArg(port.name, port.type_name, list(port.sizes))


def compile(
    model: Any,
    target: str | Target = "cpu",
    cpu: str | Sequence[str] = "host",
    dims: Mapping[str, int] | None = None,
    *,
    opt_level: int = 3,
    name: str | None = None,
    dump_ir: str | os.PathLike[str] | None = None,
    verify_ir: bool = False,
    cache: bool = True,
    operators: Any = (),
    profile: bool = False,
    winograd: bool = True,
    tune: float = 0,
) -> Program:
    """Compiles an ONNX model.

    model: a path, the bytes of a file, an open binary file, or a ModelProto (ours or the onnx package's). The rest: see `Options`.
    Raises IntaglioError; an error in the model names the node and what to do. Codes: docs/errors.md.
    """
    folder = Path(dump_ir) if dump_ir is not None else None
    options = Options(target, cpu, dict(dims or {}), opt_level, name, folder, verify_ir, cache, operators, profile, winograd, tune)
    return compile_model(model, options)


def compile_model(model: Any, options: Options, progress: Progress = lambda step: None) -> Program:
    """`compile` with its options in one, telling of each step as it begins."""
    place = Place()

    def begin(step: str) -> None:
        place.level = step
        progress(step)

    with internal_errors(place):
        target = options.chosen_target()
        if not isinstance(options.cpu, str):
            from .lowering import build_variants

            return Program(build_variants(model, options, begin), target)
        store = cache_of(options)
        key = key_of(model, options) if store is not None else None
        if store is not None and key is not None and (found := store.find(key)) is not None:
            return Program(found, target)
        # Only now: a program that was made before needs nothing of the compiler, which takes longer to import than to be found.
        from .lowering import build_program

        core, externals = build_program(model, options, begin)
        if store is not None and key is not None:
            store.store(key, core, externals)
        return Program(core, target)


def load(path: str | os.PathLike[str], *, num_threads: int = 0) -> Session:
    """A session over a shared library that `Program.save` wrote. Its code runs in this process: load what you trust.

    num_threads: see `Session`. Raises IntaglioError: ITG7020 if it cannot be loaded, ITG7021 if it is no compiled model, ITG7022 for
    another release's, ITG5530 for a number of threads that cannot be.
    """
    return Session.load(os.fspath(path), num_threads=num_threads)


class InferenceSession:
    """A model ready to run, with the habits of ONNX Runtime's class of this name: compiled at construction, in process."""

    def __init__(
        self,
        model: Any,
        *,
        num_threads: int = 0,
        cpu: str = "host",
        dims: Mapping[str, int] | None = None,
        opt_level: int = 3,
        cache: bool = True,
        operators: Any = (),
        winograd: bool = True,
    ) -> None:
        """model: as `compile` takes it, or the path of a shared library that `Program.save` wrote (.so). num_threads: those that a
        run may take, the caller's among them; 0 for as many as INTAGLIO_NUM_THREADS says, else as this process may use.

        Raises IntaglioError for whatever `compile` or `load` refuse; ITG5530 for a number of threads that cannot be.
        """
        if isinstance(model, str | os.PathLike) and os.fspath(model).endswith(".so"):
            self._session = load(model, num_threads=num_threads)
        else:
            program = compile(model, cpu=cpu, dims=dims, opt_level=opt_level, cache=cache, operators=operators, winograd=winograd)
            self._session = program.session(num_threads=num_threads)

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any], run_options: object = None) -> list[Any]:
        """The outputs named, all of them for None, as arrays. Errors: see `Session.run`. run_options: taken and ignored."""
        return self._session.run(output_names, input_feed, run_options)

    def get_inputs(self) -> list[NodeArg]:
        """Name, type such as "tensor(float)", and shape (a name where a size is open) of each input."""
        return self._session.get_inputs()

    def get_outputs(self) -> list[NodeArg]:
        return self._session.get_outputs()

    def close(self) -> None:
        """Gives the memory back at once; the session cannot run after."""
        self._session.close()

    def __enter__(self) -> InferenceSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
