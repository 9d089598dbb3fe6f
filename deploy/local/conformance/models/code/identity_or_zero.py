"""OUTPUT0 and OUTPUT1 are INPUT0 and INPUT1; zeros for the one that is not there.

Stands in for Triton's identity backend, which answers so.
"""

import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        values = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        zeros = numpy.zeros_like(next(iter(values.values())))
        outputs = [pb_utils.Tensor(f"OUTPUT{i}", values.get(f"INPUT{i}", zeros)) for i in range(2)]
        return pb_utils.InferenceResponse(outputs)
