"""C libraries that a program opens when it first needs them, in LLVM IR: tables of what is wanted of each, and calls through them.

Nothing is linked: the C library's dlopen looks for a library by its names in turn, and a run that finds none fails with the names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .device import constant_text


@dataclass(frozen=True)
class Library:
    """A shared library: what people call it, the names to look for it by, best first, and the functions that are called."""

    key: str
    title: str
    sonames: tuple[str, ...]
    functions: tuple[str, ...]


# Weak, since an old C library has them in one beside it: a program loads there all the same, and says so when it needs them.
TYPES = """
%library = type { i32, ptr, ptr, ptr }
declare extern_weak ptr @dlopen(ptr, i32)
declare extern_weak ptr @dlsym(ptr, ptr)
"""

OPEN = """
; Opens a library once: which of its names was found, counting from 1, or 0. Its functions' addresses are written before that number,
; so that threads who race each other find them, and write the same.
define internal i32 @library.open(ptr %library) #1 {
entry:
  %known = load atomic i32, ptr %library acquire, align 4
  %open = icmp ne i32 %known, 0
  br i1 %open, label %ready, label %begin
ready:
  ret i32 %known
begin:
  %names.at = getelementptr inbounds %library, ptr %library, i32 0, i32 1
  %names = load ptr, ptr %names.at, align 8
  %wanted.at = getelementptr inbounds %library, ptr %library, i32 0, i32 2
  %wanted = load ptr, ptr %wanted.at, align 8
  %found.at = getelementptr inbounds %library, ptr %library, i32 0, i32 3
  %found = load ptr, ptr %found.at, align 8
  %able = icmp ne ptr @dlopen, null
  br i1 %able, label %look, label %none
none:
  ret i32 0
look:
  %n = phi i32 [ 0, %begin ], [ %number, %other ]
  %name.at = getelementptr ptr, ptr %names, i32 %n
  %name = load ptr, ptr %name.at, align 8
  %number = add i32 %n, 1
  %end = icmp eq ptr %name, null
  br i1 %end, label %none, label %try
try:
  ; RTLD_NOW, local.
  %handle = call ptr @dlopen(ptr %name, i32 2)
  %missing = icmp eq ptr %handle, null
  br i1 %missing, label %other, label %next
other:
  br label %look
next:
  %f = phi i32 [ 0, %try ], [ %following, %keep ]
  %function.at = getelementptr ptr, ptr %wanted, i32 %f
  %function = load ptr, ptr %function.at, align 8
  %all = icmp eq ptr %function, null
  br i1 %all, label %done, label %ask
ask:
  %address = call ptr @dlsym(ptr %handle, ptr %function)
  %unknown = icmp eq ptr %address, null
  br i1 %unknown, label %other, label %keep
keep:
  %slot = getelementptr ptr, ptr %found, i32 %f
  store atomic ptr %address, ptr %slot monotonic, align 8
  %following = add i32 %f, 1
  br label %next
done:
  store atomic i32 %number, ptr %library release, align 4
  ret i32 %number
}
"""


def library_table(library: Library) -> str:
    """LLVM IR of `@library.KEY`, which `@library.open` takes."""
    key = library.key
    lines: list[str] = []
    for kind, texts in (("name", library.sonames), ("wanted", library.functions)):
        lines += [constant_text(f"library.{key}.{kind}.{i}", text) for i, text in enumerate(texts)]
        rows = [*(f"ptr @library.{key}.{kind}.{i}" for i in range(len(texts))), "ptr null"]
        lines.append(f"@library.{key}.{kind} = internal constant [{len(rows)} x ptr] [{', '.join(rows)}], align 8")
    lines.append(f"@library.{key}.found = internal global [{len(library.functions)} x ptr] zeroinitializer, align 8")
    tables = ", ".join(f"ptr @library.{key}.{kind}" for kind in ("name", "wanted", "found"))
    lines.append(f"@library.{key} = internal global %library {{ i32 0, {tables} }}, align 8")
    return "\n".join(lines)


def with_calls(text: str, library: Library) -> str:
    """LLVM IR in which a line `USE(type function, arguments)` calls a function of an open library, loading its address first.

    type: the result's, or the whole function's where it takes variable arguments. Raises ValueError for a function not listed.
    """
    calls = 0

    def call(match: re.Match[str]) -> str:
        nonlocal calls
        result, type, function, arguments = match.groups(default="")
        n, at = f"%{library.key}.{calls}", library.functions.index(function)
        calls += 1
        slot = f"getelementptr inbounds (ptr, ptr @library.{library.key}.found, i32 {at})"
        return f"  {n} = load atomic ptr, ptr {slot} monotonic, align 8\n  {result}call {type} {n}({arguments})"

    return re.sub(r"^ *(%[\w.]+ = )?USE\((\w+(?: \(.*?\))?) (\w+), (.*)\)$", call, text, flags=re.MULTILINE)
