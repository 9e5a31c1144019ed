"""Decoding images on the host, in LLVM IR: by the caller's own function where an instance has one, else by C libraries opened for it.

`program` puts the text into modules that decode images. An image is untrusted: its size is held against a limit before memory is taken
for it, and whatever a decoder refuses is no image. Each decoder returns 0, 1 for data it cannot decode or 2 where it is not installed;
it asks `@image.place` for memory, which notes what went wrong there in the picture's status.
"""

from __future__ import annotations

from ...dialects.dispatch import MOST_PIXELS
from ..abi import expand
from .codecs import CODECS
from .device import constant_text
from .instance import ERROR_BYTES, MEMBERS_HERE
from .libraries import OPEN, TYPES, library_table, with_calls

_PICTURE = {
    "self": "ptr",
    # What an error's text begins with.
    "about": "ptr",
    # Where the buffer's handle is left; and the memory of the host in its place, where the device cannot map it.
    "out": "ptr",
    "staging": "ptr",
    "height": "i64",
    "width": "i64",
    "status": "i32",
}

MEMBERS = {**MEMBERS_HERE, "picture": tuple(_PICTURE), "signature": ("offset", "bytes", "text", "kind")}

_TEXTS = {
    "say.pixels": "ITG5071 %sthe image is of %lld by %lld pixels, more than the 2^28 that are decoded",
    "say.library": "ITG5070 %sthis %s image takes %s (%s), which is not installed",
    "say.decoder": "ITG5072 %sthe decoder that the caller gave failed with %d",
}

_STEPS = """
; Takes memory for the pixels of an image: its address, or NULL. %each: bytes of a pixel as the decoder writes them.
define internal ptr @image.place(ptr %picture, i64 %height, i64 %width, i64 %each) #1 {
  %status.at = FIELD(picture, %picture, status)
  %self = load ptr, ptr %picture, align 8
  %error = FIELD(instance, %self, error)
  %tall = icmp sgt i64 %height, 0
  %wide = icmp sgt i64 %width, 0
  %some = and i1 %tall, %wide
  br i1 %some, label %measure, label %none
measure:
  %tall.enough = icmp ule i64 %height, $MOST_PIXELS
  %wide.enough = icmp ule i64 %width, $MOST_PIXELS
  %each.enough = and i1 %tall.enough, %wide.enough
  %wide.known = select i1 %each.enough, i64 %width, i64 $MOST_PIXELS
  %tall.known = select i1 %each.enough, i64 %height, i64 $MOST_PIXELS
  %pixels = mul i64 %wide.known, %tall.known
  %fit = icmp ule i64 %pixels, $MOST_PIXELS
  br i1 %fit, label %take, label %large
large:
  %about.at = FIELD(picture, %picture, about)
  %about = load ptr, ptr %about.at, align 8
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.pixels, ptr %about, i64 %width, i64 %height)
  store i32 5071, ptr %status.at, align 4
  br label %none
take:
  %height.at = FIELD(picture, %picture, height)
  store i64 %height, ptr %height.at, align 8
  %width.at = FIELD(picture, %picture, width)
  store i64 %width, ptr %width.at, align 8
  %out.at = FIELD(picture, %picture, out)
  %out = load ptr, ptr %out.at, align 8
  %bytes = mul i64 %pixels, %each
  %taken = call i32 @rt.allocate(ptr %self, i64 %bytes, ptr %out)
  %lacking = icmp ne i32 %taken, 0
  br i1 %lacking, label %bad.memory, label %find
find:
  %device = load ptr, ptr %self, align 8
  %buffer = load ptr, ptr %out, align 8
  %mapped = CALL(map, %device, ptr %buffer, i64 0)
  %far = icmp eq ptr %mapped, null
  br i1 %far, label %stage, label %near
near:
  ret ptr %mapped
stage:
  %staging.at = FIELD(picture, %picture, staging)
  %staging = call ptr @malloc(i64 %bytes)
  store ptr %staging, ptr %staging.at, align 8
  %no.staging = icmp eq ptr %staging, null
  br i1 %no.staging, label %bad.staging, label %staged
staged:
  ret ptr %staging
bad.staging:
  %failed = call i32 @rt.fail.memory(ptr %self, i64 %bytes)
  br label %bad.memory
bad.memory:
  %status = phi i32 [ %taken, %take ], [ %failed, %bad.staging ]
  store i32 %status, ptr %status.at, align 4
  br label %none
none:
  ret ptr null
}

; Which of the formats the data begins as, 0 for none.
define internal i32 @image.kind(ptr %data, i64 %bytes) #1 {
entry:
  br label %next
next:
  %i = phi i32 [ 0, %entry ], [ %following, %other ]
  %more = icmp ult i32 %i, $SIGNATURES
  br i1 %more, label %look, label %none
look:
  %signature = getelementptr inbounds %signature, ptr @image.signatures, i32 %i
  %offset = load i64, ptr %signature, align 8
  %length.at = FIELD(signature, %signature, bytes)
  %length = load i64, ptr %length.at, align 8
  %text.at = FIELD(signature, %signature, text)
  %text = load ptr, ptr %text.at, align 8
  %end = add i64 %offset, %length
  %there = icmp ule i64 %end, %bytes
  br i1 %there, label %compare, label %other
compare:
  %place = getelementptr i8, ptr %data, i64 %offset
  %order = call i32 @memcmp(ptr %place, ptr %text, i64 %length)
  %same = icmp eq i32 %order, 0
  br i1 %same, label %found, label %other
other:
  %following = add i32 %i, 1
  br label %next
found:
  %kind.at = FIELD(signature, %signature, kind)
  %kind = load i32, ptr %kind.at, align 4
  ret i32 %kind
none:
  ret i32 0
}

; Packs pixels of four bytes to their first three, in place.
define internal void @image.pack(ptr %pixels, i64 %count) #1 {
entry:
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %following, %one ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %one, label %done
one:
  %source.offset = mul i64 %i, 4
  %target.offset = mul i64 %i, 3
  %source = getelementptr i8, ptr %pixels, i64 %source.offset
  %target = getelementptr i8, ptr %pixels, i64 %target.offset
  %rgba = load <4 x i8>, ptr %source, align 1
  %rgb = shufflevector <4 x i8> %rgba, <4 x i8> poison, <3 x i32> <i32 0, i32 1, i32 2>
  store <3 x i8> %rgb, ptr %target, align 1
  %following = add i64 %i, 1
  br label %next
done:
  ret void
}

; The caller's function: first for the size, then for the pixels.
define internal i32 @image.caller(ptr %picture, ptr %function, ptr %data, i64 %bytes) #1 {
  %height.at = alloca i64, align 8
  %width.at = alloca i64, align 8
  store i64 0, ptr %height.at, align 8
  store i64 0, ptr %width.at, align 8
  %self = load ptr, ptr %picture, align 8
  %context.at = FIELD(instance, %self, decode_context)
  %context = load ptr, ptr %context.at, align 8
  %asked = call i32 %function(ptr %context, ptr %data, i64 %bytes, ptr %height.at, ptr %width.at, ptr null)
  switch i32 %asked, label %failed [
    i32 0, label %place
    i32 1, label %no.image
    i32 2, label %leave
  ]
no.image:
  ret i32 1
leave:
  ret i32 2
place:
  %height = load i64, ptr %height.at, align 8
  %width = load i64, ptr %width.at, align 8
  %pixels = call ptr @image.place(ptr %picture, i64 %height, i64 %width, i64 3)
  %unplaced = icmp eq ptr %pixels, null
  br i1 %unplaced, label %no.image, label %decode
decode:
  %done = call i32 %function(ptr %context, ptr %data, i64 %bytes, ptr %height.at, ptr %width.at, ptr %pixels)
  switch i32 %done, label %failed [
    i32 0, label %good
    i32 1, label %no.image
    i32 2, label %no.image
  ]
good:
  ret i32 0
failed:
  %returned = phi i32 [ %asked, %0 ], [ %done, %decode ]
  %error = FIELD(instance, %self, error)
  %about.at = FIELD(picture, %picture, about)
  %about = load ptr, ptr %about.at, align 8
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.decoder, ptr %about, i32 %returned)
  %status.at = FIELD(picture, %picture, status)
  store i32 5072, ptr %status.at, align 4
  ret i32 1
}

; Whether the data could be decoded, 0 if so; the picture says the rest.
define internal i32 @image.decode(ptr %picture, ptr %data, i64 %bytes) #1 {
  %kind = call i32 @image.kind(ptr %data, i64 %bytes)
  %unknown = icmp eq i32 %kind, 0
  br i1 %unknown, label %no.image, label %ask
no.image:
  ret i32 1
ask:
  %self = load ptr, ptr %picture, align 8
  %function.at = FIELD(instance, %self, decode_image)
  %function = load ptr, ptr %function.at, align 8
  %none = icmp eq ptr %function, null
  br i1 %none, label %libraries, label %caller
caller:
  %called = call i32 @image.caller(ptr %picture, ptr %function, ptr %data, i64 %bytes)
  %left = icmp eq i32 %called, 2
  br i1 %left, label %libraries, label %done
done:
  ret i32 %called
libraries:
  %at = sub i32 %kind, 1
  %codec.at = getelementptr inbounds [$CODECS x ptr], ptr @image.codecs, i32 0, i32 %at
  %codec = load ptr, ptr %codec.at, align 8
  %decoded = call i32 %codec(ptr %picture, ptr %data, i64 %bytes)
  %lacking = icmp eq i32 %decoded, 2
  br i1 %lacking, label %missing, label %tried
tried:
  ret i32 %decoded
missing:
  %format.at = getelementptr inbounds [$CODECS x [3 x ptr]], ptr @image.needs, i32 0, i32 %at
  %format = load ptr, ptr %format.at, align 8
  %title.at = getelementptr inbounds [$CODECS x [3 x ptr]], ptr @image.needs, i32 0, i32 %at, i32 1
  %title = load ptr, ptr %title.at, align 8
  %names.at = getelementptr inbounds [$CODECS x [3 x ptr]], ptr @image.needs, i32 0, i32 %at, i32 2
  %names = load ptr, ptr %names.at, align 8
  %error = FIELD(instance, %self, error)
  %about.at = FIELD(picture, %picture, about)
  %about = load ptr, ptr %about.at, align 8
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES,
      ptr @say.library, ptr %about, ptr %format, ptr %title, ptr %names)
  %status.at = FIELD(picture, %picture, status)
  store i32 5070, ptr %status.at, align 4
  ret i32 1
}

; Decodes an image of that many bytes to a new buffer, %out; *dims are its height and width, 0 for what is no image.
define internal i32 @rt.decode_image(ptr %self, ptr %buffer, i64 %offset, i64 %bytes, ptr %about, ptr %out, ptr %dims) #1 {
entry:
  %picture = alloca %picture, align 8
  store %picture zeroinitializer, ptr %picture, align 8
  store ptr %self, ptr %picture, align 8
  %about.at = FIELD(picture, %picture, about)
  store ptr %about, ptr %about.at, align 8
  %out.at = FIELD(picture, %picture, out)
  store ptr %out, ptr %out.at, align 8
  store ptr null, ptr %out, align 8
  store i64 0, ptr %dims, align 8
  %width.out = getelementptr i64, ptr %dims, i32 1
  store i64 0, ptr %width.out, align 8
  %device = load ptr, ptr %self, align 8
  %mapped = CALL(map, %device, ptr %buffer, i64 %offset)
  %far = icmp eq ptr %mapped, null
  br i1 %far, label %fetch, label %look
fetch:
  %room = add i64 %bytes, 1
  %copy = call ptr @malloc(i64 %room)
  %no.copy = icmp eq ptr %copy, null
  br i1 %no.copy, label %bad.memory, label %read
bad.memory:
  %failed = call i32 @rt.fail.memory(ptr %self, i64 %bytes)
  ret i32 %failed
read:
  %fetched = call i32 @rt.read(ptr %self, ptr %buffer, i64 %offset, ptr %copy, i64 %bytes)
  %lost = icmp ne i32 %fetched, 0
  br i1 %lost, label %bad.read, label %look
bad.read:
  call void @free(ptr %copy)
  ret i32 %fetched
look:
  %data = phi ptr [ %mapped, %entry ], [ %copy, %read ]
  %held = phi ptr [ null, %entry ], [ %copy, %read ]
  %decoded = call i32 @image.decode(ptr %picture, ptr %data, i64 %bytes)
  call void @free(ptr %held)
  %staging.at = FIELD(picture, %picture, staging)
  %staging = load ptr, ptr %staging.at, align 8
  %status.at = FIELD(picture, %picture, status)
  %status = load i32, ptr %status.at, align 4
  %refused = icmp ne i32 %status, 0
  br i1 %refused, label %done, label %judge
judge:
  %good = icmp eq i32 %decoded, 0
  br i1 %good, label %give, label %nothing
nothing:
  ; The result is a buffer all the same.
  %empty = call i32 @rt.allocate(ptr %self, i64 0, ptr %out)
  br label %done
give:
  %height.at = FIELD(picture, %picture, height)
  %height = load i64, ptr %height.at, align 8
  %width.at = FIELD(picture, %picture, width)
  %width = load i64, ptr %width.at, align 8
  store i64 %height, ptr %dims, align 8
  store i64 %width, ptr %width.out, align 8
  %near = icmp eq ptr %staging, null
  br i1 %near, label %done, label %upload
upload:
  %pixels = mul i64 %height, %width
  %size = mul i64 %pixels, 3
  %place = load ptr, ptr %out, align 8
  %written = call i32 @rt.write(ptr %self, ptr %place, i64 0, ptr %staging, i64 %size)
  br label %done
done:
  %result = phi i32 [ %status, %look ], [ %empty, %nothing ], [ 0, %give ], [ %written, %upload ]
  call void @free(ptr %staging)
  ret i32 %result
}
"""

LIBC = (
    "declare i32 @memcmp(ptr, ptr, i64)",
    "declare i32 @llvm.umin.i32(i32, i32)",
    "declare i32 @llvm.smin.i32(i32, i32)",
    "declare i32 @llvm.smax.i32(i32, i32)",
    "declare i64 @llvm.smin.i64(i64, i64)",
    "declare i64 @llvm.smax.i64(i64, i64)",
)


def image_functions() -> str:
    """LLVM IR of `@rt.decode_image` and all it needs beside the steps of `instance`."""
    types = [f"%picture = type {{ {', '.join(_PICTURE.values())} }}", "%signature = type { i64, i64, ptr, i32 }"]
    texts = [constant_text(name, text) for name, text in _TEXTS.items()]
    steps = _STEPS.replace("$MOST_PIXELS", str(MOST_PIXELS)).replace("$ERROR_BYTES", str(ERROR_BYTES))
    steps = steps.replace("$SIGNATURES", str(sum(len(c.signatures) for c in CODECS))).replace("$CODECS", str(len(CODECS)))
    codecs = [f"{library_table(c.library)}\n{with_calls(c.text, c.library)}" for c in CODECS]
    return "\n".join([TYPES, *types, *texts, OPEN, *_tables(), expand(steps, MEMBERS), *codecs])


def _tables() -> list[str]:
    signatures: list[str] = []
    needs: list[str] = []
    lines: list[str] = []
    for kind, codec in enumerate(CODECS):
        for offset, text in codec.signatures:
            name = f"image.signature.{len(signatures)}"
            lines.append(f"@{name} = private constant [{len(text)} x i8] [{', '.join(f'i8 {byte}' for byte in text)}]")
            signatures.append(f"%signature {{ i64 {offset}, i64 {len(text)}, ptr @{name}, i32 {kind + 1} }}")
        told = {"format": codec.format, "title": codec.library.title, "names": " or ".join(codec.library.sonames)}
        lines += [constant_text(f"image.{part}.{kind}", text) for part, text in told.items()]
        needs.append(f"[3 x ptr] [{', '.join(f'ptr @image.{part}.{kind}' for part in told)}]")
    functions = ", ".join(f"ptr @image.{codec.name}" for codec in CODECS)
    return [
        *lines,
        f"@image.signatures = internal constant [{len(signatures)} x %signature] [{', '.join(signatures)}], align 8",
        f"@image.codecs = internal constant [{len(CODECS)} x ptr] [{functions}], align 8",
        f"@image.needs = internal constant [{len(CODECS)} x [3 x ptr]] [{', '.join(needs)}], align 8",
    ]
