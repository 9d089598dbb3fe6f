#!/usr/bin/env python3
"""Writes pythonclient.txt: request bodies of NVIDIA's Python client and, made
here apart from Weir, the canonical form of each. The format is that of
requests.txt. Made with tritonclient 2.51.0 and numpy 1.26:

    python3 pythonclient.py > pythonclient.txt
"""
import json

import numpy as np
import tritonclient.http as client
from tritonclient.utils import serialize_byte_tensor

rng = np.random.default_rng(1)


def quote(data):
    """data as a Go string literal"""
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\x{b:02x}" for b in data) + '"'


def blob(array, datatype):
    if datatype == "BYTES":
        return serialize_byte_tensor(array).item() if array.size else b""
    return array.tobytes()


def block(about, tensors, binary, outputs=None, **options):
    inputs, blobs, described = [], b"", []
    for i, (name, datatype, array) in enumerate(tensors):
        tensor = client.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array, binary_data=binary[i])
        inputs.append(tensor)
        data = blob(array, datatype)
        blobs += data
        described.append({"name": name, "shape": list(array.shape), "datatype": datatype,
                          "parameters": {"binary_data_size": len(data)}})
    body, header = client.InferenceServerClient.generate_request_body(inputs, outputs=outputs, **options)
    parameters = {}
    if options.get("sequence_id"):
        for key in ["sequence_id", "sequence_start", "sequence_end"]:
            parameters[key] = options.get(key, False)
    for key in ["priority", "timeout"]:
        if options.get(key):
            parameters[key] = options[key]
    parameters.update(options.get("parameters") or {})
    want = {}
    if options.get("request_id"):
        want["id"] = options["request_id"]
    want["parameters"] = {**parameters, "binary_data_output": True}
    want["inputs"] = described
    split = len(body) if header is None else header
    print("\nabout:", about)
    if header is not None:
        print("header: inference-header-content-length: {json}")
    print("json:", quote(body[:split]))
    if header is not None:
        print("blob:", quote(body[split:]))
    print("expect: ok")
    print("want-json:", quote(json.dumps(want, separators=(",", ":"), ensure_ascii=False).encode()))
    print("want-blob:", quote(blobs))


images = ("IMAGE", "BYTES", np.array([[b"\xff\xd8\xff\x00"], [b""]], dtype=object))
texts = ("TEXT", "BYTES", np.array([["ab\u00e9", 'q"\\\n', "\U0001f600"]], dtype=object))
pixels = ("PIXELS", "FP32", rng.standard_normal((2, 3, 2)).astype(np.float32))
block("tritonclient, binary FP32", [pixels], [True])
block("tritonclient, JSON FP32", [pixels], [False])
block("tritonclient, JSON text", [texts], [False], request_id="42")
block("tritonclient, file bytes", [images], [True], [client.InferRequestedOutput("SCORES")])
block("tritonclient, mixed", [texts, pixels, images], [False, True, True],
      [client.InferRequestedOutput("A", binary_data=False), client.InferRequestedOutput("B", binary_data=True)])
block("tritonclient, parameters", [pixels], [True], sequence_id=7, sequence_start=True, priority=3, timeout=1000,
      parameters={"temperature": 0.5, "mode": "x", "flag": True, "n": -4})
for kind in ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"]:
    dtype = np.dtype(kind)
    if kind == "bool":
        array = np.array([True, False])
    elif dtype.kind == "f":
        array = np.array([0, -0.0, 1 / 3, np.finfo(dtype).max, np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal, 1e-30], dtype)
    else:
        array = np.array([0, np.iinfo(dtype).min, np.iinfo(dtype).max], dtype)
    name = {"b": "BOOL", "u": "UINT", "i": "INT", "f": "FP"}[dtype.kind] + ("" if kind == "bool" else str(dtype.itemsize * 8))
    for binary in [True, False]:
        block(f"tritonclient, {name} {'binary' if binary else 'JSON'}", [("X", name, array)], [binary])
block("tritonclient, FP16 binary", [("X", "FP16", np.array([1, -2], np.float16))], [True])
