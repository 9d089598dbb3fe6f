"""Serves the models of models.py with KServe.

Usage: kserve_server.py PORT

KServe would listen on all addresses of the machine; this listens on 127.0.0.1.
"""

import socket
import sys

import models
import numpy
from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.protocol.rest.server import RESTServer
from kserve.utils.utils import generate_uuid

record = models.Record()


class Recorded(Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        inputs = [(i.name, i.datatype, i.shape, i.data) for i in payload.inputs]
        record.add(self.name, payload.model_version, payload.id, payload.parameters, headers, inputs)
        return InferResponse(
            response_id=payload.id or generate_uuid(),  # as KServe's own models
            model_name=self.name,
            infer_outputs=self.outputs_of(payload),
            requested_outputs=payload.request_outputs if self.selects else None,
        )


class Echo(Recorded):
    selects = False

    def get_input_types(self):
        return models.ECHO_INPUTS

    def get_output_types(self):
        return models.ECHO_OUTPUTS

    def outputs_of(self, payload):
        return [InferOutput("ECHO_" + i.name, i.shape, i.datatype, i.data) for i in payload.inputs]


class Classifier(Recorded):
    selects = True

    def get_input_types(self):
        return models.CLASSIFIER_INPUTS

    def get_output_types(self):
        return models.CLASSIFIER_OUTPUTS

    def outputs_of(self, payload):
        scores, labels = models.classify(payload.inputs[0].as_numpy())
        rows = len(labels)
        label = InferOutput("LABEL", [rows, 1], "BYTES", numpy.array(labels, numpy.object_).reshape(rows, 1))
        return [InferOutput("SCORES", list(scores.shape), "FP32", scores), label]


def main(port):
    server = ModelServer(http_port=port, enable_grpc=False, workers=1)
    for model in (Echo("echo"), Classifier("classifier")):
        server.register_model(model)
    listener = socket.create_server(("127.0.0.1", port))
    RESTServer("kserve.model_server:app", server.dataplane, server.model_repository_extension, port).run([listener])


if __name__ == "__main__":
    port = int(sys.argv.pop(1))
    main(port)
