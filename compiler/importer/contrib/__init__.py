"""The operators of com.microsoft that exported models carry, declared as users declare theirs: a module a family, found by walking."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from ....dialects.custom import CustomOperator


def operators() -> Iterator[CustomOperator]:
    """Every operator that the family modules declare, in the order of modules and declarations; private names are parts of others."""
    for found in pkgutil.iter_modules(__path__, f"{__name__}."):
        module = importlib.import_module(found.name)
        yield from (o for name, o in vars(module).items() if isinstance(o, CustomOperator) and not name.startswith("_"))
