"""Model-local functions: expanded in place, with attributes, defaults, optional inputs, their own operator sets and their limits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from intaglio.compiler.importer import ImportedModel
from onnx import helper

Codes = Callable[..., list[str]]

HEAD = '<ir_version: 9, opset_import: ["" : 20, "f" : 1]>\n'
FUNCTION = '\n<domain: "f", opset_import: ["" : 20, "f" : 1]>\n'
X = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feeds)  # pyright: ignore[reportReturnType]


def computes_the_same(text: str, again: Callable[..., onnx.ModelProto], *more: np.ndarray) -> None:
    old = onnx.parser.parse_model(text)
    feeds = {i.name: v for i, v in zip(old.graph.input, (X, *more), strict=False)}
    new = again(old)
    assert not new.functions
    feeds = {i.name: feeds[i.name] for i in old.graph.input}
    for found, expected in zip(run(new, feeds), run(old, feeds), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        # twice, with names that also stand in the caller
        "g (float[2,3] x) => (y) { a = f.twice (x)  y = f.twice (a) }" + FUNCTION + "twice (x) => (y) { a = Add (x, x)  y = Neg (a) }",
        # nested, defined behind its use
        "g (float[2,3] x) => (y) { y = f.outer (x) }"
        + FUNCTION
        + "outer (x) => (y) { a = f.inner (x)  y = f.inner (a) }"
        + FUNCTION
        + "inner (x) => (y) { y = Exp (x) }",
        # attributes: given, and default
        "g (float[2,3] x) => (y, z) { y = f.leak <a: float = 0.5> (x)  z = f.leak (x) }"
        + FUNCTION
        + "leak <a: float = 0.25> (x) => (y) { y = LeakyRelu <alpha: float = @a> (x) }",
        # attribute without default, not given: the operator's own default
        "g (float[2,3] x) => (y) { y = f.leak (x) }" + FUNCTION + "leak <a> (x) => (y) { y = LeakyRelu <alpha: float = @a> (x) }",
        # a subgraph in a function
        "g (float[2,3] x, bool c) => (y) { y = f.choose (x, c) }"
        + FUNCTION
        + "choose (x, c) => (y) { z = Neg (x)  y = If (c) <then_branch = t () => (a) { a = Identity (z) }, "
        + "else_branch = e () => (b) { b = Identity (x) }> }",
        # a function in a subgraph
        "g (float[2,3] x, bool c) => (y) { y = If (c) <then_branch = t () => (a) { a = f.n (x) }, "
        + "else_branch = e () => (b) { b = Abs (x) }> }"
        + FUNCTION
        + "n (x) => (y) { a = Neg (x)  y = Neg (a) }",
    ],
)
def test_expanded(text: str, again: Callable[..., onnx.ModelProto]) -> None:
    computes_the_same(HEAD + text, again, np.array(True))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        # nodes of the body in any order, an output not asked for
        (
            "g (float[2,3] x) => (y) { y = f.two (x) }" + FUNCTION + "two (x) => (y, z) { z = Neg (y)  y = Abs (x) }",
            "g (float[2,3] x) => (y) { y = Abs (x) }",
        ),
        # an older operator set of its own: softmax over all that follows the axis
        (
            "g (float[2,3] x) => (y) { y = f.old (x) }"
            + '\n<domain: "f", opset_import: ["" : 12]>\n'
            + "old (x) => (y) { u = Unsqueeze <axes: ints = [0]> (x)  y = Softmax <axis: int = 1> (u) }",
            "g (float[2,3] x) => (y) { f = Flatten <axis: int = 0> (x) s = Softmax (f) "
            + "shape = Constant <value_ints: ints = [1, 2, 3]> () y = Reshape (s, shape) }",
        ),
    ],
)
def test_expanded_as_other_runtimes_cannot(text: str, same: str, again: Callable[..., onnx.ModelProto]) -> None:
    old, new = onnx.parser.parse_model(HEAD + same), again(HEAD + text)
    np.testing.assert_allclose(run(new, {"x": X})[0], run(old, {"x": X})[0], rtol=1e-6)


def test_an_output_that_is_an_input(imported: Callable[..., ImportedModel]) -> None:
    text = "g (float[2,3] x) => (y) { y = f.same (x) }" + FUNCTION + "same (x) => (x) { z = Neg (x) }"
    assert imported(HEAD + text).outputs[0].dims == (2, 3)


def test_an_optional_input_left_out(imported: Callable[..., ImportedModel]) -> None:
    text = "g (float[2,3] x) => (y) { y = f.clip (x) }" + FUNCTION + "clip (x, low) => (y) { y = Clip (x, low) }"
    result = imported(HEAD + text)
    assert "onnx.Clip" in str(result.module)


def test_locations_tell_the_call(imported: Callable[..., ImportedModel]) -> None:
    text = "g (float[2,3] x) => (y) { [call] y = f.n (x) }" + FUNCTION + "n (x) => (y) { [inner] y = Neg (x) }"
    locations = [op.location for op in imported(HEAD + text).module.walk() if op.name == "onnx.Neg"]
    assert "call/inner" in str(locations[0])


def test_recursion(codes: Codes) -> None:
    text = "g (float[2,3] x) => (y) { y = f.a (x) }" + FUNCTION + "a (x) => (y) { y = f.b (x) }" + FUNCTION + "b (x) => (y) { y = f.a (x) }"
    assert codes(HEAD + text) == ["ITG1011"]


def chain(length: int, calls: int) -> onnx.ModelProto:
    """Functions f0 .. that each call the next `calls` times."""
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)]
    functions = []
    for level in range(length):
        names = ["x", *(f"v{i}" for i in range(calls - 1)), "y"]
        op, domain = ("Neg", "") if level == length - 1 else (f"f{level + 1}", "f")
        nodes = [helper.make_node(op, [a], [b], domain=domain) for a, b in pairwise(names)]
        functions.append(helper.make_function("f", f"f{level}", ["x"], ["y"], nodes, opsets))
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])
    graph = helper.make_graph([helper.make_node("f0", ["x"], ["y"], domain="f")], "g", [x], [onnx.ValueInfoProto(name="y")])
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=9)


def test_calls_that_expand_without_bound_are_refused(codes: Codes) -> None:
    assert "ITG1010" in codes(chain(40, 100))


def test_a_long_chain_of_calls_is_refused(codes: Codes) -> None:
    assert codes(chain(2000, 1)) == ["ITG1010"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("g (float[2] x) => (y) { y = f.n <b: int = 1> (x) }" + FUNCTION + "n <a> (x) => (y) { y = Neg (x) }", "ITG1101"),
        ("g (float[2] x) => (y) { y = f.n (x, x) }" + FUNCTION + "n (x) => (y) { y = Neg (x) }", "ITG1006"),
        ("g (float[2] x) => (y) { y = f.n (x) }" + FUNCTION + "n (x) => (y) { z = Neg (x) }", "ITG1002"),
        ("g (float[2] x) => (y) { y = f.n (x) }" + FUNCTION + "n (x) => (y) { y = Nope (x) }", "ITG1004"),
        ("g (float[2] x) => (y) { y = f.n (x) }" + FUNCTION + "n (x) => (y) { y = Add (x, q) }", "ITG1002"),
        ("g (float[2] x) => (y) { y = f.n (x) }" + FUNCTION + "n (x) => (y) { y = Relu (a) a = Neg (y) }", "ITG1001"),
        ("g (float[2] x) => (y) { y = f.n (x) }" + FUNCTION + "n (x, x) => (y) { y = Neg (x) }", "ITG1011"),
    ],
)
def test_what_is_wrong(text: str, expected: str, codes: Codes) -> None:
    assert codes(HEAD + text) == [expected]
