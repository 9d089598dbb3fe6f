"""Sends requests that Weir refuses with OpenAI's own client and prints, a line for
each, what the client raises: the case, the exception, its status and its code.

Usage: openai_refused.py WEIR_URL
"""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)


def user(content):
    return [{"role": "user", "content": content}]


def report(name, call):
    try:
        call()
        print(name, "passed")
    except openai.APIStatusError as e:
        print(name, type(e).__name__, e.status_code, e.code, e.body["message"].removeprefix("weir: ").split(":")[0])


def chat(name, **options):
    report(name, lambda: list(client.chat.completions.create(**options)))


chat("unknown_key", model="echo", messages=user("x"), extra_body={"chat_template": "{{ 7 * 7 }}"})
chat("range", model="echo", messages=user("x"), temperature=3)
chat("model", model="other", messages=user("x"))
chat("parameter", model="echo", messages=user("x"), metadata={"a": "b"})
chat("url", model="echo", messages=user([{"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}]))
chat("audio", model="echo", messages=user([{"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}}]))
chat("bidi", model="echo", messages=user("a\u202eb"))
chat("liar", model="liar", messages=user("x"))
chat("liar_stream", model="liar", messages=user("x"), stream=True)
report("embeddings", lambda: client.embeddings.create(model="echo", input=[-1]))
report("upstream", lambda: client.chat.completions.create(model="echo", messages=user("fail")))
