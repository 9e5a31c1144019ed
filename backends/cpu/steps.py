"""What the host program does by calls, in LLVM IR: memory, dispatches, reads and checks; and how each of them fails.

`instance` puts the text into every module, having filled in the names that begin with a dollar sign.
"""

ERRORS = """
; Sets the error to a text with places for three numbers at most; returns the status given, so that callers can `ret` it.
define internal i32 @rt.fail(ptr %self, i32 %status, ptr %text, i64 %first, i64 %second, i64 %third) #1 {
  %error = FIELD(instance, %self, error)
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr %text, i64 %first, i64 %second, i64 %third)
  ret i32 %status
}

define internal i32 @rt.fail.memory(ptr %self, i64 %bytes) #1 {
  %device = load ptr, ptr %self, align 8
  %name.at = FIELD(device, %device, name)
  %name = load ptr, ptr %name.at, align 8
  %why = CALL(last_error, %device)
  %error = FIELD(instance, %self, error)
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.memory, ptr %name, i64 %bytes, ptr %why)
  ret i32 5010
}

; What a device's function returned: 0 goes through, all else becomes ITG5011 with the device's own words.
define internal i32 @rt.expect(ptr %self, i32 %status, ptr %step) #1 {
  %good = icmp eq i32 %status, 0
  br i1 %good, label %done, label %bad
done:
  ret i32 0
bad:
  %device = load ptr, ptr %self, align 8
  %name.at = FIELD(device, %device, name)
  %name = load ptr, ptr %name.at, align 8
  %why = CALL(last_error, %device)
  %error = FIELD(instance, %self, error)
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.device, ptr %name, ptr %step, ptr %why)
  ret i32 5011
}
"""

STEPS = """
; Notes a buffer to be given back when the run ends.
define internal i32 @rt.note(ptr %self, ptr %buffer) #1 {
  %node = call ptr @malloc(i64 16)
  %none = icmp eq ptr %node, null
  br i1 %none, label %bad, label %good
good:
  %head.at = FIELD(instance, %self, transients)
  %head = load ptr, ptr %head.at, align 8
  store ptr %head, ptr %node, align 8
  %buffer.at = FIELD(transient, %node, buffer)
  store ptr %buffer, ptr %buffer.at, align 8
  store ptr %node, ptr %head.at, align 8
  ret i32 0
bad:
  %device = load ptr, ptr %self, align 8
  CALL(free, %device, ptr %buffer)
  %status = call i32 @rt.fail.memory(ptr %self, i64 16)
  ret i32 %status
}

define internal i32 @rt.allocate(ptr %self, i64 %bytes, ptr %out) #1 {
  %device = load ptr, ptr %self, align 8
  %status = CALL(allocate, %device, i64 %bytes, ptr %out)
  %good = icmp eq i32 %status, 0
  br i1 %good, label %note, label %bad
note:
  %buffer = load ptr, ptr %out, align 8
  %noted = call i32 @rt.note(ptr %self, ptr %buffer)
  ret i32 %noted
bad:
  %failed = call i32 @rt.fail.memory(ptr %self, i64 %bytes)
  ret i32 %failed
}

define internal i32 @rt.arena(ptr %self, i64 %bytes, ptr %out) #1 {
  %device = load ptr, ptr %self, align 8
  %arena.at = FIELD(instance, %self, arena)
  %arena.bytes.at = FIELD(instance, %self, arena_bytes)
  %taken.at = FIELD(instance, %self, arena_taken)
  %arena = load ptr, ptr %arena.at, align 8
  %arena.bytes = load i64, ptr %arena.bytes.at, align 8
  %taken = load i32, ptr %taken.at, align 4
  store i32 1, ptr %taken.at, align 4
  ; Unsigned: a negative size is more than any arena has, and fails below.
  %large = icmp uge i64 %arena.bytes, %bytes
  %some = icmp ne ptr %arena, null
  %enough = and i1 %large, %some
  br i1 %enough, label %reuse, label %replace
reuse:
  store ptr %arena, ptr %out, align 8
  ret i32 0
replace:
  store ptr null, ptr %arena.at, align 8
  store i64 0, ptr %arena.bytes.at, align 8
  %used = icmp ne i32 %taken, 0
  %keep = and i1 %used, %some
  br i1 %keep, label %retire, label %drop
retire:
  ; This run holds slices of the smaller one.
  %noted = call i32 @rt.note(ptr %self, ptr %arena)
  %lost = icmp ne i32 %noted, 0
  br i1 %lost, label %out.of.memory, label %grow
out.of.memory:
  ret i32 %noted
drop:
  CALL(free, %device, ptr %arena)
  br label %grow
grow:
  %status = CALL(allocate, %device, i64 %bytes, ptr %out)
  %good = icmp eq i32 %status, 0
  br i1 %good, label %take, label %bad
take:
  %new = load ptr, ptr %out, align 8
  store ptr %new, ptr %arena.at, align 8
  store i64 %bytes, ptr %arena.bytes.at, align 8
  ret i32 0
bad:
  %failed = call i32 @rt.fail.memory(ptr %self, i64 %bytes)
  ret i32 %failed
}

define internal i32 @rt.dispatch(ptr %self, i32 %kernel, i64 %workgroups, i64 %cost, ptr %buffers, i32 %count, ptr %constants,
                                 i32 %constant.count) #1 {
  %device = load ptr, ptr %self, align 8
  %executable.at = FIELD(instance, %self, executable)
  %executable = load ptr, ptr %executable.at, align 8
  %some = icmp sgt i64 %workgroups, 0
  br i1 %some, label %go, label %done
go:
  %status = CALL(dispatch, %device, ptr %executable, i32 %kernel, i64 %workgroups, i64 %cost, ptr %buffers, i32 %count,
                 ptr %constants, i32 %constant.count)
  %good = icmp eq i32 %status, 0
  br i1 %good, label %done, label %bad
done:
  ret i32 0
bad:
  %name.at = getelementptr ptr, ptr @kernel.names, i32 %kernel
  %name = load ptr, ptr %name.at, align 8
  %failed = call i32 @rt.expect(ptr %self, i32 %status, ptr %name)
  ret i32 %failed
}

define internal i32 @rt.copy(ptr %self, ptr %source, i64 %source.offset, ptr %target, i64 %target.offset, i64 %bytes) #1 {
  %some = icmp sgt i64 %bytes, 0
  ; An output that lies over the input it begins as.
  %same.buffer = icmp eq ptr %source, %target
  %same.offset = icmp eq i64 %source.offset, %target.offset
  %same = and i1 %same.buffer, %same.offset
  %apart = xor i1 %same, true
  %needed = and i1 %some, %apart
  br i1 %needed, label %go, label %done
done:
  ret i32 0
go:
  %device = load ptr, ptr %self, align 8
  %status = CALL(copy, %device, ptr %source, i64 %source.offset, ptr %target, i64 %target.offset, i64 %bytes)
  %failed = call i32 @rt.expect(ptr %self, i32 %status, ptr @step.copy)
  ret i32 %failed
}

define internal i32 @rt.read(ptr %self, ptr %buffer, i64 %offset, ptr %target, i64 %bytes) #1 {
  %device = load ptr, ptr %self, align 8
  %status = CALL(download, %device, ptr %buffer, i64 %offset, ptr %target, i64 %bytes)
  %failed = call i32 @rt.expect(ptr %self, i32 %status, ptr @step.download)
  ret i32 %failed
}

define internal i32 @rt.write(ptr %self, ptr %buffer, i64 %offset, ptr %source, i64 %bytes) #1 {
  %device = load ptr, ptr %self, align 8
  %status = CALL(upload, %device, ptr %buffer, i64 %offset, ptr %source, i64 %bytes)
  %failed = call i32 @rt.expect(ptr %self, i32 %status, ptr @step.upload)
  ret i32 %failed
}

define internal i32 @rt.entropy(ptr %self, ptr %target) #1 {
  %failed = call i32 @getentropy(ptr %target, i64 8)
  %good = icmp eq i32 %failed, 0
  br i1 %good, label %done, label %bad
done:
  ret i32 0
bad:
  %status = call i32 @rt.fail(ptr %self, i32 5013, ptr @say.entropy, i64 0, i64 0, i64 0)
  ret i32 %status
}

; Fails with the number in the status, if it is one. texts: those of the kernel's checks, with places for the number and the values.
define internal i32 @rt.check(ptr %self, ptr %texts) #1 {
  %cells = alloca [5 x i64], align 8
  %buffer.at = FIELD(instance, %self, status)
  %buffer = load ptr, ptr %buffer.at, align 8
  %read = call i32 @rt.read(ptr %self, ptr %buffer, i64 0, ptr %cells, i64 40)
  %lost = icmp ne i32 %read, 0
  br i1 %lost, label %bad, label %look
bad:
  ret i32 %read
look:
  %number = load i64, ptr %cells, align 8
  %status = trunc i64 %number to i32
  %good = icmp eq i32 %status, 0
  br i1 %good, label %done, label %refused
done:
  ret i32 0
refused:
  %error = FIELD(instance, %self, error)
  %which.at = getelementptr i64, ptr %cells, i64 1
  %which = load i64, ptr %which.at, align 8
  %text.at = getelementptr ptr, ptr %texts, i64 %which
  %text = load ptr, ptr %text.at, align 8
  %first.at = getelementptr i64, ptr %cells, i64 2
  %first = load i64, ptr %first.at, align 8
  %second.at = getelementptr i64, ptr %cells, i64 3
  %second = load i64, ptr %second.at, align 8
  %third.at = getelementptr i64, ptr %cells, i64 4
  %third = load i64, ptr %third.at, align 8
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr %text, i32 %status, i64 %first, i64 %second, i64 %third)
  ret i32 %status
}
"""
