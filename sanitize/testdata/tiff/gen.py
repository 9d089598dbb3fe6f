"""Writes the seeds of the TIFF tests: python3 gen.py (Pillow with libtiff)"""
import pathlib
import struct
import zlib

from PIL import Image

HERE = pathlib.Path(__file__).parent
W, H = 37, 19


def sample(x, y, c=0):
    return (x * (3 + c) + y * (5 - c) + x * y % 7 + (x // 9) * 40) % 256


def pixels(width, height, channels):
    return bytes(sample(x, y, c) for y in range(height) for x in range(width) for c in range(channels))


def deep(order, width, height, channels):
    """16 bits a sample."""
    return b"".join(struct.pack(order + "H", sample(x, y, c) * 251 + x) for y in range(height) for x in range(width)
                    for c in range(channels))


def picture(mode, width=W, height=H):
    if mode == "1":
        return Image.frombytes("L", (width, height), pixels(width, height, 1)).point(lambda v: v % 2 * 255).convert("1")
    image = Image.frombytes(mode, (width, height), pixels(width, height, len(Image.new(mode, (1, 1)).getbands())))
    if mode == "P":
        image.putpalette(bytes(i * k % 256 for i in range(256) for k in (3, 5, 11)))
    return image


def tiff(order, tags, blocks, gap=b"", tail=b"", following=0):
    """A file of tags {tag: (type, values)}; blocks are the strips or tiles, gap stands before them."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    formats = {1: "B", 2: "s", 3: "H", 4: "I", 7: "s"}
    tags = dict(sorted(tags.items()))
    place = 324 if 322 in tags else 273

    def encode(kind, values):
        if formats[kind] == "s":
            return values
        return struct.pack(order + formats[kind] * len(values), *values)

    def build(offsets):
        full = dict(sorted({**tags, place: (4, offsets), place + (1 if place == 324 else 6): (4, [len(b) for b in blocks])}.items()))
        heap_at, heap = 8 + 2 + 12 * len(full) + 4, b""
        directory = struct.pack(order + "H", len(full))
        for tag, (kind, values) in full.items():
            data = encode(kind, values)
            directory += struct.pack(order + "HHI", tag, kind, len(values))
            if len(data) <= 4:
                directory += data.ljust(4, b"\0")
            else:
                directory += struct.pack(order + "I", heap_at + len(heap))
                heap += data + b"\0" * (len(data) % 2)
        return mark + struct.pack(order + "I", 8) + directory + struct.pack(order + "I", following) + heap + gap

    offsets, at = [], len(build([0] * len(blocks)))
    for block in blocks:
        offsets.append(at)
        at += len(block)
    return build(offsets) + b"".join(blocks) + tail


def tags(width, height, bits, photometric, samples=1, compression=1, rows=None, **more):
    out = {256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * samples), 259: (3, [compression]),
           262: (3, [photometric]), 277: (3, [samples]), 278: (4, [rows or height])}
    out.update({int(k[1:]): v for k, v in more.items()})
    return out


def strips(data, row, rows):
    return [data[i:i + row * rows] for i in range(0, len(data), row * rows)]


def tiles(data, width, height, channels, size):
    out = []
    for y0 in range(0, height, size):
        for x0 in range(0, width, size):
            tile = b""
            for y in range(y0, y0 + size):
                row = data[(y * width + x0) * channels:(y * width + min(width, x0 + size)) * channels] if y < height else b""
                tile += row.ljust(size * channels, b"\xEE")
            out.append(tile)
    return out


def packed(data):
    """PackBits: runs of equal bytes, and literals."""
    out, i = b"", 0
    while i < len(data):
        n = 1
        while i + n < len(data) and n < 128 and data[i + n] == data[i]:
            n += 1
        if n > 2:
            out += bytes([257 - n, data[i]])
        else:
            n = min(3, len(data) - i)
            out += bytes([n - 1]) + data[i:i + n]
        i += n
    return out


COLOURS = [i * 257 for i in range(256)] + [i * 5 % 256 * 257 for i in range(256)] + [i * 11 % 256 * 256 + 7 for i in range(256)]


def main():
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            picture(mode).save(HERE / f"{mode.lower()}_{name.removeprefix('tiff_')}.tif", "TIFF", compression=name)
    picture("RGB").save(HERE / "rgb_lzw_predicted.tif", "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    picture("RGB", 200, 150).save(HERE / "rgb_large_lzw.tif", "TIFF", compression="tiff_lzw")
    exif = Image.Exif()
    exif[0x112], exif[0x10E], exif[0x131] = 6, "a description", "software"
    picture("RGB").save(HERE / "orientation6.tif", "TIFF", exif=exif)
    picture("L").save(HERE / "pages.tif", "TIFF", save_all=True, append_images=[picture("L")])
    rgb = pixels(W, H, 3)
    padded = bytes((b & 0xF8) | 7 if i % 5 == 4 else b for i, b in enumerate(picture("1").tobytes()))
    for order, name in (("<", "le"), (">", "be")):
        for file, data in {
            f"grey16_{name}": tiff(order, tags(W, H, 16, 1, rows=5), strips(deep(order, W, H, 1), 2 * W, 5)),
            f"rgb16_{name}": tiff(order, tags(W, H, 16, 2, 3), [deep(order, W, H, 3)]),
            f"rgba16_{name}": tiff(order, tags(W, H, 16, 2, 4, t338=(3, [2])), [deep(order, W, H, 4)]),
            f"rgb16_deflate_{name}": tiff(order, tags(W, H, 16, 2, 3, 8, t317=(3, [1])), [zlib.compress(deep(order, W, H, 3))]),
            f"grey16_deflate_{name}": tiff(order, tags(W, H, 16, 1, 1, 8), [zlib.compress(deep(order, W, H, 1))]),
            f"rgb_{name}": tiff(order, tags(W, H, 8, 2, 3, rows=4), strips(rgb, 3 * W, 4)),
            f"palette_{name}": tiff(order, tags(W, H, 8, 3, t320=(3, COLOURS)), [pixels(W, H, 1)]),
            f"tiles_{name}": tiff(order, tags(W, H, 8, 2, 3, t322=(4, [32]), t323=(4, [32])), tiles(rgb, W, H, 3, 32)),
        }.items():
            (HERE / (file + ".tif")).write_bytes(data)
    for file, data in {
        "white_is_zero": tiff("<", tags(W, H, 8, 0), [pixels(W, H, 1)]),
        "white_is_zero1": tiff("<", tags(W, H, 1, 0), [picture("1").tobytes()]),
        "pad_bits": tiff("<", tags(W, H, 1, 1), [padded]),
        "rgba_associated": tiff("<", tags(W, H, 8, 2, 4, t338=(3, [1])),
                                [bytes(min(v, rgba[3]) for rgba in zip(*[iter(pixels(W, H, 4))] * 4) for v in rgba)]),
        "rgba_unassociated": tiff("<", tags(W, H, 8, 2, 4, t338=(3, [2])), [pixels(W, H, 4)]),
        "tiles_deflate": tiff("<", tags(W, H, 8, 2, 3, 8, t322=(3, [16]), t323=(3, [16])),
                              [zlib.compress(t) for t in tiles(rgb, W, H, 3, 16)]),
        "tiles_large": tiff("<", tags(W, H, 8, 1, t322=(3, [256]), t323=(3, [256])), tiles(pixels(W, H, 1), W, H, 1, 256)),
        "packbits_strips": tiff("<", tags(W, H, 8, 2, 3, 32773, 4), [packed(s) for s in strips(rgb, 3 * W, 4)]),
        "old_deflate": tiff("<", tags(W, H, 8, 2, 3, 32946), [zlib.compress(rgb)]),
        "metadata": tiff("<", tags(W, H, 8, 2, 3, t270=(2, b"description\0"), t305=(2, b"software\0"), t65000=(7, b"private!")),
                         [rgb + b"behind"], gap=b"a gap", tail=b"a tail"),
        "orientation0": tiff("<", tags(W, H, 8, 2, 3, t274=(3, [0])), [rgb]),
        "orientation3_long": tiff("<", tags(W, H, 8, 2, 3, t274=(4, [3])), [rgb]),
        "one": tiff("<", tags(1, 1, 8, 2, 3), [b"abc"]),
    }.items():
        (HERE / (file + ".tif")).write_bytes(data)


if __name__ == "__main__":
    main()
