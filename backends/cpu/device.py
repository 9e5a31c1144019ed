"""The CPU as a device, in LLVM IR: a constant struct of functions, no state, in every compiled module; `program` puts it there.

A buffer is an address. An executable is the module's array of pointers to kernels. An instance has a copy of the struct whose context
is its pool of threads, see `threads`; the module's own has none and runs every dispatch on the thread that asks for it.
"""

from __future__ import annotations

from ..abi import DEVICE, IMAGE_FORMAT, Field, expand

# Above any address space; as unsigned numbers negative sizes lie above it too.
_MOST_BYTES = 1 << 48

_FUNCTIONS = f"""
define internal i32 @cpu.allocate(ptr %device, i64 %bytes, ptr %buffer) #0 {{
  %absurd = icmp ugt i64 %bytes, {_MOST_BYTES}
  br i1 %absurd, label %fail, label %take
take:
  ; Whole lines, and never none, so that every buffer has an address of its own.
  %more = add i64 %bytes, 64
  %size = and i64 %more, -64
  %memory = call ptr @aligned_alloc(i64 64, i64 %size)
  %none = icmp eq ptr %memory, null
  br i1 %none, label %fail, label %done
done:
  store ptr %memory, ptr %buffer, align 8
  ret i32 0
fail:
  ret i32 5010
}}

define internal void @cpu.free(ptr %device, ptr %buffer) #0 {{
  call void @free(ptr %buffer)
  ret void
}}

define internal ptr @cpu.wrap(ptr %device, ptr %host, i64 %bytes) #0 {{
  ret ptr %host
}}

define internal ptr @cpu.map(ptr %device, ptr %buffer, i64 %offset) #0 {{
  %host = getelementptr i8, ptr %buffer, i64 %offset
  ret ptr %host
}}

define internal i32 @cpu.upload(ptr %device, ptr %buffer, i64 %offset, ptr %source, i64 %bytes) #0 {{
  %target = getelementptr i8, ptr %buffer, i64 %offset
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %source, i64 %bytes, i1 false)
  ret i32 0
}}

define internal i32 @cpu.download(ptr %device, ptr %buffer, i64 %offset, ptr %target, i64 %bytes) #0 {{
  %source = getelementptr i8, ptr %buffer, i64 %offset
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %source, i64 %bytes, i1 false)
  ret i32 0
}}

define internal i32 @cpu.copy(ptr %device, ptr %source, i64 %source.offset, ptr %target, i64 %target.offset, i64 %bytes) #0 {{
  %from = getelementptr i8, ptr %source, i64 %source.offset
  %to = getelementptr i8, ptr %target, i64 %target.offset
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  ret i32 0
}}

define internal i32 @cpu.fill(ptr %device, ptr %buffer, i64 %offset, i32 %value, i64 %bytes) #0 {{
  %target = getelementptr i8, ptr %buffer, i64 %offset
  %byte = trunc i32 %value to i8
  call void @llvm.memset.p0.i64(ptr %target, i8 %byte, i64 %bytes, i1 false)
  ret i32 0
}}

define internal i32 @cpu.load_executable(ptr %device, ptr %image, ptr %executable) #0 {{
  %format.at = FIELD(image, %image, format)
  %format = load ptr, ptr %format.at, align 8
  %order = call i32 @strcmp(ptr %format, ptr @cpu.format)
  %foreign = icmp ne i32 %order, 0
  br i1 %foreign, label %fail, label %take
take:
  %data.at = FIELD(image, %image, data)
  %data = load ptr, ptr %data.at, align 8
  store ptr %data, ptr %executable, align 8
  ret i32 0
fail:
  ret i32 5011
}}

define internal void @cpu.unload_executable(ptr %device, ptr %executable) #0 {{
  ret void
}}

define internal i32 @cpu.dispatch(ptr %device, ptr %executable, i32 %kernel, i64 %workgroups, i64 %cost,
                                  ptr %buffers, i32 %count, ptr %constants, i32 %constant.count) #0 {{
entry:
  %entry.at = getelementptr ptr, ptr %executable, i32 %kernel
  %function = load ptr, ptr %entry.at, align 8
  %addresses = alloca ptr, i32 %count, align 16
  %any = icmp sgt i32 %count, 0
  br i1 %any, label %next, label %call
next:
  %i = phi i32 [ 0, %entry ], [ %following, %next ]
  %binding = getelementptr %binding, ptr %buffers, i32 %i
  %buffer = load ptr, ptr %binding, align 8
  %offset.at = FIELD(binding, %binding, offset)
  %offset = load i64, ptr %offset.at, align 8
  %address = getelementptr i8, ptr %buffer, i64 %offset
  %address.at = getelementptr ptr, ptr %addresses, i32 %i
  store ptr %address, ptr %address.at, align 8
  %following = add i32 %i, 1
  %again = icmp slt i32 %following, %count
  br i1 %again, label %next, label %call
call:
  %pool.at = FIELD(device, %device, context)
  %pool = load ptr, ptr %pool.at, align 8
  %alone = icmp eq ptr %pool, null
  br i1 %alone, label %whole, label %parts
whole:
  call void %function(ptr %addresses, ptr %constants, i64 0, i64 %workgroups)
  ret i32 0
parts:
  call void @pool.dispatch(ptr %pool, ptr %function, ptr %addresses, ptr %constants, i64 %workgroups, i64 %cost)
  ret i32 0
}}

define internal i32 @cpu.synchronise(ptr %device) #0 {{
  ret i32 0
}}

; The only failures are these two, so the text needs no state to tell them apart.
define internal ptr @cpu.last_error(ptr %device) #0 {{
  ret ptr @cpu.error
}}

define internal void @cpu.destroy(ptr %device) #0 {{
  ret void
}}
"""

_TEXTS = {
    "cpu.format": IMAGE_FORMAT,
    "cpu.name": "cpu",
    "cpu.error": "no memory of that size, or an executable that is not for this device",
}

LIBC = (
    "declare ptr @aligned_alloc(i64, i64)",
    "declare void @free(ptr)",
    "declare i32 @strcmp(ptr, ptr)",
    "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
    "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
)


def cpu_device() -> str:
    """LLVM IR of `@cpu.device` and its functions; the types of `abi.STRUCTS` and `LIBC` are declared elsewhere in the module."""
    texts = [constant_text(name, text) for name, text in _TEXTS.items()]
    return "\n".join([*texts, _table(), expand(_FUNCTIONS)])


def _table() -> str:
    values = [
        f"i64 {8 * len(DEVICE.members)}",
        "ptr @cpu.name",
        "ptr null",
        *(f"ptr @cpu.{member.name}" for member in DEVICE.members if not isinstance(member, Field)),
    ]
    return f"@cpu.device = internal constant %device {{ {', '.join(values)} }}, align 8"


def constant_text(name: str, text: str) -> str:
    """An LLVM constant that holds `text` as UTF-8 and ends in a zero byte."""
    data = text.encode() + b"\0"
    spelt = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:02X}" for byte in data)
    return f'@{name} = private unnamed_addr constant [{len(data)} x i8] c"{spelt}", align 1'
