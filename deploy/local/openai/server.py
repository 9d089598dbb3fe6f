"""Serves models with KServe's OpenAI endpoints, below /openai on 127.0.0.1.

Usage: server.py PORT

echo, org/echo   answer with what they got, the same for the same request:
                 a chat with the text of its last message and the size and SHA-256
                 of each image in it, or with a call of the first tool if there are
                 tools and the message is the user's; a completion with its prompts;
                 an embedding with four numbers of the SHA-256 of its input.
                 A chat whose last text is "fail" fails with status 418; a stream of
                 "wait" stops after its first event until there is a chat of "go".
liar             answers in the name of another model.

Each request adds one JSON line to the file named by the environment variable
WEIR_RECORD, before it is answered:

    {"path": "/openai/v1/embeddings", "body": "{\\"model\\":…", "headers": {…}}
"""

import asyncio
import base64
import hashlib
import json
import os
import struct
import sys
from http import HTTPStatus

import uvicorn
from kserve import ModelServer
from kserve.model_server import app
from kserve.protocol.rest.openai import OpenAICompletionModel, OpenAIEmbeddingModel
from kserve.protocol.rest.openai.errors import OpenAIError, create_error_response
from kserve.protocol.rest.openai.types import (
    ChatCompletion,
    ChatCompletionChunk,
    Completion,
    Embedding,
)
from kserve.protocol.rest.server import RESTServer

CREATED = 1700000000


class Record:
    """Writes down what the server gets, byte for byte, before it reads it."""

    def __init__(self, app):
        self.app = app
        self.file = os.open(os.environ["WEIR_RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        line = {"path": scope["path"], "body": body.decode(), "headers": headers}
        os.write(self.file, json.dumps(line).encode() + b"\n")
        whole = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay():
            return whole.pop() if whole else await receive()

        await self.app(scope, replay, send)


def text_of(message):
    """The text of a message, and a description of each image in it."""
    if isinstance(message.content, str) or message.content is None:
        return message.content or ""
    texts = []
    for part in message.content:
        if part.type == "text":
            texts.append(part.text)
        else:
            head, data = str(part.image_url.url).split(",", 1)
            file = base64.b64decode(data)
            texts.append(f"[{head} {len(file)} {hashlib.sha256(file).hexdigest()}]")
    return " ".join(texts)


def words(text):
    """The text in pieces of a word with the space before it."""
    pieces = text.split(" ")
    return pieces[:1] + [" " + piece for piece in pieces[1:]]


def usage(prompt, completion):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


class Echo(OpenAICompletionModel, OpenAIEmbeddingModel):
    def __init__(self, name, says=None):
        super().__init__(name)
        self.says = says or name
        self.go = asyncio.Event()

    def answer(self, object, choices, **more):
        return {"id": "echo-1", "object": object, "created": CREATED, "model": self.says,
                "system_fingerprint": "echo", "choices": choices, **more}  # fmt: skip

    async def create_chat_completion(self, request):
        params = request.params
        last = params.messages[-1]
        text = text_of(last)
        if text == "fail":
            raise OpenAIError(create_error_response("told to fail", status_code=HTTPStatus.IM_A_TEAPOT))
        if text == "go":
            self.go.set()
        call = None
        if params.tools and last.role == "user":
            name = params.tools[0].function.name
            call = {"name": name, "arguments": json.dumps({"text": text}, ensure_ascii=False)}
        if params.stream:
            return self.stream_chat(params, text, call)
        message, reason = {"role": "assistant", "content": text}, "stop"
        if call:
            reason = "tool_calls"
            message = {"role": "assistant", "content": None,
                       "tool_calls": [{"id": "call_1", "type": "function", "function": call}]}  # fmt: skip
        logprobs = None
        if params.logprobs:
            logprobs = {"content": [
                {"token": word, "logprob": -0.5, "bytes": list(word.encode()),
                 "top_logprobs": [{"token": word, "logprob": -0.5, "bytes": None}] * (params.top_logprobs or 0)}
                for word in words(text)]}  # fmt: skip
        choices = [{"index": i, "message": message, "finish_reason": reason, "logprobs": logprobs} for i in range(params.n or 1)]
        return ChatCompletion(**self.answer("chat.completion", choices, usage=usage(len(params.messages), len(words(text)))))

    async def stream_chat(self, params, text, call):
        deltas = [{"role": "assistant", "content": ""}]
        if call:
            deltas.append({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": call["name"], "arguments": ""}}]})
            deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": word}}]} for word in words(call["arguments"])]
        else:
            deltas += [{"content": word} for word in words(text)]
        reasons = [None] * len(deltas) + ["tool_calls" if call else "stop"]
        for delta, reason in zip(deltas + [{}], reasons):
            choices = [{"index": i, "delta": delta, "finish_reason": reason} for i in range(params.n or 1)]
            yield ChatCompletionChunk(**self.answer("chat.completion.chunk", choices))
            if text == "wait":
                await self.go.wait()

    async def create_completion(self, request):
        params = request.params
        prompts = params.prompt if isinstance(params.prompt, list) else [params.prompt]
        if isinstance(prompts[0], int):
            prompts = [prompts]
        texts = [prompt if isinstance(prompt, str) else " ".join(map(str, prompt)) for prompt in prompts]
        if params.stream:
            return self.stream_completion(params, texts)
        choices = [{"index": i, "text": text, "finish_reason": "stop", "logprobs": None} for i, text in enumerate(texts)]
        if params.logprobs is not None:
            for choice in choices:
                tokens = words(choice["text"])
                choice["logprobs"] = {"tokens": tokens, "token_logprobs": [-0.25] * len(tokens), "text_offset": list(range(len(tokens))),
                                      "top_logprobs": [{token: -0.25} for token in tokens]}  # fmt: skip
        return Completion(**self.answer("text_completion", choices, usage=usage(len(texts), 1)))

    async def stream_completion(self, params, texts):
        for i, text in enumerate(texts):
            pieces = words(text)
            for n, piece in enumerate(pieces):
                reason = "stop" if n == len(pieces) - 1 else None
                choice = {"index": i, "text": piece, "finish_reason": reason or "stop", "logprobs": None}
                yield Completion(**self.answer("text_completion", [choice]))

    async def create_embedding(self, request):
        params = request.params
        inputs = params.input if isinstance(params.input, list) else [params.input]
        if isinstance(inputs[0], int):
            inputs = [inputs]
        data = []
        for i, value in enumerate(inputs):
            digest = hashlib.sha256(json.dumps(value).encode()).digest()
            vector = [byte / 256 - 0.5 for byte in digest[:4]]
            if params.encoding_format == "base64":
                vector = base64.b64encode(struct.pack("<4f", *vector)).decode()
            data.append({"object": "embedding", "index": i, "embedding": vector})
        # The types of the endpoints know no base64, the clients do.
        tokens = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
        return Embedding.model_construct(object="list", data=data, model=self.says, usage=tokens)


def main(port):
    server = ModelServer(http_port=port, enable_grpc=False, workers=1)
    for model in (Echo("echo"), Echo("org/echo"), Echo("liar", says="echo")):
        server.register_model(model)
    app.add_middleware(Record)
    # KServe itself would listen on all addresses of the machine.
    RESTServer(app, server.dataplane, server.model_repository_extension, port).create_application()
    uvicorn.run(app, host="127.0.0.1", port=port)


if __name__ == "__main__":
    main(int(sys.argv.pop(1)))
