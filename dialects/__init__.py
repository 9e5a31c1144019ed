"""The IR vocabularies: the onnx dialect and our own levels below it. Imports xDSL and numpy only."""

from .vector_arith import accept_vectors

accept_vectors()
