"""Shapes of attention operators."""

import pytest
from intaglio.dialects.onnx.attention import AttentionOp, LinearAttentionOp, RotaryEmbeddingOp, SwiGLUOp
from intaglio.errors import ShapeError


def f(*dims):
    return ("float", dims)


@pytest.mark.parametrize(("heads", "kv_heads"), [(6, 6), (6, 2), (6, 1)])
def test_attention_of_rank_4(agrees, heads, kv_heads):
    q, k, v = f(2, heads, 5, 8), f(2, kv_heads, 7, 8), f(2, kv_heads, 7, 10)
    agrees(AttentionOp, [q, k, v], 1)
    past = [f(2, kv_heads, 3, 8), f(2, kv_heads, 3, 10)]
    agrees(AttentionOp, [q, k, v, f(5, 10), *past], qk_matmul_output_mode=3)


def test_attention_of_rank_3(agrees):
    q, k, v = f(2, 5, 48), f(2, 7, 16), f(2, 7, 20)
    agrees(AttentionOp, [q, k, v], 1, q_num_heads=6, kv_num_heads=2)
    past = [f(2, 2, 3, 8), f(2, 2, 3, 10)]
    agrees(AttentionOp, [q, k, v, ("bool", (2, 1, 5, 10)), *past], q_num_heads=6, kv_num_heads=2)


def test_attention_types(infer):
    found = infer(AttentionOp, [("float16", (2, 2, 5, 8)), ("float16", (2, 2, 7, 8)), ("bfloat16", (2, 2, 7, 8))])
    assert [e for e, _ in found.results] == ["float16", "float16", "bfloat16", "float16"]


def test_attention_symbolic(infer):
    q, kv, past = f("B", 4, "S", 8), f("B", 4, "S", 8), f("B", 4, "P", 8)
    found = infer(AttentionOp, [q, kv, kv, None, past, past])
    assert [str(d) for d in found.results[1][1]] == ["B", "4", "P+S", "8"]
    assert [str(d) for d in found.results[3][1]] == ["B", "4", "S", "P+S"]


@pytest.mark.parametrize(
    ("change", "attributes"),
    [
        ({0: f(2, 6, 5, 9)}, {}),
        ({0: f(2, 5, 5, 8)}, {}),
        ({0: f(2, 5, 48)}, {}),
        ({1: f(2, 3, 7, 8)}, {}),
        ({2: f(2, 2, 8, 8)}, {}),
        ({2: f(3, 2, 7, 8)}, {}),
        ({3: f(5, 11)}, {}),
        ({3: f(4, 10)}, {}),
        ({3: f(1, 2, 6, 5, 10)}, {}),
        ({3: f()}, {}),
        ({4: f(2, 2, 3, 9)}, {}),
        ({4: None}, {}),
        ({5: f(2, 2, 4, 8)}, {}),
        ({6: ("int64", (2,))}, {}),
        ({}, {"q_num_heads": 5}),
        ({}, {"qk_matmul_output_mode": 4}),
        ({}, {"left_window_size": -2}),
        ({}, {"softmax_precision": 7}),
    ],
)
def test_attention_refuses(infer, change, attributes):
    kv, past = f(2, 2, 7, 8), f(2, 2, 3, 8)
    operands = [f(2, 6, 5, 8), kv, kv, f(5, 9), past, past, None]
    infer(AttentionOp, operands)
    for index, operand in change.items():
        operands[index] = operand
    with pytest.raises(ShapeError):
        infer(AttentionOp, operands, **attributes)


def test_attention_of_rank_3_needs_heads(infer):
    operands = [f(2, 5, 48)] * 3
    with pytest.raises(ShapeError, match="q_num_heads"):
        infer(AttentionOp, operands)
    with pytest.raises(ShapeError, match="divisible"):
        infer(AttentionOp, operands, q_num_heads=5, kv_num_heads=5)


def test_rotary(agrees, infer):
    positions = ("int64", (2, 5))
    agrees(RotaryEmbeddingOp, [f(2, 3, 5, 8), f(50, 4), f(50, 4), positions])
    agrees(RotaryEmbeddingOp, [f(2, 3, 5, 8), f(2, 5, 2), f(2, 5, 2)], rotary_embedding_dim=4)
    agrees(RotaryEmbeddingOp, [f(2, 5, 24), f(50, 4), f(50, 4), positions], num_heads=3)
    refused = [
        ([f(2, 3, 5, 7), f(50, 3), f(50, 3), positions], {}),
        ([f(2, 3, 5, 8), f(50, 4), f(50, 3), positions], {}),
        ([f(2, 3, 5, 8), f(50, 8), f(50, 8), positions], {}),
        ([f(2, 3, 5, 8), f(50, 4), f(50, 4)], {}),
        ([f(2, 3, 5, 8), f(50, 5), f(50, 5), positions], {"rotary_embedding_dim": 10}),
        ([f(2, 5, 24), f(50, 4), f(50, 4), positions], {}),
        ([f(2, 3, 6, 8), f(50, 4), f(50, 4), positions], {}),
    ]
    for operands, attributes in refused:
        with pytest.raises(ShapeError):
            infer(RotaryEmbeddingOp, operands, **attributes)


def test_linear_attention(agrees, infer):
    q, k, v = f(2, 5, 48), f(2, 5, 16), f(2, 5, 20)
    heads = {"q_num_heads": 6, "kv_num_heads": 2}
    agrees(LinearAttentionOp, [q, k, v], update_rule="linear", **heads)
    agrees(LinearAttentionOp, [q, k, v, ("float16", (2, 2, 8, 10)), f(2, 5, 16), f(2, 5, 1)], **heads)
    with pytest.raises(ShapeError, match="decay"):
        infer(LinearAttentionOp, [q, k, v], **heads)
    with pytest.raises(ShapeError, match="beta"):
        infer(LinearAttentionOp, [q, k, v, None, None, f(2, 5, 3)], update_rule="delta", **heads)
    with pytest.raises(ShapeError, match="past_state"):
        infer(LinearAttentionOp, [q, k, v, f(2, 2, 10, 8)], update_rule="linear", **heads)


def test_swiglu(agrees, infer):
    agrees(SwiGLUOp, [f(2, 3), f(2, 3)])
    with pytest.raises(ShapeError):
        infer(SwiGLUOp, [f(2, 3), f(1, 3)])
