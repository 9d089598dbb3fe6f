"""Decoupled: one response with OUT and IDX for each element of IN, each DELAY ms late."""

import threading
import time

import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.threads = []

    def execute(self, requests):
        for request in requests:
            values, delays = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("IN", "DELAY"))
            thread = threading.Thread(target=self.answer, args=(request.get_response_sender(), values, delays))
            thread.start()
            self.threads.append(thread)

    def answer(self, sender, values, delays):
        for index, (value, delay) in enumerate(zip(values, delays)):
            time.sleep(int(delay) / 1000)
            outputs = [
                pb_utils.Tensor("OUT", numpy.array([value], numpy.int32)),
                pb_utils.Tensor("IDX", numpy.array([index], numpy.uint32)),
            ]
            sender.send(pb_utils.InferenceResponse(outputs))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self):
        for thread in self.threads:
            thread.join()
