"""JPEG by libjpeg or libjpeg-turbo, in LLVM IR: `@image.jpeg`."""

JPEG = """
; What a decoder keeps while it may be left by a long jump: the library's error handlers first, where the jump leads, the decoder,
; and whether there is one to be given back.
%jpeg.state = type { [256 x i8], [1024 x i8], [1024 x i8], i32 }
declare i32 @_setjmp(ptr) returns_twice
declare void @longjmp(ptr, i32) noreturn

define internal void @jpeg.leave(ptr %decoder) #1 {
  %state = load ptr, ptr %decoder, align 8
  %jump = getelementptr inbounds %jpeg.state, ptr %state, i32 0, i32 1
  call void @longjmp(ptr %jump, i32 1) noreturn
  unreachable
}

; Called where the data ends before the image does.
define internal i32 @jpeg.starved(ptr %decoder) #1 {
  call void @jpeg.leave(ptr %decoder)
  unreachable
}

define internal void @jpeg.quiet(ptr %decoder) #1 {
  ret void
}

define internal void @jpeg.quiet.level(ptr %decoder, i32 %level) #1 {
  ret void
}

; Pixels of CMYK, which files hold inverted, to red, green and blue, in place.
define internal void @jpeg.from_cmyk(ptr %pixels, i64 %count) #1 {
entry:
  br label %pixel
pixel:
  %i = phi i64 [ 0, %entry ], [ %following, %last ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %begin, label %done
begin:
  %source.offset = mul i64 %i, 4
  %target.offset = mul i64 %i, 3
  %source = getelementptr i8, ptr %pixels, i64 %source.offset
  %target = getelementptr i8, ptr %pixels, i64 %target.offset
  %light.at = getelementptr i8, ptr %source, i64 3
  %light8 = load i8, ptr %light.at, align 1
  %light = zext i8 %light8 to i32
  br label %channel
channel:
  %c = phi i64 [ 0, %begin ], [ %c.next, %channel ]
  %ink.at = getelementptr i8, ptr %source, i64 %c
  %ink8 = load i8, ptr %ink.at, align 1
  %ink.left = zext i8 %ink8 to i32
  %ink = sub i32 255, %ink.left
  ; ink * light / 255, rounded.
  %product = mul i32 %ink, %light
  %raised = add i32 %product, 128
  %high = lshr i32 %raised, 8
  %sum = add i32 %raised, %high
  %darker = lshr i32 %sum, 8
  %value = sub i32 %light, %darker
  %value8 = trunc i32 %value to i8
  %value.at = getelementptr i8, ptr %target, i64 %c
  store i8 %value8, ptr %value.at, align 1
  %c.next = add i64 %c, 1
  %again = icmp ult i64 %c.next, 3
  br i1 %again, label %channel, label %last
last:
  %following = add i64 %i, 1
  br label %pixel
done:
  ret void
}

define internal i32 @image.jpeg(ptr %picture, ptr %data, i64 %bytes) #1 {
  %state = alloca %jpeg.state, align 16
  %row = alloca ptr, align 8
  %open = call i32 @library.open(ptr @library.jpeg)
  %closed = icmp eq i32 %open, 0
  br i1 %closed, label %missing, label %prepare
missing:
  ret i32 2
prepare:
  %first.name = icmp eq i32 %open, 1
  %version = select i1 %first.name, i32 62, i32 80
  %size = select i1 %first.name, i64 632, i64 656
  %jump = getelementptr inbounds %jpeg.state, ptr %state, i32 0, i32 1
  %decoder = getelementptr inbounds %jpeg.state, ptr %state, i32 0, i32 2
  %made = getelementptr inbounds %jpeg.state, ptr %state, i32 0, i32 3
  store i32 0, ptr %made, align 4
  call void @llvm.memset.p0.i64(ptr %decoder, i8 0, i64 1024, i1 false)
  %handlers = USE(ptr jpeg_std_error, ptr %state)
  store ptr @jpeg.leave, ptr %state, align 8
  %emit.at = getelementptr i8, ptr %state, i64 8
  store ptr @jpeg.quiet.level, ptr %emit.at, align 8
  %output.at = getelementptr i8, ptr %state, i64 16
  store ptr @jpeg.quiet, ptr %output.at, align 8
  store ptr %handlers, ptr %decoder, align 8
  %back = call i32 @_setjmp(ptr %jump) returns_twice
  %first = icmp eq i32 %back, 0
  br i1 %first, label %make, label %failed
make:
  USE(void jpeg_CreateDecompress, ptr %decoder, i32 %version, i64 %size)
  store i32 1, ptr %made, align 4
  USE(void jpeg_mem_src, ptr %decoder, ptr %data, i64 %bytes)
  %source.at = getelementptr i8, ptr %decoder, i64 40
  %source = load ptr, ptr %source.at, align 8
  %fill.at = getelementptr i8, ptr %source, i64 24
  store ptr @jpeg.starved, ptr %fill.at, align 8
  %read = USE(i32 jpeg_read_header, ptr %decoder, i32 1)
  %width.at = getelementptr i8, ptr %decoder, i64 48
  %width = load i32, ptr %width.at, align 4
  %height.at = getelementptr i8, ptr %decoder, i64 52
  %height = load i32, ptr %height.at, align 4
  ; Colours are numbered: 2 is RGB, 4 CMYK, 5 YCCK, which is written as CMYK.
  %colours.at = getelementptr i8, ptr %decoder, i64 60
  %colours = load i32, ptr %colours.at, align 4
  %cmyk = icmp eq i32 %colours, 4
  %ycck = icmp eq i32 %colours, 5
  %inks = or i1 %cmyk, %ycck
  %wanted = select i1 %inks, i32 4, i32 2
  %channels = select i1 %inks, i64 4, i64 3
  %wanted.at = getelementptr i8, ptr %decoder, i64 64
  store i32 %wanted, ptr %wanted.at, align 4
  %height64 = zext i32 %height to i64
  %width64 = zext i32 %width to i64
  %pixels = call ptr @image.place(ptr %picture, i64 %height64, i64 %width64, i64 %channels)
  %unplaced = icmp eq ptr %pixels, null
  br i1 %unplaced, label %failed, label %start
start:
  %started = USE(i32 jpeg_start_decompress, ptr %decoder)
  %out.width.at = getelementptr i8, ptr %decoder, i64 136
  %out.width = load i32, ptr %out.width.at, align 4
  %out.channels.at = getelementptr i8, ptr %decoder, i64 148
  %out.channels32 = load i32, ptr %out.channels.at, align 4
  %out.channels = sext i32 %out.channels32 to i64
  %as.wide = icmp eq i32 %out.width, %width
  %as.deep = icmp eq i64 %out.channels, %channels
  %expected = and i1 %as.wide, %as.deep
  %stride = mul i64 %width64, %channels
  %line.at = getelementptr i8, ptr %decoder, i64 168
  br i1 %expected, label %next, label %failed
next:
  %line = load i32, ptr %line.at, align 4
  %more = icmp ult i32 %line, %height
  br i1 %more, label %scan, label %finish
scan:
  %line64 = zext i32 %line to i64
  %row.offset = mul i64 %line64, %stride
  %place = getelementptr i8, ptr %pixels, i64 %row.offset
  store ptr %place, ptr %row, align 8
  %lines = USE(i32 jpeg_read_scanlines, ptr %decoder, ptr %row, i32 1)
  %some = icmp ne i32 %lines, 0
  br i1 %some, label %next, label %failed
finish:
  %finished = USE(i32 jpeg_finish_decompress, ptr %decoder)
  USE(void jpeg_destroy_decompress, ptr %decoder)
  br i1 %inks, label %convert, label %good
convert:
  %count = mul i64 %height64, %width64
  call void @jpeg.from_cmyk(ptr %pixels, i64 %count)
  br label %good
good:
  ret i32 0
failed:
  %there = load i32, ptr %made, align 4
  %unmade = icmp eq i32 %there, 0
  ; A library that refuses to begin is another one of that name.
  br i1 %unmade, label %missing, label %drop
drop:
  USE(void jpeg_destroy_decompress, ptr %decoder)
  ret i32 1
}
"""
