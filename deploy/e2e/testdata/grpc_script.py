"""Runs a script of gRPC calls against a server and prints what came back, one JSON
line a call: status, messages in order, trailers. Two servers that behave the same
print the same.

Usage: grpc_script.py ADDRESS
"""

import json
import sys

import grpc
import numpy
from google.protobuf import json_format
from tritonclient.grpc import service_pb2, service_pb2_grpc

channel = grpc.insecure_channel(sys.argv[1])
stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
TIMEOUT = 30


def show(name, messages, call):
    """Prints a call. Trailers that begin with x-weir are Weir's own; where there are no
    headers, the date is Envoy's."""
    trailers = sorted((k, v) for k, v in call.trailing_metadata() or () if not k.startswith("x-weir") and k != "date")
    print(json.dumps({"call": name, "code": str(call.code()), "details": call.details(), "trailers": trailers,
                      "messages": [json_format.MessageToDict(m) for m in messages]}, sort_keys=True))  # fmt: skip


def unary(name, method, message, **options):
    try:
        answer, call = method.with_call(message, timeout=TIMEOUT, **options)
        show(name, [answer], call)
    except grpc.RpcError as error:
        show(name, [], error)


def stream(name, messages, **options):
    answers, call = [], stub.ModelStreamInfer(iter(messages), timeout=TIMEOUT, **options)
    try:
        for answer in call:
            answers.append(answer)
    except grpc.RpcError:
        pass
    show(name, answers, call)


def tensor(name, datatype, shape):
    return service_pb2.ModelInferRequest.InferInputTensor(name=name, datatype=datatype, shape=shape)


def element(data):
    return len(data).to_bytes(4, "little") + data


def echo(request_id="a", outputs=(), **parameters):
    request = service_pb2.ModelInferRequest(model_name="echo", model_version="1", id=request_id)
    request.inputs.extend([tensor("TEXT", "BYTES", [2]), tensor("VALUES", "FP32", [3])])
    request.outputs.extend(service_pb2.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs)
    for key, value in parameters.items():
        setattr(request.parameters[key], "int64_param" if type(value) is int else "string_param", value)
    request.raw_input_contents.extend([element(b"one") + element("zwei é".encode()), numpy.float32([0.5, -1, 3]).tobytes()])
    return request


def contents():
    request = service_pb2.ModelInferRequest(model_name="identity", id="c")
    for datatype, field, values in [
        ("BOOL", "bool_contents", [True, False]), ("INT8", "int_contents", [-128, 127]), ("INT16", "int_contents", [-1, 1]),
        ("INT32", "int_contents", [-(2**31), 5]), ("INT64", "int64_contents", [-(2**63), 5]),
        ("UINT8", "uint_contents", [0, 255]), ("UINT16", "uint_contents", [0, 65535]), ("UINT32", "uint_contents", [0, 2**32 - 1]),
        ("UINT64", "uint64_contents", [0, 2**64 - 1]), ("FP32", "fp32_contents", [0.1, -2]), ("FP64", "fp64_contents", [0.1, -2]),
        ("BYTES", "bytes_contents", [b"a", b"\x00\xff"]),
    ]:  # fmt: skip
        one = tensor(datatype, datatype, [1, 2])
        getattr(one.contents, field).extend(values)
        request.inputs.append(one)
    return request


def repeat(values, request_id="r", pause=0, text=b"t", empty_final=None):
    request = service_pb2.ModelInferRequest(model_name="repeat", model_version="1", id=request_id)
    request.inputs.extend([tensor("VALUES", "INT32", [len(values)]), tensor("TEXT", "BYTES", [1]), tensor("PAUSE_MS", "UINT32", [1])])
    request.raw_input_contents.extend([numpy.int32(values).tobytes(), element(text), numpy.uint32([pause]).tobytes()])
    if empty_final is not None:
        request.parameters["triton_enable_empty_final_response"].bool_param = empty_final
    return request


unary("live", stub.ServerLive, service_pb2.ServerLiveRequest())
unary("ready", stub.ServerReady, service_pb2.ServerReadyRequest())
unary("metadata", stub.ServerMetadata, service_pb2.ServerMetadataRequest())
unary("model ready", stub.ModelReady, service_pb2.ModelReadyRequest(name="echo", version="1"))
unary("model metadata", stub.ModelMetadata, service_pb2.ModelMetadataRequest(name="echo"))
check = channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes)
print(json.dumps({"health": check(b"", timeout=TIMEOUT).hex(),
                  "service": check(b"\n\x1einference.GRPCInferenceService", timeout=TIMEOUT).hex()}))  # fmt: skip

unary("infer", stub.ModelInfer, echo())
unary("infer without id", stub.ModelInfer, echo(""))
unary("infer gzip", stub.ModelInfer, echo(), compression=grpc.Compression.Gzip)
unary("infer deflate", stub.ModelInfer, echo(), compression=grpc.Compression.Deflate)
unary("infer one output", stub.ModelInfer, echo(outputs=["ECHO_VALUES"]))
unary("infer outputs in another order", stub.ModelInfer, echo(outputs=["ECHO_VALUES", "ECHO_TEXT"]))
unary("infer parameter", stub.ModelInfer, echo(note="n"))
unary("infer contents", stub.ModelInfer, contents())
unary("infer decoupled", stub.ModelInfer, repeat([1]))

stream("stream", [echo("1"), echo("2"), echo("3", ["ECHO_TEXT"])])
stream("stream of nothing", [])
stream("decoupled", [repeat([3, 2, 1])])
stream("decoupled, gzip", [repeat([3, 2, 1])], compression=grpc.Compression.Gzip)
stream("decoupled, none", [repeat([])])
stream("decoupled, empty final", [repeat([1, 2], empty_final=True)])
stream("decoupled, no empty final", [repeat([1, 2], empty_final=False)])
stream("empty final of a model that is not", [(lambda r: (r.parameters["triton_enable_empty_final_response"].__setattr__("bool_param", True), r)[1])(echo("f"))])
stream("error in the stream", [repeat([1, -5, 2], "e"), echo("after")][:1])
stream("interleaved", [repeat([1, 2, 3], "slow", 300), repeat([7], "fast", 450)])
