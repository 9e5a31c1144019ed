"""TIFF by libtiff, in LLVM IR: `@image.tiff`."""

TIFF = """
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
