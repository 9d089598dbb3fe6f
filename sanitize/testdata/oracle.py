"""What Pillow and OpenCV read from image files.

    oracle.py < paths        (a path a line; a folder stands for its files)

Prints a JSON line for each file, as soon as it is read:

    {"path": ..., "decoders": {"pillow": {...}, "opencv": {...}}}

with, for each decoder: accepted; and if so, size [width, height], frames, mode, the
SHA-256 of the samples of all frames with the orientation ignored, warnings that the
decoder printed, and luma: samples of the first frame in base64, one for each pixel
whose x and y are multiples of step (1 up to a side of 256).

Luma is what a JPEG stores as its first component, where the decoder gives it out
without a detour over RGB, and else (299 R + 587 G + 114 B + 500) / 1000 of the first
eight bits of each sample, whatever alpha is.

Pillow is libjpeg-turbo, libpng, libwebp and its own GIF and BMP; OpenCV carries its
own builds of the first three and its own GIF and BMP: neither shares code with Weir.
"""
import base64
import hashlib
import json
import os
import pathlib
import sys
import tempfile
import warnings

import cv2
import numpy
from PIL import Image, ImageSequence

warnings.simplefilter("error", Image.DecompressionBombWarning)
SIDE = 256


def luma_of(samples):
    """Luma of an array of height × width, or × 1 to 4 channels in the order RGB."""
    if samples.dtype == numpy.uint16:
        samples = samples >> 8
    if samples.ndim == 2:
        return samples.astype(numpy.uint8)
    if samples.shape[2] < 3:
        return samples[:, :, 0].astype(numpy.uint8)
    r, g, b = (samples[:, :, i].astype(numpy.uint32) for i in range(3))
    return ((299 * r + 587 * g + 114 * b + 500) // 1000).astype(numpy.uint8)


def sampled(luma):
    step = max(1, -(-max(luma.shape) // SIDE))
    return dict(step=step, luma=base64.b64encode(luma[::step, ::step].tobytes()).decode())


def pillow_luma(path):
    with Image.open(path) as image:
        if image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB"):
            image.draft("L", image.size)
        if image.mode == "I;16":
            return luma_of(numpy.asarray(image))
        if image.mode in ("1", "L", "LA", "I"):
            return luma_of(numpy.asarray(image.convert("L")))
        return luma_of(numpy.asarray(image.convert("RGB" if image.mode == "CMYK" else "RGBA")))


def pillow(path, data):
    digest, frames = hashlib.sha256(), 0
    with Image.open(path) as image:
        mode, size = image.mode, image.size
        # What follows a JPEG (MPO) are other files than its first one.
        for frame in [image] if image.format == "MPO" else ImageSequence.Iterator(image):
            frame.load()
            digest.update(frame.tobytes())
            if frame.mode == "P":  # the indices alone do not say the colours
                digest.update(frame.convert("RGBA").tobytes())
            frames += 1
    return dict(size=size, frames=frames, mode=mode, sha256=digest.hexdigest(), **sampled(pillow_luma(path)))


def opencv(path, data):
    buffer = numpy.frombuffer(data, numpy.uint8)
    image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)  # which ignores the orientation
    if image is None:
        raise ValueError("no picture")
    frames = 1
    digest = hashlib.sha256(image.tobytes())
    if is_animation(data):
        ok, animation = cv2.imreadanimation(str(path))
        if not ok:
            raise ValueError("no animation")
        frames = len(animation.frames)
        for frame in animation.frames:
            digest.update(frame.tobytes())
    height, width = image.shape[:2]
    if data[:2] == b"\xff\xd8":
        plain = cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    else:
        plain = image if image.ndim == 2 else image[:, :, [2, 1, 0]] if image.shape[2] >= 3 else image[:, :, 0]
    return dict(size=(width, height), frames=frames, mode=f"{image.dtype}×{image.size // (width * height)}",
                sha256=digest.hexdigest(), **sampled(luma_of(plain)))


def is_animation(data):
    """Tells whether OpenCV has to be asked for frames: it knows animations of these."""
    if data[:4] == b"\x89PNG":
        return b"acTL" in data[:data.find(b"IDAT")]
    return data[:3] == b"GIF" or data[:4] == b"RIFF" and b"ANIM" in data


class Printed:
    """Collects what C libraries print to standard error."""

    def __init__(self):
        self.file = tempfile.TemporaryFile()
        self.saved = os.dup(2)

    def __enter__(self):
        self.file.seek(0)
        self.file.truncate()
        os.dup2(self.file.fileno(), 2)
        return self

    def __exit__(self, *_):
        os.dup2(self.saved, 2)
        self.file.seek(0)
        self.text = self.file.read(400).decode("utf8", "replace").strip()


PRINTED = Printed()


def ask(decoder, path, data):
    with PRINTED, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = dict(accepted=True, **decoder(path, data))
        except Exception as e:  # a decoder may raise anything over a damaged file
            found = dict(accepted=False, error=f"{type(e).__name__}: {e}"[:200])
    found["warnings"] = "\n".join([PRINTED.text] * bool(PRINTED.text) + [str(w.message)[:200] for w in caught])
    return found


def main():
    for line in sys.stdin:
        given = pathlib.Path(line.rstrip("\n"))
        for path in sorted(given.iterdir()) if given.is_dir() else [given]:
            data = path.read_bytes()
            decoders = dict(pillow=ask(pillow, path, data), opencv=ask(opencv, path, data))
            print(json.dumps(dict(path=str(path), decoders=decoders)), flush=True)
    PRINTED.file.close()


if __name__ == "__main__":
    main()
