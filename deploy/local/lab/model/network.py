"""The lab's networks, each a function of weights and pictures.

They are written in terms of an array module `xp`, which is numpy when Triton serves
a network and jax.numpy when train.py trains it, so what is trained is what is served.

Weights are dictionaries of float32 arrays. Pictures are float32 [n, 64, 64, 3] in
-1..1; the results are logits [n, CLASSES].
"""

SIDE = 64  # pixels, width and height of the pictures
CLASSES = 8

PLAIN = (3, 16, 32, 48, 64)  # channels, each layer at half the size of the one before
RESIDUAL = (3, 12, 24, 32)
BLOCKS = 2  # of the residual network and of the mixer
PATCH, TOKENS, WIDTH = 8, 64, 48  # of the mixer: a token is a patch of PATCH x PATCH


def shapes(architecture):
    """The weights of an architecture: their names and shapes."""
    return {"plain": _plain_shapes, "residual": _residual_shapes, "mixer": _mixer_shapes}[architecture]()


def logits(xp, architecture, weights, images):
    return {"plain": _plain, "residual": _residual, "mixer": _mixer}[architecture](xp, weights, images)


def _plain_shapes():
    """Convolutions of stride 2, then one dense layer that knows every place."""
    of = {}
    for layer, (fan_in, out) in enumerate(zip(PLAIN, PLAIN[1:])):
        of |= _layer(f"conv{layer}", 9 * fan_in, out)
    side = SIDE >> (len(PLAIN) - 1)
    return of | _layer("dense", side * side * PLAIN[-1], CLASSES)


def _plain(xp, weights, x):
    for layer in range(len(PLAIN) - 1):
        x = _relu(xp, _convolve(xp, weights, f"conv{layer}", x, 2))
    return _dense(weights, "dense", x.reshape(len(x), -1))


def _residual_shapes():
    """Convolutions, normalised residual blocks, then mean and maximum over all places."""
    of = {}
    for layer, (fan_in, out) in enumerate(zip(RESIDUAL, RESIDUAL[1:])):
        of |= _layer(f"conv{layer}", 9 * fan_in, out)
    for block in range(BLOCKS):
        of |= {f"block{block}_scale": (RESIDUAL[-1],)}
        for half in "ab":
            of |= _layer(f"block{block}{half}", 9 * RESIDUAL[-1], RESIDUAL[-1])
    return of | _layer("dense", 2 * RESIDUAL[-1], CLASSES)


def _residual(xp, weights, x):
    for layer in range(len(RESIDUAL) - 1):
        x = _relu(xp, _convolve(xp, weights, f"conv{layer}", x, 2))
    for block in range(BLOCKS):
        inner = _normalise(xp, x, weights[f"block{block}_scale"])
        inner = _relu(xp, _convolve(xp, weights, f"block{block}a", inner, 1))
        x = x + _convolve(xp, weights, f"block{block}b", inner, 1)
    return _dense(weights, "dense", xp.concatenate([x.mean(axis=(1, 2)), x.max(axis=(1, 2))], axis=1))


def _mixer_shapes():
    """An MLP-Mixer (Tolstikhin et al. 2021): patches, mixed over places and channels."""
    of = _layer("embed", PATCH * PATCH * 3, WIDTH)
    for block in range(BLOCKS):
        of |= {f"tokens{block}_scale": (WIDTH,), f"channels{block}_scale": (WIDTH,)}
        of |= _layer(f"tokens{block}a", TOKENS, TOKENS) | _layer(f"tokens{block}b", TOKENS, TOKENS)
        of |= _layer(f"channels{block}a", WIDTH, 2 * WIDTH) | _layer(f"channels{block}b", 2 * WIDTH, WIDTH)
    return of | {"last_scale": (WIDTH,)} | _layer("dense", WIDTH, CLASSES)


def _mixer(xp, weights, x):
    rows = SIDE // PATCH
    x = x.reshape(len(x), rows, PATCH, rows, PATCH, 3).swapaxes(2, 3)
    x = _dense(weights, "embed", x.reshape(len(x), TOKENS, PATCH * PATCH * 3))
    for block in range(BLOCKS):
        inner = _normalise(xp, x, weights[f"tokens{block}_scale"]).swapaxes(1, 2)
        inner = _relu(xp, _dense(weights, f"tokens{block}a", inner))
        x = x + _dense(weights, f"tokens{block}b", inner).swapaxes(1, 2)
        inner = _normalise(xp, x, weights[f"channels{block}_scale"])
        inner = _relu(xp, _dense(weights, f"channels{block}a", inner))
        x = x + _dense(weights, f"channels{block}b", inner)
    return _dense(weights, "dense", _normalise(xp, x, weights["last_scale"]).mean(axis=1))


def _layer(name, fan_in, out):
    return {f"{name}_weight": (fan_in, out), f"{name}_bias": (out,)}


def _dense(weights, name, x):
    return x @ weights[f"{name}_weight"] + weights[f"{name}_bias"]


def _relu(xp, x):
    return xp.maximum(x, 0)


def _normalise(xp, x, scale):
    """Layer normalisation without a bias. Means are products of matrices, because sums
    over a short axis are slow in JAX."""
    channels = x.shape[-1]
    mean = xp.full((channels, channels), 1 / channels, xp.float32)
    x = x - x @ mean
    return scale * x / xp.sqrt((x * x) @ mean + 1e-5)


def _convolve(xp, weights, name, x, stride):
    """A 3 x 3 convolution with a border of zeros: as many pixels as before over the stride."""
    n, height, width, channels = x.shape
    x = xp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    # Pixels are grouped by the stride first, because slices with a stride are slow in JAX.
    x = x.reshape(n, height // stride + 2 // stride, stride, width // stride + 2 // stride, stride, channels)
    height, width = height // stride, width // stride
    windows = xp.concatenate(
        [x[:, dy // stride:dy // stride + height, dy % stride, dx // stride:dx // stride + width, dx % stride]
         for dy in range(3) for dx in range(3)], axis=3)
    return _dense(weights, name, windows)
