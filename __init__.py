"""Intaglio: a compiler that carves an ONNX model into native code. What a user calls is named here, and loaded when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import backend
    from .backends.session import NodeArg, Session
    from .backends.target import Target
    from .compiler.driver import InferenceSession, Program, compile, load
    from .compiler.importer.values import Graph, Value
    from .dialects.custom import CustomOperator, Operand, TensorSpec, decomposition, operator
    from .dialects.kernel import kernel
    from .errors import IntaglioError, ShapeError, UnsupportedError

__version__ = "0.1.0"

__all__ = [
    "CustomOperator",
    "Graph",
    "InferenceSession",
    "IntaglioError",
    "NodeArg",
    "Operand",
    "Program",
    "Session",
    "ShapeError",
    "Target",
    "TensorSpec",
    "UnsupportedError",
    "Value",
    "__version__",
    "backend",
    "compile",
    "decomposition",
    "kernel",
    "load",
    "operator",
]

# Loading all of the compiler takes a second, and a program that only loads a .so does not need it.
_HOMES = {
    "CustomOperator": ".dialects.custom",
    "Graph": ".compiler.importer.values",
    "InferenceSession": ".compiler.driver",
    "IntaglioError": ".errors",
    "NodeArg": ".backends.session",
    "Operand": ".dialects.custom",
    "Program": ".compiler.driver",
    "Session": ".backends.session",
    "ShapeError": ".errors",
    "Target": ".backends.target",
    "TensorSpec": ".dialects.custom",
    "UnsupportedError": ".errors",
    "Value": ".compiler.importer.values",
    "compile": ".compiler.driver",
    "decomposition": ".dialects.custom",
    "kernel": ".dialects.kernel",
    "load": ".compiler.driver",
    "operator": ".dialects.custom",
}


def __getattr__(name: str) -> Any:
    if name == "backend":
        return import_module(".backend", __name__)
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
