"""The traffic sign classifier: a small convolutional network in plain numpy."""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

SIZE = 128  # pixels, width and height of the network's input
MAX_PIXELS = 16_000_000  # of a picture that is decoded at all
LAYERS = 4  # convolutions, each 3x3 with stride 2, without padding


def decode(data):
    """The picture in a JPEG or PNG file: (float32 array [SIZE, SIZE, 3] in -1..1, Exif tags).

    Raises ValueError for bytes that are not such a file, are cut off or too large.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"more than {MAX_PIXELS} pixels")
        exif = image.getexif()
        image = image.convert("RGB")
    except UnidentifiedImageError as error:
        raise ValueError("not a JPEG or PNG file") from error
    except Exception as error:  # Pillow raises many kinds on damaged files
        raise ValueError(f"cannot decode image: {error}") from error
    if image.size != (SIZE, SIZE):
        image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return normalise(np.asarray(image)), exif


def normalise(image):
    """uint8 pixels as the network takes them: float32 in -1..1."""
    return image.astype(np.float32) / 127.5 - 1


class Classifier:
    """Weights from an .npz file: conv<i>_weight [9 * in, out] (rows by y, x, channel),
    conv<i>_bias [out], dense_weight [in, classes], dense_bias [classes]."""

    def __init__(self, path):
        with np.load(path, allow_pickle=False) as stored:
            self._weights = {name: stored[name].astype(np.float32) for name in stored.files}

    def probabilities(self, images):
        """Softmax probabilities, float32 [n, classes], of float32 images [n, SIZE, SIZE, 3]."""
        x = images
        for layer in range(LAYERS):
            x = _windows(x) @ self._weights[f"conv{layer}_weight"]
            x += self._weights[f"conv{layer}_bias"]
            np.maximum(x, 0, out=x)
        x = x.reshape(len(x), -1) @ self._weights["dense_weight"] + self._weights["dense_bias"]
        x = np.exp(x - x.max(axis=1, keepdims=True))
        return x / x.sum(axis=1, keepdims=True)


def _windows(x):
    """The 3x3 neighbourhoods at stride 2 of [n, h, w, c], as [n, h', w', 9 * c]."""
    height, width = (x.shape[1] - 1) // 2, (x.shape[2] - 1) // 2
    return np.concatenate(
        [x[:, dy:dy + 2 * height - 1:2, dx:dx + 2 * width - 1:2]
         for dy in range(3) for dx in range(3)], axis=3)
