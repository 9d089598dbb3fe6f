#!/usr/bin/env python3
"""Prints the input of `rapidjson read`: the JSON of every block of requests.txt
and short documents on single rules. One document a line, in hexadecimal."""
import ast
import re

documents = []
for block in open("requests.txt", encoding="utf-8").read().split("\n\n"):
    json = b""
    for literal in re.findall(r"^json: (.*)$", block, re.M):
        for raw, quoted in re.findall(r"`([^`]*)`|(\"(?:[^\"\\]|\\.)*\")", literal):
            if quoted:
                byte_wise = ast.literal_eval(re.sub(r"\\u(....)", r"\\u\1", quoted))
                json += b"".join(bytes([ord(c)]) if ord(c) < 256 else c.encode() for c in byte_wise)
            else:
                json += raw.encode()
    if json:
        documents.append(json)

values = ["1", "-1", "0", "-0", "-0.0", "1.0", "1e5", "1E+2", "1e-2", "0.1", "18446744073709551615", "18446744073709551616",
          "-9223372036854775808", "-9223372036854775809", "9223372036854775808", "1e400", "1e-400", "NaN", "-NaN", "Inf",
          "-Inf", "Infinity", "-Infinity", "+1", "01", ".5", "5.", "1e", "0x10", "true", "false", "null", "True", "nan",
          '"a"', '"\\u0041"', '"\\u0000"', '"\\ud83d\\ude00"', '"\\udc00"', '"\\ud800"', '"\\ud800a"', '"\\x"', '"\\/"',
          "'a'", "[]", "[1,]", "[,1]", "[1 2]", "{}", '{"a":1,}', '{"a" : 1 , "a":2}', "{a:1}", "/**/1", "1//", "[[[]]]",
          "", " ", "[", "{", '"', '{"a"', '{"a":', "[1", "tru"]
for value in values:
    documents += [value.encode(), b'{"k": ' + value.encode() + b" }"]
documents += [b"\xef\xbb\xbf1", b" \xef\xbb\xbf1", b"1\x00garbage", b"1 \x00", b"\x00", b'"\xff\xfe"', b'"\xc0\xaf"', b'"\x01"', b'"a\x00b"',
              b'{"a":1}\x00{"a":2}', b"1 2", "\"é😀\"".encode()]
for document in documents:
    print(document.hex())
