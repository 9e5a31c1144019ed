"""The root of the error tree: every error a user can meet derives from `IntaglioError`; every room imports it from here."""

from __future__ import annotations

from .hints import hint_for


class IntaglioError(Exception):
    """An error with a stable code, the node it concerns and what to do about it.

    code: stable identifier, "ITG" and four digits (docs/errors.md lists them); subject: what the message is about, usually
    an operator and its node name; hint: what the user can do, by default what `hints` says of the code.
    """

    def __init__(self, code: str, message: str, *, subject: str = "", node: str | None = None, hint: str = "") -> None:
        self.code = code
        self.message = message
        self.subject = subject
        self.node = node
        self.hint = hint or hint_for(code)
        super().__init__(str(self))

    def __str__(self) -> str:
        where = " ".join(part for part in (self.subject, f'"{self.node}"' if self.node else "") if part)
        head = f"{self.code} {where}: {self.message}" if where else f"{self.code} {self.message}"
        return f"{head}\n  {self.hint}" if self.hint else head


class ShapeError(IntaglioError):
    """The shapes of a node's operands contradict each other or its attributes (ITG21xx)."""


class UnsupportedError(IntaglioError):
    """Something in the model is valid ONNX that this compiler cannot compile yet (ITG3xxx)."""
