"""Every version of every operator in the history of ONNX: at least one model at exactly that version, compiled, run and compared."""

from __future__ import annotations

from functools import cache
from typing import Any

import intaglio
import numpy as np
import onnx
import onnx.defs
import pytest
from intaglio.compiler.dump import printed
from intaglio.compiler.importer import import_model
from intaglio.compiler.importer.opset import ADAPTERS, NEWEST
from intaglio.compiler.importer.tools import NodeTools
from intaglio.dialects.onnx.types import ElementType
from intaglio.proto.files import load_model
from version_cases import CASES, Case, cases_of, in_a_loop
from version_oracles import expected, same

VERSIONS = sorted({(s.domain, s.name, s.since_version) for s in onnx.defs.get_all_schemas_with_history()})

_RUNS: dict[tuple[Case, str], list[Any]] = {}
"""Outputs by case and imported text: neighbouring versions of one meaning are compiled once."""


@pytest.mark.parametrize(("domain", "op", "version"), VERSIONS, ids=[f"{'.'.join(filter(None, key[:2]))}-{key[2]}" for key in VERSIONS])
def test_version(domain: str, op: str, version: int) -> None:
    cases = cases_of(domain, op, version)
    assert cases, f"no case tells what {op} of version {version} means"
    for one in cases:
        _check(one, version)


def _check(case: Case, version: int) -> None:
    model = case.model(version)
    text, types = _imported(case, version)
    found = _outputs(case, model, text)
    if case.judge is not None:
        case.judge(case.feeds, found)
    else:
        same(found, expected(case, model, types)[1], case.near)


@cache
def _imported(case: Case, version: int) -> tuple[str, list[int]]:
    """The imported model as text, with its weights, and the outputs' element types, 0 for what is no tensor."""
    found = import_model(load_model(case.model(version)))
    found.module.verify()
    weights = (f"{name} {array.dtype} {array.shape} {array.tolist()}" for name, array in found.weights.items())
    types = [info.type.number if isinstance(info.type, ElementType) else 0 for info in found.outputs]
    return "\n".join((printed(found.module), *weights)), types


def _outputs(case: Case, model: onnx.ModelProto, text: str) -> list[Any]:
    """What the compiled model computes."""
    key = case, text
    if key not in _RUNS:
        # LLVM's work is tested elsewhere.
        _RUNS[key] = intaglio.compile(model, opt_level=0).session().run(None, case.fed())
    return _RUNS[key]


@pytest.mark.parametrize(("domain", "op", "version"), VERSIONS, ids=[f"{'.'.join(filter(None, key[:2]))}-{key[2]}" for key in VERSIONS])
def test_a_version_lasts_until_the_next(domain: str, op: str, version: int) -> None:
    """At the last operator set before the next version a model means what it means at the first."""
    later = [v for d, o, v in VERSIONS if (d, o) == (domain, op) and v > version]
    until = min(later, default=NEWEST[domain] + 1) - 1
    for one in cases_of(domain, op, version):
        assert _imported(one, until) == _imported(one, version)


ADAPTED = [
    pytest.param(one, version, id=f"{one.op}-{version}-{number}")
    for domain, op, version in VERSIONS
    if any(version < before for before, _ in ADAPTERS.get((domain, op), ()))
    for number, one in enumerate(cases_of(domain, op, version))
]


@pytest.mark.parametrize(("case", "version"), ADAPTED)
def test_what_adapters_ask_may_be_open(case: Case, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an adapter asks for a rank, a size or a value, the model runs as well in a loop's body, where sizes are those of the run.

    What asks for nothing does the same there.
    """
    asked = False

    def watch(name: str) -> None:
        ask = getattr(NodeTools, name)

        def watched(*arguments: Any) -> Any:
            nonlocal asked
            asked = True
            return ask(*arguments)

        monkeypatch.setattr(NodeTools, name, watched)

    for name in ("rank", "size", "element", "known"):
        watch(name)
    model = in_a_loop(case.model(version))
    import_model(load_model(model))
    text, types = _imported(case, version)
    if not asked or (case, text) in _OPEN_RUNS:
        return
    _OPEN_RUNS.add((case, text))
    found = intaglio.compile(model, opt_level=0).session().run(None, {**case.fed(), "rounds": np.array(1)})
    found = [x[0] for x in found]
    if case.judge is not None:
        case.judge(case.feeds, found)
    else:
        same(found, expected(case, case.model(version), types)[1], case.near)


_OPEN_RUNS: set[tuple[Case, str]] = set()


def test_every_case_is_used() -> None:
    used = {id(one) for key in VERSIONS for one in cases_of(*key)}
    assert not [f"{c.op} {c.first}-{c.last}" for c in CASES if id(c) not in used]


def test_the_history_is_whole() -> None:
    """The figure of onnx 1.23.2, which the extra `test` pins."""
    assert len(VERSIONS) == 659
    assert np.unique([domain for domain, _, _ in VERSIONS]).tolist() == sorted(NEWEST)
