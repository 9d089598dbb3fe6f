"""Sends the same requests to two servers with tritonclient over HTTP and fails
on the first difference in what comes back. Prints the number of answers that
were compared.

Usage: compare.py BARE_ADDRESS WEIR_ADDRESS
"""

import itertools
import sys

import numpy
import tritonclient.http as client

random = numpy.random.default_rng(1)


def numbers(dtype):
    """Random bits, NaN and all, as two rows."""
    return numpy.frombuffer(random.bytes(48), dtype).reshape(2, -1)


TENSORS = {
    "BOOL": numpy.array([[True, False, True]]),
    "BYTES": numpy.array([["a".encode()], [b""], ["é\n\"\\".encode()]], dtype=numpy.object_),
    "UINT8": numbers("u1"), "UINT16": numbers("u2"), "UINT32": numbers("u4"), "UINT64": numbers("u8"),
    "INT8": numbers("i1"), "INT16": numbers("i2"), "INT32": numbers("i4"), "INT64": numbers("i8"),
    "FP16": numbers("f2"), "FP32": numbers("f4"), "FP64": numbers("f8"),
}  # fmt: skip
FINITE = {
    "FP32": numpy.array([[0.1, -0.0, 3.4028235e38, 1e-45]], numpy.float32),
    "FP64": numpy.array([[0.1, -0.0, 1.7976931348623157e308, 5e-324]]),
}


def request(name, array, binary):
    tensor = client.InferInput(name, array.shape, name)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def ask(server, model, inputs, outputs, codings):
    result = server.infer(model, inputs, outputs=outputs, request_id="a-1",
                          request_compression_algorithm=codings[0], response_compression_algorithm=codings[1])  # fmt: skip
    answer = result.get_response()
    arrays = {}
    for output in answer["outputs"]:
        array = result.as_numpy(output["name"])
        arrays[output["name"]] = (array.shape, array.tolist() if array.dtype == object else array.tobytes())
    return answer, arrays


compared = 0


def compare(servers, model, inputs, outputs, codings):
    global compared
    bare, weir = (ask(server, model, inputs, outputs, codings) for server in servers)
    if bare != weir:
        sys.exit(f"{model} {[i.name() for i in inputs]} {codings}\nbare: {bare}\nweir: {weir}")
    compared += 1


servers = [client.InferenceServerClient(address) for address in sys.argv[1:]]
CODINGS = list(itertools.product((None, "gzip", "deflate"), repeat=2))
for tensors, forms in ((TENSORS, [True]), (FINITE, [True, False])):
    for (name, array), binary, back, codings in itertools.product(tensors.items(), forms, forms, CODINGS):
        outputs = [client.InferRequestedOutput("ECHO_" + name, binary_data=back)]
        compare(servers, "identity", [request(name, array, binary)], outputs, codings)
for name, array in TENSORS.items():
    if array.dtype.kind not in "f":
        for back in (True, False):
            outputs = [client.InferRequestedOutput("ECHO_" + name, binary_data=back)]
            compare(servers, "identity", [request(name, array, False)], outputs, (None, None))
everything = [request(name, array, True) for name, array in TENSORS.items()]
compare(servers, "identity", everything, None, (None, None))
compare(servers, "identity", [request("FP32", numpy.zeros((0, 3), numpy.float32), True)], None, (None, None))
rows = [request("BYTES", numpy.array([[b"1"], [b"\0\0"], [b""]], dtype=numpy.object_), True)]
rows[0]._name = "IMAGE"
compare(servers, "echo_batch", rows, None, (None, None))
print(compared)
