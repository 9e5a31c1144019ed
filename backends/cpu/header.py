"""The C header of a compiled model, m.h beside m.so: written for people, compiled in the tests."""

from __future__ import annotations

from collections.abc import Sequence

from ...dialects.hal import Port
from ...dialects.onnx.types import BY_NUMBER
from ..abi import types_header

_FUNCTIONS = """
typedef struct $PREFIX_instance $PREFIX_instance;

/* Makes an instance: what one thread at a time runs. options may be NULL. Returns 0, or the number of an error: 5010 no memory,
 * 5011 the device failed or is too old, 5012 the weights are missing; *instance is NULL then. */
int32_t $PREFIX_create(const intaglio_options *options, $PREFIX_instance **instance);

/* Ends an instance and the memory of its outputs; NULL is nothing. */
void $PREFIX_destroy($PREFIX_instance *instance);

/* How many inputs and outputs there are, and what they are: NULL for an index that is not there. */
int32_t $PREFIX_num_inputs(void);
int32_t $PREFIX_num_outputs(void);
const intaglio_port *$PREFIX_input(int32_t index);
const intaglio_port *$PREFIX_output(int32_t index);

/* Runs the model. The inputs are only read; the outputs, data and dims, belong to the instance until its next run or its end.
 * Returns 0, or the number of an error that $PREFIX_last_error describes; the outputs are not set then. */
int32_t $PREFIX_run($PREFIX_instance *instance, const intaglio_tensor *inputs, int32_t input_count,
$PAD intaglio_tensor *outputs, int32_t output_count);

/* As run, but an output whose data is not NULL lends memory: of the output's type and rank, of the sizes in dims, aligned as its
 * elements are, apart from other outputs and from what is in lists. Where that holds the output, data stays what it was and the output is
 * the caller's; else, and for strings and lists always, data and dims are as run gives them. dims is the instance's in any case.
 * The memory may be an input's, which the output replaces when the run is done. Where the output begins as this input, such as a cache
 * that the model updates, and both have one address, only what changes is written, at once: after an error the input may have changed. */
int32_t $PREFIX_run_into($PREFIX_instance *instance, const intaglio_tensor *inputs, int32_t input_count,
$PADDED intaglio_tensor *outputs, int32_t output_count);

/* Code, node and message of the last run's error; empty after a run that went well. */
const char *$PREFIX_last_error(const $PREFIX_instance *instance);
"""


def header(prefix: str, inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    """C text; `prefix` is that of the exported functions."""
    guard = f"{prefix.upper()}_H"
    signature = [
        "/* A model compiled by Intaglio. Link with the library beside this header.",
        " *",
        *(f" * input {i}:  {_port(port)}" for i, port in enumerate(inputs)),
        *(f" * output {i}: {_port(port)}" for i, port in enumerate(outputs)),
        " */",
    ]
    functions = _FUNCTIONS.replace("$PREFIX", prefix).replace("$PADDED", " " * (len(prefix) + len("int32_t _run_into")))
    functions = functions.replace("$PAD", " " * (len(prefix) + len("int32_t _run")))
    return "\n".join(
        [
            *signature,
            f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n",
            '#ifdef __cplusplus\nextern "C" {\n#endif\n',
            types_header(),
            functions,
            "#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
        ]
    )


def _port(port: Port) -> str:
    name = _in_comment(port.name)
    if port.is_list:
        return f"{name}: {port.type_name}"
    dims = ", ".join(_in_comment(str(d)) or "?" for d in port.sizes)
    return f"{name}: {BY_NUMBER[port.element].name}[{dims}]"


def _in_comment(text: str) -> str:
    """Names come from the model: nothing in them may begin or end a comment or leave its line."""
    return "".join(c if c.isprintable() else "?" for c in text).replace("*/", "* /").replace("/*", "/ *")
