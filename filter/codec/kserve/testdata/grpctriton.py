#!/usr/bin/env python3
"""Writes grpctriton.txt: what a Triton answers over gRPC, message by message. Made
with Triton 2.51.0, the models of deploy/local and tritonclient 2.51.0:

    python3 grpctriton.py ADDRESS > grpctriton.txt

Each line is the method, whether the message is marked as the last ("-": it has no
mark), and the protobuf in hexadecimal. A line that begins with "#" says what was
asked for; each takes a stream of its own.
"""
import sys

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc
from tritonclient.utils import serialize_byte_tensor

MARK = "triton_final_response"
stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(sys.argv[1]))


def request(model, name, datatype, array, id="q", ends=True, outputs=(), classes=0):
    message = pb.ModelInferRequest(model_name=model, id=id)
    message.inputs.add(name=name, datatype=datatype, shape=list(array.shape))
    raw = serialize_byte_tensor(array).item() if datatype == "BYTES" else array.tobytes()
    message.raw_input_contents.append(raw)
    for output in outputs:
        asked = message.outputs.add(name=output)
        if classes:
            asked.parameters["classification"].int64_param = classes
    if ends:
        message.parameters["triton_enable_empty_final_response"].bool_param = True
    return message


def show(about, *requests):
    print("#", about)
    for answer in stub.ModelStreamInfer(iter(requests), timeout=20):
        parameters = answer.infer_response.parameters
        mark = str(parameters[MARK].bool_param).lower() if MARK in parameters else "-"
        print("ModelStreamInfer", mark, answer.SerializeToString().hex())


def unary(about, message):
    print("#", about)
    print("ModelInfer", "-", stub.ModelInfer(message).SerializeToString().hex())


def words(text, **options):
    message = request("mock_llm", "text_input", "BYTES", np.array([text.encode()], dtype=object), **options)
    message.inputs.add(name="stream", datatype="BOOL", shape=[1])
    message.raw_input_contents.append(b"\1")
    return message


numbers = np.arange(4, dtype=np.int32).reshape(2, 2)
scores = np.array([[0.1, 0.4, 0.2, 0.3, 0], [1, 2, 3, 4, 5]], dtype=np.float32)
unary("a model", request("identity", "INT32", "INT32", numbers))
unary("a model, strings", request("identity", "BYTES", "BYTES", np.array([[b"\xff\0", b""]], dtype=object)))
unary("all classes", request("classes", "FP32", "FP32", scores, outputs=["ECHO_FP32"], classes=5))
unary("the 3 likeliest classes", request("classes", "FP32", "FP32", scores, outputs=["ECHO_FP32"], classes=3))
show("a model that is not decoupled", request("identity", "INT32", "INT32", numbers))
show("a model that is not decoupled, its end not asked for", request("identity", "INT32", "INT32", numbers, ends=False))
show("a decoupled model", words("one two"))
show("a decoupled model, its end not asked for", words("one two", ends=False))
show("a decoupled model without an id", words("one", id=""))
show("a decoupled model that says nothing", words(""))
show("a decoupled model that says nothing, its end not asked for", words("", ends=False))
show("an error between answers", words("one {error} two"))
show("an error between answers, the end not asked for", words("one {error}", ends=False))
show("an input that the model does not have", request("identity", "NONE", "INT32", numbers))
show("a model that does not exist, and one that does", request("none", "X", "INT32", numbers), words("one", id="p"))
