"""Graphs that say nothing sensible: cycles, names undefined or defined twice, wrong attributes, absurd dimensions, unknown operators."""

from __future__ import annotations

from collections.abc import Callable

import intaglio
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

Graph = Callable[..., onnx.ModelProto]
Refused = Callable[..., list[intaglio.IntaglioError]]

INT64 = TensorProto.INT64
HUGE = 2**40


def node(op_type: str, inputs: str, outputs: str = "y", **attributes: object) -> onnx.NodeProto:
    name = str(attributes.pop("name", f"the_{op_type}"))
    return helper.make_node(op_type, inputs.split(), outputs.split(), name=name, **attributes)


def test_a_cycle(refused: Refused, graph: Graph) -> None:
    refused(graph([node("Add", "x b", "a", name="first"), node("Neg", "a", "b"), node("Abs", "b")], {"x": [2]}), "ITG1001", node="first")
    refused(graph([node("Add", "x y", "y", name="own")], {"x": [2]}), "ITG1001", node="own")


def test_an_undefined_name(refused: Refused, graph: Graph) -> None:
    refused(graph([node("Add", "x nowhere")], {"x": [2]}), "ITG1002", node="the_Add")
    refused(graph([node("Neg", "x", "z")], {"x": [2]}, outputs=["y"]), "ITG1002")


def test_a_name_defined_twice(refused: Refused, graph: Graph) -> None:
    refused(graph([node("Neg", "x"), node("Abs", "x")], {"x": [2]}), "ITG1003", node="the_Abs")
    refused(graph([node("Neg", "x", "x")], {"x": [2]}, outputs=["x"]), "ITG1003", node="the_Neg")
    twice = graph([node("Neg", "x")], {"x": [2]})
    twice.graph.input.append(twice.graph.input[0])
    refused(twice, "ITG1003")


@pytest.mark.parametrize("value", ["text", 1.5, [1, 2], numpy_helper.from_array(np.ones(2))], ids=["string", "float", "ints", "tensor"])
def test_an_attribute_of_the_wrong_type(refused: Refused, graph: Graph, value: object) -> None:
    refused(graph([node("Softmax", "x", axis=value)], {"x": [2, 3]}), "ITG1102", node="the_Softmax")


def test_attributes_unknown_missing_and_given_twice(refused: Refused, graph: Graph) -> None:
    refused(graph([node("Relu", "x", colour="red")], {"x": [2]}), "ITG1101", node="the_Relu")
    refused(graph([node("Concat", "x x")], {"x": [2]}), "ITG1103", node="the_Concat")
    twice = node("Softmax", "x", axis=0)
    twice.attribute.append(helper.make_attribute("axis", 1))
    refused(graph([twice], {"x": [2, 3]}), "ITG1104", node="the_Softmax")


def test_everything_unknown_is_reported_at_once(refused: Refused, graph: Graph) -> None:
    nodes = [
        node("Sparkle", "x", "a", name="one"),
        node("Relu", "a", "b", name="two", domain="com.example"),
        node("Glitter", "b", "c", name="three", domain="org.elsewhere"),
        node("Softmax", "c", name="four", colour=1),
    ]
    told = "\n".join(map(str, refused(graph(nodes, {"x": [2]}, opsets={"": 20, "com.example": 1}), "ITG1004")))
    assert all(f'"{name}"' in told for name in ("one", "two", "three"))


@pytest.mark.parametrize("version", [0, -3, 9999, 2**62])
def test_operator_sets_of_another_age(refused: Refused, graph: Graph, version: int) -> None:
    refused(graph([node("Relu", "x")], {"x": [2]}, opsets={"": version}))


def test_no_operator_set(refused: Refused, graph: Graph) -> None:
    model = graph([node("Relu", "x")], {"x": [2]})
    del model.opset_import[:]
    refused(model)


def test_an_ir_version_of_another_age(refused: Refused, graph: Graph) -> None:
    model = graph([node("Relu", "x")], {"x": [2]})
    model.ir_version = 2**40
    refused(model, "ITG0108")


def test_a_negative_dimension(refused: Refused, graph: Graph) -> None:
    refused(graph([node("Relu", "x")], {"x": [2, -3]}))


@pytest.mark.parametrize("dims", [[HUGE, HUGE], [2**62], [2**31] * 4, [2**63 - 1, 2]], ids=str)
def test_sizes_that_no_machine_has(refused: Refused, graph: Graph, dims: list[int]) -> None:
    refused(graph([node("Relu", "x")], {"x": dims}))


def test_a_weight_smaller_than_it_says(refused: Refused, graph: Graph) -> None:
    for dims in ([HUGE], [HUGE, HUGE], [-1], [2**62, 4]):
        model = graph([node("Add", "x w")], {"x": [2]}, {"w": np.ones(2, np.float32)})
        model.graph.initializer[0].dims[:] = dims
        refused(model)


def test_results_that_no_machine_has(refused: Refused, graph: Graph) -> None:
    shape = np.array([HUGE, HUGE])
    refused(graph([node("Expand", "x s")], {"x": [1]}, {"s": shape}))
    refused(graph([node("ConstantOfShape", "s")], {}, {"s": shape}))
    refused(graph([node("Tile", "x s")], {"x": [4, 4]}, {"s": shape}))
    refused(graph([node("Range", "a b c")], {}, {"a": np.int64(0), "b": np.int64(2**62), "c": np.int64(1)}))
    refused(graph([node("Pad", "x p")], {"x": [2, 2]}, {"p": np.array([2**62, 0, 2**62, 0])}))


def test_a_name_that_is_not_text(refused: Refused, graph: Graph) -> None:
    data = graph([node("Relu", "x", name="QQQQ")], {"x": [2]}).SerializeToString()
    refused(data.replace(b"QQQQ", b"\xff\xfe\xfd\xfc"), "ITG0112")


def test_subgraphs_nested_beyond_reason(refused: Refused, graph: Graph) -> None:
    inner = helper.make_graph([node("Neg", "x", "z")], "g", [], [onnx.ValueInfoProto(name="z")])
    for _ in range(40):
        inner = helper.make_graph([node("If", "c", "z", then_branch=inner, else_branch=inner)], "g", [], [onnx.ValueInfoProto(name="z")])
        if inner.ByteSize() > 1 << 18:
            break
    deep = inner
    for _ in range(20):
        least = helper.make_graph([node("Neg", "x", "z")], "g", [], [onnx.ValueInfoProto(name="z")])
        deep = helper.make_graph([node("If", "c", "z", then_branch=deep, else_branch=least)], "g", [], [onnx.ValueInfoProto(name="z")])
    refused(graph([node("If", "c", then_branch=deep, else_branch=deep)], {"x": [2], "c": (TensorProto.BOOL, [])}))


def test_functions_that_call_themselves_or_grow_without_end(refused: Refused, graph: Graph) -> None:
    model = graph([node("f0", "x", domain="mine")], {"x": [2]}, opsets={"": 20, "mine": 1})
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("mine", 1)]
    own = [node("f0", "a", "b", domain="mine")]
    model.functions.append(helper.make_function("mine", "f0", ["a"], ["b"], own, imports))
    refused(model, "ITG1011")
    del model.functions[:]
    for i in range(30):
        calls = [node(f"f{i + 1}", "a", "t", domain="mine"), node(f"f{i + 1}", "t", "b", domain="mine")]
        model.functions.append(helper.make_function("mine", f"f{i}", ["a"], ["b"], calls, imports))
    model.functions.append(helper.make_function("mine", "f30", ["a"], ["b"], [node("Neg", "a", "b")], imports))
    refused(model, "ITG1010")


# One operator with one absurd value each: (operator, inputs' dims, arrays, attributes).
IMAGE = [1, 4, 8, 8]
KERNEL = np.ones((4, 4, 3, 3), np.float32)
ABSURD: list[tuple[str, dict[str, object], dict[str, np.ndarray], dict[str, object]]] = [
    ("Softmax", {"x": [2, 3]}, {}, {"axis": 2}),
    ("Softmax", {"x": [2, 3]}, {}, {"axis": -(2**63)}),
    ("Flatten", {"x": [2, 3]}, {}, {"axis": 5}),
    ("Concat", {"x": [2, 3], "z": [2, 3]}, {}, {"axis": 7}),
    ("Concat", {"x": [2, 3], "z": [3, 4]}, {}, {"axis": 0}),
    ("Gather", {"x": [2, 3]}, {"i": np.array([0])}, {"axis": -9}),
    ("Transpose", {"x": [2, 3]}, {}, {"perm": [0, 0]}),
    ("Transpose", {"x": [2, 3]}, {}, {"perm": [0, 2]}),
    ("Transpose", {"x": [2, 3]}, {}, {"perm": [0]}),
    ("Transpose", {"x": [2, 3]}, {}, {"perm": [2**62, -(2**62)]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"group": 0}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"group": -1}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"group": 3}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"strides": [0, 1]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"strides": [-1, 1]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"strides": [1]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"dilations": [0, 0]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"dilations": [9, 9]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"dilations": [2**62, 2**62]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"pads": [-9, 0, 0, 0]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"pads": [2**62] * 4}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"pads": [1, 1]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"kernel_shape": [5, 5]}),
    ("Conv", {"x": IMAGE}, {"w": KERNEL}, {"auto_pad": "SOMEWHAT"}),
    ("Conv", {"x": IMAGE}, {"w": np.ones((4, 4, 9, 9), np.float32)}, {}),
    ("Conv", {"x": IMAGE}, {"w": np.ones((4, 3, 3, 3), np.float32)}, {}),
    ("Conv", {"x": [8, 8]}, {"w": KERNEL}, {}),
    ("ConvTranspose", {"x": IMAGE}, {"w": KERNEL}, {"strides": [0, 0]}),
    ("ConvTranspose", {"x": IMAGE}, {"w": KERNEL}, {"group": 0}),
    ("MaxPool", {"x": IMAGE}, {}, {"kernel_shape": [9, 9]}),
    ("MaxPool", {"x": IMAGE}, {}, {"kernel_shape": [0, 0]}),
    ("MaxPool", {"x": IMAGE}, {}, {"kernel_shape": [3]}),
    ("MaxPool", {"x": IMAGE}, {}, {"kernel_shape": [2, 2], "strides": [0, 0]}),
    ("AveragePool", {"x": IMAGE}, {}, {"kernel_shape": [2**40, 2**40]}),
    ("Gemm", {"x": [2, 3], "z": [4, 5]}, {}, {}),
    ("MatMul", {"x": [2, 3], "z": [4, 5]}, {}, {}),
    ("Add", {"x": [2, 3], "z": [2, 4]}, {}, {}),
    ("Cast", {"x": [2]}, {}, {"to": 99}),
    ("Cast", {"x": [2]}, {}, {"to": 0}),
    ("Cast", {"x": [2]}, {}, {"to": -1}),
    ("Reshape", {"x": [2, 3]}, {"s": np.array([4, 2])}, {}),
    ("Reshape", {"x": [2, 3]}, {"s": np.array([-1, -1])}, {}),
    ("Reshape", {"x": [2, 3]}, {"s": np.array([-2, 3])}, {}),
    ("Reshape", {"x": [2, 3]}, {"s": np.array([0, 0, 0])}, {}),
    ("Reshape", {"x": [2, 3]}, {"s": np.array([[2, 3]])}, {}),
    ("Split", {"x": [4, 3]}, {"s": np.array([9])}, {"axis": 0}),
    ("Squeeze", {"x": [4, 3]}, {"a": np.array([0])}, {}),
    ("Unsqueeze", {"x": [4, 3]}, {"a": np.array([9])}, {}),
    ("Unsqueeze", {"x": [4, 3]}, {"a": np.array([0, 0])}, {}),
    ("ReduceSum", {"x": [4, 3]}, {"a": np.array([2])}, {}),
    ("Expand", {"x": [4, 3]}, {"s": np.array([4, 5])}, {}),
    ("Tile", {"x": [4, 3]}, {"r": np.array([-1, 2])}, {}),
    ("Tile", {"x": [4, 3]}, {"r": np.array([2])}, {}),
    ("Slice", {"x": [4, 3]}, {"a": np.array([0]), "b": np.array([9]), "c": np.array([7])}, {}),
    ("Slice", {"x": [4, 3]}, {"a": np.array([0]), "b": np.array([9]), "c": np.array([0]), "d": np.array([0])}, {}),
    ("Pad", {"x": [4, 3]}, {"p": np.array([1])}, {}),
    ("Pad", {"x": [4, 3]}, {"p": np.array([-9, 0, 0, 0])}, {}),
    ("LayerNormalization", {"x": [4, 3]}, {"s": np.ones(3, np.float32)}, {"axis": 5}),
    ("LayerNormalization", {"x": [4, 3]}, {"s": np.ones(7, np.float32)}, {}),
    ("BatchNormalization", {"x": IMAGE}, {n: np.ones(3, np.float32) for n in "abcd"}, {}),
    ("Gather", {"x": [2, 3]}, {"i": np.array([7])}, {}),
    ("GatherElements", {"x": [2, 3]}, {"i": np.array([0])}, {}),
    ("DepthToSpace", {"x": IMAGE}, {}, {"blocksize": 0}),
    ("DepthToSpace", {"x": IMAGE}, {}, {"blocksize": 3}),
    ("Einsum", {"x": [2, 3]}, {}, {"equation": "ij,jk->ik"}),
    ("Einsum", {"x": [2, 3]}, {}, {"equation": "@@"}),
    ("TopK", {"x": [2, 3]}, {"k": np.array([9])}, {}),
    ("TopK", {"x": [2, 3]}, {"k": np.array([-1])}, {}),
    ("LSTM", {"x": [2, 1, 3]}, {"w": np.ones((1, 8, 3), np.float32), "r": np.ones((1, 8, 2), np.float32)}, {"hidden_size": -1}),
    ("LSTM", {"x": [2, 1, 3]}, {"w": np.ones((1, 7, 3), np.float32), "r": np.ones((1, 8, 2), np.float32)}, {"hidden_size": 2}),
    ("LSTM", {"x": [2, 1, 3]}, {"w": np.ones((1, 8, 3), np.float32), "r": np.ones((1, 8, 2), np.float32)}, {"direction": "up"}),
    ("Resize", {"x": IMAGE}, {"": np.ones(0, np.float32), "s": np.array([1, 1, 0, 2], np.float32)}, {}),
    ("Resize", {"x": IMAGE}, {"": np.ones(0, np.float32), "s": np.array([1, 1, np.nan, np.inf], np.float32)}, {}),
    ("OneHot", {"x": [2]}, {"d": np.array(-4), "v": np.array([0.0, 1.0], np.float32)}, {}),
    ("Clip", {"x": [2]}, {"a": np.ones((2, 2), np.float32)}, {}),
    ("Where", {"x": [2]}, {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}, {}),
    ("Relu", {}, {}, {}),
    ("Relu", {"x": [2], "z": [2]}, {}, {}),
]


@pytest.mark.parametrize(("op_type", "inputs", "arrays", "attributes"), ABSURD, ids=[f"{c[0]}-{i}" for i, c in enumerate(ABSURD)])
def test_absurd_values(
    refused: Refused, graph: Graph, op_type: str, inputs: dict[str, object], arrays: dict[str, np.ndarray], attributes: dict[str, object]
) -> None:
    made = helper.make_node(op_type, [*inputs, *arrays], ["y"], name="the_node", **attributes)
    refused(graph([made], inputs, {name: array for name, array in arrays.items() if name}), node="the_node")


def test_element_types_that_do_not_go_together(refused: Refused, graph: Graph) -> None:
    refused(graph([node("Add", "x w")], {"x": [2]}, {"w": np.ones(2, np.int64)}), "ITG1007", node="the_Add")
    refused(graph([node("Relu", "x")], {"x": (TensorProto.STRING, [2])}), node="the_Relu")
    unknown = graph([node("Relu", "x")], {"x": [2]})
    unknown.graph.input[0].type.tensor_type.elem_type = 77
    refused(unknown)


def test_an_output_of_another_type_than_declared(refused: Refused, graph: Graph) -> None:
    model = graph([node("Relu", "x")], {"x": [2]})
    model.graph.output[0].type.tensor_type.elem_type = INT64
    refused(model, "ITG1009")


def test_dims_that_are_no_sizes(graph: Graph) -> None:
    model = graph([node("Relu", "x")], {"x": ["n"]})
    for dims in ({"n": -1}, {"m": 3}, {"n": 0.5}, {"n": 2**63}):
        with pytest.raises(intaglio.IntaglioError) as caught:
            intaglio.compile(model, dims=dims)  # pyright: ignore[reportArgumentType]
        assert caught.value.code in ("ITG1000", "ITG1012")
