"""The models of models.py for MLServer."""

import models
import numpy
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceResponse, MetadataTensor, ResponseOutput

record = models.Record()


class Recorded(MLModel):
    async def predict(self, payload):
        parameters = payload.parameters.model_dump() if payload.parameters else {}
        headers = parameters.pop("headers", None)
        inputs = [(i.name, i.datatype, i.shape, i.data.root) for i in payload.inputs]
        record.add(self.name, self.version, payload.id, parameters, headers, inputs)
        outputs = self.outputs_of(payload)
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)


class Echo(Recorded):
    async def load(self):
        self.inputs = [MetadataTensor(**tensor) for tensor in models.ECHO_INPUTS]
        self.outputs = [MetadataTensor(**tensor) for tensor in models.ECHO_OUTPUTS]
        return True

    def outputs_of(self, payload):
        """All of them, whatever was asked for, nested as their shapes say."""
        return [
            ResponseOutput(
                name="ECHO_" + i.name, shape=i.shape, datatype=i.datatype, data=models.nested(i.data.root, i.shape)
            )
            for i in payload.inputs
        ]


class Classifier(Recorded):
    async def load(self):
        self.inputs = [MetadataTensor(**tensor) for tensor in models.CLASSIFIER_INPUTS]
        self.outputs = [MetadataTensor(**tensor) for tensor in models.CLASSIFIER_OUTPUTS]
        return True

    def outputs_of(self, payload):
        values = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        scores, labels = models.classify(numpy.asarray(values))
        outputs = [NumpyCodec.encode_output("SCORES", scores), StringCodec.encode_output("LABEL", labels)]
        asked = [output.name for output in payload.outputs or []]
        return [output for output in outputs if not asked or output.name in asked]
