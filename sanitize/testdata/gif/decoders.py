"""Prints a JSON line for each file of a folder: what Pillow and OpenCV make of it.

A decoder that refuses a file is null. Files are decoded in full, all frames of them.
OpenCV is {"absent": true} for GIF files when it was built without GIF, as before 4.12.
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


HAS_GIF = any("GIF:" in line and "YES" in line for line in cv2.getBuildInformation().splitlines())


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def pillow(data):
    """Mode, size, frames, and digests of the samples as stored and as RGBA.

    Pillow turns a TIFF by its orientation.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            frames = getattr(image, "n_frames", 1)
            raw, rgba = [], []
            orientation = image.getexif().get(0x112, 1)
            turned = image.format == "TIFF" and orientation in (5, 6, 7, 8)
            for i in range(frames):
                image.seek(i)
                image.load()
                if i == 0:
                    mode, size = image.mode, image.size
                    transparent = "transparency" in image.info
                raw.append(image.tobytes())
                rgba.append(image.convert("RGB").tobytes() + image.convert("RGBA").tobytes())
            return dict(mode=mode, size=size, frames=frames, transparent=transparent, turned=turned,
                        raw=digest(*raw), rgba=digest(*rgba), first=digest(raw[0], rgba[0]))
    except Exception:
        return None


def opencv(path, data):
    """Size, frames, and digests of the samples unchanged and as colour."""
    if data[:3] == b"GIF" and not HAS_GIF:
        return dict(absent=True)
    try:
        buffer = numpy.frombuffer(data, numpy.uint8)
        colour = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
        unchanged = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
        if colour is None or unchanged is None:
            return None
        frames = max(1, cv2.imcount(str(path)))
        # An extension behind the last frame makes it fail after it has read all of them.
        ok, all_frames = cv2.imdecodemulti(buffer, cv2.IMREAD_COLOR)
        return dict(size=[colour.shape[1], colour.shape[0]], frames=frames,
                    shape=list(unchanged.shape), depth=str(unchanged.dtype),
                    unchanged=digest(unchanged.tobytes()), colour=digest(colour.tobytes()),
                    all=digest(*(f.tobytes() for f in all_frames)) if ok else "")
    except Exception:
        return None


for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    data = path.read_bytes()
    print(json.dumps(dict(file=path.name, pillow=pillow(data), opencv=opencv(path, data))))
