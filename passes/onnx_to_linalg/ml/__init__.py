"""Lowerings of ai.onnx.ml, a module a family as in dialects/onnx/ml."""
