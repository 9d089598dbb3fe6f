"""Sends the same requests to two servers with OpenAI's own client and fails on the
first difference in what comes back. Prints the number of answers that were
compared.

Usage: openai_compare.py BARE_URL WEIR_URL
"""

import base64
import io
import sys

import openai
from PIL import Image

clients = [openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0) for url in sys.argv[1:]]
compared = 0


def picture():
    """A file in which there is nothing to strip."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize((8, 8)).save(file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def outcome(client, endpoint, options):
    """What the caller sees: the answer, its events, or the error."""
    try:
        answer = getattr(client, endpoint).create(**options)
        if options.get("stream"):
            return [event.model_dump(exclude_unset=True, warnings=False) for event in answer]
        return answer.model_dump(exclude_unset=True, warnings=False)
    except openai.APIStatusError as e:
        return type(e).__name__, e.status_code


def compare(endpoint, **options):
    global compared
    resource = "chat.completions" if endpoint == "chat" else endpoint
    results = []
    for client in clients:
        for name in resource.split(".")[:-1]:
            client = getattr(client, name)
        results.append(outcome(client, resource.split(".")[-1], options))
    if results[0] != results[1]:
        sys.exit(f"{endpoint} {options}\nbare: {results[0]}\nweir: {results[1]}")
    compared += 1
    return results[0]


def chat(*messages, **options):
    return compare("chat", model=options.pop("model", "echo"), messages=list(messages), **options)


def user(content):
    return {"role": "user", "content": content}


TEXTS = ["hello", "", "one two  three\nfour", "héllo 👋🏽 नमस्ते می‌خواهم", "quotes \" and \\ and /", "<b>&amp;</b>", "a" * 5000]
TOOL = {"type": "function", "function": {"name": "look_up", "description": "Looks up a word.", "strict": True, "parameters": {
    "type": "object", "properties": {"word": {"type": "string", "enum": ["a", "é"]}, "limit": {"type": "number", "maximum": 1e3}},
    "required": ["word"], "additionalProperties": False}}}  # fmt: skip
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "é", "limit": 2.50}'}}
JSON = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object", "properties": {}}}}

for stream in (False, True):
    for text in TEXTS:
        chat(user(text), stream=stream)
        chat({"role": "system", "content": "You echo."}, user("x"), {"role": "assistant", "content": text}, user(text), model="org/echo", stream=stream)
        compare("completions", model="echo", prompt=text, stream=stream)
    chat(user([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": picture(), "detail": "low"}}]), stream=stream)
    chat(user("call"), tools=[TOOL], tool_choice="auto", parallel_tool_calls=True, stream=stream)
    chat(user("call"), {"role": "assistant", "content": None, "tool_calls": [CALL]},
         {"role": "tool", "tool_call_id": "call_1", "content": "found: é"}, tools=[TOOL], stream=stream)  # fmt: skip
    chat(user("x"), n=3, stop=["\n", "."], max_tokens=5, presence_penalty=-1, frequency_penalty=0.5, seed=7, user="me", stream=stream)
    compare("completions", model="echo", prompt=["a b", "c"], max_tokens=3, temperature=0, stream=stream)
    compare("completions", model="echo", prompt=[1, 2, 3], stream=stream)
    compare("completions", model="echo", prompt=[[1, 2], [3]], stream=stream)
for temperature in (0, 0.7, 2):
    chat(user("x"), temperature=temperature, top_p=0.9)
chat(user("a b"), logprobs=True, top_logprobs=2)
chat(user("json"), response_format={"type": "json_object"})
chat(user("fail"))
compare("completions", model="echo", prompt="a b", logprobs=2, echo=True, best_of=2, suffix="z")
for options in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}, {"dimensions": 4}):
    for value in ("a", ["a", "é", ""], [1, 2, 3], [[1], [2, 3]]):
        compare("embeddings", model="echo", input=value, **options)
names = [[model.model_dump(exclude_unset=True, warnings=False) for model in client.models.list()] for client in clients]
if names[0] != names[1] or len(names[0]) < 3:
    sys.exit(f"models\nbare: {names[0]}\nweir: {names[1]}")
print(compared + 1)
