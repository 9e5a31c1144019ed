"""JPEG 2000 by OpenJPEG, in LLVM IR: `@image.jpeg2000`."""

JPEG2000 = """
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
