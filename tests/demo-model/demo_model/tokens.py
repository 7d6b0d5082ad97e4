"""Whisper's English tokens: GPT-2's byte pairs, found from the vocabulary alone (the earlier a pair stands in
it, the earlier it is merged), and the special ones after them."""
import base64
import functools
import importlib.util
import re
from pathlib import Path

END, START, PREVIOUS, NO_SPEECH, NO_TIMESTAMPS, FIRST_TIMESTAMP = 50256, 50257, 50360, 50361, 50362, 50363
SIZE = 51864  # what tells whisper.cpp that a model is English: 50,363 and 1,501 timestamps
TIMESTAMP_STEP = 5  # timestamps are trained on a grid of 0.1 s: every fifth of Whisper's
WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


@functools.cache
def assets():
    """The folder `assets` of PyPI's openai-whisper, without importing it: it would want all that it needs."""
    return Path(importlib.util.find_spec("whisper").submodule_search_locations[0]) / "assets"


@functools.cache
def vocabulary():
    """Token → its bytes, as the ggml file holds them."""
    lines = (assets() / "gpt2.tiktoken").read_text().splitlines()
    return [base64.b64decode(line.split()[0]) for line in lines if line] + [b"<|endoftext|>"]


@functools.cache
def _ids():
    return {piece: token for token, piece in enumerate(vocabulary())}


@functools.cache
def _word(text):
    parts = [bytes([it]) for it in text.encode()]
    while len(parts) > 1:
        pairs = ((_ids().get(a + b, SIZE), i) for i, (a, b) in enumerate(zip(parts, parts[1:])))
        best, i = min(pairs)
        if best == SIZE:
            break
        parts[i:i + 2] = [parts[i] + parts[i + 1]]
    return [_ids()[it] for it in parts]


def encode(text):
    """Text → tokens."""
    return [token for word in WORD.findall(text) for token in _word(word)]
