"""What is held against the cases whose recorded outputs are one sample of many, or rounded otherwise; `official_cases` asks for it.

Of random operators the suite records what numpy drew, and says itself that others need not draw the same. So these cases are held
against what the specification promises: shapes, element types, possible values, frequencies, seeds that repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Run = Callable[[Sequence[Any]], Sequence[np.ndarray]]

TOLERANCES: dict[str, tuple[float, float]] = {
    # numpy's transform of complex64 leaves 1.9e-7 in the imaginary parts, where terms of up to 90 cancel and 0 is right.
    "test_dft_inverse": (1e-3, 1e-6),
    "test_dft_inverse_opset19": (1e-3, 1e-6),
    # The recorded softmax rounds its powers and their sum to float16, ours the quotient only: both are within one float16 ULP of
    # the true result, the two of them are two apart.
    "test_attention_4d_causal_fp16_expanded": (2**-9, 1e-7),
}
"""(rtol, atol) of cases whose outputs were computed with larger errors than the runner's tolerance, as its `test_kwargs` allow."""


def bernoulli(run: Run, inputs: Sequence[np.ndarray], seeded: bool, falling: bool) -> None:
    """falling: the function that expands the operator gives 1 where the number drawn is greater than x, so with chance 1 - x."""
    (x,) = inputs
    chances = 1 - x if falling else x
    ys = np.stack([run([x])[0] for _ in range(400)])
    assert np.isin(ys, (0, 1)).all()
    if not seeded:
        # Six standard deviations, which chance passes in one of 5e8 elements.
        assert (abs(ys.mean(axis=0) - chances) <= 6 * np.sqrt(chances * (1 - chances) / len(ys))).all()
        return
    assert (ys == ys[0]).all()
    swept = np.stack([run([np.full_like(x, p)])[0] for p in np.linspace(0, 1, 101)])
    rising = swept[::-1] if falling else swept
    assert (rising[0] == 0).all() and (rising[-1] == 1).all() and (np.diff(rising, axis=0) >= 0).all()
    drawn = 1 - rising.mean(axis=0)
    assert abs(drawn.mean() - 0.5) < 6 * (1 / 12 / drawn.size) ** 0.5 and np.unique(drawn).size > drawn.size // 2


def dropout(run: Run, inputs: Sequence[np.ndarray]) -> None:
    """In training each element is 0 or scaled, and the mask, where asked for, tells which; without training all stay."""
    x, ratio, _ = inputs
    y, *masks = run(inputs)
    kept = y != 0
    assert (x != 0).all()
    np.testing.assert_allclose(y, np.where(kept, x / (1 - ratio), 0), rtol=1e-6)
    assert abs(kept.mean() - (1 - ratio)) < 6 * (ratio * (1 - ratio) / x.size) ** 0.5
    for mask in masks:
        assert mask.dtype == np.bool_
        np.testing.assert_array_equal(mask, kept)
    np.testing.assert_array_equal(run(inputs)[0], y)
    for off in ([x, ratio, np.array(False)], [x, np.zeros_like(ratio), np.array(True)]):
        y, *masks = run(off)
        np.testing.assert_array_equal(y, x)
        assert all(mask.all() for mask in masks)


PROMISES: dict[str, Callable[[Run, Sequence[np.ndarray]], None]] = {
    **{
        f"test_bernoulli{kind}{form}": lambda run, x, s=kind == "_seed", f=form == "_expanded": bernoulli(run, x, s, f)
        for kind in ("", "_double", "_seed")
        for form in ("", "_expanded")
    },
    **{f"test_training_dropout{kind}": dropout for kind in ("", "_default", "_mask", "_default_mask")},
}
"""What a case's outputs must be like, beside having the shapes and element types recorded; it may run the model several times."""


def check_alike(expected: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
    """Shapes and element types only."""
    assert [(y.shape, y.dtype) for y in outputs] == [(y.shape, y.dtype) for y in expected]
