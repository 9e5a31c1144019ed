"""Materialised models from the folder beside the repository, made once a run and removed one after the other."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

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
