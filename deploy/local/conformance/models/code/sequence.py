"""What NVIDIA's sequence examples expect of their models.

Without the parameter accumulate: OUTPUT is INPUT, plus 1 at the start of a sequence.
With it: OUTPUT is the sum of the sequence's INPUT so far. At the end of a sequence
the correlation id is added, if the model is told of the end.
"""

import json

import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.accumulate = "accumulate" in json.loads(args["model_config"])["parameters"]
        self.sums = {}

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        start, end = (bool(inputs[name].any()) if name in inputs else False for name in ("START", "END"))
        sequence = request.correlation_id()
        value = int(inputs["INPUT"].flat[0])
        if not self.accumulate:
            value += start
        elif not start:
            value += self.sums[sequence]
        self.sums[sequence] = value
        if end:
            value += int(sequence)
            del self.sums[sequence]
        output = numpy.full(inputs["INPUT"].shape, value, numpy.int32)
        return pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT", output)])
