"""WebP by libwebp, in LLVM IR: `@image.webp`."""

WEBP = """
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
