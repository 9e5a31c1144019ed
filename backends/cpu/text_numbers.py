"""Numbers as the fewest decimal digits, and back, in LLVM IR: what casts between strings and floats leave to the host's C library.

`instance` puts the text into modules that need it, behind that of `texts`.
"""

NUMBERS = """
; The fewest digits that give each value back in a significand of %precision bits: tried from one on, in scientific notation, of which
; only the digits and the exponent are read, as the decimal point depends on the locale.
define internal i32 @rt.texts.decimal(ptr %self, ptr %values, i64 %from, i64 %count, i64 %precision, ptr %digits.at, ptr %exponents.at) #1 {
entry:
  %host.at = alloca ptr, align 8
  %digits.host.at = alloca ptr, align 8
  %exponents.host.at = alloca ptr, align 8
  %line = alloca [64 x i8], align 16
  %size = mul i64 %count, 8
  %viewed = call i32 @rt.view(ptr %self, ptr %values, i64 %from, i64 %size, ptr %host.at)
  %unseen = icmp ne i32 %viewed, 0
  br i1 %unseen, label %bad, label %stage
stage:
  %staged = call i32 @rt.stage(ptr %self, i64 %size, ptr %digits.at, ptr %digits.host.at)
  %unstaged = icmp ne i32 %staged, 0
  br i1 %unstaged, label %bad, label %stage.exponents
stage.exponents:
  %half = mul i64 %count, 4
  %second = call i32 @rt.stage(ptr %self, i64 %half, ptr %exponents.at, ptr %exponents.host.at)
  %second.lost = icmp ne i32 %second, 0
  br i1 %second.lost, label %bad, label %begin
begin:
  %host = load ptr, ptr %host.at, align 8
  %digits.host = load ptr, ptr %digits.host.at, align 8
  %exponents.host = load ptr, ptr %exponents.host.at, align 8
  %dropped = sub i64 53, %precision
  %float = icmp eq i64 %precision, 24
  %double = icmp eq i64 %precision, 53
  br label %next
next:
  %i = phi i64 [ 0, %begin ], [ %following, %store ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %flush
one:
  %value.at = getelementptr double, ptr %host, i64 %i
  %signed = load double, ptr %value.at, align 8
  %value = call double @llvm.fabs.f64(double %signed)
  %bits = bitcast double %value to i64
  %finite = icmp ult i64 %bits, 9218868437227405312
  %some = icmp ne i64 %bits, 0
  %printable = and i1 %finite, %some
  br i1 %printable, label %scale, label %store
scale:
  ; Half the distance to the next value of that precision, as a power of two; those below normal are as far apart as the least normal.
  %exponent.bits = lshr i64 %bits, 52
  %least.half = icmp eq i64 %precision, 11
  %least.normal = select i1 %least.half, i64 1009, i64 897
  %exponent = call i64 @llvm.smax.i64(i64 %exponent.bits, i64 %least.normal)
  ; Below a power of two the values lie twice as close.
  %fraction = and i64 %bits, 4503599627370495
  %is.power = icmp eq i64 %fraction, 0
  %closer = zext i1 %is.power to i64
  %room = add i64 %precision, %closer
  %gap.exponent = sub i64 %exponent, %room
  %gap.bits = shl i64 %gap.exponent, 52
  %gap = bitcast i64 %gap.bits to double
  br label %try
try:
  %places = phi i32 [ 0, %scale ], [ %places.more, %longer ]
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %line, i64 64, ptr @say.digits, i32 %places, double %value)
  br label %read
read:
  ; The digits up to the letter e as a number, then the exponent.
  %k = phi i64 [ 0, %try ], [ %k.following, %read.on ]
  %digits.so = phi i64 [ 0, %try ], [ %digits.on, %read.on ]
  %char.at = getelementptr i8, ptr %line, i64 %k
  %char = load i8, ptr %char.at, align 1
  %letter = icmp eq i8 %char, 101
  br i1 %letter, label %exponent.read, label %read.on
read.on:
  %digit = sub i8 %char, 48
  %is.digit = icmp ult i8 %digit, 10
  %digit.wide = zext i8 %digit to i64
  %shifted = mul i64 %digits.so, 10
  %joined = add i64 %shifted, %digit.wide
  %digits.on = select i1 %is.digit, i64 %joined, i64 %digits.so
  %k.following = add i64 %k, 1
  br label %read
exponent.read:
  %k.exponent = add i64 %k, 1
  %exponent.text = getelementptr i8, ptr %line, i64 %k.exponent
  %ten = call i64 @strtol(ptr %exponent.text, ptr null, i32 10)
  %places.wide = sext i32 %places to i64
  %ten.whole = sub i64 %ten, %places.wide
  ; Back again from digits, e and exponent, which no locale changes.
  %m = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %line, i64 64, ptr @say.scientific, i64 %digits.so, i64 %ten.whole)
  %back = call double @strtod(ptr %line, ptr null)
  br i1 %double, label %same.double, label %narrow
same.double:
  %exact = fcmp oeq double %back, %value
  br label %decide
narrow:
  br i1 %float, label %same.float, label %same.short
same.float:
  %back.float = fptrunc double %back to float
  %value.float = fptrunc double %value to float
  %exact.float = fcmp oeq float %back.float, %value.float
  br label %decide
same.short:
  %apart = fsub double %back, %value
  %distance = call double @llvm.fabs.f64(double %apart)
  %near = fcmp olt double %distance, %gap
  br label %decide
decide:
  %tells = phi i1 [ %exact, %same.double ], [ %exact.float, %same.float ], [ %near, %same.short ]
  %all = icmp eq i32 %places, 16
  %enough = or i1 %tells, %all
  br i1 %enough, label %store, label %longer
longer:
  %places.more = add i32 %places, 1
  br label %try
store:
  %digits.final = phi i64 [ 0, %one ], [ %digits.so, %decide ]
  %ten.final = phi i64 [ 0, %one ], [ %ten.whole, %decide ]
  %digits.place = getelementptr i64, ptr %digits.host, i64 %i
  store i64 %digits.final, ptr %digits.place, align 8
  %ten32 = trunc i64 %ten.final to i32
  %exponent.place = getelementptr i32, ptr %exponents.host, i64 %i
  store i32 %ten32, ptr %exponent.place, align 4
  %following = add i64 %i, 1
  br label %next
flush:
  %digits.buffer = load ptr, ptr %digits.at, align 8
  %filled = call i32 @rt.fill(ptr %self, ptr %digits.buffer, ptr %digits.host, i64 %size)
  %unfilled = icmp ne i32 %filled, 0
  br i1 %unfilled, label %bad, label %flush.exponents
flush.exponents:
  %exponents.buffer = load ptr, ptr %exponents.at, align 8
  %last = call i32 @rt.fill(ptr %self, ptr %exponents.buffer, ptr %exponents.host, i64 %half)
  ret i32 %last
bad:
  %status = phi i32 [ %viewed, %entry ], [ %staged, %stage ], [ %second, %stage.exponents ], [ %filled, %flush ]
  ret i32 %status
}

define internal i32 @rt.texts.values(ptr %self, ptr %offsets, i64 %offsets.from, ptr %bytes, i64 %bytes.from, i64 %count, i64 %total,
                                     ptr %text, ptr %values.at) #1 {
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
  %staged = call i32 @rt.stage(ptr %self, i64 %size, ptr %values.at, ptr %host.at)
  %unstaged = icmp ne i32 %staged, 0
  br i1 %unstaged, label %bad, label %begin
begin:
  %ends = load ptr, ptr %ends.at, align 8
  %blob = load ptr, ptr %blob.at, align 8
  %host = load ptr, ptr %host.at, align 8
  br label %next
next:
  %i = phi i64 [ 0, %begin ], [ %following, %store ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %flush
one:
  %from.at = getelementptr i64, ptr %ends, i64 %i
  %from = load i64, ptr %from.at, align 8
  %following = add i64 %i, 1
  %to.at = getelementptr i64, ptr %ends, i64 %following
  %to = load i64, ptr %to.at, align 8
  %some = icmp sgt i64 %to, %from
  br i1 %some, label %last, label %store
last:
  %end = sub i64 %to, 1
  %end.at = getelementptr i8, ptr %blob, i64 %end
  %end.byte = load i8, ptr %end.at, align 1
  %ended = icmp eq i8 %end.byte, 0
  br i1 %ended, label %parse, label %store
parse:
  %data = getelementptr i8, ptr %blob, i64 %from
  %parsed = call double @strtod(ptr %data, ptr null)
  br label %store
store:
  %value = phi double [ 0x7FF8000000000000, %one ], [ 0x7FF8000000000000, %last ], [ %parsed, %parse ]
  %place = getelementptr double, ptr %host, i64 %i
  store double %value, ptr %place, align 8
  br label %next
flush:
  %values = load ptr, ptr %values.at, align 8
  %filled = call i32 @rt.fill(ptr %self, ptr %values, ptr %host, i64 %size)
  ret i32 %filled
bad:
  %status = phi i32 [ %viewed, %entry ], [ %staged, %stage ]
  ret i32 %status
}
"""
