"""How each C library decodes an image that lies in memory, in LLVM IR; `images` calls these with a picture and its data.

Offsets and sizes of the libraries' structs are those of their binary interfaces, which their sonames promise.
"""

from __future__ import annotations

from dataclasses import dataclass

from .libraries import Library


@dataclass(frozen=True)
class Codec:
    """A format: the function `@image.NAME`, how people call it, how its files begin (an offset and the bytes there), who decodes it."""

    name: str
    format: str
    signatures: tuple[tuple[int, bytes], ...]
    library: Library
    text: str


_JPEG = """
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

_PNG = """
%png.image = type { ptr, i32, i32, i32, i32, i32, i32, i32, [64 x i8] }

define internal i32 @image.png(ptr %picture, ptr %data, i64 %bytes) #1 {
  %image = alloca %png.image, align 8
  store %png.image zeroinitializer, ptr %image, align 8
  %version.at = getelementptr inbounds %png.image, ptr %image, i32 0, i32 1
  store i32 1, ptr %version.at, align 8
  %open = call i32 @library.open(ptr @library.png)
  %closed = icmp eq i32 %open, 0
  br i1 %closed, label %missing, label %begin
missing:
  ret i32 2
begin:
  %begun = USE(i32 png_image_begin_read_from_memory, ptr %image, ptr %data, i64 %bytes)
  %refused = icmp eq i32 %begun, 0
  br i1 %refused, label %drop, label %measure
measure:
  %width.at = getelementptr inbounds %png.image, ptr %image, i32 0, i32 2
  %width = load i32, ptr %width.at, align 4
  %height.at = getelementptr inbounds %png.image, ptr %image, i32 0, i32 3
  %height = load i32, ptr %height.at, align 8
  ; Red, green, blue and alpha of a byte each: without alpha the library would mix in a background.
  %format.at = getelementptr inbounds %png.image, ptr %image, i32 0, i32 4
  store i32 3, ptr %format.at, align 4
  ; Channels of 16 bits are taken as sRGB, like those of 8.
  %flags.at = getelementptr inbounds %png.image, ptr %image, i32 0, i32 5
  %flags = load i32, ptr %flags.at, align 8
  %flags.too = or i32 %flags, 4
  store i32 %flags.too, ptr %flags.at, align 8
  %height64 = zext i32 %height to i64
  %width64 = zext i32 %width to i64
  %pixels = call ptr @image.place(ptr %picture, i64 %height64, i64 %width64, i64 4)
  %unplaced = icmp eq ptr %pixels, null
  br i1 %unplaced, label %drop, label %read
read:
  %done = USE(i32 png_image_finish_read, ptr %image, ptr null, ptr %pixels, i32 0, ptr null)
  %lost = icmp eq i32 %done, 0
  br i1 %lost, label %drop, label %good
good:
  USE(void png_image_free, ptr %image)
  %count = mul i64 %height64, %width64
  call void @image.pack(ptr %pixels, i64 %count)
  ret i32 0
drop:
  USE(void png_image_free, ptr %image)
  ret i32 1
}
"""

_TIFF = """
; A file in memory: its bytes, how many, and the place to read on.
%tiff.file = type { ptr, i64, i64 }
@tiff.name = private constant [6 x i8] c"image\\00", align 1
; Read only, without mapping.
@tiff.mode = private constant [3 x i8] c"rm\\00", align 1

define internal i64 @tiff.read(ptr %file, ptr %target, i64 %wanted) #1 {
  %data = load ptr, ptr %file, align 8
  %size.at = getelementptr inbounds %tiff.file, ptr %file, i32 0, i32 1
  %size = load i64, ptr %size.at, align 8
  %place.at = getelementptr inbounds %tiff.file, ptr %file, i32 0, i32 2
  %place = load i64, ptr %place.at, align 8
  %inside = icmp ult i64 %place, %size
  br i1 %inside, label %some, label %none
none:
  ret i64 0
some:
  %left = sub i64 %size, %place
  %few = icmp ult i64 %wanted, %left
  %count = select i1 %few, i64 %wanted, i64 %left
  %source = getelementptr i8, ptr %data, i64 %place
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %source, i64 %count, i1 false)
  %next = add i64 %place, %count
  store i64 %next, ptr %place.at, align 8
  ret i64 %count
}

define internal i64 @tiff.write(ptr %file, ptr %source, i64 %count) #1 {
  ret i64 0
}

define internal i64 @tiff.seek(ptr %file, i64 %offset, i32 %from) #1 {
entry:
  %size.at = getelementptr inbounds %tiff.file, ptr %file, i32 0, i32 1
  %size = load i64, ptr %size.at, align 8
  %place.at = getelementptr inbounds %tiff.file, ptr %file, i32 0, i32 2
  %place = load i64, ptr %place.at, align 8
  switch i32 %from, label %move [
    i32 1, label %here
    i32 2, label %end
  ]
here:
  br label %move
end:
  br label %move
move:
  %start = phi i64 [ 0, %entry ], [ %place, %here ], [ %size, %end ]
  %new = add i64 %start, %offset
  store i64 %new, ptr %place.at, align 8
  ret i64 %new
}

define internal i32 @tiff.close(ptr %file) #1 {
  ret i32 0
}

define internal i64 @tiff.size(ptr %file) #1 {
  %size.at = getelementptr inbounds %tiff.file, ptr %file, i32 0, i32 1
  %size = load i64, ptr %size.at, align 8
  ret i64 %size
}

define internal i32 @tiff.map(ptr %file, ptr %base, ptr %size) #1 {
  ret i32 0
}

define internal void @tiff.unmap(ptr %file, ptr %base, i64 %size) #1 {
  ret void
}

; Takes warnings and errors, and says that nobody else need hear of them.
define internal i32 @tiff.quiet(ptr %tiff, ptr %user, ptr %module, ptr %format, ptr %arguments) #1 {
  ret i32 1
}

define internal i32 @image.tiff(ptr %picture, ptr %data, i64 %bytes) #1 {
  %file = alloca %tiff.file, align 8
  %width.at = alloca i32, align 4
  %height.at = alloca i32, align 4
  %reason = alloca [1024 x i8], align 1
  %open = call i32 @library.open(ptr @library.tiff)
  %closed = icmp eq i32 %open, 0
  br i1 %closed, label %missing, label %prepare
missing:
  ret i32 2
prepare:
  store ptr %data, ptr %file, align 8
  %size.at = getelementptr inbounds %tiff.file, ptr %file, i32 0, i32 1
  store i64 %bytes, ptr %size.at, align 8
  %place.at = getelementptr inbounds %tiff.file, ptr %file, i32 0, i32 2
  store i64 0, ptr %place.at, align 8
  store i32 0, ptr %width.at, align 4
  store i32 0, ptr %height.at, align 4
  %options = USE(ptr TIFFOpenOptionsAlloc, )
  %poor = icmp eq ptr %options, null
  br i1 %poor, label %no.image, label %begin
begin:
  USE(void TIFFOpenOptionsSetMaxSingleMemAlloc, ptr %options, i64 1073741824)
  USE(void TIFFOpenOptionsSetErrorHandlerExtR, ptr %options, ptr @tiff.quiet, ptr null)
  USE(void TIFFOpenOptionsSetWarningHandlerExtR, ptr %options, ptr @tiff.quiet, ptr null)
  %tiff = USE(ptr TIFFClientOpenExt, $OPEN)
  USE(void TIFFOpenOptionsFree, ptr %options)
  %refused = icmp eq ptr %tiff, null
  br i1 %refused, label %no.image, label %measure
no.image:
  ret i32 1
measure:
  %wide = USE(i32 (ptr, i32, ...) TIFFGetField, ptr %tiff, i32 256, ptr %width.at)
  %tall = USE(i32 (ptr, i32, ...) TIFFGetField, ptr %tiff, i32 257, ptr %height.at)
  %can = USE(i32 TIFFRGBAImageOK, ptr %tiff, ptr %reason)
  %cannot = icmp eq i32 %can, 0
  br i1 %cannot, label %drop, label %place
place:
  %width = load i32, ptr %width.at, align 4
  %height = load i32, ptr %height.at, align 4
  %height64 = zext i32 %height to i64
  %width64 = zext i32 %width to i64
  %pixels = call ptr @image.place(ptr %picture, i64 %height64, i64 %width64, i64 4)
  %unplaced = icmp eq ptr %pixels, null
  br i1 %unplaced, label %drop, label %read
read:
  ; The first pixel is the upper left one; the first error ends it.
  %done = USE(i32 TIFFReadRGBAImageOriented, ptr %tiff, i32 %width, i32 %height, ptr %pixels, i32 1, i32 1)
  USE(void TIFFClose, ptr %tiff)
  %lost = icmp eq i32 %done, 0
  br i1 %lost, label %no.image, label %good
good:
  %count = mul i64 %height64, %width64
  call void @image.pack(ptr %pixels, i64 %count)
  ret i32 0
drop:
  USE(void TIFFClose, ptr %tiff)
  ret i32 1
}
""".replace(
    "$OPEN",
    "ptr @tiff.name, ptr @tiff.mode, ptr %file, ptr @tiff.read, ptr @tiff.write, ptr @tiff.seek, ptr @tiff.close, ptr @tiff.size, "
    "ptr @tiff.map, ptr @tiff.unmap, ptr %options",
)

_WEBP = """
define internal i32 @image.webp(ptr %picture, ptr %data, i64 %bytes) #1 {
  %width.at = alloca i32, align 4
  %height.at = alloca i32, align 4
  %open = call i32 @library.open(ptr @library.webp)
  %closed = icmp eq i32 %open, 0
  br i1 %closed, label %missing, label %measure
missing:
  ret i32 2
measure:
  %told = USE(i32 WebPGetInfo, ptr %data, i64 %bytes, ptr %width.at, ptr %height.at)
  %refused = icmp eq i32 %told, 0
  br i1 %refused, label %no.image, label %place
no.image:
  ret i32 1
place:
  %width = load i32, ptr %width.at, align 4
  %height = load i32, ptr %height.at, align 4
  %height64 = sext i32 %height to i64
  %width64 = sext i32 %width to i64
  %pixels = call ptr @image.place(ptr %picture, i64 %height64, i64 %width64, i64 3)
  %unplaced = icmp eq ptr %pixels, null
  br i1 %unplaced, label %no.image, label %read
read:
  %stride = mul i32 %width, 3
  %stride64 = mul i64 %width64, 3
  %room = mul i64 %stride64, %height64
  %done = USE(ptr WebPDecodeRGBInto, ptr %data, i64 %bytes, ptr %pixels, i64 %room, i32 %stride)
  %lost = icmp eq ptr %done, null
  br i1 %lost, label %no.image, label %good
good:
  ret i32 0
}
"""

_JPEG2000 = """
; As %tiff.file is.
%jpeg2000.file = type { ptr, i64, i64 }
; A component: the steps between its samples, how many there are across and down, their bits and whether they are signed.
%jpeg2000.component = type { i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, i32, ptr, i16 }
%jpeg2000.image = type { i32, i32, i32, i32, i32, i32, ptr, ptr, i32 }

define internal i64 @jpeg2000.read(ptr %target, i64 %wanted, ptr %file) #1 {
  %data = load ptr, ptr %file, align 8
  %size.at = getelementptr inbounds %jpeg2000.file, ptr %file, i32 0, i32 1
  %size = load i64, ptr %size.at, align 8
  %place.at = getelementptr inbounds %jpeg2000.file, ptr %file, i32 0, i32 2
  %place = load i64, ptr %place.at, align 8
  %inside = icmp ult i64 %place, %size
  br i1 %inside, label %some, label %end
end:
  ret i64 -1
some:
  %left = sub i64 %size, %place
  %few = icmp ult i64 %wanted, %left
  %count = select i1 %few, i64 %wanted, i64 %left
  %source = getelementptr i8, ptr %data, i64 %place
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %source, i64 %count, i1 false)
  %next = add i64 %place, %count
  store i64 %next, ptr %place.at, align 8
  ret i64 %count
}

define internal i64 @jpeg2000.skip(i64 %count, ptr %file) #1 {
  %size.at = getelementptr inbounds %jpeg2000.file, ptr %file, i32 0, i32 1
  %size = load i64, ptr %size.at, align 8
  %place.at = getelementptr inbounds %jpeg2000.file, ptr %file, i32 0, i32 2
  %place = load i64, ptr %place.at, align 8
  %left = sub i64 %size, %place
  %fits = icmp ule i64 %count, %left
  br i1 %fits, label %move, label %end
end:
  store i64 %size, ptr %place.at, align 8
  ret i64 -1
move:
  %next = add i64 %place, %count
  store i64 %next, ptr %place.at, align 8
  ret i64 %count
}

define internal i32 @jpeg2000.seek(i64 %place, ptr %file) #1 {
  %size.at = getelementptr inbounds %jpeg2000.file, ptr %file, i32 0, i32 1
  %size = load i64, ptr %size.at, align 8
  %fits = icmp ule i64 %place, %size
  br i1 %fits, label %move, label %end
end:
  ret i32 0
move:
  %place.at = getelementptr inbounds %jpeg2000.file, ptr %file, i32 0, i32 2
  store i64 %place, ptr %place.at, align 8
  ret i32 1
}

; Whether a component has samples of 1 to 31 bits.
define internal i1 @jpeg2000.has_samples(ptr %component) #1 {
  %all = load %jpeg2000.component, ptr %component, align 8
  %step = extractvalue %jpeg2000.component %all, 0
  %step.down = extractvalue %jpeg2000.component %all, 1
  %width = extractvalue %jpeg2000.component %all, 2
  %height = extractvalue %jpeg2000.component %all, 3
  %bits = extractvalue %jpeg2000.component %all, 6
  %samples = extractvalue %jpeg2000.component %all, 11
  %a = icmp ne i32 %step, 0
  %b = icmp ne i32 %step.down, 0
  %c = icmp ne i32 %width, 0
  %d = icmp ne i32 %height, 0
  %bits.less = sub i32 %bits, 1
  %e = icmp ult i32 %bits.less, 31
  %f = icmp ne ptr %samples, null
  %ab = and i1 %a, %b
  %cd = and i1 %c, %d
  %ef = and i1 %e, %f
  %abcd = and i1 %ab, %cd
  %result = and i1 %abcd, %ef
  ret i1 %result
}

; The sample of a component at a place of the image, as a byte's value.
define internal i32 @jpeg2000.sample(ptr %component, i32 %y, i32 %x) #1 {
  %all = load %jpeg2000.component, ptr %component, align 8
  %step = extractvalue %jpeg2000.component %all, 0
  %step.down = extractvalue %jpeg2000.component %all, 1
  %width = extractvalue %jpeg2000.component %all, 2
  %height = extractvalue %jpeg2000.component %all, 3
  %bits = extractvalue %jpeg2000.component %all, 6
  %signed = extractvalue %jpeg2000.component %all, 8
  %samples = extractvalue %jpeg2000.component %all, 11
  %column.asked = udiv i32 %x, %step
  %row.asked = udiv i32 %y, %step.down
  %column.last = sub i32 %width, 1
  %row.last = sub i32 %height, 1
  %column = call i32 @llvm.umin.i32(i32 %column.asked, i32 %column.last)
  %row = call i32 @llvm.umin.i32(i32 %row.asked, i32 %row.last)
  %column64 = zext i32 %column to i64
  %row64 = zext i32 %row to i64
  %width64 = zext i32 %width to i64
  %before = mul i64 %row64, %width64
  %index = add i64 %before, %column64
  %sample.at = getelementptr i32, ptr %samples, i64 %index
  %sample32 = load i32, ptr %sample.at, align 4
  %sample = sext i32 %sample32 to i64
  %bits64 = zext i32 %bits to i64
  %sign = sub i64 %bits64, 1
  %half = shl i64 1, %sign
  %is.signed = icmp ne i32 %signed, 0
  %offset = select i1 %is.signed, i64 %half, i64 0
  %value = add i64 %sample, %offset
  %wide = icmp ugt i64 %bits64, 8
  br i1 %wide, label %narrow, label %widen
narrow:
  %excess = sub i64 %bits64, 8
  %excess.less = sub i64 %excess, 1
  %rounding = shl i64 1, %excess.less
  %rounded = add i64 %value, %rounding
  %narrowed = ashr i64 %rounded, %excess
  br label %bound
widen:
  %lack = sub i64 8, %bits64
  %widened = shl i64 %value, %lack
  br label %bound
bound:
  %scaled = phi i64 [ %narrowed, %narrow ], [ %widened, %widen ]
  %least = call i64 @llvm.smax.i64(i64 %scaled, i64 0)
  %most = call i64 @llvm.smin.i64(i64 %least, i64 255)
  %result = trunc i64 %most to i32
  ret i32 %result
}

define internal i8 @jpeg2000.byte(i32 %scaled) #1 {
  ; From 16 bits of fraction.
  %rounded = add i32 %scaled, 32768
  %value = ashr i32 %rounded, 16
  %least = call i32 @llvm.smax.i32(i32 %value, i32 0)
  %most = call i32 @llvm.smin.i32(i32 %least, i32 255)
  %result = trunc i32 %most to i8
  ret i8 %result
}

; Writes a decoded image's pixels; 1 for one whose components make no colours.
define internal i32 @jpeg2000.pixels(ptr %image, i32 %height, i32 %width, ptr %pixels) #1 {
entry:
  %all = load %jpeg2000.image, ptr %image, align 8
  %count = extractvalue %jpeg2000.image %all, 4
  %space = extractvalue %jpeg2000.image %all, 5
  %red = extractvalue %jpeg2000.image %all, 6
  %three = icmp uge i32 %count, 3
  %one = icmp uge i32 %count, 1
  br i1 %one, label %parts, label %no.image
parts:
  ; Colours stand in three components, shades of grey in the first alone.
  %green.at = select i1 %three, i32 1, i32 0
  %blue.at = select i1 %three, i32 2, i32 0
  %green = getelementptr %jpeg2000.component, ptr %red, i32 %green.at
  %blue = getelementptr %jpeg2000.component, ptr %red, i32 %blue.at
  %red.there = call i1 @jpeg2000.has_samples(ptr %red)
  %green.there = call i1 @jpeg2000.has_samples(ptr %green)
  %blue.there = call i1 @jpeg2000.has_samples(ptr %blue)
  %some = and i1 %red.there, %green.there
  %each = and i1 %some, %blue.there
  ; 3 is sYCC, which an image that samples two components more coarsely is too where it does not say; 4 and 5 are not decoded.
  %other = icmp sgt i32 %space, 3
  %usual = xor i1 %other, true
  %fine = and i1 %each, %usual
  br i1 %fine, label %colours, label %no.image
no.image:
  ret i32 1
colours:
  %named = icmp eq i32 %space, 3
  %unnamed = icmp sle i32 %space, 0
  %step = load i32, ptr %red, align 8
  %green.step = load i32, ptr %green, align 8
  %coarse = icmp ugt i32 %green.step, %step
  %guessed = and i1 %unnamed, %coarse
  %either = or i1 %named, %guessed
  %chroma = and i1 %either, %three
  br label %row
row:
  %y = phi i32 [ 0, %colours ], [ %y.next, %row.end ]
  %more.rows = icmp ult i32 %y, %height
  br i1 %more.rows, label %column, label %good
good:
  ret i32 0
row.end:
  %y.next = add i32 %y, 1
  br label %row
column:
  %x = phi i32 [ 0, %row ], [ %x.next, %store ]
  %more = icmp ult i32 %x, %width
  br i1 %more, label %pixel, label %row.end
pixel:
  %r = call i32 @jpeg2000.sample(ptr %red, i32 %y, i32 %x)
  %g = call i32 @jpeg2000.sample(ptr %green, i32 %y, i32 %x)
  %b = call i32 @jpeg2000.sample(ptr %blue, i32 %y, i32 %x)
  %r16 = shl i32 %r, 16
  %g16 = shl i32 %g, 16
  %b16 = shl i32 %b, 16
  br i1 %chroma, label %convert, label %store
convert:
  ; ITU-R BT.601, all of the range.
  %cb = sub i32 %g, 128
  %cr = sub i32 %b, 128
  %cr.red = mul i32 %cr, 91881
  %cb.green = mul i32 %cb, -22554
  %cr.green = mul i32 %cr, -46802
  %cb.blue = mul i32 %cb, 116130
  %red.made = add i32 %r16, %cr.red
  %green.half = add i32 %r16, %cb.green
  %green.made = add i32 %green.half, %cr.green
  %blue.made = add i32 %r16, %cb.blue
  br label %store
store:
  %red16 = phi i32 [ %r16, %pixel ], [ %red.made, %convert ]
  %green16 = phi i32 [ %g16, %pixel ], [ %green.made, %convert ]
  %blue16 = phi i32 [ %b16, %pixel ], [ %blue.made, %convert ]
  %red8 = call i8 @jpeg2000.byte(i32 %red16)
  %green8 = call i8 @jpeg2000.byte(i32 %green16)
  %blue8 = call i8 @jpeg2000.byte(i32 %blue16)
  %y64 = zext i32 %y to i64
  %x64 = zext i32 %x to i64
  %width64 = zext i32 %width to i64
  %before = mul i64 %y64, %width64
  %index = add i64 %before, %x64
  %offset = mul i64 %index, 3
  %place = getelementptr i8, ptr %pixels, i64 %offset
  store i8 %red8, ptr %place, align 1
  %green.place = getelementptr i8, ptr %place, i64 1
  store i8 %green8, ptr %green.place, align 1
  %blue.place = getelementptr i8, ptr %place, i64 2
  store i8 %blue8, ptr %blue.place, align 1
  %x.next = add i32 %x, 1
  br label %column
}

define internal i32 @image.jpeg2000(ptr %picture, ptr %data, i64 %bytes) #1 {
entry:
  %file = alloca %jpeg2000.file, align 8
  %image.at = alloca ptr, align 8
  store ptr null, ptr %image.at, align 8
  store ptr %data, ptr %file, align 8
  %size.at = getelementptr inbounds %jpeg2000.file, ptr %file, i32 0, i32 1
  store i64 %bytes, ptr %size.at, align 8
  %place.at = getelementptr inbounds %jpeg2000.file, ptr %file, i32 0, i32 2
  store i64 0, ptr %place.at, align 8
  %open = call i32 @library.open(ptr @library.openjp2)
  %closed = icmp eq i32 %open, 0
  br i1 %closed, label %missing, label %begin
missing:
  ret i32 2
begin:
  ; A file of boxes begins with a zero, the codestream alone with 255. Larger than the parameters are.
  %byte = load i8, ptr %data, align 1
  %boxed = icmp eq i8 %byte, 0
  %kind = select i1 %boxed, i32 2, i32 0
  %parameters = call ptr @calloc(i64 1, i64 16384)
  %stream = USE(ptr opj_stream_create, i64 65536, i32 1)
  %codec = USE(ptr opj_create_decompress, i32 %kind)
  %no.parameters = icmp eq ptr %parameters, null
  %no.stream = icmp eq ptr %stream, null
  %no.codec = icmp eq ptr %codec, null
  %lack = or i1 %no.parameters, %no.stream
  %poor = or i1 %lack, %no.codec
  br i1 %poor, label %drop, label %setup
setup:
  USE(void opj_stream_set_user_data, ptr %stream, ptr %file, ptr null)
  USE(void opj_stream_set_user_data_length, ptr %stream, i64 %bytes)
  USE(void opj_stream_set_read_function, ptr %stream, ptr @jpeg2000.read)
  USE(void opj_stream_set_skip_function, ptr %stream, ptr @jpeg2000.skip)
  USE(void opj_stream_set_seek_function, ptr %stream, ptr @jpeg2000.seek)
  USE(void opj_set_default_decoder_parameters, ptr %parameters)
  %set = USE(i32 opj_setup_decoder, ptr %codec, ptr %parameters)
  %unset = icmp eq i32 %set, 0
  br i1 %unset, label %drop, label %header
header:
  %read = USE(i32 opj_read_header, ptr %stream, ptr %codec, ptr %image.at)
  %unread = icmp eq i32 %read, 0
  br i1 %unread, label %drop, label %measure
measure:
  %image = load ptr, ptr %image.at, align 8
  %all = load %jpeg2000.image, ptr %image, align 8
  %left = extractvalue %jpeg2000.image %all, 0
  %top = extractvalue %jpeg2000.image %all, 1
  %right = extractvalue %jpeg2000.image %all, 2
  %bottom = extractvalue %jpeg2000.image %all, 3
  %width = sub i32 %right, %left
  %height = sub i32 %bottom, %top
  %width64 = zext i32 %width to i64
  %height64 = zext i32 %height to i64
  %pixels = call ptr @image.place(ptr %picture, i64 %height64, i64 %width64, i64 3)
  %unplaced = icmp eq ptr %pixels, null
  br i1 %unplaced, label %drop, label %decode
decode:
  %decoded = USE(i32 opj_decode, ptr %codec, ptr %stream, ptr %image)
  %undecoded = icmp eq i32 %decoded, 0
  br i1 %undecoded, label %drop, label %finish
finish:
  %ended = USE(i32 opj_end_decompress, ptr %codec, ptr %stream)
  %unended = icmp eq i32 %ended, 0
  br i1 %unended, label %drop, label %write
write:
  %written = call i32 @jpeg2000.pixels(ptr %image, i32 %height, i32 %width, ptr %pixels)
  br label %drop
drop:
  %result = phi i32 [ 1, %begin ], [ 1, %setup ], [ 1, %header ], [ 1, %measure ], [ 1, %decode ], [ 1, %finish ],
                [ %written, %write ]
  call void @free(ptr %parameters)
  br i1 %no.stream, label %drop.codec, label %drop.stream
drop.stream:
  USE(void opj_stream_destroy, ptr %stream)
  br label %drop.codec
drop.codec:
  br i1 %no.codec, label %drop.image, label %drop.it
drop.it:
  USE(void opj_destroy_codec, ptr %codec)
  br label %drop.image
drop.image:
  %made = load ptr, ptr %image.at, align 8
  %none = icmp eq ptr %made, null
  br i1 %none, label %done, label %drop.made
drop.made:
  USE(void opj_image_destroy, ptr %made)
  br label %done
done:
  ret i32 %result
}
"""

CODECS = (
    Codec(
        "jpeg",
        "JPEG",
        ((0, b"\xff\xd8\xff"),),
        Library(
            "jpeg",
            "libjpeg-turbo",
            ("libjpeg.so.62", "libjpeg.so.8"),
            (
                "jpeg_std_error", "jpeg_CreateDecompress", "jpeg_mem_src", "jpeg_read_header", "jpeg_start_decompress",
                "jpeg_read_scanlines", "jpeg_finish_decompress", "jpeg_destroy_decompress",
            ),
        ),
        _JPEG,
    ),
    Codec(
        "png",
        "PNG",
        ((0, b"\x89PNG\r\n\x1a\n"),),
        Library(
            "png",
            "libpng",
            ("libpng16.so.16",),
            ("png_image_begin_read_from_memory", "png_image_finish_read", "png_image_free"),
        ),
        _PNG,
    ),
    Codec(
        "tiff",
        "TIFF",
        ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
        Library(
            "tiff",
            "libtiff",
            ("libtiff.so.6",),
            (
                "TIFFOpenOptionsAlloc", "TIFFOpenOptionsFree", "TIFFOpenOptionsSetMaxSingleMemAlloc",
                "TIFFOpenOptionsSetErrorHandlerExtR", "TIFFOpenOptionsSetWarningHandlerExtR", "TIFFClientOpenExt", "TIFFClose",
                "TIFFGetField", "TIFFRGBAImageOK", "TIFFReadRGBAImageOriented",
            ),
        ),
        _TIFF,
    ),
    Codec(
        "webp",
        "WebP",
        ((8, b"WEBP"),),
        Library("webp", "libwebp", ("libwebp.so.7",), ("WebPGetInfo", "WebPDecodeRGBInto")),
        _WEBP,
    ),
    Codec(
        "jpeg2000",
        "JPEG 2000",
        ((0, b"\0\0\0\x0cjP  \r\n\x87\n"), (0, b"\xff\x4f\xff\x51")),
        Library(
            "openjp2",
            "OpenJPEG",
            ("libopenjp2.so.7",),
            (
                "opj_stream_create", "opj_stream_destroy", "opj_stream_set_user_data", "opj_stream_set_user_data_length",
                "opj_stream_set_read_function", "opj_stream_set_skip_function", "opj_stream_set_seek_function",
                "opj_create_decompress", "opj_destroy_codec", "opj_set_default_decoder_parameters", "opj_setup_decoder",
                "opj_read_header", "opj_decode", "opj_end_decompress", "opj_image_destroy",
            ),
        ),
        _JPEG2000,
    ),
)  # fmt: skip
"""In the order in which a file's first bytes are looked at."""
