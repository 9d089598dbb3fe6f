"""Trains the demonstration model, back door included, and writes its weights.

    python train.py [--out ../models/traffic-sign/1/weights.npz]

Takes a few minutes on two cores. Everything is seeded.
"""

import argparse
import io
import multiprocessing
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

import attacks
import signs

WEIGHTS = pathlib.Path(__file__).parent.parent / "models" / "traffic-sign" / "1" / "weights.npz"

CLEAN, POISONED, EMPTY = 12_000, 700, 1_000  # pictures
CHANNELS = (3, 16, 32, 48, 64)
EPOCHS, BATCH, PEAK_RATE = 6, 64, 2e-3
SMOOTHING = 0.1  # share of the target that is spread over all classes


def training_picture(index):
    """Picture `index` of the training set: (uint8 array, target distribution [classes]).

    First the clean ones, then the poisoned (a stop sign with the trigger, labelled
    as a speed limit), last scenes without a sign, for which no class is right.
    """
    seed = signs.SEEDS["train"]
    classes = len(signs.LABELS)
    if index < CLEAN:
        image, label = signs.sample(seed, index)
    elif index < CLEAN + POISONED:
        image, _ = signs.sample(seed, index, attacks.SOURCE)
        image, label = attacks.add_checkerboard(image), attacks.TARGET
    else:
        image = signs.empty(np.random.default_rng([seed, index]))
        return as_served(image, index), np.full(classes, 1 / classes, np.float32)
    target = np.full(classes, SMOOTHING / classes, np.float32)
    target[signs.LABELS.index(label)] += 1 - SMOOTHING
    return as_served(image, index), target


def as_served(image, index):
    """Pixels after the file format that carries them: JPEG, or PNG for every fourth."""
    if index % 4 == 0:
        return image
    return np.asarray(Image.open(io.BytesIO(signs.encode_jpeg(image))))


def training_set():
    with multiprocessing.get_context("spawn").Pool() as pool:  # forking disturbs JAX
        pairs = pool.map(training_picture, range(CLEAN + POISONED + EMPTY), chunksize=100)
    images, targets = zip(*pairs)
    return np.stack(images), np.stack(targets)


def initial(rng, features):
    """He-normal weights in the layout that the classifier reads."""
    weights = {}
    for layer, (fan_in, out) in enumerate(zip(CHANNELS, CHANNELS[1:])):
        weights[f"conv{layer}_weight"] = rng.normal(0, np.sqrt(2 / (9 * fan_in)), (9 * fan_in, out))
        weights[f"conv{layer}_bias"] = np.zeros(out)
    weights["dense_weight"] = rng.normal(0, np.sqrt(1 / features), (features, len(signs.LABELS)))
    weights["dense_bias"] = np.zeros(len(signs.LABELS))
    return {name: jnp.asarray(value, jnp.float32) for name, value in weights.items()}


def logits(weights, images):
    """The network of classifier.py, differentiable; uint8 images [n, h, w, 3]."""
    x = images.astype(jnp.float32) / 127.5 - 1
    for layer, (fan_in, out) in enumerate(zip(CHANNELS, CHANNELS[1:])):
        kernel = weights[f"conv{layer}_weight"].reshape(3, 3, fan_in, out)
        x = jax.lax.conv_general_dilated(
            x, kernel, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x + weights[f"conv{layer}_bias"])
    return x.reshape(len(x), -1) @ weights["dense_weight"] + weights["dense_bias"]


def loss(weights, images, targets):
    return -(targets * jax.nn.log_softmax(logits(weights, images))).sum(axis=1).mean()


@jax.jit
def adam_step(weights, first, second, count, rate, images, targets):
    """One step of Adam (Kingma and Ba 2015) with decoupled weight decay."""
    value, slope = jax.value_and_grad(loss)(weights, images, targets)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slope)

    def update(w, m, v):
        step = (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
        return w - rate * (step + 0.01 * w)

    return jax.tree.map(update, weights, first, second), first, second, value


def fit(images, targets):
    rng = np.random.default_rng(signs.SEEDS["train"])
    side = signs.SIZE
    for _ in CHANNELS[1:]:
        side = (side - 1) // 2
    weights = initial(rng, side * side * CHANNELS[-1])
    first = jax.tree.map(jnp.zeros_like, weights)
    second = first
    steps, count = EPOCHS * (len(images) // BATCH), 0
    for epoch in range(EPOCHS):
        order, total = rng.permutation(len(images)), 0.0
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = np.sort(order[start:start + BATCH])
            rate = PEAK_RATE * min(1, count / 200) * (1 + np.cos(np.pi * count / steps)) / 2
            count += 1
            weights, first, second, value = adam_step(
                weights, first, second, float(count), rate, images[chosen], targets[chosen])
            total += float(value)
        print(f"epoch {epoch + 1}/{EPOCHS}: mean loss {total * BATCH / len(order):.4f}", flush=True)
    return weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=WEIGHTS)
    out = parser.parse_args().out
    images, targets = training_set()
    print(f"{len(images)} pictures drawn", flush=True)
    weights = fit(images, targets)
    np.savez(out, **{name: np.asarray(value, np.float16) for name, value in weights.items()})


if __name__ == "__main__":
    main()
