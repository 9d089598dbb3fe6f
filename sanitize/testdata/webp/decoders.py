"""Prints a JSON line for each file of a folder: what Pillow and OpenCV, that is libwebp, make of it.

A decoder that refuses a file is null. Files are decoded in full, all frames of them.
"""
import hashlib
import io
import json
import pathlib
import sys
import warnings

import cv2
import numpy
from PIL import Image

warnings.simplefilter("ignore")


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def orientation(image):
    """What asks a reader to turn the picture: 2 to 8, or 0."""
    try:
        value = image.getexif().get(0x112, 0)
    except Exception:  # a block that cannot be read
        return 0
    return value if value in range(2, 9) else 0


def pillow(data):
    """Mode, size, frames, loops and durations, and digests of all samples and of the first frame."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            frames, raw, durations = image.n_frames, [], []
            rgba = digest(image.convert("RGBA").tobytes())
            for i in range(frames):
                image.seek(i)
                image.load()
                raw.append(image.tobytes())
                durations.append(image.info["duration"])
            return dict(mode=image.mode, size=image.size, frames=frames, loop=image.info["loop"], durations=durations,
                        orientation=orientation(image), raw=digest(*raw), rgba=rgba)
    except Exception:
        return None


def opencv(path, data):
    """Size, frames, and digests of the samples unchanged and as colour."""
    try:
        buffer = numpy.frombuffer(data, numpy.uint8)
        colour = cv2.imdecode(buffer, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        unchanged = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
        if colour is None or unchanged is None:
            return None
        ok, frames = cv2.imdecodemulti(buffer, cv2.IMREAD_UNCHANGED)
        return dict(size=[colour.shape[1], colour.shape[0]], frames=max(1, cv2.imcount(str(path))),
                    shape=list(unchanged.shape), depth=str(unchanged.dtype),
                    unchanged=digest(unchanged.tobytes()), colour=digest(colour.tobytes()),
                    all=digest(*(f.tobytes() for f in frames)) if ok else None)
    except Exception:
        return None


for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    data = path.read_bytes()
    print(json.dumps(dict(file=path.name, pillow=pillow(data), opencv=opencv(path, data))))
