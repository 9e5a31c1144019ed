"""The IR vocabularies: the onnx dialect and our own levels below it. Imports xDSL and numpy only."""
