"""OUT is how many of the documented arguments the model was initialised with."""

import numpy
import triton_python_backend_utils as pb_utils

DOCUMENTED = {
    "model_config",
    "model_instance_kind",
    "model_instance_name",
    "model_instance_device_id",
    "model_repository",
    "model_version",
    "model_name",
}


class TritonPythonModel:
    def initialize(self, args):
        self.count = numpy.array([len(DOCUMENTED & args.keys())], numpy.float32)

    def execute(self, requests):
        return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", self.count)]) for _ in requests]
