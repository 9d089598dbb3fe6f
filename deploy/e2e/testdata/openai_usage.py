"""Asks two servers with OpenAI's own client for what KServe's endpoints do not know:
usage at the end of a stream, and a question with an audio part. Fails on a difference
in what comes back but names and times. Prints the number of answers compared.

Usage: openai_usage.py BARE_URL WEIR_URL
"""

import base64
import io
import sys
import wave

import openai

clients = [openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0) for url in sys.argv[1:]]


def speech():
    file = io.BytesIO()
    with wave.open(file, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(16000)
        w.writeframes(bytes(3200))
    return base64.b64encode(file.getvalue()).decode()


def without_names(answer):
    return {key: value for key, value in answer.model_dump(exclude_unset=True, warnings=False).items() if key not in ("id", "created")}


def ask(client, **options):
    answer = client.chat.completions.create(model="mock", **options)
    return [without_names(event) for event in answer] if options.get("stream") else without_names(answer)


TEXT = [{"role": "user", "content": "What is it?"}]
AUDIO = [{"role": "user", "content": [{"type": "text", "text": "What is it?"},
                                      {"type": "input_audio", "input_audio": {"data": speech(), "format": "wav"}}]}]
REQUESTS = [dict(messages=messages, **options) for messages in (TEXT, AUDIO)
            for options in ({}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}})]

for request in REQUESTS:
    bare, weir = (ask(client, **request) for client in clients)
    if bare != weir:
        sys.exit(f"{request}\nbare: {bare}\nweir: {weir}")
    counted = any("usage" in event and event["usage"] for event in bare) if request.get("stream") else "usage" in bare
    if counted != (not request.get("stream") or "stream_options" in request):
        sys.exit(f"{request}: usage told {counted}: {bare}")
print(len(REQUESTS))
