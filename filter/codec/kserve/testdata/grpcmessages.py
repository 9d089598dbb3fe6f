#!/usr/bin/env python3
"""Writes what protobuf and NVIDIA's Python client make of the protocol over gRPC:

    grpc_service.txtpb  the messages that Weir reads, from the client's own descriptors
    grpc_messages.txt   requests, queries and answers, each with its canonical form
    grpc_reads.txt      damaged and odd requests, and what protobuf reads in them

Made with tritonclient 2.51.0, protobuf 4.25.9 and numpy 1.26, apart from Weir:

    python3 grpcmessages.py DIRECTORY
"""
import os
import random
import sys

import numpy as np
import tritonclient.grpc as client
from google.protobuf import descriptor_pb2, text_format
from google.protobuf.message import DecodeError
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc._utils import _get_inference_request
from tritonclient.utils import serialize_byte_tensor

KEPT = ["InferParameter", "InferTensorContents", "ModelInferRequest", "ModelInferResponse", "ModelStreamInferResponse",
        "ServerLiveRequest", "ModelReadyRequest", "RepositoryIndexRequest"]
MORE_CLASSES_THAN_ANY_ANSWER = 65537  # asked for when no signature says how many there are
ENDS = "triton_enable_empty_final_response"
LISTS = {"BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
         "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
         "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents"}
DTYPES = {"BOOL": "?", "INT8": "i1", "INT16": "i2", "INT32": "i4", "INT64": "i8", "UINT8": "u1", "UINT16": "u2",
          "UINT32": "u4", "UINT64": "u8", "FP16": "f2", "FP32": "f4", "FP64": "f8"}
rng = np.random.default_rng(1)


def service():
    """grpc_service.proto without what Weir never reads"""
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    del file.service[:], file.dependency[:]
    kept = [m for m in file.message_type if m.name in KEPT]
    del file.message_type[:]
    file.message_type.extend(kept)
    file.ClearField("options")
    return text_format.MessageToString(file)


def canonical(message):
    return message.SerializeToString(deterministic=True).hex()


def block(out, about, operation, message, want=None, expect="ok"):
    print("\nabout:", about, file=out)
    print("operation:", operation, file=out)
    print("message:", message.SerializeToString().hex(), file=out)
    print("expect:", expect, file=out)
    if want is not None:
        print("want:", canonical(want), file=out)


def raw_of(tensor):
    """the binary form of typed contents"""
    values = getattr(tensor.contents, LISTS[tensor.datatype])
    if tensor.datatype == "BYTES":
        return serialize_byte_tensor(np.array(values, dtype=object)).item() if len(values) else b""
    return np.array(values, dtype=np.dtype(DTYPES[tensor.datatype])).astype("<" + DTYPES[tensor.datatype]).tobytes()


def upstream(message, stream):
    """a request as the server gets it, of one that the client wrote"""
    want = pb.ModelInferRequest()
    want.CopyFrom(message)
    if not message.raw_input_contents:
        want.raw_input_contents.extend(raw_of(t) for t in message.inputs)
        for tensor in want.inputs:
            tensor.ClearField("contents")
    want.parameters.pop(ENDS, None)
    if stream:
        want.parameters[ENDS].bool_param = True
    for output in want.outputs:
        if "classification" in output.parameters:
            output.parameters["classification"].int64_param = MORE_CLASSES_THAN_ANY_ANSWER
    return want


def request(out, about, message):
    block(out, about, "infer", message, upstream(message, False))
    block(out, about + ", in a stream", "infer_stream", message, upstream(message, True))


def refused(out, about, reason, change):
    message = pb.ModelInferRequest(model_name="m", id="7")
    message.inputs.add(name="X", datatype="INT8", shape=[2]).contents.int_contents.extend([1, 2])
    change(message)
    block(out, about, "infer", message, expect=reason)


def tensor(name, datatype, array):
    t = client.InferInput(name, list(array.shape), datatype)
    t.set_data_from_numpy(array)
    return t


def of_client(tensors, outputs=None, model="m", version="", request_id="", sequence_id=0, start=False, end=False,
              priority=0, timeout=None, parameters=None):
    return _get_inference_request(model, [tensor(*t) for t in tensors], version, request_id, outputs, sequence_id, start,
                                  end, priority, timeout, parameters)


def sample(datatype):
    if datatype == "BOOL":
        return np.array([[True, False]])
    if datatype == "BYTES":
        return np.array([["ab\u00e9".encode(), b"", b"\xff\xd8\xff\0"]], dtype=object)
    dtype = np.dtype(DTYPES[datatype])
    if dtype.kind == "f":
        return np.array([[0, -0.0, 1 / 3, np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal, np.inf]], dtype)
    return np.array([[0, 1, np.iinfo(dtype).min, np.iinfo(dtype).max]], dtype)


def requests(out):
    pixels = ("PIXELS", "FP32", rng.standard_normal((2, 3, 2)).astype(np.float32))
    image = ("IMAGE", "BYTES", np.array([[b"\xff\xd8\xff\0"], [b""]], dtype=object))
    asked = [client.InferRequestedOutput("B"), client.InferRequestedOutput("A", class_count=3)]
    request(out, "one input", of_client([pixels]))
    request(out, "several inputs, version and id", of_client([image, pixels], version="12", request_id="caf\u00e9/7"))
    request(out, "outputs", of_client([pixels], asked))
    request(out, "a sequence", of_client([pixels], sequence_id=7, start=True, priority=3, timeout=1000))
    request(out, "a sequence with a name", of_client([pixels], sequence_id="s-1", end=True))
    # No name begins another: this library's "deterministic" order has the longer one first.
    request(out, "parameters", of_client([pixels], parameters={
        "temperature": 0.5, "mode": "x y\n", "flag": False, "i": -4, "zero": 0, "blank": "", "large": 2**63 - 1, "Z": 1, "\u00e9": True}))
    for datatype in list(DTYPES) + ["BYTES"]:
        array = sample(datatype)
        request(out, datatype + ", raw", of_client([("X", datatype, array)]))
        if datatype not in LISTS:
            continue
        message = pb.ModelInferRequest(model_name="m")
        t = message.inputs.add(name="X", datatype=datatype, shape=list(array.shape))
        getattr(t.contents, LISTS[datatype]).extend(array.flatten().tolist())
        request(out, datatype + ", typed", message)
    empty = pb.ModelInferRequest(model_name="m")
    empty.inputs.add(name="X", datatype="FP32", shape=[0, 2]).contents.SetInParent()
    request(out, "no elements, typed", empty)
    scalar = pb.ModelInferRequest(model_name="m", raw_input_contents=[b"\1\0\0\0"])
    scalar.inputs.add(name="X", datatype="INT32")
    request(out, "no dimensions", scalar)
    plain = pb.ModelInferRequest(model_name="m", raw_input_contents=[b"\1"])
    plain.inputs.add(name="X", datatype="UINT8", shape=[1])
    plain.parameters[ENDS].bool_param = True
    request(out, "the end asked for", plain)


def refusals(out):
    refused(out, "no model", "name_invalid", lambda m: m.ClearField("model_name"))
    for name in ["a/b", "..", ".a", "a b", "m\0x", "m\n", "caf\u00e9", "a" * 256]:
        refused(out, "model %r" % name[:8], "name_invalid", lambda m: setattr(m, "model_name", name))
    for version in ["01", "+1", " 1", "1abc", "-1", "0", "1" * 19, "1\0"]:
        refused(out, "version %r" % version, "name_invalid", lambda m: setattr(m, "model_version", version))
    for text in ["a\0b", "a\nb", "\u0085", "\u2028", "a" * 257]:
        refused(out, "id %r" % text[:8], "name_invalid", lambda m: setattr(m, "id", text))
        refused(out, "input %r" % text[:8], "name_invalid", lambda m: setattr(m.inputs[0], "name", text))
        refused(out, "output %r" % text[:8], "name_invalid", lambda m: m.outputs.add(name=text))
        refused(out, "parameter %r" % text[:8], "name_invalid", lambda m: setattr(m.parameters[text], "int64_param", 1))
    refused(out, "input without a name", "name_invalid", lambda m: m.inputs[0].ClearField("name"))
    refused(out, "output without a name", "name_invalid", lambda m: m.outputs.add())
    refused(out, "parameter without a name", "name_invalid", lambda m: setattr(m.parameters[""], "int64_param", 1))
    refused(out, "parameter without a value", "parameter_invalid", lambda m: m.parameters["p"].SetInParent())
    refused(out, "parameter with NUL", "parameter_invalid", lambda m: setattr(m.parameters["p"], "string_param", "a\0b"))
    for value in [float("nan"), float("inf"), float("-inf")]:
        refused(out, "parameter %r" % value, "parameter_invalid", lambda m: setattr(m.parameters["p"], "double_param", value))
    refused(out, "reserved parameter", "parameter_invalid", lambda m: setattr(m.parameters["triton_x"], "bool_param", True))
    refused(out, "form of HTTP", "parameter_invalid", lambda m: setattr(m.parameters["binary_data_output"], "bool_param", True))
    refused(out, "the end, as a number", "parameter_invalid", lambda m: setattr(m.parameters[ENDS], "int64_param", 1))
    refused(out, "shared memory of a request", "shared_memory_denied",
            lambda m: setattr(m.parameters["shared_memory_region"], "string_param", "r"))
    for key, kind, value in [("shared_memory_region", "string_param", "r"), ("shared_memory_byte_size", "int64_param", 2),
                             ("shared_memory_offset", "int64_param", 0)]:
        refused(out, key + " of an input", "shared_memory_denied", lambda m: setattr(m.inputs[0].parameters[key], kind, value))
        refused(out, key + " of an output", "shared_memory_denied",
                lambda m: setattr(m.outputs.add(name="Y").parameters[key], kind, value))
    refused(out, "parameter of an input", "parameter_invalid", lambda m: setattr(m.inputs[0].parameters["p"], "int64_param", 1))
    refused(out, "parameter of an output", "parameter_invalid",
            lambda m: setattr(m.outputs.add(name="Y").parameters["binary_data"], "bool_param", True))
    for kind, value in [("int64_param", 0), ("int64_param", -1), ("uint64_param", 1), ("string_param", "1"), ("double_param", 1),
                        ("bool_param", True), ("int64_param", 2**40)]:
        refused(out, "classification %s %r" % (kind, value), "parameter_invalid",
                lambda m: setattr(m.outputs.add(name="Y").parameters["classification"], kind, value))
    refused(out, "no inputs", "input_data_invalid", lambda m: m.ClearField("inputs"))
    refused(out, "input twice", "input_duplicate", lambda m: m.inputs.append(m.inputs[0]))
    refused(out, "output twice", "output_duplicate", lambda m: [m.outputs.add(name="Y") for _ in range(2)])
    for datatype in ["", "int8", "INT8 ", "INT8\0", "TYPE_INT8", "STRING"]:
        refused(out, "datatype %r" % datatype, "datatype_invalid", lambda m: setattr(m.inputs[0], "datatype", datatype))
    for shape, reason in [([-1], "shape_invalid"), ([2, -1, -1], "shape_invalid"), ([1] * 16 + [2], "shape_invalid"),
                          ([2**32, 2**32], "shape_invalid"), ([2**62, 4], "shape_invalid"), ([0, -1], "shape_invalid"),
                          ([], "input_data_invalid"), ([1], "input_data_invalid"), ([3], "input_data_invalid"), ([0], "input_data_invalid")]:
        def reshape(m):
            del m.inputs[0].shape[:]
            m.inputs[0].shape.extend(shape)
        refused(out, "shape %r" % shape, reason, reshape)
    refused(out, "raw beside typed", "input_data_invalid", lambda m: m.raw_input_contents.append(b"\1\2"))

    def no_data(m):
        m.inputs[0].ClearField("contents")
    refused(out, "no data", "input_data_invalid", no_data)

    def raw(*contents, **changes):
        def change(m):
            m.inputs[0].ClearField("contents")
            for key, value in changes.items():
                setattr(m.inputs[0], key, value)
            m.raw_input_contents.extend(contents)
        return change
    refused(out, "raw beside empty contents", "input_data_invalid",
            lambda m: (raw(b"\1\2")(m), m.inputs[0].contents.SetInParent()))
    refused(out, "surplus raw contents", "binary_size_invalid", raw(b"\1\2", b"\3"))
    refused(out, "raw contents of one of two", "binary_size_invalid",
            lambda m: (raw(b"\1\2")(m), m.inputs.add(name="Z", datatype="INT8", shape=[0])))
    refused(out, "raw contents too short", "binary_size_invalid", raw(b"\1"))
    refused(out, "raw contents too long", "binary_size_invalid", raw(b"\1\2\3"))
    for data, reason in [(b"\1\0\0\0a\1\0\0\0", "input_data_invalid"), (b"\1\0\0\0a\2\0\0\0b", "input_data_invalid"),
                         (b"\1\0\0\0a\xff\xff\xff\xff", "input_data_invalid"), (b"\1\0\0\0a\0\0\0\0\0", "input_data_invalid"),
                         (b"", "input_data_invalid")]:
        refused(out, "BYTES %s" % data.hex(), reason, raw(data, datatype="BYTES"))
    for datatype, name, values in [("INT8", "int_contents", [-129, 0]), ("INT8", "int_contents", [128, 0]),
                                   ("INT16", "int_contents", [32768, 0]), ("INT16", "int_contents", [-32769, 0]),
                                   ("UINT8", "uint_contents", [256, 0]), ("UINT16", "uint_contents", [65536, 0])]:
        def typed(m):
            m.inputs[0].datatype = datatype
            m.inputs[0].ClearField("contents")
            getattr(m.inputs[0].contents, name).extend(values)
        refused(out, "%s of %d" % (datatype, values[0]), "number_out_of_range", typed)
    for datatype in ["FP16", "BF16"]:
        refused(out, datatype + ", typed", "input_data_invalid", lambda m: setattr(m.inputs[0], "datatype", datatype))
    for datatype in LISTS:
        if LISTS[datatype] != "int_contents":
            refused(out, datatype + " in int_contents", "input_data_invalid", lambda m: setattr(m.inputs[0], "datatype", datatype))
    refused(out, "two lists", "input_data_invalid", lambda m: m.inputs[0].contents.bytes_contents.append(b""))


def queries(out):
    for operation in ["server_live", "server_ready", "server_metadata"]:
        block(out, operation, operation, pb.ServerLiveRequest(), pb.ServerLiveRequest())
    for operation in ["model_ready", "model_metadata", "model_config", "model_statistics"]:
        for message in [pb.ModelReadyRequest(name="m"), pb.ModelReadyRequest(name="m-2.x", version="10")]:
            block(out, operation, operation, message, message)
        for message in [pb.ModelReadyRequest(version="1"), pb.ModelReadyRequest(name="a/b"), pb.ModelReadyRequest(name="m", version="01")]:
            block(out, operation + " of no model", operation, message, expect="name_invalid")
    block(out, "model_ready of none", "model_ready", pb.ModelReadyRequest(), expect="name_invalid")
    block(out, "statistics of all", "model_statistics", pb.ModelReadyRequest(), pb.ModelReadyRequest())
    for message in [pb.RepositoryIndexRequest(), pb.RepositoryIndexRequest(ready=True), pb.RepositoryIndexRequest(repository_name="r")]:
        block(out, "index", "repository_index", message, message)
    block(out, "index of a bad name", "repository_index", pb.RepositoryIndexRequest(repository_name="a\0"), expect="name_invalid")
    # HealthCheckRequest has its one string in field 1, too.
    for name in ["", "inference.GRPCInferenceService"]:
        block(out, "health", "health_check", pb.ModelReadyRequest(name=name), pb.ModelReadyRequest(name=name))
    for name in ["m", "inference.GRPCInferenceService\0", "grpc.health.v1.Health"]:
        block(out, "health of no service", "health_check", pb.ModelReadyRequest(name=name), expect="name_invalid")


def answer(tensors, final=None, **fields):
    message = pb.ModelInferResponse(**fields)
    for name, datatype, array in tensors:
        message.outputs.add(name=name, datatype=datatype, shape=list(array.shape))
        raw = serialize_byte_tensor(array).item() if datatype == "BYTES" else array.tobytes()
        message.raw_output_contents.append(raw)
    if final is not None:
        message.parameters["triton_final_response"].bool_param = final
    return message


def answers(out):
    def streamed(about, expect="ok", error="", **fields):
        message = pb.ModelStreamInferResponse(error_message=error, infer_response=answer(**fields))
        block(out, about, "infer_stream_answer", message, message if expect == "ok" else None, expect)
    scores = ("SCORES", "FP32", np.array([[0.9, 0.1]], np.float32))
    words = ("WORDS", "BYTES", np.array([b"ab", b"", b"\xff"], dtype=object))
    named = dict(model_name="m", model_version="1", id="q")
    malformed, large = "response_malformed", "response_too_large"
    for datatype in DTYPES:
        message = answer([("X", datatype, sample(datatype))], **named)
        block(out, "answer in " + datatype, "infer_answer", message, message)
    for about, message in [("answer", answer([scores, words], **named)), ("answer without an id", answer([scores], model_name="m")),
                           ("answer without outputs", answer([], **named))]:
        block(out, about, "infer_answer", message, message)
    message = answer([scores], **named)
    for key, value in [("b", "x"), ("a", "y")]:
        message.parameters[key].string_param = value
    block(out, "answer with parameters", "infer_answer", message, message)

    def bad(about, change, expect=malformed):
        message = answer([scores], **named)
        change(message)
        block(out, about, "infer_answer", message, expect=expect)
    bad("answer without a model", lambda m: m.ClearField("model_name"))
    bad("answer with NUL", lambda m: setattr(m, "id", "q\0"))
    bad("answer without contents", lambda m: m.ClearField("raw_output_contents"))
    bad("answer with surplus contents", lambda m: m.raw_output_contents.append(b""))
    bad("answer with typed contents", lambda m: m.outputs[0].contents.fp32_contents.append(1))
    bad("answer in shared memory", lambda m: setattr(m.outputs[0].parameters["shared_memory_region"], "string_param", "r"))
    bad("answer with contents cut off", lambda m: m.raw_output_contents.__setitem__(0, b"\0"))
    bad("answer with an output twice", lambda m: (m.outputs.append(m.outputs[0]), m.raw_output_contents.append(m.raw_output_contents[0])))
    bad("answer with too many outputs", lambda m: [m.outputs.append(m.outputs[0]) for _ in range(64)], large)
    bad("answer with the mark of a stream", lambda m: setattr(m.parameters["triton_final_response"], "bool_param", True))
    streamed("answer in a stream", tensors=[scores, words], final=False, **named)
    streamed("last answer in a stream", tensors=[scores], final=True, **named)
    streamed("end of a stream of answers", tensors=[], final=True, model_name="m", id="q")
    streamed("answer without a mark", malformed, tensors=[scores], **named)
    streamed("error with outputs", malformed, error="no", tensors=[scores], **named)
    message = pb.ModelStreamInferResponse(infer_response=answer([scores], **named))
    message.infer_response.parameters["triton_final_response"].int64_param = 1
    block(out, "mark that is a number", "infer_stream_answer", message, expect=malformed)
    block(out, "nothing in a stream", "infer_stream_answer", pb.ModelStreamInferResponse(), expect=malformed)
    for about, fields in [("error", dict(id="q")), ("error of a model", dict(model_name="m", id="q", final=True)),
                          ("error in between", dict(model_name="m", id="q", final=False)), ("error without an id", {})]:
        message = pb.ModelStreamInferResponse(error_message="no \u00e9 \"x\"", infer_response=answer([], **fields))
        block(out, about, "infer_stream_error", message, message)


def seed_message(parameters=True):
    message = pb.ModelInferRequest(model_name="m", model_version="1", id="7", raw_input_contents=[b"\1\2", b"ab"])
    t = message.inputs.add(name="X", datatype="INT8", shape=[2, 300])
    t.contents.int_contents.extend([1, -2, 300])
    t.contents.bytes_contents.append(b"x")
    t.contents.fp32_contents.extend([1.5, -0.0])
    t.contents.bool_contents.extend([True, False])
    message.inputs.add(name="Y", datatype="FP64").contents.fp64_contents.append(2.5)
    output = message.outputs.add(name="Z")
    if parameters:
        t.parameters["p"].int64_param = -5
        message.parameters["a"].string_param = "text"
        message.parameters["b"].double_param = 0.5
        message.parameters["c"].bool_param = False
        output.parameters["classification"].int64_param = 3
    return message


def reads(out):
    """Each line is a message and what protobuf reads in it, or error."""
    def read(data):
        message = pb.ModelInferRequest()
        try:
            message.ParseFromString(data)
        except DecodeError:
            print(data.hex() or "-", "error", file=out)
            return
        message.DiscardUnknownFields()
        print(data.hex() or "-", canonical(message) or "-", file=out)

    seed = seed_message().SerializeToString(deterministic=True)
    odd = ["", "0a016d", "0a016d0a016e", "1200", "0a016d50ff01", "0a016d7b7c", "7b0a016d7c", "7b7b7c7c", "7c", "7b", "00", "0200", "0500000000",
           "0a8100", "0a81006d", "8a00016d", "8a80808080808080808000016d", "0a01ff", "0a02c3a9", "0a03eda080", "0a0100",
           "10ff", "0a", "0a05", "08016d", "0d0000006d", "090000006d00000000", "ffffffff7f00", "0e016d", "0f016d",
           # shape: packed, not packed, both, negative, beyond 64 bits, in more bytes than needed, as a fixed number
           "2a041a020102", "2a0418011802", "2a061a0201021803", "2a0b18ffffffffffffffffff01", 
           "2a0c18ffffffffffffffffffff01", "2a03188100", "2a041a028100", "2a051d01000000", "2a0418011a00", "2a021a00", "2a021a01", "2a031a0180",
           # contents: merged, numbers of more bits than the field
           "2a0a2a0310011001 2a031002", "2a082a0210012a021002", "2a082a0610ffffffff0f", "2a0d2a0b10ffffffffffffffffff01",
           "2a082a0610ffffffff1f", "2a0d2a0b1080808080808080808001", "2a082a0620ffffffff1f", "2a042a020802", "2a072a050880808010",
           "2a072a05320301020 3", "2a062a0432020000", "2a072a0535000080 3f", "2a082a063204000080 3f",
           # parameters: twice, without key, without value, with two values, key twice
           "22070a016112020801 22070a016112021005", "22020a00", "2204120208 01", "22030a0161", "22090a01611204080110 05",
           "220b0a016112020801 12021005", "220a0a01610a016212020801", "22 09 0a0161 1204 0801 0800", "22 05 0a0161 1200", "2207 0a0161 1202 0802",
           "220a 0a0161 1205 2a03 a08080", "2209 0a0161 1204 1a02 c328", "2209 0a0161 1204 1a02 0041"]
    for data in odd:
        read(bytes.fromhex(data.replace(" ", "")))
    draw = random.Random(1)
    for _ in range(120):
        fields = top_level(seed)
        for _ in range(draw.randrange(1, 6)):
            fields.insert(draw.randrange(len(fields)), draw.choice(fields))
        draw.shuffle(fields)
        read(b"".join(fields))
    # Damaged entries of maps are another matter: this library leaves one with an unknown field out.
    seed = seed_message(parameters=False).SerializeToString()
    for _ in range(120):
        data, at = bytearray(seed), draw.randrange(len(seed))
        action = draw.randrange(4)
        if action < 2:
            data[at] ^= 1 << draw.randrange(8)
        elif action == 2:
            del data[at]
        else:
            data.insert(at, draw.randrange(256))
        read(bytes(data))


def top_level(data):
    """the fields of a message, all with a length below 128"""
    fields = []
    while data:
        size = 2 + data[1]
        fields.append(data[:size])
        data = data[size:]
    return fields


def main(directory):
    with open(os.path.join(directory, "grpc_service.txtpb"), "w") as out:
        out.write("# Written by grpcmessages.py from the descriptors of tritonclient 2.51.0.\n" + service())
    with open(os.path.join(directory, "grpc_messages.txt"), "w") as out:
        print("# Written by grpcmessages.py. A message of an operation in hexadecimal, without framing, what becomes", file=out)
        print("# of it, and its canonical form: for requests and queries that which the server gets.", file=out)
        for write in [requests, refusals, queries, answers]:
            write(out)
    with open(os.path.join(directory, "grpc_reads.txt"), "w") as out:
        reads(out)


if __name__ == "__main__":
    main(sys.argv[1])
