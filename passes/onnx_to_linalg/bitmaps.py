"""Kernels that decode BMP and PNM images, and lay out pixels that the host decoded; image_decoder calls them.

`probe` reads a file's header into a vector of numbers, named below, and finds height and width 0 unless all that the pixels need is
there; `paint` then writes the pixels without asking again. Files are untrusted: what their numbers say is held against their size.
"""

from __future__ import annotations

from ...dialects.kernel import Array, Out, inline, kernel, u8, unroll

HEAD = 16
"""How many numbers a header comes to."""

HEIGHT, WIDTH, KIND = 0, 1, 2
# The kinds: what the host decodes, or nothing; and ours.
BITMAP, ANYMAP = 1, 2
# Where the pixels begin, the bytes of a row, and the bits of a pixel or, in PNM, of a channel.
START, ROW, BITS = 3, 4, 5
# BMP: rows from the bottom, the palette's place, the bytes and the number of its entries, the masks of red, green and blue.
UPWARD, PALETTE, ENTRY, COLOURS, RED = 6, 7, 8, 9, 10
# BMP: run lengths. PNM: numbers written out.
RUNS, PLAIN = 13, 13
# PNM: channels and the largest value.
CHANNELS, MOST = 6, 7
LARGEST = 1 << 31
"""Heights and widths are smaller, so that their product is a number; the lowering refuses far less."""


@kernel
def probe(data: Array, head: Out):
    """What a BMP or PNM file is, as the numbers above."""
    for k in unroll(16):
        head[k] = 0
    if data.size > 2 and data[0] == 66 and data[1] == 77:
        probe_bitmap(data, head)
    elif data.size > 2 and data[0] == 80 and data[1] >= 49 and data[1] <= 54:
        probe_anymap(data, head)


@kernel
def paint(data: Array, decoded: Array, head: Array, image: Out, layout: str):
    """The pixels of the image whose header `probe` read, or those that the host decoded; layout: "RGB", "BGR" or "Grayscale"."""
    if head[KIND] == BITMAP and head[RUNS] != 0:
        for i in range(image.shape[0]):
            for j in range(image.shape[1]):
                paint_colour(data, head, image, i, j, 0, layout)
        follow_runs(data, head, image, layout, True)
    elif head[KIND] == BITMAP:
        paint_bitmap(data, head, image, layout)
    elif head[KIND] == ANYMAP and head[PLAIN] != 0:
        paint_plain(data, head, image, layout)
    elif head[KIND] == ANYMAP:
        paint_anymap(data, head, image, layout)
    else:
        for i in range(image.shape[0]):
            for j in range(image.shape[1]):
                put(image, i, j, int(decoded[i, j, 0]), int(decoded[i, j, 1]), int(decoded[i, j, 2]), layout)


@inline
def put(image, i, j, red, green, blue, layout):
    """Writes a pixel. Grey is the luma of ITU-R BT.601, rounded."""
    if layout == "Grayscale":
        image[i, j, 0] = u8((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16)
    elif layout == "BGR":
        image[i, j, 0], image[i, j, 1], image[i, j, 2] = u8(blue), u8(green), u8(red)
    else:
        image[i, j, 0], image[i, j, 1], image[i, j, 2] = u8(red), u8(green), u8(blue)


# -- BMP


@inline
def word(data, at):
    """Two bytes, the low one first."""
    return int(data[at]) + 256 * int(data[at + 1])


@inline
def quad(data, at):
    """Four bytes, the lowest first, without a sign."""
    return word(data, at) + 65536 * word(data, at + 2)


@inline
def probe_bitmap(data, head):
    """Reads a BMP header: Windows' from version 2 to 5, OS/2's 1 and 2."""
    length = 0
    if data.size >= 26:
        length = quad(data, 14)
    known = length == 12 or length == 40 or length == 52 or length == 56 or length == 64 or length == 108 or length == 124
    if not known or data.size < 14 + length:
        return
    height, width, bits, packing, colours, entry = 0, 0, 0, 0, 0, 3
    if length == 12:
        width, height, bits = word(data, 18), word(data, 20), word(data, 24)
    else:
        width, height, bits, packing = quad(data, 18), quad(data, 22), word(data, 28), quad(data, 30)
        colours, entry = quad(data, 46), 4
    head[UPWARD] = 1
    if height >= LARGEST:
        height = 2 * LARGEST - height
        head[UPWARD] = 0
    if height <= 0 or width <= 0 or height >= LARGEST or width >= LARGEST:
        return
    plain = packing == 0 and (bits == 1 or bits == 2 or bits == 4 or bits == 8 or bits == 16 or bits == 24 or bits == 32)
    runs = (packing == 1 and bits == 8) or (packing == 2 and bits == 4)
    masks = (packing == 3 or packing == 6) and (bits == 16 or bits == 32) and length != 64 and data.size >= 66
    if not plain and not runs and not masks:
        return
    head[RED], head[RED + 1], head[RED + 2] = 0xFF0000, 0xFF00, 0xFF
    if bits == 16:
        head[RED], head[RED + 1], head[RED + 2] = 0x7C00, 0x3E0, 0x1F
    if masks and (quad(data, 54) != 0 or quad(data, 58) != 0 or quad(data, 62) != 0):
        head[RED], head[RED + 1], head[RED + 2] = quad(data, 54), quad(data, 58), quad(data, 62)
    start, palette = quad(data, 10), 14 + length
    if bits <= 8:
        if colours == 0 or colours > 1 << bits:
            colours = 1 << bits
        # Some files forget that a palette stands before their pixels.
        if start == palette or start == 0:
            start = palette + colours * entry
        colours = min(colours, (data.size - palette) // entry)
    elif start == 0:
        start = palette
    row = (width * bits + 31) // 32 * 4
    head[KIND], head[START], head[ROW], head[BITS] = BITMAP, start, row, bits
    head[PALETTE], head[ENTRY], head[COLOURS] = palette, entry, colours
    whole = False
    if runs:
        head[RUNS], head[HEIGHT], head[WIDTH] = 1, height, width
        whole = start < data.size and follow_runs(data, head, head, "", False)
    else:
        # The last row may lack what fills it up.
        whole = start + row * (height - 1) + (width * bits + 7) // 8 <= data.size
    head[HEIGHT], head[WIDTH] = 0, 0
    if whole:
        head[HEIGHT], head[WIDTH] = height, width


@inline
def paint_bitmap(data, head, image, layout):
    bits = head[BITS]
    for i in range(image.shape[0]):
        at = head[START] + head[ROW] * i
        if head[UPWARD] != 0:
            at = head[START] + head[ROW] * (image.shape[0] - 1 - i)
        for j in range(image.shape[1]):
            if bits <= 8:
                place = j * bits
                shift = 8 - bits - place % 8
                index = (int(data[at + place // 8]) >> shift) & ((1 << bits) - 1)
                paint_colour(data, head, image, i, j, index, layout)
            elif bits == 24:
                where = at + 3 * j
                put(image, i, j, int(data[where + 2]), int(data[where + 1]), int(data[where]), layout)
            else:
                value = 0
                if bits == 16:
                    value = word(data, at + 2 * j)
                else:
                    value = quad(data, at + 4 * j)
                put(image, i, j, part(value, head[RED]), part(value, head[RED + 1]), part(value, head[RED + 2]), layout)


@inline
def paint_colour(data, head, image, i, j, index, layout):
    """Writes a colour of the palette; one that it lacks is black."""
    if index < head[COLOURS]:
        at = head[PALETTE] + head[ENTRY] * index
        put(image, i, j, int(data[at + 2]), int(data[at + 1]), int(data[at]), layout)
    else:
        put(image, i, j, 0, 0, 0, layout)


@inline
def part(value, mask):
    """The bits of value under a mask, from 0 to 255; 0 under none."""
    result = 0
    if mask != 0:
        low = mask & -mask
        result = (value & mask) // low * 255 // (mask // low)
    return result


@inline
def follow_runs(data, head, image, layout, painting):
    """Goes through run lengths, writing pixels where `painting`; whether the data says where the image ends, or fills it."""
    n, at, x, y = data.size, head[START], 0, 0
    height, width, wide = head[HEIGHT], head[WIDTH], head[BITS] == 8
    ended = False
    while not ended and y < height and at + 1 < n:
        count, value = int(data[at]), int(data[at + 1])
        at += 2
        if count > 0:
            if painting:
                for k in range(min(count, width - x)):
                    index = value
                    if not wide:
                        index = value >> 4 if k % 2 == 0 else value & 15
                    paint_run(data, head, image, y, x + k, index, layout)
            x = min(x + count, width)
        elif value == 0:
            x = 0
            y += 1
        elif value == 1:
            ended = True
        elif value == 2:
            if at + 1 >= n:
                break
            x = min(x + int(data[at]), width)
            y += int(data[at + 1])
            at += 2
        else:
            bytes = value if wide else (value + 1) // 2
            if at + bytes > n:
                break
            if painting:
                for k in range(min(value, width - x)):
                    index = int(data[at + k]) if wide else (int(data[at + k // 2]) >> (4 - 4 * (k % 2))) & 15
                    paint_run(data, head, image, y, x + k, index, layout)
            x = min(x + value, width)
            at += bytes + bytes % 2
    return ended or y >= height or (y == height - 1 and x == width)


@inline
def paint_run(data, head, image, y, x, index, layout):
    i = y
    if head[UPWARD] != 0:
        i = image.shape[0] - 1 - y
    paint_colour(data, head, image, i, x, index, layout)


# -- PNM


@inline
def is_blank(c):
    return c == 32 or (c >= 9 and c <= 13)


@inline
def skip(data, at):
    """The place after white space and comments."""
    comment = False
    while at < data.size and (comment or data[at] == 35 or is_blank(data[at])):
        if data[at] == 35:
            comment = True
        elif data[at] == 10 or data[at] == 13:
            comment = False
        at += 1
    return at


@inline
def number(data, at):
    """A number written out, -1 where there is none, and the place after it."""
    at = skip(data, at)
    value = -1
    while at < data.size and data[at] >= 48 and data[at] <= 57:
        value = min(max(value, 0) * 10 + int(data[at]) - 48, LARGEST)
        at += 1
    return value, at


@inline
def sample(data, head, at):
    """The next value of numbers written out, -1 where there is none; those of a bitmap need no space between them."""
    value = -1
    if head[BITS] == 1:
        at = skip(data, at)
        if at < data.size and (data[at] == 48 or data[at] == 49):
            value = 49 - int(data[at])
            at += 1
    else:
        value, at = number(data, at)
    return value, at


@inline
def probe_anymap(data, head):
    """Reads a PNM header, P1 to P6."""
    kind = int(data[1]) - 48
    width, at = number(data, 2)
    height, at = number(data, at)
    most, channels, bits = 1, 1, 1
    if kind != 1 and kind != 4:
        most, at = number(data, at)
        bits = 8 if most < 256 else 16
    if kind == 3 or kind == 6:
        channels = 3
    if height <= 0 or width <= 0 or height >= LARGEST or width >= LARGEST or most <= 0 or most > 65535:
        return
    if at >= data.size or not is_blank(data[at]):
        return
    row = (width * channels * bits + 7) // 8
    head[KIND], head[START], head[ROW], head[BITS] = ANYMAP, at + 1, row, bits
    head[CHANNELS], head[MOST] = channels, most
    whole = True
    if kind <= 3:
        head[PLAIN] = 1
        left = height * channels
        value = 0
        while left > 0 and whole:
            for _ in range(width):
                value, at = sample(data, head, at)
                if value < 0 or value > most:
                    whole = False
                    break
            left -= 1
    else:
        whole = row <= (data.size - at - 1) // height
    if whole:
        head[HEIGHT], head[WIDTH] = height, width


@inline
def paint_plain(data, head, image, layout):
    at, most = head[START], head[MOST]
    red, green, blue = 0, 0, 0
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            red, at = sample(data, head, at)
            green, blue = red, red
            if head[CHANNELS] == 3:
                green, at = sample(data, head, at)
                blue, at = sample(data, head, at)
            put(image, i, j, scaled(red, most), scaled(green, most), scaled(blue, most), layout)


@inline
def paint_anymap(data, head, image, layout):
    most, channels = head[MOST], head[CHANNELS]
    for i in range(image.shape[0]):
        at = head[START] + head[ROW] * i
        for j in range(image.shape[1]):
            red, green, blue = 0, 0, 0
            if head[BITS] == 1:
                red = 1 - ((int(data[at + j // 8]) >> (7 - j % 8)) & 1)
            else:
                red = binary(data, head, at, channels * j)
            green, blue = red, red
            if channels == 3:
                green, blue = binary(data, head, at, 3 * j + 1), binary(data, head, at, 3 * j + 2)
            put(image, i, j, scaled(red, most), scaled(green, most), scaled(blue, most), layout)


@inline
def binary(data, head, at, k):
    """Value k of a row: a byte, or two with the high one first."""
    value = 0
    if head[BITS] == 8:
        value = int(data[at + k])
    else:
        value = 256 * int(data[at + 2 * k]) + int(data[at + 2 * k + 1])
    return value


@inline
def scaled(value, most):
    """A value of 0 to `most` as one of 0 to 255, rounded."""
    return (min(value, most) * 510 + most) // (2 * most)
