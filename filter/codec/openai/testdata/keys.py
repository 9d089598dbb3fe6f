"""Writes the keys of the OpenAI API, as its official client types them, to
keys.txt: one line for each object, with its name and its keys in order.

Usage: python keys.py >keys.txt, with the openai package installed
"""

import openai
from openai.types import chat, completion_create_params, embedding_create_params, shared_params
from openai.types.chat import chat_completion_chunk, completion_create_params as chat_params

OBJECTS = {
    "request chat": [chat_params.CompletionCreateParamsBase, chat_params.CompletionCreateParamsStreaming],
    "request completions": [completion_create_params.CompletionCreateParamsBase,
                            completion_create_params.CompletionCreateParamsStreaming],
    "request embeddings": [embedding_create_params.EmbeddingCreateParams],
    "stream_options": [chat.ChatCompletionStreamOptionsParam],
    "message system": [chat.ChatCompletionSystemMessageParam],
    "message developer": [chat.ChatCompletionDeveloperMessageParam],
    "message user": [chat.ChatCompletionUserMessageParam],
    "message assistant": [chat.ChatCompletionAssistantMessageParam],
    "message tool": [chat.ChatCompletionToolMessageParam],
    "message function": [chat.ChatCompletionFunctionMessageParam],
    "part text": [chat.ChatCompletionContentPartTextParam],
    "part image_url": [chat.ChatCompletionContentPartImageParam],
    "part input_audio": [chat.ChatCompletionContentPartInputAudioParam],
    "part refusal": [chat.ChatCompletionContentPartRefusalParam],
    "call function": [chat.ChatCompletionMessageFunctionToolCallParam],
    "call custom": [chat.ChatCompletionMessageCustomToolCallParam],
    "tool function": [chat.ChatCompletionFunctionToolParam],
    "tool custom": [chat.ChatCompletionCustomToolParam],
    "function": [shared_params.FunctionDefinition],
    "choice function": [chat.ChatCompletionNamedToolChoiceParam],
    "choice custom": [chat.ChatCompletionNamedToolChoiceCustomParam],
    "choice allowed_tools": [chat.ChatCompletionAllowedToolChoiceParam],
    "format text": [shared_params.ResponseFormatText],
    "format json_object": [shared_params.ResponseFormatJSONObject],
    "format json_schema": [shared_params.ResponseFormatJSONSchema],
    "prediction content": [chat.ChatCompletionPredictionContentParam],
    "answer chat": [chat.ChatCompletion],
    "answer completions": [openai.types.Completion],
    "answer embeddings": [openai.types.CreateEmbeddingResponse],
    "chunk chat": [chat.ChatCompletionChunk],
    "message": [chat.ChatCompletionMessage],
    "delta": [chat_completion_chunk.ChoiceDelta],
    "token": [chat.ChatCompletionTokenLogprob],
}

print("# openai", openai.__version__)
for name, types in OBJECTS.items():
    keys = [key for each in types for key in getattr(each, "model_fields", each.__annotations__)]
    print(f"{name}: {' '.join(dict.fromkeys(keys))}")
