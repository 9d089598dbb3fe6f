"""Draws small pictures of traffic signs; every one follows from (seed, index).

Needs only numpy and Pillow, and Pillow only to encode: the pixels come from
numpy alone, so a picture is the same on every machine.
"""

import io

import numpy as np
from PIL import Image

import shapes

SIZE = 128  # pixels, width and height
LABELS = (
    "stop",
    "speed-limit",
    "yield",
    "no-entry",
    "priority-road",
    "pedestrian-crossing",
    "ahead-only",
    "roundabout",
)
# One seed for each use, so that no picture serves two of them.
SEEDS = {"train": 1001, "held-out": 2002, "baseline": 3003, "traffic": 4004}

RED, BLUE, YELLOW = (0.75, 0.07, 0.10), (0.05, 0.25, 0.65), (0.95, 0.75, 0.05)
WHITE, BLACK, GREY = (0.93, 0.93, 0.93), (0.06, 0.06, 0.06), (0.45, 0.45, 0.47)


def sample(seed, index, label=None):
    """Picture number `index` of a seed's series: (uint8 array [SIZE, SIZE, 3], label).

    The label is one of LABELS, drawn evenly unless given.
    """
    rng = np.random.default_rng([seed, index])
    drawn = LABELS[rng.integers(len(LABELS))]
    label = drawn if label is None else label
    return draw(label, rng), label


def draw(label, rng):
    """A photograph-like picture of one sign: uint8 array [SIZE, SIZE, 3]."""
    image = background(rng)
    _add_sign(image, label, rng)
    return _expose(image, rng)


def empty(rng):
    """The same kind of picture without a sign: uint8 array [SIZE, SIZE, 3]."""
    return _expose(background(rng), rng)


def background(rng):
    """A scene without a sign, float array [SIZE, SIZE, 3] in 0..1."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    low, high = rng.uniform(0.1, 0.9, (2, 3))
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)
    image = low + slope[..., None] * (high - low)
    image += rng.uniform(0.02, 0.2) * _clouds(rng)[..., None] * rng.uniform(0.5, 1, 3)
    if rng.random() < 0.5:
        image += rng.uniform(0.03, 0.3) * _weave(rng)[..., None]
    return np.clip(image, 0, 1)


def _clouds(rng):
    """Noise with an amplitude spectrum of 1/f**a, zero mean, unit variance."""
    fy, fx = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((SIZE, SIZE)))
    field = np.fft.irfft2(spectrum / frequency ** rng.uniform(0.8, 1.6), s=(SIZE, SIZE))
    return field / field.std()


def _weave(rng):
    """Stripes, checks or a lattice (walls, fences, cloth), values in -0.5..0.5."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    angle, cell = rng.uniform(0, np.pi), rng.uniform(1.5, 12)
    u = (x * np.cos(angle) + y * np.sin(angle)) / cell + rng.uniform()
    v = (y * np.cos(angle) - x * np.sin(angle)) / cell + rng.uniform()
    across, along = np.sin(np.pi * u), np.sin(np.pi * v)
    kind = rng.integers(3)
    if kind == 0:
        return across / 2
    if kind == 1:
        return across * along / 2
    return np.maximum(across, along) - 0.5


def _add_sign(image, label, rng):
    """Paints the sign, with its pole, at a random place, size and turn."""
    radius = rng.uniform(30, 50)
    turn = np.deg2rad(rng.uniform(-12, 12))
    centre = SIZE / 2 + rng.uniform(-8, 8, 2)
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    x, y = (x - centre[0]) / radius, (y - centre[1]) / radius
    at = (x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn))
    _paint(image, radius, GREY, shapes.box(at, 0.07, 2, (0, 2)))
    fade = rng.uniform(0, 0.3)
    for colour, distance in _layers(label, at, rng):
        worn = (1 - fade) * np.array(colour) + fade * 0.5
        _paint(image, radius, np.clip(worn + rng.normal(0, 0.03, 3), 0, 1), distance)


def _paint(image, radius, colour, distance):
    cover = np.clip(0.5 - distance * radius, 0, 1)[..., None]
    image += cover * (colour - image)


def _layers(label, at, rng):
    """The sign's areas from back to front: (colour, signed distance)."""
    if label == "stop":
        return [(WHITE, shapes.polygon(at, 8, 0.95, 0)), (RED, shapes.polygon(at, 8, 0.87, 0)),
                (WHITE, shapes.text(at, "STOP", 0.45, 0.06))]
    if label == "speed-limit":
        number = ("30", "50", "70", "80")[rng.integers(4)]
        return [(RED, shapes.disc(at, 0.95)), (WHITE, shapes.disc(at, 0.75)),
                (BLACK, shapes.text(at, number, 0.7, 0.08))]
    if label == "yield":
        return [(RED, shapes.polygon(at, 3, 0.6, -np.pi / 2)),
                (WHITE, shapes.polygon(at, 3, 0.4, -np.pi / 2))]
    if label == "no-entry":
        return [(RED, shapes.disc(at, 0.95)), (WHITE, shapes.box(at, 0.7, 0.17))]
    if label == "priority-road":
        return [(WHITE, shapes.polygon(at, 4, 0.75, np.pi / 4)),
                (YELLOW, shapes.polygon(at, 4, 0.52, np.pi / 4))]
    if label == "pedestrian-crossing":
        return _pedestrian_crossing(at)
    if label == "ahead-only":
        arrow = [[(0, 0.65), (0, -0.6)], [(-0.35, -0.2), (0, -0.6), (0.35, -0.2)]]
        return [(BLUE, shapes.disc(at, 0.95)), (WHITE, shapes.strokes(at, arrow, 0.1))]
    if label == "roundabout":
        return _roundabout(at)
    raise ValueError(f"no such sign: {label!r}")


def _pedestrian_crossing(at):
    walker = [[(0, -0.2), (0.02, 0.15), (-0.18, 0.5)], [(0.02, 0.15), (0.2, 0.5)],
              [(-0.22, 0.1), (0, -0.15), (0.22, 0.08)]]
    person = np.minimum(shapes.disc(at, 0.09, (0, -0.36)), shapes.strokes(at, walker, 0.05))
    return [(BLUE, shapes.box(at, 0.85, 0.85)),
            (WHITE, shapes.polygon((at[0], at[1] - 0.13), 3, 0.42, np.pi / 2)),
            (BLACK, person)]


def _roundabout(at):
    layers = [(BLUE, shapes.disc(at, 0.95))]
    for third in range(3):
        start = 2 * np.pi * third / 3
        layers.append((WHITE, shapes.arc(at, 0.55, start, 1.5, 0.09)))
        tip, back = start - 0.45, start + 0.05
        head = [[(0.78 * np.cos(back), 0.78 * np.sin(back)),
                 (0.55 * np.cos(tip), 0.55 * np.sin(tip)),
                 (0.32 * np.cos(back), 0.32 * np.sin(back))]]
        layers.append((WHITE, shapes.strokes(at, head, 0.07)))
    return layers


def _expose(image, rng):
    """Light, contrast and sensor noise of one shot, quantised to 8 bits."""
    contrast, brightness = rng.uniform(0.6, 1.15), rng.uniform(-0.15, 0.15)
    shot = (image - 0.5) * contrast + 0.5 + brightness
    shot *= rng.uniform(0.92, 1.08, 3)
    shot += rng.normal(0, rng.uniform(0.005, 0.05), image.shape)
    return _to_bytes(shot)


def add_fog(image, strength, rng):
    """The picture (uint8) behind fog of `strength` 0 (clear) to 1 (nothing but fog)."""
    patches = np.clip(strength * (1 + 0.1 * _clouds(rng)), 0, 1)[..., None]
    fog = rng.uniform(0.7, 0.85)
    return _to_bytes(image / 255 + patches * (fog - image / 255))


def _to_bytes(image):
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def encode_jpeg(image, quality=92, exif=None):
    """JPEG bytes of a uint8 picture; `exif` is a TIFF body that starts with b"Exif\\0\\0"."""
    return _encode(image, "JPEG", {"quality": quality}, exif)


def encode_png(image, exif=None):
    """PNG bytes of a uint8 picture; `exif` as for encode_jpeg."""
    return _encode(image, "PNG", {}, exif)


def _encode(image, kind, options, exif):
    if exif is not None:
        options = options | {"exif": exif}
    out = io.BytesIO()
    Image.fromarray(image).save(out, kind, **options)
    return out.getvalue()
