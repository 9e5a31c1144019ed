"""The errors of files and tensors, with the table of their codes; every module of this folder raises them."""

from __future__ import annotations

from typing_extensions import override

from ..errors import IntaglioError

__all__ = ["CODES", "IntaglioError", "ModelFileError", "TensorError"]

# Codes are for good: one that falls out of use is never given to something else.
CODES = {
    # ITG01xx: files
    "ITG0101": "there is no such file",
    "ITG0102": "the file cannot be read",
    "ITG0103": "the file is empty",
    "ITG0104": "the bytes are not an ONNX message",
    "ITG0105": "the bytes end too early",
    "ITG0106": "messages are nested too deep",
    "ITG0107": "a part that every model has is missing",
    "ITG0108": "the IR version is newer than this release",
    "ITG0109": "too large for one protobuf message",
    "ITG0110": "the file cannot be written",
    "ITG0111": "not something a model can be read from",
    "ITG0112": "a name or text is not UTF-8",
    "ITG0120": "an external data entry is malformed",
    "ITG0121": "external data outside the model's folder",
    "ITG0122": "the external data file cannot be read",
    "ITG0123": "external data reaches past the end of its file",
    "ITG0124": "external data without a folder to look in",
    # ITG02xx: tensors
    "ITG0201": "unknown element type",
    "ITG0202": "impossible dimensions",
    "ITG0203": "the data does not fill the shape",
    "ITG0204": "elements in the wrong field, or in several",
    "ITG0205": "an element is out of its type's range",
    "ITG0206": "tensor segments",
    "ITG0207": "no ONNX element type for this array",
    "ITG0208": "malformed sparse tensor",
    "ITG0209": "malformed sequence, map or optional",
}


class _WireError(IntaglioError):
    """Adds a line of context between the message and the hint."""

    def __init__(self, code: str, message: str, *, subject: str = "", context: str = "", hint: str = "") -> None:
        self.context = context
        super().__init__(code, message, subject=subject, hint=hint)

    @override
    def __str__(self) -> str:
        head = f"{self.code} {self.subject}: {self.message}" if self.subject else f"{self.code} {self.message}"
        return "\n  ".join(line for line in (head, self.context, self.hint) if line)


class ModelFileError(_WireError):
    """A model file, or a data file beside it, is missing, damaged, unsafe or not what it should be (ITG01xx)."""


class TensorError(_WireError):
    """A tensor, sequence, map or optional contradicts itself or has no ONNX form (ITG02xx)."""

    def __init__(self, code: str, message: str, *, tensor: str = "", context: str = "", hint: str = "") -> None:
        self.tensor = tensor
        subject = f'tensor "{tensor}"' if tensor else "tensor"
        super().__init__(code, message, subject=subject, context=context, hint=hint)
