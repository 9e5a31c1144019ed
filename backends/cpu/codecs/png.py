"""PNG by libpng's simplified interface, in LLVM IR: `@image.png`."""

PNG = """
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
