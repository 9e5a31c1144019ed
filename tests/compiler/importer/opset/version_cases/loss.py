"""Losses."""

from __future__ import annotations

import numpy as np

from .model import case, floats, positive

SCORES = {"x": floats(3, 4, 2), "t": np.int64([[0, 1], [3, 3], [2, 1]]), "w": positive(4)}

for name in ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"):
    case(name, "12-", f"y = {name}(x, t, w)", **SCORES)
    case(name, "12-", f'y = {name} <reduction = "none", ignore_index = 3> (x, t, w)', **SCORES)
    case(name, "12-", f'y = {name} <reduction = "sum"> (x, t)', x=SCORES["x"], t=SCORES["t"])
case("SoftmaxCrossEntropyLoss", "12-", "y, p = SoftmaxCrossEntropyLoss(x, t)", x=SCORES["x"], t=SCORES["t"])
