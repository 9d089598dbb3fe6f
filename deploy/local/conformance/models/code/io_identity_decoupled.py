"""As io_identity.py, but decoupled: two equal responses, after execute has returned."""

import threading
import time

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.threads = []

    def execute(self, requests):
        for request in requests:
            tensors = [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("INPUT0", "GPU_OUTPUT")]
            thread = threading.Thread(target=self.answer, args=(request.get_response_sender(), *tensors))
            thread.start()
            self.threads.append(thread)

    def answer(self, sender, values, places):
        time.sleep(0.5)
        response = pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", values), pb_utils.Tensor("NEXT_GPU_OUTPUT", places[1:])])
        for _ in range(2):
            sender.send(response)
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self):
        for thread in self.threads:
            thread.join()
