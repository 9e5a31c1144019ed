"""What tests of whole models share: a comparison with ONNX Runtime, and materialised models from the folder beside the repository,
made once a run and removed one after the other."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import intaglio
import numpy as np
import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "models"


@pytest.fixture(scope="session")
def materialise() -> ModuleType:
    script = FOLDER / "materialise.py"
    if not script.is_file():
        pytest.skip(f"there is no {script}")
    spec = importlib.util.spec_from_file_location("materialise", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest, materialise: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of the model of this name, with weights; they take up to half a gigabyte each, so only one is there at a time."""
    path: Path = materialise.materialise(request.param, tmp_path_factory.mktemp("models"))
    yield path
    path.unlink()


@pytest.fixture
def inputs(model: Path) -> Path:
    """The .npz file of inputs that comes with the model."""
    return FOLDER / f"{model.stem}.npz"


SMALLEST = 1e-6
"""Differences below this are none: ONNX Runtime's sigmoid is no better near 0 than that."""


class Both:
    """One model in both. tolerance: of floats, relative to the largest of their tensor."""

    def __init__(self, model: bytes | str, tolerance: float = 1e-4) -> None:
        ort = pytest.importorskip("onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        # Without it products of bytes saturate in 16 bits on processors that have no instructions for them.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self.reference = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.session = intaglio.compile(model).session()
        self.tolerance = tolerance

    def agree(self, feeds: Mapping[str, Any]) -> list[Any]:
        """Runs both, compares, and returns what came out."""
        expected = self.reference.run(None, feeds)
        found = self.session.run(None, feeds)
        for output, ours, theirs in zip(self.reference.get_outputs(), found, expected, strict=True):
            self._compare(output.name, ours, theirs)
        return found

    def _compare(self, name: str, ours: Any, theirs: Any) -> None:
        if isinstance(theirs, list):
            assert len(ours) == len(theirs), name
            for mine, other in zip(ours, theirs, strict=True):
                self._compare(name, mine, other)
        elif isinstance(theirs, dict):
            assert list(ours) == list(theirs), name
            self._compare(name, _floats(ours.values()), _floats(theirs.values()))
        elif theirs.dtype.kind in "fc":
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), name
            largest = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0))
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=self.tolerance * largest + SMALLEST, err_msg=name)
        else:
            assert ours.shape == theirs.shape and ours.tolist() == theirs.tolist(), name


def _floats(values: Iterable[float]) -> np.ndarray:
    return np.fromiter(values, np.float64)


@pytest.fixture(scope="session")
def both() -> type[Both]:
    return Both
