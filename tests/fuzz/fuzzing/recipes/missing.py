"""The operators that no recipe makes, and why."""

MISSING = {
    "CastMap": "its input is a map, which no operator makes of tensors",
    "DictVectorizer": "its input is a map, which no operator makes of tensors",
    "Gradient": "differentiates the graph around it: neither reference runs it",
    "ImageDecoder": "its input is a file; the official cases have one of each format",
}
