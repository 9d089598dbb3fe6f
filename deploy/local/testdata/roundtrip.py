"""Sends a tensor of every datatype to the identity model, and rows to the
echo_batch model, with tritonclient over HTTP and gRPC, and checks that each
comes back as it was. Prints the number of tensors for each protocol as JSON.

Usage: roundtrip.py HTTP_ADDRESS GRPC_ADDRESS
"""

import json
import sys

import numpy
import tritonclient.grpc
import tritonclient.http

random = numpy.random.default_rng(1)


def numbers(dtype):
    """Random bits, NaN and all, as two rows."""
    return numpy.frombuffer(random.bytes(48), dtype).reshape(2, -1)


DATATYPES = {
    "BOOL": numpy.array([[True, False, True]]),
    "BYTES": numpy.array([[b"a\0b\xff"], [b""], ["é".encode()]], dtype=numpy.object_),
    "UINT8": numbers("u1"), "UINT16": numbers("u2"), "UINT32": numbers("u4"), "UINT64": numbers("u8"),
    "INT8": numbers("i1"), "INT16": numbers("i2"), "INT32": numbers("i4"), "INT64": numbers("i8"),
    "FP16": numbers("f2"), "FP32": numbers("f4"), "FP64": numbers("f8"),
}  # fmt: skip
EMPTY = {"FP32": numpy.zeros((0, 3), numpy.float32)}
ROWS = {
    "IMAGE": numpy.array([[b"1"], [b"\0\0"], [b""]], dtype=numpy.object_),
    "VALUES": numpy.arange(6, dtype=numpy.float32).reshape(3, 2),
}


def check(module, client, model, arrays):
    inputs = []
    for name, array in arrays.items():
        datatype = tritonclient.utils.np_to_triton_dtype(array.dtype)
        inputs.append(module.InferInput(name, array.shape, datatype))
        inputs[-1].set_data_from_numpy(array)
    result = client.infer(model, inputs)
    for name, array in arrays.items():
        back = result.as_numpy("ECHO_" + name)
        same = back.tolist() == array.tolist() if array.dtype == object else back.tobytes() == array.tobytes()
        # tritonclient forgets the dtype of a binary tensor without elements.
        if back.shape != array.shape or not same or array.size and back.dtype != array.dtype:
            sys.exit(f"{module.__name__} {model} {name}: sent {array!r}, got {back!r}")
    return len(arrays)


checked = {}
for module, address in zip((tritonclient.http, tritonclient.grpc), sys.argv[1:]):
    client = module.InferenceServerClient(address)
    checked[module.__name__.split(".")[1]] = sum(
        check(module, client, model, arrays)
        for model, arrays in (("identity", DATATYPES), ("identity", EMPTY), ("echo_batch", ROWS))
    )
    client.close()
print(json.dumps(checked))
