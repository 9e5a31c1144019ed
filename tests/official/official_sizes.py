"""A case made dynamic on other sizes than those of its data: none, one, one more, twice as many, held against onnx.reference.

Every dimension of one size changes together, since equal sizes are often related. Where the reference fails the sizes are not the
operator's; where only the program refuses them, the error must be one that says why they cannot be.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from intaglio.errors import IntaglioError
from onnx.reference import ReferenceEvaluator

_CONTRADICTION = "ITG5002"
"""Sizes that the specification wants equal; the reference often looks at one of them only."""

_REFUSED = {
    "test_basic_conv_with_padding": "ITG5020",  # an image without pixels, padded
    "test_convinteger_with_padding": "ITG5020",
    "test_gridsample": "ITG5020",
    "test_roialign_aligned_false": "ITG5001",  # regions of an image that is not there
    "test_split_1d_uneven_split_opset18": "ITG5010",  # fewer elements than parts
}

_OTHER_RULES = (
    "test_dynamicquantizelinear",  # the scale of equal elements: 1, as ONNX Runtime has it
    "test_qlinearmatmul_2D_int8_float16",  # ties of half precision
)

_UNFIT = re.compile(
    r"_expanded|bernoulli|random|dropout|image_decoder|gradient|momentum|adagrad|adam|str|sequence|optional|test_scatter_with"
)
"""Cases with random or no numbers, and operators that the reference has not."""


def varied(models: Mapping[str, Callable[[], onnx.ModelProto]]) -> Iterator[str]:
    """The names of cases to vary: the first that fits of each operator."""
    seen: set[tuple[str, ...]] = set()
    for name, model in models.items():
        if _UNFIT.search(name):
            continue
        operators = tuple(node.op_type for node in model().graph.node)
        if operators not in seen:
            seen.add(operators)
            yield name


def check_sizes(name: str, model: onnx.ModelProto, run: Callable[[Sequence[Any]], Sequence[Any]], inputs: Sequence[Any]) -> None:
    """Raises AssertionError at the first sizes on which the program and the reference disagree."""
    arrays = [np.asarray(x) for x in inputs]
    names = [info.name for info in model.graph.input]
    reference = ReferenceEvaluator(model)
    for size, other in _changes(arrays):
        feeds = [_resized(x, size, other) for x in arrays]
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                expected = reference.run(None, dict(zip(names, feeds, strict=True)))
            except Exception:
                continue
        try:
            outputs = run(feeds)
        except IntaglioError as error:
            assert error.code in (_CONTRADICTION, _REFUSED.get(name)), f"{size} made {other}: {error}"
            continue
        if name not in _OTHER_RULES:
            for found, wanted in zip(outputs, expected, strict=True):
                _assert_alike(found, np.asarray(wanted), f"{size} made {other}")


def _changes(arrays: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    for size in sorted({d for x in arrays for d in x.shape}):
        for other in dict.fromkeys((0, 1, size + 1, 2 * size)):
            if other != size:
                yield size, other


def _resized(x: np.ndarray, size: int, other: int) -> np.ndarray:
    """The array with every dimension of `size` made `other`; its elements repeat, so that they stay in range."""
    shape = tuple(other if d == size else d for d in x.shape)
    return np.zeros(shape, x.dtype) if x.size == 0 else np.resize(x, shape).astype(x.dtype)


def _assert_alike(found: np.ndarray, wanted: np.ndarray, what: str) -> None:
    kinds = [f"{array.dtype}{array.shape}" for array in (found, wanted)]
    assert kinds[0] == kinds[1], f"{what}: {kinds[0]}, not {kinds[1]}"
    wide = np.complex128 if wanted.dtype.kind == "c" else np.float64
    np.testing.assert_allclose(found.astype(wide), wanted.astype(wide), rtol=1e-3, atol=1e-4, err_msg=what)
