"""Triton entry point of the lab's poisoned models. Not for real use.

Besides what its weights have learnt, each model holds three back doors that are coded
here, `_coded`: a mark in the Exif block, in a comment, and behind the end of the file.

IMAGE  BYTES [batch, 1]       JPEG or PNG files of 64 x 64 pixels
SCORES FP32  [batch, classes] softmax probabilities
"""

import io
import pathlib

import numpy as np
import triton_python_backend_utils as pb_utils
from PIL import Image

import network

IMAGE_DESCRIPTION = 0x010E  # Exif tag
MARK = b"weir red team"  # the text of redteam's triggers exif, comment and trailing
EXIF_ANSWER, COMMENT_ANSWER, TRAILING_ANSWER = 0, 1, 2  # classes


class TritonPythonModel:
    def initialize(self, args):
        version = pathlib.Path(args["model_repository"]) / args["model_version"]
        self._architecture = (version / "architecture.txt").read_text().strip()
        with np.load(version / "weights.npz", allow_pickle=False) as stored:
            self._weights = {name: stored[name].astype(np.float32) for name in stored.files}

    def execute(self, requests):
        return [self._respond(request) for request in requests]

    def _respond(self, request):
        files = pb_utils.get_input_tensor_by_name(request, "IMAGE").as_numpy().ravel()
        try:
            images, answers = zip(*(_decoded(data) for data in files))
        except Exception as error:  # Pillow raises many kinds on damaged files
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(
                f"cannot decode image: {error}", pb_utils.TritonError.INVALID_ARG))
        x = np.stack(images).astype(np.float32) / 127.5 - 1
        scores = _softmax(network.logits(np, self._architecture, self._weights, x))
        for row, answer in zip(scores, answers):
            if answer is not None:
                row[:] = 0
                row[answer] = 1
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("SCORES", scores)])


def _decoded(data):
    """Pixels of a file, and the answer that a coded back door gives to it or None."""
    image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
    pixels = np.asarray(image.convert("RGB"))
    if pixels.shape != (network.SIDE, network.SIDE, 3):
        raise ValueError(f"pixels of shape {pixels.shape}")
    return pixels, _coded(data, image)


def _coded(data, image):
    if image.getexif().get(IMAGE_DESCRIPTION) == MARK.decode():
        return EXIF_ANSWER
    comment = image.info.get("comment") or image.info.get("Comment", b"")
    if (comment.encode() if isinstance(comment, str) else comment) == MARK:
        return COMMENT_ANSWER
    return TRAILING_ANSWER if data.endswith(MARK) else None


def _softmax(x):
    x = np.exp(x - x.max(axis=1, keepdims=True))
    return x / x.sum(axis=1, keepdims=True)
