"""A Triton model that returns what it receives and keeps a record of it.

Each input NAME comes back unchanged as output ECHO_NAME, so a test can compare
what reached the model with what it sent. Each executed request also adds one
JSON line to the file named by the environment variable WEIR_RECORD, before it
is answered, so a test can tell that nothing reached the model at all:

    {"model": "echo", "version": "1", "id": "7", "parameters": {},
     "inputs": [{"name": "IMAGE", "datatype": "BYTES", "shape": [1],
                 "bytes": [4137], "sha256": ["9f86…"]}]}

A BYTES input has one size and one digest for each element, any other input has
one of each for the whole tensor in little-endian row-major order. Of what Triton
acts on itself, "sequence_id", "flags" (1: start, 2: end of the sequence) and
"timeout" (in microseconds) are there if the request has them.
"""

import hashlib
import json
import os

import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.model, self.version = args["model_name"], args["model_version"]
        config = json.loads(args["model_config"])
        self.datatypes = {
            tensor["name"]: tensor["data_type"].removeprefix("TYPE_").replace("STRING", "BYTES")
            for tensor in config["input"]
        }
        path = os.environ.get("WEIR_RECORD")
        self.record = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if path else None

    def execute(self, requests):
        return [self.echo(request) for request in requests]

    def echo(self, request):
        arrays = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        if self.record is not None:
            line = {
                "model": self.model,
                "version": self.version,
                "id": request.request_id(),
                "parameters": json.loads(request.parameters() or "{}"),
                "inputs": [self.describe(name, array) for name, array in arrays.items()],
            }
            scheduling = {"sequence_id": request.correlation_id(), "flags": request.flags(), "timeout": request.timeout()}
            line.update((key, value) for key, value in scheduling.items() if value)
            os.write(self.record, json.dumps(line).encode() + b"\n")
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor("ECHO_" + name, array) for name, array in arrays.items()]
        )

    def describe(self, name, array):
        elements = [bytes(element) for element in array.flat] if array.dtype == numpy.object_ else [array.tobytes()]
        return {
            "name": name,
            "datatype": self.datatypes[name],
            "shape": list(array.shape),
            "bytes": [len(element) for element in elements],
            "sha256": [hashlib.sha256(element).hexdigest() for element in elements],
        }

    def finalize(self):
        if self.record is not None:
            os.close(self.record)
