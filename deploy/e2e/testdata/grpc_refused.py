"""Calls everything of Triton's gRPC service with tritonclient and prints what
each call was refused with, as JSON.

Usage: grpc_refused.py ADDRESS
"""

import json
import queue
import sys

import numpy
import tritonclient.grpc as client
from tritonclient.utils import InferenceServerException

server = client.InferenceServerClient(sys.argv[1])
tensor = client.InferInput("TEXT", [1], "BYTES")
tensor.set_data_from_numpy(numpy.array([b"a"], dtype=numpy.object_))


def stream():
    answers = queue.Queue()
    server.start_stream(lambda result, error: answers.put(error))
    try:
        server.async_stream_infer("echo", [tensor])
    except InferenceServerException:
        pass  # refused already; the callback has the reason
    error = answers.get(timeout=20)
    server.stop_stream()
    raise error


CALLS = {
    "live": server.is_server_live,
    "ready": server.is_server_ready,
    "metadata": server.get_server_metadata,
    "model": lambda: server.get_model_metadata("echo"),
    "config": lambda: server.get_model_config("echo"),
    "infer": lambda: server.infer("echo", [tensor]),
    "compressed": lambda: server.infer("echo", [tensor], compression_algorithm="gzip"),
    "stream": stream,
    "index": server.get_model_repository_index,
    "load": lambda: server.load_model("echo"),
    "unload": lambda: server.unload_model("echo"),
    "shared memory": lambda: server.register_system_shared_memory("r", "/r", 8),
    "trace": server.get_trace_settings,
    "log": server.get_log_settings,
}
refused = {}
for name, call in CALLS.items():
    try:
        refused[name] = {"Code": "none", "Message": str(call())}
    except InferenceServerException as error:
        refused[name] = {"Code": error.status(), "Message": error.message()}
print(json.dumps(refused))
