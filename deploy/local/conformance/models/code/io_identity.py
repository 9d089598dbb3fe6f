"""OUTPUT0 is INPUT0, NEXT_GPU_OUTPUT is GPU_OUTPUT without its first element.

Stands in for NVIDIA's dlpack_io_identity, which needs torch and a GPU: here every
tensor is in main memory, wherever GPU_OUTPUT wants it.
"""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        values, places = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("INPUT0", "GPU_OUTPUT"))
        return pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", values), pb_utils.Tensor("NEXT_GPU_OUTPUT", places[1:])])
