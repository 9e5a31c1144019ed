"""Passes on the onnx level: folding, fusion in ONNX's own terms, layouts."""
