"""The official ONNX backend suite through `intaglio.backend`, against a strict list of what does not pass yet (not_yet.txt).

Cases run in worker processes (official_pool), in the order of the tests, and each test waits for its own: a crash or a hang fails
one case. After a change: `python tests/official/run_cases.py PATTERN.. --update`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.importorskip("onnx")

from official_cases import GROUPS, NOT_YET, expected_failures, load_cases
from official_pool import Pool

CASES = load_cases()
LISTED = frozenset(expected_failures())


@pytest.fixture(scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    wanted = [item.callspec.params["name"] for item in request.session.items if getattr(item, "originalname", "") == "test_case"]
    started = Pool(wanted, jobs=min(os.cpu_count() or 1, 4))
    yield started
    started.close()


@pytest.mark.parametrize("name", [pytest.param(name, id=f"{case.group}-{name}") for name, case in CASES.items()])
def test_case(name: str, pool: Pool) -> None:
    outcome = pool.outcome(name)
    if outcome.passed:
        assert name not in LISTED, f"passes now: take it out of {NOT_YET.name} (run_cases.py {name} --update)"
    elif name in LISTED:
        pytest.xfail(f"{outcome.status}: {outcome.detail}")
    else:
        pytest.fail(f"{outcome.status}: {outcome.detail}", pytrace=False)


def test_list_names_cases() -> None:
    assert not [name for name in expected_failures() if name not in CASES]
    assert len(LISTED) == len(expected_failures()), "a case is listed twice"


def test_suite_is_whole() -> None:
    """The figures of onnx 1.23.2, which the extra `test` pins: a case that vanished would otherwise pass for one that passes."""
    counts = {group: sum(case.group == group for case in CASES.values()) for group in GROUPS}
    assert counts == {"node": 1884, "simple": 23, "pytorch-converted": 82, "pytorch-operator": 35, "real": 9}
