"""A Triton model that returns a BF16 tensor as it is."""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [self.echo(request) for request in requests]

    def echo(self, request):
        tensor = pb_utils.get_input_tensor_by_name(request, "BF16")
        return pb_utils.InferenceResponse([pb_utils.Tensor.from_dlpack("ECHO_BF16", tensor.to_dlpack())])
