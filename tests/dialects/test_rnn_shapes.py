"""Shapes of recurrent layers."""

import pytest
from intaglio.dialects.onnx.rnn import GRUOp, LSTMOp, RNNOp
from intaglio.errors import ShapeError

LAYERS = [(RNNOp, 1), (GRUOp, 3), (LSTMOp, 4)]


def f(*dims):
    return ("float", dims)


def layer(gates, directions=1, *, steps=5, batch=2, features=3, hidden=4):
    return [f(steps, batch, features), f(directions, gates * hidden, features), f(directions, gates * hidden, hidden)]


@pytest.mark.parametrize(("cls", "gates"), LAYERS)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("layout", [0, 1])
def test_layers(agrees, cls, gates, direction, layout):
    directions = 2 if direction == "bidirectional" else 1
    operands = layer(gates, directions)
    batch = 5 if layout else 2
    state = (batch, directions, 4) if layout else (directions, batch, 4)
    operands += [f(directions, 2 * gates * 4), ("int32", (batch,)), f(*state)]
    if cls is LSTMOp:
        operands += [f(*state), f(directions, 12)]
    agrees(cls, operands, hidden_size=4, direction=direction, layout=layout)


@pytest.mark.parametrize(("cls", "gates"), LAYERS)
def test_absent_results(infer, cls, gates):
    assert infer(cls, layer(gates), 1).results == (("float", (5, 1, 2, 4)),)
    assert infer(cls, layer(gates, steps=0), 2).results[1] == ("float", (1, 2, 4))
    symbolic = infer(cls, layer(gates, steps="S", batch="N"), 2)
    assert [[str(d) for d in s] for _, s in symbolic.results] == [["S", "1", "N", "4"], ["1", "N", "4"]]


@pytest.mark.parametrize(
    ("change", "attributes"),
    [
        ({0: f(5, 2)}, {}),
        ({0: f(5, 2, 4)}, {}),
        ({1: f(2, 16, 3)}, {}),
        ({1: f(1, 12, 3)}, {}),
        ({2: f(1, 16, 5)}, {}),
        ({3: f(1, 16)}, {}),
        ({4: ("int32", (5,))}, {}),
        ({5: f(1, 5, 4)}, {}),
        ({6: f(1, 2, 5)}, {}),
        ({7: f(1, 16)}, {}),
        ({}, {"hidden_size": 5}),
        ({}, {"direction": "sideways"}),
        ({}, {"direction": "bidirectional"}),
        ({}, {"layout": 2}),
        ({}, {"activations": ["Sigmoid", "Tanh"]}),
        ({}, {"activations": ["Sigmoid", "Tanh", "Cosh"]}),
    ],
)
def test_lstm_refuses(infer, change, attributes):
    operands = [*layer(4), f(1, 32), ("int32", (2,)), f(1, 2, 4), f(1, 2, 4), f(1, 12)]
    infer(LSTMOp, operands)
    for index, operand in change.items():
        operands[index] = operand
    with pytest.raises(ShapeError):
        infer(LSTMOp, operands, **attributes)
