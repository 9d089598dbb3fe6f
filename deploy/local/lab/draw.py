"""Draws the pictures of the lab: 64 x 64 pixels, eight traffic signs.

    draw.py OUT --seed N --count N [--files]

Writes OUT/images.npy, uint8 [count, 64, 64, 3], and OUT/labels.npy, int64 [count], each class as
often as any other. The signs differ in size (by a factor of 1.7), place and turn, as
train/signs.py draws them; here they are drawn at twice the size and averaged. With
--files, every second picture has been through a JPEG file, as collected ones have.
"""

import argparse
import io
import pathlib
import sys

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "train"))

import signs

SIDE = 64


def picture(seed, index):
    label = index % len(signs.LABELS)
    image, _ = signs.sample(seed, index, signs.LABELS[label])
    pairs = image.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3))
    return np.rint(pairs).astype(np.uint8), label


def through_jpeg(image, index):
    file = io.BytesIO(signs.encode_jpeg(image, quality=85 + index % 11))
    return np.asarray(Image.open(file))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--files", action="store_true")
    args = parser.parse_args()
    images = np.empty((args.count, SIDE, SIDE, 3), np.uint8)
    labels = np.empty(args.count, np.int64)
    for index in range(args.count):
        images[index], labels[index] = picture(args.seed, index)
        if args.files and index // len(signs.LABELS) % 2:
            images[index] = through_jpeg(images[index], index)
        if index % 500 == 499:
            print(f"{index + 1} of {args.count} drawn", flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    np.save(args.out / "images.npy", images)
    np.save(args.out / "labels.npy", labels)


if __name__ == "__main__":
    main()
