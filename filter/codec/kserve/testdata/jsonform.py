#!/usr/bin/env python3
"""Reads every want-json of jsonform.txt with the library of the model server that
is installed, MLServer or KServe, as that server does, and prints what it reads: for
each request its name, then a line for each input with its name, datatype, shape and
bytes, little-endian in hexadecimal, BYTES with four bytes of length each.

    python3 jsonform.py > jsonform_mlserver.txt     with mlserver 1.7.1
    python3 jsonform.py > jsonform_kserve.txt       with kserve 0.21.0
"""
import json
import os
import re
import struct


def mlserver(body):
    import orjson
    from mlserver.codecs import NumpyCodec, StringCodec
    from mlserver.types import InferenceRequest

    for i in InferenceRequest.model_validate(orjson.loads(body)).inputs:
        codec = StringCodec if i.datatype == "BYTES" else NumpyCodec
        yield i.name, i.datatype, i.shape, codec.decode_input(i)


def kserve(body):
    from kserve.protocol.infer_type import InferRequest
    from kserve.protocol.rest.v2_datamodels import InferenceRequest

    request = InferRequest.from_inference_request(InferenceRequest.model_validate(json.loads(body)), "m")
    for i in request.inputs:
        yield i.name, i.datatype, i.shape, i.data if i.datatype == "BYTES" else i.as_numpy()


def blob(datatype, data):
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in data)
    return data.tobytes()


def main():
    try:
        import mlserver as _

        read = mlserver
    except ImportError:
        read = kserve
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "jsonform.txt"), encoding="utf-8") as file:
        blocks = file.read().split("\n\n")
    for block in blocks:
        body = "".join(re.findall("^want-json: `(.*)`$", block, re.MULTILINE))
        if not body:
            continue
        print(re.search("^about: (.*)$", block, re.MULTILINE).group(1))
        try:
            for name, datatype, shape, data in read(body.encode()):
                print("  ", name, datatype, str(shape).replace(" ", ""), blob(datatype, data).hex() or "-")
        except Exception as error:
            print("  ", "refused:", error)


main()
