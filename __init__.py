"""Intaglio: a compiler that carves an ONNX model into native code."""

__version__ = "0.1.0"
