"""What the families of this folder share: the domain and sets of element types."""

DOMAIN = "com.microsoft"
FLOATS = ("float", "float16", "double", "bfloat16")
SHORT_FLOATS = ("float", "float16", "bfloat16")
BYTES = ("uint8", "int8")
