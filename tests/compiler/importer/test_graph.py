"""The structure of graphs: order, scopes, defaults, dimensions, and an error with its code for everything that can be wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from intaglio.compiler.importer import CODES, ImportedModel, ImportFailed, import_model
from intaglio.dialects.onnx.base import OnnxOp
from intaglio.proto.files import load_model
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects import func
from xdsl.ir import Operation

Import = Callable[..., ImportedModel]
Codes = Callable[..., list[str]]

FLOAT = TensorProto.FLOAT
HEAD = '<ir_version: 8, opset_import: ["" : 20]>'


def model(
    nodes: list[onnx.NodeProto], *, inputs: dict[str, list[int | str | None]] | None = None, outputs: tuple[str, ...] = ("y",), **more
):
    """A model of float inputs; `more`: initializer, opset, ir_version, functions."""
    infos = [helper.make_tensor_value_info(n, FLOAT, d) for n, d in (inputs or {"x": [2, 3]}).items()]
    outs = [onnx.ValueInfoProto(name=n) for n in outputs]
    graph = helper.make_graph(nodes, "g", infos, outs, initializer=more.get("initializer", ()))
    made = helper.make_model(graph, opset_imports=more.get("opset_imports", [helper.make_opsetid("", more.get("opset", 20))]))
    made.ir_version = more.get("ir_version", 8)
    made.functions.extend(more.get("functions", ()))
    return made


def node(op_type: str, inputs: str, outputs: str, **attributes: object) -> onnx.NodeProto:
    names = [[n.strip() for n in text.split(",")] if text else [] for text in (inputs, outputs)]
    name = str(attributes.pop("name", f"n_{outputs.split(',')[0]}"))
    return helper.make_node(op_type, *names, name=name, **attributes)


def operations(result: ImportedModel) -> list[Operation]:
    (main,) = result.module.ops
    assert isinstance(main, func.FuncOp)
    return [op for op in main.body.block.ops if isinstance(op, OnnxOp)]


def kinds(result: ImportedModel) -> list[str]:
    return [op.name.removeprefix("onnx.") for op in operations(result)]


# -- what goes right


def test_gradient_names_tensors(again: Callable[..., onnx.ModelProto]) -> None:
    """They are operands once imported; exported, the attributes name them by their new names."""
    gradient = node("Gradient", "x", "g", domain="ai.onnx.preview.training", xs=["x"], y="a#b")
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.preview.training", 1)]
    exported = again(model([gradient, node("Exp", "x", "a#b")], outputs=("g",), opset_imports=opsets))
    exp, found = exported.graph.node
    names = {a.name: helper.get_attribute_value(a) for a in found.attribute}
    assert names == {"xs": [b"x"], "y": exp.output[0].encode()} and list(found.input) == ["x"]


def test_nodes_stand_in_any_order(imported: Import) -> None:
    result = imported(model([node("Neg", "a", "y"), node("Relu", "x", "a")]))
    assert kinds(result) == ["Relu", "Neg"]


def test_names_become_locations_and_hints(imported: Import) -> None:
    relu = operations(imported(model([node("Relu", "x", "y", name="block/relu")])))[0]
    assert isinstance(relu, OnnxOp) and relu.node == "block/relu"
    assert relu.results[0].name_hint == "y" and relu.operands[0].name_hint == "x"
    unnamed = operations(imported(model([node("Relu", "x", "y", name="")])))[0]
    assert isinstance(unnamed, OnnxOp) and unnamed.node == "Relu_y"


@pytest.mark.parametrize("name", ["1", "a b", "ä", "%7", "a:0", "/x/y", "\N{GRINNING FACE}"])
def test_any_name_prints(name: str, imported: Import) -> None:
    assert str(imported(model([node("Relu", "x", name), node("Neg", name, "y")])).module)


def test_unused_initializers_are_dropped(imported: Import) -> None:
    weights = [numpy_helper.from_array(np.ones((2, 3), np.float32), n) for n in ("w", "unused")]
    result = imported(model([node("Add", "x, w", "y")], initializer=weights))
    assert list(result.weights) == ["w"] and kinds(result) == ["Constant", "Add"]


def test_small_integers_stand_inline(imported: Import) -> None:
    shape = numpy_helper.from_array(np.array([3, 2]), "s")
    result = imported(model([node("Reshape", "x, s", "y")], initializer=[shape]))
    assert not result.weights and "dense<[3, 2]>" in str(result.module)
    assert result.outputs[0].dims == (3, 2)


def test_an_initializer_that_is_an_input_is_a_default_from_ir_4_on(imported: Import) -> None:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    graph = model([node("Add", "x, w", "y")], inputs={"x": [2, 3], "w": [3]}, initializer=[weight])
    assert list(imported(graph).defaults) == ["w"] and len(imported(graph).inputs) == 2
    graph.ir_version = 3
    assert not imported(graph).defaults and [i.name for i in imported(graph).inputs] == ["x"]


def test_a_sparse_initializer_is_dense_here(imported: Import) -> None:
    graph = model([node("Add", "x, w", "y")], inputs={"x": [4]})
    values = numpy_helper.from_array(np.array([5.0, 7.0], np.float32), "w")
    graph.graph.sparse_initializer.append(helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([1, 3]), "i"), [4]))
    assert imported(graph).weights["w"].tolist() == [0, 5, 0, 7]


def test_inputs_and_initializers_may_be_outputs(imported: Import) -> None:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    result = imported(model([], outputs=("x", "w", "x"), initializer=[weight]))
    assert [o.dims for o in result.outputs] == [(2, 3), (3,), (2, 3)]


def test_shared_names_are_one_symbol_and_nameless_ones_their_own(imported: Import) -> None:
    shapes: dict[str, list[int | str | None]] = {"x": ["n", 3], "z": ["n", None], "u": ["x_d1", 3]}
    result = imported(model([node("Concat", "x, z", "y", axis=1), node("Neg", "u", "v")], inputs=shapes, outputs=("y", "v")))
    assert result.outputs[0].dims == ("n", "z_d1+3")
    assert [i.dims for i in result.inputs] == [("n", 3), ("n", "z_d1"), ("x_d1", 3)]


def test_names_that_look_like_expressions_or_collide_stay_apart(imported: Import) -> None:
    shapes: dict[str, list[int | str | None]] = {"x": ["2*n"], "z": ["2_n"], "u": ["%d0"]}
    result = imported(model([node("Neg", n, f"y{n}") for n in shapes], inputs=shapes, outputs=tuple(f"y{n}" for n in shapes)))
    assert len({o.dims for o in result.outputs}) == 3
    assert [i.dims for i in result.inputs] == [("2*n",), ("2_n",), ("%d0",)]


def test_dimensions_can_be_fixed(imported: Import, codes: Codes) -> None:
    graph = model([node("Neg", "x", "y")], inputs={"x": ["n", None]})
    assert imported(graph, dims={"n": 4, "x_d1": 5}).outputs[0].dims == (4, 5)
    assert codes(graph, dims={"m": 4}) == ["ITG1012"]
    assert codes(graph, dims={"n": -4}) == ["ITG1012"]


def test_a_dimension_of_minus_one_is_unknown_and_smaller_ones_are_wrong(imported: Import, codes: Codes) -> None:
    assert imported(model([node("Neg", "x", "y")], inputs={"x": [-1, 2]})).outputs[0].dims == ("x_d0", 2)
    assert codes(model([node("Neg", "x", "y")], inputs={"x": [-7]})) == ["ITG1008"]


def test_trailing_and_optional_inputs_may_be_left_out(imported: Import) -> None:
    limit = numpy_helper.from_array(np.float32(6), "m")
    assert kinds(imported(model([node("Clip", "x, , m", "y")], initializer=[limit]))) == ["Constant", "Clip"]
    assert kinds(imported(model([helper.make_node("Clip", ["x", "", ""], ["y"])]))) == ["Clip"]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"value_int": 3}, "i64"),
        ({"value_ints": [1, 2]}, "2xi64"),
        ({"value_float": 1.5}, "f32"),
        ({"value_floats": [1.5, 2]}, "2xf32"),
        ({"value_string": "a"}, "!onnx.string"),
        ({"value_strings": ["a", "b"]}, "2x!onnx.string"),
        ({"value": numpy_helper.from_array(np.ones((2, 2), np.int8))}, "2x2xi8"),
    ],
)
def test_every_form_of_constant(attributes: dict[str, object], expected: str, imported: Import) -> None:
    assert f"tensor<{expected}>" in str(imported(model([node("Constant", "", "y", **attributes)])).module)


def test_a_million_nodes_deep_chain_is_no_recursion(imported: Import) -> None:
    chain = [node("Neg", f"v{i + 1}", f"v{i}" if i else "y") for i in range(3000)]
    chain[-1].input[0] = "x"
    assert len(operations(imported(model(chain)))) == 3000


# -- subgraphs


LOOP = (
    HEAD
    + """
g (float[2,3] x, int64 trips, bool go) => (last, all) {
  two = Constant <value_float: float = 2.0> ()
  last, all = Loop (trips, go, x) <body = b (int64 i, bool c, float[2,3] v) => (c_out, v_out, part) {
    c_out = Identity (c)
    scaled = Mul (v, two)
    v_out = Add (scaled, x)
    part = Neg (v_out)
  }>
}
"""
)


def test_subgraphs_capture_what_is_outside(imported: Import) -> None:
    result = imported(LOOP)
    assert kinds(result) == ["Constant", "Loop"]
    assert result.outputs[0].dims == (2, 3) and result.outputs[1].dims is not None and result.outputs[1].dims[1:] == (2, 3)


def test_captured_values_count_for_the_order(imported: Import) -> None:
    text = LOOP.replace("  two = Constant <value_float: float = 2.0> ()\n", "").replace(
        "  }>\n", "  }>\n  two = Constant <value_float: float = 2.0> ()\n"
    )
    assert kinds(imported(text)) == ["Constant", "Loop"]


@pytest.mark.parametrize("unknown", ["?", "*", "-1", "None", ""])
def test_what_exporters_write_for_no_name_is_none(unknown: str, imported: Import) -> None:
    graph = model([node("Transpose", "x", "y", perm=[1, 0])], inputs={"x": [unknown, unknown]})
    assert imported(graph).outputs[0].dims == ("x_d1", "x_d0")


def test_an_if_of_known_condition_is_its_branch(imported: Import) -> None:
    """The branch not taken would not even infer: exporters leave such."""
    text = """
g (float[2,3] x) => (y) {
  rank = Constant <value_int: int = 2> ()
  two = Constant <value_int: int = 2> ()
  is_two = Equal (rank, two)
  y = If (is_two) <
    then_branch = t () => (a) { a = Neg (x) },
    else_branch = e () => (b) { axes = Constant <value_ints: ints = [1]> ()  b = Squeeze (x, axes) }
  >
}
"""
    assert kinds(imported(HEAD + text))[-1] == "Neg"


BRANCHES = "then_branch = t () => (a) { a = Neg (x) }, else_branch = e () => (b) { b = Abs (x) }"


def test_an_if_keeps_both_branches(imported: Import, codes: Codes) -> None:
    text = f"g (bool c, float[2,3] x) => (y) {{ y = If (c) <{BRANCHES}> }}"
    assert kinds(imported(HEAD + text)) == ["If"]
    assert codes(HEAD + text.replace("Abs", "Nope")) == ["ITG1004"]
    assert codes(HEAD + text.replace("b = Abs (x)", "b = Abs (q)")) == ["ITG1002"]
    assert codes(HEAD + text.replace("t () => (a)", "t (float k) => (a)")) == ["ITG1006"]


def test_inner_names_are_not_seen_outside(codes: Codes) -> None:
    text = f"g (bool c, float[2] x) => (y) {{ z = If (c) <{BRANCHES}> y = Neg (a) }}"
    assert codes(HEAD + text) == ["ITG1002"]


def test_deep_nesting_is_refused(codes: Codes) -> None:
    inner = helper.make_graph([node("Neg", "x", "o")], "leaf", [], [onnx.ValueInfoProto(name="o")])
    for level in range(20):
        branch = node("If", "c", f"o{level}", then_branch=inner, else_branch=inner)
        inner = helper.make_graph([branch], f"l{level}", [], [onnx.ValueInfoProto(name=f"o{level}")])
        if level > 4:
            inner.node[0].attribute[1].g.CopyFrom(helper.make_graph([node("Neg", "x", "o")], "l", [], [onnx.ValueInfoProto(name="o")]))
    graph = model([*inner.node, node("Neg", inner.output[0].name, "y")])
    graph.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    assert codes(graph) == ["ITG1010"]


# -- what is wrong


def test_a_cycle_is_named(codes: Codes) -> None:
    graph = model([node("Add", "x, b", "a"), node("Neg", "a", "b"), node("Relu", "b", "y")])
    assert codes(graph) == ["ITG1001"]
    with pytest.raises(ImportFailed, match=r'"n_a", "n_b"|"n_b", "n_a"'):
        import_model(load_model(graph))


def test_a_node_that_feeds_itself(codes: Codes) -> None:
    assert codes(model([node("Add", "x, y", "y")])) == ["ITG1001"]


def test_a_long_cycle_ends(codes: Codes) -> None:
    count = 20_000
    nodes = [node("Neg", f"v{(i + 1) % count}", f"v{i}") for i in range(count)]
    assert codes(model([*nodes, node("Neg", "v0", "y")])) == ["ITG1001"]


def test_undefined_names(codes: Codes) -> None:
    assert codes(model([node("Add", "x, nowhere", "y")])) == ["ITG1002"]
    assert codes(model([node("Neg", "x", "a")])) == ["ITG1002"]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Neg", "x", "y"), node("Abs", "x", "y")],
        [node("Neg", "x", "x"), node("Abs", "x", "y")],
        [node("Split", "x", "y, y", num_outputs=2)],
    ],
)
def test_names_defined_twice(nodes: list[onnx.NodeProto], codes: Codes) -> None:
    assert set(codes(model(nodes))) <= {"ITG1003", "ITG1001"}


def test_inputs_and_initializers_defined_twice(codes: Codes) -> None:
    graph = model([node("Neg", "x", "y")])
    graph.graph.input.append(graph.graph.input[0])
    assert codes(graph) == ["ITG1003"]
    weights = [numpy_helper.from_array(np.ones(3, np.float32), "w")] * 2
    assert codes(model([node("Neg", "w", "y")], initializer=weights)) == ["ITG1003"]


def test_unknown_operators_are_grouped_and_reported_once(codes: Codes) -> None:
    graph = model([node("Foo", "x", "a"), node("Foo", "a", "b"), node("Bar", "b", "y"), node("Conv", "x", "z", domain="my.own")])
    assert codes(graph) == ["ITG1004", "ITG1004", "ITG1004"]
    with pytest.raises(ImportFailed, match='2 nodes, "n_a", "n_b"'):
        import_model(load_model(graph))


def test_a_domain_must_be_imported(codes: Codes) -> None:
    assert codes(model([node("Scaler", "x", "y", domain="ai.onnx.ml", scale=[1.0], offset=[0.0])])) == ["ITG1005"]


def test_operator_sets_of_the_future(codes: Codes) -> None:
    assert codes(model([node("Neg", "x", "y")], opset=99)) == ["ITG1201"]


def test_counts(codes: Codes) -> None:
    assert codes(model([node("Neg", "x, x", "y")])) == ["ITG1006"]
    assert codes(model([node("Add", "x", "y")])) == ["ITG1006"]
    assert codes(model([node("Neg", "x", "y, z")])) == ["ITG1006"]
    assert codes(model([helper.make_node("Concat", [], ["y"], axis=0)])) == ["ITG1006"]
    assert codes(model([helper.make_node("Add", ["x", ""], ["y"])])) == ["ITG1006"]


def test_types(codes: Codes) -> None:
    weight = numpy_helper.from_array(np.ones(3, np.int32), "w")
    assert codes(model([node("Add", "x, w", "y")], initializer=[weight])) == ["ITG1007"]
    assert codes(model([node("Not", "x", "y")])) == ["ITG1007"]


def test_inputs_without_type_or_rank(codes: Codes) -> None:
    graph = model([node("Neg", "x", "y")])
    graph.graph.input[0].type.tensor_type.ClearField("shape")
    assert codes(graph) == ["ITG1008"]
    graph.graph.input[0].type.tensor_type.elem_type = 777
    assert codes(graph) == ["ITG1008"]
    graph.graph.input[0].ClearField("type")
    assert codes(graph) == ["ITG1008"]


def test_a_default_must_fit_its_input(codes: Codes) -> None:
    weight = numpy_helper.from_array(np.ones(4, np.float32), "w")
    assert codes(model([node("Neg", "w", "y")], inputs={"w": [3]}, initializer=[weight])) == ["ITG1008"]


def test_an_output_of_another_type(codes: Codes) -> None:
    graph = model([node("Neg", "x", "y")])
    graph.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.INT64, [2, 3]))
    assert codes(graph) == ["ITG1009"]


def test_declared_output_shapes_do_not_bind(imported: Import) -> None:
    graph = model([node("Neg", "x", "y")])
    graph.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, ["huh", 7, 9]))
    assert imported(graph).outputs[0].dims == (2, 3)


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"axis": 0, "nonsense": 1}, "ITG1101"),
        ({"axis": 0.5}, "ITG1102"),
        ({"axis": [0]}, "ITG1102"),
        ({"axis": "0"}, "ITG1102"),
        ({}, "ITG1103"),
    ],
)
def test_attributes(attributes: dict[str, object], code: str, codes: Codes) -> None:
    assert codes(model([node("Concat", "x, x", "y", **attributes)])) == [code]


def test_attributes_given_twice_or_malformed(codes: Codes) -> None:
    graph = model([node("Concat", "x, x", "y", axis=0)])
    graph.graph.node[0].attribute.append(graph.graph.node[0].attribute[0])
    assert codes(graph) == ["ITG1104"]
    bad = model([node("Concat", "x, x", "y", axis=0)])
    bad.graph.node[0].attribute[0].type = onnx.AttributeProto.GRAPH
    assert codes(bad) == ["ITG1105"]
    text = model([node("MaxPool", "x", "y", auto_pad=b"\xff\xfe", kernel_shape=[2])])
    assert codes(text) == ["ITG1105"]


def test_constants_of_no_or_two_values(codes: Codes) -> None:
    assert codes(model([node("Constant", "", "y")])) == ["ITG1103"]
    assert codes(model([node("Constant", "", "y", value_int=1, value_float=1.0)])) == ["ITG1103"]


def test_all_problems_are_reported_together(codes: Codes) -> None:
    nodes = [node("Nope", "x", "a"), node("Concat", "x", "b"), node("Neg", "where", "c"), node("Add", "a, b", "y")]
    assert sorted(codes(model(nodes))) == ["ITG1002", "ITG1004", "ITG1103"]


def test_a_damaged_weight_names_its_tensor(codes: Codes) -> None:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    weight.raw_data = weight.raw_data[:-1]
    assert codes(model([node("Add", "x, w", "y")], initializer=[weight])) == ["ITG0203"]


def test_absurd_dimensions_are_refused(codes: Codes) -> None:
    big = 2**62
    assert codes(model([node("Neg", "x", "y")], inputs={"x": [big, big]})) == ["ITG1008"]
    shape = numpy_helper.from_array(np.array([big, big]), "s")
    assert codes(model([node("Expand", "v, s", "y")], inputs={"v": [1]}, initializer=[shape])) == ["ITG2108"]


def test_the_table_of_codes_is_complete() -> None:
    assert all(code.startswith(("ITG10", "ITG11", "ITG12")) for code in CODES)
