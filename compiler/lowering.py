"""A model down the levels: to a program, to the loop level, or to the text of any level. The driver and the command line call it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from ..backends.cpu import CpuProgram, Variants, build, c_prefix
from ..backends.cpu.program import Variant
from ..backends.cpu.variants import module_symbol, weights_symbol
from ..backends.target import Target
from ..passes.verify import check_dominance
from ..proto.files import external_files, load_model
from .diagnostics import LEVELS, Place, internal_errors
from .dump import Dump, printed
from .importer import ImportedModel, import_model
from .options import Options
from .pipeline import Lowered, Observer, lower_to_loops
from .tuning import tuner_of

Begin = Callable[[str], None]
"""Called with each of `diagnostics.STEPS` as it begins."""


def build_program(model: Any, options: Options, begin: Begin) -> tuple[CpuProgram, list[Path]]:
    """A model's program, its machine code made, and the files of the model's external data. Raises IntaglioError."""
    with undisturbed():
        target = options.chosen_target()
        program, prefix, dump, externals = _lowered(model, target, options, begin)
        begin("llvm")
        core = _built(program, target, options, c_prefix(options.name or prefix))
        if dump is not None:
            dump.text("llvm.ll", core.llvm_ir())
        begin("machine code")
        core.object  # noqa: B018 - made here, so that its errors and its time belong to the compilation
        if dump is not None:
            _dump_code(dump, core)
        return core, externals


def build_variants(model: Any, options: Options, begin: Begin) -> Variants:
    """The programs of a model for several processors, whose weights are shared as far as they are packed alike."""
    with undisturbed():
        programs: list[CpuProgram] = []
        prefix = ""
        for one in options.variants():
            target = one.chosen_target()
            lowered, stem, dump, _ = _lowered(model, target, replace(one, dump_ir=one.dump_ir and one.dump_ir / target.name), begin)
            prefix = c_prefix(options.name or stem)
            begin("llvm")
            after = programs[-1].layout if programs else None
            variant = Variant(module_symbol(prefix, target.name), weights_symbol(prefix), after)
            programs.append(_built(lowered, target, options, prefix, variant))
            begin("machine code")
            programs[-1].object  # noqa: B018 - as above
            if dump is not None:
                _dump_code(dump, programs[-1])
        return Variants(prefix, tuple(programs), programs[-1].layout)


def _built(program: Lowered, target: Target, options: Options, prefix: str, variant: Variant | None = None) -> CpuProgram:
    return build(
        program.module,
        program.weights,
        machine=target.machine(options.opt_level),
        prefix=prefix,
        defaults=program.defaults,
        variant=variant,
    )


def _dump_code(dump: Dump, core: CpuProgram) -> None:
    dump.text("optimised.ll", core.llvm_ir(optimised=True))
    dump.text("machine.s", core.assembly())


def lower_model(
    model: Any, options: Options, progress: Begin = lambda step: None, observe: Observer = lambda level, ir: None
) -> Lowered:
    """A model down to the loop level, each level shown to `observe` as it is reached."""
    place = Place()

    def begin(step: str) -> None:
        place.level = step
        progress(step)

    with internal_errors(place), undisturbed():
        return _lowered(model, options.chosen_target(), options, begin, observe)[0]


class _Reached(BaseException):
    """Ends a compilation at the level wanted; no error, so not one of Exception."""


def level_text(model: Any, options: Options, level: str, progress: Begin = lambda step: None) -> str:
    """The text of an IR level; what lies below it is not tried. Raises IntaglioError as `compile` does."""
    found: list[str] = []

    def observe(reached: str, module: ModuleOp) -> None:
        if reached == level:
            found.append(printed(module))
            raise _Reached

    with suppress(_Reached):
        lower_model(model, options, progress, observe)
    return found[0]


def read_model(model: Any, dims: Mapping[str, int] | None = None, operators: Any = ()) -> ImportedModel:
    """A model in the onnx dialect, as imported. Raises IntaglioError, ImportFailed with every problem found."""
    with internal_errors(Place()), undisturbed():
        return import_model(load_model(model), dims=dims, operators=operators)


def _lowered(
    model: Any,
    target: Target,
    options: Options,
    begin: Begin,
    observe: Observer = lambda level, ir: None,
) -> tuple[Lowered, str, Dump | None, list[Path]]:
    """The model at the loop level, the name that its file gives it, the dump if one is wanted, and the files of its external data."""
    dump = Dump(options.dump_ir) if options.dump_ir is not None else None
    begin("read")
    loaded = load_model(model)
    name = loaded.path.stem if loaded.path else ""
    externals = external_files(loaded)
    begin("import")
    imported = import_model(loaded, dims=options.dims, operators=options.operators)
    # The message may be as large as all weights together; from here on the arrays are enough.
    del loaded, model

    def reached(level: str, module: ModuleOp) -> None:
        if options.verify_ir:
            module.verify()
            check_dominance(module)
        if dump is not None:
            dump.level(level, module)
        observe(level, module)
        after = LEVELS.index(level) + 1
        if after < len(LEVELS):
            begin(LEVELS[after])

    begin(LEVELS[0])
    tuner = tuner_of(options, target)
    measure = tuner.convolution if tuner is not None else None
    schedule = tuner.schedules if tuner is not None else lambda program: None
    passed = {"profile": options.profile, "winograd": options.winograd}
    program = lower_to_loops(imported, target, reached, **passed, measure=measure, schedule=schedule)
    return program, name, dump, externals


_undisturbed_lock = threading.Lock()
_undisturbed_count = 0
_was_enabled = False


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keeps Python's garbage collector out of a compilation: it finds little in hundreds of thousands of live IR objects, and takes a
    third of the time for it. The collector's state returns when the last of several threads is done."""
    global _undisturbed_count, _was_enabled
    with _undisturbed_lock:
        if _undisturbed_count == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _undisturbed_count += 1
    try:
        yield
    finally:
        with _undisturbed_lock:
            _undisturbed_count -= 1
            if _undisturbed_count == 0 and _was_enabled:
                gc.enable()
