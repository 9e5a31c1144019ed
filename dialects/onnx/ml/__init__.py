"""The operators of ai.onnx.ml: feature preparation, label encoding, linear and kernel models, tree ensembles."""
