"""What can be wrong with a model: the codes, one error a fault, and the report of all of them; every importer module raises through it."""

from __future__ import annotations

from collections.abc import Iterable

from typing_extensions import override

from ...errors import IntaglioError

# Codes are for good: one that falls out of use is never given to something else.
CODES = {
    # ITG10xx: the graph
    "ITG1000": "the model has several faults",
    "ITG1001": "a cycle of nodes",
    "ITG1002": "an undefined name",
    "ITG1003": "a name defined twice",
    "ITG1004": "an unknown operator",
    "ITG1005": "a domain without an operator-set import",
    "ITG1006": "a wrong number of inputs or outputs",
    "ITG1007": "an input of a type the operator does not take",
    "ITG1008": "a graph input or output without a usable type or shape",
    "ITG1009": "an output of another type than declared",
    "ITG1010": "subgraphs or functions nested too deep, or too many nodes once functions are expanded",
    "ITG1011": "a function that calls itself, or is malformed",
    "ITG1012": "a dimension override that names nothing, or is no size",
    "ITG1013": "a result whose type cannot be told",
    "ITG1090": "an internal error",
    # ITG11xx: attributes
    "ITG1101": "an unknown attribute",
    "ITG1102": "an attribute of the wrong type",
    "ITG1103": "a required attribute is missing",
    "ITG1104": "an attribute given twice",
    "ITG1105": "a malformed attribute",
    # ITG12xx: operator-set versions
    "ITG1201": "an operator set newer than this release",
    "ITG1202": "an old meaning that the newest operator set cannot say",
    "ITG1203": "an old meaning that needs a value known at compile time",
    "ITG1204": "an old meaning that needs a known rank or type",
}

_LISTED = 50


class ImportProblem(IntaglioError):
    """One thing that is wrong with a model (ITG10xx to ITG12xx)."""


class ImportFailed(IntaglioError):
    """A model cannot be imported; `problems` holds every reason that was found, in the order of the graph."""

    def __init__(self, problems: Iterable[IntaglioError], model: str) -> None:
        self.problems = list(problems)
        found = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        super().__init__("ITG1000", f"cannot be imported, {found}", subject=model)

    @override
    def __str__(self) -> str:
        lines = [f"{self.code} {self.subject}: {self.message}"]
        lines += (str(p).replace("\n", "\n  ") for p in self.problems[:_LISTED])
        if len(self.problems) > _LISTED:
            lines.append(f"... and {len(self.problems) - _LISTED} more")
        return "\n  ".join(lines)


def listed(names: Iterable[object], most: int = 8) -> str:
    """Names as messages print them, the first few of many."""
    names = list(names)
    shown = ", ".join(f'"{n}"' for n in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
