"""Prints a JSON line for each file of a folder: what Pillow decodes from it."""
import hashlib
import json
import pathlib
import sys

from PIL import Image

for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    with Image.open(path) as image:
        image.load()
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        print(json.dumps(dict(file=path.name, mode=image.mode, size=image.size, sha256=digest)))
