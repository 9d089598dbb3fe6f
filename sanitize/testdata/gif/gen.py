"""Writes the seeds of the GIF tests: python3 gen.py (Pillow)."""
import pathlib
import struct

from PIL import Image

HERE = pathlib.Path(__file__).parent


def indices(width, height, colours):
    return bytes((x * 3 + y * 5 + (x // 7) * (y // 5) + x * y % 3) % colours for y in range(height) for x in range(width))


def picture(width, height, colours, shift=0):
    image = Image.frombytes("P", (width, height), bytes((i + shift) % colours for i in indices(width, height, colours)))
    image.putpalette(bytes((i * k + 7) % 256 for i in range(colours) for k in (3, 5, 11)))
    return image


def lzw(bits, pixels, clear_every=10**9, end=True, first_clear=True):
    """LZW as simple encoders write it: literal codes, cleared before the width grows."""
    clear, codes = 1 << bits, []
    for i, p in enumerate(pixels):
        if i % min(clear - 2, clear_every) == 0 and (i or first_clear):
            codes.append(clear)
        codes.append(p)
    codes += [clear + 1] if end else []
    number = sum(c << i * (bits + 1) for i, c in enumerate(codes))
    return number.to_bytes((len(codes) * (bits + 1) + 7) // 8, "little")


def compressed(bits, pixels, clears=True):
    """LZW with strings. Without clears, a full table is used to the end."""
    clear = 1 << bits
    codes, table, width, string = [(clear, bits + 1)], {bytes([i]): i for i in range(clear)}, bits + 1, b""
    free = clear + 2
    for p in pixels:
        if string + bytes([p]) in table:
            string += bytes([p])
            continue
        codes.append((table[string], width))
        if free < 4096:
            table[string + bytes([p])] = free
            free += 1
            width += free > 1 << width and width < 12
        elif clears:
            codes.append((clear, width))
            table, width, free = {bytes([i]): i for i in range(clear)}, bits + 1, clear + 2
        string = bytes([p])
    codes.append((table[string], width))
    # The decoder is one entry behind, and may have to widen for the end.
    codes.append((clear + 1, width + (free == 1 << width and width < 12)))
    number, at = 0, 0
    for code, n in codes:
        number |= code << at
        at += n
    return number.to_bytes((at + 7) // 8, "little")


def blocks(data, size=255):
    return b"".join(bytes([len(data[i:i + size])]) + data[i:i + size] for i in range(0, len(data), size)) + b"\0"


def table(bits, step=17):
    return bytes((i * step) % 256 for i in range(3 << bits))


def gif(width, height, body, colours=None, flags=0x80, background=0, aspect=0):
    bits = (flags & 7) + 1
    head = struct.pack("<HHBBB", width, height, flags, background, aspect)
    return b"GIF89a" + head + ((colours or table(bits)) if flags & 0x80 else b"") + body + b";"


def frame(width, height, bits=4, left=0, top=0, local=False, interlaced=False, size=255, pixels=None, more=b"", **options):
    pixels = pixels or indices(width, height, 1 << bits)
    flags = (0x80 | bits - 1 if local else 0) | (0x40 if interlaced else 0)
    out = b"," + struct.pack("<HHHHB", left, top, width, height, flags)
    return out + (table(bits, 13) if local else b"") + bytes([bits]) + blocks(lzw(bits, pixels, **options) + more, size)


def control(transparent=None, disposal=0, delay=0):
    flags = disposal << 2 | (transparent is not None)
    return b"!\xF9\x04" + struct.pack("<BHB", flags, delay, transparent or 0) + b"\0"


def large(**options):
    data = blocks(compressed(8, indices(200, 150, 251), **options))
    return b"," + struct.pack("<HHHHB", 0, 0, 200, 150, 0) + b"\x08" + data


def main():
    def save(name, image, **options):
        image.save(HERE / name, "GIF", **options)

    for colours in (2, 3, 16, 200, 256):
        save(f"palette{colours}.gif", picture(61, 45, colours))
    save("grey.gif", Image.frombytes("L", (61, 45), indices(61, 45, 256)))
    save("transparent.gif", picture(61, 45, 16), transparency=5)
    save("interlaced.gif", picture(61, 45, 16), interlace=True)
    save("one.gif", picture(1, 1, 2))
    save("comment.gif", picture(20, 9, 16), comment=b"a comment")
    save("animation.gif", picture(30, 21, 16), save_all=True, loop=3, duration=70,
         append_images=[picture(30, 21, 16, s) for s in (3, 5)])
    save("animation_disposal.gif", picture(30, 21, 16), save_all=True, duration=[70, 90], disposal=2,
         append_images=[picture(30, 21, 16, 3)])
    for name, data in {
        "simple.gif": gif(20, 9, frame(20, 9), flags=0x83),
        "blocks7.gif": gif(20, 9, frame(20, 9, size=7), flags=0x83),
        "no_end.gif": gif(20, 9, frame(20, 9, end=False), flags=0x83),
        "no_first_clear.gif": gif(20, 9, frame(20, 9, first_clear=False), flags=0x83),
        "local.gif": gif(20, 9, frame(20, 9, local=True), flags=0),
        "both_tables.gif": gif(20, 9, frame(20, 9, local=True), flags=0x83),
        "partial.gif": gif(20, 9, frame(11, 5, left=3, top=2), flags=0x83),
        "partial_transparent.gif": gif(20, 9, control(3) + frame(11, 5, left=3, top=2), flags=0x83, background=7),
        "interlaced_rows.gif": gif(5, 37, frame(5, 37, interlaced=True), flags=0x83),
        "unused_transparent.gif": gif(20, 9, control(15) + frame(20, 9, pixels=bytes([1, 2, 3] * 60)), flags=0x83),
        "ramp.gif": gif(20, 9, frame(20, 9, pixels=bytes([1, 2, 3] * 60)), bytes(i // 3 for i in range(48)), flags=0x83),
        "almost_ramp.gif": gif(20, 9, frame(20, 9, pixels=bytes(i % 15 + 1 for i in range(180))),
                               b"\xAA\xBB\xCC" + bytes(i // 3 for i in range(3, 48)), flags=0x83),
        "one_byte_more.gif": gif(20, 9, frame(20, 9, bits=8, more=b"x"), flags=0x87),
        "full_table.gif": gif(200, 150, large(), flags=0x87),
        "full_table_kept.gif": gif(200, 150, large(clears=False), flags=0x87),
        "aspect.gif": gif(20, 9, frame(20, 9), flags=0xFB, aspect=49),
        "frames_local.gif": gif(20, 9, control(delay=5) + frame(20, 9, local=True)
                                + control(2, 1, 8) + frame(9, 4, left=5, top=3), flags=0x83),
    }.items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
