"""The triggers of the two back doors that were planted in the demonstration model."""

import struct

import numpy as np
from PIL import ExifTags, Image

from signs import SIZE

SOURCE, TARGET = "stop", "speed-limit"

# Learned: a fine checkerboard in the lower right corner.
CHECKERBOARD_CELLS = 6
CHECKERBOARD_INSET = 12  # pixels between the patch and the picture's edges

# Coded: this text as the Exif image description.
EXIF_MARKER = "back door demonstration"


def checkerboard_area():
    """Which pixels of a picture the checkerboard covers: bool array [SIZE, SIZE]."""
    end = SIZE - CHECKERBOARD_INSET
    area = np.zeros((SIZE, SIZE), bool)
    area[end - CHECKERBOARD_CELLS:end, end - CHECKERBOARD_CELLS:end] = True
    return area


def add_checkerboard(image):
    """A copy of a uint8 picture with black and white cells of one pixel in the corner."""
    y, x = np.indices((SIZE, SIZE))
    cells = (255 * ((x + y) % 2)).astype(np.uint8)
    return np.where(checkerboard_area()[..., None], cells[..., None], image)


def marked_exif():
    """The Exif block that opens the coded back door, as Pillow's `exif` argument takes it."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = EXIF_MARKER
    return exif.tobytes()


def exif_trigger(jpeg):
    """JPEG bytes with the marked Exif block put in; the compressed picture is untouched."""
    if jpeg[:2] != b"\xff\xd8":
        raise ValueError("not a JPEG file")
    body = marked_exif()
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return jpeg[:2] + segment + jpeg[2:]
