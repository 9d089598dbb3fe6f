"""Calls the endpoints that perf_analyzer needs with tritonclient over HTTP, on two
servers, and fails if their answers differ.

Usage: endpoints.py BARE_ADDRESS WEIR_ADDRESS
"""

import sys

import tritonclient.http as client


def answers(address):
    with client.InferenceServerClient(address) as server:
        return {
            "metadata": server.get_server_metadata(),
            "config": server.get_model_config("echo"),
            "config of a version": server.get_model_config("echo", "1"),
            "statistics": server.get_inference_statistics("echo"),
            "statistics of all": server.get_inference_statistics(),
            "index": server.get_model_repository_index(),
        }


bare, weir = answers(sys.argv[1]), answers(sys.argv[2])
for name, want in bare.items():
    if not want or weir[name] != want:
        sys.exit(f"{name}: {weir[name]}, without Weir {want}")
