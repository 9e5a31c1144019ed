"""`intaglio-opt`: xDSL's optimisation driver with our dialects and passes beside its own, for lit tests and for research on passes.

Every `ModulePass` of the folder passes/ can be named, as can what stands here: steps that the pipeline takes as functions, since they
carry weights, and that text, having none, can take as passes.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType

from typing_extensions import override
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe
from xdsl.utils.exceptions import DiagnosticException, ParseError, VerifyException
from xdsl.xdsl_opt_main import xDSLOptMain

from .. import dialects as our_dialects
from .. import passes as our_passes
from ..backends.target import host_target
from ..dialects.hal import Port
from ..dialects.onnx.dims import SymDim
from ..dialects.onnx.shapes import Shapes
from ..dialects.onnx.types import BY_IR
from ..errors import IntaglioError
from ..passes.dispatch.bufferize import port_attributes
from ..passes.onnx.analysis import analyse
from ..passes.onnx.weights import Weights
from ..passes.onnx_to_linalg import main_function, onnx_to_linalg
from ..passes.verify import check_dominance


def main() -> None:
    """Runs as a command. Whatever is wrong with the input ends it with status 1 and a message."""
    try:
        OptMain(description="Intaglio's modular optimiser: xdsl-opt with Intaglio's dialects and passes").run()
    except (DiagnosticException, ParseError, VerifyException) as error:
        print(error, file=sys.stderr)
        sys.exit(1)


class InferShapes(ModulePass):
    """Refines the types of the onnx level's results from those of the arguments."""

    name = "infer-shapes"

    @override
    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.ops:
            if isinstance(function, func.FuncOp):
                analyse(function, Weights({}))
                function.update_function_type()


class CheckDominance(ModulePass):
    """Fails unless every operand is defined before its use."""

    name = "check-dominance"

    @override
    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_dominance(op)


class OnnxToLinalg(ModulePass):
    """Lowers the function `main` from the onnx level to linalg on tensors. Ports are called by their onnx.name, else by their place."""

    name = "onnx-to-linalg"

    @override
    def apply(self, ctx: Context, op: ModuleOp) -> None:
        source, weights = main_function(op), Weights({})
        shapes = analyse(source, weights)
        inputs, outputs = _ports(source, shapes)
        lowered = onnx_to_linalg(op, shapes, weights.arrays, host_target()).module
        main_function(lowered).attributes.update(port_attributes(inputs, outputs))
        for old in list(op.ops):
            old.detach()
            old.erase(safe_erase=False)
        for new in list(lowered.ops):
            new.detach()
            op.body.block.add_op(new)


def _ports(source: func.FuncOp, shapes: Shapes) -> tuple[list[Port], list[Port]]:
    returned = source.body.block.last_op
    assert returned is not None
    sides = (("input", source.body.block.args, source.arg_attrs), ("output", returned.operands, source.res_attrs))
    found: list[list[Port]] = []
    for kind, values, described in sides:
        ports: list[Port] = []
        for i, value in enumerate(values):
            name = described.data[i].data.get("onnx.name") if described is not None else None
            assert isinstance(value.type, TensorType)
            dims = tuple(str(d) if isinstance(d, SymDim) else d for d in shapes.of(value))
            ports.append(Port(getattr(name, "data", f"{kind}{i}"), BY_IR[value.type.element_type].number, dims))
        found.append(ports)
    return found[0], found[1]


class OptMain(xDSLOptMain):
    """xDSL's driver; an IntaglioError is a diagnostic to it, so that --verify-diagnostics shows it."""

    @override
    def register_all_dialects(self) -> None:
        ours = _our_dialects()
        names = {dialect.name for dialect in ours}
        for name, factory in Universe.get_multiverse().all_dialects.items():
            if name not in names:
                self.ctx.register_dialect(name, factory)
        for dialect in ours:
            self.ctx.load_dialect(dialect)

    @override
    def register_all_passes(self) -> None:
        super().register_all_passes()
        for one in all_passes():
            self.available_passes[one.name] = _giving(one)

    @override
    def apply_passes(self, prog: ModuleOp) -> None:
        try:
            super().apply_passes(prog)
        except IntaglioError as error:
            raise DiagnosticException(str(error)) from error


def all_passes() -> list[type[ModulePass]]:
    """Our passes: those of the folder passes/, and those of this module."""
    return [*_pass_classes(our_passes), InferShapes, CheckDominance, OnnxToLinalg]


def _giving(one: type[ModulePass]) -> Callable[[], type[ModulePass]]:
    return lambda: one


def _pass_classes(package: ModuleType) -> Iterator[type[ModulePass]]:
    for module in _modules(package):
        for value in vars(module).values():
            mine = isinstance(value, type) and issubclass(value, ModulePass) and value.__module__ == module.__name__
            if mine and "name" in vars(value):
                yield value


def _our_dialects() -> list[Dialect]:
    """Modules also hold the dialects of xDSL's that they import: ours are those with a member of ours."""
    found = {id(v): v for module in _modules(our_dialects) for v in vars(module).values() if isinstance(v, Dialect)}
    return [d for d in found.values() if any(m.__module__.startswith(our_dialects.__name__) for m in (*d.operations, *d.attributes))]


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        yield import_module(info.name)


if __name__ == "__main__":
    main()
