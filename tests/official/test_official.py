"""The official ONNX backend suite through `intaglio.backend`, as it stands, with every dimension made dynamic, and on other sizes.

What cannot be dynamic is listed, with the error that says why (needs_constants.txt); the list is strict. Cases run in worker processes
(official_pool), in the order of the tests, and each test waits for its own: a crash or a hang fails one case. Single cases run by
`python tests/official/run_cases.py PATTERN..`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.importorskip("onnx")

from official_cases import DYNAMIC, GROUPS, NEEDS_CONSTANTS, SIZES, load_cases, needed_constants, resized_cases
from official_pool import Pool, held_against

CASES = load_cases()
CONSTANTS = needed_constants()
every_case = pytest.mark.parametrize("name", [pytest.param(name, id=f"{case.group}-{name}") for name, case in CASES.items()])


@pytest.fixture(scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    endings = {"test_case": "", "test_dynamic": DYNAMIC, "test_sizes": SIZES}
    # Other modules have tests of these names.
    items = [(item, getattr(item, "originalname", "")) for item in request.session.items if item.path == request.path]
    named = [(item.callspec.params["name"], endings[kind]) for item, kind in items if kind in endings]
    started = Pool([name + ending for name, ending in named], jobs=min(os.cpu_count() or 1, 4))
    yield started
    started.close()


@every_case
def test_case(name: str, pool: Pool) -> None:
    outcome = pool.outcome(name)
    if not outcome.passed:
        pytest.fail(f"{outcome.status}: {outcome.detail}", pytrace=False)


@every_case
def test_dynamic(name: str, pool: Pool) -> None:
    outcome = held_against(pool.outcome(name + DYNAMIC), CONSTANTS.get(name))
    if not outcome.passed:
        pytest.fail(f"{outcome.status}: {outcome.detail}", pytrace=False)


@pytest.mark.parametrize("name", resized_cases(CASES))
def test_sizes(name: str, pool: Pool) -> None:
    outcome = pool.outcome(name + SIZES)
    if not outcome.passed:
        pytest.fail(f"{outcome.status}: {outcome.detail}", pytrace=False)


def test_list_names_cases() -> None:
    assert not [name for name in CONSTANTS if name not in CASES]


def test_few_cases_need_constants() -> None:
    assert len(CONSTANTS) <= 40
    assert all(error.startswith("ITG") for error in CONSTANTS.values()), f"{NEEDS_CONSTANTS.name} says what a user sees"


def test_suite_is_whole() -> None:
    """The figures of onnx 1.23.2, which the extra `test` pins: a case that vanished would otherwise pass for one that passes."""
    counts = {group: sum(case.group == group for case in CASES.values()) for group in GROUPS}
    assert counts == {"node": 1884, "simple": 23, "pytorch-converted": 82, "pytorch-operator": 35, "real": 9}
