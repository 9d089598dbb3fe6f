#!/usr/bin/env python3
"""Writes the golden files of the text tests.

    pip install emoji==2.16.0
    python3 gen_text.py DIRECTORY

text_emoji.txt   every emoji that the package emoji lists, one a line
text_normal.jsonl  random text in many scripts with what Python's own
                 unicodedata makes of it in NFC and NFKC: an oracle that shares
                 no code and no tables with Go
"""
import json
import os
import random
import sys
import unicodedata

import emoji

# Blocks that hold letters with canonical compositions, and their marks.
BLOCKS = [(0x00C0, 0x024F), (0x0300, 0x0333), (0x0370, 0x03FF), (0x0400, 0x04FF), (0x05D0, 0x05EA),
          (0x05B0, 0x05BC), (0x0621, 0x0655), (0x0904, 0x094D), (0x0985, 0x09D7), (0x0B05, 0x0B57),
          (0x0B85, 0x0BD7), (0x0C85, 0x0CD6), (0x0D05, 0x0D4D), (0x0E01, 0x0E4E), (0x1100, 0x1112),
          (0x1161, 0x1175), (0x11A8, 0x11C2), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2190, 0x22FF),
          (0x3041, 0x309A), (0xAC00, 0xAC40), (0xF900, 0xF930), (0x2200, 0x22FF), (0x1D15E, 0x1D164)]
FOLDED = {"<font>", "<wide>", "<narrow>"}


def plain(c):
    """Characters that only normalisation may change."""
    s = chr(c)
    return unicodedata.category(s)[0] in "LMNS" and unicodedata.category(s) != "Me" and \
        unicodedata.decomposition(s).split(" ")[0] not in FOLDED and not 0x334 <= c <= 0x338 and \
        c != 0x1D159


def most_marks(text):
    """The longest run of marks that take no room, more than 8 of which Text cuts."""
    longest = run = 0
    for c in text:
        run = run + 1 if unicodedata.category(c) == "Mn" or unicodedata.combining(c) else 0
        longest = max(longest, run)
    return longest


def samples(n):
    rng = random.Random(20260101)
    chars = [[c for c in range(lo, hi + 1) if plain(c)] for lo, hi in BLOCKS]
    for _ in range(n):
        block = rng.choice(chars)
        text = ""
        for _ in range(rng.randint(1, 6)):
            text += chr(rng.choice(block)) + "".join(
                chr(rng.choice(chars[1])) for _ in range(rng.choice([0, 0, 1, 2])))
        if most_marks(text) <= 8:
            yield text


def main():
    out = sys.argv[1]
    with open(os.path.join(out, "text_emoji.txt"), "w", encoding="utf-8") as f:
        f.writelines(e + "\n" for e in sorted(emoji.EMOJI_DATA))
    with open(os.path.join(out, "text_normal.jsonl"), "w", encoding="utf-8") as f:
        for text in samples(1500):
            row = {"in": text, "nfc": unicodedata.normalize("NFC", text),
                   "nfkc": unicodedata.normalize("NFKC", text)}
            f.write(json.dumps(row) + "\n")


main()
