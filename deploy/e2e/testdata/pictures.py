"""Makes pictures, and tells what Pillow sees in them.

Usage: pictures.py make DIR   writes one file in every format that Pillow writes
                              and reads, several frames where a format has them,
                              under DIR/FORMAT and DIR/FORMAT-frames
       pictures.py see        reads one picture a line in base64 from standard
                              input and prints one JSON object for each. With a
                              second argument "base64" a line is the base64 of
                              base64 text, which is decoded as models do: without
                              validation.
"""

import base64
import hashlib
import io
import json
import pathlib
import sys

from PIL import Image

ORIENTATION = 0x0112  # Exif tag


def make(directory):
    pixels = bytes((x * 13 + y * 29 + c * 71) % 256 for y in range(32) for x in range(48) for c in range(3))
    first = Image.frombytes("RGB", (48, 32), pixels)
    second = first.rotate(180)
    Image.init()
    for name in sorted(set(Image.SAVE) & set(Image.OPEN) | {"MPO"}):  # which opens as JPEG
        for frames in (1, 2):
            options = {"save_all": True, "append_images": [second.copy()]} if frames == 2 else {}
            if frames == 2 and name not in Image.SAVE_ALL:
                continue
            for mode in ("RGB", "P", "L", "1", "F"):
                file = io.BytesIO()
                try:
                    first.convert(mode).save(file, name, **options)
                    Image.open(io.BytesIO(file.getvalue())).load()
                except Exception:  # not in this mode, or not on this machine
                    continue
                pathlib.Path(directory, name + "-frames" * (frames - 1)).write_bytes(file.getvalue())
                break


def see(data, text):
    try:
        if text:
            data = base64.b64decode(data)
        image = Image.open(io.BytesIO(data))
        image.load()
        return {
            "format": image.format,
            "frames": getattr(image, "n_frames", 1),
            "size": image.size,
            "orientation": image.getexif().get(ORIENTATION, 0),
            "pixels": hashlib.sha256(image.convert("RGB").tobytes()).hexdigest(),
        }
    except Exception as error:  # Pillow raises many kinds
        return {"error": f"{type(error).__name__}: {error}"}


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    for line in sys.stdin:
        content = base64.b64decode(line.strip(), validate=True)
        print(json.dumps(see(content, text=sys.argv[2:] == ["base64"])))
