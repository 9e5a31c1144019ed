"""Holds shape inference of tensor operators against the outputs of the official node tests.

Each case is inferred with its inputs as constants, with their contents left to the run, with their dimensions left to the run but the
results' ranks declared, and with nothing known but types and ranks of inputs. What stays symbolic is evaluated on the case's inputs and
must give the expected output's shape and contents.
"""

from __future__ import annotations

import functools
import warnings
from collections import defaultdict

import numpy as np
import onnx
import pytest
from intaglio.dialects.onnx import (
    activation,
    attention,
    conv,
    elementwise,
    image,
    indexing,
    logical,
    loss,
    matmul,
    normalization,
    pooling,
    quantization,
    random,
    reduction,
    reshaping,
    rnn,
    signal,
    slicing,
    tensor,
)
from intaglio.dialects.onnx.base import DYNAMIC, OnnxOp, WeightAttr
from intaglio.dialects.onnx.dims import is_static, substitute
from intaglio.dialects.onnx.shapes import Shapes
from intaglio.dialects.onnx.types import BY_NUMPY
from intaglio.errors import ShapeError
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, FloatAttr, IntegerAttr, StringAttr, TensorType, f32, i64
from xdsl.dialects.test import TestOp

MODULES = (
    activation,
    attention,
    conv,
    elementwise,
    image,
    indexing,
    logical,
    loss,
    matmul,
    normalization,
    pooling,
    quantization,
    random,
    reduction,
    reshaping,
    rnn,
    signal,
    slicing,
    tensor,
)
OPERATORS = {
    item.name.split(".")[1]: item
    for module in MODULES
    for item in vars(module).values()
    if isinstance(item, type) and issubclass(item, OnnxOp) and item.__module__ == module.__name__ and "name" in vars(item)
}
NEEDS_CONSTANTS = {"ITG2101", "ITG2103"}


@functools.cache
def _cases():
    """(test name, node, values by name) of every official one-node test of an operator's newest version, by operator."""
    found = defaultdict(list)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        every = collect_testcases(None)
    for case in every:
        graph, opsets = case.model.graph, {o.domain: o.version for o in case.model.opset_import}
        cls = OPERATORS.get(graph.node[0].op_type) if len(graph.node) == 1 and not graph.node[0].domain else None
        if cls is None or onnx.defs.get_schema(graph.node[0].op_type, opsets[""]).since_version != cls.SINCE:
            continue
        for inputs, outputs in case.data_sets:
            named = zip((*graph.input, *graph.output), (*inputs, *outputs), strict=True)
            values = {info.name: numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for info, v in named}
            if all(isinstance(v, np.ndarray | np.generic) for v in values.values()):
                found[cls.name].append((case.name, graph.node[0], {n: np.asarray(v) for n, v in values.items()}))
    return found


def _property(attribute, shapes):
    found = onnx.helper.get_attribute_value(attribute)
    if isinstance(found, onnx.TensorProto):
        shapes.weights[attribute.name] = numpy_helper.to_array(found)
        return WeightAttr(StringAttr(attribute.name))
    if isinstance(found, int):
        return IntegerAttr(found, i64)
    if isinstance(found, float):
        return FloatAttr(found, f32)
    if isinstance(found, bytes):
        return StringAttr(found.decode())
    if attribute.type == onnx.AttributeProto.STRINGS:
        return ArrayAttr([StringAttr(s.decode()) for s in found])
    return DenseArrayBase.from_list(i64 if attribute.type == onnx.AttributeProto.INTS else f32, list(found))


def _infer(node, values, knowledge: str):
    shapes = Shapes({})
    given = {}
    for name in dict.fromkeys(n for n in node.input if n):
        array = values[name]
        element = BY_NUMPY[np.dtype(object) if array.dtype.kind in "US" else array.dtype].ir
        open_dims = knowledge in ("ranks", "nothing")
        dims = [DYNAMIC] * array.ndim if open_dims else array.shape
        given[name] = TestOp(result_types=[TensorType(element, dims)]).results[0]
        given[name].name_hint = name
        shapes.declare_argument(given[name], [None] * array.ndim if open_dims else list(array.shape))
        if knowledge == "contents":
            shapes.set_constant(given[name], array)
    cls = OPERATORS[node.op_type]
    operands, results = [], []
    for i, (_, _, optional, variadic) in enumerate(cls.operand_defs()):
        names = node.input[i:] if variadic else node.input[i : i + 1]
        found = [given[n] for n in names if n]
        operands.append(found if optional or variadic else found[0])
    for i, (_, constraint, optional, variadic) in enumerate(cls.result_defs()):
        names = node.output[i:] if variadic else node.output[i : i + 1]
        types = [TensorType(next(iter(constraint.elements)), []) for n in names if n]
        results.append(types if optional or variadic else types[0])
    properties = {a.name: _property(a, shapes) for a in node.attribute}
    op = cls.build(operands=operands, result_types=results, properties=properties)
    if knowledge == "ranks":
        for name, result in zip((n for n in node.output if n), op.results, strict=True):
            shapes.declare_rank(result, values[name].ndim)
    shapes.infer_op(op)
    op.verify()
    return op, shapes, [n for n in node.output if n], _assignment(shapes, {v: values[n] for n, v in given.items()})


def _assignment(shapes: Shapes, arrays):
    """The symbols' values in the case's run; sizes that only the run tells are left out."""
    sources = shapes.sources.items()
    found = {name: arrays[source.value].shape[source.index] for name, source in sources if source.kind == "dim"}
    for name, source in sources:
        if source.kind == "element":
            array, index = arrays[source.value], substitute(source.index, found)
            found[name] = int(array.flat[index]) if source.default is None or 0 <= index < array.size else source.default
    return found


@pytest.mark.parametrize("knowledge", ["contents", "dimensions", "ranks", "nothing"])
@pytest.mark.parametrize("op_type", sorted(OPERATORS))
def test_official_nodes(op_type, knowledge):
    for name, node, values in _cases()[OPERATORS[op_type].name]:
        try:
            op, shapes, names, run = _infer(node, values, knowledge)
        except ShapeError as error:
            assert knowledge != "contents" and error.code in NEEDS_CONSTANTS, (name, str(error))
            continue
        _check(name, op, shapes, {n: values[n] for n in names}, run)


def _check(case, op, shapes, outputs, run):
    for result, expected in zip(op.results, outputs.values(), strict=True):
        shape = [substitute(d, run) for d in shapes.of(result)]
        assert len(shape) == expected.ndim, case
        assert all(not is_static([d]) or d == e for d, e in zip(shape, expected.shape, strict=True)), (case, shape, expected.shape)
        if expected.dtype.kind not in "US":
            assert BY_NUMPY[expected.dtype].ir == result.type.element_type, case
        contents = shapes.contents(result)
        if contents is not None:
            evaluated = np.array([substitute(x, run) for x in contents.flat], dtype=np.float64).reshape(contents.shape)
            np.testing.assert_array_equal(evaluated, expected.astype(np.float64), case)
    for relation in shapes.relations:
        assert substitute(relation.a, run) == substitute(relation.b, run), (case, relation.what)
