"""The official ONNX backend suite through `intaglio.backend`, as it stands and with every dimension made dynamic.

What does not pass yet is listed (not_yet.txt), and so is what cannot be dynamic, with the error that says why (needs_constants.txt);
both lists are strict. Cases run in worker processes (official_pool), in the order of the tests, and each test waits for its own: a
crash or a hang fails one case. After a change: `python tests/official/run_cases.py PATTERN.. --update`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.importorskip("onnx")

from official_cases import DYNAMIC, GROUPS, NEEDS_CONSTANTS, NOT_YET, expected_failures, load_cases, needed_constants
from official_pool import Pool, held_against

CASES = load_cases()
LISTED = frozenset(expected_failures())
CONSTANTS = needed_constants()
every_case = pytest.mark.parametrize("name", [pytest.param(name, id=f"{case.group}-{name}") for name, case in CASES.items()])


@pytest.fixture(scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    endings = {"test_case": "", "test_dynamic": DYNAMIC}
    items = [(item, getattr(item, "originalname", "")) for item in request.session.items]
    named = [(item.callspec.params["name"], endings[kind]) for item, kind in items if kind in endings]
    wanted = [name + ending for name, ending in named if not (ending and name in LISTED)]
    started = Pool(wanted, jobs=min(os.cpu_count() or 1, 4))
    yield started
    started.close()


@every_case
def test_case(name: str, pool: Pool) -> None:
    outcome = pool.outcome(name)
    if outcome.passed:
        assert name not in LISTED, f"passes now: take it out of {NOT_YET.name} (run_cases.py {name} --update)"
    elif name in LISTED:
        pytest.xfail(f"{outcome.status}: {outcome.detail}")
    else:
        pytest.fail(f"{outcome.status}: {outcome.detail}", pytrace=False)


@every_case
def test_dynamic(name: str, pool: Pool) -> None:
    if name in LISTED:
        pytest.skip("does not pass as it stands")
    outcome = held_against(pool.outcome(name + DYNAMIC), CONSTANTS.get(name))
    if not outcome.passed:
        pytest.fail(f"{outcome.status}: {outcome.detail}", pytrace=False)


def test_lists_name_cases() -> None:
    assert not [name for name in (*expected_failures(), *CONSTANTS) if name not in CASES]
    assert len(LISTED) == len(expected_failures()), "a case is listed twice"


def test_few_cases_need_constants() -> None:
    assert len(CONSTANTS) <= 40
    assert all(error.startswith("ITG") for error in CONSTANTS.values()), f"{NEEDS_CONSTANTS.name} says what a user sees"


def test_suite_is_whole() -> None:
    """The figures of onnx 1.23.2, which the extra `test` pins: a case that vanished would otherwise pass for one that passes."""
    counts = {group: sum(case.group == group for case in CASES.values()) for group in GROUPS}
    assert counts == {"node": 1884, "simple": 23, "pytorch-converted": 82, "pytorch-operator": 35, "real": 9}
