"""Writes the seeds of the BMP tests: python3 gen.py"""
import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def sample(x, y, c=0):
    return (x * (3 + c) + y * (5 - c) + x * y % 7 + (x // 9) * 40) % 256


def rows(width, height, bits, colours=256, top_down=False, pad=0, fourth=0):
    """The rows of a picture; fourth fills the fourth byte, or None for alpha."""
    out = []
    for y in range(height):
        if bits <= 8:
            text = "".join(format(sample(x, y) % colours, f"0{bits}b") for x in range(width))
            text += "0" * (-len(text) % 8)
            row = int(text, 2).to_bytes(len(text) // 8, "big")
        elif bits == 16:
            row = b"".join(struct.pack("<H", sample(x, y) * 257 & 0x7FFF) for x in range(width))
        elif bits == 24:
            row = bytes(sample(x, y, c) for x in range(width) for c in range(3))
        else:
            row = b"".join(bytes([sample(x, y, c) for c in range(3)]
                                 + [x * 31 % 256 if fourth is None else fourth]) for x in range(width))
        out.append(row + bytes([pad]) * (-len(row) % 4))
    return b"".join(out if top_down else reversed(out))


def palette(colours, size=4, step=37):
    return b"".join(bytes([i * step % 256, i * 7 % 256, 255 - i, 0][:size]) for i in range(colours))


def bmp(width, height, bits, pixels, header=40, method=0, table=b"", colours=0, masks=b"", top_down=False, gap=b""):
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits, method, len(pixels),
                           2835, 2835, colours, 0)
        info += masks if header > 40 else b""
        info += bytes(header - len(info)) + (masks if header == 40 else b"")
    offset = 14 + len(info) + len(table) + len(gap)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + table + gap + pixels


def runs8(width, height):
    out = b""
    for y in range(height):
        if y % 3 == 2:
            out += bytes([0, width]) + bytes(sample(x, y) for x in range(width)) + bytes(width % 2)
        else:
            out += bytes([width // 2, y]) + bytes([width - width // 2 - y % 2 * 3, 255 - y])
        out += b"\0\0"
    return out[:-2] + b"\0\1"


def runs4(width, height):
    out = b""
    for y in range(height):
        if y % 3 == 2:
            n = (width + 1) // 2
            out += bytes([0, width]) + bytes(sample(x, y) for x in range(n)) + bytes(n % 2)
        else:
            out += bytes([width // 2, 0x3A ^ y]) + bytes([width - width // 2, y])
        out += b"\0\0"
    return out + b"\0\1"


MASKS = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
OPAQUE = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0)
MASKS565 = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
MASKS555 = struct.pack("<III", 0x7C00, 0x3E0, 0x1F)
GREY = b"".join(bytes([i, i, i, 0]) for i in range(256))


def main():
    w, h = 37, 19
    for name, data in {
        "palette1.bmp": bmp(w, h, 1, rows(w, h, 1, 2), table=palette(2)),
        "black_white.bmp": bmp(w, h, 1, rows(w, h, 1, 2), table=b"\0\0\0\0\xFF\xFF\xFF\0"),
        "palette4.bmp": bmp(w, h, 4, rows(w, h, 4, 16), table=palette(16)),
        "palette8.bmp": bmp(w, h, 8, rows(w, h, 8), table=palette(256)),
        "palette8_few.bmp": bmp(w, h, 8, rows(w, h, 8, 20), table=palette(30), colours=30),
        "palette8_unused.bmp": bmp(w, h, 8, rows(w, h, 8, 20), table=palette(256)),
        "grey8.bmp": bmp(w, h, 8, rows(w, h, 8), table=GREY),
        "grey8_odd.bmp": bmp(w, h, 8, rows(w, h, 8, 20), table=GREY[:800] + b"\1\2\3\0" * 56),
        "grey8_reversed.bmp": bmp(w, h, 8, rows(w, h, 8, 20), table=b"".join(GREY[1020 - 4 * i:][:4] for i in range(256))),
        "rgb15.bmp": bmp(w, h, 16, rows(w, h, 16)),
        "rgb555.bmp": bmp(w, h, 16, rows(w, h, 16), method=3, masks=MASKS555),
        "rgb565.bmp": bmp(w, h, 16, rows(w, h, 16), method=3, masks=MASKS565),
        "rgb24.bmp": bmp(w, h, 24, rows(w, h, 24)),
        "rgb24_top_down.bmp": bmp(w, h, 24, rows(w, h, 24, top_down=True), top_down=True),
        "rgb24_padding.bmp": bmp(w, h, 24, rows(w, h, 24, pad=0xAA), gap=b"gap!"),
        "rgb24_core.bmp": bmp(w, h, 24, rows(w, h, 24), header=12),
        "palette8_core.bmp": bmp(w, h, 8, rows(w, h, 8), header=12, table=palette(256, 3)),
        "palette8_v4.bmp": bmp(w, h, 8, rows(w, h, 8), header=108, table=palette(256)),
        "palette8_os2.bmp": bmp(w, h, 8, rows(w, h, 8), header=64, table=palette(256)),
        "rgb24_v5.bmp": bmp(w, h, 24, rows(w, h, 24), header=124),
        "rgb32.bmp": bmp(w, h, 32, rows(w, h, 32)),
        "rgb32_filled.bmp": bmp(w, h, 32, rows(w, h, 32, fourth=255)),
        "rgb32_masks.bmp": bmp(w, h, 32, rows(w, h, 32), method=3, masks=OPAQUE[:12]),
        "rgb32_noise.bmp": bmp(w, h, 32, rows(w, h, 32, fourth=None)),
        "rgb32_plain_v4.bmp": bmp(w, h, 32, rows(w, h, 32, fourth=255), header=108),
        "rgb32_v2.bmp": bmp(w, h, 32, rows(w, h, 32), header=52, method=3, masks=OPAQUE[:12]),
        "rgb32_noise_v4.bmp": bmp(w, h, 32, rows(w, h, 32, fourth=None), header=108, method=3, masks=OPAQUE),
        "rgb32_v4.bmp": bmp(w, h, 32, rows(w, h, 32), header=108, method=3, masks=OPAQUE),
        "rgba32_v3.bmp": bmp(w, h, 32, rows(w, h, 32, fourth=None), header=56, method=3, masks=MASKS),
        "rgba32_v4.bmp": bmp(w, h, 32, rows(w, h, 32, fourth=None), header=108, method=3, masks=MASKS),
        "rgba32_v5.bmp": bmp(w, h, 32, rows(w, h, 32, fourth=None), header=124, method=3, masks=MASKS),
        "runs8.bmp": bmp(w, h, 8, runs8(w, h), method=1, table=palette(256)),
        "runs4.bmp": bmp(w, h, 4, runs4(w, h), method=2, table=palette(16)),
        "one.bmp": bmp(1, 1, 24, rows(1, 1, 24)),
    }.items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
