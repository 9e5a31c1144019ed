"""Fixtures of the importer's tests: small models in ONNX's text form, imported and run again after export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from intaglio.compiler.exporter import export_model
from intaglio.compiler.importer import ImportedModel, ImportFailed, import_model
from intaglio.proto.files import LoadedModel, load_model
from intaglio.proto.onnx_pb2 import ModelProto, TensorProto

NEWEST_THAT_REFERENCES_RUN = 21


@pytest.fixture
def imported() -> Callable[..., ImportedModel]:
    """Imports a model given as text, bytes or a message, verifies it and returns it."""

    def run(model: object, **options: object) -> ImportedModel:
        result = import_model(load_model(_message(model)), **options)  # pyright: ignore[reportArgumentType]
        result.module.verify()
        return result

    return run


@pytest.fixture
def codes() -> Callable[..., list[str]]:
    """The codes of the problems that importing a model reports."""

    def run(model: object, **options: object) -> list[str]:
        with pytest.raises(ImportFailed) as failed:
            import_model(load_model(_message(model)), **options)  # pyright: ignore[reportArgumentType]
        assert all(str(p) in str(failed.value).replace("\n  ", "\n") or "\n" in str(p) for p in failed.value.problems)
        return [p.code for p in failed.value.problems]

    return run


@pytest.fixture
def again() -> Callable[..., onnx.ModelProto]:
    """A model imported and exported again, at the newest version that reference implementations run."""

    def run(model: object) -> onnx.ModelProto:
        result = import_model(load_model(_message(model)))
        result.module.verify()
        exported = export_model(result.module, result.weights, result.defaults)
        exported.ir_version = 11
        for opset in exported.opset_import:
            opset.version = min(opset.version, NEWEST_THAT_REFERENCES_RUN)
        return onnx.load_model_from_string(exported.SerializeToString())

    return run


@pytest.fixture
def weightless(tmp_path: Path) -> Callable[[Path], LoadedModel]:
    """Loads a model whose large weights were left out of the file, with zeros for them that take no space."""

    def run(path: Path) -> LoadedModel:
        model = ModelProto()
        model.ParseFromString(path.read_bytes())
        largest = 0
        for tensor in model.graph.initializer:
            count = int(np.prod(tensor.dims, dtype=np.int64))
            if tensor.data_type != TensorProto.FLOAT or not count or tensor.raw_data or tensor.float_data:
                continue
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "zeros"), ("offset", "0"), ("length", str(4 * count))):
                tensor.external_data.add(key=key, value=value)
            largest = max(largest, 4 * count)
        with open(tmp_path / "zeros", "wb") as zeros:
            zeros.truncate(largest)
        return load_model(model, base_dir=tmp_path)

    return run


def _message(model: object) -> object:
    return onnx.parser.parse_model(model) if isinstance(model, str) else model
