"""The operator fuzzer: random valid nodes and graphs over every operator, compiled, and judged against onnx.reference and ONNX Runtime."""
