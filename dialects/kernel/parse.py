"""From a decorated Python function to its AST and signature; `@kernel` and `@inline` live here, the compiler asks for the rest.

Nothing is read before a kernel is first used, and the function itself is never called.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, NoReturn

from .errors import KernelError
from .language import Array, Attr, InOut, Out, Size


class ParameterKind(Enum):
    ARRAY = "Array"
    OUT = "Out"
    INOUT = "InOut"
    SIZE = "Size"
    ATTR = "Attr"

    @property
    def is_array(self) -> bool:
        return self in (ParameterKind.ARRAY, ParameterKind.OUT, ParameterKind.INOUT)

    @property
    def is_written(self) -> bool:
        return self in (ParameterKind.OUT, ParameterKind.INOUT)


_KINDS = dict(zip((Array, Out, InOut, Size, Attr), ParameterKind, strict=True))
_ANNOTATIONS = "Annotate it Array, Out, InOut, Size or Attr (or bool, int, float, str, tuple)."
_ATTR_TYPES = (bool, int, float, str, tuple)
MISSING = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel. `attr_type` is the Python type that an Attr was annotated with, None for any; `default` may be MISSING."""

    name: str
    kind: ParameterKind
    attr_type: type | None = None
    default: Any = MISSING


class Source:
    """The text of one function: its AST, its file and lines, and the names that it sees."""

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function
        self.name = function.__name__
        self.file = inspect.getsourcefile(function) or function.__code__.co_filename

    @cached_property
    def tree(self) -> ast.FunctionDef:
        """Line numbers are those of the file. Raises KernelError ITG6001 where there is no source or it is no plain function."""
        try:
            lines, first = inspect.getsourcelines(self.function)
            tree = ast.parse(textwrap.dedent("".join(lines)))
        except (OSError, TypeError, SyntaxError) as error:
            hint = "Kernels are compiled from their source: define them with def in a file."
            raise KernelError("ITG6001", f"its source cannot be read ({error})", kernel=self.name, file=self.file, hint=hint) from error
        node = tree.body[0]
        if not isinstance(node, ast.FunctionDef):
            hint = "Define it with a plain def: no lambda, no async."
            raise KernelError("ITG6001", "it is not a function with a def", kernel=self.name, file=self.file, hint=hint)
        ast.increment_lineno(node, first - 1)
        return node

    @cached_property
    def lines(self) -> dict[int, str]:
        lines, first = inspect.getsourcelines(self.function)
        return {first + i: line.strip() for i, line in enumerate(lines)}

    @cached_property
    def _free(self) -> dict[str, Any]:
        names = self.function.__code__.co_freevars
        cells = dict(zip(names, self.function.__closure__ or (), strict=True))
        return {name: cell.cell_contents for name, cell in cells.items() if not _is_empty(cell)}

    def lookup(self, name: str) -> Any:
        """What the name means outside the function (enclosing functions, the module, Python); MISSING if nothing."""
        for scope in (self._free, self.function.__globals__, vars(builtins)):
            if name in scope:
                return scope[name]
        return MISSING

    def fail(self, code: str, node: ast.AST | None, message: str, hint: str = "") -> NoReturn:
        line = getattr(node, "lineno", 0)
        raise KernelError(code, message, kernel=self.name, file=self.file, line=line, text=self.lines.get(line, ""), hint=hint)


class Kernel:
    """A function in the kernel language.

    name: the function's; parameters: in order, Array, Out and InOut, Size, Attr. Raises KernelError ITG6001 or ITG6002 at first
    use if the source or the signature is not one.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not isinstance(function, types.FunctionType):
            raise KernelError("ITG6001", "@kernel takes a function written with def", kernel=repr(function))
        self.source = Source(function)
        self.name = function.__name__
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any, **keywords: Any) -> NoReturn:
        raise KernelError("ITG6007", "a kernel is compiled, never called", kernel=self.name, hint="Share code by @inline functions.")

    def __repr__(self) -> str:
        return f"<kernel {self.name}>"

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        source = self.source
        check_signature(source)
        hints = annotations_of(source)
        return tuple(_parameter(source, p, hints.get(p.name, MISSING)) for p in inspect.signature(source.function).parameters.values())


class Inline:
    """A helper of kernels: its body is compiled into each caller. Parameters may be scalars, arrays, constants."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not isinstance(function, types.FunctionType):
            raise KernelError("ITG6001", "@inline takes a function written with def", kernel=repr(function))
        self.source = Source(function)
        self.name = function.__name__
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any) -> Any:
        raise KernelError("ITG6007", "an @inline function is compiled into kernels, never called from Python", kernel=self.name)

    def __repr__(self) -> str:
        return f"<inline {self.name}>"


def kernel(function: Callable[..., Any]) -> Kernel:
    """Declares a kernel: `@kernel` above a function whose parameters are annotated Array, Out, InOut, Size or Attr."""
    return Kernel(function)


def inline(function: Callable[..., Any]) -> Inline:
    """Declares a helper function that kernels call; it needs no annotations."""
    return Inline(function)


def check_signature(source: Source) -> None:
    """Raises KernelError ITG6002 unless all parameters are plain ones."""
    arguments = source.tree.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
        source.fail("ITG6002", source.tree, "takes *, ** or keyword-only parameters", "Name every parameter.")


def annotations_of(source: Source) -> dict[str, Any]:
    """Annotations as objects; those that are text are looked up in every scope that the function sees."""
    try:
        return {
            name: eval(hint, source.function.__globals__, source._free) if isinstance(hint, str) else hint
            for name, hint in source.function.__annotations__.items()
            if name != "return"
        }
    except Exception as error:
        hint = "Annotations name Array, Out, InOut, Size, Attr or a Python type; import them in the kernel's module."
        raise KernelError("ITG6002", f"an annotation cannot be read ({error})", kernel=source.name, file=source.file, hint=hint) from error


def _parameter(source: Source, parameter: inspect.Parameter, hint: Any) -> Parameter:
    name, default = parameter.name, parameter.default
    if typing.get_origin(hint) in (typing.Union, types.UnionType):  # Array | None: one that an operator may leave out
        hint = next((part for part in typing.get_args(hint) if part is not type(None)), hint)
    origin = typing.get_origin(hint) or hint
    if origin in _ATTR_TYPES:
        return Parameter(name, ParameterKind.ATTR, origin, default)
    kind = _KINDS.get(origin) if isinstance(origin, type) else None
    if kind is None:
        said = "no annotation" if hint is MISSING else f"annotation {hint!r}"
        source.fail("ITG6002", source.tree, f"parameter {name} has {said}", _ANNOTATIONS)
    if default is not MISSING and kind is not ParameterKind.ATTR and default is not None:
        source.fail("ITG6002", source.tree, f"parameter {name} has a default", "Only attributes have defaults, and arrays None.")
    return Parameter(name, kind, None, default)


def _is_empty(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return True
    return False
