"""The pool of texts in LLVM IR: strings come in and become numbers, numbers go out as strings. `instance` puts the text into modules
that have any.

A text's number is its place in the instance's array of texts (%text: bytes, length, hash). Those that the model names come first and
stay; a run adds others behind them, which the next run drops. Two hash tables, open addressing with linear probing over powers of two,
find a number from the bytes: one for the texts that stay, one for those of the run. A slot holds a number plus one, 0 where it is free.
"""

TEXTS = """
; FNV-1a, with the high bits mixed into the low ones that pick a slot.
define internal i64 @rt.texts.hash(ptr %data, i64 %bytes) #1 {
entry:
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %following, %byte ]
  %h = phi i64 [ -3750763034362895579, %entry ], [ %mixed, %byte ]
  %more = icmp slt i64 %i, %bytes
  br i1 %more, label %byte, label %done
byte:
  %at = getelementptr i8, ptr %data, i64 %i
  %value = load i8, ptr %at, align 1
  %wide = zext i8 %value to i64
  %with = xor i64 %h, %wide
  %mixed = mul i64 %with, 1099511628211
  %following = add i64 %i, 1
  br label %next
done:
  %high = lshr i64 %h, 32
  %both = xor i64 %h, %high
  %spread = mul i64 %both, -7046029254386353131
  %top = lshr i64 %spread, 29
  %hash = xor i64 %spread, %top
  ret i64 %hash
}

; The slot of a text: where it stands, or where it may be put.
define internal ptr @rt.texts.slot(ptr %slots, i64 %mask, ptr %texts, ptr %data, i64 %bytes, i64 %hash) #1 {
entry:
  br label %next
next:
  %at = phi i64 [ %hash, %entry ], [ %following, %other ]
  %i = and i64 %at, %mask
  %slot = getelementptr i64, ptr %slots, i64 %i
  %number = load i64, ptr %slot, align 8
  %free = icmp eq i64 %number, 0
  br i1 %free, label %done, label %look
look:
  %id = sub i64 %number, 1
  %text = getelementptr %text, ptr %texts, i64 %id
  %hash.at = FIELD(text, %text, hash)
  %its.hash = load i64, ptr %hash.at, align 8
  %same.hash = icmp eq i64 %its.hash, %hash
  %bytes.at = FIELD(text, %text, bytes)
  %its.bytes = load i64, ptr %bytes.at, align 8
  %same.bytes = icmp eq i64 %its.bytes, %bytes
  %like = and i1 %same.hash, %same.bytes
  br i1 %like, label %compare, label %other
compare:
  %its.data = load ptr, ptr %text, align 8
  %order = call i32 @memcmp(ptr %its.data, ptr %data, i64 %bytes)
  %equal = icmp eq i32 %order, 0
  br i1 %equal, label %done, label %other
other:
  %following = add i64 %i, 1
  br label %next
done:
  ret ptr %slot
}

; Copies a text behind the others, into a heap, and notes it in a slot; there is room.
define internal i32 @rt.texts.add(ptr %self, ptr %heap.at, ptr %slot, ptr %data, i64 %bytes, i64 %hash) #1 {
entry:
  %count.at = FIELD(instance, %self, texts_count)
  %count = load i64, ptr %count.at, align 8
  %texts.at = FIELD(instance, %self, texts)
  %texts = load ptr, ptr %texts.at, align 8
  %text = getelementptr %text, ptr %texts, i64 %count
  ; One more for a zero byte, which C programs like.
  %room = add i64 %bytes, 1
  %kept = call i32 @rt.keep.in(ptr %self, ptr %heap.at, i64 %room, ptr %text)
  %lost = icmp ne i32 %kept, 0
  br i1 %lost, label %bad, label %fill
bad:
  ret i32 %kept
fill:
  %own = load ptr, ptr %text, align 8
  call void @llvm.memcpy.p0.p0.i64(ptr %own, ptr %data, i64 %bytes, i1 false)
  %end = getelementptr i8, ptr %own, i64 %bytes
  store i8 0, ptr %end, align 1
  %bytes.at = FIELD(text, %text, bytes)
  store i64 %bytes, ptr %bytes.at, align 8
  %hash.at = FIELD(text, %text, hash)
  store i64 %hash, ptr %hash.at, align 8
  %after = add i64 %count, 1
  store i64 %after, ptr %count.at, align 8
  store i64 %after, ptr %slot, align 8
  ret i32 0
}

; Makes room for one more text of the run.
define internal i32 @rt.texts.reserve(ptr %self) #1 {
entry:
  %count.at = FIELD(instance, %self, texts_count)
  %count = load i64, ptr %count.at, align 8
  %texts.at = FIELD(instance, %self, texts)
  %texts = load ptr, ptr %texts.at, align 8
  %room.at = FIELD(instance, %self, texts_room)
  %room = load i64, ptr %room.at, align 8
  %full = icmp eq i64 %count, %room
  br i1 %full, label %grow, label %slots
grow:
  %twice = shl i64 %room, 1
  %bytes = mul i64 %twice, 24
  %moved = call ptr @realloc(ptr %texts, i64 %bytes)
  %none = icmp eq ptr %moved, null
  br i1 %none, label %bad, label %grown
grown:
  store ptr %moved, ptr %texts.at, align 8
  store i64 %twice, ptr %room.at, align 8
  br label %slots
slots:
  %own = phi ptr [ %texts, %entry ], [ %moved, %grown ]
  %run.at = FIELD(instance, %self, texts_run)
  %run = load ptr, ptr %run.at, align 8
  %size.at = FIELD(instance, %self, texts_run_slots)
  %size = load i64, ptr %size.at, align 8
  %new = sub i64 %count, $TEXTS_KNOWN
  %next.new = add i64 %new, 1
  %doubled = shl i64 %next.new, 1
  %fits = icmp sle i64 %doubled, %size
  br i1 %fits, label %done, label %rehash
rehash:
  %wanted = shl i64 %size, 1
  %larger = call i64 @llvm.smax.i64(i64 %wanted, i64 256)
  %table = call ptr @calloc(i64 %larger, i64 8)
  %no.table = icmp eq ptr %table, null
  br i1 %no.table, label %bad, label %fill
fill:
  %mask = sub i64 %larger, 1
  br label %next
next:
  %i = phi i64 [ $TEXTS_KNOWN, %fill ], [ %following, %one ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %swap
one:
  %text = getelementptr %text, ptr %own, i64 %i
  %data = load ptr, ptr %text, align 8
  %bytes.at = FIELD(text, %text, bytes)
  %length = load i64, ptr %bytes.at, align 8
  %hash.at = FIELD(text, %text, hash)
  %hash = load i64, ptr %hash.at, align 8
  %slot = call ptr @rt.texts.slot(ptr %table, i64 %mask, ptr %own, ptr %data, i64 %length, i64 %hash)
  %following = add i64 %i, 1
  store i64 %following, ptr %slot, align 8
  br label %next
swap:
  call void @free(ptr %run)
  store ptr %table, ptr %run.at, align 8
  store i64 %larger, ptr %size.at, align 8
  br label %done
done:
  ret i32 0
bad:
  %failed = call i32 @rt.fail.memory(ptr %self, i64 %count)
  ret i32 %failed
}

; The number of a text, which enters the pool if it is new.
define internal i32 @rt.texts.number(ptr %self, ptr %data, i64 %bytes, ptr %out) #1 {
entry:
  %hash = call i64 @rt.texts.hash(ptr %data, i64 %bytes)
  %texts.at = FIELD(instance, %self, texts)
  %texts = load ptr, ptr %texts.at, align 8
  %known.at = FIELD(instance, %self, texts_known)
  %known = load ptr, ptr %known.at, align 8
  %slot = call ptr @rt.texts.slot(ptr %known, i64 $TEXTS_MASK, ptr %texts, ptr %data, i64 %bytes, i64 %hash)
  %number = load i64, ptr %slot, align 8
  %there = icmp ne i64 %number, 0
  br i1 %there, label %found, label %reserve
found:
  %n = phi i64 [ %number, %entry ], [ %run.number, %look ], [ %added.number, %added ]
  %id = sub i64 %n, 1
  store i64 %id, ptr %out, align 8
  ret i32 0
reserve:
  %reserved = call i32 @rt.texts.reserve(ptr %self)
  %full = icmp ne i32 %reserved, 0
  br i1 %full, label %bad.reserve, label %look
bad.reserve:
  ret i32 %reserved
look:
  %own = load ptr, ptr %texts.at, align 8
  %run.at = FIELD(instance, %self, texts_run)
  %run = load ptr, ptr %run.at, align 8
  %size.at = FIELD(instance, %self, texts_run_slots)
  %size = load i64, ptr %size.at, align 8
  %mask = sub i64 %size, 1
  %run.slot = call ptr @rt.texts.slot(ptr %run, i64 %mask, ptr %own, ptr %data, i64 %bytes, i64 %hash)
  %run.number = load i64, ptr %run.slot, align 8
  %met = icmp ne i64 %run.number, 0
  br i1 %met, label %found, label %add
add:
  %heap.at = FIELD(instance, %self, heap)
  %status = call i32 @rt.texts.add(ptr %self, ptr %heap.at, ptr %run.slot, ptr %data, i64 %bytes, i64 %hash)
  %lost = icmp ne i32 %status, 0
  br i1 %lost, label %bad.add, label %added
bad.add:
  ret i32 %status
added:
  %added.number = load i64, ptr %run.slot, align 8
  br label %found
}

; Fills the pool of a new instance with the texts that the model names, from the weights in the host's memory.
define internal i32 @rt.texts.create(ptr %self, ptr %weights) #1 {
entry:
  %texts.at = FIELD(instance, %self, texts)
  %room = add i64 $TEXTS_KNOWN, 64
  %bytes = mul i64 %room, 24
  %texts = call ptr @malloc(i64 %bytes)
  store ptr %texts, ptr %texts.at, align 8
  %room.at = FIELD(instance, %self, texts_room)
  store i64 %room, ptr %room.at, align 8
  %slots = add i64 $TEXTS_MASK, 1
  %table = call ptr @calloc(i64 %slots, i64 8)
  %known.at = FIELD(instance, %self, texts_known)
  store ptr %table, ptr %known.at, align 8
  %no.texts = icmp eq ptr %texts, null
  %no.table = icmp eq ptr %table, null
  %none = or i1 %no.texts, %no.table
  br i1 %none, label %bad, label %begin
bad:
  ret i32 5010
begin:
  %heap.at = FIELD(instance, %self, life)
  %offsets = getelementptr i8, ptr %weights, i64 $TEXTS_OFFSETS
  %blob = getelementptr i8, ptr %weights, i64 $TEXTS_BYTES
  br label %next
next:
  %i = phi i64 [ 0, %begin ], [ %following, %one ]
  %more = icmp slt i64 %i, $TEXTS_KNOWN
  br i1 %more, label %one, label %done
one:
  %from.at = getelementptr i64, ptr %offsets, i64 %i
  %from = load i64, ptr %from.at, align 8
  %following = add i64 %i, 1
  %to.at = getelementptr i64, ptr %offsets, i64 %following
  %to = load i64, ptr %to.at, align 8
  %length = sub i64 %to, %from
  %data = getelementptr i8, ptr %blob, i64 %from
  %hash = call i64 @rt.texts.hash(ptr %data, i64 %length)
  %slot = call ptr @rt.texts.slot(ptr %table, i64 $TEXTS_MASK, ptr %texts, ptr %data, i64 %length, i64 %hash)
  %added = call i32 @rt.texts.add(ptr %self, ptr %heap.at, ptr %slot, ptr %data, i64 %length, i64 %hash)
  %lost = icmp ne i32 %added, 0
  br i1 %lost, label %bad, label %next
done:
  ret i32 0
}

; Drops the texts of the last run.
define internal void @rt.texts.begin(ptr %self) #1 {
  %count.at = FIELD(instance, %self, texts_count)
  store i64 $TEXTS_KNOWN, ptr %count.at, align 8
  %run.at = FIELD(instance, %self, texts_run)
  %run = load ptr, ptr %run.at, align 8
  %size.at = FIELD(instance, %self, texts_run_slots)
  %size = load i64, ptr %size.at, align 8
  %bytes = mul i64 %size, 8
  call void @llvm.memset.p0.i64(ptr %run, i8 0, i64 %bytes, i1 false)
  ret void
}

define internal void @rt.texts.destroy(ptr %self) #1 {
  %texts.at = FIELD(instance, %self, texts)
  %texts = load ptr, ptr %texts.at, align 8
  call void @free(ptr %texts)
  %known.at = FIELD(instance, %self, texts_known)
  %known = load ptr, ptr %known.at, align 8
  call void @free(ptr %known)
  %run.at = FIELD(instance, %self, texts_run)
  %run = load ptr, ptr %run.at, align 8
  call void @free(ptr %run)
  ret void
}

; Makes a buffer of the numbers of a caller's strings.
define internal i32 @rt.texts.take(ptr %self, ptr %strings, i64 %count, ptr %name, ptr %buffer.at) #1 {
entry:
  %host.at = alloca ptr, align 8
  %bytes = mul i64 %count, 8
  %staged = call i32 @rt.stage(ptr %self, i64 %bytes, ptr %buffer.at, ptr %host.at)
  %lost = icmp ne i32 %staged, 0
  br i1 %lost, label %bad, label %next
bad:
  ret i32 %staged
next:
  %i = phi i64 [ 0, %entry ], [ %following, %one ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %look, label %done
look:
  %string = getelementptr %string, ptr %strings, i64 %i
  %data = load ptr, ptr %string, align 8
  %length.at = FIELD(string, %string, bytes)
  %length = load i64, ptr %length.at, align 8
  %negative = icmp slt i64 %length, 0
  %some = icmp sgt i64 %length, 0
  %null = icmp eq ptr %data, null
  %missing = and i1 %some, %null
  %wrong = or i1 %negative, %missing
  br i1 %wrong, label %bad.string, label %one
bad.string:
  %error = FIELD(instance, %self, error)
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.string, ptr %name, i64 %i, i64 %length)
  ret i32 5507
one:
  %there = select i1 %null, ptr @nothing, ptr %data
  %host = load ptr, ptr %host.at, align 8
  %place = getelementptr i64, ptr %host, i64 %i
  %numbered = call i32 @rt.texts.number(ptr %self, ptr %there, i64 %length, ptr %place)
  %following = add i64 %i, 1
  %full = icmp ne i32 %numbered, 0
  br i1 %full, label %bad.number, label %next
bad.number:
  ret i32 %numbered
done:
  %written = load ptr, ptr %host.at, align 8
  %buffer = load ptr, ptr %buffer.at, align 8
  %filled = call i32 @rt.fill(ptr %self, ptr %buffer, ptr %written, i64 %bytes)
  ret i32 %filled
}

; The text of a number; one that is none counts as "".
define internal ptr @rt.texts.find(ptr %self, i64 %number) #1 {
  %count.at = FIELD(instance, %self, texts_count)
  %count = load i64, ptr %count.at, align 8
  %texts.at = FIELD(instance, %self, texts)
  %texts = load ptr, ptr %texts.at, align 8
  %there = icmp ult i64 %number, %count
  %safe = select i1 %there, i64 %number, i64 0
  %text = getelementptr %text, ptr %texts, i64 %safe
  ret ptr %text
}

; Describes numbers in a buffer to the caller as strings.
define internal i32 @rt.texts.give(ptr %self, ptr %buffer, i64 %offset, i64 %count, ptr %data.at) #1 {
entry:
  %host.at = alloca ptr, align 8
  %bytes = mul i64 %count, 8
  %viewed = call i32 @rt.view(ptr %self, ptr %buffer, i64 %offset, i64 %bytes, ptr %host.at)
  %unseen = icmp ne i32 %viewed, 0
  br i1 %unseen, label %bad, label %make
make:
  %room = mul i64 %count, 16
  %kept = call i32 @rt.keep(ptr %self, i64 %room, ptr %data.at)
  %lost = icmp ne i32 %kept, 0
  br i1 %lost, label %bad, label %next
bad:
  %status = phi i32 [ %viewed, %entry ], [ %kept, %make ]
  ret i32 %status
next:
  %i = phi i64 [ 0, %make ], [ %following, %one ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %done
one:
  %numbers = load ptr, ptr %host.at, align 8
  %number.at = getelementptr i64, ptr %numbers, i64 %i
  %number = load i64, ptr %number.at, align 8
  %text = call ptr @rt.texts.find(ptr %self, i64 %number)
  %strings = load ptr, ptr %data.at, align 8
  %string = getelementptr %string, ptr %strings, i64 %i
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %string, ptr align 8 %text, i64 16, i1 false)
  %following = add i64 %i, 1
  br label %next
done:
  ret i32 0
}

; The host operations of the text dialect

define internal i32 @rt.texts.bytes(ptr %self, ptr %buffer, i64 %offset, i64 %count,
                                    ptr %offsets.at, ptr %bytes.at, ptr %total.at) #1 {
entry:
  %numbers.at = alloca ptr, align 8
  %ends.at = alloca ptr, align 8
  %blob.at = alloca ptr, align 8
  %size = mul i64 %count, 8
  %viewed = call i32 @rt.view(ptr %self, ptr %buffer, i64 %offset, i64 %size, ptr %numbers.at)
  %unseen = icmp ne i32 %viewed, 0
  br i1 %unseen, label %bad, label %stage
stage:
  %ends.size = add i64 %size, 8
  %staged = call i32 @rt.stage(ptr %self, i64 %ends.size, ptr %offsets.at, ptr %ends.at)
  %unstaged = icmp ne i32 %staged, 0
  br i1 %unstaged, label %bad, label %begin
begin:
  %numbers = load ptr, ptr %numbers.at, align 8
  %ends = load ptr, ptr %ends.at, align 8
  br label %measure
measure:
  %i = phi i64 [ 0, %begin ], [ %i.following, %measure.one ]
  %total = phi i64 [ 0, %begin ], [ %longer, %measure.one ]
  %end.at = getelementptr i64, ptr %ends, i64 %i
  store i64 %total, ptr %end.at, align 8
  %more = icmp slt i64 %i, %count
  br i1 %more, label %measure.one, label %take
measure.one:
  %number.at = getelementptr i64, ptr %numbers, i64 %i
  %number = load i64, ptr %number.at, align 8
  %text = call ptr @rt.texts.find(ptr %self, i64 %number)
  %length.at = FIELD(text, %text, bytes)
  %length = load i64, ptr %length.at, align 8
  %longer = add i64 %total, %length
  %i.following = add i64 %i, 1
  br label %measure
take:
  store i64 %total, ptr %total.at, align 8
  %taken = call i32 @rt.stage(ptr %self, i64 %total, ptr %bytes.at, ptr %blob.at)
  %none = icmp ne i32 %taken, 0
  br i1 %none, label %bad, label %copy.begin
copy.begin:
  %blob = load ptr, ptr %blob.at, align 8
  br label %copy
copy:
  %k = phi i64 [ 0, %copy.begin ], [ %k.following, %copy.one ]
  %k.more = icmp slt i64 %k, %count
  br i1 %k.more, label %copy.one, label %flush
copy.one:
  %k.number.at = getelementptr i64, ptr %numbers, i64 %k
  %k.number = load i64, ptr %k.number.at, align 8
  %k.text = call ptr @rt.texts.find(ptr %self, i64 %k.number)
  %k.data = load ptr, ptr %k.text, align 8
  %k.length.at = FIELD(text, %k.text, bytes)
  %k.length = load i64, ptr %k.length.at, align 8
  %k.from.at = getelementptr i64, ptr %ends, i64 %k
  %k.from = load i64, ptr %k.from.at, align 8
  %k.place = getelementptr i8, ptr %blob, i64 %k.from
  call void @llvm.memcpy.p0.p0.i64(ptr %k.place, ptr %k.data, i64 %k.length, i1 false)
  %k.following = add i64 %k, 1
  br label %copy
flush:
  %offsets = load ptr, ptr %offsets.at, align 8
  %first = call i32 @rt.fill(ptr %self, ptr %offsets, ptr %ends, i64 %ends.size)
  %first.lost = icmp ne i32 %first, 0
  br i1 %first.lost, label %bad, label %flush.bytes
flush.bytes:
  %bytes = load ptr, ptr %bytes.at, align 8
  %second = call i32 @rt.fill(ptr %self, ptr %bytes, ptr %blob, i64 %total)
  ret i32 %second
bad:
  %status = phi i32 [ %viewed, %entry ], [ %staged, %stage ], [ %taken, %take ], [ %first, %flush ]
  ret i32 %status
}

; Views texts that a kernel wrote, having checked that their offsets ascend within the bytes; %text is what an error begins with.
define internal i32 @rt.texts.read(ptr %self, ptr %offsets, i64 %offsets.from, ptr %bytes, i64 %bytes.from, i64 %count, i64 %total,
                                   ptr %text, ptr %ends.at, ptr %blob.at) #1 {
entry:
  %size = mul i64 %count, 8
  %ends.size = add i64 %size, 8
  %first = call i32 @rt.view(ptr %self, ptr %offsets, i64 %offsets.from, i64 %ends.size, ptr %ends.at)
  %first.lost = icmp ne i32 %first, 0
  br i1 %first.lost, label %bad, label %second.view
second.view:
  %second = call i32 @rt.view(ptr %self, ptr %bytes, i64 %bytes.from, i64 %total, ptr %blob.at)
  %second.lost = icmp ne i32 %second, 0
  br i1 %second.lost, label %bad, label %begin
begin:
  %ends = load ptr, ptr %ends.at, align 8
  br label %next
next:
  %i = phi i64 [ 0, %begin ], [ %following, %one ]
  %least = phi i64 [ 0, %begin ], [ %end, %one ]
  %more = icmp sle i64 %i, %count
  br i1 %more, label %one, label %done
one:
  %end.at = getelementptr i64, ptr %ends, i64 %i
  %end = load i64, ptr %end.at, align 8
  %ascends = icmp sge i64 %end, %least
  %inside = icmp sle i64 %end, %total
  %fits = and i1 %ascends, %inside
  %following = add i64 %i, 1
  br i1 %fits, label %next, label %bad.offsets
bad.offsets:
  %error = FIELD(instance, %self, error)
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.offsets, ptr %text, i64 %i, i64 %end, i64 %total)
  ret i32 5063
bad:
  %status = phi i32 [ %first, %entry ], [ %second, %second.view ]
  ret i32 %status
done:
  ret i32 0
}

define internal i32 @rt.texts.enter(ptr %self, ptr %offsets, i64 %offsets.from, ptr %bytes, i64 %bytes.from, i64 %count, i64 %total,
                                    ptr %text, ptr %numbers.at) #1 {
entry:
  %ends.at = alloca ptr, align 8
  %blob.at = alloca ptr, align 8
  %host.at = alloca ptr, align 8
  %viewed = call i32 @rt.texts.read(ptr %self, ptr %offsets, i64 %offsets.from, ptr %bytes, i64 %bytes.from, i64 %count, i64 %total,
      ptr %text, ptr %ends.at, ptr %blob.at)
  %unseen = icmp ne i32 %viewed, 0
  br i1 %unseen, label %bad, label %stage
stage:
  %size = mul i64 %count, 8
  %staged = call i32 @rt.stage(ptr %self, i64 %size, ptr %numbers.at, ptr %host.at)
  %unstaged = icmp ne i32 %staged, 0
  br i1 %unstaged, label %bad, label %begin
begin:
  %ends = load ptr, ptr %ends.at, align 8
  %blob = load ptr, ptr %blob.at, align 8
  %host = load ptr, ptr %host.at, align 8
  br label %next
next:
  %i = phi i64 [ 0, %begin ], [ %following, %one ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %flush
one:
  %from.at = getelementptr i64, ptr %ends, i64 %i
  %from = load i64, ptr %from.at, align 8
  %following = add i64 %i, 1
  %to.at = getelementptr i64, ptr %ends, i64 %following
  %to = load i64, ptr %to.at, align 8
  %length = sub i64 %to, %from
  %data = getelementptr i8, ptr %blob, i64 %from
  %place = getelementptr i64, ptr %host, i64 %i
  %numbered = call i32 @rt.texts.number(ptr %self, ptr %data, i64 %length, ptr %place)
  %full = icmp ne i32 %numbered, 0
  br i1 %full, label %bad.number, label %next
bad.number:
  ret i32 %numbered
flush:
  %numbers = load ptr, ptr %numbers.at, align 8
  %filled = call i32 @rt.fill(ptr %self, ptr %numbers, ptr %host, i64 %size)
  ret i32 %filled
bad:
  %status = phi i32 [ %viewed, %entry ], [ %staged, %stage ]
  ret i32 %status
}
"""

NO_TEXTS = """
define internal i32 @rt.texts.create(ptr %self, ptr %weights) #1 {
  ret i32 0
}

define internal void @rt.texts.begin(ptr %self) #1 {
  ret void
}

define internal void @rt.texts.destroy(ptr %self) #1 {
  ret void
}

define internal i32 @rt.texts.take(ptr %self, ptr %strings, i64 %count, ptr %name, ptr %buffer.at) #1 {
  unreachable
}

define internal i32 @rt.texts.give(ptr %self, ptr %buffer, i64 %offset, i64 %count, ptr %data.at) #1 {
  unreachable
}
"""
