"""The onnx dialects, a module a family; `registry` finds what they define. This imports none of them: element types alone load fast."""
