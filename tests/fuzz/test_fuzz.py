"""A few random cases of every operator, and some graphs, in each run; `run_fuzz.py` goes on for as long as you like.

The cases are the same every time: what fails here fails again, and `python tests/fuzz/run_fuzz.py OPERATOR --examples N` shows more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from fuzzing.hunt import GRAPHS, hunt, names
from fuzzing.pool import Worker
from fuzzing.recipes import RECIPES
from fuzzing.recipes.missing import MISSING
from fuzzing.schemas import schemas

EXAMPLES = 2
GRAPH_EXAMPLES = 25


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    started = Worker()
    yield started
    started.close()


def test_every_operator_is_made() -> None:
    assert {name for name in schemas() if name not in RECIPES} == set(MISSING), "see fuzzing/recipes"


@pytest.mark.parametrize("name", [*names(), GRAPHS])
def test_compiled_as_the_references_say(name: str, worker: Worker) -> None:
    counts: Counter[str] = Counter()
    finding = hunt(name, GRAPH_EXAMPLES if name == GRAPHS else EXAMPLES, 0, worker, counts)
    if finding is not None:
        pytest.fail(f"{finding.verdict.status}: {finding.verdict.detail}\n{finding.text()}", pytrace=False)
