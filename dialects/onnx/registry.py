"""The onnx dialects: every operator of every ONNX domain at its newest version, found by walking this package.

A family module defines operator classes and registers nothing; here they are collected by (domain, ONNX name) for the importer,
and into one xDSL dialect a domain for parsing and printing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from xdsl.ir import Dialect, Operation

from .. import onnx as _package
from .base import OnnxOp, WeightAttr
from .control import YieldOp
from .types import MapType, OptionalType, SequenceType, StringType

DOMAINS: dict[str, str] = {
    "onnx": "",
    "onnx_ml": "ai.onnx.ml",
    "onnx_training": "ai.onnx.preview.training",
    "onnx_preview": "ai.onnx.preview",
    "onnx_microsoft": "com.microsoft",
}
"""The domain that each dialect holds."""


def _defined() -> Iterator[type[OnnxOp]]:
    """Every operator class of the family modules, in the order of modules and definitions."""
    for found in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        module = importlib.import_module(found.name)
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, OnnxOp) and item.__module__ == module.__name__ and "name" in vars(item):
                yield item


def _collect() -> dict[tuple[str, str], type[OnnxOp]]:
    operators: dict[tuple[str, str], type[OnnxOp]] = {}
    for cls in _defined():
        dialect, op_type = cls.name.split(".", 1)
        key = DOMAINS[dialect], op_type
        if key in operators:
            raise ImportError(f"{cls.name} is defined twice: in {operators[key].__module__} and in {cls.__module__}")
        operators[key] = cls
    return operators


OPERATORS: dict[tuple[str, str], type[OnnxOp]] = _collect()
"""The class of each operator, by (domain, ONNX name); the main domain is ""."""


def _operators_of(dialect: str) -> list[type[Operation]]:
    return [cls for (domain, _), cls in OPERATORS.items() if domain == DOMAINS[dialect]]


ONNX = Dialect("onnx", [*_operators_of("onnx"), YieldOp], [WeightAttr, StringType, SequenceType, OptionalType, MapType])
ONNX_ML = Dialect("onnx_ml", _operators_of("onnx_ml"))
ONNX_TRAINING = Dialect("onnx_training", _operators_of("onnx_training"))
ONNX_PREVIEW = Dialect("onnx_preview", _operators_of("onnx_preview"))
ONNX_MICROSOFT = Dialect("onnx_microsoft", _operators_of("onnx_microsoft"))
