"""Operators of users: declared by kernels and decompositions, compiled into sessions and libraries, and refused with codes."""

from __future__ import annotations

import types
from pathlib import Path

import intaglio
import numpy as np
import onnx
import pytest
from intaglio.compiler.importer import ImportFailed
from intaglio.dialects.kernel import Array, InOut, Out, Size, cast
from onnx import TensorProto, helper

DOMAIN = "test.domain"


@intaglio.operator(DOMAIN, shapes=lambda x, w: w.expect(x.shape[-1]) and x.shape, types={"x w": ["float", "double"]})
@intaglio.kernel
def Weighted(x: Array, w: Array, y: Out, gain: float = 1.0):
    for i in range(x.size):
        y.flat[i] = x.flat[i] * w[i % w.size] * cast(gain, x)


def _best(x, *, keep):
    return [(*x.shape[:-1], keep), intaglio.TensorSpec((*x.shape[:-1], keep), "int64"), x.shape]


@intaglio.operator(DOMAIN, shapes=_best, scratch=["left"])
@intaglio.kernel
def Best(x: Array, y: Out, where: Out, left: Out, keep: int):
    n = x.shape[x.rank - 1]
    for i in range(x.size):
        left.flat[i] = x.flat[i]
    for row in range(x.size // n):
        for k in range(keep):
            best = 0
            for j in range(n):
                if left.flat[row * n + j] > left.flat[row * n + best]:
                    best = j
            y.flat[row * keep + k], where.flat[row * keep + k] = left.flat[row * n + best], best
            left.flat[row * n + best] = -1000


@intaglio.operator(DOMAIN, shapes=lambda x, shape: shape.elements())
@intaglio.kernel
def Tiled(x: Array, shape: Array, y: Out):
    for i in range(y.size):
        y.flat[i] = x.flat[i % x.size]


@intaglio.operator(DOMAIN, shapes=lambda x, b=None: x.shape)
@intaglio.kernel
def Shifted(x: Array, b: Array | None, y: Out, up: bool = True, by: tuple[int, ...] = (1, 2)):
    for i in range(x.size):
        step = by[0] + by[1] if up else 0
        if b is not None:
            y.flat[i] = x.flat[i] + b.flat[i] + step
        else:
            y.flat[i] = x.flat[i] + step


@intaglio.decomposition(DOMAIN, types={"x": ["float", "float16"]})
def HardSwish(g, x, *, alpha: float = 1 / 6):
    return x * g.HardSigmoid(x, alpha=alpha, beta=0.5)


@intaglio.decomposition(DOMAIN, outputs=("y", "mean"))
def Folded(g, *parts, axis: int, mode: str = "sum"):
    if mode not in ("sum", "mean"):
        raise g.unsupported(f"mode {mode}")
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    batch = total.dim(0)
    flat = total.reshape(batch, -1)
    mean = g.ReduceMean(flat, [axis]) if g.wants("mean") else None
    return (flat / len(parts) if mode == "mean" else flat), mean


OPERATORS = [Weighted, Best, Tiled, Shifted, HardSwish, Folded]


def model(*nodes, outputs=("y",), version=1, opset=21, **inputs):
    """A model of nodes over open inputs; each input is an array that says its type and rank."""
    values = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), [f"{n}{k}" for k in range(x.ndim)])
        for n, x in inputs.items()
    ]
    graph = helper.make_graph(list(nodes), "g", values, [onnx.ValueInfoProto(name=n) for n in outputs])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, version)], ir_version=10)


def node(op, inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), domain=DOMAIN, **attributes)


def run(one, operators=OPERATORS, **inputs):
    return intaglio.InferenceSession(one, operators=operators, opt_level=0).run(None, inputs)


def codes(one, operators=OPERATORS):
    with pytest.raises(ImportFailed) as failed:
        intaglio.compile(one, operators=operators)
    return [p.code for p in failed.value.problems]


rng = np.random.default_rng(0)
X = rng.standard_normal((3, 4)).astype(np.float32)
W = rng.standard_normal(4).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernel(dtype):
    x, w = X.astype(dtype), W.astype(dtype)
    (y,) = run(model(node("Weighted", "xw", gain=2.0), x=x, w=w), x=x, w=w)
    np.testing.assert_allclose(y, x * w * 2, rtol=1e-6)


def test_kernel_checks_what_its_rule_expects():
    session = intaglio.InferenceSession(model(node("Weighted", "xw"), x=X, w=W), operators=Weighted)
    with pytest.raises(intaglio.IntaglioError, match="ITG5002"):
        session.run(None, {"x": X, "w": W[:3]})
    np.testing.assert_allclose(session.run(None, {"x": X, "w": W})[0], X * W)


def test_several_outputs_with_types_and_scratch():
    y, where = run(model(node("Best", "x", ("y", "where"), keep=2), outputs=("y", "where"), x=X), x=X)
    order = np.argsort(-X, axis=-1, kind="stable")[:, :2]
    np.testing.assert_array_equal(where, order)
    np.testing.assert_array_equal(y, np.take_along_axis(X, order, axis=-1))
    assert where.dtype == np.int64
    (alone,) = run(model(node("Best", "x", ("y",), keep=2), x=X), x=X)
    np.testing.assert_array_equal(alone, y)


def test_sizes_from_elements():
    shape = np.array([2, 3])
    # The length of the list must be known: three sizes, whatever they are.
    one = model(node("Tiled", ("x", "shape")), x=W, shape=shape)
    one.graph.input[1].type.tensor_type.shape.dim[0].dim_value = 2
    (y,) = run(one, x=W, shape=shape)
    np.testing.assert_array_equal(y, np.resize(W, (2, 3)))


def test_optional_input_and_attributes():
    (y,) = run(model(node("Shifted", "x"), x=X), x=X)
    np.testing.assert_allclose(y, X + 3)
    (y,) = run(model(node("Shifted", "xb", up=0, by=[5, 5]), x=X, b=X), x=X, b=X)
    np.testing.assert_allclose(y, X + X)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_decomposition(dtype):
    x = X.astype(dtype)
    (y,) = run(model(node("HardSwish", "x"), x=x), x=x)
    np.testing.assert_allclose(y, x * np.clip(x / 6 + 0.5, 0, 1), rtol=1e-2, atol=1e-3)


def test_decomposition_by_inputs_and_outputs():
    one = model(node("Folded", "xxx", ("y", "m"), axis=1, mode="mean"), outputs=("y", "m"), x=X)
    y, mean = run(one, x=X)
    np.testing.assert_allclose(y, X, rtol=1e-6)
    np.testing.assert_allclose(mean, (3 * X).mean(axis=1, keepdims=True), rtol=1e-5, atol=1e-6)


def test_inside_a_loop():
    """The body's state grows from round to round: what was known in the first holds no more."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["c"], ["c_out"]),
            helper.make_node("Concat", ["s", "s"], ["twice"], axis=0),
            node("Folded", ["twice"], ["s_out"], axis=0),
        ],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("c", TensorProto.BOOL, []),
         helper.make_tensor_value_info("s", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("c_out", TensorProto.BOOL, []), helper.make_tensor_value_info("s_out", TensorProto.FLOAT, ["m", 4])],
    )  # fmt: skip
    one = model(helper.make_node("Loop", ["n", "", "x"], ["y"], body=body), x=X, n=np.array(3))
    (y,) = run(one, x=X, n=np.array(3))
    np.testing.assert_array_equal(y, np.tile(X, (8, 1)))


def test_versions():
    @intaglio.decomposition(DOMAIN, name="Scaled", since=1)
    def first(g, x):
        return x * 2

    @intaglio.decomposition(DOMAIN, name="Scaled", since=3)
    def third(g, x):
        return x * 3

    for version, factor in ((1, 2), (2, 2), (3, 3), (9, 3)):
        (y,) = run(model(node("Scaled", "x"), version=version, x=X), [third, first], x=X)
        np.testing.assert_allclose(y, X * factor)
    assert codes(model(node("Scaled", "x"), version=2, x=X), [third]) == ["ITG1407"]


def test_decomposition_written_for_an_old_operator_set():
    @intaglio.decomposition(DOMAIN, opset=11)
    def Rows(g, x):
        return g.op("Unsqueeze", g.op("ReduceSum", x, axes=[1], keepdims=0), axes=[0])

    (y,) = run(model(node("Rows", "x"), x=X), Rows, x=X)
    np.testing.assert_allclose(y, X.sum(axis=1)[None], rtol=1e-5)


def test_ways_to_give_operators(tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import intaglio\nfrom intaglio.dialects.kernel import Array, Out\n"
        f"@intaglio.operator('{DOMAIN}', shapes=lambda x: x.shape)\n@intaglio.kernel\n"
        "def Doubled(x: Array, y: Out):\n    for i in range(x.size):\n        y.flat[i] = x.flat[i] + x.flat[i]\n"
    )
    held = types.ModuleType("held")
    held.Swish = HardSwish
    one = model(node("Doubled", "x", "a"), node("HardSwish", "a"), x=X)
    (y,) = run(one, [str(path), held], x=X)
    np.testing.assert_allclose(y, 2 * X * np.clip(2 * X / 6 + 0.5, 0, 1), rtol=1e-5, atol=1e-6)
    library = intaglio.compile(one, operators=[path, HardSwish]).save(tmp_path / "model.so")
    np.testing.assert_allclose(intaglio.load(library).run(None, {"x": X})[0], y, rtol=1e-6)
    assert codes(one, ()) == ["ITG1004", "ITG1004"], "declaring registers nothing"


def test_one_given_goes_before_one_that_comes_with_the_compiler():
    @intaglio.decomposition("com.microsoft", name="Gelu")
    def mine(g, X):
        return X * 7

    one = model(helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"), x=X)
    one.opset_import.add(domain="com.microsoft", version=1)
    np.testing.assert_allclose(run(one, mine, x=X)[0], X * 7)


def test_a_models_own_function_goes_first():
    one = model(node("HardSwish", "x"), x=X)
    body = [helper.make_node("Neg", ["a"], ["b"])]
    one.functions.append(helper.make_function(DOMAIN, "HardSwish", ["a"], ["b"], body, [helper.make_opsetid("", 21)]))
    np.testing.assert_array_equal(run(one, x=X)[0], -X)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (node("Weighted", "x"), "ITG1006"),
        (node("Weighted", "xxx"), "ITG1006"),
        (node("Weighted", "nn"), "ITG1007"),
        (node("Weighted", "xw", gian=1.0), "ITG1101"),
        (node("Weighted", "xw", gain=1), "ITG1102"),
        (node("Best", "x"), "ITG1103"),
        (node("HardSwish", "xx"), "ITG1006"),
        (node("HardSwish", ["n"]), "ITG1007"),
        (node("HardSwish", "x", beta=1.0), "ITG1101"),
        (node("Folded", "x"), "ITG1103"),
        (node("Folded", "x", axis=0, mode="max"), "ITG3001"),
        (node("Unheard", "x"), "ITG1004"),
    ],
)
def test_nodes_are_checked(bad, code):
    assert codes(model(bad, x=X, w=W, n=np.array([1]))) == [code]


def test_rules_and_decompositions_that_fail():
    @intaglio.operator(DOMAIN, shapes=lambda x: x.shape[7])
    @intaglio.kernel
    def Fails(x: Array, y: Out):
        y.flat[0] = x.flat[0]

    @intaglio.operator(DOMAIN, shapes=lambda x: "square")
    @intaglio.kernel
    def Nonsense(x: Array, y: Out):
        y.flat[0] = x.flat[0]

    @intaglio.decomposition(DOMAIN)
    def Raises(g, x):
        return x.nothing

    @intaglio.decomposition(DOMAIN)
    def Gives(g, x):
        return 7

    @intaglio.decomposition(DOMAIN)
    def Itself(g, x):
        return g.op("Itself", x, domain=DOMAIN)

    every = [Fails, Nonsense, Raises, Gives, Itself]
    found = [codes(model(node(o.name, "x"), x=X), every) for o in every]
    assert found == [["ITG1404"], ["ITG1405"], ["ITG1404"], ["ITG1405"], ["ITG1404"]]


def test_clashes():
    @intaglio.decomposition(DOMAIN, name="HardSwish")
    def other(g, x):
        return x

    @intaglio.decomposition("", name="Relu")
    def relu(g, x):
        return x

    for given in ([HardSwish, other], [relu]):
        with pytest.raises(intaglio.IntaglioError, match="ITG1401"):
            intaglio.compile(model(node("HardSwish", "x"), x=X), operators=given)


def test_declarations_that_make_no_operator(tmp_path: Path):
    def updates(x: InOut, y: Out):
        y.flat[0] = x.flat[0]

    def sized(x: Array, n: Size, y: Out):
        y.flat[0] = x.flat[0]

    def silent(x: Array):
        pass

    def reserved(x: Array, operands: Array, y: Out):
        y.flat[0] = x.flat[0]

    def ok(x: Array, y: Out):
        y.flat[0] = x.flat[0]

    def rule(x):
        return x.shape

    for function in (updates, sized, silent, reserved):
        with pytest.raises(intaglio.IntaglioError, match="ITG1402"):
            intaglio.operator(DOMAIN, shapes=rule)(intaglio.kernel(function))
    with pytest.raises(intaglio.IntaglioError, match="ITG1403"):
        intaglio.operator(DOMAIN)(intaglio.kernel(ok))
    for wrong in ({"types": {"z": ["float"]}}, {"types": {"x": ["floaty"]}}, {"since": 0}):
        with pytest.raises(intaglio.IntaglioError, match="ITG1402"):
            intaglio.operator(DOMAIN, shapes=rule, **wrong)(intaglio.kernel(ok))
    for function in (lambda g, x, **k: x, lambda g, x=3: x, lambda g, x, *, a=None: x):
        with pytest.raises(intaglio.IntaglioError, match="ITG1402"):
            intaglio.decomposition(DOMAIN)(function)
    (tmp_path / "empty.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("x = 1 / 0\n")
    for given in (7, tmp_path / "none.py", tmp_path / "empty.py", [tmp_path / "broken.py"]):
        with pytest.raises(intaglio.IntaglioError, match="ITG1406"):
            intaglio.compile(model(node("HardSwish", "x"), x=X), operators=given)
