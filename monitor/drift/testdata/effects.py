"""Writes effects.json: effect sizes of counts over equal bins by scipy.

python effects.py > effects.json   (scipy 1.17)
"""

import json

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from scipy.stats import ks_2samp

CASES = [
    # baseline, current, ordered; the last bin is "missing"
    ([100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 0], [30, 40, 55, 70, 80, 95, 110, 130, 170, 220, 0], True),
    ([1000, 600, 300, 100, 0], [200, 150, 90, 50, 10], False),
    ([200, 200, 200, 0], [0, 0, 0, 600], True),
    ([500, 500, 7], [500, 500, 7], True),
    ([1, 999999, 0], [5, 20, 75], True),
    ([0, 400, 0, 0], [3, 0, 9, 1], True),
    ([10, 20, 30, 5], [30, 20, 10, 0], False),
]


def smoothed(counts):
    counts = np.array(counts, dtype=float)
    return (counts + 0.5) / (counts.sum() + len(counts) / 2)


def main():
    out = []
    for base, current, ordered in CASES:
        p, q = smoothed(base), smoothed(current)
        row = {
            "base": base,
            "current": current,
            "ordered": ordered,
            "psi": float(np.sum(rel_entr(q, p)) + np.sum(rel_entr(p, q))),
            "jensen_shannon_distance": float(jensenshannon(p, q, base=2)),
            "kolmogorov_smirnov": None,
        }
        x = np.repeat(np.arange(len(base) - 1), base[:-1])
        y = np.repeat(np.arange(len(base) - 1), current[:-1])
        if ordered and len(x) and len(y):
            row["kolmogorov_smirnov"] = float(ks_2samp(x, y, method="asymp").statistic)
        out.append(row)
    print(json.dumps(out, indent=1))


main()
