"""The derivative of every operator that has one: a module per family, each registering its rules by decorator."""

from __future__ import annotations

import importlib
import pkgutil

from .builder import Gradients, Term
from .registry import EXPANSIONS, RULES

__all__ = ["EXPANSIONS", "RULES", "Gradients", "Term"]

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
