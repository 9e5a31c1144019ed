"""Lists in LLVM IR: making and reading them, taking them from a caller and giving them back. `instance` puts the text into modules
that have any.

A list value is its storage and its length. The storage is a header (%list) and items; adding at the end of a list whose storage has
room, and no other item there yet, happens in place, as the shorter list does not look beyond its length. All else makes a new
storage. An item (%item) is a tensor's buffer, offset and dimensions, or with rank -1 a list's storage and length.
"""

LISTS = """
define internal i32 @rt.list.insert(ptr %self, ptr %storage, i64 %length, i64 %position, ptr %item, ptr %out) #1 {
entry:
  %none = icmp eq ptr %storage, null
  br i1 %none, label %fresh, label %try
try:
  %used.at = FIELD(list, %storage, used)
  %used = load i64, ptr %used.at, align 8
  %room.at = FIELD(list, %storage, room)
  %room = load i64, ptr %room.at, align 8
  %behind = icmp eq i64 %position, %length
  %whole = icmp eq i64 %used, %length
  %some = icmp slt i64 %used, %room
  %both = and i1 %behind, %whole
  %here = and i1 %both, %some
  br i1 %here, label %append, label %fresh
append:
  %more = add i64 %used, 1
  store i64 %more, ptr %used.at, align 8
  %items = getelementptr i8, ptr %storage, i64 16
  %place = getelementptr %item, ptr %items, i64 %length
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %place, ptr align 8 %item, i64 32, i1 false)
  store ptr %storage, ptr %out, align 8
  ret i32 0
fresh:
  %after = add i64 %length, 1
  %twice = shl i64 %after, 1
  %new.room = call i64 @llvm.smax.i64(i64 %twice, i64 4)
  %made = call i32 @rt.list.make(ptr %self, i64 %after, i64 %new.room, ptr %out)
  %lost = icmp ne i32 %made, 0
  br i1 %lost, label %bad, label %fill
bad:
  ret i32 %made
fill:
  %new = load ptr, ptr %out, align 8
  %new.items = getelementptr i8, ptr %new, i64 16
  %old.items = getelementptr i8, ptr %storage, i64 16
  %head = mul i64 %position, 32
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %new.items, ptr align 8 %old.items, i64 %head, i1 false)
  %middle = getelementptr i8, ptr %new.items, i64 %head
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %middle, ptr align 8 %item, i64 32, i1 false)
  %rest.from = getelementptr i8, ptr %old.items, i64 %head
  %rest.to = getelementptr i8, ptr %middle, i64 32
  %left = sub i64 %length, %position
  %tail = mul i64 %left, 32
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %rest.to, ptr align 8 %rest.from, i64 %tail, i1 false)
  ret i32 0
}

; A storage whose items the caller fills.
define internal i32 @rt.list.make(ptr %self, i64 %used, i64 %room, ptr %out) #1 {
  %items = mul i64 %room, 32
  %bytes = add i64 %items, 16
  %kept = call i32 @rt.keep(ptr %self, i64 %bytes, ptr %out)
  %lost = icmp ne i32 %kept, 0
  br i1 %lost, label %bad, label %good
bad:
  ret i32 %kept
good:
  %storage = load ptr, ptr %out, align 8
  store i64 %used, ptr %storage, align 8
  %room.at = FIELD(list, %storage, room)
  store i64 %room, ptr %room.at, align 8
  ret i32 0
}

define internal i32 @rt.list.erase(ptr %self, ptr %storage, i64 %length, i64 %position, ptr %out) #1 {
entry:
  %after = sub i64 %length, 1
  %last = icmp eq i64 %position, %after
  br i1 %last, label %shorten, label %fresh
shorten:
  store ptr %storage, ptr %out, align 8
  ret i32 0
fresh:
  %made = call i32 @rt.list.make(ptr %self, i64 %after, i64 %length, ptr %out)
  %lost = icmp ne i32 %made, 0
  br i1 %lost, label %bad, label %fill
bad:
  ret i32 %made
fill:
  %new = load ptr, ptr %out, align 8
  %new.items = getelementptr i8, ptr %new, i64 16
  %old.items = getelementptr i8, ptr %storage, i64 16
  %head = mul i64 %position, 32
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %new.items, ptr align 8 %old.items, i64 %head, i1 false)
  %to = getelementptr i8, ptr %new.items, i64 %head
  %skip = add i64 %head, 32
  %from = getelementptr i8, ptr %old.items, i64 %skip
  %left = sub i64 %after, %position
  %tail = mul i64 %left, 32
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %to, ptr align 8 %from, i64 %tail, i1 false)
  ret i32 0
}

; Makes an item of a copy of a tensor.
define internal i32 @rt.list.item(ptr %self, ptr %buffer, i64 %offset, i64 %width, i32 %rank, ptr %dims, ptr %item) #1 {
entry:
  %dims.at = FIELD(item, %item, dims)
  %elements = call i64 @rt.elements(i32 %rank, ptr %dims)
  %bytes = mul i64 %elements, %width
  %kept = call i32 @rt.list.dims(ptr %self, i32 %rank, ptr %dims, ptr %item)
  %lost = icmp ne i32 %kept, 0
  br i1 %lost, label %bad, label %take
take:
  %taken = call i32 @rt.allocate(ptr %self, i64 %bytes, ptr %item)
  %none = icmp ne i32 %taken, 0
  br i1 %none, label %bad, label %copy
copy:
  %offset.at = FIELD(item, %item, offset)
  store i64 0, ptr %offset.at, align 8
  %place = load ptr, ptr %item, align 8
  %copied = call i32 @rt.copy(ptr %self, ptr %buffer, i64 %offset, ptr %place, i64 0, i64 %bytes)
  ret i32 %copied
bad:
  %status = phi i32 [ %kept, %entry ], [ %taken, %take ]
  ret i32 %status
}

; Gives an item a copy of dimensions.
define internal i32 @rt.list.dims(ptr %self, i32 %rank, ptr %dims, ptr %item) #1 {
  %rank.at = FIELD(item, %item, rank)
  store i32 %rank, ptr %rank.at, align 4
  %dims.at = FIELD(item, %item, dims)
  %wide = sext i32 %rank to i64
  %bytes = mul i64 %wide, 8
  %kept = call i32 @rt.keep(ptr %self, i64 %bytes, ptr %dims.at)
  %lost = icmp ne i32 %kept, 0
  br i1 %lost, label %done, label %copy
copy:
  %own = load ptr, ptr %dims.at, align 8
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %own, ptr align 8 %dims, i64 %bytes, i1 false)
  br label %done
done:
  ret i32 %kept
}

define internal i64 @rt.elements(i32 %rank, ptr %dims) #1 {
entry:
  br label %next
next:
  %d = phi i32 [ 0, %entry ], [ %following, %multiply ]
  %count = phi i64 [ 1, %entry ], [ %product, %multiply ]
  %more = icmp slt i32 %d, %rank
  br i1 %more, label %multiply, label %done
multiply:
  %size.at = getelementptr i64, ptr %dims, i32 %d
  %size = load i64, ptr %size.at, align 8
  %product = mul i64 %count, %size
  %following = add i32 %d, 1
  br label %next
done:
  ret i64 %count
}

; Reads an item, which must have that rank; %text is what an error begins with.
define internal i32 @rt.list.at(ptr %self, ptr %storage, i64 %position, i32 %rank, ptr %text, ptr %out) #1 {
  %items = getelementptr i8, ptr %storage, i64 16
  %item = getelementptr %item, ptr %items, i64 %position
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %out, ptr align 8 %item, i64 32, i1 false)
  %rank.at = FIELD(item, %item, rank)
  %found = load i32, ptr %rank.at, align 4
  %fits = icmp eq i32 %found, %rank
  br i1 %fits, label %done, label %bad
done:
  ret i32 0
bad:
  %error = FIELD(instance, %self, error)
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.item, ptr %text, i32 %found, i32 %rank)
  ret i32 5065
}

; Writes all items one after the other into a fresh buffer, and their sizes along an axis into another; %axis -1: they are all 1.
define internal i32 @rt.list.join(ptr %self, ptr %storage, i64 %length, i32 %axis, i64 %width, i32 %rank, ptr %text,
                                  ptr %flat.at, ptr %lengths.at, ptr %dims) #1 {
entry:
  %host.at = alloca ptr, align 8
  %error = FIELD(instance, %self, error)
  %items = getelementptr i8, ptr %storage, i64 16
  %some = icmp sgt i64 %length, 0
  br i1 %some, label %measure, label %bad.empty
bad.empty:
  %n1 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.nothing, ptr %text)
  ret i32 5061
measure:
  %lengths.bytes = mul i64 %length, 8
  %staged = call i32 @rt.stage(ptr %self, i64 %lengths.bytes, ptr %lengths.at, ptr %host.at)
  %unstaged = icmp ne i32 %staged, 0
  br i1 %unstaged, label %bad.stage, label %items.next
bad.stage:
  ret i32 %staged
items.next:
  %i = phi i64 [ 0, %measure ], [ %i.following, %item.done ]
  %total = phi i64 [ 0, %measure ], [ %total.next, %item.done ]
  %along = phi i64 [ 0, %measure ], [ %along.next, %item.done ]
  %more = icmp slt i64 %i, %length
  br i1 %more, label %item, label %move
item:
  %one = getelementptr %item, ptr %items, i64 %i
  %item.rank.at = FIELD(item, %one, rank)
  %item.rank = load i32, ptr %item.rank.at, align 4
  %ranked = icmp eq i32 %item.rank, %rank
  br i1 %ranked, label %sizes, label %bad.rank
bad.rank:
  %n2 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.item, ptr %text, i32 %item.rank, i32 %rank)
  ret i32 5061
sizes:
  %item.dims.at = FIELD(item, %one, dims)
  %item.dims = load ptr, ptr %item.dims.at, align 8
  %first = icmp eq i64 %i, 0
  br label %sizes.next
sizes.next:
  %d = phi i32 [ 0, %sizes ], [ %d.following, %size.done ]
  %d.more = icmp slt i32 %d, %rank
  br i1 %d.more, label %size, label %item.done
size:
  %size.at = getelementptr i64, ptr %item.dims, i32 %d
  %found = load i64, ptr %size.at, align 8
  %dim.at = getelementptr i64, ptr %dims, i32 %d
  %is.axis = icmp eq i32 %d, %axis
  %set = or i1 %first, %is.axis
  br i1 %set, label %learn, label %compare
learn:
  store i64 %found, ptr %dim.at, align 8
  br label %size.done
compare:
  %known = load i64, ptr %dim.at, align 8
  %same = icmp eq i64 %known, %found
  br i1 %same, label %size.done, label %bad.size
bad.size:
  %n3 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES,
      ptr @say.differ, ptr %text, i32 %d, i64 %found, i64 %i, i64 %known)
  ret i32 5061
size.done:
  %d.following = add i32 %d, 1
  br label %sizes.next
item.done:
  %elements = call i64 @rt.elements(i32 %rank, ptr %item.dims)
  %total.next = add i64 %total, %elements
  %stacked = icmp slt i32 %axis, 0
  %axis.at = getelementptr i64, ptr %item.dims, i32 %axis
  %axis.there = select i1 %stacked, ptr @one, ptr %axis.at
  %share = load i64, ptr %axis.there, align 8
  %along.next = add i64 %along, %share
  %host = load ptr, ptr %host.at, align 8
  %length.at = getelementptr i64, ptr %host, i64 %i
  store i64 %share, ptr %length.at, align 8
  %i.following = add i64 %i, 1
  br label %items.next
move:
  %written = load ptr, ptr %host.at, align 8
  %lengths = load ptr, ptr %lengths.at, align 8
  %filled = call i32 @rt.fill(ptr %self, ptr %lengths, ptr %written, i64 %lengths.bytes)
  %unfilled = icmp ne i32 %filled, 0
  br i1 %unfilled, label %bad.fill, label %sum
bad.fill:
  ret i32 %filled
sum:
  %stack = icmp slt i32 %axis, 0
  br i1 %stack, label %take, label %store
store:
  %sum.at = getelementptr i64, ptr %dims, i32 %axis
  store i64 %along, ptr %sum.at, align 8
  br label %take
take:
  %bytes = mul i64 %total, %width
  %taken = call i32 @rt.allocate(ptr %self, i64 %bytes, ptr %flat.at)
  %none = icmp ne i32 %taken, 0
  br i1 %none, label %bad.take, label %copy.next
bad.take:
  ret i32 %taken
copy.next:
  %k = phi i64 [ 0, %take ], [ %k.following, %copy ]
  %at = phi i64 [ 0, %take ], [ %at.next, %copy ]
  %k.more = icmp slt i64 %k, %length
  br i1 %k.more, label %copy, label %done
copy:
  %source = getelementptr %item, ptr %items, i64 %k
  %source.dims.at = FIELD(item, %source, dims)
  %source.dims = load ptr, ptr %source.dims.at, align 8
  %source.offset.at = FIELD(item, %source, offset)
  %source.offset = load i64, ptr %source.offset.at, align 8
  %source.buffer = load ptr, ptr %source, align 8
  %source.elements = call i64 @rt.elements(i32 %rank, ptr %source.dims)
  %source.bytes = mul i64 %source.elements, %width
  %flat = load ptr, ptr %flat.at, align 8
  %copied = call i32 @rt.copy(ptr %self, ptr %source.buffer, i64 %source.offset, ptr %flat, i64 %at, i64 %source.bytes)
  %at.next = add i64 %at, %source.bytes
  %k.following = add i64 %k, 1
  %uncopied = icmp ne i32 %copied, 0
  br i1 %uncopied, label %bad.copy, label %copy.next
bad.copy:
  ret i32 %copied
done:
  ret i32 0
}

; Makes an item of what a caller gave for a port, %name being the input's; everything in it is copied.
define internal i32 @rt.value.take(ptr %self, ptr %port, ptr %tensor, ptr %name, ptr %item) #1 {
entry:
  %error = FIELD(instance, %self, error)
  %kind.at = FIELD(port, %port, kind)
  %kind = load i32, ptr %kind.at, align 4
  %data = load ptr, ptr %tensor, align 8
  %given.type.at = FIELD(tensor, %tensor, type)
  %given.type = load i32, ptr %given.type.at, align 4
  %type.at = FIELD(port, %port, type)
  %type = load i32, ptr %type.at, align 4
  %same.type = icmp eq i32 %given.type, %type
  br i1 %same.type, label %ranks, label %bad.type
bad.type:
  %type.name.at = FIELD(port, %port, type_name)
  %type.name = load ptr, ptr %type.name.at, align 8
  %n1 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES,
      ptr @say.type, ptr %name, i32 %given.type, i32 %type, ptr %type.name)
  ret i32 5503
ranks:
  %given.rank.at = FIELD(tensor, %tensor, rank)
  %given.rank = load i32, ptr %given.rank.at, align 4
  %dims.at = FIELD(tensor, %tensor, dims)
  %dims = load ptr, ptr %dims.at, align 8
  %plain = icmp eq i32 %kind, 0
  %rank.at = FIELD(port, %port, rank)
  %port.rank = load i32, ptr %rank.at, align 4
  %rank = select i1 %plain, i32 %port.rank, i32 1
  %any = icmp slt i32 %rank, 0
  %same.rank = icmp eq i32 %rank, %given.rank
  %sane = icmp ule i32 %given.rank, 64
  %free = and i1 %any, %sane
  %rank.fits = or i1 %same.rank, %free
  br i1 %rank.fits, label %dims.there, label %bad.rank
bad.rank:
  %n2 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.rank, ptr %name, i32 %given.rank, i32 %rank)
  ret i32 5504
dims.there:
  %ranked = icmp sgt i32 %given.rank, 0
  %no.dims = icmp eq ptr %dims, null
  %unsized = and i1 %ranked, %no.dims
  br i1 %unsized, label %bad.dims, label %which
bad.dims:
  %n3 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.dims, ptr %name, i32 %given.rank)
  ret i32 5504
which:
  br i1 %plain, label %sizes, label %list
sizes:
  %expected.at = FIELD(port, %port, dims)
  %expected = load ptr, ptr %expected.at, align 8
  br label %sizes.next
sizes.next:
  %d = phi i32 [ 0, %sizes ], [ %d.following, %size.fits ]
  %elements = phi i64 [ 1, %sizes ], [ %product, %size.fits ]
  %empty = phi i1 [ false, %sizes ], [ %none.left, %size.fits ]
  %d.more = icmp slt i32 %d, %given.rank
  br i1 %d.more, label %size, label %tensor.take
size:
  %size.at = getelementptr i64, ptr %dims, i32 %d
  %size.given = load i64, ptr %size.at, align 8
  %negative = icmp slt i64 %size.given, 0
  br i1 %negative, label %bad.negative, label %size.look
bad.negative:
  %n4 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.negative, ptr %name, i32 %d, i64 %size.given)
  ret i32 5505
size.look:
  %static.at = getelementptr i64, ptr %expected, i32 %d
  %static.from = select i1 %any, ptr @open, ptr %static.at
  %static = load i64, ptr %static.from, align 8
  %open = icmp slt i64 %static, 0
  %equal = icmp eq i64 %static, %size.given
  %fits = or i1 %open, %equal
  br i1 %fits, label %size.count, label %bad.size
bad.size:
  %n5 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES,
      ptr @say.dim, ptr %name, i32 %d, i64 %size.given, i64 %static)
  ret i32 5505
size.count:
  %zero = icmp eq i64 %size.given, 0
  %none.left = or i1 %empty, %zero
  %factor = select i1 %zero, i64 1, i64 %size.given
  %wide = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %elements, i64 %factor)
  %product = extractvalue { i64, i1 } %wide, 0
  %over = extractvalue { i64, i1 } %wide, 1
  %huge = icmp sgt i64 %product, 70368744177664
  %too.large = or i1 %over, %huge
  br i1 %too.large, label %bad.large, label %size.fits
bad.large:
  %n6 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.large, ptr %name)
  ret i32 5508
size.fits:
  %d.following = add i32 %d, 1
  br label %sizes.next
tensor.take:
  %count = select i1 %empty, i64 0, i64 %elements
  %some = icmp ne i64 %count, 0
  %no.data = icmp eq ptr %data, null
  %missing = and i1 %some, %no.data
  br i1 %missing, label %bad.data, label %tensor.dims
bad.data:
  %n7 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.null, ptr %name)
  ret i32 5507
tensor.dims:
  %offset.at = FIELD(item, %item, offset)
  store i64 0, ptr %offset.at, align 8
  %sized = call i32 @rt.list.dims(ptr %self, i32 %given.rank, ptr %dims, ptr %item)
  %undone = icmp ne i32 %sized, 0
  br i1 %undone, label %bad.sized, label %tensor.kind
bad.sized:
  ret i32 %sized
tensor.kind:
  %text = icmp eq i32 %type, 8
  br i1 %text, label %texts, label %bytes
texts:
  %entered = call i32 @rt.texts.take(ptr %self, ptr %data, i64 %count, ptr %name, ptr %item)
  ret i32 %entered
bytes:
  %width.at = FIELD(port, %port, element_bytes)
  %width32 = load i32, ptr %width.at, align 4
  %width = sext i32 %width32 to i64
  %size.bytes = mul i64 %count, %width
  %taken = call i32 @rt.allocate(ptr %self, i64 %size.bytes, ptr %item)
  %no.memory = icmp ne i32 %taken, 0
  br i1 %no.memory, label %bad.memory, label %write
bad.memory:
  ret i32 %taken
write:
  %buffer = load ptr, ptr %item, align 8
  br i1 %some, label %upload, label %done
upload:
  %written = call i32 @rt.write(ptr %self, ptr %buffer, i64 0, ptr %data, i64 %size.bytes)
  ret i32 %written
list:
  %length = load i64, ptr %dims, align 8
  %optional = icmp eq i32 %kind, 2
  %map = icmp eq i32 %kind, 3
  %least = select i1 %map, i64 2, i64 0
  %most.optional = select i1 %optional, i64 1, i64 1099511627776
  %most = select i1 %map, i64 2, i64 %most.optional
  %enough = icmp sge i64 %length, %least
  %few = icmp sle i64 %length, %most
  %counted = and i1 %enough, %few
  br i1 %counted, label %items.there, label %bad.count
bad.count:
  %n8 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.items, ptr %name, i64 %length, i64 %least, i64 %most)
  ret i32 5505
items.there:
  %any.items = icmp sgt i64 %length, 0
  %no.items = icmp eq ptr %data, null
  %unread = and i1 %any.items, %no.items
  br i1 %unread, label %bad.data, label %make
make:
  %made = call i32 @rt.list.make(ptr %self, i64 %length, i64 %length, ptr %item)
  %unmade = icmp ne i32 %made, 0
  br i1 %unmade, label %bad.make, label %made.it
bad.make:
  ret i32 %made
made.it:
  %storage = load ptr, ptr %item, align 8
  %length.at = FIELD(item, %item, offset)
  store i64 %length, ptr %length.at, align 8
  %item.dims.at = FIELD(item, %item, dims)
  store ptr null, ptr %item.dims.at, align 8
  %item.rank.at = FIELD(item, %item, rank)
  store i32 -1, ptr %item.rank.at, align 4
  %items = getelementptr i8, ptr %storage, i64 16
  %ports.at = FIELD(port, %port, items)
  %ports = load ptr, ptr %ports.at, align 8
  br label %items.next
items.next:
  %i = phi i64 [ 0, %made.it ], [ %i.following, %one ]
  %more = icmp slt i64 %i, %length
  br i1 %more, label %one, label %listed
one:
  %which.port = select i1 %map, i64 %i, i64 0
  %inner.port = getelementptr %port, ptr %ports, i64 %which.port
  %inner.tensor = getelementptr %tensor, ptr %data, i64 %i
  %inner = getelementptr %item, ptr %items, i64 %i
  %inner.taken = call i32 @rt.value.take(ptr %self, ptr %inner.port, ptr %inner.tensor, ptr %name, ptr %inner)
  %i.following = add i64 %i, 1
  %refused = icmp ne i32 %inner.taken, 0
  br i1 %refused, label %bad.inner, label %items.next
bad.inner:
  ret i32 %inner.taken
listed:
  br i1 %map, label %pair, label %done
pair:
  %keys.dims.at = FIELD(item, %items, dims)
  %keys.dims = load ptr, ptr %keys.dims.at, align 8
  %keys = load i64, ptr %keys.dims, align 8
  %values.item = getelementptr %item, ptr %items, i64 1
  %values.dims.at = FIELD(item, %values.item, dims)
  %values.dims = load ptr, ptr %values.dims.at, align 8
  %values = load i64, ptr %values.dims, align 8
  %paired = icmp eq i64 %keys, %values
  br i1 %paired, label %done, label %bad.pair
bad.pair:
  %n9 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.pair, ptr %name, i64 %keys, i64 %values)
  ret i32 5505
done:
  ret i32 0
}

; Describes an item of a port to the caller, in memory that lasts as long as the outputs.
define internal i32 @rt.value.give(ptr %self, ptr %port, ptr %item, ptr %tensor) #1 {
entry:
  %count.at = alloca ptr, align 8
  %kind.at = FIELD(port, %port, kind)
  %kind = load i32, ptr %kind.at, align 4
  %type.at = FIELD(port, %port, type)
  %type = load i32, ptr %type.at, align 4
  %tensor.type.at = FIELD(tensor, %tensor, type)
  store i32 %type, ptr %tensor.type.at, align 4
  %tensor.rank.at = FIELD(tensor, %tensor, rank)
  %tensor.dims.at = FIELD(tensor, %tensor, dims)
  %buffer = load ptr, ptr %item, align 8
  %offset.at = FIELD(item, %item, offset)
  %offset = load i64, ptr %offset.at, align 8
  %plain = icmp eq i32 %kind, 0
  br i1 %plain, label %one, label %list
one:
  %rank.at = FIELD(item, %item, rank)
  %rank = load i32, ptr %rank.at, align 4
  store i32 %rank, ptr %tensor.rank.at, align 4
  %dims.at = FIELD(item, %item, dims)
  %dims = load ptr, ptr %dims.at, align 8
  store ptr %dims, ptr %tensor.dims.at, align 8
  %elements = call i64 @rt.elements(i32 %rank, ptr %dims)
  %text = icmp eq i32 %type, 8
  br i1 %text, label %texts, label %bytes
texts:
  %given = call i32 @rt.texts.give(ptr %self, ptr %buffer, i64 %offset, i64 %elements, ptr %tensor)
  ret i32 %given
bytes:
  %width.at = FIELD(port, %port, element_bytes)
  %width32 = load i32, ptr %width.at, align 4
  %width = sext i32 %width32 to i64
  %size = mul i64 %elements, %width
  %kept = call i32 @rt.keep(ptr %self, i64 %size, ptr %tensor)
  %lost = icmp ne i32 %kept, 0
  br i1 %lost, label %bad, label %read
bad:
  ret i32 %kept
read:
  %host = load ptr, ptr %tensor, align 8
  %fetched = call i32 @rt.read(ptr %self, ptr %buffer, i64 %offset, ptr %host, i64 %size)
  ret i32 %fetched
list:
  store i32 1, ptr %tensor.rank.at, align 4
  %room = mul i64 %offset, 24
  %items.kept = call i32 @rt.keep(ptr %self, i64 %room, ptr %tensor)
  %items.lost = icmp ne i32 %items.kept, 0
  br i1 %items.lost, label %bad.items, label %count
bad.items:
  ret i32 %items.kept
count:
  %count.kept = call i32 @rt.keep(ptr %self, i64 8, ptr %tensor.dims.at)
  %count.lost = icmp ne i32 %count.kept, 0
  br i1 %count.lost, label %bad.count, label %each
bad.count:
  ret i32 %count.kept
each:
  %length.at = load ptr, ptr %tensor.dims.at, align 8
  store i64 %offset, ptr %length.at, align 8
  %inner.tensors = load ptr, ptr %tensor, align 8
  %items = getelementptr i8, ptr %buffer, i64 16
  %map = icmp eq i32 %kind, 3
  %ports.at = FIELD(port, %port, items)
  %ports = load ptr, ptr %ports.at, align 8
  br label %next
next:
  %i = phi i64 [ 0, %each ], [ %following, %inner ]
  %more = icmp slt i64 %i, %offset
  br i1 %more, label %inner, label %done
inner:
  %which.port = select i1 %map, i64 %i, i64 0
  %inner.port = getelementptr %port, ptr %ports, i64 %which.port
  %inner.tensor = getelementptr %tensor, ptr %inner.tensors, i64 %i
  %inner.item = getelementptr %item, ptr %items, i64 %i
  %inner.given = call i32 @rt.value.give(ptr %self, ptr %inner.port, ptr %inner.item, ptr %inner.tensor)
  %following = add i64 %i, 1
  %ungiven = icmp ne i32 %inner.given, 0
  br i1 %ungiven, label %bad.inner, label %next
bad.inner:
  ret i32 %inner.given
done:
  ret i32 0
}
"""

NO_LISTS = """
define internal i32 @rt.value.take(ptr %self, ptr %port, ptr %tensor, ptr %name, ptr %item) #1 {
  unreachable
}

define internal i32 @rt.value.give(ptr %self, ptr %port, ptr %item, ptr %tensor) #1 {
  unreachable
}
"""
