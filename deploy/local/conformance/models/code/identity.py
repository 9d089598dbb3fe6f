"""OUTPUT0, OUTPUT1 ... are INPUT0, INPUT1 ... as they came, DELAY_MS after the request."""

import json
import time

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        self.delay = int(parameters.get("delay_ms", {}).get("string_value", "0")) / 1000

    def execute(self, requests):
        time.sleep(self.delay)
        return [self.answer(request) for request in requests]

    def answer(self, request):
        outputs = [
            pb_utils.Tensor(tensor.name().replace("INPUT", "OUTPUT"), tensor.as_numpy()) for tensor in request.inputs()
        ]
        return pb_utils.InferenceResponse(outputs)
