"""A stand-in for a language model, to test streams of answers.

text_input  BYTES [1]            words, separated by spaces
stream      BOOL  [1]  optional  one answer for each word; else one with all of them
bias        FP32  [-1] optional  comes back as bias_used
text_output BYTES [1]
scores      FP32  [2]            probabilities: the word is meant, it is not

Some words do something else than come back:

    {error}  an error instead of an answer
    {doubt}  comes back with scores of 0.5
    {bytes}  comes back as bytes that are no UTF-8
    {nan}    comes back with scores that are no numbers
    {wait}   holds everything that follows back until the file that the environment
             variable WEIR_RECORD names, with ".go" after it, is there

Each executed request adds one line to the file WEIR_RECORD, as that of echo.
"""

import json
import os
import time

import numpy
import triton_python_backend_utils as pb_utils

PATIENCE_SECONDS = 60


class TritonPythonModel:
    def initialize(self, args):
        self.model, self.version = args["model_name"], args["model_version"]
        self.path = os.environ.get("WEIR_RECORD")

    def execute(self, requests):
        for request in requests:
            self.answer(request, request.get_response_sender())

    def answer(self, request, sender):
        inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        self.record(request, inputs)
        words = inputs["text_input"][0].decode().split()
        stream = bool(inputs["stream"][0]) if "stream" in inputs else False
        for word in words if stream else [" ".join(words)]:
            if word == "{wait}":
                self.wait()
                continue
            sender.send(self.response(word, inputs.get("bias")))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def record(self, request, inputs):
        if self.path:
            line = {
                "model": self.model,
                "version": self.version,
                "id": request.request_id(),
                "parameters": json.loads(request.parameters() or "{}"),
                "inputs": [{"name": name, "shape": list(array.shape)} for name, array in inputs.items()],
            }
            with open(self.path, "a") as file:
                file.write(json.dumps(line) + "\n")

    def wait(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not os.path.exists(self.path + ".go") and time.monotonic() < deadline:
            time.sleep(0.01)

    def response(self, word, bias):
        if word == "{error}":
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("the model has no word for it"))
        text = b"\xff\xfe" if word == "{bytes}" else word.encode()
        sure = {"{doubt}": 0.5, "{nan}": float("nan")}.get(word, 0.9)
        outputs = [
            pb_utils.Tensor("text_output", numpy.array([text], dtype=numpy.object_)),
            pb_utils.Tensor("scores", numpy.array([sure, 1 - sure], dtype=numpy.float32)),
        ]
        if bias is not None:
            outputs.append(pb_utils.Tensor("bias_used", bias))
        return pb_utils.InferenceResponse(outputs)
