"""A decoupled Triton model: one response for each element of VALUES.

Each response holds that VALUE, and TEXT as it came, or PAD_BYTES times "x" where
that is larger. A negative value gives an error in the place of a response. Before
each response the model waits PAUSE_MS milliseconds; requests are worked on at the
same time, so their responses may come interleaved. Requests are recorded as by the
echo model. When a request was cancelled, the model stops and adds a line with its id
to the file named by WEIR_RECORD with ".cancelled" at its end.
"""

import hashlib
import json
import os
import threading
import time

import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.model, self.version = args["model_name"], args["model_version"]
        self.path = os.environ.get("WEIR_RECORD")
        self.threads = []

    def execute(self, requests):
        for request in requests:
            values = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            self.record(request, values)
            thread = threading.Thread(target=self.answer, args=(request.get_response_sender(), request.request_id(), values))
            thread.start()
            self.threads = [t for t in self.threads if t.is_alive()] + [thread]
        return None

    def answer(self, sender, request_id, values):
        text = bytes(values["TEXT"][0]) if "TEXT" in values else b""
        pause = int(values["PAUSE_MS"][0]) / 1000 if "PAUSE_MS" in values else 0
        if "PAD_BYTES" in values:
            text = text.ljust(int(values["PAD_BYTES"][0]), b"x")
        for value in values["VALUES"]:
            time.sleep(pause)
            if sender.is_cancelled():
                self.append(".cancelled", request_id)
                break
            if value < 0:
                sender.send(pb_utils.InferenceResponse(error=pb_utils.TritonError(f"the value {value} is negative")))
                continue
            outputs = [
                pb_utils.Tensor("VALUE", numpy.array([value], numpy.int32)),
                pb_utils.Tensor("TEXT", numpy.array([text], numpy.object_)),
            ]
            sender.send(pb_utils.InferenceResponse(outputs))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def record(self, request, values):
        inputs = []
        for name, array in values.items():
            elements = [bytes(e) for e in array.flat] if array.dtype == numpy.object_ else [array.tobytes()]
            inputs.append(
                {
                    "name": name,
                    "datatype": {"VALUES": "INT32", "TEXT": "BYTES"}.get(name, "UINT32"),
                    "shape": list(array.shape),
                    "bytes": [len(e) for e in elements],
                    "sha256": [hashlib.sha256(e).hexdigest() for e in elements],
                }
            )
        line = {
            "model": self.model,
            "version": self.version,
            "id": request.request_id(),
            "parameters": json.loads(request.parameters() or "{}"),
            "inputs": inputs,
        }
        self.append("", json.dumps(line))

    def append(self, suffix, line):
        if self.path:
            file = os.open(self.path + suffix, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.write(file, line.encode() + b"\n")
            os.close(file)

    def finalize(self):
        for thread in self.threads:
            thread.join()
