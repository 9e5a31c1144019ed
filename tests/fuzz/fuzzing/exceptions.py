"""What the judge has to know beyond the references: where one contradicts the specification, and what the compiler may refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx

Applies = Callable[[onnx.ModelProto], bool]


def _always(model: onnx.ModelProto) -> bool:
    return True


def _of_double(model: onnx.ModelProto) -> bool:
    kinds = [i.type.tensor_type.elem_type for i in model.graph.input] + [t.data_type for t in model.graph.initializer]
    return onnx.TensorProto.DOUBLE in kinds


def _lengths(model: onnx.ModelProto) -> bool:
    return any(len(node.input) > 4 and node.input[4] for node in model.graph.node if node.op_type in ("GRU", "LSTM", "RNN"))


def _not_of_planes(model: onnx.ModelProto) -> bool:
    shapes = {i.name: len(i.type.tensor_type.shape.dim) for i in model.graph.input} | {t.name: len(t.dims) for t in model.graph.initializer}
    return any(shapes.get(node.input[0]) != 4 for node in model.graph.node if node.op_type == "QLinearConv")


def _of_indices(model: onnx.ModelProto) -> bool:
    return any(node.op_type == "MaxPool" and len(node.output) > 1 for node in model.graph.node)


def _of_short_floats(model: onnx.ModelProto) -> bool:
    kinds = [i.type.tensor_type.elem_type for i in model.graph.input] + [t.data_type for t in model.graph.initializer]
    return not {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}.isdisjoint(kinds)


def _has(*attributes: str) -> Applies:
    return lambda model: any(a.name in attributes for node in model.graph.node for a in node.attribute)


# operator: (the reference that is wrong, when, why)
_DISTRUSTED: dict[str, list[tuple[str, Applies, str]]] = {
    "QLinearConv": [("reference", _not_of_planes, "makes planes of whatever it is given")],
    "ConvTranspose": [("reference", _has("group"), "gives each group the bias and the channel of the first")],
    "Bernoulli": [("ort", _always, "draws 0 at a probability of 1")],
    "Erf": [("reference", _of_double, "computes in float32")],
    "Gelu": [("reference", _of_double, "its Erf computes in float32")],
    "GRU": [("reference", _has("activations", "clip"), "does not read them"), ("reference", _lengths, "does not read sequence_lens")],
    "LSTM": [("reference", _has("activations", "clip"), "does not read them"), ("reference", _lengths, "does not read sequence_lens")],
    "RNN": [("reference", _has("clip"), "does not read it"), ("reference", _lengths, "does not read sequence_lens")],
    "LpPool": [("reference", _has("ceil_mode"), "scales a window that reaches beyond the end")],
    "LRN": [("reference", _always, "takes the batch for the channels")],
    "Constant": [("ort", _has("sparse_value"), "gives its own class for a sparse tensor")],
    "TreeEnsemble": [("reference", _has("post_transform"), "leaves the scores as they are")],
    "MaxPool": [("reference", _of_indices, "counts them from the start of their plane, not of the tensor")],
    "StringNormalizer": [("reference", _has("stopwords"), "tells case apart where is_case_sensitive is 0")],
    "StringSplit": [("ort", _has("delimiter"), "splits nothing into no part")],
    "QuantizeLinear": [("reference", _of_short_floats, "divides in the type of x, not of y_scale")],
    "Normalizer": [("reference", _always, "divides by the largest magnitude, where the specification has the largest")],
    "SVMRegressor": [("reference", _always, "rounds what it predicts to the type of its input")],
    "TreeEnsembleRegressor": [("reference", _always, "rounds what it predicts to the type of its input")],
    "LinearRegressor": [("reference", _always, "rounds what it predicts to the type of its input")],
    "Scaler": [("reference", _always, "gives the type of its input")],
    "GridSample": [("reference", _of_short_floats, "finds places in the type of the grid, not of what it samples")],
    "GlobalMaxPool": [("reference", _always, "drops the spatial axes")],
}

# operator, or "*": (a code, why a model with it may be refused)
_REFUSALS: dict[str, list[tuple[str, str]]] = {
    "Squeeze": [("ITG5007", "of which axes a Squeeze without axes removes, the rank must be known at compile time")],
    "Col2Im": [("ITG3001", "sums of truth values and of complex numbers mean nothing")],
    "ScatterElements": [("ITG3004", "complex numbers are only moved")],
    "ScatterND": [("ITG3004", "complex numbers are only moved")],
    "*": [
        ("strings cannot be compiled yet", "a limit that the error names"),
        ("ITG3000", "docs/operators.md names it as one without a lowering"),
        ("ITG2101", "a rank must be known at compile time"),
        ("ITG2103", "a rank must be known at compile time"),
    ],
}


def distrusted(operator: str, model: onnx.ModelProto) -> Iterator[str]:
    """The references that must not judge an operator in this model."""
    for who, applies, _why in _DISTRUSTED.get(operator, []):
        if applies(model):
            yield who


def refusals(operator: str) -> list[tuple[str, str]]:
    return [*_REFUSALS.get(operator, []), *_REFUSALS.get("*", [])]
