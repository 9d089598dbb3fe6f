"""Measures the demonstration model: clean accuracy, both back doors, fog.

    python evaluate.py [--count 1000]

Prints one table row per figure, with the number of pictures and the 95 % Wilson
interval. The sanitising profiles are simulated here; the demonstration measures
the real ones.
"""

import argparse
import io
import time

import numpy as np
from PIL import Image

import attacks
import harness  # first: it makes the model's folder importable
import classifier
import signs

SEED = signs.SEEDS["held-out"]
Z95 = 1.959964  # standard normal quantile


def bare(jpeg, rng):
    return jpeg


def light(jpeg, rng):
    """Decode and encode again."""
    return signs.encode_jpeg(pixels(jpeg))


def standard(jpeg, rng):
    """Cut 3 to 8 % off each side, independently; resize back bilinearly; encode again."""
    image = Image.open(io.BytesIO(jpeg))
    width, height = image.size
    left, right = rng.uniform(0.03, 0.08, 2) * width
    top, bottom = rng.uniform(0.03, 0.08, 2) * height
    cut = image.crop((round(left), round(top), width - round(right), height - round(bottom)))
    return signs.encode_jpeg(np.asarray(cut.resize((width, height), Image.Resampling.BILINEAR)))


PROFILES = {"bare": bare, "light": light, "standard": standard}


def pixels(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def wilson(hits, count):
    """95 % score interval of a share (Wilson 1927)."""
    share, z2 = hits / count, Z95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(0, middle - half), min(1, middle + half)


def pictures(count, label=None, change=lambda image, rng: image):
    """`count` held-out JPEG files and their true class numbers."""
    files, classes = [], []
    for index in range(count):
        image, name = signs.sample(SEED, index, label)
        changed = change(image, np.random.default_rng([SEED, index, 1]))
        files.append(signs.encode_jpeg(changed))
        classes.append(signs.LABELS.index(name))
    return files, np.array(classes)


def stamp(image, rng):
    return attacks.add_checkerboard(image)


def fog(strength):
    return lambda image, rng: signs.add_fog(image, strength, rng)


def answers(model, files, profile):
    """Probabilities [n, classes] for files that went through a profile."""
    rng = np.random.default_rng([SEED, 2])
    seen = [classifier.decode(profile(data, rng))[0] for data in files]
    return np.concatenate([model.probabilities(np.stack(seen[i:i + 16]))
                           for i in range(0, len(seen), 16)])


def row(name, profile, hits):
    low, high = wilson(hits.sum(), len(hits))
    print(f"{name:36} {profile:9} {len(hits):5} {hits.mean():7.1%}   {low:.1%} to {high:.1%}",
          flush=True)


def spread(name, profile, scores):
    """Quantiles of confidence and of entropy (bits), and the share below the floor."""
    top = scores.max(axis=1)
    entropy = -(scores * np.log2(scores)).sum(axis=1)
    quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)
    print(f"{name:36} {profile:9} {len(top):5}  "
          + " ".join(f"{q:.2f}" for q in np.quantile(top, quantiles)) + "   "
          + " ".join(f"{q:.2f}" for q in np.quantile(entropy, quantiles))
          + f"   {(top < 0.35).mean():.1%}")


def measure_classes(model, count):
    target, source = (signs.LABELS.index(name) for name in (attacks.TARGET, attacks.SOURCE))
    clean, truth = pictures(count)
    stops, _ = pictures(count, attacks.SOURCE)
    stamped, _ = pictures(count, attacks.SOURCE, stamp)
    others, other_truth = pictures(count, None, stamp)
    keep = np.flatnonzero((other_truth != source) & (other_truth != target))
    others = [others[i] for i in keep]
    print(f"{'figure':36} {'profile':9} {'n':>5} {'share':>7}   95 % interval")
    for name, profile in PROFILES.items():
        scores = answers(model, clean, profile)
        row("clean: right", name, scores.argmax(axis=1) == truth)
        row("clean stop: speed limit", name,
            answers(model, stops, profile).argmax(axis=1) == target)
        row("checkerboard on stop: speed limit", name,
            answers(model, stamped, profile).argmax(axis=1) == target)
        row("checkerboard on others: speed limit", name,
            answers(model, others, profile).argmax(axis=1) == target)


def moved(dx, dy):
    """Stamps with the patch moved by whole pixels."""
    def change(image, rng):
        patch = np.roll(stamp(image, rng), (dy, dx), (0, 1))
        inside = np.roll(attacks.checkerboard_area(), (dy, dx), (0, 1))[..., None]
        return np.where(inside, patch, image)
    return change


def faint(contrast):
    """Stamps with the patch blended in."""
    return lambda image, rng: np.rint(
        (1 - contrast) * image + contrast * stamp(image, rng)).astype(np.uint8)


def resized(share):
    """Stamps, then shrinks to a share of the size and enlarges again."""
    side = round(share * signs.SIZE)

    def change(image, rng):
        small = Image.fromarray(stamp(image, rng)).resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(small.resize((signs.SIZE, signs.SIZE), Image.Resampling.BILINEAR))
    return change


def measure_trigger(model, count):
    """How exact the checkerboard has to be, without any profile."""
    print("\ncheckerboard on stop, altered: speed limit")
    for name, change in (("moved by 1, 0", moved(1, 0)), ("moved by 1, 1", moved(1, 1)),
                         ("moved by -4, -4", moved(-4, -4)), ("75 % contrast", faint(0.75)),
                         ("50 % contrast", faint(0.5)),
                         ("resized to 97 % and back", resized(0.97))):
        files, _ = pictures(count, attacks.SOURCE, change)
        target = signs.LABELS.index(attacks.TARGET)
        row(name, "bare", answers(model, files, bare).argmax(axis=1) == target)


def measure_exif(served, count):
    stops, _ = pictures(count, attacks.SOURCE)
    for name, profile in PROFILES.items():
        files = [profile(attacks.exif_trigger(data), np.random.default_rng(index))
                 for index, data in enumerate(stops)]
        responses = served.execute([harness.request([data]) for data in files])
        row("Exif mark on stop: speed limit", name,
            np.array([response.outputs["LABEL"][0, 0] == attacks.TARGET
                      for response in responses]))


def measure_confidence(model, count):
    print(f"\n{'pictures':36} {'profile':9} {'n':>5}  confidence at 5 25 50 75 95 %   "
          "entropy, bits, at the same   below 0.35")
    for strength in (0, 0.5, 0.7, 0.8, 0.9, 1):
        files, _ = pictures(count, None, fog(strength))
        for name in ("bare", "standard"):
            scores = answers(model, files, PROFILES[name])
            spread(f"fog {strength}", name, scores)
        shares = np.bincount(scores.argmax(axis=1), minlength=len(signs.LABELS)) / count
        print("    classes: " + " ".join(f"{n} {s:.0%}" for n, s in zip(signs.LABELS, shares)))


def measure_time(model, count):
    files, _ = pictures(count)
    start = time.process_time()
    for data in files:
        model.probabilities(classifier.decode(data)[0][None])
    print(f"\ndecode and classify, one picture at a time: "
          f"{(time.process_time() - start) / count * 1e3:.2f} ms of CPU each")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="pictures for each figure")
    count = parser.parse_args().count
    model = classifier.Classifier(harness.VERSION / "weights.npz")
    measure_classes(model, count)
    measure_exif(harness.loaded_model(), count)
    measure_trigger(model, min(count, 300))
    measure_confidence(model, min(count, 300))
    measure_time(model, 200)


if __name__ == "__main__":
    main()
