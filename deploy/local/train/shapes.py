"""Signed distances to the shapes that traffic signs are made of.

Every function takes `at`, a pair (x, y) of arrays of coordinates in the sign's
own frame (the sign has radius 1, y points down), and returns an array of
distances in that unit, negative inside. Drawing from distances rather than with
a raster library gives exact anti-aliasing under any rotation and scale, and the
same pixels whatever version of an imaging library is installed.
"""

import numpy as np

# Strokes of the letters and digits on the signs, in a cell that is 1 wide and
# 1.6 high; one glyph is a list of polylines.
GLYPHS = {
    "S": [[(0.95, 0.2), (0.7, 0), (0.3, 0), (0, 0.3), (0.2, 0.7), (0.8, 0.9),
           (1, 1.3), (0.7, 1.6), (0.3, 1.6), (0.05, 1.4)]],
    "T": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 1.6)]],
    "O": [[(0.3, 0), (0.7, 0), (1, 0.4), (1, 1.2), (0.7, 1.6), (0.3, 1.6),
           (0, 1.2), (0, 0.4), (0.3, 0)]],
    "P": [[(0, 1.6), (0, 0), (0.7, 0), (1, 0.25), (1, 0.65), (0.7, 0.9), (0, 0.9)]],
    "0": [[(0.3, 0), (0.7, 0), (1, 0.4), (1, 1.2), (0.7, 1.6), (0.3, 1.6),
           (0, 1.2), (0, 0.4), (0.3, 0)]],
    "3": [[(0, 0.15), (0.3, 0), (0.7, 0), (1, 0.3), (0.8, 0.75), (0.4, 0.8)],
          [(0.8, 0.75), (1, 1.2), (0.7, 1.6), (0.3, 1.6), (0, 1.4)]],
    "5": [[(0.95, 0), (0.1, 0), (0.05, 0.75), (0.6, 0.65), (1, 1), (0.9, 1.4),
           (0.6, 1.6), (0.25, 1.6), (0, 1.4)]],
    "7": [[(0, 0), (1, 0), (0.4, 1.6)]],
    "8": [[(0.5, 0.75), (0.1, 0.4), (0.3, 0), (0.7, 0), (0.9, 0.4), (0.5, 0.75),
           (0, 1.2), (0.3, 1.6), (0.7, 1.6), (1, 1.2), (0.5, 0.75)]],
}
GLYPH_HEIGHT = 1.6
GLYPH_ADVANCE = 1.55


def disc(at, radius, centre=(0.0, 0.0)):
    return np.hypot(at[0] - centre[0], at[1] - centre[1]) - radius


def box(at, half_width, half_height, centre=(0.0, 0.0)):
    return np.maximum(abs(at[0] - centre[0]) - half_width, abs(at[1] - centre[1]) - half_height)


def polygon(at, sides, apothem, turn):
    """Regular polygon whose first side's outward normal points at angle `turn`."""
    angles = turn + 2 * np.pi * np.arange(sides) / sides
    distance = np.full_like(at[0], -np.inf)
    for angle in angles:
        np.maximum(distance, at[0] * np.cos(angle) + at[1] * np.sin(angle), out=distance)
    return distance - apothem


def strokes(at, polylines, half_width):
    """Union of polylines drawn with a round pen."""
    squared = np.full_like(at[0], np.inf)
    for line in polylines:
        for (x0, y0), (x1, y1) in zip(line, line[1:]):
            dx, dy = x1 - x0, y1 - y0
            px, py = at[0] - x0, at[1] - y0
            along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0, 1)
            np.minimum(squared, (px - along * dx) ** 2 + (py - along * dy) ** 2, out=squared)
    return np.sqrt(squared) - half_width


def text(at, word, height, half_width):
    """`word` centred on the origin, `height` high."""
    scale = height / GLYPH_HEIGHT
    width = GLYPH_ADVANCE * (len(word) - 1) + 1
    lines = []
    for place, letter in enumerate(word):
        left = GLYPH_ADVANCE * place - width / 2
        lines += [[((left + x) * scale, (y - GLYPH_HEIGHT / 2) * scale) for x, y in line]
                  for line in GLYPHS[letter]]
    return strokes(at, lines, half_width)


def arc(at, radius, start, length, half_width):
    """Part of a circle's line: `length` radians clockwise (on screen) from `start`."""
    angle = (np.arctan2(at[1], at[0]) - start) % (2 * np.pi)
    return np.where(angle <= length, abs(np.hypot(*at) - radius) - half_width, np.inf)
