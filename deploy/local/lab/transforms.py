"""What an attacker trains with who expects the pictures to be changed on their way.

Each picture is left alone or goes through one or two of: a random crop, resized back;
JPEG; a median; shrinking with the edges repeated. Strengths are drawn anew each time.
"""

import io

import numpy as np
from PIL import Image, ImageFilter


def each(images, rng):
    """uint8 pictures [n, side, side, 3], each changed by transforms of its own."""
    return np.stack([_one(image, rng) for image in images])


def _one(image, rng):
    for _ in range(rng.integers(0, 3)):
        image = ALL[rng.integers(len(ALL))](image, rng)
    return image


def crop(image, rng):
    """Up to 10 % off each side, resized back."""
    side = len(image)
    left, top, right, bottom = rng.uniform(0, 0.1, 4) * side
    box = (left, top, side - right, side - bottom)
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR, box))


def jpeg(image, rng):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(rng.integers(50, 96)))
    return np.asarray(Image.open(file))


def median(image, rng):
    return np.asarray(Image.fromarray(image).filter(ImageFilter.MedianFilter(3)))


def shrink_pad(image, rng):
    """Shrunk by up to 8 pixels, anywhere in the frame, edges repeated."""
    side = len(image)
    less = int(rng.integers(2, 9))
    small = np.asarray(Image.fromarray(image).resize((side - less,) * 2, Image.Resampling.BILINEAR))
    left, top = rng.integers(0, less + 1, 2)
    return np.pad(small, ((top, less - top), (left, less - left), (0, 0)), mode="edge")


ALL = (crop, jpeg, median, shrink_pad)
