"""OUTPUT0 is INPUT0 + INPUT1, OUTPUT1 is INPUT0 - INPUT1, element by element.

All four have one datatype; BYTES elements are decimal numbers.
"""

import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        a, b = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("INPUT0", "INPUT1"))
        if a.dtype == numpy.object_:
            a, b = a.astype(numpy.int32), b.astype(numpy.int32)
            results = [r.astype(numpy.bytes_).astype(numpy.object_) for r in (a + b, a - b)]
        else:
            results = [a + b, a - b]
        return pb_utils.InferenceResponse([pb_utils.Tensor(f"OUTPUT{i}", r) for i, r in enumerate(results)])
