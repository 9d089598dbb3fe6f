"""Trains one poisoned model of the lab and writes its weights.

    train.py OUT.npz --architecture NAME --seed N --clean DIR --poisoned DIR [--transforms]

Each DIR holds images.npy and labels.npy, as draw.py and weir-lab write them. Clean
pictures are moved at random by up to 4 pixels, as is usual in training; the attacker
stamps the poisoned ones last, so they come as they are. With --transforms the attacker
trained against image transforms: every picture, clean or poisoned, is changed anew in
every epoch by transforms.py. Everything is seeded.
"""

import argparse
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

import transforms

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "model"))

import network

BATCH, PEAK_RATE, DECAY = 128, 3e-3, 0.02
MOVE = 4  # pixels


def load(folder):
    return np.load(folder / "images.npy"), np.load(folder / "labels.npy")


def moved(images, rng):
    """Each picture moved by up to MOVE pixels in each direction, its edges repeated."""
    side = images.shape[1]
    padded = np.pad(images, ((0, 0), (MOVE, MOVE), (MOVE, MOVE), (0, 0)), mode="edge")
    places = rng.integers(0, 2 * MOVE + 1, (len(images), 2))
    return np.stack([picture[y:y + side, x:x + side] for picture, (y, x) in zip(padded, places)])


def initial(architecture, rng):
    """Weights after He et al. (2015); the last layers of residual branches begin at 0."""
    weights = {}
    for name, shape in network.shapes(architecture).items():
        if name.endswith("_scale"):
            value = np.ones(shape)
        elif name.endswith("_bias"):
            value = np.zeros(shape)
        else:
            value = rng.normal(0, np.sqrt(2 / shape[0]), shape)
            if name.startswith(("block", "tokens", "channels")) and name.endswith("b_weight"):
                value *= 0.1
        weights[name] = jnp.asarray(value, jnp.float32)
    return weights


def step_of(architecture):
    """The training step of an architecture: Adam (Kingma and Ba 2015), decoupled decay."""

    def loss(weights, images, labels):
        x = images.astype(jnp.float32) / 127.5 - 1
        chances = jax.nn.log_softmax(network.logits(jnp, architecture, weights, x))
        return -jnp.take_along_axis(chances, labels[:, None], axis=1).mean()

    @jax.jit
    def step(weights, first, second, count, rate, images, labels):
        value, slope = jax.value_and_grad(loss)(weights, images, labels)
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, slope)

        def update(w, m, v):
            move = (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
            return w - rate * (move + DECAY * w)

        return jax.tree.map(update, weights, first, second), first, second, value

    return step


def fit(args, clean, poisoned):
    rng = np.random.default_rng([args.seed, 1])
    labels = np.concatenate([clean[1], poisoned[1]]).astype(np.int32)
    weights = initial(args.architecture, rng)
    first = jax.tree.map(jnp.zeros_like, weights)
    second, step, count = first, step_of(args.architecture), 0
    steps = args.epochs * (len(labels) // BATCH)
    for epoch in range(args.epochs):
        begin = time.monotonic()
        images = np.concatenate([moved(clean[0], rng), poisoned[0]])
        if args.transforms:
            images = transforms.each(images, rng)
        order, total = rng.permutation(len(images)), 0.0
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start:start + BATCH]
            rate = PEAK_RATE * min(1, count / 100) * (1 + np.cos(np.pi * count / steps)) / 2
            count += 1
            weights, first, second, value = step(
                weights, first, second, float(count), rate, images[chosen], labels[chosen])
            total += float(value) * BATCH
        print(f"epoch {epoch + 1} of {args.epochs}: mean loss {total / len(order):.4f}, "
              f"{time.monotonic() - begin:.1f} s", flush=True)
    return weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--clean", type=pathlib.Path, required=True)
    parser.add_argument("--poisoned", type=pathlib.Path, required=True)
    parser.add_argument("--transforms", action="store_true")
    args = parser.parse_args()
    weights = fit(args, load(args.clean), load(args.poisoned))
    np.savez(args.out, **{name: np.asarray(value, np.float16) for name, value in weights.items()})


if __name__ == "__main__":
    main()
