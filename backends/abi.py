"""The C structs that cross the border between host programs, devices and callers: one table each, spelt here as C, LLVM IR and ctypes.

The CPU backend takes LLVM types and C headers from it, the session and the null device take ctypes. What stands in these tables is
all there is: a field added here appears in the headers and moves the offsets everywhere. Run as a program, it prints
backends/cpu/intaglio_device.h.
"""

from __future__ import annotations

import ctypes
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

VERSION = 5
"""Counts up when a struct or the meaning of a field changes; a session refuses a module of another version."""

IMAGE_FORMAT = "intaglio-cpu-1"
"""Executable images of the CPU: the data is an array of pointers to kernels, void (void **buffers, int64_t *constants, begin, end)."""


@dataclass(frozen=True)
class Field:
    """A member of a struct, or a parameter: its C type and what it is."""

    ctype: str
    name: str
    doc: str = ""


@dataclass(frozen=True)
class Function:
    """A member that points to a function; `result` is its C type. Its first parameter is the struct itself where `of` is given."""

    result: str
    name: str
    parameters: tuple[Field, ...]
    doc: str
    of: str = "intaglio_device *"


@dataclass(frozen=True)
class Struct:
    """A C struct: `name` without the prefix `intaglio_`."""

    name: str
    doc: str
    members: tuple[Field | Function, ...]

    def index(self, member: str) -> int:
        """The position of a member, as LLVM's getelementptr counts. Raises KeyError for a name that it has not."""
        for i, candidate in enumerate(self.members):
            if candidate.name == member:
                return i
        raise KeyError(f"{self.name} has no member {member}")

    def llvm(self) -> str:
        """The definition of LLVM type `%name`."""
        return f"%{self.name} = type {{ {', '.join(map(llvm_type, self.members))} }}"

    def c(self) -> str:
        """The definition in C, with comments."""
        lines = [f"/* {self.doc} */", f"struct intaglio_{self.name} {{"]
        for member in self.members:
            lines += [f"    /* {member.doc} */", f"    {declaration(member)};"]
        return "\n".join([*lines, "};"])

    def ctypes(self) -> type[ctypes.Structure]:
        """A ctypes class of the same layout; pointers are plain addresses, functions are callable."""
        return _ctypes_class(self)


def _fields(text: str) -> tuple[Field, ...]:
    """Parameters from text such as "int64_t bytes, void *host"."""
    return tuple(Field(*re.findall(r"(.*\W)(\w+)", row)[0]) for row in text.split(", "))


DEVICE = Struct(
    "device",
    "What host programs run on. Functions that return int32_t return 0, or the number of an error whose text last_error() has.\n"
    " * Offsets and sizes are bytes. One device may serve many instances and threads at once, last_error() being its thread's own.",
    (
        Field("int64_t", "size", "sizeof(intaglio_device) where the device was built; host programs refuse a smaller one"),
        Field("const char *", "name", "for messages"),
        Field("void *", "context", "the device's own"),
        Function(
            "int32_t",
            "allocate",
            _fields("int64_t bytes, intaglio_buffer *buffer"),
            "new memory, aligned to 64; negative or absurd sizes fail, 0 does not",
        ),
        Function("void", "free", _fields("intaglio_buffer buffer"), "gives back what allocate gave; NULL is nothing"),
        Function(
            "intaglio_buffer",
            "wrap",
            _fields("void *host, int64_t bytes"),
            "a buffer over memory of the host, never freed, or NULL where the device cannot reach it: allocate and upload then",
        ),
        Function(
            "void *",
            "map",
            _fields("intaglio_buffer buffer, int64_t offset"),
            "the host's address of memory in a buffer, or NULL where it has none: download then",
        ),
        Function(
            "int32_t",
            "upload",
            _fields("intaglio_buffer buffer, int64_t offset, const void *source, int64_t bytes"),
            "copies from the host",
        ),
        Function(
            "int32_t",
            "download",
            _fields("intaglio_buffer buffer, int64_t offset, void *target, int64_t bytes"),
            "copies to the host, when all dispatches before it are done",
        ),
        Function(
            "int32_t",
            "copy",
            _fields("intaglio_buffer source, int64_t source_offset, intaglio_buffer target, int64_t target_offset, int64_t bytes"),
            "copies between ranges that do not overlap",
        ),
        Function(
            "int32_t",
            "fill",
            _fields("intaglio_buffer buffer, int64_t offset, int32_t value, int64_t bytes"),
            "sets every byte to the low byte of value",
        ),
        Function(
            "int32_t",
            "load_executable",
            _fields("const intaglio_image *image, intaglio_executable *executable"),
            "makes kernels ready to dispatch; the image outlives the executable",
        ),
        Function(
            "void", "unload_executable", _fields("intaglio_executable executable"), "the end of what load_executable gave; NULL is nothing"
        ),
        Function(
            "int32_t",
            "dispatch",
            _fields(
                "intaglio_executable executable, int32_t kernel, int64_t workgroups, int64_t cost, "
                "const intaglio_binding *buffers, int32_t buffer_count, const int64_t *constants, int32_t constant_count"
            ),
            "runs one kernel over workgroups 0 to `workgroups`; cost is how many picoseconds one takes, roughly, 0 where it is not known;\n"
            "     * the arrays are read before it returns; dispatches take effect in order",
        ),
        Function("int32_t", "synchronise", (), "waits until every dispatch is done"),
        Function("const char *", "last_error", (), "what this thread's last failure was about; valid until its next call"),
        Function("void", "destroy", (), "the end of the device, called by whoever made it, after every instance"),
    ),
)

BINDING = Struct(
    "binding",
    "A buffer as a kernel gets it.",
    (Field("intaglio_buffer", "buffer", "its handle"), Field("int64_t", "offset", "where the kernel's argument begins in it")),
)

IMAGE = Struct(
    "image",
    "Kernels as a device loads them.",
    (
        Field("const char *", "format", f'what the data is; "{IMAGE_FORMAT}" is an array of function pointers, one a kernel'),
        Field("const void *", "data", "the kernels"),
        Field("int64_t", "bytes", "the size of data"),
        Field("const char *const *", "kernels", "their names; dispatch takes an index into these"),
        Field("int32_t", "kernel_count", "how many there are"),
    ),
)

STRING = Struct(
    "string",
    "A string of any bytes, UTF-8 by custom. Those that a model gives are followed by a zero byte.",
    (
        Field("const char *", "data", "its bytes; may be NULL where there are none"),
        Field("int64_t", "bytes", "how many there are"),
    ),
)

TENSOR = Struct(
    "tensor",
    "A value. A tensor is an array in row-major order without gaps: a bool is a byte of 0 or 1, types below a byte take one byte an\n"
    " * element, a string is an intaglio_string. A sequence, an optional or a map is an array of intaglio_tensor, with type 0 and rank 1:\n"
    " * a sequence has its members, an optional no or one item, a map its keys and its values, two tensors of rank 1.",
    (
        Field("void *", "data", "its elements; may be NULL where there are none"),
        Field("int32_t", "type", "element type, a number of onnx.TensorProto.DataType: 1 is float"),
        Field("int32_t", "rank", "how many dimensions"),
        Field("const int64_t *", "dims", "their sizes"),
    ),
)

KINDS = ("tensor", "sequence", "optional", "map")
"""What a port's `kind` counts."""

PORT = Struct(
    "port",
    "What one input or output is.",
    (
        Field("const char *", "name", "UTF-8"),
        Field("const char *", "type_name", 'the element type\'s name, such as "float"; of what is no tensor such as "seq(tensor(float))"'),
        Field("int32_t", "type", "element type, as in intaglio_tensor"),
        Field("int32_t", "element_bytes", "the size of one element"),
        Field("int32_t", "rank", "how many dimensions; -1 where items of a list may have any"),
        Field("int32_t", "has_default", "1 for an input that may be left out: pass a tensor whose data and dims are NULL"),
        Field("const int64_t *", "dims", "the size of each dimension, -1 where it is open"),
        Field("const char *const *", "dim_names", "the name of each open dimension, else NULL; one name has one size in a run"),
        Field("int64_t", "default_offset", "where the default stands among the weights"),
        Field("const int64_t *", "default_dims", "the dimensions of the default"),
        Field("int32_t", "kind", "0 a tensor, 1 a sequence, 2 an optional, 3 a map"),
        Field("int32_t", "item_count", "how many ports describe its items: none for a tensor, two for a map, else one"),
        Field("const intaglio_port *", "items", "the port of every item; of a map's keys, then of its values"),
    ),
)

OPTIONS = Struct(
    "options",
    "How to create an instance; zeros are the defaults, and so is all that lies beyond its size.",
    (
        Field("int64_t", "size", "sizeof(intaglio_options)"),
        Field("intaglio_device *", "device", "what to run on; NULL for the CPU"),
        Field("const void *", "weights", "the weights, in place of those inside the module; NULL for these"),
        Function(
            "int32_t",
            "decode_image",
            _fields("void *context, const void *data, int64_t bytes, int64_t *height, int64_t *width, void *pixels"),
            "decodes a JPEG, JPEG 2000, PNG, TIFF or WebP image in place of the libraries that a run opens for it; NULL for these.\n"
            "     * Called with pixels NULL for the height and width, then with room for height * width * 3 bytes, red first.\n"
            "     * Returns 0, 1 for data that is no image, 2 to leave it to the libraries after all; any other number ends the run",
            of="",
        ),
        Field("void *", "decode_context", "what decode_image gets as its context"),
        Field(
            "int32_t",
            "num_threads",
            "threads of the CPU that a run may take, the caller's among them; 0 for as many as INTAGLIO_NUM_THREADS says, else as\n"
            "     * the process may use by its affinity and the quotas of its control groups",
        ),
        Function(
            "void",
            "parallel_for",
            _fields("void *context, intaglio_task task, void *task_context, int64_t count, int64_t grain"),
            "the program's own threads, in place of the instance's; NULL for these. Calls task(task_context, begin, end) for ranges\n"
            "     * that cover 0 to count once, from any threads, and returns when all have returned; ranges shorter than grain cost more\n"
            "     * than they give",
            of="",
        ),
        Field("void *", "parallel_context", "what parallel_for gets as its context"),
    ),
)

SITE = Struct(
    "site",
    "A place in the host program that a profile has figures of.",
    (
        Field("const char *", "name", "the kernel's, or what else the host program does there"),
        Field("int32_t", "counts_operations", "1 where the number of arithmetic operations is known"),
        Field("int32_t", "node_count", "how many nodes of the model it is part of"),
        Field("const char *const *", "nodes", "their names, UTF-8, the one first that most of the work is for"),
    ),
)

RECORD = Struct(
    "record",
    "What an instance's profile has of a site, of all runs together.",
    (
        Field("int64_t", "count", "how often it ran"),
        Field("int64_t", "nanoseconds", "the time of all"),
        Field("int64_t", "least_nanoseconds", "the shortest time of one"),
        Field("int64_t", "bytes", "that had to be read and written at least"),
        Field("int64_t", "operations", "of arithmetic on elements"),
    ),
)

MODULE = Struct(
    "module",
    "The functions of a compiled model, as the symbol intaglio_module has them for programs that load it by name.",
    (
        Field("int64_t", "version", "of these structs"),
        Field("const char *", "prefix", "of the exported functions"),
        Field("int32_t", "input_count", "how many inputs"),
        Field("int32_t", "output_count", "how many outputs"),
        Field("const intaglio_port *", "inputs", "what they are"),
        Field("const intaglio_port *", "outputs", "what they are"),
        Field("const intaglio_image *", "image", "the kernels"),
        Field("intaglio_device *", "device", "the CPU"),
        Field("int64_t", "weight_bytes", "the size of all weights"),
        Function("int32_t", "create", _fields("const intaglio_options *options, void **instance"), "makes an instance", of=""),
        Function(
            "int32_t",
            "run",
            _fields("void *instance, const intaglio_tensor *inputs, int32_t input_count, intaglio_tensor *outputs, int32_t output_count"),
            "runs the model",
            of="",
        ),
        Function(
            "int32_t",
            "run_into",
            _fields("void *instance, const intaglio_tensor *inputs, int32_t input_count, intaglio_tensor *outputs, int32_t output_count"),
            "runs the model, and leaves outputs in memory of the caller's where it lends some",
            of="",
        ),
        Function("const char *", "last_error", _fields("void *instance"), "what the last failure was", of=""),
        Function("void", "destroy", _fields("void *instance"), "the end of an instance", of=""),
        Field("int32_t", "site_count", "how many sites the profile has; 0 where none is kept"),
        Field("const intaglio_site *", "sites", "what they are"),
        Function("void *", "profile", _fields("void *instance"), "an instance's records, one a site; it may be cleared", of=""),
    ),
)

MODULE_SYMBOL = "intaglio_module"

TASK = """/* A part of a run's work, from begin to end; see parallel_for. */
typedef void (*intaglio_task)(void *context, int64_t begin, int64_t end);"""

# In the order that C needs.
STRUCTS = (BINDING, IMAGE, DEVICE, STRING, TENSOR, PORT, OPTIONS, SITE, RECORD, MODULE)

_SCALARS: dict[str, tuple[str, Any]] = {
    "int32_t": ("i32", ctypes.c_int32),
    "int64_t": ("i64", ctypes.c_int64),
    "void": ("void", None),
    "const char *": ("ptr", ctypes.c_char_p),
}


def llvm_type(member: Field | Function) -> str:
    """The LLVM type of a field; every pointer is `ptr`."""
    return "ptr" if isinstance(member, Function) else _SCALARS.get(member.ctype.strip(), ("ptr", None))[0]


def signature(function: Function) -> str:
    """The LLVM type of a function, `result (parameters)`."""
    parameters = [*(["ptr"] if function.of else []), *map(llvm_type, function.parameters)]
    return f"{llvm_type(Field(function.result, ''))} ({', '.join(parameters)})"


def declaration(member: Field | Function, name: str | None = None) -> str:
    """A member as C declares it."""
    if isinstance(member, Field):
        return _c(member.ctype, name or member.name)
    first = [_c(member.of, "device")] if member.of else []
    parameters = ", ".join([*first, *(declaration(p) for p in member.parameters)]) or "void"
    return f"{_c(member.result, f'(*{name or member.name})')}({parameters})"


def _c(ctype: str, name: str) -> str:
    return f"{ctype}{'' if ctype.endswith(('*', ' ')) else ' '}{name}"


@cache
def types_header() -> str:
    """C definitions that callers of a compiled model need, guarded so that several generated headers may be included."""
    names = "\n".join(f"typedef struct intaglio_{s.name} intaglio_{s.name};" for s in (DEVICE, STRING, TENSOR, PORT, OPTIONS))
    body = "\n\n".join([*(s.c() for s in (STRING, TENSOR, PORT)), TASK, OPTIONS.c()])
    return f"#ifndef INTAGLIO_TYPES_{VERSION}\n#define INTAGLIO_TYPES_{VERSION}\n\n{names}\n\n{body}\n\n#endif"


@cache
def device_header() -> str:
    """The C header for those who write a device: intaglio_device.h."""
    handles = "typedef void *intaglio_buffer;\ntypedef void *intaglio_executable;"
    names = "\n".join(f"typedef struct intaglio_{s.name} intaglio_{s.name};" for s in (BINDING, IMAGE, DEVICE))
    body = "\n\n".join(s.c() for s in (BINDING, IMAGE, DEVICE))
    return (
        "/* The device struct that compiled models run on. Generated from backends/abi.py. */\n"
        "#ifndef INTAGLIO_DEVICE_H\n#define INTAGLIO_DEVICE_H\n\n#include <stdint.h>\n\n"
        f'#ifdef __cplusplus\nextern "C" {{\n#endif\n\n{handles}\n{names}\n\n{body}\n\n'
        "#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
    )


@cache
def _ctypes_class(struct: Struct) -> type[ctypes.Structure]:
    fields = [(member.name, ctypes_type(member)) for member in struct.members]
    return type(struct.name.capitalize(), (ctypes.Structure,), {"_fields_": fields, "__doc__": struct.doc})


def ctypes_type(member: Field | Function) -> Any:
    """The ctypes type of a member: addresses are c_void_p, texts c_char_p, functions a prototype."""
    if isinstance(member, Field):
        return _SCALARS.get(member.ctype.strip(), ("ptr", ctypes.c_void_p))[1]
    first = [ctypes.c_void_p] if member.of else []
    # A callback cannot return a c_char_p: texts are returned as addresses.
    result = ctypes.c_void_p if member.result.endswith("*") else ctypes_type(Field(member.result, ""))
    return ctypes.CFUNCTYPE(result, *first, *map(ctypes_type, member.parameters))


MEMBERS: dict[str, tuple[str, ...]] = {struct.name: tuple(member.name for member in struct.members) for struct in STRUCTS}
"""The members of each struct, in order, as `expand` takes them."""


def expand(text: str, members: Mapping[str, Sequence[str]] = MEMBERS) -> str:
    """LLVM IR text in which `FIELD(struct, pointer, member)` is the address of a member and `CALL(function, device, arguments)`
    calls a device's function, loading it first. A CALL begins a line and ends one.

    members: of each LLVM struct type, in order. Raises KeyError or ValueError for a struct or member that is not there.
    """
    calls = itertools.count(1)

    def field(match: re.Match[str]) -> str:
        struct, pointer, member = match.groups()
        return f"getelementptr inbounds %{struct}, ptr {pointer}, i32 0, i32 {members[struct].index(member)}"

    def call(match: re.Match[str]) -> str:
        result, name, device, arguments = match.groups(default="")
        index = DEVICE.index(name)
        function = DEVICE.members[index]
        assert isinstance(function, Function)
        n = next(calls)
        return (
            f"  %call.{n}.at = getelementptr inbounds %device, ptr {device}, i32 0, i32 {index}\n"
            f"  %call.{n} = load ptr, ptr %call.{n}.at, align 8\n"
            f"  {result}call {llvm_type(Field(function.result, ''))} %call.{n}(ptr {device}{arguments})"
        )

    text = re.sub(r"FIELD\((\w+), ([%@][\w.]+), (\w+)\)", field, text)
    return re.sub(r"^ *(%[\w.]+ = )?CALL\((\w+), (%[\w.]+)(, [^()]*)?\)$", call, text, flags=re.MULTILINE)


if __name__ == "__main__":
    print(device_header(), end="")
