"""Losses against float64 numpy: ignored labels, weights, reductions, labels out of range, element types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import intaglio
import numpy as np
import pytest

Run = Callable[..., Any]


def _expected(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, ignored: int | None, reduction: str) -> np.ndarray:
    kept = np.ones(labels.shape, bool) if ignored is None else labels != ignored
    safe = np.where(kept, labels, 0)
    w = np.where(kept, 1.0 if weights is None else weights[safe], 0.0)
    loss = -np.take_along_axis(scores, safe[:, None], axis=1)[:, 0] * w
    return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.sum() / w.sum()


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("ignored", [None, 2, -100])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses(run: Run, reduction: str, ignored: int | None, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    extra: dict[str, Any] = {"reduction": reduction} if ignored is None else {"reduction": reduction, "ignore_index": ignored}
    for shape, type, tolerance in (((4, 5), "float32", 1e-5), ((3, 4, 2, 3), "float64", 1e-12), ((6, 3, 2), "float16", 4e-3)):
        scores = rng.normal(size=shape).astype(type)
        labels = rng.integers(0, shape[1], (shape[0], *shape[2:]))
        if ignored is not None:
            labels[0] = ignored
        weights = rng.uniform(0.5, 2, shape[1]).astype(type) if weighted else None
        wide = scores.astype(np.float64)
        found = run("NegativeLogLikelihoodLoss", scores, labels.astype(np.int32), weights, **extra)
        np.testing.assert_allclose(found, _expected(wide, labels, weights, ignored, reduction), rtol=tolerance, atol=tolerance)
        logarithms = wide - np.log(np.exp(wide).sum(1, keepdims=True))
        found, log_prob = run("SoftmaxCrossEntropyLoss", scores, labels, weights, outputs=2, open_dims=True, **extra)
        np.testing.assert_allclose(found, _expected(logarithms, labels, weights, ignored, reduction), rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(log_prob, logarithms, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("label", [5, -1])
def test_labels_out_of_range_are_errors(run: Run, label: int) -> None:
    with pytest.raises(intaglio.IntaglioError, match="ITG5001"):
        run("NegativeLogLikelihoodLoss", np.zeros((2, 5), np.float32), np.array([0, label]))


def test_no_classes(run: Run) -> None:
    with pytest.raises(intaglio.IntaglioError, match="ITG5020"):
        run("NegativeLogLikelihoodLoss", np.zeros((2, 0), np.float32), np.array([0, 0]), open_dims=True)
    assert run("NegativeLogLikelihoodLoss", np.zeros((0, 5), np.float32), np.zeros(0, np.int64), reduction="none").shape == (0,)
