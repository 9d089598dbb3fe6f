"""Writes the source files of the image tests, and golden.json.

    python3 gen.py        (Pillow and its libjpeg-turbo and libpng)

golden.json maps each file to its mode, size and the SHA-256 of the samples as
Pillow decodes them: an oracle that shares no code with Weir. The tests compare
it with the decoded output of the lossless profile. The pictures are drawn from a
formula, so a second run writes the same files with the same version of Pillow.
"""
import hashlib
import json
import pathlib
import struct
import zlib

from PIL import Image, __version__

HERE = pathlib.Path(__file__).parent


def picture(mode, width, height):
    """A smooth gradient with a few edges and some grain."""
    bands = []
    for band in range(len(Image.new(mode, (1, 1)).getbands())):
        samples = bytearray()
        for y in range(height):
            for x in range(width):
                v = (x * (3 + band) + y * (5 - band)) % 256
                if (x // 9 + y // 7) % 3 == 0:
                    v = 255 - v
                v += (x * 7919 + y * 104729 + band * 31) % 13
                samples.append(v % 256)
        bands.append(Image.frombytes("L", (width, height), bytes(samples)))
    return bands[0] if len(bands) == 1 else Image.merge(mode, bands)


def exif(orientation):
    e = Image.Exif()
    e[0x0112] = orientation
    e[0x010F] = "Maker"
    e[0x0110] = "Model"
    e.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a comment"
    e.get_ifd(0x8825)[1] = "N"
    e.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return e


def jpegs():
    rgb, grey = picture("RGB", 61, 45), picture("L", 61, 45)
    yield "baseline420.jpg", rgb, dict(quality=90)
    yield "baseline422.jpg", rgb, dict(quality=80, subsampling="4:2:2")
    yield "baseline444.jpg", rgb, dict(quality=95, subsampling="4:4:4")
    yield "grey.jpg", grey, dict(quality=85)
    yield "progressive.jpg", rgb, dict(quality=88, progressive=True)
    yield "progressive_grey.jpg", grey, dict(quality=75, progressive=True)
    yield "progressive_restart.jpg", rgb, dict(quality=88, progressive=True, subsampling="4:4:4", restart_marker_blocks=3)
    yield "optimised.jpg", rgb, dict(quality=60, optimize=True)
    yield "restart.jpg", rgb, dict(quality=90, restart_marker_blocks=1)
    yield "restart_rows.jpg", rgb, dict(quality=90, restart_marker_rows=1)
    yield "cmyk.jpg", picture("CMYK", 40, 30), dict(quality=90)
    yield "rgb.jpg", rgb, dict(quality=90, keep_rgb=True)
    yield "density.jpg", rgb, dict(quality=90, dpi=(300, 300))
    yield "exif6.jpg", rgb, dict(quality=90, exif=exif(6))
    yield "exif1.jpg", rgb, dict(quality=90, exif=exif(1))
    yield "one.jpg", picture("RGB", 1, 1), dict(quality=90)
    yield "large.jpg", picture("RGB", 320, 200), dict(quality=94)
    yield "large_progressive.jpg", picture("RGB", 320, 200), dict(quality=90, progressive=True)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(width, height, depth, colour, interlaced=False, ancillary=b"", pad=0, split=0):
    """A PNG of any type, with the filter types taken in turn. pad fills the bits
    behind the last pixel of a row; split is the size of the IDAT chunks."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    entries = min(1 << depth, 200)

    def sample(x, y, c):
        v = (x * (3 + c) + y * (5 - c) + (x * y) % 7) % (1 << depth)
        return v % entries if colour == 3 else v

    raw = b""
    for x0, y0, dx, dy in PASSES if interlaced else [(0, 0, 1, 1)]:
        xs = range(x0, width, dx)
        above = None
        for i, y in enumerate(range(y0, height, dy) if len(xs) else []):
            bits = "".join(format(sample(x, y, c), f"0{depth}b") for x in xs for c in range(channels))
            bits += "".join(str(pad) for _ in range(-len(bits) % 8))
            row = int(bits, 2).to_bytes(len(bits) // 8, "big")
            raw += filtered(i % 5, row, above or bytes(len(row)), max(1, channels * depth // 8))
            above = row
    out = b"\x89PNG\r\n\x1a\n"
    out += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced)))
    out += ancillary
    if colour == 3:
        out += chunk(b"PLTE", bytes((i * k) % 256 for i in range(entries) for k in (3, 5, 7)))
        out += chunk(b"tRNS", bytes((i * 11) % 256 for i in range(min(entries, 9))))
    data = zlib.compress(raw, 9)
    for i in range(0, len(data), split or len(data)):
        out += chunk(b"IDAT", data[i:i + (split or len(data))])
    return out + chunk(b"IEND", b"")


def filtered(kind, row, above, bpp):
    out = bytearray([kind])
    for i, v in enumerate(row):
        a = row[i - bpp] if i >= bpp else 0
        b = above[i]
        c = above[i - bpp] if i >= bpp else 0
        pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
        paeth = a if pa <= pb and pa <= pc else b if pb <= pc else c
        out.append((v - [0, a, b, (a + b) // 2, paeth][kind]) % 256)
    return bytes(out)


def pngs():
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            name = f"{ {0: 'grey', 2: 'rgb', 3: 'palette', 4: 'greyalpha', 6: 'rgba'}[colour] }{depth}"
            yield f"{name}.png", png(53, 37, depth, colour)
            yield f"{name}_interlaced.png", png(53, 37, depth, colour, interlaced=True)
    yield "pad1.png", png(53, 37, 1, 0, pad=1)
    yield "pad2_interlaced.png", png(53, 37, 2, 3, pad=1, interlaced=True)
    yield "split.png", png(53, 37, 8, 2, split=100)
    yield "exif.png", png(53, 37, 8, 2, ancillary=chunk(b"eXIf", exif(8).tobytes()[6:]))
    yield "colour.png", png(53, 37, 8, 2, ancillary=chunk(b"gAMA", struct.pack(">I", 45455))
                            + chunk(b"sRGB", b"\0") + chunk(b"sBIT", b"\x08\x08\x08")
                            + chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)))
    yield "keyed.png", png(53, 37, 8, 0, ancillary=chunk(b"tRNS", struct.pack(">H", 77)))
    yield "one.png", png(1, 1, 8, 6)
    yield "large.png", png(160, 120, 8, 2)
    yield "large_rgba16.png", png(120, 100, 16, 6)
    yield "large_palette.png", png(120, 100, 8, 3)
    yield "large_greyalpha.png", png(120, 100, 8, 4)


def main():
    for name, image, options in jpegs():
        image.save(HERE / name, "JPEG", **options)
    for name, data in pngs():
        (HERE / name).write_bytes(data)
    golden = {"_pillow": __version__}
    for path in sorted(HERE.glob("*.jpg")) + sorted(HERE.glob("*.png")):
        with Image.open(path) as image:
            image.load()
            golden[path.name] = dict(mode=image.mode, size=image.size,
                                     sha256=hashlib.sha256(image.tobytes()).hexdigest())
    (HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
