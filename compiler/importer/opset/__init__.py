"""Older operator sets: adapters that rewrite a node of an old version to the newest, by family; `build` runs them node by node.

Versions that differ from the newest only in what element types they allow, or in attributes whose default is the old meaning,
need no adapter; a test holds this against the history in the onnx package.
"""

from __future__ import annotations

from . import arithmetic, axes, control, image, normalization, recurrent, tensor, windows, withdrawn  # noqa: F401 - registering is their import
from .registry import ADAPTERS, Tools, known_before

__all__ = ["ADAPTERS", "NEWEST", "Tools", "known_before"]

NEWEST = {"": 28, "ai.onnx.ml": 5, "ai.onnx.preview.training": 1, "ai.onnx.preview": 1}
"""The newest version of each domain's operator set that this release reads."""
