"""Strings: what moves and compares them, what looks inside, numbers written and read. Against numpy, Python and onnx.reference."""

from __future__ import annotations

from typing import Any

import intaglio
import numpy as np
import pytest
from intaglio.errors import IntaglioError
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

STRING = TensorProto.STRING


def strings(*texts: str) -> np.ndarray:
    return np.array(texts, object)


def model(nodes: list[Any], inputs: dict[str, np.ndarray], outputs: list[str], constants: dict[str, np.ndarray] | None = None) -> Any:
    """A model over inputs whose dimensions are all open."""
    types = {name: STRING if a.dtype == object else helper.np_dtype_to_tensor_dtype(a.dtype) for name, a in inputs.items()}
    given = [helper.make_tensor_value_info(n, types[n], [f"{n}{k}" for k in range(a.ndim)]) for n, a in inputs.items()]
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    held = [numpy_helper.from_array(a, name) for name, a in (constants or {}).items()]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 4)]
    return helper.make_model(helper.make_graph(nodes, "g", given, made, held), opset_imports=opsets, ir_version=10)


def run(nodes: list[Any], inputs: dict[str, Any], outputs: list[str], **options: Any) -> list[Any]:
    return intaglio.compile(model(nodes, inputs, outputs, **options)).session().run(None, inputs)


def cast(x: np.ndarray, to: int) -> np.ndarray:
    return run([helper.make_node("Cast", ["x"], ["y"], to=to)], {"x": x}, ["y"])[0]


def test_moving_and_comparing():
    x, w = strings("b", "", "zürich", "b"), strings("b", "x", "", "c")
    nodes = [
        helper.make_node("Equal", ["x", "w"], ["same"]),
        helper.make_node("Where", ["same", "x", "w"], ["chosen"]),
        helper.make_node("Concat", ["x", "w"], ["both"], axis=0),
        helper.make_node("Gather", ["both", "at"], ["some"]),
        helper.make_node("Pad", ["x", "pads"], ["padded"]),
        helper.make_node("Unique", ["both"], ["distinct", "first", "inverse", "counts"]),
        helper.make_node("Unique", ["both"], ["met"], sorted=0),
    ]
    names = ["same", "chosen", "some", "padded", "distinct", "inverse", "counts", "met"]
    constants = {"at": np.array([[0, -1], [2, 6]]), "pads": np.array([1, 0])}
    same, chosen, some, padded, distinct, inverse, counts, met = run(nodes, {"x": x, "w": w}, names, constants=constants)
    both = np.concatenate([x, w])
    np.testing.assert_array_equal(same, x == w)
    np.testing.assert_array_equal(chosen, np.where(x == w, x, w))
    np.testing.assert_array_equal(some, both[constants["at"]])
    np.testing.assert_array_equal(padded, strings("", *x))
    assert distinct.tolist() == sorted(set(both.tolist()))
    np.testing.assert_array_equal(distinct[inverse], both)
    assert counts.tolist() == [both.tolist().count(t) for t in distinct.tolist()]
    assert met.tolist() == list(dict.fromkeys(both.tolist()))


def test_texts_of_any_kind_cross_the_border():
    x = strings("", "a" * 70_000, "nul\0inside", "日本語", "\udcff", *(f"t{i}" for i in range(3000)))
    session = intaglio.compile(model([helper.make_node("Identity", ["x"], ["y"])], {"x": x}, ["y"])).session()
    for part in (x, x[:0], x[::-1], x):
        assert session.run(None, {"x": part})[0].tolist() == part.tolist()
    np.testing.assert_array_equal(session.run(None, {"x": np.array(["fixed", "width"])})[0], strings("fixed", "width"))
    with pytest.raises(IntaglioError, match="ITG5503"):
        session.run(None, {"x": np.array([1, None], object)})


def test_concatenation_broadcasts():
    x, y = np.array([["a"], ["bc"]], object), strings("", "ü", "x")
    (z,) = run([helper.make_node("StringConcat", ["x", "y"], ["z"])], {"x": x, "y": y}, ["z"])
    np.testing.assert_array_equal(z, x + y)


@pytest.mark.parametrize("attributes", [{}, {"maxsplit": 1}, {"maxsplit": 0}, {"delimiter": "--"}, {"delimiter": "-", "maxsplit": 2}])
def test_split(attributes):
    x = np.array([[" a  b\tc ", "a--b----c"], ["", "\u2003wide\u00a0space "], ["-", "x-y-z-w"]], object)
    node = helper.make_node("StringSplit", ["x"], ["y", "z"], **attributes)
    made = model([node], {"x": x}, ["y", "z"])
    for mine, theirs in zip(
        intaglio.compile(made).session().run(None, {"x": x}), ReferenceEvaluator(made).run(None, {"x": x}), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"case_change_action": "UPPER"}, ["STRASSE", "ÀB", "FFI", "I"]),
        ({"case_change_action": "UPPER", "locale": "tr_TR.UTF-8"}, ["STRASSE", "ÀB", "FFI", "İ"]),
        ({"case_change_action": "LOWER", "stopwords": ["ÀB", "I"]}, ["straße", "ﬃ"]),
        ({"stopwords": ["ÀB", "i"], "is_case_sensitive": 1}, ["straße", "Àb", "ﬃ"]),
        ({"stopwords": ["straße", "àb", "ﬃ", "I"]}, [""]),
    ],
)
def test_normalising(attributes, expected):
    node = helper.make_node("StringNormalizer", ["x"], ["y"], **attributes)
    for x, wanted in ((strings("straße", "Àb", "ﬃ", "i"), strings(*expected)), (np.array([["straße", "Àb", "ﬃ", "i"]], object), None)):
        (y,) = run([node], {"x": x}, ["y"])
        np.testing.assert_array_equal(y, strings(*expected).reshape(1, -1) if wanted is None else wanted)


def test_floats_are_written_with_the_fewest_digits():
    rng = np.random.default_rng(0)
    some = [0.0, -0.0, 1.0, 0.1, 1e-4, 9.9e-5, 1e15, 1e16, 123456789.125, 2.0**53, 5e-324, 1.7976931348623157e308, np.nan, np.inf, -np.inf]
    x = np.concatenate([some, rng.standard_normal(300) * 10.0 ** rng.integers(-320, 300, 300)])
    written = cast(x, STRING)
    assert written.tolist() == [repr(v) for v in x.tolist()]
    np.testing.assert_array_equal(cast(written, TensorProto.DOUBLE), x)
    short = np.concatenate([rng.standard_normal(300) * 10.0 ** rng.integers(-44, 38, 300), [1e-45, 3.4028235e38, 16777216.0]]).astype(
        np.float32
    )
    assert cast(short, STRING).tolist() == [repr(float(str(v))) for v in short]
    half = np.arange(1, 31744, 97, dtype=np.uint16).view(np.float16)
    np.testing.assert_array_equal(cast(cast(half, STRING), TensorProto.FLOAT16), half)


def test_integers_and_truth_are_written_and_read():
    for dtype, to in ((np.int64, TensorProto.INT64), (np.uint64, TensorProto.UINT64), (np.int8, TensorProto.INT8)):
        limits = np.iinfo(dtype)
        x = np.array([limits.min, 0, 7, 10, limits.max], dtype)
        assert cast(x, STRING).tolist() == [str(v) for v in x.tolist()]
        np.testing.assert_array_equal(cast(cast(x, STRING), to), x)
    assert cast(np.array([True, False]), STRING).tolist() == ["True", "False"]
    assert cast(strings("100.5", " 1e3 ", "1.5E3", "-0", "15.7e-1"), TensorProto.INT32).tolist() == [100, 1000, 1500, 0, 1]


def test_numbers_are_read_as_the_specification_says():
    y = cast(strings("3.14", "1e-5", "1E8", "+INF", "-inf", "nAn", ".5", "-5."), TensorProto.FLOAT)
    np.testing.assert_array_equal(y, np.float32([3.14, 1e-5, 1e8, np.inf, -np.inf, np.nan, 0.5, -5]))
    session = intaglio.compile(model([helper.make_node("Cast", ["x"], ["y"], to=1)], {"x": strings("")}, ["y"])).session()
    for text in ("", "hello", "1e", "1.2.3", "--1", "e5", "0x10"):
        with pytest.raises(IntaglioError, match="ITG5064"):
            session.run(None, {"x": strings(text)})
    np.testing.assert_array_equal(session.run(None, {"x": strings("2")})[0], np.float32([2]))


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
def test_grams_of_strings_and_numbers(mode):
    attributes = {"mode": mode, "min_gram_length": 1, "max_gram_length": 3, "max_skip_count": 2, "ngram_counts": [0, 2, 6]}
    attributes |= {"ngram_indexes": [4, 0, 1, 2, 3], "weights": [0.5, 2.0, 1.0, 0.25, 3.0]}
    words = ["a", "b", "a", "b", "b", "c", "c", "a", "b"]
    numbers = [ord(w) for w in words]
    x = np.array([["a", "b", "c", "a", "b"], ["c", "c", "b", "a", "zz"]], object)
    codes = np.array([[ord(t[0]) for t in row] for row in x.tolist()], np.int32)
    for rows, pool in ((x, {"pool_strings": words}), (codes, {"pool_int64s": numbers})):
        node = helper.make_node("TfIdfVectorizer", ["x"], ["y"], **attributes, **pool)
        made = model([node], {"x": rows}, ["y"])
        np.testing.assert_allclose(run([node], {"x": rows}, ["y"])[0], ReferenceEvaluator(made).run(None, {"x": rows})[0])
