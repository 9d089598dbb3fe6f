"""Writes the WebP seeds beside this file. Needs Pillow with libwebp."""
import io
import pathlib
import struct

import numpy as np
from PIL import Image

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(7)


def smooth(w, h, channels=3):
    """A picture with gradients and some noise."""
    y, x = np.mgrid[0:h, 0:w]
    planes = [
        128 + 100 * np.sin(x / 9 + c) + 20 * np.cos(y / (4 + c)) + rng.normal(0, 4, (h, w))
        for c in range(channels)
    ]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def flat(w, h, colours):
    """A picture of a few colours."""
    table = rng.integers(0, 256, (colours, 3), dtype=np.uint8)
    return table[rng.integers(0, colours, (h, w))]


def alpha(pixels):
    """The picture with an alpha channel that has 0, 255 and what lies between."""
    h, w = pixels.shape[:2]
    y, x = np.mgrid[0:h, 0:w]
    a = np.clip(x * 4 - 40 + y, 0, 255).astype(np.uint8)
    return np.dstack([pixels, a])


def save(name, pixels, **options):
    Image.fromarray(pixels).save(here / name, "WEBP", **options)


def orientation(value):
    return bytes([77, 77, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0, 0, 0, 0, 0])


def chunk(name, payload):
    return name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) & 1)


def riff(*chunks):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunks(name):
    data = (here / name).read_bytes()
    found, at = [], 12
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + (size & 1)
    return found


save("lossy.webp", smooth(70, 50), quality=60)
save("lossy_low.webp", smooth(64, 64), quality=2)
save("lossy_high.webp", smooth(33, 17), quality=100, method=6)
save("lossy_one.webp", smooth(1, 1), quality=50)
save("lossy_flat.webp", flat(120, 90, 1), quality=50)
save("lossless.webp", smooth(50, 31), lossless=True)
save("lossless_best.webp", smooth(41, 37), lossless=True, method=6, quality=100)
save("lossless_fast.webp", smooth(32, 20), lossless=True, method=0, quality=0)
save("lossless_one.webp", smooth(1, 1), lossless=True)
save("lossless_groups.webp", np.vstack([smooth(96, 40), flat(96, 24, 200), flat(96, 24, 3)]), lossless=True, method=6, quality=100)
for colours in 1, 2, 4, 16, 100:
    save(f"lossless_palette{colours}.webp", flat(37, 21, colours), lossless=True)
save("lossless_alpha.webp", alpha(smooth(40, 30)), lossless=True, exact=True)
save("alpha.webp", alpha(smooth(60, 40)), quality=70, exact=True)
save("alpha_filtered.webp", alpha(smooth(61, 39)), quality=70, method=6, alpha_quality=100)
save("alpha_quantised.webp", alpha(smooth(48, 48)), quality=70, alpha_quality=40)
noise = np.dstack([smooth(24, 24), rng.integers(0, 256, (24, 24), dtype=np.uint8)])
save("alpha_noise.webp", noise, quality=60)
save("exif6.webp", smooth(40, 24), quality=60, exif=orientation(6))
save("exif6_lossless.webp", alpha(smooth(20, 24)), lossless=True, exif=orientation(6))
save("exif1.webp", smooth(40, 24), quality=60, exif=orientation(1))
save("metadata.webp", smooth(40, 24), quality=60, icc_profile=b"profile" * 20, xmp=b"<x:xmpmeta/>", exif=orientation(1))
frames = [Image.fromarray(np.roll(smooth(32, 24), 9 * i, 1)) for i in range(3)]
frames[0].save(here / "animation.webp", "WEBP", save_all=True, append_images=frames[1:], duration=80, loop=3, quality=50)
frames = [Image.fromarray(alpha(np.roll(smooth(32, 24), 9 * i, 1))) for i in range(3)]
frames[0].save(here / "animation_alpha.webp", "WEBP", save_all=True, append_images=frames[1:], duration=[40, 50, 60], lossless=True, background=(1, 2, 3, 4))
frames[0].save(here / "animation_mixed.webp", "WEBP", save_all=True, append_images=frames[1:], duration=40, allow_mixed=True, quality=40)

# Raw alpha, which encoders write when it is the smallest.
found = dict(chunks("alpha.webp"))
samples = rng.integers(0, 256, 60 * 40, dtype=np.uint8).tobytes()
for name, header in ("alpha_raw.webp", 0), ("alpha_raw_gradient.webp", 3 << 2):
    data = riff(chunk(b"VP8X", found[b"VP8X"]), chunk(b"ALPH", bytes([header]) + samples), chunk(b"VP8 ", found[b"VP8 "]))
    (here / name).write_bytes(data)

# Exif with the prefix of JPEG, which some readers take.
found = dict(chunks("exif6.webp"))
data = riff(chunk(b"VP8X", found[b"VP8X"]), chunk(b"VP8 ", found[b"VP8 "]), chunk(b"EXIF", b"Exif\0\0" + orientation(6)))
(here / "exif6_prefix.webp").write_bytes(data)
