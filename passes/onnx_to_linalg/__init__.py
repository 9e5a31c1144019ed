"""The lowering from operators to linalg on tensors: a module per family, each registering its lowerings by decorator."""

from __future__ import annotations

import importlib
import pkgutil

from .lower import Linalg, main_function, onnx_to_linalg
from .registry import LOWERINGS

__all__ = ["LOWERINGS", "Linalg", "main_function", "onnx_to_linalg"]

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
