"""The declaration of an operator that is not ONNX's, read from a function's signature: `@operator` on a kernel, and `@decomposition`.

Declaring registers nothing: a declaration is a value that the compiler is given. Everything that can be wrong with one is told at
once, by a `CustomError`.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import IntaglioError
from ..kernel.parse import MISSING, Kernel, ParameterKind, annotations_of
from ..onnx.base import Typed
from ..onnx.types import BY_NAME, ELEMENT_TYPES
from .kernels import RESERVED, KernelOp, make_class


class CustomError(IntaglioError):
    """A declaration of a custom operator that cannot be, or that failed when it was used (ITG14xx)."""


@dataclass(frozen=True)
class Input:
    """One input: `constraint` says its element types and which inputs share one."""

    name: str
    constraint: Typed
    optional: bool = False
    variadic: bool = False


@dataclass(frozen=True)
class Attribute:
    """One attribute: its kind as ONNX names it (INT, FLOATS, ..); `default` is MISSING where it must be given."""

    kind: str
    default: Any = MISSING


@dataclass(frozen=True, eq=False)
class CustomOperator:
    """An operator of a domain, from version `since` of it on.

    Either `decompose` is there, a function that builds the operator out of others, or `kernel_op`, the class of the operation that its
    kernel becomes. opset: the version of ONNX's operators that `decompose` speaks of, None for the newest.
    """

    domain: str
    name: str
    since: int
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    doc: str
    decompose: Callable[..., Any] | None = None
    kernel_op: type[KernelOp] | None = None
    opset: int | None = None

    def __repr__(self) -> str:
        return f"<operator {self.domain or 'ai.onnx'}::{self.name}, since {self.since}>"


def operator(
    domain: str,
    *,
    shapes: Callable[..., Any] | None = None,
    name: str | None = None,
    since: int = 1,
    types: Mapping[str, Sequence[str]] | None = None,
    scratch: Sequence[str] = (),
) -> Callable[[Kernel], CustomOperator]:
    """Makes an operator of a kernel: above `@intaglio.kernel`.

    The kernel's `Array` parameters are the inputs in order (those `| None` may be left out), its `Out` parameters the outputs, its
    constants the attributes. shapes: the shape rule, called with an `Operand` for each input and those attributes that it names as
    keywords; it gives the shape of each `Out`, as a tuple of dimensions (the element type is then that of the first input) or as a
    `TensorSpec`. Sizes that the kernel relies on are checked with `Operand.expect`. name: the operator's, by default the kernel's;
    since: the version of the domain that brought it; types: element types by input, "x w" for inputs that share one; scratch: `Out`
    parameters that are work space and no outputs.

        @intaglio.operator("my.domain", shapes=lambda x, w: w.expect(x.shape[-1]) and x.shape, types={"x w": ["float", "double"]})
        @intaglio.kernel
        def Weighted(x: Array, w: Array, y: Out, gain: float = 1.0):
            for i in range(x.size):
                y.flat[i] = x.flat[i] * w[i % w.size] * cast(gain, x)

    Raises CustomError: ITG1402 for a declaration that makes no operator, ITG1403 without a shape rule. KernelError for the signature.
    """

    def declare(kernel: Kernel) -> CustomOperator:
        label = name or getattr(kernel, "__name__", "")
        if not isinstance(kernel, Kernel):
            raise _wrong(domain, label, f"@operator takes a kernel, but is given {kernel!r}", "Put @intaglio.kernel under it.")
        if shapes is None:
            raise CustomError("ITG1403", "it has no shape rule", subject=f"{domain}::{label}")
        arrays = [p for p in kernel.parameters if p.kind is ParameterKind.ARRAY]
        results = [p.name for p in kernel.parameters if p.kind is ParameterKind.OUT and p.name not in scratch]
        for parameter in kernel.parameters:
            if parameter.name in RESERVED:
                raise _wrong(domain, label, f"no parameter can be called {parameter.name}", "Every operation has something of that name.")
            if parameter.kind in (ParameterKind.INOUT, ParameterKind.SIZE):
                said = f"parameter {parameter.name} is {parameter.kind.value}, which no operator can give"
                raise _wrong(domain, label, said, "An operator's kernel takes Array, Out and constants.")
        if not results:
            raise _wrong(domain, label, "the kernel has no Out that is an output")
        hints = annotations_of(kernel.source)
        inputs = _inputs(domain, label, [(p.name, p.default is None or _may_lack(hints[p.name]), False) for p in arrays], types)
        constants = [p for p in kernel.parameters if p.kind is ParameterKind.ATTR]
        attributes = {p.name: _attribute(domain, label, p.name, hints.get(p.name, MISSING), p.default) for p in constants}
        if tensors := [n for n, a in attributes.items() if a.kind == "TENSOR"]:
            raise _wrong(domain, label, f"attribute {tensors[0]} is a tensor, which is no constant of a kernel")
        _check_version(domain, label, since)
        op = make_class(domain, label, since, kernel, shapes, inputs, results, attributes)
        return CustomOperator(domain, label, since, inputs, tuple(results), attributes, _doc(kernel), kernel_op=op)

    return declare


def decomposition(
    domain: str,
    *,
    outputs: Sequence[str] = ("Y",),
    name: str | None = None,
    since: int = 1,
    types: Mapping[str, Sequence[str]] | None = None,
    opset: int | None = None,
) -> Callable[[Callable[..., Any]], CustomOperator]:
    """Makes an operator of a function that builds it out of others, called for each node while a model is imported.

    The function's first parameter is the `Graph` to build in; those after it are the inputs (`| None` or a default of None: may be
    left out; `*name`: any number), its keyword-only parameters the attributes. It returns the value of each output. outputs: their
    names; name: the operator's, by default the function's; since: the version of the domain that brought it; types: element types by
    input, "X W" for inputs that share one; opset: the version of ONNX's operators that it is written for, by default the newest.

        @intaglio.decomposition("my.domain", types={"x": ["float", "float16"]})
        def HardSwish(g, x, *, alpha: float = 1 / 6):
            return x * g.HardSigmoid(x, alpha=alpha, beta=0.5)

    Raises CustomError: ITG1402 for a signature that makes no operator.
    """

    def declare(function: Callable[..., Any]) -> CustomOperator:
        label = name or getattr(function, "__name__", "")
        if not isinstance(function, _FUNCTIONS):
            raise _wrong(domain, label, f"@decomposition takes a function, but is given {function!r}")
        _, *parameters = inspect.signature(function).parameters.values() or [None]
        hints = _hints(domain, label, function)
        found: list[tuple[str, bool, bool]] = []
        attributes: dict[str, Attribute] = {}
        for p in parameters:
            assert p is not None
            if p.kind is p.VAR_KEYWORD:
                raise _wrong(domain, label, f"**{p.name} names no attributes", "Write each attribute as a keyword-only parameter.")
            if p.kind is p.KEYWORD_ONLY:
                attributes[p.name] = _attribute(domain, label, p.name, hints.get(p.name, MISSING), p.default)
            elif p.default not in (MISSING, None):
                raise _wrong(domain, label, f"input {p.name} has the default {p.default!r}", "Attributes stand behind a *.")
            else:
                found.append((p.name, p.default is None or _may_lack(hints.get(p.name)), p.kind is p.VAR_POSITIONAL))
        if not outputs:
            raise _wrong(domain, label, "it has no outputs")
        _check_version(domain, label, since)
        inputs = _inputs(domain, label, found, types)
        return CustomOperator(domain, label, since, inputs, tuple(outputs), attributes, _doc(function), decompose=function, opset=opset)

    return declare


_FUNCTIONS = (types.FunctionType, types.MethodType)
_ANY = frozenset(e.ir for e in ELEMENT_TYPES)
_KINDS: dict[Any, str] = {int: "INT", bool: "INT", float: "FLOAT", str: "STRING", np.ndarray: "TENSOR"}


def _inputs(
    domain: str, label: str, found: Sequence[tuple[str, bool, bool]], given: Mapping[str, Sequence[str]] | None
) -> tuple[Input, ...]:
    """The inputs with the element types that `given` says of them."""
    constraints: dict[str, Typed] = {}
    names = [name for name, *_ in found]
    for group, elements in (given or {}).items():
        if unknown := [e for e in elements if e not in BY_NAME]:
            raise _wrong(domain, label, f"there is no element type {unknown[0]!r}", f"They are {', '.join(BY_NAME)}.")
        sharing = group.split()
        for name in sharing:
            if name not in names:
                raise _wrong(domain, label, f"types= names an input {name}", f"The inputs are {', '.join(names)}.")
            constraints[name] = Typed(group if len(sharing) > 1 else "", frozenset(BY_NAME[e].ir for e in elements))
    return tuple(Input(n, constraints.get(n, Typed("", _ANY)), optional, variadic) for n, optional, variadic in found)


def _hints(domain: str, label: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception as error:
        raise _wrong(domain, label, f"an annotation cannot be read ({error})") from error


def _may_lack(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _attribute(domain: str, label: str, name: str, hint: Any, default: Any) -> Attribute:
    """The attribute that a parameter declares by its annotation, else by its default."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):  # int | None: without a default value of its own
        hint = next((part for part in typing.get_args(hint) if part is not type(None)), hint)
    if typing.get_origin(hint) in (list, tuple, Sequence):
        kind = _KINDS.get(typing.get_args(hint)[0])
        kind = None if kind is None else f"{kind}S"
    elif hint in _KINDS:
        kind = _KINDS[hint]
    elif isinstance(default, list | tuple) and default:
        kind = f"{_KINDS.get(type(default[0]))}S"
    else:
        kind = _KINDS.get(type(default))
    if kind is None or kind.startswith("None"):
        hint = "Annotate it int, float, str, bool, numpy.ndarray, or a list or tuple[.., ...] of int, float or str."
        raise _wrong(domain, label, f"the type of attribute {name} cannot be told", hint)
    return Attribute(kind, tuple(default) if isinstance(default, list) else default)


def _check_version(domain: str, label: str, since: int) -> None:
    if since < 1:
        raise _wrong(domain, label, f"its version is {since}", "Versions of a domain start at 1.")


def _doc(function: Any) -> str:
    return inspect.cleandoc(function.__doc__ or "")


def _wrong(domain: str, label: str, message: str, hint: str = "") -> CustomError:
    return CustomError("ITG1402", message, subject=f"{domain}::{label}", hint=hint)
