"""The demonstration's client: sends pictures, texts and bad requests with NVIDIA's tritonclient.

    client.py STORY --out FILE [--bare HOST:PORT] [--weir HOST:PORT] [...]

Each story writes what it saw to FILE as one JSON object and says nothing else.
--bare is Triton itself, --weir is Envoy with Weir behind it.
"""

import argparse
import http.client
import io
import json
import pathlib
import sys
import time

import numpy as np
import tritonclient.http as triton
from PIL import Image
from tritonclient.utils import InferenceServerException

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "train"))

import attacks
import hostile
import photo
import pictures
import signs
import texts

TIMEOUT = 60  # seconds, for one request


def connect(address):
    return triton.InferenceServerClient(address, network_timeout=TIMEOUT, connection_timeout=TIMEOUT)


def tensor(name, elements, shape):
    """A BYTES tensor of bytes objects."""
    values = np.empty(len(elements), dtype=np.object_)
    values[:] = elements
    made = triton.InferInput(name, shape, "BYTES")
    made.set_data_from_numpy(values.reshape(shape))
    return made


def classify(server, files, headers=None):
    """The class that the traffic-sign model names for each picture file."""
    result = server.infer("traffic-sign", [tensor("IMAGE", files, [len(files), 1])],
                          headers=headers, outputs=[triton.InferRequestedOutput("LABEL")])
    return [label.decode() for label in result.as_numpy("LABEL").ravel()]


def echo(server, name, data):
    """The bytes that the echo model got when `data` was sent as its input `name`."""
    result = server.infer("echo", [tensor(name, [data], [1])])
    return result.as_numpy("ECHO_" + name)[0]


def compare(args):
    """Sends the same held-out pictures to both and counts the answers that hit: the right
    class for clean pictures, the attacker's class for the others."""
    bare, weir = connect(args.bare), connect(args.weir)
    seen = {"n": 0, "bare": 0, "weir": 0}
    for files, truth in pictures.batches(args.pictures, signs.SEEDS["held-out"], args.count):
        want = truth if args.pictures == "clean" else [attacks.TARGET] * len(files)
        seen["n"] += len(files)
        seen["bare"] += sum(map(str.__eq__, classify(bare, files), want))
        seen["weir"] += sum(map(str.__eq__, classify(weir, files), want))
    return seen


def traffic(args):
    """Sends pictures to Weir, a batch at a time, until `count` rows were answered."""
    weir, begin, rows = connect(args.weir), time.monotonic(), 0
    for files, _ in pictures.batches(args.pictures, signs.SEEDS[args.seed], args.count, args.fog):
        rows += len(classify(weir, files))
    return {"rows": rows, "seconds": time.monotonic() - begin}


def send_photo(args):
    """Sends a photo full of private data and keeps what the echo model got, as files
    sent.jpg, bare.jpg and weir.jpg beside `out`."""
    sent = photo.photo_with_gps()
    files = {"sent": sent, "bare": echo(connect(args.bare), "IMAGE", sent),
             "weir": echo(connect(args.weir), "IMAGE", sent)}
    seen = {}
    for name, data in files.items():
        path = pathlib.Path(args.out).with_name(name + ".jpg")
        path.write_bytes(data)
        seen[name] = {
            "file": str(path), "bytes": len(data), "same_bytes": data == sent,
            "same_pixels": bool(np.array_equal(pixels(data), pixels(sent))),
            "hidden": [part for part, mark in photo.hidden_parts().items() if mark in data],
        }
    return seen


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def send_texts(args):
    """Sends texts with something hidden in them, and harmless ones that look alike."""
    bare, weir = connect(args.bare), connect(args.weir)
    seen = []
    for name, text, visible in texts.EXAMPLES:
        arrived = [echo(server, "TEXT", text.encode()).decode() for server in (bare, weir)]
        seen.append({"name": name, "sent": texts.escaped(text), "bare": texts.escaped(arrived[0]),
                     "weir": texts.escaped(arrived[1]), "bare_unchanged": arrived[0] == text,
                     "held": arrived[1] == visible})
    return {"texts": seen}


def send_hostile(args):
    """Sends requests that no well-meaning client sends."""
    addresses = {"http": args.http, "grpc": args.grpc}
    return {"requests": [hostile.send(addresses, request) for request in hostile.REQUESTS]}


def flag(args):
    """Sends pictures without a sign and clean ones, each alone, and reads Weir's mark."""
    return {kind: [marked(args.weir, files[0])
                   for files, _ in pictures.batches(kind, signs.SEEDS["held-out"], args.count, size=1)]
            for kind in ("empty", "clean")}


def marked(address, data):
    """Status and x-weir headers of the answer to one picture; tritonclient hides them."""
    body, header_length = triton.InferenceServerClient.generate_request_body(
        [tensor("IMAGE", [data], [1, 1])], outputs=[triton.InferRequestedOutput("SCORES")])
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
    connection.request("POST", "/v2/models/traffic-sign/infer", body,
                       {"Inference-Header-Content-Length": str(header_length)})
    response = connection.getresponse()
    result = triton.InferenceServerClient.parse_response_body(
        response.read(), header_length=int(response.headers["Inference-Header-Content-Length"]))
    connection.close()
    return {"status": response.status, "action": response.headers.get("x-weir-action", ""),
            "reason": response.headers.get("x-weir-reason", ""),
            "confidence": float(result.as_numpy("SCORES").max())}


def fail(args):
    """Sends requests that are expected to fail, and says how and after how long."""
    weir, seen = connect(args.weir), []
    for _ in range(args.count):
        begin = time.monotonic()
        try:
            echo(weir, "TEXT", b"is anybody there?")
            status = "200"
        except InferenceServerException as error:
            status = error.status() or "no status"
        except OSError as error:
            status = type(error).__name__
        seen.append({"status": status, "seconds": time.monotonic() - begin})
    return {"requests": seen}


def trace(args):
    """Sends one batch as a part of the caller's trace."""
    weir = connect(args.weir)
    weir.is_server_live()  # so that connecting is no part of the span
    (files, _), = pictures.batches("clean", signs.SEEDS["held-out"], 4, size=4)
    begin = time.time_ns()
    labels = classify(weir, files, {"traceparent": args.traceparent})
    return {"begin": begin, "end": time.time_ns(), "labels": labels}


STORIES = {"compare": compare, "traffic": traffic, "photo": send_photo, "texts": send_texts,
           "hostile": send_hostile, "flag": flag, "fail": fail, "trace": trace}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("story", choices=STORIES)
    parser.add_argument("--out", required=True, help="file for the result")
    parser.add_argument("--bare", help="address of Triton")
    parser.add_argument("--weir", help="address of Envoy")
    parser.add_argument("--http", help="address for hostile requests over HTTP")
    parser.add_argument("--grpc", help="address for hostile requests over gRPC")
    parser.add_argument("--pictures", choices=pictures.KINDS, default="clean")
    parser.add_argument("--seed", choices=signs.SEEDS, default="held-out")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--fog", type=float, default=0, help="0 (clear) to 1 (nothing but fog)")
    parser.add_argument("--traceparent", help="W3C trace context of the caller")
    args = parser.parse_args()
    result = STORIES[args.story](args)
    pathlib.Path(args.out).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
