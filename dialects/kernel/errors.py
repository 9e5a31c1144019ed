"""What is wrong with a kernel, told with its file, line and source; raised by every module of this folder.

ITG6001 the source cannot be read; ITG6002 the signature; ITG6003 syntax outside the language; ITG6004 a name; ITG6005 types;
ITG6006 arguments of `instantiate`; ITG6007 a call; ITG6008 a compile-time constant.
"""

from __future__ import annotations

from ...errors import IntaglioError


class KernelError(IntaglioError):
    """A kernel that cannot be compiled, or was asked for with wrong arguments (ITG6xxx).

    file, line: where in the author's source, line 0 where the fault is in no line; text: that line.
    """

    def __init__(self, code: str, message: str, *, kernel: str, file: str = "", line: int = 0, text: str = "", hint: str = "") -> None:
        self.file = file
        self.line = line
        self.text = text
        where = f"\n  {file}:{line}: {text}" if line else f"\n  in {file}" if file else ""
        super().__init__(code, message + where, subject="kernel", node=kernel, hint=hint)
