"""From a loaded model to the onnx dialect: names become values, old operator sets the newest, shapes are inferred on the way.

The pipeline calls `import_model` first; everything wrong or unsupported in a model is reported at once by `ImportFailed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import DYNAMIC_INDEX, ArrayAttr, DictionaryAttr, FunctionType, IntegerAttr, ModuleOp, StringAttr, TensorType, i64
from xdsl.ir import Attribute, Block, BlockArgument, Region, SSAValue

from ...dialects.onnx.dims import Shape
from ...dialects.onnx.shapes import MAX_ELEMENTS, Shapes, known_elements
from ...dialects.onnx.types import BY_IR, ElementType
from ...errors import IntaglioError
from ...proto.files import LoadedModel
from ...proto.onnx_pb2 import ModelProto, ValueInfoProto
from .build import GraphBuilder, value_hint
from .custom import Operators
from .functions import Functions
from .graph import Graph, GraphReader, Name, Node, domain_of, initializer_name
from .opset import NEWEST
from .problems import CODES, ImportFailed, ImportProblem, listed
from .scope import Scope
from .types import Symbols, ValueInfo, checked_overrides, declared_dims, describe, element_type, ir_type

__all__ = ["CODES", "ImportFailed", "ImportProblem", "ImportedModel", "ValueInfo", "import_model"]

_FIRST_IR_WITH_DEFAULTS = 4
"""Before this version every initialiser had to be listed as an input too; none of them could be fed."""


@dataclass(frozen=True)
class ImportedModel:
    """A model in the onnx dialect.

    module: holds one func.func @main; its arguments are `inputs` in order (attributes onnx.name and, for tensors,
    onnx.dims), its results `outputs`. weights: arrays by the id that onnx.weight attributes name; memory-mapped ones stay
    so. defaults: values of inputs that a caller may leave out. opsets: the versions the model was written for.
    """

    module: ModuleOp
    weights: dict[str, np.ndarray]
    shapes: Shapes
    inputs: list[ValueInfo]
    outputs: list[ValueInfo]
    defaults: dict[str, np.ndarray]
    opsets: dict[str, int]
    metadata: dict[str, str]
    producer: str


def import_model(loaded: LoadedModel, *, dims: Mapping[str, int] | None = None, operators: Any = ()) -> ImportedModel:
    """Imports a model that `load_model` gave; the protobuf message is only read.

    dims: sizes for dimensions by their name in the model (or "INPUT_dAXIS" for a nameless one), fixed for good.
    operators: those of the user; see `Operators`, whose errors are raised at once. Raises ImportFailed with every problem found.
    """
    return _Import(loaded, Operators(operators)).run(dims)


class _Import:
    """One run: what its steps share."""

    def __init__(self, loaded: LoadedModel, operators: Operators) -> None:
        self.loaded = loaded
        self.model: ModelProto = loaded.model
        self.problems: list[IntaglioError] = []
        self.weights: dict[str, np.ndarray] = {}
        self.shapes = Shapes(self.weights)
        self.reader = GraphReader(loaded.base_dir, self.problems.append)
        self.functions = Functions(self.model.functions, self.reader)
        self.builder = GraphBuilder(self.reader, self.functions, self.shapes, self.weights, self.problems.append, operators)
        self.block = Block()
        self.scope = Scope(self.block)
        self.inputs: list[ValueInfo] = []
        self.defaults: dict[str, np.ndarray] = {}

    def run(self, dims: Mapping[str, int] | None) -> ImportedModel:
        try:
            opsets = self._opsets()
            symbols = Symbols(checked_overrides(dims))
            graph = self.reader.graph(self.model.graph, opsets)
        except IntaglioError as error:
            raise ImportFailed([error], self.loaded.name) from error
        self._arguments(graph, symbols)
        if symbols.unused:
            self.problems.append(_unused(symbols.unused, self.inputs))
        self.builder.open(graph, self.scope, list(self.defaults))
        self.builder.ranks = _declared_ranks(graph)
        self.builder.nodes(graph.nodes, graph.broken, self.scope, [o.name for o in graph.outputs])
        values = self.builder.outputs(graph, self.scope)
        self._report_unknown(opsets)
        outputs = [self._output(info, v) for info, v in zip(self.model.graph.output, values or (), strict=False)]
        if not self.model.graph.output:
            self.problems.append(ImportProblem("ITG1008", "the graph has no outputs", hint="there is nothing to compute"))
        if self.problems or values is None:
            raise ImportFailed(self.problems, self.loaded.name)
        return ImportedModel(
            self._module(values, outputs),
            self.weights,
            self.shapes,
            self.inputs,
            outputs,
            self.defaults,
            opsets,
            {entry.key: entry.value for entry in self.model.metadata_props},
            f"{self.model.producer_name} {self.model.producer_version}".strip(),
        )

    def _opsets(self) -> dict[str, int]:
        opsets = {domain_of(o.domain): o.version for o in self.model.opset_import}
        if not opsets:
            opsets[""] = 1  # models older than operator-set versions; load_model admits no others without imports
        for domain, version in opsets.items():
            newest = NEWEST.get(domain)
            if newest is not None and version > newest:
                self.problems.append(
                    ImportProblem(
                        "ITG1201",
                        f"the model uses version {version}; this release reads up to {newest}",
                        subject=f'operator set "{domain or "ai.onnx"}"',
                        hint="update intaglio, or export for an older operator set",
                    )
                )
        return opsets

    # -- inputs and outputs

    def _arguments(self, graph: Graph, symbols: Symbols) -> None:
        initial = {initializer_name(t): t for t in graph.initializers}
        seen: set[str] = set()
        for info in self.model.graph.input:
            if info.name in initial and self.model.ir_version < _FIRST_IR_WITH_DEFAULTS:
                continue
            try:
                if not info.name or info.name in seen:
                    raise ImportProblem("ITG1003", "is defined twice" if info.name else "has no name", subject=f'input "{info.name}"')
                seen.add(info.name)
                tensor = initial.get(info.name)
                if tensor is not None:
                    self.defaults[info.name] = self.reader.array(tensor)
                self._argument(info, symbols, self.defaults.get(info.name))
            except IntaglioError as error:
                self.problems.append(_about(error, f'input "{info.name}"'))
                self.scope.break_names([info.name])

    def _argument(self, info: ValueInfoProto, symbols: Symbols, default: np.ndarray | None) -> None:
        value_type = ir_type(info.type)
        tensor = info.type.tensor_type
        if info.type.WhichOneof("value") != "tensor_type":
            self._append(info.name, value_type)
            self.inputs.append(ValueInfo(info.name, value_type, None))
            return
        if not tensor.HasField("shape") and default is None:
            raise ImportProblem("ITG1008", "its rank is not declared", hint="give it a shape; dimensions may stay unknown")
        declared = declared_dims(tensor.shape) if tensor.HasField("shape") else ("",) * (default.ndim if default is not None else 0)
        resolved = symbols.resolve(declared, info.name)
        if (count := known_elements(resolved)) > MAX_ELEMENTS:
            raise ImportProblem("ITG1008", f"its dimensions {list(resolved)} make {count} elements or more, beyond any memory")
        element = element_type(tensor.elem_type)
        _check_default(default, element, resolved)
        argument = self._append(info.name, TensorType(element.ir, [d if isinstance(d, int) else DYNAMIC_INDEX for d in resolved]))
        self.shapes.declare_argument(argument, resolved)
        shown = tuple(r if isinstance(r, int) else d or r for d, r in zip(declared, resolved, strict=True))
        self.inputs.append(ValueInfo(info.name, element, shown))

    def _append(self, name: str, value_type: Attribute) -> BlockArgument:
        argument = self.block.insert_arg(value_type, len(self.block.args))
        argument.name_hint = value_hint(name)
        self.scope.names[name] = argument
        return argument

    def _output(self, info: ValueInfoProto, value: SSAValue) -> ValueInfo:
        """What inference found wins over the declared shape; another element type is an error."""
        kind = info.type.WhichOneof("value")
        if kind == "tensor_type" and info.type.tensor_type.elem_type:
            try:
                declared = describe(ir_type(info.type))
            except IntaglioError as error:
                self.problems.append(_about(error, f'output "{info.name}"'))
                declared = describe(value.type)
            if declared != describe(value.type):
                self.problems.append(
                    ImportProblem("ITG1009", f"it is {describe(value.type)}, but declared {declared}", subject=f'output "{info.name}"')
                )
        if not isinstance(value.type, TensorType):
            return ValueInfo(info.name, value.type, None)
        return ValueInfo(info.name, BY_IR[value.type.element_type], self._shown_dims(info, self.shapes.of(value)))

    def _shown_dims(self, info: ValueInfoProto, shape: Shape) -> tuple[int | str, ...]:
        """Sizes, expressions of the inputs' sizes and elements, and a name for what only the run tells: the declared one if it is free."""
        declared = declared_dims(info.type.tensor_type.shape) if info.type.tensor_type.HasField("shape") else ()
        taken = {d for known in self.inputs for d in known.dims or ()}
        shown: list[int | str] = []
        for axis, d in enumerate(shape):
            name = declared[axis] if len(declared) == len(shape) else ""
            name = name if isinstance(name, str) and name and name not in taken else f"{info.name}_d{axis}"
            shown.append(d if isinstance(d, int) else self.shapes.readable(d) or name)
        return tuple(shown)

    def _module(self, values: Sequence[SSAValue], outputs: Sequence[ValueInfo]) -> ModuleOp:
        self.block.add_op(func.ReturnOp(*values))
        types = FunctionType.from_lists([a.type for a in self.block.args], [v.type for v in values])
        main = func.FuncOp(
            "main",
            types,
            Region(self.block),
            arg_attrs=ArrayAttr(map(_described, self.inputs)),
            res_attrs=ArrayAttr(map(_described, outputs)),
        )
        return ModuleOp([main])

    # -- problems of the whole model

    def _report_unknown(self, opsets: Mapping[str, int]) -> None:
        for (domain, op_type), nodes in self.builder.unknown.items():
            self.problems.append(_unknown(domain, op_type, nodes))
        for domain, nodes in self.builder.unimported.items():
            used = ", ".join(sorted({n.op_type for n in nodes}))
            self.problems.append(
                ImportProblem(
                    "ITG1005",
                    f"used by {used} ({listed(n.label for n in nodes)}), but imported in no usable version",
                    subject=f'operator set "{domain or "ai.onnx"}"',
                    hint="add it to the model's opset_import",
                )
            )


def _unknown(domain: str, op_type: str, nodes: Sequence[Node]) -> ImportProblem:
    count = f"{len(nodes)} node{'s' if len(nodes) > 1 else ''}"
    where = f"of domain {domain}" if domain else "of ONNX"
    hint = "Declare it as a custom operator and give that by operators= or --operators, or give the model a function of this name."
    if domain in NEWEST:
        hint = "is its name spelled right? Operators that were experimental and withdrawn are not read"
    return ImportProblem(
        "ITG1004", f"there is no such operator {where}: {count}, {listed(n.label for n in nodes)}", subject=op_type, hint=hint
    )


def _unused(names: set[str], inputs: Sequence[ValueInfo]) -> ImportProblem:
    known = dict.fromkeys(d for info in inputs for d in info.dims or () if isinstance(d, str))
    return ImportProblem(
        "ITG1012",
        f"no input has a dimension named {listed(sorted(names))}",
        subject="dimension override",
        hint=f"the model's are {listed(known)}" if known else "all of the model's dimensions are fixed",
    )


def _declared_ranks(graph: Graph) -> dict[Name, int]:
    """The ranks of the outputs whose shapes are declared."""
    tensors = ((info.name, info.type.tensor_type) for info in graph.outputs)
    return {name: len(tensor.shape.dim) for name, tensor in tensors if tensor.HasField("shape")}


def _check_default(default: np.ndarray | None, element: ElementType, dims: Sequence[int | str]) -> None:
    if default is None:
        return
    fits = len(dims) == default.ndim and all(d == size for d, size in zip(dims, default.shape, strict=True) if isinstance(d, int))
    if not fits or default.dtype != element.numpy:
        shown = "x".join(map(str, dims)) or "scalar"
        raise ImportProblem(
            "ITG1008", f"its initialiser is {default.dtype} of shape {list(default.shape)}, but it is declared {element.name} of {shown}"
        )


def _about(error: IntaglioError, subject: str) -> IntaglioError:
    if error.subject or type(error) is not ImportProblem:
        return error
    return ImportProblem(error.code, error.message, subject=subject, hint=error.hint)


def _described(info: ValueInfo) -> DictionaryAttr:
    found: dict[str, Attribute] = {"onnx.name": StringAttr(info.name)}
    if info.dims is not None:
        found["onnx.dims"] = ArrayAttr([IntegerAttr(d, i64) if isinstance(d, int) else StringAttr(d) for d in info.dims])
    return DictionaryAttr(found)
