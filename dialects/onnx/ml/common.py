"""What the families of ai.onnx.ml share: their element types, the batch of a feature matrix, and class labels."""

from __future__ import annotations

from xdsl.dialects.builtin import i64
from xdsl.ir import Attribute, SSAValue

from ..base import OnnxOp
from ..dims import Dim
from ..shapes import Shapes
from ..types import F32, F64, I32, I64, STRING, STRINGS

FEATURES = (*F32, *F64, *I64, *I32)
FEATURES_OR_TEXT = (*FEATURES, *STRINGS)
LABELS = (*STRINGS, *I64)

POST_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def batch(op: OnnxOp, shapes: Shapes, x: SSAValue) -> tuple[Dim, Dim]:
    """(rows, features) of (n, f), or of (f,), which counts as one row."""
    shape = shapes.of(x)
    if len(shape) not in (1, 2):
        raise op.fail("ITG2200", f"x must have shape (n, f) or (f,), but has rank {len(shape)}")
    return (shape[0] if len(shape) == 2 else 1), shape[-1]


def one_of(op: OnnxOp, *names: str) -> str:
    """The only attribute of `names` that is given and not empty."""
    given = [name for name in names if op.attr(name)]
    if len(given) != 1:
        found = " and ".join(given) if given else "none"
        raise op.fail("ITG2201", f"exactly one of {', '.join(names)} must be given, but there is {found}")
    return given[0]


def require_choice(op: OnnxOp, name: str, choices: tuple[str, ...]) -> None:
    """Raises ShapeError where a string attribute is none of its choices."""
    if op.attr(name) not in choices:
        raise op.fail("ITG2202", f"{name} must be one of {', '.join(choices)}, but is {op.attr(name)!r}")


def labels(op: OnnxOp, integers: str) -> tuple[int, Attribute]:
    """(number of classes, element type of their labels) by `classlabels_strings` or the attribute `integers`."""
    name = one_of(op, "classlabels_strings", integers)
    return len(op.attr(name)), (STRING if name == "classlabels_strings" else i64)
