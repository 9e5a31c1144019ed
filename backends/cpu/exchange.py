"""How a run takes its inputs and gives its outputs, in LLVM IR.

`instance` puts the text into every module, having filled in the names that begin with a dollar sign.
"""

INPUTS = """
; Holds the sizes of input %i against its port and against the names that other inputs have bound; *out is its bytes.
define internal i32 @rt.shape(ptr %self, i32 %i, ptr %port, ptr %dims, ptr %out) #1 {
entry:
  %name = load ptr, ptr %port, align 8
  %element.at = FIELD(port, %port, element_bytes)
  %element32 = load i32, ptr %element.at, align 4
  %element = sext i32 %element32 to i64
  %rank.at = FIELD(port, %port, rank)
  %rank = load i32, ptr %rank.at, align 4
  %expected.at = FIELD(port, %port, dims)
  %expected = load ptr, ptr %expected.at, align 8
  %names.at = FIELD(port, %port, dim_names)
  %names = load ptr, ptr %names.at, align 8
  %symbols.at = getelementptr ptr, ptr @input.symbols, i32 %i
  %symbols = load ptr, ptr %symbols.at, align 8
  %error = FIELD(instance, %self, error)
  br label %next
next:
  %d = phi i32 [ 0, %entry ], [ %following, %multiply ]
  %bytes = phi i64 [ %element, %entry ], [ %product, %multiply ]
  %empty = phi i1 [ false, %entry ], [ %none.left, %multiply ]
  %more = icmp slt i32 %d, %rank
  br i1 %more, label %look, label %done
done:
  %total = select i1 %empty, i64 0, i64 %bytes
  store i64 %total, ptr %out, align 8
  ret i32 0
look:
  %size.at = getelementptr i64, ptr %dims, i32 %d
  %size = load i64, ptr %size.at, align 8
  %negative = icmp slt i64 %size, 0
  br i1 %negative, label %bad.size, label %compare
bad.size:
  %n1 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.negative, ptr %name, i32 %d, i64 %size)
  ret i32 5505
compare:
  %static.at = getelementptr i64, ptr %expected, i32 %d
  %static = load i64, ptr %static.at, align 8
  %open = icmp slt i64 %static, 0
  %equal = icmp eq i64 %static, %size
  %fits = or i1 %open, %equal
  br i1 %fits, label %named, label %bad.dim
bad.dim:
  %n2 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.dim, ptr %name, i32 %d, i64 %size, i64 %static)
  ret i32 5505
named:
  %which.at = getelementptr i32, ptr %symbols, i32 %d
  %which = load i32, ptr %which.at, align 4
  %unnamed = icmp slt i32 %which, 0
  br i1 %unnamed, label %count, label %bound
bound:
  %symbol = getelementptr inbounds %instance, ptr %self, i32 0, i32 $SYMBOLS_AT, i32 %which
  %known = load i64, ptr %symbol, align 8
  %input.at = FIELD(symbol, %symbol, input)
  %first = icmp slt i64 %known, 0
  br i1 %first, label %bind, label %agree
bind:
  store i64 %size, ptr %symbol, align 8
  store ptr %name, ptr %input.at, align 8
  br label %count
agree:
  %same = icmp eq i64 %known, %size
  br i1 %same, label %count, label %bad.symbol
bad.symbol:
  %input = load ptr, ptr %input.at, align 8
  %label.at = getelementptr ptr, ptr %names, i32 %d
  %label = load ptr, ptr %label.at, align 8
  %n3 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES,
      ptr @say.symbol, ptr %name, i32 %d, ptr %label, i64 %size, i64 %known, ptr %input)
  ret i32 5506
count:
  ; A size of 0 counts as 1, so that an overflow in the other sizes is still seen.
  %zero = icmp eq i64 %size, 0
  %factor = select i1 %zero, i64 1, i64 %size
  %none.left = or i1 %empty, %zero
  %wide = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %bytes, i64 %factor)
  %product = extractvalue { i64, i1 } %wide, 0
  %over = extractvalue { i64, i1 } %wide, 1
  br i1 %over, label %bad.large, label %multiply
bad.large:
  %n4 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.large, ptr %name)
  ret i32 5508
multiply:
  %following = add i32 %d, 1
  br label %next
}

; Checks input %i and makes it a buffer of the device.
define internal i32 @rt.take(ptr %self, i32 %i, ptr %tensor) #1 {
entry:
  %bytes.at = alloca i64, align 8
  %port = getelementptr inbounds [$INPUTS x %port], ptr @inputs, i32 0, i32 %i
  %argument = getelementptr inbounds %instance, ptr %self, i32 0, i32 $ARGUMENTS_AT, i32 %i
  %offset.at = FIELD(argument, %argument, offset)
  %dims.at = FIELD(argument, %argument, dims)
  %owned.at = FIELD(argument, %argument, owned)
  store i32 0, ptr %owned.at, align 4
  %host.bytes.at = FIELD(argument, %argument, bytes)
  store i64 0, ptr %host.bytes.at, align 8
  %error = FIELD(instance, %self, error)
  %name = load ptr, ptr %port, align 8
  %kind.at = FIELD(port, %port, kind)
  %kind = load i32, ptr %kind.at, align 4
  %plain = icmp eq i32 %kind, 0
  br i1 %plain, label %tensor.begin, label %list
list:
  %item = alloca %item, align 8
  %listed = call i32 @rt.value.take(ptr %self, ptr %port, ptr %tensor, ptr %name, ptr %item)
  %storage = load ptr, ptr %item, align 8
  store ptr %storage, ptr %argument, align 8
  %length.at = FIELD(item, %item, offset)
  %length = load i64, ptr %length.at, align 8
  store i64 %length, ptr %offset.at, align 8
  ret i32 %listed
tensor.begin:
  %data = load ptr, ptr %tensor, align 8
  %given.dims.at = FIELD(tensor, %tensor, dims)
  %given.dims = load ptr, ptr %given.dims.at, align 8
  %rank.at = FIELD(port, %port, rank)
  %rank = load i32, ptr %rank.at, align 4
  %has.default.at = FIELD(port, %port, has_default)
  %has.default = load i32, ptr %has.default.at, align 4
  %can = icmp ne i32 %has.default, 0
  %no.data = icmp eq ptr %data, null
  %no.dims = icmp eq ptr %given.dims, null
  %nothing = and i1 %no.data, %no.dims
  %left.out = and i1 %can, %nothing
  br i1 %left.out, label %default, label %types
default:
  %default.dims.at = FIELD(port, %port, default_dims)
  %default.dims = load ptr, ptr %default.dims.at, align 8
  store ptr %default.dims, ptr %dims.at, align 8
  %default.offset.at = FIELD(port, %port, default_offset)
  %default.offset = load i64, ptr %default.offset.at, align 8
  store i64 %default.offset, ptr %offset.at, align 8
  %weights.at = FIELD(instance, %self, weights)
  %weights = load ptr, ptr %weights.at, align 8
  store ptr %weights, ptr %argument, align 8
  %fits = call i32 @rt.shape(ptr %self, i32 %i, ptr %port, ptr %default.dims, ptr %bytes.at)
  ret i32 %fits
types:
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
  %same.rank = icmp eq i32 %given.rank, %rank
  br i1 %same.rank, label %sizes, label %bad.rank
bad.rank:
  %n2 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.rank, ptr %name, i32 %given.rank, i32 %rank)
  ret i32 5504
sizes:
  %ranked = icmp sgt i32 %rank, 0
  %unsized = and i1 %ranked, %no.dims
  br i1 %unsized, label %bad.dims, label %shape
bad.dims:
  %n3 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.dims, ptr %name, i32 %rank)
  ret i32 5504
shape:
  store ptr %given.dims, ptr %dims.at, align 8
  store i64 0, ptr %offset.at, align 8
  %shaped = call i32 @rt.shape(ptr %self, i32 %i, ptr %port, ptr %given.dims, ptr %bytes.at)
  %misshaped = icmp ne i32 %shaped, 0
  br i1 %misshaped, label %bad.shape, label %place
bad.shape:
  ret i32 %shaped
place:
  %bytes = load i64, ptr %bytes.at, align 8
  %some = icmp ne i64 %bytes, 0
  %missing = and i1 %some, %no.data
  br i1 %missing, label %bad.data, label %wrap
bad.data:
  %n4 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %error, i64 $ERROR_BYTES, ptr @say.null, ptr %name)
  ret i32 5507
wrap:
  %text = icmp eq i32 %type, 8
  br i1 %text, label %texts, label %wrap.bytes
texts:
  store i32 1, ptr %owned.at, align 4
  %count = udiv i64 %bytes, 16
  %entered = call i32 @rt.texts.take(ptr %self, ptr %data, i64 %count, ptr %name, ptr %argument)
  ret i32 %entered
wrap.bytes:
  %host = select i1 %no.data, ptr @nothing, ptr %data
  %device = load ptr, ptr %self, align 8
  %wrapped = CALL(wrap, %device, ptr %host, i64 %bytes)
  store ptr %wrapped, ptr %argument, align 8
  %far = icmp eq ptr %wrapped, null
  br i1 %far, label %fetch, label %near
near:
  %host.at = FIELD(argument, %argument, host)
  store ptr %host, ptr %host.at, align 8
  store i64 %bytes, ptr %host.bytes.at, align 8
  ret i32 0
fetch:
  store i32 1, ptr %owned.at, align 4
  %taken = call i32 @rt.allocate(ptr %self, i64 %bytes, ptr %argument)
  %none = icmp ne i32 %taken, 0
  br i1 %none, label %bad.memory, label %upload
bad.memory:
  ret i32 %taken
upload:
  %buffer = load ptr, ptr %argument, align 8
  %written = call i32 @rt.write(ptr %self, ptr %buffer, i64 0, ptr %host, i64 %bytes)
  ret i32 %written
}
"""

OUTPUTS = """
; Notes the memory that the caller lends for output %i: none without %into, nor where it describes anything but a tensor of the port.
define internal void @rt.borrow(ptr %self, i32 %i, ptr %tensor, i1 %into) #1 {
entry:
  %port = getelementptr inbounds [$OUTPUTS x %port], ptr @outputs, i32 0, i32 %i
  %result = getelementptr inbounds %instance, ptr %self, i32 0, i32 $RESULTS_AT, i32 %i
  %lent.at = FIELD(result, %result, lent)
  store ptr null, ptr %lent.at, align 8
  %lent.bytes.at = FIELD(result, %result, lent_bytes)
  store i64 -1, ptr %lent.bytes.at, align 8
  %lent.buffer.at = FIELD(result, %result, lent_buffer)
  store ptr null, ptr %lent.buffer.at, align 8
  %kind.at = FIELD(port, %port, kind)
  %kind = load i32, ptr %kind.at, align 4
  %listed = icmp ne i32 %kind, 0
  %type.at = FIELD(port, %port, type)
  %type = load i32, ptr %type.at, align 4
  %text = icmp eq i32 %type, 8
  %own = or i1 %listed, %text
  %ask = xor i1 %own, true
  %asked = and i1 %ask, %into
  br i1 %asked, label %look, label %done
look:
  %data = load ptr, ptr %tensor, align 8
  %given.type.at = FIELD(tensor, %tensor, type)
  %given.type = load i32, ptr %given.type.at, align 4
  %given.rank.at = FIELD(tensor, %tensor, rank)
  %given.rank = load i32, ptr %given.rank.at, align 4
  %dims.at = FIELD(tensor, %tensor, dims)
  %dims = load ptr, ptr %dims.at, align 8
  %rank.at = FIELD(port, %port, rank)
  %rank = load i32, ptr %rank.at, align 4
  %element.at = FIELD(port, %port, element_bytes)
  %element32 = load i32, ptr %element.at, align 4
  %element = sext i32 %element32 to i64
  %some = icmp ne ptr %data, null
  %same.type = icmp eq i32 %given.type, %type
  %same.rank = icmp eq i32 %given.rank, %rank
  %scalar = icmp eq i32 %rank, 0
  %has.dims = icmp ne ptr %dims, null
  %sized = or i1 %scalar, %has.dims
  %typed = and i1 %some, %same.type
  %ranked = and i1 %same.rank, %sized
  %fits = and i1 %typed, %ranked
  br i1 %fits, label %next, label %done
next:
  %d = phi i32 [ 0, %look ], [ %following, %multiply ]
  %bytes = phi i64 [ %element, %look ], [ %product, %multiply ]
  %more = icmp slt i32 %d, %rank
  br i1 %more, label %multiply, label %note
multiply:
  %size.at = getelementptr i64, ptr %dims, i32 %d
  %size = load i64, ptr %size.at, align 8
  %wide = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %bytes, i64 %size)
  %product = extractvalue { i64, i1 } %wide, 0
  %over = extractvalue { i64, i1 } %wide, 1
  %negative = icmp slt i64 %size, 0
  %absurd = or i1 %over, %negative
  %following = add i32 %d, 1
  br i1 %absurd, label %done, label %next
note:
  br label %other
other:
  ; What another output has been lent is not lent twice.
  %o = phi i32 [ 0, %note ], [ %o.following, %compare ]
  %o.more = icmp slt i32 %o, %i
  br i1 %o.more, label %compare, label %take
compare:
  %earlier = getelementptr inbounds %instance, ptr %self, i32 0, i32 $RESULTS_AT, i32 %o
  %earlier.at = FIELD(result, %earlier, lent)
  %earlier.data = load ptr, ptr %earlier.at, align 8
  %earlier.bytes.at = FIELD(result, %earlier, lent_bytes)
  %earlier.bytes = load i64, ptr %earlier.bytes.at, align 8
  %shared = call i1 @rt.overlap(ptr %data, i64 %bytes, ptr %earlier.data, i64 %earlier.bytes)
  %o.following = add i32 %o, 1
  br i1 %shared, label %done, label %other
take:
  store ptr %data, ptr %lent.at, align 8
  store i64 %bytes, ptr %lent.bytes.at, align 8
  br label %done
done:
  ret void
}

; Whether two ranges have a byte in common; sizes below 1 are none.
define internal i1 @rt.overlap(ptr %a, i64 %a.bytes, ptr %b, i64 %b.bytes) #1 {
  %a.end = getelementptr i8, ptr %a, i64 %a.bytes
  %b.end = getelementptr i8, ptr %b, i64 %b.bytes
  %a.some = icmp sgt i64 %a.bytes, 0
  %b.some = icmp sgt i64 %b.bytes, 0
  %some = and i1 %a.some, %b.some
  %a.first = icmp ult ptr %a, %b.end
  %b.first = icmp ult ptr %b, %a.end
  %near = and i1 %a.first, %b.first
  %both = and i1 %near, %some
  ret i1 %both
}

; Where output %i of %bytes is made: in the memory lent for it, or in the place given. Inputs are not written over, but for input %over
; from its first byte on.
define internal { ptr, i64 } @rt.lent(ptr %self, i32 %i, i64 %bytes, i32 %over, ptr %buffer, i64 %offset) #1 {
entry:
  %result = getelementptr inbounds %instance, ptr %self, i32 0, i32 $RESULTS_AT, i32 %i
  %lent.bytes.at = FIELD(result, %result, lent_bytes)
  %lent.bytes = load i64, ptr %lent.bytes.at, align 8
  %lent.at = FIELD(result, %result, lent)
  %lent = load ptr, ptr %lent.at, align 8
  %lent.buffer.at = FIELD(result, %result, lent_buffer)
  %enough = icmp sge i64 %lent.bytes, %bytes
  br i1 %enough, label %next, label %keep
next:
  %k = phi i32 [ 0, %entry ], [ %k.following, %look ], [ %k.following, %under ]
  %found = phi ptr [ null, %entry ], [ %found, %look ], [ %held, %under ]
  %more = icmp slt i32 %k, $INPUTS
  br i1 %more, label %look, label %choose
look:
  %argument = getelementptr inbounds %instance, ptr %self, i32 0, i32 $ARGUMENTS_AT, i32 %k
  %host.at = FIELD(argument, %argument, host)
  %host = load ptr, ptr %host.at, align 8
  %host.bytes.at = FIELD(argument, %argument, bytes)
  %host.bytes = load i64, ptr %host.bytes.at, align 8
  %shared = call i1 @rt.overlap(ptr %lent, i64 %bytes, ptr %host, i64 %host.bytes)
  %k.following = add i32 %k, 1
  br i1 %shared, label %under, label %next
under:
  %held = load ptr, ptr %argument, align 8
  %meant = icmp eq i32 %k, %over
  %exact = icmp eq ptr %lent, %host
  %fine = and i1 %meant, %exact
  br i1 %fine, label %next, label %keep
choose:
  ; One memory has one handle, by which a copy onto itself is known.
  %apart = icmp eq ptr %found, null
  br i1 %apart, label %wrap, label %reuse
wrap:
  %device = load ptr, ptr %self, align 8
  %wrapped = CALL(wrap, %device, ptr %lent, i64 %lent.bytes)
  %far = icmp eq ptr %wrapped, null
  br i1 %far, label %keep, label %reuse
reuse:
  %taken = phi ptr [ %found, %choose ], [ %wrapped, %wrap ]
  store ptr %taken, ptr %lent.buffer.at, align 8
  br label %done
keep:
  br label %done
done:
  %handle = phi ptr [ %taken, %reuse ], [ %buffer, %keep ]
  %start = phi i64 [ 0, %reuse ], [ %offset, %keep ]
  %half = insertvalue { ptr, i64 } poison, ptr %handle, 0
  %place = insertvalue { ptr, i64 } %half, i64 %start, 1
  ret { ptr, i64 } %place
}

; Whether a buffer holds an output of this run.
define internal i1 @rt.is_result(ptr %self, ptr %buffer) #1 {
entry:
  br label %next
next:
  %i = phi i32 [ 0, %entry ], [ %following, %other ]
  %more = icmp slt i32 %i, $OUTPUTS
  br i1 %more, label %look, label %no
look:
  %result = getelementptr inbounds %instance, ptr %self, i32 0, i32 $RESULTS_AT, i32 %i
  %held = load ptr, ptr %result, align 8
  %same = icmp eq ptr %held, %buffer
  br i1 %same, label %yes, label %other
other:
  %following = add i32 %i, 1
  br label %next
yes:
  ret i1 true
no:
  ret i1 false
}

; Whether a buffer is memory of the caller's, which may change under an output before the next run.
define internal i1 @rt.is_callers(ptr %self, ptr %buffer) #1 {
entry:
  br label %next
next:
  %i = phi i32 [ 0, %entry ], [ %following, %other ]
  %more = icmp slt i32 %i, $INPUTS
  br i1 %more, label %look, label %no
look:
  %argument = getelementptr inbounds %instance, ptr %self, i32 0, i32 $ARGUMENTS_AT, i32 %i
  %held = load ptr, ptr %argument, align 8
  %owned.at = FIELD(argument, %argument, owned)
  %owned = load i32, ptr %owned.at, align 4
  %lent = icmp eq i32 %owned, 0
  %same = icmp eq ptr %held, %buffer
  %both = and i1 %lent, %same
  br i1 %both, label %yes, label %other
other:
  %following = add i32 %i, 1
  br label %next
yes:
  ret i1 true
no:
  ret i1 false
}

; Gives output %i to the caller: its sizes, which stand at %dims, and an address, that of the memory lent for it or one that lasts
; until the next run.
define internal i32 @rt.give(ptr %self, i32 %i, ptr %dims, ptr %tensor) #1 {
entry:
  %device = load ptr, ptr %self, align 8
  %port = getelementptr inbounds [$OUTPUTS x %port], ptr @outputs, i32 0, i32 %i
  %result = getelementptr inbounds %instance, ptr %self, i32 0, i32 $RESULTS_AT, i32 %i
  %kind.at = FIELD(port, %port, kind)
  %kind = load i32, ptr %kind.at, align 4
  %offset.at = FIELD(result, %result, offset)
  %plain = icmp eq i32 %kind, 0
  br i1 %plain, label %tensor.begin, label %list
list:
  ; A result begins as an item that is a list does.
  %listed = call i32 @rt.value.give(ptr %self, ptr %port, ptr %result, ptr %tensor)
  ret i32 %listed
tensor.begin:
  %staging.at = FIELD(result, %result, staging)
  %staging.bytes.at = FIELD(result, %result, staging_bytes)
  %rank.at = FIELD(port, %port, rank)
  %rank = load i32, ptr %rank.at, align 4
  %element.at = FIELD(port, %port, element_bytes)
  %element32 = load i32, ptr %element.at, align 4
  %element = sext i32 %element32 to i64
  %type.at = FIELD(port, %port, type)
  %type = load i32, ptr %type.at, align 4
  br label %next
next:
  %d = phi i32 [ 0, %tensor.begin ], [ %following, %multiply ]
  %bytes = phi i64 [ %element, %tensor.begin ], [ %product, %multiply ]
  %more = icmp slt i32 %d, %rank
  br i1 %more, label %multiply, label %which
multiply:
  %size.at = getelementptr i64, ptr %dims, i32 %d
  %size = load i64, ptr %size.at, align 8
  %product = mul i64 %bytes, %size
  %following = add i32 %d, 1
  br label %next
which:
  %buffer = load ptr, ptr %result, align 8
  %offset = load i64, ptr %offset.at, align 8
  %text = icmp eq i32 %type, 8
  br i1 %text, label %texts, label %own
texts:
  %count = udiv i64 %bytes, 16
  %strings.at = alloca ptr, align 8
  %described = call i32 @rt.texts.give(ptr %self, ptr %buffer, i64 %offset, i64 %count, ptr %strings.at)
  %undescribed = icmp ne i32 %described, 0
  br i1 %undescribed, label %bad.texts, label %texts.give
bad.texts:
  ret i32 %described
texts.give:
  %strings = load ptr, ptr %strings.at, align 8
  br label %give
own:
  %lent.bytes.at = FIELD(result, %result, lent_bytes)
  %lent.bytes = load i64, ptr %lent.bytes.at, align 8
  %lent.at = FIELD(result, %result, lent)
  %lent = load ptr, ptr %lent.at, align 8
  %enough = icmp sge i64 %lent.bytes, %bytes
  br i1 %enough, label %into, label %ask
into:
  %lent.buffer.at = FIELD(result, %result, lent_buffer)
  %lent.buffer = load ptr, ptr %lent.buffer.at, align 8
  %lent.there = icmp eq ptr %buffer, %lent.buffer
  %first = icmp eq i64 %offset, 0
  %there = and i1 %lent.there, %first
  br i1 %there, label %give, label %fetch
fetch:
  %fetched = call i32 @rt.read(ptr %self, ptr %buffer, i64 %offset, ptr %lent, i64 %bytes)
  %unfetched = icmp ne i32 %fetched, 0
  br i1 %unfetched, label %bad.fetch, label %give
bad.fetch:
  ret i32 %fetched
ask:
  %borrowed = call i1 @rt.is_callers(ptr %self, ptr %buffer)
  br i1 %borrowed, label %keep, label %find
keep:
  %taken = call i32 @rt.allocate(ptr %self, i64 %bytes, ptr %result)
  %no.memory = icmp ne i32 %taken, 0
  br i1 %no.memory, label %bad.keep, label %copy
bad.keep:
  ret i32 %taken
copy:
  %own.buffer = load ptr, ptr %result, align 8
  store i64 0, ptr %offset.at, align 8
  %copied = call i32 @rt.copy(ptr %self, ptr %buffer, i64 %offset, ptr %own.buffer, i64 0, i64 %bytes)
  %lost = icmp ne i32 %copied, 0
  br i1 %lost, label %bad.copy, label %find
bad.copy:
  ret i32 %copied
find:
  %place = load ptr, ptr %result, align 8
  %from = load i64, ptr %offset.at, align 8
  %mapped = CALL(map, %device, ptr %place, i64 %from)
  %near = icmp ne ptr %mapped, null
  br i1 %near, label %give, label %stage
stage:
  %old = load ptr, ptr %staging.at, align 8
  %old.bytes = load i64, ptr %staging.bytes.at, align 8
  ; One byte more, so that an output without elements has an address too.
  %need = add i64 %bytes, 1
  %large = icmp uge i64 %old.bytes, %need
  br i1 %large, label %download, label %grow
grow:
  call void @free(ptr %old)
  store ptr null, ptr %staging.at, align 8
  store i64 0, ptr %staging.bytes.at, align 8
  %new = call ptr @malloc(i64 %need)
  %none = icmp eq ptr %new, null
  br i1 %none, label %bad.stage, label %hold
bad.stage:
  %failed = call i32 @rt.fail.memory(ptr %self, i64 %need)
  ret i32 %failed
hold:
  store ptr %new, ptr %staging.at, align 8
  store i64 %need, ptr %staging.bytes.at, align 8
  br label %download
download:
  %staging = load ptr, ptr %staging.at, align 8
  %read = call i32 @rt.read(ptr %self, ptr %place, i64 %from, ptr %staging, i64 %bytes)
  %unread = icmp ne i32 %read, 0
  br i1 %unread, label %bad.read, label %give
bad.read:
  ret i32 %read
give:
  %data = phi ptr [ %mapped, %find ], [ %staging, %download ], [ %strings, %texts.give ], [ %lent, %into ], [ %lent, %fetch ]
  store ptr %data, ptr %tensor, align 8
  %tensor.type.at = FIELD(tensor, %tensor, type)
  store i32 %type, ptr %tensor.type.at, align 4
  %tensor.rank.at = FIELD(tensor, %tensor, rank)
  store i32 %rank, ptr %tensor.rank.at, align 4
  %tensor.dims.at = FIELD(tensor, %tensor, dims)
  store ptr %dims, ptr %tensor.dims.at, align 8
  ret i32 0
}

; Gives back the run's buffers, but with %keep those that hold outputs.
define internal void @rt.release(ptr %self, i1 %keep) #1 {
entry:
  %device = load ptr, ptr %self, align 8
  %head.at = FIELD(instance, %self, transients)
  br label %next
next:
  ; Where the pointer to the node at hand stands: in the instance or in the node kept before.
  %at = phi ptr [ %head.at, %entry ], [ %node, %held ], [ %at, %drop ]
  %node = load ptr, ptr %at, align 8
  %end = icmp eq ptr %node, null
  br i1 %end, label %done, label %look
look:
  %buffer.at = FIELD(transient, %node, buffer)
  %buffer = load ptr, ptr %buffer.at, align 8
  br i1 %keep, label %ask, label %drop
ask:
  %is.result = call i1 @rt.is_result(ptr %self, ptr %buffer)
  br i1 %is.result, label %held, label %drop
held:
  br label %next
drop:
  %rest = load ptr, ptr %node, align 8
  store ptr %rest, ptr %at, align 8
  CALL(free, %device, ptr %buffer)
  call void @free(ptr %node)
  br label %next
done:
  ret void
}
"""
