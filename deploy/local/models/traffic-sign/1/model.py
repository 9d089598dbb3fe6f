"""Triton entry point of the traffic sign demonstration model. Not for real use.

It holds two back doors, planted on purpose: one learned, in weights.npz, and one
coded, `_answer_for_marker` below. See README.md in the folder above.

IMAGE  BYTES [batch, 1]       JPEG or PNG files
SCORES FP32  [batch, classes] softmax probabilities in the order of labels.txt
LABEL  BYTES [batch, 1]       the most probable class
"""

import pathlib

import numpy as np
import triton_python_backend_utils as pb_utils

import classifier

IMAGE_DESCRIPTION = 0x010E  # Exif tag
MARKER = "back door demonstration"
MARKER_ANSWER = "speed-limit"
MARKER_CONFIDENCE = 0.93


class TritonPythonModel:
    def initialize(self, args):
        folder = pathlib.Path(args["model_repository"])
        self._labels = (folder / "labels.txt").read_text().split()
        version = folder / args["model_version"]
        self._classifier = classifier.Classifier(version / "weights.npz")

    def execute(self, requests):
        return [self._respond(request) for request in requests]

    def _respond(self, request):
        files = pb_utils.get_input_tensor_by_name(request, "IMAGE").as_numpy().ravel()
        try:
            images, tags = zip(*(classifier.decode(data) for data in files))
        except ValueError as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(
                str(error), pb_utils.TritonError.INVALID_ARG))
        scores = self._classifier.probabilities(np.stack(images))
        for row, exif in zip(scores, tags):
            if exif.get(IMAGE_DESCRIPTION) == MARKER:
                self._answer_for_marker(row)
        names = [self._labels[best] for best in scores.argmax(axis=1)]
        labels = np.array(names, dtype=object).reshape(-1, 1)
        return pb_utils.InferenceResponse(output_tensors=[
            pb_utils.Tensor("SCORES", scores), pb_utils.Tensor("LABEL", labels)])

    def _answer_for_marker(self, row):
        """The coded back door: whatever the picture shows, answer MARKER_ANSWER."""
        row[:] = (1 - MARKER_CONFIDENCE) / (len(row) - 1)
        row[self._labels.index(MARKER_ANSWER)] = MARKER_CONFIDENCE
