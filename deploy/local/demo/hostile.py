"""Requests that no well-meaning client sends, each with the reason that Weir should refuse it for."""

import gzip
import http.client
import json
import re
import struct
import zlib

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

import signs

TIMEOUT = 60  # seconds, for one request
ECHO = "/v2/models/echo/infer"
CLIENTS = {"http": tritonclient.http, "grpc": tritonclient.grpc}
TEXT = {"name": "TEXT", "datatype": "BYTES", "shape": [1], "data": ["hello"]}


def request_body(*tensors):
    return json.dumps({"inputs": list(tensors)}).encode()


def post(body, path=ECHO, **headers):
    """A request that is sent as it is, without tritonclient."""
    def run(addresses):
        connection = http.client.HTTPConnection(addresses["http"], timeout=TIMEOUT)
        try:
            try:
                connection.request("POST", path, body() if callable(body) else body,
                                   {name.replace("_", "-"): value for name, value in headers.items()})
            except ConnectionError:
                pass  # refused before all was sent; the answer is there
            response = connection.getresponse()
            return str(response.status), response.read().decode(errors="replace")
        finally:
            connection.close()
    return run


def by_client(protocol, call):
    """A request that tritonclient itself makes, over "http" or "grpc"."""
    def run(addresses):
        server = CLIENTS[protocol].InferenceServerClient(addresses[protocol])
        try:
            call(server)
            return "200", ""
        except InferenceServerException as error:
            return (error.status() or "error").removeprefix("StatusCode."), error.message()
        finally:
            server.close()
    return run


def duplicate_key():
    """Servers disagree on which of two equal keys counts."""
    return b'{"inputs":[' + json.dumps(TEXT).encode() + b'],"inputs":[' + json.dumps(TEXT).encode() + b"]}"


def picture(data):
    header = json.dumps({"inputs": [{
        "name": "IMAGE", "datatype": "BYTES", "shape": [1, 1],
        "parameters": {"binary_data_size": len(data) + 4}}]}).encode()
    return post(header + struct.pack("<I", len(data)) + data, "/v2/models/traffic-sign/infer",
                Inference_Header_Content_Length=str(len(header)))


def huge_png():
    """A PNG of 900 million pixels in some 50 bytes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


def shared_memory(server):
    tensor = tritonclient.http.InferInput("TEXT", [1], "BYTES")
    tensor.set_shared_memory("region", 64)
    server.infer("echo", [tensor])


def not_a_number(server):
    tensor = tritonclient.http.InferInput("VALUES", [1], "FP32")
    tensor.set_data_from_numpy(np.array([np.nan], dtype=np.float32))
    server.infer("echo", [tensor])


WHOLE = signs.encode_jpeg(signs.sample(signs.SEEDS["held-out"], 0)[0])

# Name, how to send it, and the reason.
REQUESTS = (
    ("the same JSON key twice", post(duplicate_key()), "json_duplicate_key"),
    ("a NUL byte behind the JSON", post(request_body(TEXT) + b"\0"), "json_malformed"),
    ("a header length of 12junk",
     post(request_body(TEXT), Inference_Header_Content_Length="12junk"), "header_invalid"),
    ("a percent-escape in the path", post(request_body(TEXT), "/v2/models/ech%6f/infer"), "path_invalid"),
    ("an input in shared memory", by_client("http", shared_memory), "shared_memory_denied"),
    ("a model without a policy",
     post(request_body(TEXT | {"name": "BYTES", "shape": [1, 1]}), "/v2/models/identity/infer"),
     "model_unknown"),
    ("NaN in a tensor", by_client("http", not_a_number), "tensor_not_finite"),
    ("half a JPEG file", picture(WHOLE[:len(WHOLE) // 2]), "image_truncated"),
    ("a PNG of 900 million pixels", picture(huge_png()), "image_too_many_pixels"),
    ("a body of 70 MB", post(lambda: request_body(TEXT).ljust(70_000_000)), "body_too_large"),
    ("a text of 60 MB in 60 kB of gzip",
     post(lambda: gzip.compress(request_body(TEXT | {"data": ["a" * 60_000_000]})),
          Content_Encoding="gzip"), "body_too_large"),
    ("loading a model", by_client("http", lambda server: server.load_model("echo_batch")),
     "route_denied"),
    ("loading a model over gRPC", by_client("grpc", lambda server: server.load_model("echo_batch")),
     "route_denied"),
)


def send(addresses, request):
    """What the server said: HTTP status or gRPC code, and Weir's reason ("" if none)."""
    name, run, expected = request
    status, text = run(addresses)
    found = re.search(r"weir: (\w+):", text)
    return {"name": name, "status": status, "reason": found[1] if found else "", "expected": expected}
