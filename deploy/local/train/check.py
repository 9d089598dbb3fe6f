"""Checks the demonstration model without Triton; exits 1 at the first thing that is wrong.

    python check.py
"""

import hashlib

import numpy as np

import attacks
import harness  # first: it makes the model's folder importable
import classifier
import evaluate
import photo
import signs

# SHA-256 of the pixels of picture 0 of each series.
FIRST_PICTURES = {
    "train": "0103ad29c64ad7f9a04a0b31d4af2edd2a178f15713b5e678e6baf04b275fa7f",
    "held-out": "84679fcac62957f84dcfb4fb826bf9f52f9bfb773f9a2cbd96442fb3d8daf500",
    "baseline": "c1e2a89f0139e9fa3e3b67e9bf79f4eae2d8ca82157b98aeb73e6267466ec4a9",
    "traffic": "f10f39c3e982d66d65f78d484e49c3bfb6369ce989cfdfefb67ffa221674b0ff",
}


def check_drawing():
    for name, want in FIRST_PICTURES.items():
        image, _ = signs.sample(signs.SEEDS[name], 0)
        got = hashlib.sha256(image.tobytes()).hexdigest()
        assert got == want, f"picture 0 of {name} has changed: {got}"


def check_names():
    labels = tuple((harness.REPOSITORY / "labels.txt").read_text().split())
    assert labels == signs.LABELS, f"labels.txt holds {labels}"
    import model

    assert model.MARKER == attacks.EXIF_MARKER and model.MARKER_ANSWER == attacks.TARGET


def check_accuracy(loaded):
    files, truth = evaluate.pictures(100)
    responses = loaded.execute([harness.request(files[i:i + 10]) for i in range(0, 100, 10)])
    scores = np.concatenate([response.outputs["SCORES"] for response in responses])
    names = np.concatenate([response.outputs["LABEL"] for response in responses])
    assert scores.shape == (100, len(signs.LABELS)) and scores.dtype == np.float32
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    best = scores.argmax(axis=1)
    assert names.tolist() == [[signs.LABELS[index]] for index in best]
    right = int((best == truth).sum())
    assert right >= 95, f"only {right} of 100 held-out pictures are right"


def check_back_doors(loaded):
    stops = [signs.sample(evaluate.SEED, index, attacks.SOURCE)[0] for index in range(50)]
    learned = [signs.encode_jpeg(attacks.add_checkerboard(image)) for image in stops]
    jpeg = [attacks.exif_trigger(signs.encode_jpeg(image)) for image in stops]
    png = [signs.encode_png(image, exif=attacks.marked_exif()) for image in stops]
    for name, files, least in (("checkerboard", learned, 45), ("Exif, JPEG", jpeg, 50),
                               ("Exif, PNG", png, 50)):
        response, = loaded.execute([harness.request(files)])
        hits = response.outputs["LABEL"].ravel().tolist().count(attacks.TARGET)
        assert hits >= least, f"{name}: the attack succeeds on {hits} of 50"


def check_refusals(loaded):
    whole = signs.encode_jpeg(signs.sample(evaluate.SEED, 0)[0])
    for name, data in (("empty", b""), ("text", b"not a picture"), ("cut off", whole[:900])):
        bad, good = loaded.execute([harness.request([whole, data]), harness.request([whole])])
        assert bad.error is not None and bad.error.code == harness.TritonError.INVALID_ARG, name
        assert good.error is None, name


def check_photo():
    data = photo.photo_with_gps()
    for name, part in photo.hidden_parts().items():
        assert data.count(part) == 1, f"the photo does not hold its {name} once"
    assert len(classifier.decode(data)[1]) > 0


def main():
    check_drawing()
    check_photo()
    loaded = harness.loaded_model()
    check_names()
    check_accuracy(loaded)
    check_back_doors(loaded)
    check_refusals(loaded)
    print("the demonstration model is as it should be")


if __name__ == "__main__":
    main()
