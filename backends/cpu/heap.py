"""Memory of the host for what a run makes beside tensors, in LLVM IR: texts, lists, sizes. It grows until the next run and goes at once.

`instance` puts the text into every module.
"""

# A chunk's header is 32 bytes, so that what follows is aligned to 16.
HEAP = """
; Memory for as long as the outputs of this run, aligned to 16.
define internal i32 @rt.keep(ptr %self, i64 %bytes, ptr %out) #1 {
  %heap.at = FIELD(instance, %self, heap)
  %status = call i32 @rt.keep.in(ptr %self, ptr %heap.at, i64 %bytes, ptr %out)
  ret i32 %status
}

; The same from a heap of its own, whose newest chunk %heap.at points at.
define internal i32 @rt.keep.in(ptr %self, ptr %heap.at, i64 %bytes, ptr %out) #1 {
entry:
  %head = load ptr, ptr %heap.at, align 8
  %absurd = icmp ugt i64 %bytes, 70368744177664
  br i1 %absurd, label %bad, label %measure
measure:
  %more = add i64 %bytes, 15
  %padded = and i64 %more, -16
  %none = icmp eq ptr %head, null
  br i1 %none, label %fresh, label %look
look:
  %used.at = FIELD(chunk, %head, used)
  %used = load i64, ptr %used.at, align 8
  %room.at = FIELD(chunk, %head, room)
  %room = load i64, ptr %room.at, align 8
  %after = add i64 %used, %padded
  %fits = icmp ule i64 %after, %room
  br i1 %fits, label %take, label %fresh
take:
  store i64 %after, ptr %used.at, align 8
  %place = getelementptr i8, ptr %head, i64 %used
  store ptr %place, ptr %out, align 8
  ret i32 0
fresh:
  %need = add i64 %padded, 32
  %size = call i64 @llvm.smax.i64(i64 %need, i64 32768)
  %chunk = call ptr @malloc(i64 %size)
  %lost = icmp eq ptr %chunk, null
  br i1 %lost, label %bad, label %link
link:
  store ptr %head, ptr %chunk, align 8
  %new.used.at = FIELD(chunk, %chunk, used)
  store i64 %need, ptr %new.used.at, align 8
  %new.room.at = FIELD(chunk, %chunk, room)
  store i64 %size, ptr %new.room.at, align 8
  store ptr %chunk, ptr %heap.at, align 8
  %first = getelementptr i8, ptr %chunk, i64 32
  store ptr %first, ptr %out, align 8
  ret i32 0
bad:
  %failed = call i32 @rt.fail.memory(ptr %self, i64 %bytes)
  ret i32 %failed
}

define internal void @rt.drop(ptr %heap.at) #1 {
entry:
  %head = load ptr, ptr %heap.at, align 8
  store ptr null, ptr %heap.at, align 8
  br label %next
next:
  %chunk = phi ptr [ %head, %entry ], [ %rest, %one ]
  %end = icmp eq ptr %chunk, null
  br i1 %end, label %done, label %one
one:
  %rest = load ptr, ptr %chunk, align 8
  call void @free(ptr %chunk)
  br label %next
done:
  ret void
}

; The host's view of what a buffer holds: the memory itself where the device can map it, else a copy.
define internal i32 @rt.view(ptr %self, ptr %buffer, i64 %offset, i64 %bytes, ptr %out) #1 {
  %device = load ptr, ptr %self, align 8
  %mapped = CALL(map, %device, ptr %buffer, i64 %offset)
  store ptr %mapped, ptr %out, align 8
  %near = icmp ne ptr %mapped, null
  br i1 %near, label %done, label %far
done:
  ret i32 0
far:
  %kept = call i32 @rt.keep(ptr %self, i64 %bytes, ptr %out)
  %lost = icmp ne i32 %kept, 0
  br i1 %lost, label %bad, label %fetch
bad:
  ret i32 %kept
fetch:
  %host = load ptr, ptr %out, align 8
  %read = call i32 @rt.read(ptr %self, ptr %buffer, i64 %offset, ptr %host, i64 %bytes)
  ret i32 %read
}

; A fresh buffer and the host's memory to fill it through; rt.fill moves it there once it is written.
define internal i32 @rt.stage(ptr %self, i64 %bytes, ptr %buffer.at, ptr %host.at) #1 {
  %taken = call i32 @rt.allocate(ptr %self, i64 %bytes, ptr %buffer.at)
  %none = icmp ne i32 %taken, 0
  br i1 %none, label %bad, label %look
bad:
  ret i32 %taken
look:
  %device = load ptr, ptr %self, align 8
  %buffer = load ptr, ptr %buffer.at, align 8
  %mapped = CALL(map, %device, ptr %buffer, i64 0)
  store ptr %mapped, ptr %host.at, align 8
  %near = icmp ne ptr %mapped, null
  br i1 %near, label %done, label %far
done:
  ret i32 0
far:
  %kept = call i32 @rt.keep(ptr %self, i64 %bytes, ptr %host.at)
  ret i32 %kept
}

define internal i32 @rt.fill(ptr %self, ptr %buffer, ptr %host, i64 %bytes) #1 {
  %device = load ptr, ptr %self, align 8
  %mapped = CALL(map, %device, ptr %buffer, i64 0)
  %near = icmp ne ptr %mapped, null
  br i1 %near, label %done, label %far
done:
  ret i32 0
far:
  %written = call i32 @rt.write(ptr %self, ptr %buffer, i64 0, ptr %host, i64 %bytes)
  ret i32 %written
}
"""
