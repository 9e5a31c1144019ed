"""One turn on an operator or on graphs: Hypothesis makes cases, the worker judges them, the first that is wrong is shrunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from unittest import mock

import numpy as np
import onnx
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import seed as seeded
from hypothesis.internal.conjecture.providers import HypothesisProvider

from .judge import Verdict
from .models import Case, Unusable, graph_cases, operator_cases
from .pool import Worker
from .recipes import RECIPES

GRAPHS = "graphs"
FAULTS = ("wrong", "failed", "refused")
_MOST_SHRINKS = 60
_ALONE = ("Bernoulli", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Dropout")


def names() -> list[str]:
    return sorted(RECIPES)


@dataclass
class Finding:
    """A case that is not right, as small as it could be made."""

    name: str
    case: Case
    verdict: Verdict

    def text(self) -> str:
        model = onnx.ModelProto.FromString(self.case.model)
        tensors = [f"  {t.name} = {_shown(onnx.numpy_helper.to_array(t))}" for t in model.graph.initializer]
        fed = [f"  run {i}: {name} = {_shown(array)}" for i, feed in enumerate(self.case.feeds) for name, array in feed.items()]
        return "\n".join([onnx.printer.to_text(model.graph), *tensors, *fed])


def _shown(array: np.ndarray) -> str:
    return f"{array.dtype}{list(array.shape)} " + np.array2string(array, threshold=24, edgeitems=3).replace("\n", " ")


class _Fault(Exception):
    pass


def hunt(name: str, examples: int, seed: int, worker: Worker, counts: Counter[str]) -> Finding | None:
    """Tries cases until one is at fault; `counts` takes up the verdicts. The same seed tries the same cases."""
    strategy = graph_cases([n for n in names() if n not in _ALONE]) if name == GRAPHS else operator_cases(name)
    last: list[Finding] = []
    tries = 0

    @seeded(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(case=strategy)
    def attempt(case: Case) -> None:
        nonlocal tries
        assume(case.feeds)
        tries += bool(last)
        if tries > _MOST_SHRINKS:
            return  # Hypothesis then takes the last for flaky, and ends
        verdict = worker.judge(case)
        counts[verdict.status] += not last
        if verdict.status in FAULTS:
            last[:] = [Finding(name, case, verdict)]
            raise _Fault(verdict.status)

    try:
        # Else it draws constants of whichever modules are imported by now, and a seed would try other cases in another company.
        with mock.patch.object(HypothesisProvider, "_maybe_draw_constant", return_value=None):
            attempt()
    except _Fault:
        pass
    except Exception:
        if not last:
            raise
    return last[0] if last else None


__all__ = ["FAULTS", "GRAPHS", "Finding", "Unusable", "hunt", "names"]
