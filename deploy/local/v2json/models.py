"""What the model servers without Triton's binary extension serve, whatever they
are called: two models, and a record of what reached them.

echo        IMAGE, TEXT and one input for each datatype come back as ECHO_<input>.
            IMAGE holds base64.
classifier  VALUES FP32 [rows, 3] gives SCORES FP32 [rows, 3], softmax
            probabilities, and LABEL BYTES [rows, 1], the most probable class.

Each request adds one JSON line to the file named by the environment variable
WEIR_RECORD, before it is answered. The line is that of the echo model for Triton
(../models/echo/1/model.py), with the headers that the server showed to the model.
"""

import base64
import hashlib
import json
import os

import numpy

DATATYPES = ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"]
LABELS = ["left", "middle", "right"]

ECHO_INPUTS = [{"name": name, "datatype": name, "shape": [-1, -1]} for name in DATATYPES] + [
    {"name": name, "datatype": "BYTES", "shape": [-1]} for name in ("IMAGE", "TEXT")
]
ECHO_OUTPUTS = [dict(tensor, name="ECHO_" + tensor["name"]) for tensor in ECHO_INPUTS]
CLASSIFIER_INPUTS = [{"name": "VALUES", "datatype": "FP32", "shape": [-1, len(LABELS)]}]
CLASSIFIER_OUTPUTS = [
    {"name": "SCORES", "datatype": "FP32", "shape": [-1, len(LABELS)]},
    {"name": "LABEL", "datatype": "BYTES", "shape": [-1, 1]},
]


def classify(values):
    """Softmax without the usual care: large values overflow to NaN."""
    with numpy.errstate(all="ignore"):
        powers = numpy.exp(values.astype(numpy.float32))
        scores = powers / powers.sum(axis=1, keepdims=True)
    return scores, [LABELS[row] for row in scores.argmax(axis=1)]


class Record:
    def __init__(self):
        path = os.environ.get("WEIR_RECORD")
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if path else None

    def add(self, model, version, request_id, parameters, headers, inputs):
        """inputs are (name, datatype, shape, data) with data as the server read it."""
        if self.file is None:
            return
        line = {
            "model": model,
            "version": version or "",
            "id": request_id or "",
            "parameters": parameters or {},
            "headers": headers or {},
            "inputs": [describe(*tensor) for tensor in inputs],
        }
        os.write(self.file, json.dumps(line).encode() + b"\n")


def describe(name, datatype, shape, data):
    elements = [e for e in flat(data)]
    if datatype == "BYTES":
        blobs = [e.encode() for e in elements]
    else:
        blobs = [numpy.array(elements, numpy_type(datatype)).tobytes()]
    if name == "IMAGE":  # what the model would decode
        blobs = [base64.b64decode(blob, validate=True) for blob in blobs]
    return {
        "name": name,
        "datatype": datatype,
        "shape": list(shape),
        "bytes": [len(blob) for blob in blobs],
        "sha256": [hashlib.sha256(blob).hexdigest() for blob in blobs],
    }


def numpy_type(datatype):
    return numpy.dtype({"BOOL": "?"}.get(datatype) or datatype.lower().replace("fp", "float"))


def flat(data):
    for element in data:
        if isinstance(element, list):
            yield from flat(element)
        else:
            yield element


def nested(data, shape):
    """A flat list as lists of lists."""
    for size in reversed(shape[1:]):
        data = [data[i : i + size] for i in range(0, len(data), max(size, 1))]
    return data
