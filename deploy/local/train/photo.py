"""A photo as a phone would write it, full of what a model has no use for."""

import io
import struct

import numpy as np
from PIL import Image

import signs

WIDTH, HEIGHT = 640, 480
LATITUDE, LONGITUDE = ((51, 1), (28, 1), (4012, 100)), ((0, 1), (0, 1), (531, 100))
SERIAL_NUMBER = b"SN-4711-0815"
OWNER = b"Ada Example"
COMMENT = b"taken at home"
TRAILING = b"PK\x03\x04 an archive behind the end of the picture"

BYTE, ASCII, SHORT, LONG, RATIONAL = 1, 2, 3, 4, 5  # TIFF 6.0, section 2
UNIT = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8}


def photo_with_gps():
    """JPEG bytes with Exif (owner, serial number, position, thumbnail), a comment and
    data behind the end-of-image marker. The same bytes at every call."""
    image = _picture()
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=92, comment=COMMENT,
                                exif=exif_block(_thumbnail(image)))
    return out.getvalue() + TRAILING


def hidden_parts():
    """What the model has no use for: each part's name and the bytes that betray it."""
    return {
        "Exif block": b"Exif\0\0",
        "GPS position": _rationals(LATITUDE),
        "camera serial number": SERIAL_NUMBER,
        "camera owner": OWNER,
        "thumbnail": _thumbnail(_picture()),
        "comment": COMMENT,
        "data behind the end": TRAILING,
    }


def _picture():
    rng = np.random.default_rng(signs.SEEDS["held-out"])
    image = 170 + rng.integers(0, 20, (HEIGHT, WIDTH, 3), np.uint8)
    sign, _ = signs.sample(signs.SEEDS["held-out"], 0, "roundabout")
    large = sign.repeat(3, axis=0).repeat(3, axis=1)
    top, left = (HEIGHT - len(large)) // 2, (WIDTH - len(large)) // 2
    image[top:top + len(large), left:left + len(large)] = large
    return image


def _thumbnail(image):
    return signs.encode_jpeg(image[::4, ::4], quality=75)


def exif_block(thumbnail):
    """A big-endian Exif block: IFD0, Exif IFD, GPS IFD, and IFD1 with the thumbnail."""
    pointers = {0x8769: 0, 0x8825: 0}
    for _ in range(2):  # first for the sizes, then with the offsets that follow from them
        ifd0 = {0x010F: (ASCII, b"Example\0"), 0x0110: (ASCII, b"Phone 1\0"),
                0x0112: (SHORT, struct.pack(">H", 1)),
                0x0132: (ASCII, b"2024:05:17 08:30:00\0"),
                **{tag: (LONG, struct.pack(">I", at)) for tag, at in pointers.items()}}
        camera = {0x9003: (ASCII, b"2024:05:17 08:30:00\0"),
                  0xA430: (ASCII, OWNER + b"\0"), 0xA431: (ASCII, SERIAL_NUMBER + b"\0")}
        gps = {0: (BYTE, b"\2\3\0\0"), 1: (ASCII, b"N\0"), 2: (RATIONAL, _rationals(LATITUDE)),
               3: (ASCII, b"W\0"), 4: (RATIONAL, _rationals(LONGITUDE))}
        at = 8 + _ifd_size(ifd0)
        pointers = {0x8769: at, 0x8825: at + _ifd_size(camera)}
    last = pointers[0x8825] + _ifd_size(gps)
    ifd1 = {0x0103: (SHORT, struct.pack(">H", 6)), 0x0201: (LONG, b"\0\0\0\0"),
            0x0202: (LONG, struct.pack(">I", len(thumbnail)))}
    ifd1[0x0201] = (LONG, struct.pack(">I", last + _ifd_size(ifd1)))
    return (b"Exif\0\0MM\0*" + struct.pack(">I", 8) + _ifd(ifd0, 8, last)
            + _ifd(camera, pointers[0x8769]) + _ifd(gps, pointers[0x8825])
            + _ifd(ifd1, last) + thumbnail)


def _rationals(values):
    return b"".join(struct.pack(">II", *value) for value in values)


def _ifd_size(entries):
    outside = sum(len(data) + len(data) % 2 for _, data in entries.values() if len(data) > 4)
    return 2 + 12 * len(entries) + 4 + outside


def _ifd(entries, offset, following=0):
    """One image file directory that starts at `offset` (TIFF 6.0, section 2)."""
    table, outside = struct.pack(">H", len(entries)), b""
    free = offset + 2 + 12 * len(entries) + 4
    for tag in sorted(entries):
        kind, data = entries[tag]
        value = data.ljust(4, b"\0")
        if len(data) > 4:
            value = struct.pack(">I", free + len(outside))
            outside += data + b"\0" * (len(data) % 2)
        table += struct.pack(">HHI", tag, kind, len(data) // UNIT[kind]) + value
    return table + struct.pack(">I", following) + outside
