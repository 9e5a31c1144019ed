"""The official ONNX backend suite as plain data: every case by name, and how one is run; the worker and the tests read it.

A case has up to three forms: as it stands; made dynamic, with an unknown of its own for every dimension of its inputs and outputs;
and, one case an operator, made dynamic and run on other sizes than those of its data.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from official_promises import PROMISES, TOLERANCES, check_alike
from official_sizes import check_sizes, varied
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

GROUPS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")
NEEDS_CONSTANTS = Path(__file__).parent / "needs_constants.txt"

DYNAMIC, SIZES = "@dynamic", "@sizes"
"""What the names of a case's other forms end with."""

# Cases compile in a tenth of a second, real models in tens; a busy machine gets its share of patience.
_SECONDS = {"real": 240.0}
_SECONDS_OTHERS = 60.0


@dataclass(frozen=True)
class Case:
    """One form of one case of the suite; `seconds` is what it may take, compilation included, opt_level how hard LLVM works on it."""

    name: str
    group: str
    seconds: float
    test: TestCase
    form: str = ""
    opt_level: int = 3


@cache
def load_cases() -> dict[str, Case]:
    """Every case as it stands by its name, which is unique across the groups. Takes some seconds: the node cases are computed."""
    cases: dict[str, Case] = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for group in GROUPS:
            for test in sorted(load_model_tests(kind=group), key=lambda t: t.name):
                assert test.name not in cases, f"two cases are named {test.name}"
                cases[test.name] = Case(test.name, group, _SECONDS.get(group, _SECONDS_OTHERS), test)
    return cases


def all_forms(cases: dict[str, Case]) -> dict[str, Case]:
    """The cases and, each after its own, their other forms, named with `DYNAMIC` or `SIZES` at the end.

    Those are about our own levels: LLVM does as little as it can, which takes a third of the time.
    """
    forms: dict[str, Case] = {}
    resized = set(resized_cases(cases))
    for case in cases.values():
        for form in ("", DYNAMIC, *([SIZES] if case.name in resized else [])):
            forms[case.name + form] = replace(case, name=case.name + form, form=form, opt_level=0 if form else case.opt_level)
    return forms


def resized_cases(cases: dict[str, Case]) -> list[str]:
    """The names of the cases that also run on other sizes."""
    constants = needed_constants()
    models = {c.name: partial(_model, c.test) for c in cases.values() if c.group == "node" and c.name not in constants}
    return list(varied(models))


def needed_constants() -> dict[str, str]:
    """The cases whose dynamic form the specification rules out, each with how its error begins: the code and the first words."""
    rows = (line.partition(":") for line in _lines(NEEDS_CONSTANTS))
    return {name.strip(): error.strip() for name, _, error in rows}


def _lines(path: Path) -> Iterator[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return (line for line in lines if line)


def run_case(case: Case) -> None:
    """Compiles and runs a case. Raises what the compiler raises, AssertionError if the outputs are not those expected."""
    from intaglio import backend  # here, since listing cases must not depend on the compiler

    declared = _model(case.test)
    model = made_dynamic(declared) if case.form else declared
    prepared = backend.prepare(model, "CPU", opt_level=case.opt_level)
    if case.form == SIZES:
        inputs, _ = next(_data(case.test, declared))
        check_sizes(case.test.name, model, prepared.run, inputs)
        return
    rtol, atol = TOLERANCES.get(case.test.name, (case.test.rtol, case.test.atol))
    for inputs, expected in _data(case.test, declared):
        outputs = list(prepared.run(inputs))
        if (promise := PROMISES.get(case.test.name)) is not None:
            check_alike(expected, outputs)
            promise(prepared.run, inputs)
        else:
            _assert_similar(expected, outputs, rtol, atol)


def _assert_similar(expected: Sequence[Any], outputs: Sequence[Any], rtol: float, atol: float) -> None:
    """The runner's comparison, member by member for sequences: it takes a member for a sequence itself, which scalars are not."""
    assert len(outputs) == len(expected), f"{len(outputs)} values instead of {len(expected)}"
    for wanted, found in zip(expected, outputs, strict=True):
        if isinstance(wanted, list | tuple):
            assert isinstance(found, list | tuple), f"a {type(found).__name__} instead of a sequence"
            _assert_similar(wanted, found, rtol, atol)
        else:
            Runner.assert_similar_outputs([wanted], [found], rtol=rtol, atol=atol)


def made_dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with a name of its own for every dimension of its inputs and outputs, and nothing said of the values between."""
    dynamic = onnx.ModelProto()
    dynamic.CopyFrom(model)
    del dynamic.graph.value_info[:]
    for info in (*dynamic.graph.input, *dynamic.graph.output):
        for shape in _shapes(info.type):
            for axis, dim in enumerate(shape.dim):
                dim.dim_param = f"{info.name}_{axis}"
    return dynamic


def _shapes(kind: onnx.TypeProto) -> Iterator[onnx.TensorShapeProto]:
    """The shapes declared in a type, however deep."""
    which = kind.WhichOneof("value")
    held = getattr(kind, which) if which else None
    if which in ("tensor_type", "sparse_tensor_type"):
        if held.HasField("shape"):
            yield held.shape
    elif which in ("sequence_type", "optional_type"):
        yield from _shapes(held.elem_type)
    elif which == "map_type":
        yield from _shapes(held.value_type)


def _model(test: TestCase) -> onnx.ModelProto:
    return test.model if test.model is not None else onnx.load(_model_path(test))


def _model_path(test: TestCase) -> Path:
    if test.model_dir is not None:
        return Path(test.model_dir) / "model.onnx"
    # The real models are meant to be downloaded; the light ones of the same structure come with the package.
    assert test.url is not None and test.url.startswith("onnx/")
    return Path(onnx.__file__).parent / Path(test.url).relative_to("onnx")


def _data(test: TestCase, model: onnx.ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
    """Pairs of inputs and expected outputs."""
    if test.data_sets is not None:
        for inputs, outputs in test.data_sets:
            yield [_plain(x) for x in inputs], [_plain(x) for x in outputs]
    elif test.model_dir is not None:
        for folder in sorted(Path(test.model_dir).glob("test_data_set*")):
            yield _protos(folder, "input", model.graph.input), _protos(folder, "output", model.graph.output)
    else:
        initial = {tensor.name for tensor in model.graph.initializer}
        inputs = [Runner.generate_dummy_data(info) for info in model.graph.input if info.name not in initial]
        path = _model_path(test)
        yield inputs, _protos(path.parent, f"{path.stem}_output", model.graph.output)


def _plain(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _protos(folder: Path, stem: str, infos: Any) -> list[Any]:
    found: list[Any] = []
    for i, info in enumerate(infos):
        path = folder / f"{stem}_{i}.pb"
        if not path.exists():
            break
        found.append(_read(path.read_bytes(), info.type))
    return found


def _read(data: bytes, kind: onnx.TypeProto) -> Any:
    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))
