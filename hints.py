"""What a user can do about an error, by code, where the place that raises it knows nothing better; `errors` reads it."""

from __future__ import annotations

_DAMAGED = "The file is damaged or incomplete: fetch or export it again."
_CHECK = "Compare the node with the specification of its operator, and check what the exporter wrote."
_TENSOR = "The model was written wrongly: export it again, or check it with onnx.checker."
_EXTERNAL = "Keep the model and its data files together as they were exported."
_FEED = "Compare what is fed with get_inputs()."
_DATA = "Check the values that are fed to the model, and the node that computes this one."
_SMALLER = "Fix open dimensions with dims=, and check those of the inputs."
_KERNEL = "docs/kernels.md describes the language of kernels."

HINTS = {
    # files
    "ITG0101": "Check the path.",
    "ITG0102": "Check that it is a file, and that you may read it.",
    "ITG0103": _DAMAGED,
    "ITG0104": "Is it an ONNX file? If so, it is damaged: fetch or export it again.",
    "ITG0105": _DAMAGED,
    "ITG0106": _DAMAGED,
    "ITG0107": _DAMAGED,
    "ITG0108": "Update intaglio, or export for an older version.",
    "ITG0109": "Save the weights as external data.",
    "ITG0110": "Check the folder, its permissions and the space left.",
    "ITG0111": "Give a path, the bytes of a file, an open binary file or a ModelProto.",
    "ITG0112": _DAMAGED,
    "ITG0120": _EXTERNAL,
    "ITG0121": "External data must lie in the model's own folder or below it: move it there.",
    "ITG0122": _EXTERNAL,
    "ITG0123": _EXTERNAL,
    "ITG0124": "Give the path of the model instead of its bytes.",
    # tensors
    "ITG02": _TENSOR,
    # the graph
    "ITG1001": "A graph must be acyclic: the model is damaged, or was edited wrongly.",
    "ITG1002": "Every name must be an input, an initialiser or some node's output: the model was cut or edited wrongly.",
    "ITG1003": "Names are for one value each: rename one of them.",
    "ITG1004": "Check the operator's spelling and domain.",
    "ITG1005": "Add the domain to the model's opset_import.",
    "ITG1006": _CHECK,
    "ITG1007": "Insert a Cast, or export with one element type throughout.",
    "ITG1008": "Declare the input with an element type and a shape of sizes or names.",
    "ITG1009": "Correct the declaration, or insert a Cast.",
    "ITG1010": "Is a subgraph or a function nested in itself? Simplify the model before compiling it.",
    "ITG1011": "Correct the function, or expand it before compiling.",
    "ITG1012": "dims= takes a positive size for a dimension that an input names.",
    "ITG1013": "Declare the value's type in the model.",
    "ITG11": _CHECK,
    "ITG1201": "Update intaglio, or export for an older operator set.",
    "ITG1202": "Export the model for a newer operator set.",
    "ITG1203": "Make the value an initialiser or a constant, or export for a newer operator set.",
    "ITG1204": "Declare the shapes of the model's inputs, or export for a newer operator set.",
    "ITG1401": "Rename one, give them different versions by since=, or give only one of them.",
    "ITG1403": "Say shapes=: a function from the operands to the shapes of the outputs.",
    "ITG1407": "Raise the domain's version in the model's opset_import, or lower since= in the declaration.",
    "ITG14": "docs/custom-operators.md describes how operators are declared.",
    "ITG13": "Only modules of one function, of the onnx dialect alone, become models.",
    # shapes
    "ITG21": _CHECK,
    "ITG22": _CHECK,
    # what cannot be compiled yet
    "ITG3050": "Cut the graph there: name the operator's result in xs or zs, or write it by operators that have a derivative.",
    "ITG30": "docs/operators.md lists what is supported.",
    "ITG40": "A target is a processor that LLVM knows: see `intaglio info`, or leave it at the host.",
    # runs
    "ITG5001": "Check the indices that are fed to the model, and the node that computes these.",
    "ITG5002": "Sizes of the inputs contradict each other: check their shapes.",
    "ITG5003": "The size of an input does not fit the rest of the model: check its shape.",
    "ITG5007": "Name the dimensions to remove by the node's axes, or fix this one's size: dims={..}, --dim NAME=SIZE.",
    "ITG5009": "Check the condition that the loop's body computes, or give it a trip count.",
    "ITG5013": "Give random nodes a seed, or run where getentropy works.",
    "ITG5010": "Run smaller inputs, or free memory.",
    "ITG5011": "Check that the device is there and its driver is current.",
    "ITG5012": "Give the weights that the program was compiled with.",
    "ITG50": _DATA,
    "ITG5501": "Make another session.",
    "ITG5502": _FEED,
    "ITG5503": f"Convert the array with .astype(..). {_FEED}",
    "ITG5504": f"Reshape the array. {_FEED}",
    "ITG5505": f"The size is fixed in the model; export it with an open dimension to feed others. {_FEED}",
    "ITG5506": "Dimensions of one name have one size in a run.",
    "ITG5507": _FEED,
    "ITG5508": _FEED,
    "ITG5509": _FEED,
    "ITG5510": _FEED,
    "ITG5511": "Compare the name with get_outputs().",
    "ITG5530": "Leave num_threads at 0 for as many as the process may use.",
    # kernels
    "ITG60": _KERNEL,
    # artifacts and options
    "ITG7001": _SMALLER,
    "ITG7004": "Names end in .so, .o or .a.",
    "ITG7010": "Install a C compiler, or the extra: pip install 'intaglio[link]'.",
    "ITG7011": "Check the message of the linker above.",
    "ITG7020": "Check the path, and that the library was made for this machine.",
    "ITG7021": "Give a library that Program.save wrote.",
    "ITG7022": "Compile the model again.",
    "ITG7101": "Leave the target at its default, or install the package that offers it.",
    "ITG7102": "Update or remove the package that offers the target.",
    "ITG7103": "Choose one of those.",
    "ITG7104": "Leave out one of the two.",
    "ITG9003": "Close other programs, or fix open dimensions with dims=.",
}


def hint_for(code: str) -> str:
    """What to do about the code: its own entry, else its family's (the code without its last two digits), else nothing."""
    return HINTS.get(code) or HINTS.get(code[:5], "")
