"""Loads the model's Triton entry point without Triton."""

import pathlib
import sys
import types

import numpy as np

VERSION = pathlib.Path(__file__).parent.parent / "models" / "traffic-sign" / "1"
REPOSITORY = VERSION.parent
sys.path.append(str(VERSION))


class Tensor:
    def __init__(self, name, values):
        self.name, self.values = name, values

    def as_numpy(self):
        return self.values


class TritonError(Exception):
    INVALID_ARG = 3

    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


class Response:
    def __init__(self, output_tensors=(), error=None):
        self.outputs = {tensor.name: tensor.values for tensor in output_tensors}
        self.error = error


def loaded_model():
    """model.py as Triton loads it, with as much of Triton's Python module as it uses."""
    sys.modules["triton_python_backend_utils"] = types.SimpleNamespace(
        Tensor=Tensor, TritonError=TritonError, InferenceResponse=Response,
        get_input_tensor_by_name=lambda request, name: request[name])
    import model

    loaded = model.TritonPythonModel()
    loaded.initialize({"model_repository": str(REPOSITORY), "model_version": "1"})
    return loaded


def request(files):
    return {"IMAGE": Tensor("IMAGE", np.array(files, dtype=object).reshape(-1, 1))}
